"""The server: its routes, its log, its thread."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

from webserver.messages import (
    HTML,
    HeaderFields,
    Recorded,
    Reply,
    Route,
    parse,
    redirection,
    wants_close,
)

_HEAD_LIMIT = 1024 * 1024
_STOP_TIMEOUT = 10.0


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
        request, version = parse(head, number)
        await reader.readexactly(int(request.headers.get("content-length", 0)))
        with self._progress(request):
            reply = await _take(self._find(request.path), request, writer)
            if reply is None:
                return False
            last = reply.close or version != "HTTP/1.1" or wants_close(request)
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
