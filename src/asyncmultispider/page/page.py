"""`Page`: a response as a reader sees it. Nothing is parsed before it is asked for."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload
from urllib.parse import quote

from msgspec import json
from turbohtml import Document, Element, Node, parse

from asyncmultispider.model import REDIRECTS, Extra, Headers, Request, Response, parse_fields
from asyncmultispider.page.content import (
    decode_text,
    guess_encoding,
    is_html,
    parse_content_type,
    robots_directives,
)
from asyncmultispider.page.facts import Facts, Findings, from_words, gather, in_words
from asyncmultispider.page.follow import (
    Follow,
    Handles,
    Targets,
    check_priority,
    hrefs_of,
    make_extra,
)
from asyncmultispider.page.outlier import is_outlier
from asyncmultispider.page.row import Row
from asyncmultispider.urls import canonicalize, encode_href, is_web

if TYPE_CHECKING:
    from asyncmultispider.page.meta import Meta

LONGEST_BASE = 4096
"""Characters of a base element's URL; a longer one is not heeded."""

NO_FACTS = Facts()
SHOWN = ("http:", "https:", "mailto:", "tel:", "ftp:")
"""Schemes of links in Markdown. Others run code, or bring a file along."""
FRAGMENT = "!$%&'()*+,-./:;=?@_~"
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
        self._extra = request.extra
        self._agent = agent
        self.content_type, self._declared = parse_content_type(response.header("content-type"))

    def __repr__(self) -> str:
        return f"<Page {self.status} {self.url}>"

    @classmethod
    def stored(cls, row: Row, data: Any = None) -> "Page":
        """The page that a store has, with the data that its request carried along."""
        headers = parse_fields(row.headers) if isinstance(row.headers, str) else row.headers
        page = cls(
            Request(id=0, url=row.url, host="", depth=row.depth, referrer=row.referrer),
            Response(status=row.status, headers=headers, body=row.body, at=0.0, elapsed=0.0),
        )
        page.data, page.title, page.charset = data, row.title, row.charset
        if row.status in REDIRECTS and is_outlier(row.body):
            page.document = None  # nobody knows whether it can be parsed: see `outlier`
        return page

    @lazy
    def data(self) -> Any:
        """What was carried along with its request (`follow`); None when nothing was."""
        return Extra.of(self._extra).data

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
        return in_words(self.facts, self.charset, self.requisites)

    def know(self, findings: Findings) -> None:
        """Take over what reading it in another process gave."""
        self.facts = from_words(findings)
        self.charset = findings.charset
        self.requisites = findings.requisites

    @lazy
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
        return self._web_urls(self.facts.anchors)

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

    @property
    def refresh(self) -> str | None:
        """The http or https URL that a meta element sends the reader on to, at once or later.

        One within `<noscript>` counts: scripts are not run here. None too when it is no other page.
        """
        url = self._web_url(self.facts.refresh) if self.facts.refresh else None
        return None if url == self.url else url

    @lazy
    def requisites(self) -> list[str]:
        """Canonical http and https URLs of what it needs to be shown, each once.

        Images, style sheets, scripts, fonts, media; of a style sheet what that loads. Another walk
        over the page, so nothing for each page of a crawl that does not want them.
        """
        from asyncmultispider.page import requisites  # few ask

        if self.document is not None:
            return requisites.resolved(requisites.urls_of(self.document), self._web_url)
        if self.content_type != "text/css":
            return []
        return requisites.resolved(requisites.urls_of_sheet(self.text), self._web_url)

    @lazy
    def meta(self) -> "Meta":
        """What it says of itself: description, language, dates, OpenGraph, JSON-LD."""
        from asyncmultispider.page.meta import Meta, read_meta  # few ask

        if self.document is None:
            return Meta(language=self._header("content-language"))
        return read_meta(self.document, self.canonical, self._header("content-language"))

    @lazy
    def markdown(self) -> str:
        """Its main content as Markdown, with absolute links. What is not HTML is as in `text`."""
        from asyncmultispider.page.markdown import to_markdown  # few ask

        return self.text if self.document is None else to_markdown(self.document, self._shown)

    def json(self) -> Any:
        """The body as JSON, whatever its content type. Raises `ValueError` when it is none."""
        try:
            return json.decode(decode_text(self.body, self._declared)[0])
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.url} is no JSON: {error}") from error

    def css(self, selector: str) -> list[Element]:
        """All elements that a CSS selector matches; none of what is not HTML.

        Raises `ValueError` for a bad selector.
        """
        return [] if self.document is None else self.document.select(selector)

    def css_first(self, selector: str) -> Element | None:
        """The first element that a CSS selector matches, if any."""
        return None if self.document is None else self.document.select_one(selector)

    def xpath(self, expression: str) -> list[Node | str] | str | float | bool:
        """What an XPath 1.0 expression gives: nodes and texts, or one text, number or truth.

        An empty list for what is not HTML. Raises `ValueError` for a bad expression.
        """
        if self.document is None:
            return []
        try:
            return self.document.xpath(expression)
        except ValueError as error:
            raise ValueError(f"invalid XPath {expression!r}: {error}") from error

    def follow(
        self,
        targets: Targets | None = None,
        *,
        css: str | None = None,
        xpath: str | None = None,
        headers: Mapping[str, str] | None = None,
        priority: int = 0,
        handler: Handles | None = None,
        data: Any = None,
    ) -> list[Follow]:
        """What a handler yields to have URLs crawled, each once; without any, all links of it.

        `targets` are URLs, relative or not, and elements (their href or src); `css` and `xpath`
        select such, too. What is no http or https URL is left out.
        Each is asked for with these `headers` besides ours, those of a higher `priority` before
        others of their host, and its page is for `handler`, a function of the spider or its name,
        which finds `data` (anything that JSON can say) as `page.data`.
        Raises `ValueError` for bad headers, selectors and priorities, `TypeError` for what is none
        of these.
        """
        extra = make_extra(headers, handler, data)
        check_priority(priority)
        if targets is None and css is None and xpath is None:
            if extra is None and priority == 0:
                return [Follow(None)]
            return [Follow(url, priority, extra) for url in self.links]
        hrefs = [] if targets is None else [*hrefs_of(targets)]
        hrefs += [] if css is None else hrefs_of(self.css(css))
        hrefs += [] if xpath is None else hrefs_of(self.xpath(xpath))
        return [Follow(url, priority, extra) for url in self._web_urls(hrefs)]

    def encoded(self, href: str) -> str:
        """A link as its document's encoding means it: the query's non-ASCII characters escaped."""
        return href if href.isascii() else encode_href(href, self.charset or "utf-8")

    def _resolve(self, href: str, base: str | None = None) -> str | None:
        try:
            return canonicalize(self.encoded(href), base or self.url)
        except ValueError:
            return None

    def _web_url(self, href: str) -> str | None:
        url = self._resolve(href, self.base)
        return url if url and is_web(url) else None

    def _web_urls(self, hrefs: Iterable[str]) -> list[str]:
        return [url for url in dict.fromkeys(map(self._web_url, hrefs)) if url]

    def _shown(self, href: str) -> str:
        """A link for a reader: absolute, with its fragment, and empty where a click does harm."""
        url = self._resolve(href, self.base) or ""
        if not url.startswith(SHOWN):
            return ""
        fragment = href.strip().partition("#")[2]
        return f"{url}#{quote(fragment, FRAGMENT)}" if fragment else url

    def _header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


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
