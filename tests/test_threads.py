"""Threads: handlers may block, bugs come to light, and a stop waits for nobody for ever."""

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, current_thread

import pytest

from asyncmultispider import crawler
from asyncmultispider.crawler import Crawl
from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.model import Request, Result
from asyncmultispider.page import Page
from asyncmultispider.settings import Settings
from asyncmultispider.spider import Spider
from cli_crawls import FAST, check_books, check_complete, interrupt_twice, linked, numbered
from command import ledger, run, start
from crawling import QUICK, Crawled, deadline
from test_processes import spider_file
from webserver import Site

CrawlSite = Callable[..., Crawled]


def test_handlers_block_side_by_side(site: Site, crawl: CrawlSite) -> None:
    numbered(site, 12)
    together = Barrier(4)
    names: set[str] = set()
    spider = Spider()

    @spider.on("/?*")
    def meet(page: Page) -> None:
        together.wait(20)
        names.add(current_thread().name)

    crawled = crawl(site.url(), engine="threads", concurrency=4, make_spider=lambda: spider)
    assert set(crawled.states.values()) == {"done"}
    assert len(names) == 4


def test_one_thread_makes_a_sequential_crawl(site: Site, crawl: CrawlSite) -> None:
    paths = numbered(site, 20)
    crawl(site.url(), engine="threads", concurrency=1)
    assert site.peak == 1
    assert site.paths == ["/robots.txt", *paths]
    assert site.connections == 1


def test_a_bug_in_a_fetcher_comes_to_light(
    site: Site, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = numbered(site, 20)

    class Buggy(CurlFetcher):
        def fetch(self, request: Request) -> Result:
            return super().fetch(request) if request.url != site.url("/7") else 1 // 0

    monkeypatch.setattr(crawler, "CurlFetcher", Buggy)
    settings = Settings(seeds=(site.url(),), engine="threads", concurrency=4, **QUICK)
    with deadline(), Crawl(settings, directory).open() as crawl, pytest.raises(ZeroDivisionError):
        crawl.run()
    assert ledger(directory)[site.url("/7")] == ("leased", "")
    assert run("verify", directory).code == 0
    monkeypatch.undo()
    with deadline(), Crawl(settings, directory).open() as crawl:
        crawl.run()
    check_complete(site, directory, paths)


def test_ctrl_c_twice_leaves_a_stuck_handler_behind(
    site: Site, directory: Path, tmp_path: Path
) -> None:
    paths = linked(site, "/sleeps", "/spins", "/a")
    spider = spider_file(tmp_path, "stuck", site)
    command = ("run", spider, "-d", directory, "--json", *FAST, "--engine", "threads")
    with start(*command, "--per-host", "4", terminal=True) as process:
        for path in ("/in/sleeps", "/in/spins", "/a"):
            site.wait_until(lambda path=path: site.hits(path), 20)
        ended = interrupt_twice(process, 20)
    assert (ended.json["pages"], ended.json["queued"]) == (2, 2)
    check_books(directory, len(paths))
