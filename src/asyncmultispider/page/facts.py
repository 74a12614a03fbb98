"""One walk over a document for all that a crawl wants to know of it."""

from msgspec import Struct
from turbohtml import Document, Element, Namespace

from asyncmultispider.page.content import robots_directives

NAVIGATION = {"a": "href", "area": "href", "iframe": "src", "frame": "src"}
"""Elements that lead a reader to another page, and the attribute that says where."""
FOLLOWED_RELS = frozenset({"next", "prev", "alternate"})
"""Kinds of `<link>` that lead to another page."""
_TAGS = (*NAVIGATION, "link", "base", "meta", "title")


class Facts(Struct, kw_only=True):
    """`anchors` are the hrefs as written in the page, each once, in document order.

    The element beside one tells whether it may be followed; None: it may.
    """

    anchors: dict[str, Element | None] = {}
    base: str | None = None
    title: str | None = None
    canonical: str | None = None
    robots: frozenset[str] = frozenset()

    def may_follow(self, href: str) -> bool:
        """Whether one of the anchors with this href is without rel=nofollow."""
        element = self.anchors[href]
        return element is None or not _is_nofollow(element)


def gather(document: Document, agent: str) -> Facts:
    """Read the facts of a document. `agent` is our product token, for `<meta name=agent>`."""
    facts = Facts()
    anchors = facts.anchors
    for element in document.iter_elements(_TAGS):
        tag = element.tag
        attribute = NAVIGATION.get(tag)
        if attribute is None:
            _note(facts, element, tag, agent)
            continue
        href = element.attr(attribute)
        if href is None:
            continue
        # Most hrefs are known from other pages: nobody will ask whether to follow them.
        if href not in anchors:
            anchors[href] = element
        elif anchors[href] is not None and not _is_nofollow(element):
            anchors[href] = None
    return facts


def _is_nofollow(element: Element) -> bool:
    return "nofollow" in (element.attr("rel") or "").lower().split()


def _note(facts: Facts, element: Element, tag: str, agent: str) -> None:
    if tag == "title":
        if facts.title is None and element.namespace is Namespace.HTML:
            facts.title = " ".join(element.text.split())
    elif tag == "base":
        # The first base element with an href counts (HTML section 2.4.3).
        if facts.base is None:
            facts.base = element.attr("href")
    elif tag == "meta":
        if (element.attr("name") or "").strip().lower() in ("robots", agent.lower()):
            facts.robots |= robots_directives([element.attr("content") or ""], agent)
    else:
        _note_link(facts, element)


def _note_link(facts: Facts, element: Element) -> None:
    rels = (element.attr("rel") or "").lower().split()
    if "canonical" in rels and facts.canonical is None:
        facts.canonical = element.attr("href")
    if FOLLOWED_RELS.isdisjoint(rels) or "stylesheet" in rels:
        return
    href = element.attr("href")
    kind = (element.attr("type") or "text/html").strip().lower()
    if href is not None and kind.startswith(("text/html", "application/xhtml")):
        facts.anchors[href] = None
