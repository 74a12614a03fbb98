"""A site made by chance, but always the same one: all sorts of pages, links and trouble.

Where a redirect leads to, no link leads: so no result depends on which of the two was seen first.
`/old/` is the exception.
"""

import asyncio
import gzip
from collections.abc import Callable
from posixpath import dirname, relpath
from random import Random

from webserver import Handler, Recorded, Reply, Route, Site, no_location, redirection, truncated

FOLDERS = ("/", "/docs/", "/docs/deep/er/", "/shop/", "/caf%C3%A9/")
CHARSETS = ("utf-8", "windows-1251", "koi8-r", "iso-8859-5", "utf-16-le", "utf-8-sig")
REDIRECTS = (301, 302, 303, 307, 308)
ERRORS = (400, 403, 404, 410, 418, 500)
ROBOTS = """User-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.secret$

User-agent: somebody-else
Disallow: /
"""
LARGEST = 50_000
"""Bytes of the largest body but for one, which has twice as many."""
OTHER_SCHEMES = ("mailto:a@b.example", "javascript:void(0)", "data:text/html,x", "ftp://a.example/")
SPECIAL = ("/private/shut", "/private/open.html", "/a.secret")


def serve(site: Site, pages: int = 200, seed: int = 3) -> None:
    """Put about so many pages on the site."""
    _Maker(site, Random(seed)).make(pages)


class _Maker:
    """Each page is linked to by one before it, so all can be reached; the rest is chance."""

    def __init__(self, site: Site, chance: Random) -> None:
        self._site = site
        self._chance = chance
        self._targets: list[str] = []
        self._links: dict[str, list[str]] = {}
        kinds: dict[Callable[[str], Route], int] = {
            self._page: 50,
            self._in_charset: 14,
            self._with_base: 8,
            self._for_robots: 8,
            self._slow: 8,
            self._packed: 6,
            self._twin: 8,
            self._no_html: 8,
            self._error: 8,
            self._broken: 4,
            self._moved: 8,
            self._old: 8,
        }
        self._kinds = chance.choices(list(kinds), list(kinds.values()), k=10_000)

    def make(self, pages: int) -> None:
        chance, parents = self._chance, ["/"]
        plan = [("/", self._page)]
        for number in range(pages):
            kind = self._kinds[number]
            path = self._path(number, kind)
            self._links.setdefault(chance.choice(parents), []).append(path)
            if kind in (self._page, self._in_charset, self._with_base, self._slow, self._packed):
                parents.append(path)
            self._targets.append(path)
            plan.append((path, kind))
        self._links["/"] += [*OTHER_SCHEMES, *SPECIAL, "/chain/0", "/loop/1", "/huge", "#top"]
        for path, kind in plan:
            self._site.route(path, kind(path))
        self._special()

    def _special(self) -> None:
        site = self._site
        site.robots(ROBOTS)
        for number in range(20):
            site.redirect(f"/chain/{number}", f"{number + 1}")
        site.redirect("/loop/1", "/loop/2")
        site.redirect("/loop/2", "/loop/1")
        site.page("/private/*", "<p>nobody should see this")
        site.page("/private/open.html", "<title>Open</title>")
        site.page("/huge", "<p>" + "huge " * (2 * LARGEST // 5))
        site.page("/search", "<title>Found</title>")
        site.page("/one-way", "<title>Only by a link that is not to be followed</title>")

    def _path(self, number: int, kind: Callable[[str], Route]) -> str:
        if kind == self._old:
            return f"/old/{number}"
        folder = self._chance.choice(FOLDERS)
        ending = self._chance.choice((".html", ".html", "", "/", f".php?n={number}&x=a%20b"))
        return f"{folder}{number}{ending}"

    # What a page may be

    def _page(self, path: str) -> Route:
        return Reply(200, self._html(path))

    def _in_charset(self, path: str) -> Route:
        charset = self._chance.choice(CHARSETS)
        search = f'<a href="/search?q={self._chance.choice(["поиск", "ещё", "дом"])}">ещё</a>'
        body = self._html(path, title="Страница", more=search)
        bom = "\ufeff" if charset == "utf-16-le" else ""
        declared = charset if self._chance.random() < 0.5 and not bom else ""
        meta = f'<meta charset="{charset}">' if not declared else ""
        kind = f"text/html; charset={declared}" if declared else "text/html"
        return Reply(200, (bom + meta + body).encode(charset), kind)

    def _with_base(self, path: str) -> Route:
        folder = self._chance.choice(FOLDERS)
        return Reply(200, f'<base href="{folder}">' + self._html(folder + "x"))

    def _for_robots(self, path: str) -> Route:
        what = self._chance.choice(("noindex", "nofollow", "none", "noindex, follow"))
        if self._chance.random() < 0.5:
            return Reply(200, self._html(path), headers={"X-Robots-Tag": what})
        return Reply(200, f'<meta name="robots" content="{what}">' + self._html(path))

    def _slow(self, path: str) -> Handler:
        body, seconds = self._html(path), self._chance.random() / 50

        async def answer(_: Recorded, __: asyncio.StreamWriter) -> Reply:
            await asyncio.sleep(seconds)  # so that answers come in another order than requests
            return Reply(200, body)

        return answer

    def _packed(self, path: str) -> Route:
        body = gzip.compress(self._html(path, more="<p>again" * 500).encode(), mtime=0)
        return Reply(200, body, headers={"Content-Encoding": "gzip"})

    def _twin(self, path: str) -> Route:
        return Reply(200, f"<title>Twin</title><p>one of {self._chance.choice('abc')}")

    def _no_html(self, path: str) -> Route:
        kind = self._chance.choice(("application/json", "image/png", "text/plain", "text/css"))
        return Reply(200, f'<a href="/trap">{path}</a>', kind)

    def _error(self, path: str) -> Route:
        return Reply(self._chance.choice(ERRORS), self._html(path))

    def _broken(self, path: str) -> Route:
        return self._chance.choice((truncated(), no_location(), redirection("http://[/")))

    def _moved(self, path: str) -> Route:
        target = f"/moved/{path.strip('/').replace('/', '-').partition('?')[0]}"
        self._site.page(target, self._html(target))
        return redirection(target, self._chance.choice(REDIRECTS))

    def _old(self, path: str) -> Route:
        return redirection(self._chance.choice(self._targets), self._chance.choice(REDIRECTS))

    # Its links

    def _html(self, path: str, *, title: str = "Page", more: str = "") -> str:
        targets = self._links.get(path, []) + self._chance.sample(self._targets, 5)
        self._chance.shuffle(targets)
        anchors = "\n".join(f'<a href="{self._reference(path, to)}">x</a>' for to in targets)
        shy = '<a rel="nofollow" href="/one-way">x</a>' if self._chance.random() < 0.2 else ""
        return f"<!doctype html><title>{title} {path}</title>{more}\n{anchors}\n{shy}"

    def _reference(self, path: str, target: str) -> str:
        """One of the ways to write a link."""
        if not target.startswith("/"):
            return target
        base = self._site.url("")
        ways = [
            target,
            f"{base}{target}",
            f"{base.upper()}{target}",
            f"  {base.removeprefix('http:')}{target}#there ",
            f"/docs/./..{target}",
        ]
        if not target.endswith("/"):
            ways.append(relpath(target, dirname(path) or "/"))
        return self._chance.choice(ways).replace("&", "&amp;")
