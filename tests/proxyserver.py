"""Proxies on this machine, in threads: of HTTP and of SOCKS5, sound and broken ones.

Whatever name they are asked for, they connect to this machine: so one site can be many hosts.
"""

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Self

LOGIN = b"me:s3cret"


class ProxyServer:
    """A proxy that listens from `with` on; `asked` are the hosts (with port) it was asked for.

    `serve` is what it does with a connection: `http`, `socks5` or something broken. With `login`
    it wants that. `die` ends it as kill would; entered again it is back, at the same port.
    """

    def __init__(
        self,
        serve: "Callable[[ProxyServer, socket.socket], None] | None" = None,
        *,
        login: bytes | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[str] = []
        self.login = login
        self.port = 0
        self._serve = serve or http
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()

    def url(self, scheme: str = "http", login: str = "") -> str:
        """Its address as a setting; `login` ends at its @."""
        return f"{scheme}://{login}127.0.0.1:{self.port}"

    def die(self) -> None:
        """Listen no more, and cut off what is open."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with suppress(OSError, ValueError), client:
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with self._lock:
                self._open.add(client)
            self._serve(self, client)
        with self._lock:
            self._open.discard(client)
        client.close()


# What it does with a connection


def http(proxy: ProxyServer, client: socket.socket) -> None:
    """Tunnels for CONNECT, and passes on what is asked with a whole URL; one request each."""
    head = read_until(client, b"\r\n\r\n")
    method, target, _ = head.split(b" ", 2)
    if proxy.login and b"Proxy-Authorization: Basic " + b64encode(proxy.login) not in head:
        client.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    host = target if method == b"CONNECT" else target.split(b"/")[2]
    proxy.asked.append(host.decode())
    if method == b"CONNECT":
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        relay(client, port_of(host))
        return
    first, *lines = head.split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith(b"proxy-")]
    first = first.replace(b"http://" + host, b"", 1)
    relay(client, port_of(host), b"\r\n".join([first, b"Connection: close", *kept]))


def socks5(proxy: ProxyServer, client: socket.socket) -> None:
    """RFC 1928 and 1929: CONNECT to a name or an IPv4 address."""
    _, count = read(client, 2)
    wanted = 2 if proxy.login else 0
    if wanted not in read(client, count):
        client.sendall(b"\x05\xff")
        return
    client.sendall(bytes([5, wanted]))
    if proxy.login:
        _, size = read(client, 2)
        user = read(client, size)
        password = read(client, read(client, 1)[0])
        good = user + b":" + password == proxy.login
        client.sendall(b"\x01\x00" if good else b"\x01\x01")
        if not good:
            return
    kind = read(client, 4)[3]
    name = (
        read(client, read(client, 1)[0])
        if kind == 3
        else socket.inet_ntoa(read(client, 4)).encode()
    )
    port = int.from_bytes(read(client, 2), "big")
    proxy.asked.append(f"{name.decode()}:{port}")
    client.sendall(b"\x05\x00\x00\x01" + bytes(6))
    relay(client, port)


def answering(*answers: bytes) -> Callable[[ProxyServer, socket.socket], None]:
    """Each thing that it hears gets the next answer; then the connection is closed."""

    def serve(proxy: ProxyServer, client: socket.socket) -> None:
        for answer in answers:
            proxy.asked.append(client.recv(65536).decode("latin-1"))
            client.sendall(answer)

    return serve


def refusing(status: bytes) -> Callable[[ProxyServer, socket.socket], None]:
    """An HTTP proxy with this answer for everybody."""
    return answering(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def socks_reply(number: int) -> Callable[[ProxyServer, socket.socket], None]:
    """A SOCKS5 proxy with this reply (RFC 1928 section 6) for everybody."""
    return answering(b"\x05\x00", bytes([5, number, 0, 1]) + bytes(6))


def read(client: socket.socket, size: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < size:
        chunk = client.recv(size - len(data))
        if not chunk:
            raise ConnectionError("it ended early")
        data += chunk
    return data


def read_until(client: socket.socket, end: bytes) -> bytes:
    """All up to these bytes."""
    data = b""
    while end not in data:
        data += read(client, 1)
    return data


def port_of(host: bytes) -> int:
    return int(host.rpartition(b":")[2])


def relay(client: socket.socket, port: int, first: bytes = b"") -> None:
    """Pass on both ways until either side has ended."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(first)
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
