"""A web to crawl in tests: real HTTP/1.1 on real sockets, in a thread of its own.

    with Site() as site:
        site.page("/", "<a href=/a>a</a>")
        site.sequence("/a", Reply(503), reset(), Reply(200, "at last"))
        ...
        site.wait_until(lambda: site.hits("/a") == 3)

What always holds: a route is looked up by the whole request target, then without its query, then
by the longest `prefix*`; all else is 404. A connection stays open unless one side says `close` or
a handler wrote the bytes itself. A client that goes away ends its request at once. A malformed
request or a bug in a handler is raised when the site closes. Leaving the `with` block ends
everything, however stuck a client or handler is.

Misbehaviour that is only odd bytes is a `Reply`; what needs control over the socket is a handler.
nginx is in `servers_nginx`.
"""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Self

import trustme

HTML = "text/html; charset=utf-8"
_BLOCK = bytes(64 * 1024)
_HEAD_LIMIT = 1024 * 1024
_STOP_TIMEOUT = 10.0

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


class Hold:
    """Keeps answers pending until `release()`, which any thread may call, more than once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def release(self) -> None:
        """Let all held answers go, and those asked for later."""
        with contextlib.suppress(RuntimeError):  # the site has closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        """Wait for the release. For handlers."""
        await self._event.wait()


class Site:
    """A web server on a free port of `address`, from `with` to the end of its block.

    Routes may be set from any thread, also while the site runs; `hold` and `drip` only then.
    Entered again, it is the same server come back: same port, same routes, the log goes on.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        self.port = 0
        self._tls = tls
        self._address = address
        self._routes: dict[str, Route] = {}
        self._changed = threading.Condition()
        self._log: list[Recorded] = []
        self._active = self._peak = self._connections = 0
        self._errors: list[Exception] = []
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self._address, self.port), backlog=512)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, name="webserver.Site", daemon=True)
        self._thread.start()
        assert self._ready.wait(_STOP_TIMEOUT), "the server thread did not start"
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(_STOP_TIMEOUT)
        self._listener.close()
        assert not self._thread.is_alive(), "the server thread hangs: does a handler block?"
        if self._errors and error is None:
            raise self._errors[0]
        if error is not None:
            for own in self._errors:
                error.add_note(f"before that, in the server: {own!r}")

    # What the site serves

    def url(self, path: str = "/", host: str | None = None) -> str:
        """The address of a path; `host` may be another name for this machine."""
        return f"{'https' if self._tls else 'http'}://{host or self._address}:{self.port}{path}"

    def route(self, path: str, route: Route) -> None:
        """Answer `path` with a reply or a handler. `/dir/*` takes all that starts with `/dir/`."""
        self._routes[path] = route

    def page(
        self,
        path: str,
        body: str | bytes,
        *,
        status: int = 200,
        content_type: str | None = HTML,
        headers: HeaderFields = (),
    ) -> None:
        """Serve a page, HTML unless told otherwise."""
        self.route(path, Reply(status, body, content_type, headers))

    def redirect(self, path: str, target: str, status: int = 302) -> None:
        """Redirect `path`; `target` is sent as it is."""
        self.route(path, redirection(target, status))

    def robots(self, text: str | bytes) -> None:
        """Serve robots.txt, which is otherwise 404."""
        self.page("/robots.txt", text, content_type="text/plain")

    def sequence(self, path: str, *routes: Route) -> None:
        """Each request takes the next route; the last one repeats."""
        left = list(routes)

        async def answer(request: Recorded, writer: asyncio.StreamWriter) -> Reply | None:
            return await _take(left.pop(0) if len(left) > 1 else left[0], request, writer)

        self.route(path, answer)

    def hold(self, path: str, route: Route | None = None, *, after: int = 0) -> Hold:
        """Keep answers to `path` pending until released; then `route`, an empty page by default.

        With `after`, which needs a reply, that many bytes go out first: a few of the head, or more.
        """
        hold, then = Hold(self._loop), route or Reply()

        async def answer(request: Recorded, writer: asyncio.StreamWriter) -> Reply | None:
            if after == 0:
                await hold.wait()
                return await _take(then, request, writer)
            assert isinstance(then, Reply), "a hold in the middle needs a reply"
            data = then.encode(last=True)
            writer.write(data[:after])
            await hold.wait()
            writer.write(data[after:])
            return None

        self.route(path, answer)
        return hold

    def drip(self, path: str, body: bytes = bytes(10_000), interval: float = 0.05) -> Hold:
        """Send the head, then a byte every `interval` seconds; a release sends the rest at once."""
        hold = Hold(self._loop)

        async def answer(_: Recorded, writer: asyncio.StreamWriter) -> None:
            writer.write(Reply(200, body).encode(last=True).removesuffix(body))
            for position in range(len(body)):
                writer.write(body[position : position + 1])
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(hold.wait(), interval)
                    writer.write(body[position + 1 :])
                    return

        self.route(path, answer)
        return hold

    # What the site saw

    @property
    def requests(self) -> list[Recorded]:
        """All requests so far, in the order received."""
        with self._changed:
            return self._log.copy()

    @property
    def paths(self) -> list[str]:
        """The request targets so far, in the order received."""
        return [request.path for request in self.requests]

    def hits(self, path: str) -> int:
        """How many times exactly this request target was asked for."""
        return self.paths.count(path)

    @property
    def active(self) -> int:
        """Requests in progress now."""
        with self._changed:
            return self._active

    @property
    def peak(self) -> int:
        """The most requests that were in progress at once."""
        with self._changed:
            return self._peak

    @property
    def connections(self) -> int:
        """Connections accepted so far."""
        with self._changed:
            return self._connections

    def wait_until(self, condition: Callable[[], object], timeout: float = 10) -> None:
        """Wait for a condition on what the site saw; AssertionError after `timeout` seconds.

        It is looked at again at each change of the log, and at the deadline.
        """
        with self._changed:
            if self._changed.wait_for(condition, timeout):
                return
            seen = [f"  {r.method} {r.path}{'' if r.finished else '  (open)'}" for r in self._log]
        counts = f"{len(seen)} requests, {self.active} open, {self.connections} connections"
        raise AssertionError("\n".join([f"not within {timeout} s: {counts}", *seen[-30:]]))

    # The server

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        async with asyncio.TaskGroup() as group:
            self._loop.add_reader(self._listener, self._accept, group)
            self._ready.set()
            try:
                await self._loop.create_future()  # until __exit__ cancels this task
            finally:
                self._loop.remove_reader(self._listener)

    def _accept(self, group: asyncio.TaskGroup) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):  # gone again already
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            with self._changed:
                self._connections += 1
                self._changed.notify_all()
            task = group.create_task(self._connection(connection, self._connections))
            # A task that is cancelled before its first step never comes to its `finally`.
            task.add_done_callback(lambda _: connection.close())

    async def _connection(self, connection: socket.socket, number: int) -> None:
        reader = asyncio.StreamReader(limit=_HEAD_LIMIT)
        protocol = _Protocol(reader, asyncio.current_task())
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._tls
            )
        except OSError:  # the TLS handshake failed: the client's right
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        try:
            while await self._exchange(reader, writer, number):
                pass
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # the client is gone
        except Exception as error:  # noqa: BLE001 - shown to the test by __exit__
            self._errors.append(error)
        finally:
            transport.abort()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        """One request and its answer. False when the connection is to be closed."""
        head = await reader.readuntil(b"\r\n\r\n")
        request, version = _parse(head, number)
        await reader.readexactly(int(request.headers.get("content-length", 0)))
        with self._progress(request):
            reply = await _take(self._find(request.path), request, writer)
            if reply is None:
                return False
            last = reply.close or version != "HTTP/1.1" or _wants_close(request)
            writer.write(reply.encode(last=last))
            await writer.drain()
        return not last

    def _find(self, target: str) -> Route:
        for path in (target, target.partition("?")[0]):
            if path in self._routes:
                return self._routes[path]
        prefixes = [p for p in self._routes if p.endswith("*") and target.startswith(p[:-1])]
        return self._routes[max(prefixes, key=len)] if prefixes else Reply(404, "not found")

    @contextlib.contextmanager
    def _progress(self, request: Recorded) -> Iterator[None]:
        with self._changed:
            self._log.append(request)
            self._active += 1
            self._peak = max(self._peak, self._active)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                request.finished = time.monotonic()
                self._active -= 1
                self._changed.notify_all()


