"""A server that misbehaves: raw sockets, a thread for each connection, an answer for each path."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType

PATIENCE = 60.0
"""Seconds after which a client that neither reads nor goes is given up."""


class Gone(Exception):
    """The client, or the server, has had enough."""


class Line:
    """A connection with a request on it, as the answers see it. All of them may raise `Gone`.

    `path` is the request's target, `head` all that was asked, `port` the server's. Set `open`
    where another request may follow the answer; else the connection is closed after it.
    """

    def __init__(self, connection: socket.socket, head: bytes) -> None:
        self._connection = connection
        self.head = head
        self.port: int = connection.getsockname()[1]
        self.path = head.split(b" ", 2)[1].decode("latin-1")
        self.open = False

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise Gone from error

    def flood(self, block: bytes) -> None:
        """Send this again and again, as over a fast line: the client shares its machine with us."""
        self.repeat(block, 0.002)

    def drip(self, data: bytes, pause: float = 0.5) -> None:
        """Send a byte, wait so many seconds, and so on, from the start again after the last."""
        while True:
            for i in range(len(data)):
                self.send(data[i : i + 1])
                self._wait(pause)

    def repeat(self, data: bytes, pause: float = 0.5) -> None:
        """Send these bytes, wait so many seconds, and so on."""
        while True:
            self.send(data)
            self._wait(pause)

    def silence(self) -> None:
        """Say nothing until the client goes."""
        self._wait(PATIENCE)
        raise Gone

    def reset(self) -> None:
        """Have the kernel break the connection off (RST)."""
        linger = struct.pack("ii", 1, 0)  # on, for no time
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise Gone

    def _wait(self, seconds: float) -> None:
        # The client says no more: what can be read is its end, or ours.
        if select.select([self._connection], [], [], seconds)[0]:
            raise Gone


Answer = Callable[[Line], None]


class HostileServer:
    """Serves answers by path (without the query; `*` ends a prefix), all else is 404.

        with HostileServer(answers) as server:
            crawl(server.url("/"))

    What always holds: leaving the block ends every connection, however stuck, and every thread.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._exact = {path: a for path, a in answers.items() if not path.endswith("*")}
        self._prefixes = {path[:-1]: a for path, a in answers.items() if path.endswith("*")}
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._closing = False
        self.hits: Counter[str] = Counter()
        self.errors: list[Exception] = []

    def __enter__(self) -> "HostileServer":
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._end()
        if self.errors and kind is None:
            raise self.errors[0]

    def url(self, path: str = "/") -> str:
        """The URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def _end(self) -> None:
        with self._lock:
            self._closing = True
            connections = dict(self._connections)
        for each in (self._listener, *connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        deadline = time.monotonic() + PATIENCE
        for thread in (self._thread, *connections.values()):
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "the server does not end"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(PATIENCE)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                with self._lock:
                    if self._closing:
                        connection.close()
                        return
                    self._connections[connection] = thread
                    thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while self._exchange(connection):
                pass
        except (Gone, OSError):
            pass
        except Exception as error:  # noqa: BLE001 - shown to the test by __exit__
            self.errors.append(error)
        finally:
            with self._lock:
                del self._connections[connection]
                connection.close()

    def _exchange(self, connection: socket.socket) -> bool:
        """One request and its answer. False when the connection is to be closed."""
        line = Line(connection, _read_head(connection))
        path = line.path.partition("?")[0]
        with self._lock:
            self.hits[path] += 1
        self._find(path)(line)
        return line.open

    def _find(self, path: str) -> Answer:
        if path in self._exact:
            return self._exact[path]
        prefixes = [prefix for prefix in self._prefixes if path.startswith(prefix)]
        return self._prefixes[max(prefixes, key=len)] if prefixes else _not_found


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        got = connection.recv(65536)
        head += got
        # Whoever does not speak HTTP to us, as in a TLS handshake, is told nothing.
        if not got or not head.startswith(b"GET "[: len(head)]):
            raise Gone
    return head


def _not_found(line: Line) -> None:
    line.open = True
    line.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
