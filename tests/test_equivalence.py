"""Every engine comes to the same: one suite over generated sites, real ones, and trouble."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import equivalence_site
import equivalence_spiders as spiders
from asyncmultispider import politeness, retry
from asyncmultispider.engines import handlers
from asyncmultispider.observe import Observer
from asyncmultispider.page import Page
from asyncmultispider.spider import Spider
from cli_crawls import linked
from crawling import Crawled, links
from equivalence import ENGINES, Facts, ends, everything, in_every_engine, items, pages
from servers_nginx import installed, nginx_site
from webserver import Reply, Site, garbage, no_answer, reset, truncated, unfinished_chunks

CrawlSite = Callable[..., Crawled]

SORTS = {
    "done",
    "failed:http-404",
    "failed:http-500",
    "failed:truncated",
    "failed:too-large",
    "failed:bad-redirect",
    "failed:too-many-redirects",
    "skipped:robots",
    "skipped:noindex",
}
"""Some of the ends that URLs of the generated site come to."""
DOCS = ("postgresql-doc-15", Path("/usr/share/doc/postgresql-doc-15/html"))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a crawl that does not wait long before another try, and gives no host up.

    When there is as much trouble as here, giving up would depend on the order of answers.
    """
    monkeypatch.setattr(retry, "FIRST_DELAY", spiders.SOON)
    monkeypatch.setattr(politeness, "FIRST_BACKOFF", spiders.SOON)
    monkeypatch.setattr(politeness, "MAX_BACKOFF", spiders.SOON)
    monkeypatch.setattr(politeness, "STRIKES", 1_000)
    return {"make_spider": spiders.impatient}


# Sites


def test_a_site_of_all_sorts(site: Site, crawl: CrawlSite) -> None:
    equivalence_site.serve(site)
    crawled = in_every_engine(crawl, site.url(), max_body=equivalence_site.LARGEST)
    assert set(crawled.states.values()) >= SORTS
    assert len(crawled.pages) > 150
    asked = Counter(site.paths)
    assert set(asked.values()) == {len(ENGINES)}, "each asks for each URL once"
    refused = {url for url, state in crawled.states.items() if state == "skipped:robots"}
    wanted = crawled.states.keys() - refused | {site.url("/robots.txt")}
    assert {site.url(path) for path in asked} == wanted


def test_several_hosts(
    site: Site, other: Site, crawl: CrawlSite, impatient: dict[str, Any]
) -> None:
    with Site() as gone:
        closed = gone.url("/closed")
    with Site() as shy, Site(address="127.0.0.2") as foreign:
        shy.page("/robots.txt", "not now", status=503)
        other.robots("User-agent: *\nDisallow: /shut")
        for number in range(40):
            site.page(f"/{number}", links(other.url(f"/{number}"), f"/{number + 1}"))
            other.page(f"/{number}", links(site.url(f"/{number + 7}"), shy.url(f"/{number}")))
        private = ["http://10.0.0.1/", "http://[::1]:9/", foreign.url("/")]
        strange = ["http://no-such-host.invalid/a", "http://no-such-host.invalid/b", closed]
        site.page("/", links("/0", other.url("/shut"), *private, *strange))
        crawled = in_every_engine(
            crawl, site.url(), scope="any", allow_private=("127.0.0.1",), **impatient
        )
        assert foreign.requests == []
    assert Counter(crawled.states.values()) == {
        "done": 81,
        "failed:http-404": 7,
        "skipped:robots": 1,
        "suspended:robots-unavailable": 40,
        "failed:connect": 1,
        "failed:dns": 2,
        "failed:private-address": 2,
        "failed:bad-port": 1,
    }


def test_a_real_site(tmp_path: Path, crawl: CrawlSite) -> None:
    with nginx_site(tmp_path, installed(*DOCS)) as nginx:
        crawled = in_every_engine(crawl, f"{nginx.url}/", per_host=16)
    assert len(crawled.pages) > 1000


# Options


