"""Crawls of a test site, in this process, and what they leave on disk as an outsider sees it.

What holds after every crawl is asserted for every crawl: see `_check_books`.
"""

import contextlib
import json
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard

from asyncmultispider.crawler import Crawl
from asyncmultispider.observe import Observer
from asyncmultispider.settings import Settings
from asyncmultispider.spider import Spider
from asyncmultispider.stats import Summary
from webserver import Site

DEADLINE = 60
QUICK: dict[str, Any] = {"delay_factor": 0.0, "per_host": 8, "retries": 0, "timeout": 20.0}
"""Settings of the tests, where they don't say otherwise."""


@dataclass(frozen=True)
class Crawled:
    """A crawl that came to its end.

    `states` tells each URL's end: `done`, or with the reason, such as `failed:timeout`.
    """

    summary: Summary
    states: dict[str, str]
    pages: dict[str, sqlite3.Row]
    directory: Path

    def ends(self, site: Site) -> dict[str, str]:
        """The states of this site's URLs, by path and query."""
        base = site.url("")
        return {
            url.removeprefix(base): state
            for url, state in self.states.items()
            if url.startswith(f"{base}/")
        }

    def body(self, url: str) -> bytes:
        """The body of a page, unpacked."""
        query = "SELECT encoding, body FROM bodies WHERE digest=?"
        [(encoding, body)] = self.query("pages.db", query, self.pages[url]["digest"])
        assert encoding in ("identity", "zstd")
        return zstandard.ZstdDecompressor().decompress(body) if encoding == "zstd" else body

    def headers(self, url: str) -> dict[str, Any]:
        """The header fields of a page."""
        return json.loads(self.pages[url]["headers"])

    def query(self, file: str, sql: str, *values: object) -> list[sqlite3.Row]:
        """Ask one of the databases of the crawl directory."""
        with contextlib.closing(sqlite3.connect(self.directory / file)) as db:
            db.row_factory = sqlite3.Row
            return db.execute(sql, values).fetchall()


def crawl_site(
    tmp_path: Path,
    *urls: str,
    directory: Path | None = None,
    make_spider: Callable[[], Spider] | None = None,
    observers: Sequence[Observer] = (),
    **settings: Any,
) -> Crawled:
    """Crawl from these URLs in a directory of its own, unless one is given to be continued."""
    where = directory or Path(tempfile.mkdtemp(suffix=".crawl", dir=tmp_path))
    wanted = Settings(seeds=urls, **{**QUICK, **settings})
    with deadline(), Crawl(wanted, where, make_spider).open() as crawl:
        summary = crawl.run(observers)
        assert crawl.trouble is None
    crawled = Crawled(summary, {}, {}, where)
    for row in crawled.query("frontier.db", "SELECT url, state, reason FROM urls"):
        state = row["state"] if row["reason"] is None else f"{row['state']}:{row['reason']}"
        assert crawled.states.setdefault(row["url"], state) is state, "a URL was accepted twice"
    for row in crawled.query("pages.db", "SELECT * FROM pages"):
        crawled.pages[row["url"]] = row
    _check_books(crawled)
    return crawled


def links(*hrefs: str) -> str:
    """A page that links to these."""
    anchors = "".join(f'<a href="{href}">{href}</a>\n' for href in hrefs)
    return f"<!doctype html><title>Links</title>\n{anchors}"


def _check_books(crawled: Crawled) -> None:
    summary = crawled.summary
    states = Counter(state.partition(":")[0] for state in crawled.states.values())
    assert summary.stopped in ("finished", "limit")
    if summary.stopped == "finished":
        assert not states["queued"]
    assert states == Counter(
        done=summary.pages,
        failed=summary.failed,
        skipped=summary.skipped,
        suspended=summary.suspended,
        queued=summary.queued,
    )
    assert {u for u, state in crawled.states.items() if state == "done"} == crawled.pages.keys()
    digests = {row["digest"] for row in crawled.query("pages.db", "SELECT digest FROM bodies")}
    assert digests == {page["digest"] for page in crawled.pages.values()}
    for url, page in crawled.pages.items():
        body = crawled.body(url)
        assert sha256(body).digest() == page["digest"]
        assert len(body) == page["size"]


@contextlib.contextmanager
def deadline() -> Iterator[None]:
    """A crawl that does not end is a failed test. Not an Exception: those have their catchers."""

    def give_up(*_: object) -> None:
        pytest.fail(f"the crawl did not end within {DEADLINE} s")

    before = signal.signal(signal.SIGALRM, give_up)
    # Again and again: asyncio reports what is raised in a callback, and goes on.
    signal.setitimer(signal.ITIMER_REAL, DEADLINE, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
