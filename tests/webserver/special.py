"""What is special or wrong on the web: bodies, redirects, connections."""

import asyncio
import gzip
import socket
import struct
import zlib

from webserver.messages import Handler, Recorded, Reply, redirection
from webserver.site import Site

_BLOCK = bytes(64 * 1024)

# Replies that are fine, if special


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
