"""A web site that takes its time: `c10k` runs this file as a script, in a process of its own.

    python _slow_server.py ADDRESSES PAGES SECONDS

It listens on one port of 127.0.0.1, 127.0.0.2, ... and prints the port. `/` of the first address
links to all the others, `/` of each to its `PAGES` pages. Pages are answered `SECONDS` after they
were asked for, everything else at once. When its standard input ends it prints a `Tally` as JSON
and leaves.

All pages wait equally long, so those that are due stand at the head of one queue. Requests come
one at a time on a connection, and whole in one piece, as crawlers on a loopback send them.
"""

import json
import select
import socket
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from time import monotonic

BACKLOG = 4096
ROBOTS = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
FILLER = b"<p>" + b"A page of about a kilobyte, as small pages are. " * 20


@dataclass(slots=True)
class Tally:
    """What the server saw. Times are seconds since it was up.

    `pages` were answered, `most` of them waited at once at some time; the first was asked for at
    `first`, `most` was reached at `full`, the last was answered at `last`. `others` is all else.
    """

    pages: int = 0
    others: int = 0
    connections: int = 0
    most: int = 0
    first: float = 0.0
    full: float = 0.0
    last: float = 0.0


class SlowServer:
    """Serves until standard input ends."""

    def __init__(self, addresses: int, pages: int, seconds: float) -> None:
        self.tally = Tally()
        self._seconds = seconds
        self._listeners = {each.fileno(): each for each in _listen(addresses)}
        self._clients: dict[int, socket.socket] = {}
        self._waiting: deque[tuple[float, socket.socket, bytes]] = deque()
        self._epoll = select.epoll()
        for fd in (sys.stdin.fileno(), *self._listeners):
            self._epoll.register(fd, select.EPOLLIN)
        names = [each.getsockname() for each in self._listeners.values()]
        self.port: int = names[0][1]
        own = _links(f"/page/{n:06}" for n in range(pages))
        self._fronts = {name[0].encode(): own for name in names}
        self._fronts[b"127.0.0.1"] += _links(f"http://{host}:{port}/" for host, port in names)
        self._born = monotonic()

    def run(self) -> None:
        """Serve."""
        while True:
            due = self._waiting[0][0] - monotonic() if self._waiting else -1
            for fd, _ in self._epoll.poll(max(due, 0.0) if self._waiting else None, 512):
                if fd in self._clients:
                    self._read(self._clients[fd])
                elif fd in self._listeners:
                    self._accept(self._listeners[fd])
                else:
                    return
            self._answer()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(64):
            try:
                client, _ = listener.accept()
            except BlockingIOError:
                return
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[client.fileno()] = client
            self._epoll.register(client.fileno(), select.EPOLLIN)
            self.tally.connections += 1

    def _read(self, client: socket.socket) -> None:
        try:
            request = client.recv(4096)
        except ConnectionError:
            request = b""
        if not request:
            del self._clients[client.fileno()]
            client.close()
            return
        path = request.split(b" ", 2)[1]
        if path.startswith(b"/page/"):
            self._delay(client, path)
            return
        self.tally.others += 1
        host = request.partition(b"\r\nHost: ")[2].partition(b":")[0]
        client.setblocking(True)
        client.sendall(_page(self._fronts[host]) if path == b"/" else ROBOTS)
        client.setblocking(False)

    def _delay(self, client: socket.socket, path: bytes) -> None:
        now = monotonic()
        self._waiting.append((now + self._seconds, client, path))
        tally = self.tally
        tally.first = tally.first or now - self._born
        if len(self._waiting) > tally.most:
            tally.most = len(self._waiting)
            tally.full = now - self._born

    def _answer(self) -> None:
        now = monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, client, path = self._waiting.popleft()
            if client.fileno() < 0:  # it did not wait for the answer
                continue
            try:
                client.send(_page(b"<title>%b</title>%b" % (path, FILLER)))
            except OSError:
                continue
            self.tally.pages += 1
            self.tally.last = now - self._born


def _listen(addresses: int) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    port = 0
    for number in range(1, addresses + 1):
        listener = socket.create_server((f"127.0.0.{number}", port), backlog=BACKLOG)
        listener.setblocking(False)
        port = listener.getsockname()[1]
        listeners.append(listener)
    return listeners


def _links(urls: Iterable[str]) -> bytes:
    return "".join(f'<a href="{url}">\n' for url in urls).encode()


def _page(body: bytes) -> bytes:
    return HEAD % len(body) + body


if __name__ == "__main__":
    server = SlowServer(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    print(server.port, flush=True)
    server.run()
    print(json.dumps(asdict(server.tally)))
