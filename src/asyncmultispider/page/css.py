r"""The URLs in a style sheet, found and replaced; everything else stays as it was written.

Read as in https://drafts.csswg.org/css-syntax-3/: comments, strings, escapes and the names of other
functions hide what is in them. A URL is what stands in `url(...)`, but for `@namespace`, and the
string of an `@import`. Time is linear in the text: what was looked at is behind us.

No parser is at work: the one for Python takes fifty times as long, and does not give back the text
as it was written.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

Replace = Callable[[str], str]
"""From a URL as written to the one to stand in its place: the same where nothing changes."""

_BLANK = r"(?:\r\n|[ \t\n\r\f])"
# Atomic, each of them: nothing is given back, and nothing tried a second time.
_ESCAPE = rf"(?>\\(?:[0-9a-fA-F]{{1,6}}{_BLANK}?|[^0-9a-fA-F\n\r\f]))"
_COMMENT = r"(?>/\*(?:[^*]++|\*(?!/))*+(?:\*/)?)"
# Up to its end: the closing quote, or where a line ends it (it is a bad one then), or the text.
_DOUBLE = rf'"(?:[^"\\\n\r\f]++|{_ESCAPE}|\\{_BLANK})*+'
_SINGLE = _DOUBLE.replace('"', "'")
_STRING = rf"""(?>{_DOUBLE}"?|{_SINGLE}'?)"""
_NAME_GOES_ON = r"(?![\w\\\x80-\U0010ffff-])"


def _word(word: str) -> str:
    """A pattern for a word in any case, of which any letter may be escaped."""
    return "".join(map(_letter, word))


def _letter(char: str) -> str:
    plain = rf"[{char}{char.upper()}]"
    number = rf"\\0{{0,4}}(?i:{ord(char):x}|{ord(char) - 32:x}){_BLANK}?"
    escaped = number if char in "abcdef" else rf"\\{plain}|{number}"
    return f"(?>{plain}|{escaped})"


_TOKENS = (
    rf"(?P<url>{_word('url')}\({_BLANK}*+)"
    rf"|(?P<load>@{_word('import')}{_NAME_GOES_ON}(?:{_BLANK}|{_COMMENT})*+)"
    rf"|@{_word('namespace')}{_NAME_GOES_ON}(?:[^;\"'/{{}}]++|{_STRING}|{_COMMENT}|/)*+"
    rf"|{_COMMENT}|{_STRING}|(?P<escape>{_ESCAPE})"
)
# What is between is skipped here, as to search for a token takes three times as long.
_BETWEEN = rf"""(?:[^uU@/"'\\]++|[uU](?!{_word("rl")}\()|@(?![iInN\\])|/(?!\*))*+"""
_TOKEN = re.compile(rf"{_BETWEEN}(?P<token>{_TOKENS}|[\s\S])")
_QUOTED = re.compile(rf"({_DOUBLE})(?:\"|\\?\Z)|({_SINGLE})(?:'|\\?\Z)")
_BARE = re.compile(rf"((?:[^\"'()\\\x00-\x20\x7f]++|{_ESCAPE})++)(?={_BLANK}*+(?:\)|\Z))", re.ASCII)
_BAD = re.compile(r"(?:[^)\\]++|\\[\s\S]?)*+\)?")
_IN_NAME = re.compile(r"[\w#@\x80-\U0010ffff-]")
_ESCAPED = re.compile(rf"\\(?:([0-9a-fA-F]{{1,6}}){_BLANK}?|(\r\n|[\n\r\f])|([\s\S]))")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"'\\<>]")


class _Place(NamedTuple):
    """Where a URL stands, with its quotes if it has any."""

    start: int
    end: int
    url: str


def urls_in_css(text: str) -> Iterator[str]:
    """The URLs of a style sheet or a style attribute as they are meant, in their order.

    Empty ones are left out, and those that are a fragment alone: they load nothing.
    """
    return (place.url for place in _places(text))


def rewrite_css(text: str, replace: Replace) -> str:
    """The style sheet with its URLs replaced. It is asked for those of `urls_in_css`.

    A new URL is quoted and escaped: the text may be put into a style element as it is.
    """
    pieces: list[str] = []
    done = 0
    for start, end, url in _places(text):
        new = replace(url)
        if new != url:
            pieces += (text[done:start], _quote(new))
            done = end
    return "".join((*pieces, text[done:]))


def _places(text: str) -> Iterator[_Place]:
    at = escaped = 0
    while (token := _TOKEN.match(text, at)) is not None:
        start, at = token.span("token")
        if token["escape"]:
            escaped = at  # a name may go on behind it
        elif token["load"] or (token["url"] and not _is_within_name(text, start, escaped)):
            place = _place(text, at, bare=token["load"] is None)
            at = place.end
            if place.url and not place.url.startswith("#"):
                yield place


def _is_within_name(text: str, start: int, escaped: int) -> bool:
    return start > 0 and (start == escaped or _IN_NAME.match(text, start - 1) is not None)


def _place(text: str, at: int, *, bare: bool) -> _Place:
    """The URL here; an empty one when there is none."""
    if found := _QUOTED.match(text, at):
        return _Place(*found.span(), _plain((found[1] or found[2])[1:]))
    if not bare or text.startswith(('"', "'"), at):  # a bad string ends with its line
        return _Place(at, at, "")
    if found := _BARE.match(text, at):
        return _Place(*found.span(), _plain(found[1]))
    return _Place(at, _end_of_bad(text, at), "")


def _end_of_bad(text: str, at: int) -> int:
    found = _BAD.match(text, at)
    return found.end() if found else at


def _plain(text: str) -> str:
    return _ESCAPED.sub(_meant, text) if "\\" in text else text


def _meant(escape: re.Match[str]) -> str:
    code, line_end, char = escape.groups()
    if code is None:
        return "" if line_end else char
    point = int(code, 16)
    return chr(point) if 0 < point < 0xD800 or 0xDFFF < point < 0x110000 else "\ufffd"


def _quote(url: str) -> str:
    return '"' + _UNSAFE.sub(lambda found: f"\\{ord(found[0]):x} ", url) + '"'