class _Protocol(asyncio.StreamReaderProtocol):
    """Ends its connection's task as soon as the client is gone, even while a handler waits."""

    def __init__(self, reader: asyncio.StreamReader, owner: "asyncio.Task[None] | None") -> None:
        super().__init__(reader)
        self.owner = owner

    def eof_received(self) -> bool:
        super().eof_received()
        return False  # half-open connections are not served

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.owner is not None:
            self.owner.cancel()
            self.owner = None


async def _take(route: Route, request: Recorded, writer: asyncio.StreamWriter) -> Reply | None:
    return route if isinstance(route, Reply) else await route(request, writer)


def _parse(head: bytes, connection: int) -> tuple[Recorded, str]:
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


def _wants_close(request: Recorded) -> bool:
    return "close" in request.headers.get("connection", "").lower()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


# Replies that are fine, if special


def redirection(target: str, status: int = 302) -> Reply:
    """A redirect to `target`."""
    return Reply(status, "", headers={"Location": target})


def gzipped(body: bytes) -> Reply:
    """A correct gzip body."""
    return _encoded(gzip.compress(body), "gzip")


def deflated(body: bytes) -> Reply:
    """A correct deflate body (zlib format, RFC 9110 section 8.4.1.2)."""
    return _encoded(zlib.compress(body), "deflate")


