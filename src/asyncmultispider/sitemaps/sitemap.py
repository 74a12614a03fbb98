"""One sitemap: what it lists, and what of it was left out."""

import re
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from asyncmultispider.dates import parse_date
from asyncmultispider.sitemaps.errors import SitemapError
from asyncmultispider.sitemaps.records import Document, Record
from asyncmultispider.sitemaps.unpack import to_utf8, unpack
from asyncmultispider.urls import canonicalize, host_of, is_web

MAX_URLS = 50_000
"""Entries that are read of a sitemap, as the protocol has it."""
MAX_RECORDS = 2 * MAX_URLS
"""Entries that are looked at, those of use and others."""
MAX_LOC = 8192
"""Octets of a URL. The protocol has 2,048, and crawls have limits of their own."""
MAX_PROBLEMS = 20
"""Problems that are told one by one."""
_FREQUENCIES = frozenset({"always", "hourly", "daily", "weekly", "monthly", "yearly", "never"})


class Kind(StrEnum):
    """What a sitemap is written as."""

    URLSET = "urlset"
    INDEX = "index"
    TEXT = "text"
    RSS = "rss"
    ATOM = "atom"


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """A page, or another sitemap, as a sitemap lists it. `url` is canonical, http or https.

    `changefreq` is one of the protocol's seven words; `priority` is from 0 to 1.
    """

    url: str
    lastmod: datetime | None = None
    changefreq: str | None = None
    priority: float = 0.5


class Sitemap(Struct, frozen=True, kw_only=True):
    """What a sitemap lists, in its order, each URL once: pages in `urls`, sitemaps in `sitemaps`.

    `problems` tell in words what was left out and why; the document may be cut or damaged.
    Source: https://www.sitemaps.org/protocol.html
    """

    kind: Kind
    urls: tuple[Entry, ...]
    sitemaps: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls,
        body: bytes,
        url: str,
        content_type: str | None = None,
        *,
        vouching: Collection[str] | None = None,
    ) -> "Sitemap":
        """Read the sitemap that was found at `url`; gzip is undone, whatever it is called.

        `vouching` are the hosts (`host` or `host:port`) whose robots.txt names this sitemap, or the
        index it is from. Then all others are left out that are not at home here: pages outside of
        the sitemap's folder, sitemaps of other hosts. None: nothing is left out for its place.
        `content_type` is that of the answer; only its charset is used.
        Raises `SitemapError` for what is no sitemap, or has a DTD, and `ValueError` when `url` is
        no http(s) URL.
        """
        home = canonicalize(url)
        if not is_web(home):
            raise ValueError(f"{_short(url)} is no http(s) URL")
        listing = _Listing(home, vouching)
        data, trouble = unpack(body)
        if trouble and not data:
            raise SitemapError(trouble)
        text = to_utf8(data, content_type)
        if text[:1000].lstrip().startswith(b"<"):
            kind = _read_markup(text, listing)
        else:
            kind = _read_lines(text, listing, whole=trouble is None)
        if trouble:
            listing.trouble(trouble)
        return cls(
            kind=kind,
            urls=tuple(listing.urls.values()),
            sitemaps=tuple(listing.sitemaps.values()),
            problems=tuple(listing.problems),
        )


