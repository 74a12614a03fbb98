"""Coroutines on the engine's own event loop: many transfers in flight in one thread."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from asyncmultispider.engines.engine import START_BELOW, Desk
from asyncmultispider.engines.handlers import TellBlocked, Watch, await_handler, outgoing
from asyncmultispider.fetch.base import AsyncFetcher
from asyncmultispider.judge import Judge, Visit
from asyncmultispider.model import Request
from asyncmultispider.quarantine import Quarantine
from asyncmultispider.retry import SUSPECT


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
        self._quarantine = Quarantine(judge.agent)
        self._one_reads = asyncio.Lock()
        self._todo: asyncio.Queue[Request] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._resting = 0
        self._held_back = False
        self._ended = False

    @asynccontextmanager
    async def at_work(self, desk: Desk) -> AsyncIterator[None]:
        """See `Hands.at_work`."""
        self._desk = desk
        try:
            yield
        finally:
            self._ended = True  # what comes now may come of a handler that was cut off
            for worker in self._workers:
                worker.cancel()
            self._quarantine.close()
            await asyncio.gather(*self._workers, return_exceptions=True)
            if self._watch is not None:
                self._watch.close()
            await self._fetcher.aclose()

    def room(self, out: int) -> int:
        """See `Hands.room`."""
        self._held_back = self._fetcher.buffered > START_BELOW
        return 0 if self._held_back else self._concurrency - out

    def put(self, requests: Sequence[Request]) -> None:
        """See `Hands.put`."""
        for request in requests:
            self._todo.put_nowait(request)
        while self._resting < self._todo.qsize():  # workers are hired when they are needed
            self._resting += 1
            self._workers.append(asyncio.get_running_loop().create_task(self._work()))

    def drop(self) -> int:
        """See `Hands.drop`."""
        dropped = 0
        while not self._todo.empty():
            self._todo.get_nowait()
            dropped += 1
        return dropped

    async def _work(self) -> None:
        try:
            while not self._ended:
                await self._work_on(await self._todo.get())
        except BaseException as bug:  # noqa: BLE001 - it is raised where the engine runs
            if not self._ended:
                self._desk.fail(bug)

    async def _work_on(self, request: Request) -> None:
        self._resting -= 1
        sent = outgoing(self._judge, request)
        result = await self._fetcher.fetch(sent) if isinstance(sent, Request) else sent
        if request.lost >= SUSPECT:
            self._desk.begin(request)
        if self._held_back:  # there may be room now, and this page's handler may take long
            self._desk.wake()
        while self._desk.overdue:  # pages that are much work must not keep the loop to themselves
            self._desk.wake()
            await asyncio.sleep(0)
        findings = None
        if (case := self._quarantine.case_in(request, result)) is not None:
            self._fetcher.hold(len(case.body))
            async with self._one_reads:  # the other threads of the loop are for handlers
                result, findings = await asyncio.to_thread(self._quarantine.read, request, case)
            self._fetcher.hold(-len(case.body))
        verdict = self._judge(request, result, findings)
        if isinstance(verdict, Visit):
            verdict = await await_handler(self._judge, verdict, self._watch)
        if not self._ended:
            self._resting += 1
            self._desk.hand_in(verdict)
