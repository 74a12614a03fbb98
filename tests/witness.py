"""A second opinion: what of a site can be reached, found with the standard library alone.

It shares no code with the crawler. It knows the rules as they are documented: followed are
`a[href]`, `area[href]`, `iframe[src]`, `frame[src]`, and `link[href]` to other pages (next, prev,
alternate) of an HTML type; not `rel=nofollow`, nor what a page with a robots directive of nofollow
links to; and every redirect. One host over http, no robots.txt.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

_SOURCES = {"a": "href", "area": "href", "iframe": "src", "frame": "src"}
_OTHER_PAGES = {"next", "prev", "alternate"}
_HTML = ("text/html", "application/xhtml+xml")
_REDIRECTS = (301, 302, 303, 307, 308)
_META_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_BLANKS = "".join(map(chr, range(33)))
_TIMEOUT = 30.0
# Most tags lead nowhere, and html.parser takes four times as long with them.
_DULL = re.compile(
    r"</(?!script|style)[a-z0-9]+\s*>"
    r"|<(?:b|br|code|dd|div|dl|dt|em|h[1-6]|i|img|li|p|pre|span|strong|table|tbody|td|th|tr|tt|ul|var)"
    r'(?:\s[^<>"]*(?:"[^<>"]*"[^<>"]*)*)?>'
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server said of a URL: `kind` is the media type, `links` what is followed from it.

    `size` is that of the body in bytes.
    """

    status: int
    kind: str
    size: int
    links: frozenset[str] = frozenset()


def walk(start: str) -> dict[str, Seen]:
    """Every URL of the start's host and port that can be reached from it, itself included."""
    seen: dict[str, Seen] = {}
    host = urlsplit(start).netloc
    with closing(HTTPConnection(host, timeout=_TIMEOUT)) as connection:
        waiting = {start}
        while waiting:
            url = waiting.pop()
            seen[url] = _look(connection, url)
            here = {link for link in seen[url].links if link.startswith(f"http://{host}/")}
            waiting |= here - seen.keys()
    return seen


def _look(connection: HTTPConnection, url: str) -> Seen:
    connection.request("GET", url.removeprefix(f"http://{urlsplit(url).netloc}"))
    answer = connection.getresponse()
    body = answer.read()
    kind = answer.headers.get_content_type() if "content-type" in answer.headers else ""
    links: set[str] = set()
    if answer.status in _REDIRECTS:
        links = {absolute(answer.headers.get("location", ""), url)}
    elif answer.status == 200 and kind in _HTML:
        page = _Page(_text(body, answer.headers.get_content_charset()))
        links = set(page.followed(url))
    return Seen(answer.status, kind, len(body), frozenset(links - {""}))


class _Page(HTMLParser):
    """`links` as written, and the base and robots directives that say how to take them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.base = ""
        self.robots: set[str] = set()
        self.feed(_DULL.sub("", text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}  # the first one counts
        if tag in _SOURCES:
            if _SOURCES[tag] in given and "nofollow" not in given.get("rel", "").lower().split():
                self.links.add(given[_SOURCES[tag]])
        elif tag == "base":
            self.base = self.base or given.get("href", "")
        elif tag == "meta":
            if given.get("name", "").lower() == "robots":
                self.robots.update(re.split(r"[\s,]+", given.get("content", "").lower()))
        elif tag == "link" and _leads_to_page(given):
            self.links.add(given["href"])

    def followed(self, url: str) -> Iterator[str]:
        """The links that are followed from this page at `url`, absolute."""
        if self.robots.isdisjoint({"nofollow", "none"}):
            base = absolute(self.base, url)
            yield from (absolute(link, base) for link in self.links)


def _leads_to_page(link: dict[str, str]) -> bool:
    rels = set(link.get("rel", "").lower().split())
    page = link.get("type", "text/html").lower().startswith(_HTML)
    return "href" in link and page and bool(rels & _OTHER_PAGES) and "stylesheet" not in rels


def absolute(link: str, base: str) -> str:
    """A link as a browser would ask for it, without its fragment; empty when it is not of the web.

    Not urljoin: it drops empty segments (`a//b`), which browsers and RFC 3986 keep.
    """
    link = re.sub(r"[\t\r\n]", "", link.strip(_BLANKS)).partition("#")[0]
    try:
        there, here = urlsplit(link), urlsplit(base)
    except ValueError:
        return ""
    scheme = there.scheme or here.scheme
    if scheme not in ("http", "https"):
        return ""
    path, query = there.path.replace("\\", "/"), there.query
    if not there.netloc:
        if not path:
            path, query = here.path, query or here.query
        elif not path.startswith("/"):
            path = here.path.rpartition("/")[0] + "/" + path
    host = _host(there.netloc or here.netloc, scheme)
    query = quote(query, safe="/%:@!$&()*+,;=~|[]?`{}^\\")
    return f"{scheme}://{host}{_path(path)}" + (f"?{query}" if query else "")


def _path(path: str) -> str:
    """Without its dot segments (RFC 3986, 5.2.4) and with its other characters escaped."""
    kept: list[str] = []
    segments = path.removeprefix("/").split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + quote("/".join(kept), safe="/%:@!$&'()*+,;=~|[]")


def _host(netloc: str, scheme: str) -> str:
    host, _, port = netloc.lower().partition(":")
    return host if port in ("", "80" if scheme == "http" else "443") else f"{host}:{port}"


def _text(body: bytes, charset: str | None) -> str:
    declared = _META_CHARSET.search(body[:1024])
    name = charset or (declared[1].decode() if declared else "utf-8")
    try:
        return body.decode(name, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
