"""Pages and style sheets as they are read from a disk: links lead to files, and nothing runs.

A page that was made to harm is opened here as a local file. So it gets a Content-Security-Policy of
ours, first in its head: no script runs, nothing but files is loaded, nothing is sent. What it said
itself of policies, of its charset and of its base is taken out, and so are hints to connect
somewhere and pages in an attribute of a frame. What stands in for scripts is shown.
"""

import codecs
import re
import string
from collections.abc import Callable
from html import escape

from turbohtml import Document, Element

from asyncmultispider.outputs.names import reference
from asyncmultispider.page import Page
from asyncmultispider.page.content import decode_text
from asyncmultispider.page.requisites import LARGEST_SHEET, rewrite_css
from asyncmultispider.urls import canonicalize, is_web

NOWHERE = "about:invalid"
"""What stands for a link that means no URL, or a file of the reader's own computer."""
LONGEST = 65_536
"""Characters of a link that is looked at."""
MOST_CHARACTERS = 20_000_000
"""Characters of the links of one page: a long base makes many long ones of few bytes."""
REMEMBERED = 20_000_000
"""Characters of links that are remembered before all are forgotten."""
LARGEST_SVG = 4_000_000
"""Bytes of an image that are looked through."""
POLICY = (
    "default-src 'none'; img-src 'self' file: data:; media-src 'self' file: data:; "
    "style-src 'self' file: 'unsafe-inline'; font-src 'self' file: data:; frame-src 'self' file:; "
    "script-src 'none'; object-src 'none'; connect-src 'none'; base-uri 'none'; form-action 'none'"
)
HEAD = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
_CHARSET = b'<meta charset="utf-8">'
_NEAR = 1000
"""Bytes within which browsers surely see a charset."""
_CALLS_HOME = frozenset({"dns-prefetch", "preconnect", "prefetch", "prerender", "manifest"})
# Files have no origin that they could share, and are not what was signed.
_NOT_HERE = ("integrity", "crossorigin", "manifest")
_WITH_ODD_ATTRIBUTES = (
    r'[integrity], [crossorigin], [manifest], [style*="\\"], [style*="image-set" i]'
)
_KEPT_META = frozenset({"", "refresh", "content-language", "default-style"})
_BROKEN = re.compile(r"[\t\n\r]")
_PLAIN_START = frozenset(string.ascii_letters + string.digits + "./_-~%")
# A fragment may stand in an attribute, in a srcset, or in url() of CSS.
_UNQUOTED = {ord(char): f"%{ord(char):02X}" for char in "\t\n\r\f \"'()<>\\,"}
# Any other refresh may have a URL without `url=` before it, which is not taken for a link.
_REFRESH = re.compile(r"\s*+[\d.]*+\s*+[;,]?\s*+(?:url\s*+=.*)?", re.DOTALL)
_SAME_CHARSET = re.compile(r'^@charset "[^"\n]*";')

# A letter of CSS written as its number, or with a backslash before it: done to hide a word.
_HIDDEN = re.compile(r"\\(?:0{0,4}(2d|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])\s?|([g-zG-Z]))", re.I)
_STRINGS = re.compile(r"image-set(?=\s*\()", re.IGNORECASE)
_ELSEWHERE = re.compile(r"url\(\s*+(?![\"']?\s*+#)|\\", re.IGNORECASE)
# What SVG may hold that runs, loads or leads away; its own parts and pictures within it may stay.
_ALIVE = re.compile(
    r"""<(?:[^\s<>/:]+:)?(?:script|foreignobject|iframe|object|embed|audio|video|handler|listener)\b
    |[\s"'/]on[a-z]+\s*=|javascript:|attributename|<!ENTITY|<!ATTLIST|<\?xml-stylesheet
    |@import|image-set|(?:href|src)\s*+=\s*+(?!["'](?:\#|data:image/(?:png|jpeg|gif|webp)))
    |url\(\s*+(?!["']?\#)|&\#|\\""",
    re.IGNORECASE | re.VERBOSE,
)
_ENCODED = re.compile(r"""<\?xml[^>]*encoding\s*=\s*["'](?!utf-8["'])""", re.IGNORECASE)


