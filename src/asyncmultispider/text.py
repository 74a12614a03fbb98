"""Text for terminals: nothing from the net reaches one unescaped."""

import sys
import unicodedata

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""The text with control and direction characters shown as escapes; blanks are kept."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in _HARMFUL else _escape(char)
        for char in text
    )


def one_line(text: str) -> str:
    """The same on one line, for tables and lists."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def complain(message: str) -> None:
    """Tell what is wrong, in one line on stderr."""
    print(f"asyncmultispider: {' '.join(printable(message).split())}", file=sys.stderr)


def size(count: float) -> str:
    """Bytes for people: `1.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Time for people: `2 h 05 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"


def _escape(char: str) -> str:
    return ascii(char)[1:-1]
