"""Records of WARC 1.1 (ISO 28500:2017), each a gzip member of its own (its Annex D)."""

import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1, sha256
from urllib.parse import quote
from uuid import NAMESPACE_URL

from msgspec import Struct

from asyncmultispider.errors import UsageError
from asyncmultispider.outputs.files import BLOCK, Hashed

LEVEL = 2
"""Of ISA-L: an eighth of the time of zlib's level 6, and an eighth more bytes."""
_GZIP = 31  # the window's bits, and 16 for the frame of gzip
_NAMESPACE = NAMESPACE_URL.bytes
_VISIBLE = "".join(map(chr, range(33, 127)))
_BREAKS = re.compile(r"[\x00-\x1f\x7f]+")

Fields = Sequence[tuple[str, str]]
Pack = Callable[[bytes], bytes]


class Member(Struct, frozen=True):
    """Where a record is in its file, in bytes."""

    offset: int
    length: int


class WarcFile:
    """Writes records to a file that is empty. `size` is in bytes, `records` their number."""

    def __init__(self, file: Hashed, pack: Pack) -> None:
        self.size = 0
        self.records = 0
        self._file = file
        self._pack = pack
        self._waiting: list[bytes] = []
        self._written = 0

    def add(self, record: bytes) -> Member:
        """Write one, as `make_record` returned it."""
        packed = self._pack(record)
        member = Member(self.size, len(packed))
        self._waiting.append(packed)
        self.size += member.length
        self.records += 1
        if self.size - self._written >= BLOCK:
            self.flush()
        return member

    def flush(self) -> None:
        """Hand to the file what was kept to be written at once."""
        self._file.write(b"".join(self._waiting))
        self._waiting.clear()
        self._written = self.size


def packer() -> Pack:
    """What makes a gzip member of bytes, always the same of the same on one kind of processor.

    Raises `UsageError` when the extra `warc` is not installed.
    """
    try:
        from isal import isal_zlib
    except ImportError:
        message = "a .warc.gz needs isal: pip install 'asyncmultispider[warc]'"
        raise UsageError(message) from None
    return lambda data: isal_zlib.compress(data, LEVEL, _GZIP)


def make_record(
    kind: str, identity: str, date: str, fields: Fields, content_type: str, *block: bytes
) -> bytes:
    """A record with the digest and length of its block. The values of `fields` are single lines."""
    digest = sha256()
    for part in block:
        digest.update(part)
    head = [
        f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Record-ID: {identity}\r\nWARC-Date: {date}\r\n",
        *[f"{name}: {value}\r\n" for name, value in fields],
        f"WARC-Block-Digest: {digest_field(digest.digest())}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {sum(map(len, block))}\r\n\r\n",
    ]
    return b"".join(("".join(head).encode(), *block, b"\r\n\r\n"))


def warc_fields(fields: Iterable[tuple[str, str | None]]) -> bytes:
    """A block of `application/warc-fields`, without those that are None."""
    lines = [f"{name}: {one_line(value)}\r\n" for name, value in fields if value is not None]
    return "".join(lines).encode()


def record_id(kind: str, *what: str) -> str:
    """The same id for the same record, whenever it is written: a UUID of version 5 (RFC 9562)."""
    named = sha1(_NAMESPACE + " ".join((kind, *what)).encode(), usedforsecurity=False)
    number = bytearray(named.digest()[:16])
    number[6] = number[6] & 0x0F | 0x50
    number[8] = number[8] & 0x3F | 0x80
    text = number.hex()  # `uuid.uuid5` makes the same, in five times the time
    return f"<urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}>"


def digest_field(digest: bytes) -> str:
    """A SHA-256 as WARC fields have it. In hex, as `pages.jsonl` and browsertrix write it."""
    return f"sha256:{digest.hex()}"


def target_uri(url: str) -> str:
    """The URL with all percent-encoded that is no visible ASCII."""
    if url.isascii() and url.isprintable() and " " not in url:
        return url
    return quote(url, safe=_VISIBLE)


def one_line(value: str) -> str:
    """The value without what could end its line."""
    return value if value.isprintable() else _BREAKS.sub(" ", value)