class Local:
    """From a canonical URL to a relative one that leads from the file `name` to its file.

    `find` knows the name of its file; None when it has none.
    """

    def __init__(self, name: str, find: Callable[[str], str | None]) -> None:
        self.folder = name.rpartition("/")[0]
        self._name = name
        self._find = find

    def __call__(self, url: str) -> str | None:
        """The relative URL."""
        to = self._find(url)
        return None if to is None else reference(to, self._name)


class Known:
    """Links that were looked up before. Pages of one folder share most of theirs."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, str], dict[str, str]] = {}
        self._size = 0

    def of(self, base: str, folder: str) -> dict[str, str]:
        """Those of pages with this base that are written into this folder."""
        if self._size > REMEMBERED:
            self._folders.clear()
            self._size = 0
        directory = base[: base.partition("?")[0].rfind("/") + 1] or base
        self._size += len(directory) + len(folder)
        return self._folders.setdefault((directory, folder), {})

    def keep(self, links: dict[str, str], href: str, new: str) -> None:
        """Remember one among those that `of` gave."""
        links[href] = new
        self._size += len(href) + len(new)


def offline_page(page: Page, local: Local, known: Known) -> bytes:
    """The page in UTF-8, its links as `local` says or absolute."""
    document = page.document
    if document is None:
        return f"<!DOCTYPE html><html><head>{HEAD}</head><body></body></html>".encode()
    links = _Links(page, local, known)  # before the base is gone
    _clean(document)
    document.rewrite_links(links.replace)
    _keep_here(document)
    head = document.root and document.root.find("head")
    assert head is not None  # noqa: S101 - parsers make one
    head.insert_adjacent_html("afterbegin", HEAD)
    return _marked(document.encode("utf-8"))


def offline_sheet(page: Page, local: Local, known: Known) -> bytes:
    """A style sheet in UTF-8, its links as `local` says or absolute."""
    text = _SAME_CHARSET.sub("", decode_text(page.body, page.charset)[0], count=1)
    if len(text) > LARGEST_SHEET:
        return b""
    return rewrite_css(_plain(text), _Links(page, local, known).css).encode(errors="replace")


def notice(url: str, title: str, text: str) -> bytes:
    """A page that stands for one that can't be here."""
    link = f'<a href="{escape(url)}" rel="noreferrer">{escape(url)}</a>'
    return _small(title, f"<p>{escape(text)}</p>\n<p>{link}</p>\n")


def front_page(title: str, entries: list[tuple[str, str]], *, more: bool) -> bytes:
    """A list of (relative URL, text), for a start; with `more` that are not in it."""
    items = "".join(f'<li><a href="{escape(to)}">{escape(text)}</a></li>\n' for to, text in entries)
    rest = "<p>and more</p>\n" if more else ""
    return _small(title, f"<h1>{escape(title)}</h1>\n<ul>\n{items}</ul>\n{rest}")


def is_inert(svg: bytes) -> bool:
    """Whether an SVG image does nothing and loads nothing when it is opened for itself.

    What it says no to may be harmless all the same.
    """
    if len(svg) > LARGEST_SVG:
        return False
    try:
        text = svg.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return "\0" not in text and not _ENCODED.match(text) and not _ALIVE.search(text)


def _small(title: str, body: str) -> bytes:
    html = f"<!DOCTYPE html>\n<html><head>{HEAD}<title>{escape(title)}</title></head>\n<body>\n"
    return f"{html}{body}</body></html>\n".encode(errors="replace")


