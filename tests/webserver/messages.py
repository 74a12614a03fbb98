"""What goes over the wire: replies, and requests as they came in."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

HTML = "text/html; charset=utf-8"

HeaderFields = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """An answer. `content_type` None leaves the header out; `close` ends the connection after it.

    Content-Length is that of the body unless `headers` frame the body differently. Header text
    is sent as UTF-8; surrogate escapes stand for other bytes.
    """

    status: int = 200
    body: str | bytes = b""
    content_type: str | None = HTML
    headers: HeaderFields = ()
    close: bool = False

    def encode(self, *, last: bool = False) -> bytes:
        """The bytes on the wire; `last` announces that the connection closes."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        given = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
        fields = [*given, *self._framing(given, len(body))]
        if self.content_type is not None:
            fields.append(("Content-Type", self.content_type))
        if last or self.close:
            fields.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in fields]
        return "\r\n".join([*lines, "", ""]).encode(errors="surrogateescape") + body

    def _framing(self, given: Iterable[tuple[str, str]], size: int) -> list[tuple[str, str]]:
        framed = {"content-length", "transfer-encoding"} & {name.lower() for name, _ in given}
        if framed or self.status in (204, 304):
            return []
        return [("Content-Length", str(size))]


@dataclass
class Recorded:
    """A request as it came in. Header names are lower case, repeated ones joined by a comma.

    `path` is the request target as sent, with its query. `at` and `finished` are monotonic times
    in seconds: head received; answer handed to the kernel, or given up. `connection` numbers the
    connections from 1. `finished` may be set just after the client has its answer: `wait_until`.
    """

    method: str
    path: str
    headers: dict[str, str]
    at: float
    connection: int
    finished: float | None = None


Handler = Callable[[Recorded, asyncio.StreamWriter], Awaitable[Reply | None]]
"""Returns the reply, or writes the bytes itself and returns None: then the connection is closed."""

Route = Reply | Handler


def redirection(target: str, status: int = 302) -> Reply:
    """A redirect to `target`."""
    return Reply(status, "", headers={"Location": target})


def parse(head: bytes, connection: int) -> tuple[Recorded, str]:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, path, version = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"malformed header line in the request for {path}: {line!r}")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Recorded(method, path, headers, time.monotonic(), connection), version


def wants_close(request: Recorded) -> bool:
    return "close" in request.headers.get("connection", "").lower()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
