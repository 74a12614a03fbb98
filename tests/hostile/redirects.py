"""Redirects: where they lead, and what they say besides."""

from hostile.codings import GZIP, ZEROS
from hostile.messages import (
    DONE,
    Kind,
    answer,
    html,
    kind,
    serve,
    then_flood,
    then_next,
    then_silence,
)
from hostile.server import Answer, Line

HOPS = 10
"""Redirects in a row that a crawl follows."""
BAD = "failed:bad-redirect"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Type: text/html\r\nConnection: close\r\nLocation: "
TRAP = "suspended:trap"


def _moved(to: str, *lines: str, encoding: str = "utf-8") -> bytes:
    """A well-formed redirect."""
    fields = b"".join(f"{line}\r\n".encode() for line in lines)
    body = html(f"Moved to {to[:100]}")
    end = b"Content-Length: %d\r\n\r\n" % len(body) + body
    return FOUND + to.encode(encoding) + b"\r\n" + fields + end


def _to(name: str, target: str, *ends: str, more: dict[str, str] | None = None) -> Kind:
    return kind(f"redirect-{name}", _moved(target), *ends, more=more)


def _led(name: str, answer: Answer | bytes) -> Kind:
    """One that leads to a page of its own, whatever else is wrong with it."""
    return kind(f"redirect-{name}", answer, DONE, more={f"/target/{name}": DONE})


def _hop(line: Line) -> None:
    line.send(_moved(f"/hop/{int(line.path.rpartition('/')[2]) + 1}"))


def _without_host(line: Line) -> None:
    line.send(_moved(f"//127.0.0.1:{line.port}/target/without-host"))


def _uninjected(line: Line) -> None:
    assert b"\r\nx-injected" not in line.head.lower()
    serve(line, html("Not injected"))


def _refused(name: str, target: str, end: str, url: str | None = None) -> Kind:
    """One to a URL that is known, and not asked for."""
    return _to(name, target, DONE, more={url or target: end})


KINDS = (
    _to("to-itself", "/bad/redirect-to-itself", DONE),
    _to("to-its-fragment", "#here", DONE),
    kind(
        "redirect-in-circles",
        _moved("/circle/b"),
        DONE,
        more={"/circle/b": DONE},
        also={"/circle/b": lambda line: line.send(_moved("/bad/redirect-in-circles"))},
    ),
    kind(
        "redirect-endless",
        _moved("/hop/1"),
        DONE,
        also={"/hop/*": _hop},
        more={f"/hop/{n}": DONE for n in range(1, HOPS)}
        | {f"/hop/{HOPS}": "failed:too-many-redirects"},
    ),
    # Where no crawl goes
    *(
        _to(f"to-{target.partition(':')[0]}", target, BAD)
        for target in (
            "ftp://127.0.0.1/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "gopher://127.0.0.1:6379/_FLUSHALL",
            "about:blank",
            "mailto:x@example.com",
        )
    ),
    _to("nowhere", "", BAD),
    kind("redirect-without-location", then_next(answer(html("Moved"), status=301)), BAD),
    _to("to-no-url", "http://[::bad", BAD),
    _to("to-no-host", "http://", BAD),
    _to("to-port-99999", "http://127.0.0.1:99999/", BAD),
    _refused("to-mail", "http://127.0.0.1:25/", "failed:bad-port"),
    _refused("to-redis", "http://127.0.0.1:6379/", "failed:bad-port"),
    _refused("to-metadata", "http://169.254.169.254/latest/", "failed:private-address"),
    _refused("to-neighbour", "http://127.0.0.2:8080/", "failed:private-address"),
    _refused(
        "to-mapped",
        "http://[::ffff:127.0.0.1]:8080/",
        "failed:private-address",
        "http://[::ffff:7f00:1]:8080/",
    ),
    _refused(
        "to-old-number",
        "http://2130706434:8080/",
        "failed:private-address",
        "http://127.0.0.2:8080/",
    ),
    _refused("to-zero", "http://0:8080/", "failed:private-address", "http://0.0.0.0:8080/"),
    # Long ones
    kind("redirect-to-100-kb", _moved("/" + "x" * 100_000), "failed:too-large"),
    kind("redirect-to-10-kb", _moved("/long/" + "x" * 10_000), DONE, more={"/long/*": TRAP}),
    # Odd ones that lead somewhere
    _led("relative", _moved("../target/./x/../relative")),
    _led("without-host", _without_host),
    _led("with-backslashes", _moved("\\target\\with-backslashes")),
    _led("with-blanks", _moved("  \t/target/with-blanks \t")),
    kind("redirect-twice", _moved("/never", "Location: /never/two"), "failed:protocol"),
    kind("redirect-utf-8", _moved("/target/é"), DONE, more={"/target/%C3%A9": DONE}),
    kind(
        "redirect-latin-1",
        _moved("/target/l/é", encoding="latin-1"),
        DONE,
        more={"/target/l/*": DONE},
    ),
    kind(
        "redirect-injection",
        _moved("/injected/%0d%0aX-Injected:%20yes"),
        DONE,
        more={"/injected/%0d%0aX-Injected:%20yes": DONE},
        also={"/injected/*": _uninjected},
    ),
    # What they say besides
    _led("body-endless", then_flood(FOUND + b"/target/body-endless\r\n\r\n", b"x" * 65536)),
    _led(
        "body-bomb",
        then_flood(
            FOUND + b"/target/body-bomb\r\nContent-Encoding: gzip\r\n\r\n" + GZIP, ZEROS * 50
        ),
    ),
    _led(
        "body-stalls",
        then_silence(FOUND + b"/target/body-stalls\r\nContent-Length: 1000\r\n\r\nmoved"),
    ),
    _led("body-cut", FOUND + b"/target/body-cut\r\nContent-Length: 1000\r\n\r\nmoved"),
    _led(
        "body-chunks-bad",
        FOUND + b"/target/body-chunks-bad\r\nTransfer-Encoding: chunked\r\n\r\nwhat?\r\n",
    ),
    _led("body-coding-unknown", _moved("/target/body-coding-unknown", "Content-Encoding: rot13")),
)