def chunked(body: bytes, size: int = 10) -> Reply:
    """A correct body in chunks of `size` bytes."""
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return _in_chunks(b"".join(_chunk(part) for part in [*parts, b""]))


def empty() -> Reply:
    """A 200 with no body at all."""
    return Reply(200)


def binary(n: int = 1024) -> Reply:
    """`n` bytes of every value that claim to be HTML."""
    return Reply(200, (bytes(range(256)) * (n // 256 + 1))[:n])


def unsized(body: bytes) -> Handler:
    """A body that ends where the connection does, as in HTTP/1.0: correct."""
    return raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + body)


def big(n: int) -> Handler:
    """A correct body of `n` zero bytes, made on the way."""

    async def answer(_: Recorded, writer: asyncio.StreamWriter) -> None:
        writer.write(Reply(headers={"Content-Length": str(n)}).encode(last=True))
        for left in range(n, 0, -len(_BLOCK)):
            await _send(writer, _BLOCK[:left])

    return answer


# Replies with wrong bytes


def truncated(body: bytes = b"<p>cut", missing: int = 100) -> Reply:
    """Content-Length promises `missing` bytes more than come before the connection closes."""
    return Reply(200, body, headers={"Content-Length": str(len(body) + missing)}, close=True)


def understated(body: bytes = b"<p>more than said", extra: int = 5) -> Reply:
    """Content-Length is `extra` bytes less than the body; the connection stays open."""
    return Reply(200, body, headers={"Content-Length": str(len(body) - extra)})


def corrupt_gzip(body: bytes = b"<p>damaged</p>" * 100) -> Reply:
    """A gzip body with wrong bytes in its middle."""
    data = bytearray(gzip.compress(body))
    middle = len(data) // 2
    data[middle : middle + 4] = (byte ^ 0xFF for byte in data[middle : middle + 4])
    return _encoded(bytes(data), "gzip")


def cut_gzip(body: bytes = b"<p>cut short</p>" * 100) -> Reply:
    """The first half of a gzip stream, as a complete HTTP body."""
    data = gzip.compress(body)
    return _encoded(data[: len(data) // 2], "gzip")


def gzip_bomb(n: int) -> Reply:
    """A correct gzip body of `n` zero bytes, about a thousandth of that on the wire."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(_BLOCK[:left]) for left in range(n, 0, -len(_BLOCK))]
    return _encoded(b"".join([*parts, packer.flush()]), "gzip")


def bad_chunk_size(body: bytes = b"<p>fine so far") -> Reply:
    """A good chunk, then a size that is no number."""
    return _in_chunks(_chunk(body) + b"what?\r\n" + body, close=True)


def unfinished_chunks(body: bytes = b"<p>fine so far") -> Reply:
    """A good chunk, then the connection closes without the last, empty one."""
    return _in_chunks(_chunk(body), close=True)


def no_location(status: int = 302) -> Reply:
    """A redirect that does not say where to."""
    return Reply(status)


def redirect_loop(site: Site) -> None:
    """Serve /loop1 and /loop2, which redirect to each other."""
    site.redirect("/loop1", "/loop2")
    site.redirect("/loop2", "/loop1")


def redirect_chain(site: Site) -> None:
    """Serve /chain/N, which redirects to /chain/N+1, without end."""

    async def answer(request: Recorded, _: asyncio.StreamWriter) -> Reply:
        return redirection(f"/chain/{int(request.path.rpartition('/')[2]) + 1}")

    site.route("/chain/*", answer)


# Handlers that mistreat the connection


def raw(data: bytes) -> Handler:
    """Exactly these bytes, then the connection closes."""

    async def answer(_: Recorded, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


def garbage() -> Handler:
    """Bytes that are not HTTP, then the connection closes."""
    return raw(b"\x00\xff\x17 this is not the web you are looking for\r\n\r\n" * 3)


def no_answer() -> Handler:
    """The connection closes without a byte."""
    return raw(b"")


def reset(body: bytes = b"<p>half of") -> Handler:
    """A TCP reset in the middle of the body."""

    async def answer(_: Recorded, writer: asyncio.StreamWriter) -> None:
        writer.write(truncated(body).encode())
        linger = struct.pack("ii", 1, 0)  # on, for no time: closing sends RST
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    return answer


def endless_head() -> Handler:
    """Header fields without end, as fast as the client takes them."""

    async def answer(_: Recorded, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            await _send(writer, b"X-More: " + b"x" * 1000 + b"\r\n")

    return answer


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    await asyncio.sleep(0)  # a fast client never fills the buffer, and then drain() does not yield


def _encoded(data: bytes, encoding: str) -> Reply:
    return Reply(200, data, headers={"Content-Encoding": encoding})


def _in_chunks(data: bytes, *, close: bool = False) -> Reply:
    return Reply(200, data, headers={"Transfer-Encoding": "chunked"}, close=close)


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(part), part)


class Certificates:
    """A certificate authority for tests; clients trust the PEM file at `ca_path`.

    The contexts are for `Site(tls=...)`.
    """

    NAMES = ("127.0.0.1", "localhost")

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca_path = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_path))

    @cached_property
    def leaf(self) -> trustme.LeafCert:
        """The valid certificate and its key."""
        return self._ca.issue_cert(*self.NAMES)

    @property
    def valid(self) -> ssl.SSLContext:
        """For 127.0.0.1 and localhost, from the trusted authority."""
        return _context(self.leaf)

    @property
    def expired(self) -> ssl.SSLContext:
        """Right in all but its date."""
        end = datetime(2020, 1, 1, tzinfo=UTC)
        return _context(self._ca.issue_cert(*self.NAMES, not_after=end))

    @property
    def untrusted(self) -> ssl.SSLContext:
        """From an authority nobody knows."""
        return _context(trustme.CA().issue_cert(*self.NAMES))

    @property
    def wrong_host(self) -> ssl.SSLContext:
        """From the trusted authority, for another host."""
        return _context(self._ca.issue_cert("elsewhere.test"))


def _context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    leaf.configure_cert(context)
    return context
