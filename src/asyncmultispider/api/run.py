"""`Run`: a crawl as its user has it."""

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from asyncmultispider.api.background import Background, Consumer, Task
from asyncmultispider.api.feeds import Feed, Items, Nobody, Pages
from asyncmultispider.api.stream import AsyncStream, iterate, until_ended
from asyncmultispider.errors import CrawlError
from asyncmultispider.page import Page
from asyncmultispider.stats import Summary

V = TypeVar("V")


class Both(Generic[V]):
    """Iterable in plain and in async code, once."""

    def __init__(self, begin: Callable[[], tuple[Background, Feed[Any, V]]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[V]:
        return iterate(*self._begin())

    def __aiter__(self) -> AsyncIterator[V]:
        return AsyncStream(*self._begin())


class Once:
    """A crawl that can be begun once. `with` and `async with` end it when their block is left.

    Without a task there is nothing to do, and it ends at once.
    """

    def __init__(self, task: Task | None) -> None:
        self._task = task
        self._crawl: Background | None = None
        self._stopped = False

    @property
    def summary(self) -> Summary | None:
        """How the crawl stands, once it has ended; None before that, and where it could not run."""
        return None if self._crawl is None else self._crawl.summary

    def stop(self) -> None:
        """Take no more URLs, finish what is in flight, and end. From any thread; returns at once.

        What was asked for is still handed out. It takes ten seconds at most.
        """
        self._stopped = True
        if self._crawl is not None:
            self._crawl.stop()

    def close(self) -> None:
        """End it now, and wait for that. What is in flight is fetched when the crawl goes on.

        Raises the `CrawlError` that it ended with, if nobody was told of it.
        """
        crawl = self._give_up()
        crawl.join()
        crawl.raise_error()

    async def aclose(self) -> None:
        """The same in async code."""
        crawl = self._give_up()
        await until_ended(crawl)
        crawl.raise_error()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _second_to(error):
            self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _second_to(error):
            await self.aclose()

    def _both(self, feed: Feed[Any, V]) -> Both[V]:
        def begin() -> tuple[Background, Feed[Any, V]]:
            return self._begin(feed), feed

        return Both(begin)

    def _give_up(self) -> Background:
        if self._crawl is None:
            self._crawl = Background(self._task, Nobody())  # so that it can't begin any more
        self._crawl.give_up()
        return self._crawl

    def _begin(self, consumer: Consumer) -> Background:
        if self._crawl is not None:
            raise RuntimeError("a crawl runs once: call crawl(...) or fetch_all(...) again")
        self._crawl = Background(self._task, consumer)
        if self._stopped:
            self._crawl.stop()
        return self._crawl


class Run(Once):
    """A crawl. Iterated, it yields each `Page` when it is in the books; redirects are pages, too.

    It begins with the first page that is asked for, in a thread of its own, and may be iterated
    once: `for page in run`, `async for page in run`, the same over `run.items()`, or just
    `run.run()` or `await run`. Raises `UsageError` for what can't be crawled so, `StorageError`
    when a disk fails.
    """

    def __iter__(self) -> Iterator[Page]:
        return iter(self._both(Pages()))

    def __aiter__(self) -> AsyncIterator[Page]:
        return aiter(self._both(Pages()))

    def items(self) -> Both[Any]:
        """What the handlers yield, decoded from JSON, once it is in the books."""
        return self._both(Items())

    def run(self) -> Summary:
        """Crawl to the end; how it went."""
        crawl = self._begin(Nobody())
        try:
            crawl.start()
            crawl.join()
        except BaseException:  # Ctrl-C
            crawl.give_up()
            crawl.join()
            raise
        return _summary(crawl)

    def __await__(self) -> Generator[Any, None, Summary]:
        return self._arun().__await__()

    async def _arun(self) -> Summary:
        crawl = self._begin(Nobody())
        try:
            crawl.start()
            await until_ended(crawl)
        except BaseException:  # cancelled
            crawl.give_up()
            raise
        return _summary(crawl)


def _second_to(error: BaseException | None) -> AbstractContextManager[None]:
    # What made its user leave is told, not what came of that.
    return nullcontext() if error is None else suppress(CrawlError)


def _summary(crawl: Background) -> Summary:
    crawl.raise_error()
    assert crawl.summary is not None  # noqa: S101 - without an error it was run
    return crawl.summary
