"""The tags of an XML document, well-formed or not.

No XML parser is at work, for two reasons. Many sitemaps are not well-formed, mostly for a bare
`&` in a URL, and a parser stops there. And what is not there can't be attacked: no DTD, no
entities, no tree, no stack; one regular expression that never goes back takes tag after tag.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

from asyncmultispider.sitemaps.errors import SitemapError

_TOKEN = re.compile(
    rb"""<(/?)([^\s<>/!?"'=]++)((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>"""
    rb"|<!--(?:.*?-->|.*)"
    rb"|<\?(?:.*?\?>|.*)"
    rb"|<!\[CDATA\[(?:(.*?)\]\]>|.*)"
    rb"|<!([A-Za-z])",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"""(?<![\w:-])([\w:-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")
_MAX_ATTRIBUTES = 10_000  # bytes of a tag that are looked at
_REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#[xX]([\da-fA-F]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class Tag(Struct, frozen=True, gc=False):
    """A tag and the text before it, raw. An end without a name: the document was cut in a tag."""

    text: bytes
    closes: bool
    prefix: bytes
    name: str
    attributes: bytes

    @property
    def is_empty(self) -> bool:
        """Whether it ends itself: `<x/>`."""
        return self.attributes.endswith(b"/")


def tags(body: bytes) -> Iterator[Tag]:
    """The tags of a document in UTF-8; comments and processing instructions are left out.

    Raises `SitemapError` at a DOCTYPE or another declaration. What is no tag is text.
    """
    at = 0
    before: list[bytes] = []  # text before a CDATA section or a comment
    for token in _TOKEN.finditer(body):
        start, end = token.span()
        text, at = body[at:start], end
        slash, name, attributes, literal, declaration = token.groups()
        if name is not None:
            prefix, local = _split(name) if len(name) < 100 else (b"", "?")
            if before:
                text = b"".join((*before, text))
                before = []
            yield Tag(text, slash == b"/", prefix, local, attributes)
        elif declaration is not None:
            raise SitemapError("it has a DOCTYPE, and no sitemap needs one")
        else:
            before += (text, (literal or b"").replace(b"&", b"&amp;"))  # `plain` undoes it
    rest, cut, _ = body[at:].partition(b"<")
    if cut:
        yield Tag(b"".join((*before, rest)), True, b"", "", b"")


@lru_cache(maxsize=256)
def _split(name: bytes) -> tuple[bytes, str]:
    prefix, _, local = name.rpartition(b":")
    return prefix, local.decode("latin-1").lower()


def plain(text: bytes) -> str:
    """Raw text as it is meant. A bare `&` stands for itself, as do entities that XML lacks."""
    plain = text.decode("utf-8", "replace")
    return (_REFERENCE.sub(_referred, plain) if "&" in plain else plain).strip()


def attribute(attributes: bytes, name: bytes) -> str | None:
    """The value of an attribute, by its lower-case name."""
    for key, double, single in _ATTRIBUTE.findall(attributes, 0, _MAX_ATTRIBUTES):
        if key.lower() == name:
            return plain(double or single)
    return None


def _referred(match: re.Match[str]) -> str:
    name, decimal, hexadecimal = match.groups()
    if name:
        return _NAMED[name]
    point = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(point) if 0 < point < 0xD800 or 0xE000 <= point < 0x110000 else "\ufffd"
