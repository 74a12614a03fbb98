"""Undoing content codings, within bounds: nobody's few bytes may become our whole memory.

Ours rather than libcurl's, because what a body unpacks to must be weighed against what was sent,
and from inside a transfer libcurl does not tell. RFC 9110 section 8.4 has the codings.
"""

import zlib
from collections.abc import Callable, Iterator

import brotli
from msgspec import Struct

from asyncmultispider.model import Headers, Reason

ACCEPTED = "gzip, deflate, br"
MAX_CODINGS = 2
"""Codings that may be applied one upon the other; each multiplies what a small body can become."""
MAX_RATIO = 200
"""Most times that a body may grow. Markup grows some ten times, long tables up to a hundred."""
HARMLESS = 8 * 2**20
"""Bytes up to which a body may grow by any ratio."""
MAX_MEMBERS = 10_000
"""Members of a gzip body (RFC 1952 section 2.2)."""
STEP = 64 * 1024
"""Input bytes given at once. What follows a member is copied: that must stay small."""


class DecodeError(Exception):
    """What is wrong with a body: `reason` and a detail for the ledger."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Whole(Struct):
    """How a decoder ended: with the whole of its input, unless it was cut short."""

    yes: bool = True


def codings_of(headers: Headers) -> list[str]:
    """The codings of a body in the order in which they were applied, in lower case."""
    names = (
        name.strip().lower()
        for field, value in headers
        if field == "content-encoding"
        for name in value.split(",")
    )
    return [name for name in names if name not in ("", "identity", "none")]


def decode(body: bytes, codings: list[str], most: int, *, cut: bool = False) -> bytes:
    """The body with its codings undone: `most` bytes of it, if it is one that was `cut`.

    Raises `DecodeError`: too large (in bytes, or by ratio), not of this coding, or incomplete.
    """
    if len(codings) > MAX_CODINGS:
        raise DecodeError(Reason.BAD_ENCODING, f"{len(codings)} content codings at once")
    for name in reversed(codings):
        unpack = _DECODERS.get(name)
        if unpack is None:
            raise DecodeError(Reason.BAD_ENCODING, f"unknown content coding {name[:40]!r}")
        if body:
            body = _undo(unpack, name, body, most, cut=cut)
    return body


def _undo(unpack: "Decoder", name: str, body: bytes, most: int, *, cut: bool) -> bytes:
    bound = min(most, max(HARMLESS, MAX_RATIO * len(body)))
    chunks: list[bytes] = []
    size = 0
    whole = Whole()
    try:
        for chunk in unpack(body, bound + 1, whole):
            chunks.append(chunk)
            size += len(chunk)
            if size > bound:
                break
    except (zlib.error, brotli.error) as error:
        if not (cut and chunks):
            raise DecodeError(Reason.BAD_ENCODING, f"not {name}: {error}") from None
    if size > bound and not cut:
        raise DecodeError(Reason.TOO_LARGE, _too_large(len(body), bound, most))
    if not (whole.yes or cut):
        raise DecodeError(Reason.TRUNCATED, f"the {name} data end early")
    return b"".join(chunks)[:most] if cut else b"".join(chunks)


def _too_large(size: int, bound: int, most: int) -> str:
    if bound == most:
        return f"more than {most} bytes"
    return f"{size} bytes would become more than {bound}"


Decoder = Callable[[bytes, int, Whole], Iterator[bytes]]


def _gzip(body: bytes, most: int, whole: Whole) -> Iterator[bytes]:
    return _members(body, most, whole, zlib.MAX_WBITS | 16)


def _deflate(body: bytes, most: int, whole: Whole) -> Iterator[bytes]:
    # Meant is zlib's format (RFC 9110 section 8.4.1.2); some servers send the bare stream.
    zlibs = body[0] & 15 == 8 and len(body) > 1 and not (body[0] << 8 | body[1]) % 31
    return _members(body, most, whole, zlib.MAX_WBITS if zlibs else -zlib.MAX_WBITS)


def _members(body: bytes, most: int, whole: Whole, bits: int) -> Iterator[bytes]:
    view, at, left = memoryview(body), 0, most
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(bits)
        while at < len(body) and not member.eof and left > 0:
            given = view[at : at + STEP]
            chunk = member.decompress(given, left)
            at += len(given) - len(member.unused_data) - len(member.unconsumed_tail)
            left -= len(chunk)
            yield chunk
        if not member.eof and left > 0:  # what is held back
            yield member.flush()
        whole.yes = member.eof
        # Another member follows, or what some servers pad with.
        if bits < 16 or left <= 0 or not member.eof or body[at : at + 2] != b"\x1f\x8b":
            return
    raise zlib.error(f"more than {MAX_MEMBERS} members")


def _brotli(body: bytes, most: int, whole: Whole) -> Iterator[bytes]:
    decompressor = brotli.Decompressor()
    chunk = decompressor.process(body, output_buffer_limit=most)
    left = most - len(chunk)
    yield chunk
    while left > 0 and not decompressor.can_accept_more_data():
        chunk = decompressor.process(b"", output_buffer_limit=left)
        left -= len(chunk)
        yield chunk
    whole.yes = decompressor.is_finished() or left <= 0


_DECODERS: dict[str, Decoder] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
}
