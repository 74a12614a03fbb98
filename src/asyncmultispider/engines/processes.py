"""Processes, each with an event loop of its own: this is the supervisor's side.

The supervisor owns the frontier, so pace is decided in one place. Workers fetch, judge and store;
what they report has no bodies in it. A worker that dies takes nothing along: its leases are
outcomes of the kind `lost`, and a new one takes its place.

A URL that was lost more than once is a suspect: it is fetched alone, in a worker of its own (the
ward). If that dies, too, there is no doubt about the culprit.
"""

import asyncio
import signal
import socket
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from time import monotonic, time

from msgspec import structs

from asyncmultispider.engines.engine import Desk
from asyncmultispider.engines.wire import Line, Report, Work
from asyncmultispider.errors import StorageError, WorkerError
from asyncmultispider.model import Outcome, Reason, Request, RobotsAnswer, State
from asyncmultispider.store.base import Store
from asyncmultispider.system import signal_mask

SUSPECT = 2
"""Lost tries after which a URL is fetched alone."""
POISON = 2
"""Deaths of a worker that was alone with a URL before it is given up."""
FALSE_STARTS = 3
"""Workers in a row that die before they are ready, before the crawl is given up."""
MOST_DEATHS = 20
"""Workers in a row that die without an outcome between, before the crawl is given up."""
SOON = 0.005
"""Seconds between two looks at a worker whose line is down."""
PATIENCE = 5.0
"""Seconds for workers to end before they are killed."""

Target = Callable[[socket.socket], None]
"""What a worker process runs, with its end of the pair. It is pickled: no lambda."""


