"""Coroutines on the engine's own event loop: many transfers in flight in one thread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from asyncmultispider.engines.engine import START_BELOW, Desk
from asyncmultispider.engines.handlers import TellBlocked, Watch, await_handler
from asyncmultispider.fetch.base import AsyncFetcher
from asyncmultispider.judge import Judge, Visit
from asyncmultispider.model import Request


class Coroutines:
    """Up to `concurrency` coroutines. They close the fetcher when they end.

    `tell_blocked` hears once of each handler that keeps the loop to itself.
    """

    def __init__(
        self,
        fetcher: AsyncFetcher,
        judge: Judge,
        concurrency: int,
        tell_blocked: TellBlocked | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._judge = judge
        self._concurrency = concurrency
        self._watch = Watch(tell_blocked) if tell_blocked is not None else None
        self._todo: asyncio.Queue[Request] = asyncio.Queue()
        self._hire: Callable[[], asyncio.Task[None]]
        self._workers: list[asyncio.Task[None]] = []
        self._resting = 0

    @asynccontextmanager
    async def at_work(self, desk: Desk) -> AsyncIterator[None]:
        """See `Hands.at_work`."""
        try:
            async with asyncio.TaskGroup() as group:
                self._hire = lambda: group.create_task(self._work(desk))
                yield
                for worker in self._workers:
                    worker.cancel()
        finally:
            await self._fetcher.aclose()

    def room(self, out: int) -> int:
        """See `Hands.room`."""
        return 0 if self._fetcher.buffered > START_BELOW else self._concurrency - out

    def put(self, requests: Sequence[Request]) -> None:
        """See `Hands.put`."""
        for request in requests:
            self._todo.put_nowait(request)
        while self._resting < self._todo.qsize():  # workers are hired when they are needed
            self._resting += 1
            self._workers.append(self._hire())

    def drop(self) -> int:
        """See `Hands.drop`."""
        dropped = 0
        while not self._todo.empty():
            self._todo.get_nowait()
            dropped += 1
        return dropped

    async def _work(self, desk: Desk) -> None:
        while True:
            request = await self._todo.get()
            self._resting -= 1
            result = await self._fetcher.fetch(request)
            while desk.overdue:  # pages that are much work must not keep the loop to themselves
                desk.wake()
                await asyncio.sleep(0)
            verdict = self._judge(request, result)
            if isinstance(verdict, Visit):
                verdict = await await_handler(self._judge, verdict, self._watch)
            self._resting += 1
            desk.hand_in(verdict)
