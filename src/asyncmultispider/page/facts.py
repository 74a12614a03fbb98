"""One walk over a document for all that a crawl wants to know of it."""

from msgspec import Struct
from turbohtml import Document, Element, Namespace

from asyncmultispider.page.content import robots_directives
from asyncmultispider.page.refresh import refresh_of

OBEYED = frozenset({"noindex", "nofollow"})
NAVIGATION = {"a": "href", "area": "href", "iframe": "src", "frame": "src"}
"""Elements that lead a reader to another page, and the attribute that says where."""
FOLLOWED_RELS = frozenset({"next", "prev", "alternate"})
"""Kinds of `<link>` that lead to another page."""
_TAGS = (*NAVIGATION, "link", "base", "meta", "title")


class Findings(Struct, kw_only=True, array_like=True):
    """The facts of a page in plain words, to be told by another process. See `Facts`.

    `held` are those of the anchors that may not be followed, `requisites` as in `Page`.
    """

    anchors: list[str]
    held: list[str]
    base: str | None
    title: str | None
    canonical: str | None
    robots: list[str]
    charset: str | None
    refresh: str | None = None
    requisites: list[str] = []


class Facts(Struct, kw_only=True):
    """`anchors` are the hrefs as written in the page, each once, in document order.

    Beside each is its first element, or None where there is nothing to ask of it; further
    elements with the same href are in `repeats`, and `free` are the hrefs of those that may be
    followed, once that was asked. `held` are hrefs of which it is known that they may not.
    `refresh` is where a meta element sends the reader on, as written; "" is to the same page.
    """

    anchors: dict[str, Element | None] = {}
    repeats: list[tuple[str, Element]] = []
    free: set[str] | None = None
    base: str | None = None
    title: str | None = None
    canonical: str | None = None
    robots: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    refresh: str | None = None

    def may_follow(self, href: str) -> bool:
        """Whether one of the anchors with this href is without rel=nofollow."""
        element = self.anchors[href]
        if element is None:
            return href not in self.held
        if not _is_nofollow(element):
            return True
        if self.free is None:
            self.free = {same for same, other in self.repeats if not _is_nofollow(other)}
        return href in self.free


def gather(document: Document, agent: str) -> Facts:
    """Read the facts of a document. `agent` is our product token, for `<meta name=agent>`."""
    facts = Facts()
    first, repeats = facts.anchors.setdefault, facts.repeats
    for element in document.iter_elements(_TAGS):
        tag = element.tag
        if tag == "a":
            href = element.attr("href")
        elif tag in NAVIGATION:
            href = element.attr(NAVIGATION[tag])
        else:
            _note(facts, element, tag, agent)
            continue
        # Whether it may be followed is asked later, of the few hrefs that are new.
        if href is not None and first(href, element) is not element:
            repeats.append((href, element))
    return facts


def in_words(facts: Facts, charset: str | None, requisites: list[str]) -> Findings:
    """These facts for another process, with others that are not among them."""
    return Findings(
        anchors=list(facts.anchors),
        held=[href for href in facts.anchors if not facts.may_follow(href)],
        base=facts.base,
        title=facts.title,
        canonical=facts.canonical,
        robots=sorted(facts.robots),
        charset=charset,
        refresh=facts.refresh,
        requisites=requisites,
    )


def from_words(findings: Findings) -> Facts:
    """The facts that another process told."""
    return Facts(
        anchors=dict.fromkeys(findings.anchors),
        held=frozenset(findings.held),
        base=findings.base,
        title=findings.title,
        canonical=findings.canonical,
        robots=frozenset(findings.robots),
        refresh=findings.refresh,
    )


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
            # No others: a page may have a million.
            facts.robots |= OBEYED & robots_directives([element.attr("content") or ""], agent)
        elif facts.refresh is None and element.attr("http-equiv") is not None:
            facts.refresh = refresh_of(element)  # the first that is valid counts
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
