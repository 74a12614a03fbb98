"""A crash after pages were stored and before the ledger knows of it."""

from collections import Counter
from pathlib import Path

import pytest

from asyncmultispider import crawler
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import FRONTIER, PAGES
from asyncmultispider.errors import StorageError
from asyncmultispider.fetch.fake import FakeWeb
from asyncmultispider.frontier.base import Changes
from asyncmultispider.frontier.reader import reading
from asyncmultispider.frontier.sqlite import SqliteLedger
from asyncmultispider.model import State
from asyncmultispider.settings import Settings
from asyncmultispider.stats import Summary
from asyncmultispider.store.reader import read_pages

A = "http://a.example"
SITE = 60


def make_web() -> FakeWeb:
    """A binary tree of pages."""
    return FakeWeb(
        {
            f"{A}/{n}": "".join(f"<a href=/{m}>" for m in (2 * n + 1, 2 * n + 2) if m < SITE)
            for n in range(SITE)
        }
    )


class Crash:
    """The n-th time that pages are to be settled, the ledger fails.

    With `lasting` nothing is written afterwards, as if the process had been killed then; without,
    the run still gives its leases back.
    """

    def __init__(self, nth: int, *, lasting: bool) -> None:
        self.left = nth
        self._lasting = lasting
        self._apply = SqliteLedger.apply

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(SqliteLedger, "apply", lambda ledger, changes: self(ledger, changes))

    def __call__(self, ledger: SqliteLedger, changes: Changes) -> None:
        stored = any(settled.state is State.DONE for settled in changes.settled)
        self.left -= stored
        if self.left == 0 and (stored or self._lasting):
            self.left = 0 if self._lasting else -1
            raise StorageError("the power went off")
        self._apply(ledger, changes)


def run(directory: Path, web: FakeWeb, crash: Crash | None = None, **options: int) -> Summary:
    settings = Settings(
        seeds=(f"{A}/0",), delay_factor=0, per_host=4, concurrency=4, ignore_robots=True, **options
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crawler, "AsyncCurlFetcher", lambda _: web)
        if crash is not None:
            crash.patch(patch)
        with Crawl(settings, directory).open() as crawl:
            summary = crawl.run()
    assert (summary.stopped == "failed") == (crash is not None)
    return summary


def stored(directory: Path) -> set[str]:
    urls = [page.url for page in read_pages(directory / PAGES)]
    assert len(urls) == len(set(urls))
    return set(urls)


def states(directory: Path) -> dict[str, str]:
    with reading(directory / FRONTIER) as ledger:
        return {url: state for state, _, url in ledger.rows(None, None)}


def orphans(directory: Path) -> set[str]:
    """Pages that are stored, though the ledger does not say that they are done."""
    return stored(directory) - {url for url, state in states(directory).items() if state == "done"}


crashes = pytest.mark.parametrize("lasting", [True, False], ids=["killed", "failed once"])
moments = pytest.mark.parametrize("nth", [1, 2, 4, 7])


@crashes
@moments
def test_a_limit_is_kept_across_a_crash(directory: Path, nth: int, lasting: bool) -> None:
    web = make_web()
    run(directory, web, Crash(nth, lasting=lasting), limit=40)
    assert orphans(directory)
    summary = run(directory, web, limit=40)
    assert (summary.stopped, summary.pages) == ("limit", 40)
    assert len(stored(directory)) == 40


@crashes
@moments
def test_after_a_crash_every_page_is_there_once(directory: Path, nth: int, lasting: bool) -> None:
    web = make_web()
    run(directory, web, Crash(nth, lasting=lasting))
    repeated = orphans(directory)
    assert repeated
    summary = run(directory, web)
    assert (summary.stopped, summary.pages) == ("finished", SITE)
    assert stored(directory) == states(directory).keys() == web.pages.keys()
    assert set(states(directory).values()) == {"done"}
    assert web.requests == Counter({url: 1 + (url in repeated) for url in web.pages})


@crashes
@moments
def test_a_page_that_is_gone_after_a_crash_has_no_row(
    directory: Path, nth: int, lasting: bool
) -> None:
    web = make_web()
    run(directory, web, Crash(nth, lasting=lasting))
    gone = orphans(directory)
    assert gone
    for url in gone:
        del web.pages[url]
    summary = run(directory, web)
    ends = states(directory)
    assert {url for url, state in ends.items() if state == "failed"} == gone
    assert stored(directory) == {url for url, state in ends.items() if state == "done"}
    assert summary.pages == len(stored(directory))
    assert summary.failed == len(gone)
