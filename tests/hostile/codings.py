"""Content codings: bombs, and what is not what it says. The bombs are small, and have no end."""

import gzip
import struct
import zlib
from collections.abc import Callable

from hostile.messages import DONE, OK, Kind, answer, html, kind, then_flood, then_next

BODY = html("A coded page") + b"<p>some words</p>" * 100
PACKED = gzip.compress(BODY, mtime=0)
BAD = "failed:bad-encoding"
TOO_LARGE = "failed:too-large"
GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""The header of a gzip member (RFC 1952 section 2.3)."""
NAMED = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"
"""The same with a file name, which ends at the first NUL."""
ZLIB = b"\x78\x9c"
BROTLI = bytes.fromhex("cbffff3ff82700e2b14020f7fe8fffff7ff04f00c4611180eefddf")
"""16 MiB of zero bytes."""
EMPTY_BLOCK = b"\0\0\0\xff\xff"
"""A stored block of no bytes (RFC 1951 section 3.2.4)."""


def _zeros() -> bytes:
    """A million zero bytes, packed; another copy may follow."""
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)


def _stored(data: bytes) -> bytes:
    """A brotli stream of one uncompressed block (RFC 7932 section 9.2)."""
    return (0x80000B | len(data) - 1 << 7).to_bytes(3, "little") + data + b"\x03"


def _zstd(data: bytes) -> bytes:
    """A Zstandard frame of one raw block (RFC 8878 section 3.1.1)."""
    block = len(data) << 3 | 1
    return (
        b"\x28\xb5\x2f\xfd\x60"
        + struct.pack("<H", len(data) - 256)
        + block.to_bytes(3, "little")
        + data
    )


def _bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _nested(data: bytes, times: int, pack: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    for _ in range(times):
        data = pack(data)
    return data


def _coded(name: str, data: bytes, coding: str, *ends: str) -> Kind:
    return kind(f"coding-{name}", then_next(answer(data, f"Content-Encoding: {coding}")), *ends)


def _endless(name: str, start: bytes, block: bytes, coding: bytes, *ends: str) -> Kind:
    begin = OK + b"Content-Encoding: " + coding + b"\r\n\r\n" + start
    return kind(f"coding-{name}", then_flood(begin, block), *ends)


ZEROS = _zeros()
BOMB = GZIP + ZEROS * 200

KINDS = (
    _endless("gzip-bomb", GZIP, ZEROS * 50, b"gzip", TOO_LARGE),
    _coded("gzip-bomb-of-200-mb", BOMB, "gzip", TOO_LARGE),
    _coded("gzip-bomb-in-gzip", gzip.compress(BOMB), "gzip, gzip", TOO_LARGE),
    _endless("deflate-bomb", ZLIB, ZEROS * 50, b"deflate", TOO_LARGE),
    _endless("bare-deflate-bomb", b"", ZEROS * 50, b"deflate", TOO_LARGE),
    _coded("br-bomb", BROTLI, "br", TOO_LARGE),
    _endless("gzip-of-nothing", GZIP, EMPTY_BLOCK * 10_000, b"gzip", TOO_LARGE, BAD),
    _endless("gzip-name-endless", NAMED, b"x" * 65536, b"gzip", TOO_LARGE, BAD),
    _coded("two", _nested(BODY, 2), "gzip, gzip", DONE),
    _coded("three", _nested(BODY, 3), "gzip, gzip, gzip", BAD),
    _coded("six", _nested(BODY, 6), ", ".join(["gzip"] * 6), BAD),
    _coded("thousand", BODY, ", ".join(["gzip"] * 1000), BAD),
    _coded("unknown", BODY, "rot13", BAD),
    _coded("absurd", BODY, '";\x0b, \xff,,=', BAD),
    _coded("gzip-broken", PACKED[:40] + b"\xff\0\xff\0" + PACKED[44:], "gzip", BAD),
    _coded("gzip-cut", PACKED[: len(PACKED) // 2], "gzip", BAD, "failed:truncated"),
    _coded("gzip-wrong-sum", PACKED[:-8] + b"12345678", "gzip", BAD),
    _coded(
        "gzip-of-members",
        b"".join(gzip.compress(b"<p>", 1, mtime=0) for _ in range(5000)),
        "gzip",
        DONE,
    ),
    _coded("gzip-of-100000-members", gzip.compress(b"<", 1, mtime=0) * 100_000, "gzip", BAD),
    _coded("gzip-and-padding", PACKED + bytes(1000), "gzip", DONE),
    _coded("gzip-empty", b"", "gzip", DONE),
    _coded("gzip-is-plain", BODY, "gzip", BAD),
    _coded("gzip-is-br", _stored(BODY), "gzip", BAD),
    _coded("br-is-plain", b"\xff" + BODY, "br", BAD),
    _coded("plain-is-gzip", PACKED, "identity", DONE),
    _coded("deflate-bare", _bare(BODY), "deflate", DONE),
    _coded("zstd-not-asked-for", _zstd(BODY), "zstd", BAD),
    _coded("x-gzip", PACKED, "x-gzip", DONE),
)
