"""Header fields."""

from hostile.messages import DONE, OK, Kind, html, kind, then_drip, then_flood

BODY = html("Header fields")
END = b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
PROTOCOL = "failed:protocol"
TOO_LARGE = "failed:too-large"


def _with(name: str, lines: bytes, *ends: str) -> Kind:
    return kind(f"field-{name}", OK + lines + b"\r\n" + END, *ends)


def _instead(name: str, lines: bytes, *ends: str) -> Kind:
    return kind(f"field-{name}", OK + lines + b"\r\n\r\n" + BODY, *ends)


KINDS = (
    _with("without-colon", b"this is no field", PROTOCOL),
    _with("without-name", b": nameless", DONE),
    _with("nul-in-value", b"X-A: a\0b", PROTOCOL),
    _with("nul-in-name", b"X-\0A: a", PROTOCOL),
    _with("bare-cr", b"X-A: a\rX-Robots-Tag: noindex", PROTOCOL),
    kind("field-bare-lf", (OK + END[: -len(BODY)]).replace(b"\r", b"") + BODY, DONE),
    _with("folded", b"X-A: a\r\n b\r\n\tc", DONE),
    kind("field-folded-first", b"HTTP/1.1 200 OK\r\n X-A: a\r\n" + END, DONE),
    _with("space-before-colon", b"X-A : a", DONE),
    _with("control-characters", b"X-A: \x1b[2J\x07\x08\x7f", DONE),
    _with("non-ascii", b"X-\xe9: \xc3\xa9\xff\xfe", DONE),
    _with("60-kb", b"X-A: " + b"a" * 60_000, DONE),
    _with("10-mb", b"X-A: " + b"a" * 10_000_000, TOO_LARGE),
    _with("100000-times", b"X-A: a\r\n" * 100_000 + b"X-B: b", TOO_LARGE),
    _with("600-cookies", b"\r\n".join(b"Set-Cookie: c%d=1" % i for i in range(600)), TOO_LARGE),
    kind("field-endless", then_flood(OK, b"X-A: " + b"a" * 1000 + b"\r\n"), TOO_LARGE),
    kind("field-endless-line", then_flood(OK + b"X-A: ", b"a" * 65536), TOO_LARGE),
    kind("field-drip", then_drip(OK, b"X-A: a\r\n"), "failed:timeout"),
    _with("many-types", b"Content-Type: image/png\r\nContent-Type: ;;;=;", DONE),
    _with("absurd-type", b"Content-Type: text/html; charset=\"'; charset=;=", DONE),
    # Lengths
    _instead("lengths-differ", b"Content-Length: 5\r\n" + END.split(b"\r")[0], PROTOCOL),
    _instead("length-twice", END.split(b"\r")[0] + b"\r\n" + END.split(b"\r")[0], DONE),
    _instead("length-negative", b"Content-Length: -5", PROTOCOL),
    _instead("length-no-number", b"Content-Length: five", PROTOCOL),
    _instead("length-signed", b"Content-Length: +5", PROTOCOL),
    _instead(
        "length-of-10-to-18", b"Content-Length: 1000000000000000000", TOO_LARGE, "failed:truncated"
    ),
    _instead("length-of-10-to-30", b"Content-Length: 1" + b"0" * 30, PROTOCOL, DONE),
    kind(
        "field-length-and-chunked",
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
        DONE,
    ),
    _instead(
        "transfer-coding-unknown", b"Transfer-Encoding: rot13", PROTOCOL, "failed:bad-encoding"
    ),
    _instead(
        "transfer-coding-gzip-of-plain",
        b"Transfer-Encoding: gzip, chunked",
        PROTOCOL,
        "failed:bad-encoding",
    ),
)
