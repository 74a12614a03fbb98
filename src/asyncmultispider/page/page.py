"""`Page`: a response as a reader sees it. Nothing is parsed before it is asked for."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar, overload

from msgspec import Struct
from turbohtml import Document, parse

from asyncmultispider.model import Headers, Request, Response
from asyncmultispider.page.content import (
    decode_text,
    guess_encoding,
    is_html,
    parse_content_type,
    robots_directives,
)
from asyncmultispider.page.facts import Facts, Findings, from_words, gather, in_words
from asyncmultispider.urls import canonicalize, encode_href, is_web

LONGEST_BASE = 4096
"""Characters of a base element's URL; a longer one is not heeded."""


class Follow(Struct, frozen=True):
    """What a handler yields to have a URL crawled; None stands for all links of its page."""

    url: str | None


NO_FACTS = Facts()
MOST_PADDING = 8_000_000
"""Characters of a table's text. Its columns are aligned, so that one wide cell widens each row."""
T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - used as a decorator
    """Like `functools.cached_property`, without the lock that it takes before Python 3.12."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, page: None, owner: type) -> "lazy[T]": ...
    @overload
    def __get__(self, page: object, owner: type) -> T: ...
    def __get__(self, page: object | None, owner: type) -> "lazy[T] | T":
        if page is None:
            return self
        value = page.__dict__[self._name] = self._make(page)
        return value


class Page:
    """A page: `url, status, headers, body, depth, referrer` as received, the rest on demand.

    `content_type` is the media type in lower case without parameters, None when not given.
    `agent` is our robots product token: some pages address a crawler by its name.
    """

    def __init__(self, request: Request, response: Response, agent: str = "*") -> None:
        self.url = request.url
        self.depth = request.depth
        self.referrer = request.referrer
        self.status = response.status
        self.headers: Headers = response.headers
        self.body = response.body
        self._agent = agent
        self.content_type, self._declared = parse_content_type(response.header("content-type"))

    def __repr__(self) -> str:
        return f"<Page {self.status} {self.url}>"

    @lazy
    def is_html(self) -> bool:
        """Whether it is read as HTML. Other content has no links and no title."""
        return is_html(self.content_type, self.body)

    @lazy
    def document(self) -> Document | None:
        """The parsed document (WHATWG), None when the page is not HTML or empty."""
        if not self.is_html or not self.body:
            return None
        try:
            document = parse(self.body, encoding=self._declared, positions=False)
        except LookupError:  # a charset nobody knows: as if none were given
            document = parse(self.body, positions=False)
        tentative = document.encoding_confidence == "tentative"
        if tentative and document.encoding == "windows-1252" and not self.body.isascii():
            guess = guess_encoding(self.body)
            if guess not in (None, document.encoding):
                return parse(self.body, encoding=guess, positions=False)
        return document

    @lazy
    def charset(self) -> str | None:
        """The encoding of the text, by BOM, HTTP, meta or its bytes; None for binary content."""
        if self.document is not None:
            return (self.document.encoding or "utf-8").lower()
        return self._declared.lower() if self._declared else None

    @lazy
    def facts(self) -> Facts:
        """Links, title and directives, gathered in one walk."""
        return NO_FACTS if self.document is None else gather(self.document, self._agent)

    def findings(self) -> Findings:
        """What reading it gave, for another process."""
        return in_words(self.facts, self.charset)

    def know(self, findings: Findings) -> None:
        """Take over what reading it in another process gave."""
        self.facts = from_words(findings)
        self.charset = findings.charset

    @property
    def title(self) -> str | None:
        """The text of the title element, blanks collapsed; None when there is none."""
        return self.facts.title

    @lazy
    def text(self) -> str:
        """The text a reader sees; of other text types the whole text, of binary content nothing."""
        if self.document is not None:
            padded = _pads_too_much(self.document)
            return "\n".join(self.document.stripped_strings) if padded else self.document.to_text()
        if self.is_html or not (self.content_type or "").startswith(("text/", "application/json")):
            return ""
        return decode_text(self.body, self._declared)[0]

    @lazy
    def base(self) -> str:
        """What relative links are relative to: the page, or its base element."""
        href = self.facts.base
        url = None if href is None else self._resolve(href)
        # HTML section 2.4.3: not with these schemes. Nor at any length: each link repeats it.
        if url is None or len(url) > LONGEST_BASE or url.startswith(("data:", "javascript:")):
            return self.url
        return url

    @lazy
    def links(self) -> list[str]:
        """Canonical http and https URLs of the pages it links to, each once, in document order."""
        found = dict.fromkeys(self._resolve(href, self.base) for href in self.facts.anchors)
        return [url for url in found if url and is_web(url)]

    @property
    def canonical(self) -> str | None:
        """The URL it says it should be known by (RFC 6596), if any."""
        href = self.facts.canonical
        return None if href is None else self._resolve(href, self.base)

    @lazy
    def robots(self) -> frozenset[str]:
        """Its directives for us: `noindex`, `nofollow`, from headers and meta elements."""
        tags = [value for name, value in self.headers if name == "x-robots-tag"]
        return robots_directives(tags, self._agent) | self.facts.robots

    def follow(self, targets: str | Iterable[str] | None = None) -> list[Follow]:
        """What a handler yields to have these URLs crawled, or all links as if it weren't there.

        Relative ones are resolved. What is no http or https URL is left out.
        """
        if targets is None:
            return [Follow(None)]
        hrefs = [targets] if isinstance(targets, str) else targets
        urls = dict.fromkeys(self._resolve(href, self.base) for href in hrefs)
        return [Follow(url) for url in urls if url and is_web(url)]

    def encoded(self, href: str) -> str:
        """A link as its document's encoding means it: the query's non-ASCII characters escaped."""
        return href if href.isascii() else encode_href(href, self.charset or "utf-8")

    def _resolve(self, href: str, base: str | None = None) -> str | None:
        try:
            return canonicalize(self.encoded(href), base or self.url)
        except ValueError:
            return None


def _pads_too_much(document: Document) -> bool:
    rows = widest = total = 0
    for element in document.iter_elements(("tr", "td", "th")):
        if element.tag == "tr":
            rows += 1
            continue
        width = len(element.text)
        widest = max(widest, width)
        total += width  # of cells within cells again and again
        if total > MOST_PADDING:
            return True
    return rows * widest > MOST_PADDING
