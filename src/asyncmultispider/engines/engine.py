"""The engine: take, hand out, commit. The work itself is done by hands of one kind or another.

    while there is something to do: commit what is done, take as much as there is room for

Coroutines, threads and processes are the three kinds of `Hands`; the engine is the same for all.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from math import inf
from time import monotonic
from typing import Protocol

from asyncmultispider.engines.exchange import Exchange
from asyncmultispider.errors import StorageError
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


class Desk(Protocol):
    """Where hands bring what they have done. Only for the event loop's thread."""

    @property
    def overdue(self) -> bool:
        """Whether outcomes have waited too long: who keeps the loop busy should give way."""

    def hand_in(self, outcome: Outcome) -> None:
        """An outcome of a request that was handed out."""

    def begin(self, request: Request) -> None:
        """The answer to a suspect has come: this must be known before anybody works on it."""

    def forget(self, count: int) -> None:
        """So many requests come back as they were handed out: nobody began with them."""

    def fail(self, error: BaseException) -> None:
        """The crawl can't go on."""

    def wake(self) -> None:
        """Commit and take now."""


class Hands(Protocol):
    """Those who fetch and judge."""

    def at_work(self, desk: Desk) -> AbstractAsyncContextManager[None]:
        """Work while the block runs. What is in flight at its end is given up."""

    def room(self, out: int) -> int:
        """How many more requests they can take, when so many are out."""

    def put(self, requests: Sequence[Request]) -> None:
        """Hand out."""

    def drop(self) -> int:
        """Forget what was not begun, begin nothing more; how many requests were forgotten."""


class Engine:
    """Runs a crawl until it ends, or until `stop` is called on the loop's thread.

    Always true: `_out` requests were taken and not yet committed; each is with the hands or in
    `_done`.
    """

    def __init__(self, exchange: Exchange, hands: Hands) -> None:
        self._exchange = exchange
        self._hands = hands
        self._done: list[Outcome] = []
        self._weight = 0
        self._out = 0
        self._wake = asyncio.Event()
        self._bell: asyncio.TimerHandle | None = None
        self._deadline = inf
        self._trouble: BaseException | None = None
        self._stops = 0
        self.out_of_time = False

    async def run(self, max_time: float | None = None) -> None:
        """Work until nothing is left, or for so many seconds.

        Errors of the books (`StorageError`) come through.
        """
        loop = asyncio.get_running_loop()
        end = None if max_time is None else loop.call_later(max_time, self._end_in_time)
        async with self._hands.at_work(self):
            await self._trade_until_end()
            if end is not None:  # it ended by itself, though its hands may take some time
                end.cancel()
        self._commit()  # what hands that were stopped, or failed, still had to tell
        if self._trouble is not None:
            raise self._trouble

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._stops > 0

    def stop(self) -> None:
        """Take no more and finish what is in flight within `GRACE` seconds. Twice: stop now."""
        self._stops += 1
        if self._stops == 1:
            asyncio.get_running_loop().call_later(GRACE, self.stop)
        self.forget(self._hands.drop())
        if self._stops == 1:  # last, because it may fail: a terminal can be gone
            self._exchange.tell_stopping()

    def _end_in_time(self) -> None:
        # At once: a transfer may take long, and what is in flight now is fetched again next time.
        self.out_of_time = not self._stops
        self._stops += 2
        self.forget(self._hands.drop())

    @property
    def overdue(self) -> bool:
        """See `Desk.overdue`."""
        return monotonic() > self._deadline

    def hand_in(self, outcome: Outcome) -> None:
        """See `Desk.hand_in`."""
        if not self._done:
            self._deadline = monotonic() + LINGER
        self._done.append(outcome)
        if outcome.page is not None:
            self._weight += outcome.size
        # With as many done as still in flight, waiting for more would only leave hands idle.
        full = len(self._done) >= BATCH or self._weight >= HEAVY
        if full or 2 * len(self._done) >= self._out:
            self.wake()
        elif len(self._done) == 1:
            self._ring_in(LINGER)

    def begin(self, request: Request) -> None:
        """See `Desk.begin`."""
        try:
            self._exchange.begin(request)
        except StorageError as error:
            self.fail(error)

    def forget(self, count: int) -> None:
        """See `Desk.forget`."""
        self._out -= count
        self.wake()

    def fail(self, error: BaseException) -> None:
        """See `Desk.fail`."""
        self._trouble = self._trouble or error
        self.wake()

    def wake(self) -> None:
        """See `Desk.wake`."""
        self._wake.set()

    async def _trade_until_end(self) -> None:
        while not self._trade():
            await self._wake.wait()
            self._wake.clear()
            if self._bell is not None:
                self._bell.cancel()
                self._bell = None

    def _trade(self) -> bool:
        """Commit and take; whether that was the end."""
        if self._trouble is not None:
            return True
        self._commit()
        if self._stops:
            return self._stops > 1 or not self._out
        batch = self._exchange.take(self._hands.room(self._out), self._out)
        if batch.requests:
            self._out += len(batch.requests)
            self._hands.put(batch.requests)
        if batch.wait is not None:
            self._ring_in(batch.wait)
        return batch.ended and not self._out

    def _commit(self) -> None:
        done, self._done = self._done, []
        self._weight, self._deadline = 0, inf
        self._out -= len(done)
        self._exchange.commit(done)

    def _ring_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._bell is None or when < self._bell.when():
            if self._bell is not None:
                self._bell.cancel()
            self._bell = loop.call_at(when, self._wake.set)
