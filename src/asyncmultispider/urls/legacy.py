"""Percent-encoding of queries in the legacy encodings of the WHATWG Encoding standard.

The encoders are the decoders turned round: each table is made, when first asked for, by
decoding every code, with the standard's exceptions. Python's own codecs differ from it in places.
"""

import codecs
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_ASCII, _ROMAN, _JIS0208 = b"\x1b(B", b"\x1b(J", b"\x1b$B"
_YEN_AND_OVERLINE = {"\u00a5": b"\x5c", "\u203e": b"\x7e"}
_DOUBLE_BYTE = frozenset({"big5", "euc-jp", "euc-kr", "gb18030", "gbk", "shift_jis"})
_PERCENT = [chr(b) if 0x21 <= b <= 0x7E and b not in b"\"#<>'" else f"%{b:02X}" for b in range(256)]
_BIG5_LAST = "\u2550\u255e\u2561\u256a\u5341\u5345"  # these have two codes; the last one counts
_GB18030_2005 = {0xE78D + i: 0xA6D9 + i for i in range(7)} | dict(  # private use, once its own
    zip(
        (0xE794, 0xE795, 0xE796, 0xE81E, 0xE826, 0xE82B, 0xE82C, 0xE832, 0xE843, 0xE854, 0xE864),
        (0xA6EC, 0xA6ED, 0xA6F3, 0xFE59, 0xFE61, 0xFE66, 0xFE67, 0xFE6D, 0xFE7E, 0xFE90, 0xFEA0),
        strict=True,
    )
)


@lru_cache(maxsize=256)
def encoding_name(label: str) -> str | None:
    """The standard's name of an encoding, in lower case, for any of its labels; None: no label."""
    from turbohtml import parse  # here, because most crawls never need it

    try:
        return (parse(b"", encoding=label).encoding or "utf-8").lower()
    except (LookupError, ValueError):
        return None


def percent_encode(text: str, encoding: str) -> str | None:
    """The text as a query of an http(s) URL in a page of this encoding (a WHATWG label).

    What the encoding lacks becomes `%26%23NNNN%3B`. None when the query is in UTF-8: also for
    UTF-16, and for an unknown encoding.
    Source: https://url.spec.whatwg.org/#string-percent-encode-after-encoding
    """
    name = encoding_name(encoding) or "utf-8"
    if name.startswith("utf-") or name == "replacement":
        return None
    return "".join(_iso_2022_jp(text) if name == "iso-2022-jp" else _stateless(text, name))


def _stateless(text: str, name: str) -> Iterator[str]:
    for char in text:
        yield _percent(char, _code(char, name))


def _code(char: str, name: str) -> bytes | None:
    if char.isascii():
        return char.encode()
    code = _table(name).get(char)
    if code is None and name == "gb18030" and char != "\ue5e5":
        return char.encode("gb18030", "ignore") or None  # the four-byte codes: arithmetic
    return code


def _iso_2022_jp(text: str) -> Iterator[str]:
    """Source: https://encoding.spec.whatwg.org/#iso-2022-jp-encoder."""
    state = _ASCII
    for each in text:
        char = "\ufffd" if each in "\x0e\x0f\x1b" else each
        code = char.encode() if char.isascii() else _YEN_AND_OVERLINE.get(char) or _jis0208(char)
        needed = _state(char, code, state)
        if needed != state:
            yield _percent(char, needed)
            state = needed
        yield _percent(char, code)
    if state != _ASCII:
        yield _percent("", _ASCII)


def _state(char: str, code: bytes | None, state: bytes) -> bytes:
    if char in _YEN_AND_OVERLINE:
        return _ROMAN
    if code and len(code) == 2:
        return _JIS0208
    return _ROMAN if state == _ROMAN and char not in "\\~" else _ASCII


def _jis0208(char: str) -> bytes | None:
    if "\uff61" <= char <= "\uff9f":  # there is no half-width katakana here
        char = {"\uff9e": "\u309b", "\uff9f": "\u309c"}.get(
            char, unicodedata.normalize("NFKC", char)
        )
    code = _table("euc-jp").get(char)
    return code and bytes(byte & 0x7F for byte in code)


def _percent(char: str, code: bytes | None) -> str:
    return f"%26%23{ord(char)}%3B" if code is None else "".join(_PERCENT[byte] for byte in code)


@lru_cache(maxsize=64)
def _table(name: str) -> dict[str, bytes]:
    """Each non-ASCII character's code in an encoding, by the standard's index."""
    import turbohtml.detect  # noqa: F401  (registers the standard's decoders)

    codes = [bytes((byte,)) for byte in range(0x80, 0x100)]
    if name in _DOUBLE_BYTE:
        codes += [bytes((lead, trail)) for lead in range(0x81, 0xFF) for trail in range(0x40, 0xFF)]
    chars = codecs.decode(b"\n".join(codes), f"whatwg-{name}").split("\n")
    table: dict[str, bytes] = {}
    for code, char in zip(codes, chars, strict=True):
        if len(char) != 1 or char == "\ufffd" or _decoded_only(name, code):
            continue
        if char not in table or (name == "big5" and char in _BIG5_LAST):
            table[char] = code
    return table | _exceptions(name, table)


def _decoded_only(name: str, code: bytes) -> bool:
    """Codes that a decoder knows and an encoder never writes."""
    match name:
        case "big5":
            return code[0] < 0xA1  # Hong Kong's
        case "shift_jis":
            return len(code) == 2 and 0xED <= code[0] <= 0xF9  # NEC's doubles, private use
        case "gb18030":
            return code == b"\x80"
    return False


def _exceptions(name: str, table: dict[str, bytes]) -> dict[str, bytes]:
    """Characters that an encoder knows beyond the index."""
    match name:
        case "euc-jp" | "shift_jis":
            return {**_YEN_AND_OVERLINE, "\u2212": table["\uff0d"]}
        case "gbk" | "gb18030":
            old = {chr(point): code.to_bytes(2) for point, code in _GB18030_2005.items()}
            return old | ({"\ue7c7": b"\x81\x35\xf4\x37"} if name == "gb18030" else {})
    return {}