class _Listing:
    """What was found so far."""

    def __init__(self, url: str, vouching: Collection[str] | None) -> None:
        self.urls: dict[str, Entry] = {}
        self.sitemaps: dict[str, Entry] = {}
        self.problems: list[str] = []
        self._seen = 0
        self._url = url
        self._folder = url.partition("?")[0].rpartition("/")[0] + "/"
        self._vouching = vouching

    @property
    def is_full(self) -> bool:
        return len(self.urls) + len(self.sitemaps) >= MAX_URLS or self._seen >= MAX_RECORDS

    def trouble(self, words: str) -> None:
        """Note what is wrong with the whole."""
        self.problems.insert(0, words)

    def problem(self, words: str) -> None:
        """Note what is wrong with an entry."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(words)
        elif len(self.problems) == MAX_PROBLEMS:
            self.problems.append("and more")

    def add(self, loc: str, fields: dict[str, str], *, page: bool) -> None:
        """Take an entry, unless there is something wrong with its URL."""
        self._seen += 1
        entries = self.urls if page else self.sitemaps
        url = self._canonical(loc)
        if not url:
            self.problem(f"no http(s) URL: {_short(loc)}")
        elif not self._may_list(url, page):
            self.problem(f"not vouched for by its host: {_short(url)}")
        elif url == self._url and not page:
            self.problem("it lists itself")
        elif url not in entries:
            entries[url] = _entry(url, fields)

    def leave_out(self, text: str) -> None:
        """Pass over what is no URL at all."""
        self._seen += 1
        self.problem(f"no http(s) URL: {_short(text)}")

    def _canonical(self, loc: str) -> str:
        try:
            url = canonicalize(loc, self._url) if 0 < len(loc) <= MAX_LOC else ""
        except ValueError:
            return ""
        return url if is_web(url) else ""

    def _may_list(self, url: str, page: bool) -> bool:
        if self._vouching is None or host_of(url) in self._vouching:
            return True
        return url.startswith(self._folder) if page else host_of(url) == host_of(self._url)


def _read_markup(text: bytes, listing: _Listing) -> Kind:
    document = Document(text)
    if document.root not in _KINDS:
        raise SitemapError(f"no sitemap: its root is {_short(document.root)}")
    kind, names = _KINDS[document.root]
    for record in document.records(names):
        if listing.is_full:
            listing.trouble(_TOO_MANY)
            return kind
        listing.add(_loc(record), record.fields, page=record.name != "sitemap")
    if document.trouble:
        listing.trouble(document.trouble)
    return kind


_OWN = ("url", "sitemap")
_KINDS = {
    "urlset": (Kind.URLSET, _OWN),
    "sitemapindex": (Kind.INDEX, _OWN),
    "rss": (Kind.RSS, ("item",)),
    "rdf": (Kind.RSS, ("item",)),
    "channel": (Kind.RSS, ("item",)),
    "feed": (Kind.ATOM, ("entry",)),
}


def _loc(record: Record) -> str:
    fields = record.fields
    if record.name in _OWN:  # some write the URL right into it
        return fields.get("loc") or fields.get("") or ""
    name = fields.get("guid", "")  # a URL, or some other name
    return fields.get("link") or (name if _is_absolute(name) else fields.get("about", ""))


def _read_lines(text: bytes, listing: _Listing, *, whole: bool) -> Kind:
    if not whole:  # the last line may be cut
        text = text[: 1 + max(text.rfind(b"\n"), text.rfind(b"\r"))]
    for found in _LINE.finditer(text):
        if listing.is_full:
            listing.trouble(_TOO_MANY)
            break
        line = found[0][: MAX_LOC + 1].decode("utf-8", "replace").strip()
        if _is_absolute(line):
            listing.add(line, {}, page=True)
        else:  # resolved, any words would become a URL of this site
            listing.leave_out(line)
    if not listing.urls:
        raise SitemapError("no sitemap: neither XML nor a list of URLs")
    return Kind.TEXT


_LINE = re.compile(rb"\S[^\r\n]*+")
_is_absolute = re.compile("https?:", re.IGNORECASE).match
_TOO_MANY = f"too many URLs: the rest was left out ({MAX_URLS} are read)"


def _entry(url: str, fields: dict[str, str]) -> Entry:
    changed = ("lastmod", "updated", "pubdate", "date", "published")
    lastmod = next((fields[name] for name in changed if name in fields), "")
    changefreq = fields.get("changefreq", "").lower()
    return Entry(
        url=url,
        lastmod=parse_date(lastmod) if lastmod else None,
        changefreq=changefreq if changefreq in _FREQUENCIES else None,
        priority=_priority(fields.get("priority", "")),
    )


def _priority(text: str) -> float:
    return float(text) if _FRACTION.fullmatch(text) and float(text) <= 1 else 0.5


_FRACTION = re.compile(r"[01]?\.?[0-9]{1,9}")


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