class _Links:
    """The links of one page, replaced."""

    def __init__(self, page: Page, local: Local, known: Known) -> None:
        self._page = page
        self._base = _base_of(page)
        self._local = local
        self._all = known
        self._known = known.of(self._base, local.folder)
        self._room = MOST_CHARACTERS

    def replace(self, href: str) -> str | None:
        """The link to stand in place of this one; None to leave it."""
        new = self._known.get(href)
        if new is None:
            href = href.strip()
            if not href or (href[0] == "#" and self._base == self._page.url):
                return None
            if href[:5].lower() == "data:" or href[:11].lower() == "javascript:":
                return None  # the policy lets neither do any harm
            new = self._look_up(href)
        self._room -= len(new)
        return new if self._room > 0 else NOWHERE

    def css(self, href: str) -> str:
        """The same, for CSS."""
        new = self.replace(href)
        return href if new is None else new

    def _look_up(self, href: str) -> str:
        if len(href) > LONGEST:
            return NOWHERE
        link, mark, fragment = href.partition("#")
        try:
            url = canonicalize(self._page.encoded(link), self._base)
        except ValueError:
            return NOWHERE
        if not is_web(url):
            return NOWHERE if url.startswith("file:") else href
        to = self._local(url)
        new = url if to is None else to
        if fragment:
            new += mark + _BROKEN.sub("", fragment).translate(_UNQUOTED)
        if href[0] in _PLAIN_START and href.isascii():  # what it means depends on the folder alone
            self._all.keep(self._known, href, new)
        return new


def _base_of(page: Page) -> str:
    # Most have no such element, and need not be walked through for all the others.
    document = page.document
    plain = document is None or next(document.iter_elements(("base",)), None) is None
    return page.url if plain else page.base


def _marked(html: bytes) -> bytes:
    """With a byte order mark where browsers would not see the charset in time."""
    at = html.find(_CHARSET)
    return html if at <= _NEAR and html.find(b"<!--", 0, at) < 0 else codecs.BOM_UTF8 + html


def _clean(document: Document) -> None:
    """Take out what does not hold here, or harms."""
    for element in list(document.iter_elements(("base", "meta", "link", "iframe", "style", "svg"))):
        tag = element.tag
        if tag == "style":
            if _HIDDEN.search(element.text) or _STRINGS.search(element.text):
                element.set_text(_plain(element.text))
        elif tag == "svg":
            _clean_svg(element)
        elif tag == "base" or (tag == "meta" and _is_about_reading(element)):
            element.decompose()
        elif tag == "link":
            if not _CALLS_HOME.isdisjoint((element.attr("rel") or "").lower().split()):
                element.decompose()
        elif element.attr("srcdoc") is not None:
            del element.attrs["srcdoc"]
    for element in list(document.iter_elements(("noscript",))):
        element.unwrap()  # as there are no scripts, it is what is to be seen
    for element in document.select(_WITH_ODD_ATTRIBUTES):
        for name in _NOT_HERE:
            element.attrs.pop(name, None)
        if style := element.attr("style"):
            element.attrs["style"] = _plain(style)


def _clean_svg(svg: Element) -> None:
    """Attributes that are CSS, such as `fill`, and load something; what sets links by itself."""
    for element in (svg, *svg.select("*")):
        if _animated(element).endswith("href"):
            element.decompose()
            continue
        for name, value in list(element.attrs.items()):
            if name != "style" and isinstance(value, str) and _ELSEWHERE.search(value):
                del element.attrs[name]


def _animated(element: Element) -> str:
    """The attribute of its parent that an element sets, such as `set` and `animate` of SVG."""
    return (element.attr("attributeName") or "").strip().lower()


def _plain(css: str) -> str:
    """The same without words that are hidden in escapes, or URLs in strings of `image-set`."""
    return _STRINGS.sub("not-here", _HIDDEN.sub(_letter, css))


def _letter(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2]


def _is_about_reading(meta: Element) -> bool:
    """Whether it says of charset, policy or cookies what is not so here."""
    equivalent = (meta.attr("http-equiv") or "").strip().lower()
    return meta.attr("charset") is not None or equivalent not in _KEPT_META


def _keep_here(document: Document) -> None:
    """A page that would lead elsewhere by itself stays."""
    for meta in list(document.iter_elements(("meta",))):
        if (meta.attr("http-equiv") or "").strip().lower() == "refresh":
            content = (meta.attr("content") or "").lower()
            away = ":" in content or "//" in content or "\\" in content
            if away or not _REFRESH.fullmatch(content):
                meta.decompose()
