"""What a document says of itself: description, language, dates, OpenGraph, JSON-LD."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from msgspec import Struct
from turbohtml import Document, Element

from asyncmultispider.dates import parse_date
from asyncmultispider.page.jsonld import JsonObject, json_ld, values_of

LONGEST = 10_000
"""Characters of a value that are kept."""
MOST = 500
"""Meta elements, and time elements, that are looked at."""
_OPEN_GRAPH = ("og:", "article:", "book:", "music:", "product:", "profile:", "video:")
_PUBLISHED = (
    "article:published_time",
    "datepublished",
    "dcterms.created",
    "dcterms.issued",
    "dc.date.issued",
    "dcterms.date",
    "dc.date",
    "citation_publication_date",
    "parsely-pub-date",
    "pubdate",
    "date",
)
_MODIFIED = (
    "article:modified_time",
    "og:updated_time",
    "datemodified",
    "dcterms.modified",
    "dc.date.modified",
    "last-modified",
    "revised",
)


class Meta(Struct, frozen=True, kw_only=True):
    """What a page says of itself; None or empty where it does not. Text is plain, on one line.

    `canonical` is a URL, `language` as written (`en-GB`). `open_graph` has the properties by their
    whole names (`og:title`), of each the first value; `json_ld` the objects of JSON-LD. Dates have
    a time zone: UTC, where none is given.
    """

    description: str | None = None
    canonical: str | None = None
    language: str | None = None
    author: str | None = None
    keywords: tuple[str, ...] = ()
    published: datetime | None = None
    modified: datetime | None = None
    open_graph: dict[str, str] = {}
    json_ld: list[JsonObject] = []


def read_meta(document: Document, canonical: str | None, language: str | None) -> Meta:
    """Read it. `language` is what the header says, for documents that don't."""
    named = _named(document)
    objects = json_ld(document)
    return Meta(
        description=_first(named, ("description", "og:description", "dcterms.description")),
        canonical=canonical,
        language=_language(document, named) or language,
        author=_first(named, ("author", "article:author")) or _author(objects),
        keywords=_keywords(named),
        published=_moment(_published(document, named, objects)),
        modified=_moment(_modified(document, named, objects)),
        open_graph={name: value for name, value in named.items() if name.startswith(_OPEN_GRAPH)},
        json_ld=objects,
    )


def _named(document: Document) -> dict[str, str]:
    """The contents of meta elements by their names in lower case; of each the first counts."""
    found: dict[str, str] = {}
    for element in islice(document.iter_elements("meta"), MOST):
        content = _plain(element.attr("content"))
        for attribute in ("property", "name", "itemprop", "http-equiv"):
            name = (element.attr(attribute) or "")[:LONGEST].strip().lower()
            if name and content:
                found.setdefault(name, content)
    return found


def _plain(text: object) -> str:
    """Text of the page without blanks at its ends, line ends and what no file can hold."""
    if not isinstance(text, str):
        return ""
    return " ".join(text[:LONGEST].encode(errors="replace").decode().split())


def _first(named: dict[str, str], names: Iterable[str]) -> str | None:
    return next((named[name] for name in names if name in named), None)


def _language(document: Document, named: dict[str, str]) -> str | None:
    root = document.root
    declared = "" if root is None else _plain(root.attr("lang") or root.attr("xml:lang"))
    return declared or named.get("content-language")


def _keywords(named: dict[str, str]) -> tuple[str, ...]:
    words = (word.strip() for word in named.get("keywords", "").split(","))
    return tuple(dict.fromkeys(filter(None, words)))


def _author(objects: list[JsonObject]) -> str | None:
    for value in values_of(objects, "author"):
        for author in value if isinstance(value, list) else [value]:
            name = _plain(author.get("name") if isinstance(author, dict) else author)
            if name:
                return name
    return None


def _published(
    document: Document, named: dict[str, str], objects: list[JsonObject]
) -> Iterator[Any]:
    yield from values_of(objects, "datePublished")
    yield from (named[name] for name in _PUBLISHED if name in named)
    times = list(islice(document.iter_elements("time"), MOST))
    yield from (it.attr("datetime") for it in times if _is(it, "datepublished", "pubdate"))
    yield from (it.attr("datetime") for it in times if not _is(it, "datemodified"))


def _modified(
    document: Document, named: dict[str, str], objects: list[JsonObject]
) -> Iterator[Any]:
    yield from values_of(objects, "dateModified")
    yield from (named[name] for name in _MODIFIED if name in named)
    times = islice(document.iter_elements("time"), MOST)
    yield from (it.attr("datetime") for it in times if _is(it, "datemodified"))


def _is(element: Element, itemprop: str, flag: str | None = None) -> bool:
    marked = flag is not None and flag in element.attrs
    return marked or itemprop in (element.attr("itemprop") or "").lower().split()


def _moment(values: Iterator[Any]) -> datetime | None:
    """The first that is a date."""
    for value in values:
        moment = parse_date(value.strip()) if isinstance(value, str) and len(value) < 100 else None
        if moment is not None:
            return moment
    return None