@pytest.mark.parametrize(
    "options",
    [
        {"depth": 0},
        {"depth": 3, "per_host": 2},
        {"exclude": ("/shop/*", "*.php?*")},
        {"include": ("/docs/*",), "exclude": ("/docs/deep/*",), "depth": 4},
        {"scope": "prefix"},
        {"ignore_robots": True, "max_body": 2_000},
    ],
    ids=str,
)
def test_options(site: Site, crawl: CrawlSite, options: dict[str, Any]) -> None:
    equivalence_site.serve(site, 120)
    seeds = ("/docs/", "/docs/deep/") if "scope" in options else ("/",)
    for seed in seeds[:-1]:
        site.page(seed, links(*(f"/docs/{n}" for n in range(100))))
    if "depth" in options:  # a redirect and a link of one level may come in either order
        options["exclude"] = (*options.get("exclude", ()), "/old/*")
    crawled = in_every_engine(crawl, *map(site.url, seeds), **options)
    assert crawled.summary.stopped == "finished"


@pytest.mark.parametrize("limit", [1, 40])
def test_limit(site: Site, crawl: CrawlSite, limit: int) -> None:
    equivalence_site.serve(site, 120)
    full = everything(crawl(site.url()))

    def stored(crawled: Crawled) -> Facts:
        assert len(crawled.pages) == limit
        assert crawled.summary.stopped == "limit"
        assert pages(crawled).items() <= full.items()
        return {}

    in_every_engine(crawl, site.url(), same=stored, limit=limit)
    in_every_engine(crawl, site.url(), limit=limit, per_host=1)


def test_one_after_the_other_in_the_same_directory(site: Site, crawl: CrawlSite) -> None:
    equivalence_site.serve(site)
    full = crawl(site.url())
    directory = None
    for number, engine in enumerate(ENGINES.values(), start=1):
        limit = 30 * number if number < len(ENGINES) else None
        crawled = crawl(site.url(), directory=directory, limit=limit, **engine)
        directory = crawled.directory
        assert len(crawled.pages) == (limit or len(full.pages))
    assert (ends(crawled), pages(crawled)) == (ends(full), pages(full))
    assert set(Counter(site.paths).values()) <= {2}, "what was fetched is not fetched again"


# Trouble


def test_trouble_that_passes_and_trouble_that_stays(
    site: Site, crawl: CrawlSite, impatient: dict[str, Any]
) -> None:
    kinds = {
        "500": Reply(500),
        "503": Reply(503),
        "429": Reply(429, headers={"Retry-After": "0"}),
        "reset": reset(),
        "cut": truncated(),
        "chunks": unfinished_chunks(),
        "garbage": garbage(),
    }
    once, twice, always = ({f"/{n}/{k}": r for k, r in kinds.items()} for n in (1, 2, 3))

    def serve() -> None:
        site.page("/", links(*once, *twice, *always, "/none", *(f"/{n}" for n in range(50))))
        site.page("/*", "<p>fine")
        for path, trouble in once.items():
            site.sequence(path, trouble, Reply(200, links(f"{path}/next")))
        for path, trouble in twice.items():
            site.sequence(path, trouble, trouble, Reply(200, links(f"{path}/next")))
        for path, trouble in always.items():
            site.route(path, trouble)
        # Not among the others: libcurl tries again by itself when a used connection is closed.
        site.route("/none", no_answer())

    crawled = in_every_engine(
        crawl, site.url(), prepare=serve, same=everything, retries=2, **impatient
    )
    assert crawled.summary.failed == len(always) + 1
    assert crawled.summary.pages == 51 + 2 * len(kinds) * 2


def test_answers_that_come_too_late(
    site: Site, crawl: CrawlSite, impatient: dict[str, Any]
) -> None:
    def serve() -> None:
        site.page("/", links("/late-once", "/late", *(f"/{n}" for n in range(20))))
        site.page("/*", "<p>fine")
        held = site.hold("/late")
        hold_then_answer(site, "/late-once", held.wait)

    def hold_then_answer(site: Site, path: str, wait: Callable[[], Any]) -> None:
        async def late(*_: object) -> Reply:
            await wait()
            return Reply()

        site.sequence(path, late, Reply(200, links("/next")))

    crawled = in_every_engine(
        crawl, site.url(), prepare=serve, same=ends, retries=1, timeout=0.3, **impatient
    )
    assert crawled.ends(site)["/late"] == "failed:timeout"
    assert Counter(crawled.states.values()) == {"done": 23, "failed:timeout": 1}


