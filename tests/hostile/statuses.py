"""Status lines, and statuses that nobody asked for."""

from hostile.messages import DONE, OK, Kind, answer, html, kind, then_flood, then_next, then_silence
from hostile.server import Line

PAGE = html("A status line")
FIELDS = b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE
BODY = html("A status", "/never")
"""What is no page leads nowhere."""


def _first_line(name: str, line: bytes, *ends: str) -> Kind:
    return kind(f"status-line-{name}", line + FIELDS, *ends)


def _status(status: int, *ends: str, lines: tuple[str, ...] = (), end: bytes = BODY) -> Kind:
    return kind(f"status-{status}", then_next(answer(end, *lines, status=status)), *ends)


def _slow_interims(line: Line) -> None:
    line.repeat(b"HTTP/1.1 102 Processing\r\n\r\n", 0.5)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </never>; rel=preload\r\n\r\n"
FINE = answer(html("After interim answers"))
PROTOCOL = "failed:protocol"

KINDS = (
    kind("status-line-garbage", b"\x00\xff\x17 not the web\r\n\r\n" * 3, PROTOCOL),
    kind("status-line-none-http-0.9", PAGE, PROTOCOL),
    kind("status-line-none-but-fields", FIELDS[2:], PROTOCOL),
    kind("status-line-of-ssh", b"SSH-2.0-OpenSSH_9.9\r\n", PROTOCOL),
    kind("status-line-of-smtp", b"220 mail.example ESMTP\r\n", PROTOCOL),
    kind("status-line-of-http2", b"\0\0\x12\x04\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\1\0\0", PROTOCOL),
    kind("status-line-cut", b"HTTP/1.1 20", "failed:reset", PROTOCOL),
    kind("status-line-alone", b"HTTP/1.1 200 OK\r\n", "failed:truncated", "failed:reset"),
    kind("status-line-endless", then_flood(b"HTTP/1.1 200 ", b"x" * 65536), "failed:too-large"),
    kind("status-line-stalls", then_silence(b"HTTP/1.1 2"), "failed:timeout"),
    _first_line("http-3.0", b"HTTP/3.0 200 OK", DONE),
    _first_line("http-9.9", b"HTTP/9.9 200 OK", PROTOCOL),
    _first_line("rtsp", b"RTSP/1.0 200 OK", PROTOCOL),
    _first_line("lower-case", b"http/1.1 200 ok", DONE),
    _first_line("blank-first", b"\r\n\r\nHTTP/1.1 200 OK", PROTOCOL),
    _first_line("words", b"HTTP/1.1 OK 200", PROTOCOL),
    _first_line("no-status", b"HTTP/1.1", PROTOCOL),
    _first_line("000", b"HTTP/1.1 000 Nothing", PROTOCOL),
    _first_line("99", b"HTTP/1.1 99 Few", PROTOCOL),
    _first_line("1000", b"HTTP/1.1 1000 Many", PROTOCOL),
    _first_line("negative", b"HTTP/1.1 -200 OK", PROTOCOL),
    _first_line("no-phrase", b"HTTP/1.1 200", DONE),
    _first_line("1.0", b"HTTP/1.0 200 OK", DONE),
    _first_line("control-characters", b"HTTP/1.1 200 \x1b[2J\x07\xff", DONE),
    # 1xx
    kind("100-storm", then_flood(b"", CONTINUE * 1000), PROTOCOL),
    kind("103-storm", then_flood(b"", HINTS * 1000), PROTOCOL),
    kind("100-few", CONTINUE * 16 + FINE, DONE),
    kind("100-too-many", CONTINUE * 17 + FINE, PROTOCOL),
    kind("100-then-silence", then_silence(CONTINUE), "failed:timeout"),
    kind("102-slowly-without-end", _slow_interims, "failed:timeout"),
    kind(
        "101-switch",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n\x81\x05hello",
        PROTOCOL,
        "failed:http-101",
    ),
    # Statuses
    _status(204, DONE, end=b""),
    kind("status-204-with-body", then_next(answer(PAGE, status=204)), DONE),
    _status(205, DONE, end=b""),
    _status(206, DONE, lines=("Content-Range: bytes 5-9/100",), end=html("A part")),
    kind("status-304-with-body", then_next(answer(BODY, status=304)), "failed:http-304"),
    _status(300, "failed:http-300"),
    _status(305, "failed:http-305", lines=("Location: /never",)),
    _status(416, "failed:http-416"),
    _status(511, "failed:http-511"),
    _status(599, "failed:http-599"),
    _status(999, "failed:http-999"),
    kind(
        "status-404-endless",
        then_flood(OK.replace(b"200", b"404") + b"\r\n", b"x" * 65536),
        "failed:http-404",
    ),
    kind(
        "status-403-stalls", then_silence(OK.replace(b"200", b"403") + b"\r\nNo"), "failed:http-403"
    ),
    kind(
        "status-500-cut",
        OK.replace(b"200", b"500") + b"Content-Length: 99\r\n\r\nNo",
        "failed:http-500",
    ),
    *(
        kind(
            f"retry-after-{name}",
            then_next(answer(BODY, f"Retry-After: {value}", status=503)),
            "failed:http-503",
        )
        for name, value in (
            ("in-30-years", "1000000000"),
            ("in-9999", "Fri, 31 Dec 9999 23:59:59 GMT"),
            ("negative", "-1000000000"),
            ("overflow", "9" * 400),
        )
    ),
)
