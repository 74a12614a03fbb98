"""Whole sites, crawled and compared with two outside witnesses.

One is a walk with the standard library (`witness`), the other `wget2 -r`. The sites are packages of
Debian, served by nginx, whose access log says what was really asked for. They have thousands of
pages, odd old HTML, broken links, eleven languages and six charsets.
"""

import os
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import FRONTIER, PAGES
from asyncmultispider.frontier.reader import reading
from asyncmultispider.model import State
from asyncmultispider.settings import Settings
from asyncmultispider.stats import Summary
from servers_nginx import Nginx, installed, need, nginx_site
from witness import Seen, walk

SITES = {
    "python3.11-doc": ("/usr/share/doc/python3.11/html", "/"),
    "libboost1.81-doc": ("/usr/share/doc/libboost1.81-doc", "/doc/html/index.html"),
    "cppreference-doc-en-html": ("/usr/share/cppreference/doc/html", "/en/index.html"),
    "apache2-doc": ("/usr/share/doc/apache2-doc/manual", "/"),
    "postgresql-doc-15": ("/usr/share/doc/postgresql-doc-15/html", "/"),
}
WGET2 = ["wget2", "-r", "-l", "inf", "--no-robots", "--max-threads=16", "-q"]
WGET2_FINE = (0, 8)
"""8: some URL was answered with an error, as broken links are."""
FEWEST_PAGES = 500
_TIMEOUT = 120.0


@dataclass(frozen=True)
class Visit:
    """A site, and what each visitor made of it. The logs are (status, URL) as nginx wrote them."""

    root: str
    summary: Summary
    directory: Path
    log: list[tuple[int, str]]
    reachable: dict[str, Seen]
    wget2_log: list[tuple[int, str]]

    @cached_property
    def pages(self) -> dict[str, tuple[int, int]]:
        """Status and size of each URL that is stored."""
        with closing(sqlite3.connect(self.directory / PAGES)) as db:
            rows = db.execute("SELECT url, status, size FROM pages")
            return {url: (status, size) for url, status, size in rows}

    @cached_property
    def ledger(self) -> dict[str, tuple[str, str | None]]:
        """State and reason of each URL that the crawl knows."""
        with reading(self.directory / FRONTIER) as ledger:
            return {url: (state, reason) for state, reason, url in ledger.rows(None, None)}


@pytest.fixture(scope="module", params=SITES)
def visit(request: pytest.FixtureRequest) -> Iterator[Visit]:
    """All visitors come one after the other, to the same server; nothing of it stays."""
    folder, start = SITES[request.param]
    root = installed(request.param, Path(folder))
    need("wget2")
    with TemporaryDirectory() as name, nginx_site(Path(name), root) as nginx:
        seed, home = nginx.url + start, Path(name)
        summary = _crawl(seed, home / "crawl")
        ours = _log(nginx)
        reachable = walk(seed)
        before = len(nginx.access_log())
        _wget2(seed, home / "wget2")
        yield Visit(nginx.url, summary, home / "crawl", ours, reachable, _log(nginx, before))


def _log(nginx: Nginx, start: int = 0) -> list[tuple[int, str]]:
    return [(status, nginx.url + uri) for status, uri in nginx.access_log()[start:]]


def _crawl(seed: str, directory: Path) -> Summary:
    settings = Settings(seeds=(seed,), per_host=16, delay_factor=0)
    with Crawl(settings, directory).open() as crawl:
        return crawl.run()


def _wget2(seed: str, folder: Path) -> None:
    done = subprocess.run(
        [*WGET2, "-P", str(folder), seed],
        env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        stdin=subprocess.DEVNULL,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode in WGET2_FINE


def test_stores_exactly_the_pages_that_are_reachable(visit: Visit) -> None:
    ours = {url: size for url, (status, size) in visit.pages.items() if status == 200}
    theirs = {url: seen.size for url, seen in visit.reachable.items() if seen.status == 200}
    assert len(theirs) > FEWEST_PAGES
    assert theirs.keys() - ours.keys() == set()
    assert ours.keys() - theirs.keys() == set()
    assert {url for url in ours if ours[url] != theirs[url]} == set()


def test_stores_redirects_and_nothing_else(visit: Visit) -> None:
    ours = {url: status for url, (status, _) in visit.pages.items() if status != 200}
    assert ours == {
        url: seen.status for url, seen in visit.reachable.items() if 300 <= seen.status < 400
    }


def test_fetches_each_url_once_and_robots_txt_first(visit: Visit) -> None:
    assert visit.log[0] == (404, f"{visit.root}/robots.txt")
    asked = Counter(url for _, url in visit.log[1:])
    # nginx answers 400 to a target that it can't read, and logs a dash in its place.
    unread = {url for url, seen in visit.reachable.items() if seen.status == 400}
    assert asked.pop(f"{visit.root}-", 0) == len(unread)
    assert [url for url, times in asked.items() if times > 1] == []
    assert asked.keys() == visit.reachable.keys() - unread


def test_fails_only_where_the_site_is_broken(visit: Visit) -> None:
    failed = {url: why for url, (state, why) in visit.ledger.items() if state == State.FAILED}
    assert failed == {
        url: f"http-{seen.status}" for url, seen in visit.reachable.items() if seen.status >= 400
    }


def test_every_link_is_in_the_ledger(visit: Visit) -> None:
    links = {link for seen in visit.reachable.values() for link in seen.links}
    away = {url for url in links if not url.startswith(f"{visit.root}/")}
    skipped = {url for url, end in visit.ledger.items() if end == (State.SKIPPED, "scope")}
    assert away - skipped == set()
    assert skipped - away == set()
    assert visit.ledger.keys() - skipped == visit.reachable.keys()


def test_books_balance(visit: Visit) -> None:
    summary = visit.summary
    states = Counter(state for state, _ in visit.ledger.values())
    assert summary.stopped == "finished"
    assert (summary.queued, summary.suspended) == (0, 0)
    assert states == Counter(done=summary.pages, failed=summary.failed, skipped=summary.skipped)
    assert summary.pages + summary.failed + summary.skipped == len(visit.ledger)
    assert summary.pages == len(visit.pages)
    assert summary.fetched == summary.pages + summary.failed == len(visit.log) - 1
    assert summary.bytes == sum(size for _, size in visit.pages.values())


def test_wget2_finds_the_same_html(visit: Visit) -> None:
    """What it finds besides is what pages are made of: images, CSS, scripts, and CSS's fonts.

    One rule differs. wget2 repairs a percent sign that escapes nothing (`operator%.html`) to %25;
    the URL standard keeps it, so do browsers and we, and nginx answers 400.
    """
    theirs = {url for status, url in visit.wget2_log if status == 200}
    repaired = {
        url for url in theirs if visit.ledger.get(url.replace("%25", "%"), ("",))[0] == State.FAILED
    }
    ours = {url for url, (status, _) in visit.pages.items() if status == 200}
    assert ours - theirs == set()
    assert {url for url in theirs - ours - repaired if _is_html(url)} == set()


def _is_html(url: str) -> bool:
    return url.endswith(("/", ".html", ".htm"))
