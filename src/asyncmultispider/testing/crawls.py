"""A crawl of a web in memory, to test a spider with: no sockets, no files, no waiting."""

import asyncio
import json
from typing import Any

from msgspec import Struct

from asyncmultispider.engines.handlers import call_handler, outgoing
from asyncmultispider.fetch.fake import FakeWeb
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.memory import MemoryLedger
from asyncmultispider.judge import Judge, Visit
from asyncmultispider.model import FINAL, Outcome, PageRow, Request
from asyncmultispider.settings import Settings
from asyncmultispider.spider import Spider
from asyncmultispider.store.memory import MemoryStore
from asyncmultispider.testing.clock import FakeClock
from asyncmultispider.urls import parse_seed

ROOM = 64
"""Requests that are in flight at once."""


class FakeCrawl(Struct, frozen=True, kw_only=True):
    """What a crawl of a `FakeWeb` came to.

    `items` in the order in which their pages came, `pages` by URL. `ends` tells how each URL ended:
    `done`, or with a reason, such as `failed: http-404`; `details` says more, such as the
    traceback of a handler.
    """

    items: list[Any]
    pages: dict[str, PageRow]
    ends: dict[str, str]
    details: dict[str, str]


def run_spider(spider: Spider, web: FakeWeb, **settings: Any) -> FakeCrawl:
    """Crawl this web with a spider, from its seeds, to the end. `settings` are those of `Settings`.

    Time passes at once, as when nobody waits: pauses and retries cost nothing.
    """
    seeds = settings.pop("seeds", None) or spider.seeds
    sitemaps = (*settings.pop("sitemap", ()), *spider.sitemaps)
    wanted = Settings(
        seeds=tuple(parse_seed(seed)[0] for seed in seeds),
        sitemap=tuple(parse_seed(url)[0] for url in sitemaps),
        **settings,
    )
    with asyncio.Runner() as runner:
        return _Crawl(wanted, spider, web, runner).run()


class _Crawl:
    def __init__(
        self, settings: Settings, spider: Spider, web: FakeWeb, runner: asyncio.Runner
    ) -> None:
        self._clock = clock = FakeClock()
        self._ledger = MemoryLedger(clock.time)
        self._frontier = LocalFrontier(
            self._ledger, settings, now=clock.monotonic(), wall=clock.time()
        )
        self._limit = settings.limit
        self._store = MemoryStore()
        self._judge = Judge(settings, spider)
        self._web = web
        self._runner = runner
        self._items: list[Any] = []
        self._details: dict[str, str] = {}

    def run(self) -> FakeCrawl:
        self._frontier.add(self._judge.seeds())
        while self._limit is None or len(self._store.pages) < self._limit:
            batch = self._frontier.take(self._room(), self._clock.monotonic(), "test")
            for request in batch.requests:
                self._settle(self._work_on(request))
            if batch.ended:
                break
            if not batch.requests and batch.wait is not None:
                self._clock.advance(batch.wait)
        return self._result()

    def _room(self) -> int:
        return ROOM if self._limit is None else min(ROOM, self._limit - len(self._store.pages))

    def _work_on(self, request: Request) -> Outcome:
        sent = outgoing(self._judge, request)
        result = self._web.answer(sent) if isinstance(sent, Request) else sent
        verdict = self._judge(request, result)
        if isinstance(verdict, Visit):
            return call_handler(self._judge, verdict, self._runner)
        return verdict

    def _settle(self, outcome: Outcome) -> None:
        self._store.write([outcome])
        self._frontier.finish([outcome], self._clock.monotonic())
        self._items += map(json.loads, outcome.items)
        if outcome.detail is not None and outcome.state in FINAL:
            self._details[outcome.request.url] = outcome.detail

    def _result(self) -> FakeCrawl:
        ends = {}
        for row in self._ledger.rows.values():
            reason = f": {row.reason}" if row.reason else ""
            ends[row.born.link.url] = f"{row.state.value}{reason}"
        return FakeCrawl(
            items=self._items, pages=self._store.pages, ends=ends, details=self._details
        )
