"""From the bytes of a body to UTF-8: gzip undone, within bounds, and the encoding."""

import codecs
import re
import zlib

from asyncmultispider.page.content import decode_text, parse_content_type
from asyncmultispider.urls.legacy import encoding_name

MAX_BYTES = 52_428_800
"""Bytes that are read of an unpacked sitemap, as the protocol has it: 50 MiB."""
_GZIP = b"\x1f\x8b"
_MAX_LAYERS = 2  # a server may compress again what is kept as .gz, and not say so
_MAX_MEMBERS = 1024
_CHUNK = 4096  # damage costs all that its chunk holds
_WIDE = {b"<\0": "utf-16le", b"\0<": "utf-16be"}
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")


def unpack(body: bytes) -> tuple[bytes, str | None]:
    """The body with gzip undone, at most `MAX_BYTES` of it, and what was wrong with it."""
    trouble = None
    for _ in range(_MAX_LAYERS):
        if not body.startswith(_GZIP):
            break
        body, trouble = _gunzip(body)
    if len(body) > MAX_BYTES:
        return body[:MAX_BYTES], f"larger than {MAX_BYTES} bytes: the rest was not read"
    return body, trouble


def to_utf8(body: bytes, content_type: str | None) -> bytes:
    """The text in UTF-8, without a byte order mark; bytes that are no UTF-8 may be left.

    The mark decides, then the XML declaration, which its author wrote, then the content type.
    """
    if body.startswith(codecs.BOM_UTF8):
        return body[3:]
    charset = _WIDE.get(body[:2])
    if charset is None and not body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = _declared(body) or parse_content_type(content_type)[1]
        # Who could read so far is not in UTF-16.
        if charset is None or (encoding_name(charset) or "utf-").startswith("utf-"):
            return body
    return decode_text(body, charset)[0].lstrip("\ufeff").encode()


def _declared(body: bytes) -> str | None:
    found = _DECLARED.match(body, 0, 400)
    return found[1].decode() if found else None


def _gunzip(body: bytes) -> tuple[bytes, str | None]:
    """What could be unpacked, up to one byte more than is read, and what was wrong."""
    parts: list[bytes] = []
    room, at = MAX_BYTES + 1, 0
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        while room and at < len(body) and not member.eof:
            chunk = body[at : at + _CHUNK]
            try:
                parts.append(member.decompress(chunk, room))
            except zlib.error:
                return b"".join(parts), "damaged gzip: the rest was not read"
            room -= len(parts[-1])
            at += len(chunk) - len(member.unused_data)
        if not member.eof or not body.startswith(_GZIP, at):  # no more, or padding
            break
    else:
        return b"".join(parts), f"more than {_MAX_MEMBERS} gzip members: the rest was not read"
    cut = room and not member.eof
    return b"".join(parts), "gzip that ends too early" if cut else None