# Spiders


def serve_kinds(site: Site) -> None:
    """A page for each handler, with links that the spider does not follow by itself."""
    kinds = [f"/{handler.__name__}" for handler in spiders.HANDLERS]
    site.page("/", links(*kinds, "/plain-page"))
    for kind in kinds:
        site.page(kind, f"<title>{kind}</title>" + links("/by-all", "/by-all?2"))
    for path in ("/plain-page", "/by-all", *spiders.TRAIL):
        site.page(path, f"<title>{path}</title>")


def test_handlers_of_every_kind(site: Site, crawl: CrawlSite) -> None:
    serve_kinds(site)
    crawled = in_every_engine(crawl, site.url(), make_spider=spiders.of_every_kind)
    by_page: dict[str, list[object]] = {}
    for (_, url, _), data in sorted(items(crawled).items()):
        by_page.setdefault(url.removeprefix(site.url("/")), []).append(json.loads(str(data)))
    assert by_page.keys() == {handler.__name__ for handler in spiders.HANDLERS} - {
        *spiders.SILENT,
        *spiders.WRONG,
    }
    assert by_page["coroutine"] == by_page["returns_awaitable"]
    assert by_page["coroutine"] == [{"amount": 2.0, "currency": "EUR"}]
    assert by_page["async_generator"] == [{"n": n} for n in range(5)]
    assert by_page["in_tasks"] == [{"square": n * n} for n in range(4)]
    ended = crawled.ends(site)
    assert {path: end for path, end in ended.items() if end != "done"} == {
        **{f"/{wrong}": "failed:handler" for wrong in spiders.WRONG},
        "/missing": "failed:http-404",
    }
    assert crawled.states["http://elsewhere.example/"] == "skipped:scope"
    assert ended.keys() > {*spiders.TRAIL, "/by-all", "/by-all?2", "/plain-page"}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_handler_raised_is_in_the_ledger(site: Site, crawl: CrawlSite, engine: str) -> None:
    serve_kinds(site)
    crawled = crawl(site.url("/raises"), make_spider=spiders.of_every_kind, **ENGINES[engine])
    assert crawled.ends(site) == {"/raises": "failed:handler"}
    [(detail,)] = crawled.query("frontier.db", "SELECT detail FROM tries")
    assert detail.startswith("Traceback (most recent call last)")
    assert "equivalence_spiders.py" in detail
    assert detail.rstrip().endswith("LookupError: no price in /raises")


# Handlers that keep the loop to themselves


class Told(Observer):
    """Remembers which handlers blocked."""

    def __init__(self) -> None:
        self.handlers: list[str] = []

    def blocked(self, handler: str, seconds: float) -> None:
        assert seconds > handlers.BLOCKING
        self.handlers.append(handler.rpartition(".")[2])


def test_handlers_that_block_the_loop_are_told_of_once(
    site: Site, crawl: CrawlSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "BLOCKING", 0.1)

    def plain(page: Page) -> None:
        time.sleep(0.15)

    def generator(page: Page) -> Iterator[dict[str, int]]:
        yield {"n": 1}
        time.sleep(0.15)

    async def coroutine(page: Page) -> None:
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 - this is what must be told
        await asyncio.sleep(0)

    async def patient(page: Page) -> None:
        await asyncio.sleep(0.15)

    spider, told = Spider(), Told()
    for handler in (plain, generator, coroutine, patient):
        spider.on(f"/{handler.__name__}*")(handler)
    paths = [f"/{h.__name__}{n}" for h in (plain, generator, coroutine, patient) for n in (1, 2)]
    linked(site, *paths)
    crawl(site.url(), make_spider=lambda: spider, observers=[told])
    assert sorted(told.handlers) == ["coroutine", "generator", "plain"]
