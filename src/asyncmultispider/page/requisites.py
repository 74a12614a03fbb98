"""What a page needs to be shown: images, style sheets, scripts, fonts, media.

`references` tells where they stand in a document, for those who list them and those who rewrite
them. Frames are not among them: they are pages, and so are links.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from msgspec import Struct
from turbohtml import Document, Element

from asyncmultispider.page.css import Replace, rewrite_css, urls_in_css
from asyncmultispider.page.srcset import rewrite_srcset, urls_in_srcset

__all__ = [
    "LARGEST_SHEET",
    "Reference",
    "references",
    "resolved",
    "rewrite_css",
    "rewrite_srcset",
    "urls_in_css",
    "urls_in_srcset",
    "urls_of",
    "urls_of_sheet",
]

Kind = Literal["url", "srcset", "css"]
MOST = 10_000
"""Requisites of a page."""
MOST_CHARACTERS = 20_000_000
"""Characters of the requisites of a page: a long base makes many long ones of few bytes."""
LONGEST = 65_536
"""Characters of a reference beyond which it names no file. Web servers refuse much shorter ones."""
LARGEST_SHEET = 2_000_000
"""Characters of a style sheet that are read. It takes 50 ms, and a second for what is made to."""
NEEDED_RELS = frozenset(
    {
        "apple-touch-icon",
        "apple-touch-icon-precomposed",
        "icon",
        "manifest",
        "mask-icon",
        "modulepreload",
        "preload",
        "stylesheet",
    }
)
"""Kinds of `<link>` that a page is shown with."""
_SVG: dict[str, Kind] = {"href": "url", "xlink:href": "url"}
_ATTRIBUTES: dict[str, dict[str, Kind]] = {
    "img": {"src": "url", "srcset": "srcset"},
    "source": {"src": "url", "srcset": "srcset"},
    "video": {"src": "url", "poster": "url"},
    "audio": {"src": "url"},
    "track": {"src": "url"},
    "embed": {"src": "url"},
    "object": {"data": "url"},
    "input": {"src": "url"},
    "script": {"src": "url", **_SVG},
    "link": {"href": "url", "imagesrcset": "srcset"},
    "image": _SVG,
    "use": _SVG,
    "feImage": _SVG,
    "style": {},
}
_ANYWHERE: dict[str, Kind] = {"style": "css", "background": "url"}
# A URL in a style attribute stands in parentheses.
_STYLED = '[style*="("], [background]'


class Reference(Struct, frozen=True, kw_only=True):
    """Where a document names what it needs. `attribute` None is the text of a style element.

    `value` is what stands there: a URL, a `srcset` of some, or CSS with any number.
    """

    element: Element
    attribute: str | None
    kind: Kind
    value: str

    def urls(self) -> Iterable[str]:
        """The URLs in it as written, relative ones and those of no file too."""
        if self.kind == "css":
            return urls_of_sheet(self.value)
        return urls_in_srcset(self.value) if self.kind == "srcset" else (self.value,)

    def rewritten(self, replace: Replace) -> str:
        """The value with its URLs replaced. It is asked for those of `urls`."""
        if self.kind == "css":
            return rewrite_css(self.value, replace)
        return rewrite_srcset(self.value, replace) if self.kind == "srcset" else replace(self.value)


def references(document: Document) -> Iterator[Reference]:
    """All places where a document names what it needs: elements first, then attributes of any.

    The document may be changed at the place that was told of last.
    """
    for element in list(document.iter_elements(_ATTRIBUTES)):
        yield from _of_element(element)
    for element in document.select(_STYLED):
        yield from _in_attributes(element, _ANYWHERE)


def urls_of(document: Document) -> Iterator[str]:
    """The URLs of all its references as written."""
    return (url for reference in references(document) for url in reference.urls())


def urls_of_sheet(text: str) -> Iterator[str]:
    """The URLs of a style sheet, of which the first `LARGEST_SHEET` characters are read."""
    return urls_in_css(text[:LARGEST_SHEET])


def resolved(hrefs: Iterable[str], resolve: Callable[[str], str | None]) -> list[str]:
    """The URLs that these mean, each once. `resolve` says which, and None to leave one out.

    Empty ones mean nothing, fragments what is there already, and `data:` brings all along.
    """
    urls: dict[str, None] = {}
    room = MOST_CHARACTERS
    for href in hrefs:
        if len(urls) >= MOST or room <= 0:
            break
        if len(href) > LONGEST or _is_at_hand(href):
            continue
        url = resolve(href)
        if url is not None and url not in urls:
            urls[url] = None
            room -= len(url)
    return list(urls)


def _is_at_hand(href: str) -> bool:
    start = href[:100].strip()
    return not start or start[0] == "#" or start[:5].lower() == "data:"


def _of_element(element: Element) -> Iterator[Reference]:
    tag = element.tag
    if tag == "style":
        yield Reference(element=element, attribute=None, kind="css", value=element.text)
    elif tag == "link" and NEEDED_RELS.isdisjoint((element.attr("rel") or "").lower().split()):
        return
    elif tag != "input" or (element.attr("type") or "").lower() == "image":
        yield from _in_attributes(element, _ATTRIBUTES[tag])


def _in_attributes(element: Element, attributes: dict[str, Kind]) -> Iterator[Reference]:
    for name, kind in attributes.items():
        value = element.attr(name)
        if value is not None:
            yield Reference(element=element, attribute=name, kind=kind, value=value)