class Reported:
    """The store as the supervisor has it: it was written by the workers.

    What a worker stored and did not live to report was never counted: it goes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._more = 0

    def add(self, more: int) -> None:
        """A worker has stored so many more pages."""
        self._more += more

    def write(self, outcomes: Sequence[Outcome]) -> int:
        """See `Store.write`."""
        lost = [outcome for outcome in outcomes if outcome.reason in (Reason.LOST, Reason.POISON)]
        if lost:
            self._store.write(lost)
        more, self._more = self._more, 0
        return more

    def close(self) -> None:
        """See `Store.close`."""


class Worker:
    """A worker process, as its supervisor sees it. `leases` are the requests it has."""

    def __init__(self, process: SpawnProcess, end: socket.socket) -> None:
        self.process = process
        self.leases: dict[int, Request] = {}
        self.ready = False
        self.gone = False
        self.hung_up = False
        self._end = end
        self._line: Line[Report] | None = None
        self._unsent: list[Request] = []

    def give(self, request: Request) -> None:
        """Lease a request to it. `send` tells it."""
        self.leases[request.lease] = request
        self._unsent.append(request)

    def send(self, *, stop: bool = False) -> None:
        """Tell it what it was given."""
        if self._line is not None and not self.hung_up and (self._unsent or stop):
            self._line.send(Work(self._unsent, stop))
            self._unsent = []

    async def reports(self) -> AsyncIterator[Report]:
        """What it reports, until its end."""
        self._line = await Line.over(self._end, Report)
        if self.hung_up:
            self._line.hang_up()
        self.send()
        while (report := await self._line.receive()) is not None:
            yield report
        self.gone = True
        await self._line.close()

    def hang_up(self) -> None:
        """Let it know that there is no more to do: it gives up what it has not stored."""
        self.hung_up = True
        if self._line is not None:
            self._line.hang_up()

    async def exit_code(self) -> int:
        """How it ended, once it has. The line is down: it should be at its end."""
        # Not by its sentinel: that is a pipe, and what a handler has forked holds it, too.
        deadline = monotonic() + PATIENCE
        while self.process.is_alive() and monotonic() < deadline:  # noqa: ASYNC110 - see above
            await asyncio.sleep(SOON)
        self.process.kill()
        self.process.join()
        return self.process.exitcode or 0


class Processes:
    """`number` worker processes with up to `concurrency` requests each."""

    def __init__(self, target: Target, number: int, concurrency: int, reported: Reported) -> None:
        self._target = target
        self._number = number
        self._concurrency = concurrency
        self._reported = reported
        self._workers: list[Worker] = []
        self._ward: Worker | None = None
        self._suspects: deque[Request] = deque()
        self._convictions: Counter[str] = Counter()
        self._serving: set[asyncio.Task[None]] = set()
        self._leases = count(1)
        self._names = count(1)
        self._false_starts = 0
        self._deaths = 0
        self._stopping = False

    @asynccontextmanager
    async def at_work(self, desk: Desk) -> AsyncIterator[None]:
        """See `Hands.at_work`."""
        self._desk = desk
        try:
            self._recruit()
            yield
        finally:
            self._stopping = True
            await self._end_all()

    def room(self, out: int) -> int:
        """See `Hands.room`. What waits for a worker to start would be sent too near to the next."""
        return len(self._at_hand()) * self._concurrency - out

    def put(self, requests: Sequence[Request]) -> None:
        """See `Hands.put`."""
        at_hand = self._at_hand()
        for request in requests:
            leased = structs.replace(request, lease=next(self._leases))
            if request.lost >= SUSPECT:
                self._suspects.append(leased)
            else:
                min(at_hand, key=_load).give(leased)
        for worker in at_hand:
            worker.send()
        self._feed_ward()

    def drop(self) -> int:
        """See `Hands.drop`. What a worker has not begun is forgotten when it ends."""
        self._stopping = True
        dropped = len(self._suspects)
        self._suspects.clear()
        for worker in self._all():
            worker.send(stop=True)
        return dropped

    def _all(self) -> list[Worker]:
        return [*self._workers, *([self._ward] if self._ward else [])]

    def _at_hand(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.ready and not worker.gone]

    def _recruit(self) -> None:
        while not self._stopping and len(self._workers) < self._number:
            self._workers.append(self._start())

    def _feed_ward(self) -> None:
        if self._suspects and self._ward is None and not self._stopping:
            self._ward = self._start()
        if self._suspects and self._ward is not None and not self._ward.leases:
            self._ward.give(self._suspects.popleft())
            self._ward.send()

    def _start(self) -> Worker:
        ours, theirs = socket.socketpair()
        process = get_context("spawn").Process(
            target=self._target, args=(theirs,), name=f"crawl-{next(self._names)}"
        )
        try:
            # Ctrl-C is meant for the supervisor.
            with theirs, signal_mask(signal.SIG_BLOCK, {signal.SIGINT}):
                process.start()
        except OSError as error:
            ours.close()
            raise WorkerError(f"can't start a worker process: {error.strerror}") from error
        worker = Worker(process, ours)
        task = asyncio.get_running_loop().create_task(self._serve(worker))
        self._serving.add(task)
        task.add_done_callback(self._served)
        return worker

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._desk.fail(error)

    async def _serve(self, worker: Worker) -> None:
        async for report in worker.reports():
            self._take_in(worker, report)
        code = await worker.exit_code()
        if worker.hung_up:
            return  # all that it stored it has told; the frontier takes back the rest as it was
        if self._stopping and code == 0:
            self._desk.forget(len(worker.leases))
        else:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._bury(worker, how)

    def _take_in(self, worker: Worker, report: Report) -> None:
        worker.ready = True
        self._false_starts = 0
        if report.trouble is not None:
            worker.hang_up()
            self._desk.fail(StorageError(report.trouble))
            return
        self._reported.add(report.more)
        for lease, outcome in zip(report.leases, report.outcomes, strict=True):
            request = worker.leases.pop(lease)
            self._desk.hand_in(structs.replace(outcome, request=request))
            self._deaths = 0
        self._feed_ward()
        self._desk.wake()

    def _bury(self, worker: Worker, how: str) -> None:
        alone = worker is self._ward
        if alone:
            self._ward = None
        else:
            self._workers.remove(worker)
        if worker.ready:
            self._deaths += 1
            for request in worker.leases.values():
                self._desk.hand_in(self._lost(request, alone, how))
            self._desk.wake()
        elif self._stopping:
            self._desk.forget(len(worker.leases))
        else:  # it never began: its leases are as they were, all of them suspects
            self._false_starts += 1
            self.put(list(worker.leases.values()))
        self._recruit()
        self._judge_deaths(how)
        self._feed_ward()

    def _judge_deaths(self, how: str) -> None:
        if self._false_starts >= FALSE_STARTS:
            self._desk.fail(WorkerError(f"no worker process can start: the last one {how}"))
        if self._deaths >= max(MOST_DEATHS, 2 * self._number):  # all at once is no row
            self._desk.fail(
                WorkerError(f"{self._deaths} worker processes died in a row: the last one {how}")
            )

    def _lost(self, request: Request, alone: bool, how: str) -> Outcome:
        if alone:
            self._convictions[request.url] += 1
        poison = alone and self._convictions[request.url] >= POISON
        reason = Reason.POISON if poison else Reason.LOST
        return Outcome(
            request=request,
            state=State.FAILED if poison else State.QUEUED,
            reason=reason,
            at=time(),
            elapsed=0.0,
            detail=f"a worker process {how}",
            robots=RobotsAnswer(reason=reason) if request.robots else None,
        )

    async def _end_all(self) -> None:
        for worker in self._all():
            worker.hang_up()
        if self._serving:
            await asyncio.wait(self._serving, timeout=PATIENCE)
        for worker in self._all():  # one that is stuck may not even have noticed
            worker.process.kill()
        await asyncio.gather(*self._serving, return_exceptions=True)


def _load(worker: Worker) -> int:
    return len(worker.leases)
