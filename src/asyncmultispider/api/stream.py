"""Iterating over what a crawl brings, in plain and in async code."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Event
from time import monotonic
from typing import Any, NoReturn, TypeVar

from asyncmultispider.api.background import Background
from asyncmultispider.api.delivery import Empty, Ended
from asyncmultispider.api.feeds import Feed

V = TypeVar("V")

PATIENCE = 0.005
"""Seconds of pages that were there at once, after which others on the loop have their turn."""


def iterate(crawl: Background, feed: Feed[Any, V]) -> Iterator[V]:
    """What the feed brings, as it comes. Leaving early ends the crawl, and waits for that."""
    news = Event()
    feed.delivery.ring = news.set
    whole = False
    try:
        crawl.start()
        while True:
            try:
                thing = feed.delivery.take()
            except Empty:
                news.wait()
                news.clear()
            except Ended:
                break
            else:
                yield from feed.unpack(thing)
        whole = True
    finally:
        feed.close()
        (feed.leave if whole else crawl.give_up)()
        crawl.join()
    crawl.raise_error()


class AsyncStream(AsyncIterator[V]):
    """The same on an event loop. Who leaves early ends the crawl, and `aclose` waits for that.

    No generator: that would be told on a later turn of its loop that it was left, if there is one.
    """

    def __init__(self, crawl: Background, feed: Feed[Any, V]) -> None:
        self._crawl = crawl
        self._feed = feed
        self._unpacked: deque[V] = deque()
        self._news: asyncio.Event | None = None
        self._waited = 0.0
        self._over = False

    async def __anext__(self) -> V:
        """See `AsyncIterator.__anext__`."""
        try:
            if self._over:
                raise StopAsyncIteration
            return await self._next()
        except BaseException:  # who hears of it may keep it, and us with it
            self._leave()
            raise

    async def aclose(self) -> None:
        """End the crawl, and wait for that."""
        self._leave()
        await until_ended(self._crawl)

    def __del__(self) -> None:
        self._leave()

    async def _next(self) -> V:
        news = self._news or self._begin()
        while not self._unpacked:
            try:
                self._unpacked.extend(self._feed.unpack(self._feed.delivery.take()))
            except Empty:
                await self._wait(news)
            except Ended:
                await self._end()
        if monotonic() - self._waited > PATIENCE:
            await self._wait()
        return self._unpacked.popleft()

    def _begin(self) -> asyncio.Event:
        news = self._news = asyncio.Event()
        self._feed.delivery.ring = partial(_call, asyncio.get_running_loop(), news.set)
        self._crawl.start()
        return news

    async def _wait(self, news: asyncio.Event | None = None) -> None:
        if news is None:
            await asyncio.sleep(0)
        else:
            await news.wait()
            news.clear()
        self._waited = monotonic()

    async def _end(self) -> NoReturn:
        self._over = True
        self._feed.close()
        self._feed.leave()
        await until_ended(self._crawl)
        self._crawl.raise_error()
        raise StopAsyncIteration

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._feed.close()
            self._crawl.give_up()


async def until_ended(crawl: Background) -> None:
    """Wait for the end of a crawl, if it has begun."""
    ended = asyncio.Event()
    if crawl.when_ended(partial(_call, asyncio.get_running_loop(), ended.set)):
        await ended.wait()
    crawl.join()


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has ended: nobody waits there
        loop.call_soon_threadsafe(what)
