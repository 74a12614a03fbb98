"""Text that neither breaks a line nor moves or changes a terminal."""

import re

# In UTF-8, by their first bytes: DEL, C1 controls, and what breaks lines, turns their direction or
# has no width.
_HARMFUL = tuple(
    (lead, re.compile(pattern))
    for lead, pattern in (
        (b"\x7f", rb"\x7f"),
        (b"\xc2", rb"\xc2[\x80-\x9f\xad]"),
        (b"\xd8\x9c", rb"\xd8\x9c"),
        (b"\xe2\x80", rb"\xe2\x80[\x8b-\x8f\xa8-\xae]"),
        (b"\xe2\x81", rb"\xe2\x81[\xa0-\xaf]"),
        (b"\xef\xbb\xbf", rb"\xef\xbb\xbf"),
    )
)


def harmless(line: bytes) -> bytes:
    """The same JSON, with nothing in it that breaks a line, or moves or changes a terminal."""
    if line.isascii():
        return line.replace(b"\x7f", b"\\u007f")
    for lead, pattern in _HARMFUL:
        if lead in line:
            line = pattern.sub(_escape, line)
    return line


def _escape(found: "re.Match[bytes]") -> bytes:
    return b"\\u%04x" % ord(found[0].decode())
