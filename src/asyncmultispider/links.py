"""From the hrefs of a page to links for the frontier, at the cost of the new ones only."""

import string
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from asyncmultispider.model import NO_EXTRA, Extra, Link, Reason
from asyncmultispider.page import Follow, Page
from asyncmultispider.page.follow import check_priority
from asyncmultispider.traps import oddity
from asyncmultispider.urls import canonicalize, host_of, is_web, without_login
from asyncmultispider.urls.scope import Scope

REMEMBERED = 20_000_000
"""Characters of hrefs and URLs that are remembered before all are forgotten."""
LONGEST = 65_536
"""Characters of an href beyond which it is no link. Web servers refuse much shorter ones."""
MOST_CHARACTERS = 20_000_000
"""Characters of the new links of one page: a long base makes many long ones of few bytes."""
MOST_LINKS = 100_000
"""New links of one page that are given out. It takes some 0.3 s; everything else waits."""
_PLAIN_START = frozenset(string.ascii_letters + string.digits + "./_-~%")
"""A reference that begins with one of these depends on the directory of its page alone."""


def are_cut(links: Sequence[Link]) -> bool:
    """Whether a page may have had more links than these."""
    return len(links) >= MOST_LINKS or sum(len(it.url) for it in links) >= MOST_CHARACTERS


class LinkFilter:
    """Turns hrefs into links, dropping what it gave out before.

    Pages of one directory share most of their hrefs, and pages of one site most of their links:
    two sets, of hrefs by directory and of URLs, leave little to do for a page that brings nothing
    new. The filter is right as long as every link that it gave out reaches the frontier: call
    `forget` when one may not have.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._hrefs: dict[str, set[str]] = {}
        self._urls: set[str] = set()
        self._size = 0

    def fresh(self, page: Page, wanted: Callable[[str], bool] | None = None) -> list[Link]:
        """The links of a page that were not given out before; of these, the `wanted` hrefs."""
        if self._size > REMEMBERED:
            self.forget()
        base = page.base
        directory = base[: base.partition("?")[0].rfind("/") + 1] or base  # "about:blank"
        seen = self._hrefs.setdefault(directory, set())
        urls = self._urls
        room = MOST_CHARACTERS
        hrefs: set[str] = set()
        links: dict[str, Link] = {}
        for href in [href for href in page.facts.anchors if href not in seen]:
            if len(links) >= MOST_LINKS or room <= 0:
                break
            if len(href) > LONGEST:
                continue
            if wanted is not None and not wanted(href):
                continue
            short = href.partition("#")[0]
            if "" < short[-1:] <= " ":  # blanks are cut off at the end of the whole alone
                short = href
            if short in seen or short in hrefs:
                hrefs.add(href)
                continue
            plain = short.isascii()
            if plain and short[:1] in _PLAIN_START:
                hrefs.add(href)
                hrefs.add(short)
            try:
                url = canonicalize(short if plain else page.encoded(short), base)
            except ValueError:
                continue
            if url not in urls and url not in links and is_web(url):
                links[url] = self.link(url, page.depth + 1)
                room -= len(url)
        # Not before: what another thread finds here it takes for given out.
        seen |= hrefs
        urls.update(links)
        self._size += len(directory) + sum(map(len, hrefs)) + sum(map(len, links))
        return list(links.values())

    def given(self, urls: Iterable[str], depth: int, *, part: int = 0) -> list[Link]:
        """Links to these canonical web URLs, but for those that were given out before.

        `part`: they are parts of a page, so many steps from it.
        """
        extra = Extra(part=part) if part else None
        return self.followed((Follow(url, extra=extra) for url in urls), depth)

    def followed(self, follows: Iterable[Follow], depth: int) -> list[Link]:
        """The same of what a handler wants followed; of a URL that comes twice the first."""
        links: dict[str, Link] = {}
        for follow in follows:
            url = follow.url
            if url is not None and url not in self._urls and url not in links:
                extra = follow.extra or NO_EXTRA
                link = self.link(url, depth, extra=extra)
                if follow.priority != 0:
                    link = replace(link, priority=check_priority(follow.priority))
                links[url] = link
        self._urls.update(links)
        self._size += sum(map(len, links))
        return list(links.values())

    def sitemaps(self, urls: Iterable[str], vouching: tuple[str, ...]) -> list[Link]:
        """Links to sitemaps, by canonical URL. `vouching` are the hosts that name them."""
        extra = Extra(sitemap=vouching)
        return [self.link(url, 0, extra=extra) for url in urls if is_web(url)]

    def may_lead_on(self, host: str) -> bool:
        """Whether pages of this host may be within --scope."""
        return self._scope.reaches(host)

    def link(self, url: str, depth: int, hops: int = 0, extra: Extra = NO_EXTRA) -> Link:
        """A link to a canonical web URL, closed at birth when it is out of scope, or no URL to ask.

        Sitemaps and parts of pages need not be within --scope and --include, as nothing leads on
        from there; but --exclude holds. A part that is within is a page like any other: it may be
        linked to as well. A user name and password are dropped: they would be somebody else's.
        """
        url = without_login(url)
        host = host_of(url)
        skip = self._scope.refuses(url, host)
        if extra.part and skip is None:
            extra = replace(extra, part=0)
        elif (extra.part or extra.sitemap is not None) and is_web(url):
            skip = Reason.EXCLUDED if self._scope.excludes(url) else None
        odd = oddity(url) if skip is None and depth else None
        if odd is not None:
            skip = Reason.TRAP
        return Link(
            url=url,
            host=host,
            depth=depth,
            hops=hops,
            skip=skip,
            note=odd,
            extra=extra.as_text(),
        )

    def forget(self) -> None:
        """Give out everything again."""
        self._hrefs.clear()
        self._urls.clear()
        self._size = 0
