"""A pool of threads: each fetches and judges one request at a time, and may block."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic

from asyncmultispider.engines.engine import START_BELOW, Desk
from asyncmultispider.engines.handlers import call_handler, outgoing
from asyncmultispider.errors import UsageError
from asyncmultispider.fetch.base import Fetcher
from asyncmultispider.judge import Judge, Visit
from asyncmultispider.model import Outcome, Request
from asyncmultispider.quarantine import Quarantine
from asyncmultispider.retry import SUSPECT

PATIENCE = 5.0
"""Seconds for threads to end; one whose handler blocks for longer is left alone."""


class Threads:
    """Up to `concurrency` threads, each with a fetcher of its own. One makes a sequential crawl.

    Threads hand their outcomes over in `_done`, and call the loop when nobody has before.
    """

    def __init__(self, make_fetcher: Callable[[], Fetcher], judge: Judge, concurrency: int) -> None:
        self._make_fetcher = make_fetcher
        self._judge = judge
        self._quarantine = Quarantine(judge.agent)
        self._concurrency = concurrency
        self._todo: SimpleQueue[Request | None] = SimpleQueue()
        self._done: deque[Outcome | BaseException] = deque()
        self._called = False
        self._ended = False
        self._held_back = False
        self._busy = 0
        self._threads: list[Thread] = []
        self._fetchers: list[Fetcher] = []

    @asynccontextmanager
    async def at_work(self, desk: Desk) -> AsyncIterator[None]:
        """See `Hands.at_work`."""
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        try:
            yield
        finally:
            self.drop()
            self._ended = True  # what is handed over now may come of a fetch that was cut off
            for fetcher in self._fetchers:
                fetcher.cancel()
            self._quarantine.close()
            for _ in self._threads:
                self._todo.put(None)
            await asyncio.to_thread(self._join)

    def room(self, out: int) -> int:
        """See `Hands.room`."""
        held = sum(fetcher.buffered for fetcher in self._fetchers)
        self._held_back = held > START_BELOW
        return 0 if self._held_back else self._concurrency - out

    def put(self, requests: Sequence[Request]) -> None:
        """See `Hands.put`."""
        self._busy += len(requests)
        while len(self._threads) < min(self._busy, self._concurrency):
            self._start_thread()
        for request in requests:
            self._todo.put(request)

    def drop(self) -> int:
        """See `Hands.drop`."""
        dropped = 0
        if self._ended:  # what is in the queue tells the threads to end
            return dropped
        with suppress(Empty):
            while True:
                self._todo.get_nowait()
                dropped += 1
        self._busy -= dropped
        return dropped

    def _start_thread(self) -> None:
        # Daemons: a handler that never returns must not keep the process from ending.
        fetcher = self._make_fetcher()
        name = f"crawl-{len(self._threads) + 1}"
        thread = Thread(target=self._work, args=(fetcher,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            fetcher.close()
            most = len(self._threads)
            raise UsageError(
                f"the system allows only {most} threads: use a smaller --concurrency"
            ) from error
        self._fetchers.append(fetcher)
        self._threads.append(thread)

    def _work(self, fetcher: Fetcher) -> None:
        runner = asyncio.Runner()  # makes its loop when the first coroutine comes
        try:
            while (request := self._todo.get()) is not None:
                self._hand_over(self._work_on(request, fetcher, runner))
                fetcher.hold(0)
        except BaseException as bug:  # noqa: BLE001 - it is raised where the engine runs
            self._hand_over(bug)
        finally:
            fetcher.hold(0)
            fetcher.close()
            runner.close()

    def _work_on(self, request: Request, fetcher: Fetcher, runner: asyncio.Runner) -> Outcome:
        # Its own function: a thread that waits for work must not keep its last page.
        sent = outgoing(self._judge, request)
        result = fetcher.fetch(sent) if isinstance(sent, Request) else sent
        if request.lost >= SUSPECT:
            self._begin(request)
        if self._held_back:  # there may be room now, and this page's handler may take long
            self._call(self._desk.wake)
        findings = None
        if (case := self._quarantine.case_in(request, result)) is not None:
            fetcher.hold(len(case.body))
            result, findings = self._quarantine.read(request, case)
        verdict = self._judge(request, result, findings)
        if isinstance(verdict, Visit):
            fetcher.hold(0)  # it may take long, and others must go on
            verdict = call_handler(self._judge, verdict, runner)
        return verdict

    def _begin(self, request: Request) -> None:
        told = Event()

        def tell() -> None:
            self._desk.begin(request)
            told.set()

        self._call(tell)
        told.wait(PATIENCE)  # for ever it might be, when the loop has ended

    def _hand_over(self, done: Outcome | BaseException) -> None:
        self._done.append(done)
        if not self._called:
            self._called = True
            self._call(self._collect)

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits for this
            self._loop.call_soon_threadsafe(function)

    def _collect(self) -> None:
        self._called = False  # before, not after: what comes from now on calls again
        while self._done and not self._ended:
            done = self._done.popleft()
            if isinstance(done, BaseException):
                self._desk.fail(done)
            else:
                self._busy -= 1
                self._desk.hand_in(done)

    def _join(self) -> None:
        deadline = monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
