"""Text that neither breaks a line nor moves or changes a terminal."""

import re
from collections.abc import Iterable

Pattern = tuple[bytes, "re.Pattern[bytes]"]

# In UTF-8. By their first bytes: most text has none of these, and to look for one byte costs next
# to nothing. DEL, C1 controls, and what breaks lines, turns their direction or has no width:
_HARMFUL: tuple[Pattern, ...] = (
    (b"\x7f", re.compile(rb"\x7f")),
    (b"\xc2", re.compile(rb"\xc2[\x80-\x9f\xad]")),
    (b"\xd8", re.compile(rb"\xd8\x9c")),
    (b"\xe2", re.compile(rb"\xe2(?:\x80[\x8b-\x8f\xa8-\xae]|\x81[\xa0-\xaf])")),
    (b"\xef", re.compile(rb"\xef\xbb\xbf")),
)
# Where text can't be escaped without changing it, what has no width is let be: some scripts and
# emoji need it.
_CONTROLS: tuple[Pattern, ...] = (
    (b"\x7f", re.compile(rb"\x7f")),
    (b"\xc2", re.compile(rb"\xc2[\x80-\x9f]")),
    (b"\xe2", re.compile(rb"\xe2(?:\x80[\xa8-\xae]|\x81[\xa6-\xa9])")),
    (b"\xef", re.compile(rb"\xef\xbb\xbf")),
)
_C0 = bytes(code for code in range(32) if code not in b"\t\n")
_ANY_C0 = re.compile(b"[%s]" % re.escape(_C0))


def harmless(line: bytes) -> bytes:
    """The same JSON, with nothing in it that breaks a line, or moves or changes a terminal."""
    if line.isascii():
        return line.replace(b"\x7f", b"\\u007f")
    return _escaped(line, _HARMFUL)


def plain(text: str) -> str:
    r"""The text with controls, line separators and changes of direction as escapes: `\u001b`.

    Tabs are kept, and so are line feeds; line ends of other systems become such.
    """
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    before = data = text.encode()
    if len(data.translate(None, _C0)) != len(data):
        data = _ANY_C0.sub(_escape, data)
    data = _escaped(data, _CONTROLS)
    return text if data is before else data.decode()


def _escaped(data: bytes, patterns: Iterable[Pattern]) -> bytes:
    for lead, pattern in patterns:
        if lead in data:
            data = pattern.sub(_escape, data)
    return data


def _escape(found: "re.Match[bytes]") -> bytes:
    return b"\\u%04x" % ord(found[0].decode())
