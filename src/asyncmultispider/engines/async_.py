"""The event loop: `concurrency` transfers in flight in one thread."""

import asyncio

from asyncmultispider.engines.exchange import Exchange
from asyncmultispider.errors import StorageError
from asyncmultispider.fetch.base import AsyncFetcher
from asyncmultispider.judge import Judge
from asyncmultispider.model import Outcome, Request

LINGER = 0.02
"""Most seconds that an outcome waits for others to be committed with."""
BATCH = 256
"""Outcomes that are committed without waiting for more."""
HEAVY = 8 * 2**20
"""Body bytes of outcomes that are committed without waiting for more."""
START_BELOW = 32 * 2**20
"""Body bytes of transfers in flight above which nothing new is started."""
GRACE = 10.0
"""Seconds for what is in flight when the user asks to stop."""


class AsyncEngine:
    """Runs a crawl until it ends, or until `stop` is called on the loop's thread.

    Always true: `_out` requests were taken and not yet committed; each is in `_todo`, with a
    worker, or in `_done`.
    """

    def __init__(
        self, exchange: Exchange, fetcher: AsyncFetcher, judge: Judge, concurrency: int
    ) -> None:
        self._exchange = exchange
        self._fetcher = fetcher
        self._judge = judge
        self._concurrency = concurrency
        self._todo: asyncio.Queue[Request] = asyncio.Queue()
        self._done: list[Outcome] = []
        self._weight = 0
        self._out = 0
        self._wake = asyncio.Event()
        self._bell: asyncio.TimerHandle | None = None
        self._stops = 0

    async def run(self) -> None:
        """Take, fetch, judge, commit, until nothing is left. `StorageError` comes through."""
        trouble: StorageError | None = None
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(self._concurrency)]
            try:
                await self._trade_until_end()
            except StorageError as error:  # raised below: a task group would wrap it up
                trouble = error
            for worker in workers:
                worker.cancel()
        if trouble is not None:
            raise trouble

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._stops > 0

    def stop(self) -> None:
        """Take no more and finish what is in flight within `GRACE` seconds. Twice: stop now."""
        self._stops += 1
        if self._stops == 1:
            asyncio.get_running_loop().call_later(GRACE, self.stop)
        while not self._todo.empty():
            self._todo.get_nowait()
            self._out -= 1
        self._wake.set()
        if self._stops == 1:  # last, because it may fail: a terminal can be gone
            self._exchange.tell_stopping()

    async def _work(self) -> None:
        while True:
            request = await self._todo.get()
            self._hand_in(self._judge(request, await self._fetcher.fetch(request)))

    def _hand_in(self, outcome: Outcome) -> None:
        self._done.append(outcome)
        if outcome.page is not None:
            self._weight += len(outcome.page.body)
        # With as many done as still in flight, waiting for more would only leave workers idle.
        full = len(self._done) >= BATCH or self._weight >= HEAVY
        if full or 2 * len(self._done) >= self._out:
            self._wake.set()
        elif len(self._done) == 1:
            self._ring_in(LINGER)

    async def _trade_until_end(self) -> None:
        while True:
            wait = self._trade()
            if self._stops > 1 or (wait is None and not self._out):
                return
            if wait is not None:
                self._ring_in(wait)
            await self._wake.wait()
            self._wake.clear()
            if self._bell is not None:
                self._bell.cancel()
                self._bell = None

    def _trade(self) -> float | None:
        done, self._done = self._done, []
        self._weight = 0
        self._out -= len(done)
        self._exchange.commit(done)
        if self._stops or self._fetcher.buffered > START_BELOW:
            return None
        batch = self._exchange.take(self._concurrency - self._out, self._out)
        self._out += len(batch.requests)
        for request in batch.requests:
            self._todo.put_nowait(request)
        return batch.wait

    def _ring_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._bell is None or when < self._bell.when():
            if self._bell is not None:
                self._bell.cancel()
            self._bell = loop.call_at(when, self._wake.set)
