"""Processes, each with an event loop of its own: this is the supervisor's side.

The supervisor owns the frontier, so pace is decided in one place. Workers fetch, judge and store;
what they report has no bodies in it. A worker that dies takes nothing along: its leases are
outcomes of the kind `lost`, and a new one takes its place.

A worker gives a sign of life every few seconds, from a thread of its own: no long parse is mistaken
for an end. One that is silent for `LEASE` seconds (it was stopped, or something keeps all of Python
from running) is killed before anybody else gets what it had, so that it can't store late.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from time import monotonic, time

from msgspec import structs
from xxhash import xxh64_intdigest

from asyncmultispider.engines.engine import Desk
from asyncmultispider.engines.wire import PULSE, Line, Report, Work
from asyncmultispider.errors import StorageError, UsageError, WorkerError
from asyncmultispider.frontier.base import LEASE, lost
from asyncmultispider.model import Outcome, Reason, Request
from asyncmultispider.retry import SUSPECT
from asyncmultispider.store.base import Store
from asyncmultispider.system import UNGUARDED, WORKER, signal_mask

FALSE_STARTS = 3
"""Workers in a row that die before they are ready, before the crawl is given up."""
MOST_DEATHS = 20
"""Workers in a row that die without an outcome between, before the crawl is given up."""
SOON = 0.005
"""Seconds between two looks at a worker whose line is down."""
PATIENCE = 5.0
"""Seconds for workers to end before they are killed."""

NO_GUARD = (
    "engine 'processes' runs your program's file in each worker, and that began the crawl again: "
    "put what is not a definition under  if __name__ == '__main__':"
)

Target = Callable[[socket.socket, socket.socket], None]
"""What a worker process runs, with its ends of the line and of the one for signs of life.

It is pickled: no lambda.
"""


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

    def forget(self, requests: Iterable[Request]) -> None:
        """Nobody will tell of these any more: remove what may be stored of them."""
        self._store.write([lost(request, "", time()) for request in requests])

    def write(self, outcomes: Sequence[Outcome]) -> int:
        """See `Store.write`."""
        orphans = [outcome for outcome in outcomes if outcome.reason == Reason.LOST]
        if orphans:
            self._store.write(orphans)
        more, self._more = self._more, 0
        return more

    def close(self) -> None:
        """See `Store.close`."""


class Worker:
    """A worker process, as its supervisor sees it. `leases` are the requests it has.

    `place` is one of as many as there are workers; its successor has the same.
    """

    def __init__(
        self, process: SpawnProcess, place: int, end: socket.socket, pulse: socket.socket
    ) -> None:
        self.process = process
        self.place = place
        self.heard_at = monotonic()
        self.silent = False
        self.leases: dict[int, Request] = {}
        self.ready = False
        self.gone = False
        self.hung_up = False
        self._end = end
        self._pulse = pulse
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
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pulse, self._hear)
        try:
            async for report in self._read():
                yield report
        finally:
            loop.remove_reader(self._pulse)
            self._pulse.close()

    async def _read(self) -> AsyncIterator[Report]:
        self._line = await Line.over(self._end, Report)
        if self.hung_up:
            self._line.hang_up()
        self.send()
        while (report := await self._line.receive()) is not None:
            yield report
        self.gone = True
        await self._line.close()

    def _hear(self) -> None:
        self.heard_at = monotonic()
        with suppress(OSError):
            if not self._pulse.recv(4096):  # its end is told on the line
                asyncio.get_running_loop().remove_reader(self._pulse)

    def give_up(self) -> None:
        """Kill it: nothing was heard of it for too long."""
        self.silent = True
        self.process.kill()

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
    """`number` worker processes with up to `concurrency` requests each.

    With `keep_hosts` all requests of a host go to the same worker, while that lives: it has the
    host's cookies. Then some have more than `concurrency` requests and others less.
    """

    def __init__(
        self,
        target: Target,
        number: int,
        concurrency: int,
        reported: Reported,
        *,
        keep_hosts: bool = False,
    ) -> None:
        self._target = target
        self._number = number
        self._concurrency = concurrency
        self._reported = reported
        self._keep_hosts = keep_hosts
        self._complete = False
        self._workers: list[Worker] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._names = count(1)
        self._false_starts = 0
        self._deaths = 0
        self._stopping = False

    @asynccontextmanager
    async def at_work(self, desk: Desk) -> AsyncIterator[None]:
        """See `Hands.at_work`."""
        self._desk = desk
        listening = asyncio.create_task(self._listen())
        try:
            self._recruit()
            yield
        finally:
            self._stopping = True
            listening.cancel()
            await self._end_all()

    def room(self, out: int) -> int:
        """See `Hands.room`. What waits for a worker to start would be sent too near to the next."""
        at_hand = len(self._at_hand())
        self._complete = self._complete or at_hand == self._number
        if self._keep_hosts and not self._complete:
            return 0  # hosts would move when the others are there
        return at_hand * self._concurrency - out

    def put(self, requests: Sequence[Request]) -> None:
        """See `Hands.put`."""
        at_hand = self._at_hand()
        for request in requests:
            worker = _keeper(at_hand, request.host) if self._keep_hosts else min(at_hand, key=_load)
            worker.give(request)
        for worker in at_hand:
            worker.send()

    def drop(self) -> int:
        """See `Hands.drop`. What a worker has not begun is forgotten when it ends."""
        self._stopping = True
        for worker in self._workers:
            worker.send(stop=True)
        return 0

    def _at_hand(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.ready and not worker.gone]

    def _recruit(self) -> None:
        while not self._stopping and len(self._workers) < self._number:
            self._workers.append(self._start())

    async def _listen(self) -> None:
        looked_at = monotonic()
        while True:
            await asyncio.sleep(PULSE)
            now = monotonic()
            if now - looked_at > 2 * PULSE:  # it was us who did not run, and could not hear
                for worker in self._workers:
                    worker.heard_at = now
            looked_at = now
            for worker in self._workers:
                if now - worker.heard_at > LEASE and not worker.silent:
                    worker.give_up()

    def _start(self) -> Worker:
        ours, theirs = socket.socketpair()
        heard, pulse = socket.socketpair()
        heard.setblocking(False)
        process = get_context("spawn").Process(
            target=self._target, args=(theirs, pulse), name=f"{WORKER}{next(self._names)}"
        )
        try:
            # Ctrl-C is meant for the supervisor.
            with theirs, pulse, signal_mask(signal.SIG_BLOCK, {signal.SIGINT}):
                process.start()
        except OSError as error:
            ours.close()
            heard.close()
            raise WorkerError(f"can't start a worker process: {error.strerror}") from error
        worker = Worker(process, self._free_place(), ours, heard)
        task = asyncio.get_running_loop().create_task(self._serve(worker))
        self._serving.add(task)
        task.add_done_callback(self._served)
        return worker

    def _free_place(self) -> int:
        taken = {worker.place for worker in self._workers}
        return next(place for place in count() if place not in taken)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._desk.fail(error)

    async def _serve(self, worker: Worker) -> None:
        async for report in worker.reports():
            self._take_in(worker, report)
        code = await worker.exit_code()
        if code == UNGUARDED:
            raise UsageError(NO_GUARD)
        if worker.hung_up:  # the frontier takes back as it was what it did not tell of
            if code != 0:  # killed; else it has told all that it stored
                self._reported.forget(worker.leases.values())
        elif self._stopping and code == 0:
            self._desk.forget(len(worker.leases))
        else:
            self._bury(worker, _how(worker, code))

    def _take_in(self, worker: Worker, report: Report) -> None:
        worker.ready = True
        self._false_starts = 0
        if report.trouble is not None:
            worker.hang_up()
            kind = UsageError if report.usage else StorageError
            self._desk.fail(kind(report.trouble))
            return
        if report.begun is not None:
            self._desk.begin(worker.leases[report.begun])
        self._reported.add(report.more)
        for lease, outcome in zip(report.leases, report.outcomes, strict=True):
            request = worker.leases.pop(lease)
            self._desk.hand_in(structs.replace(outcome, request=request))
            self._deaths = 0
        self._desk.wake()

    def _bury(self, worker: Worker, how: str) -> None:
        self._workers.remove(worker)
        if worker.ready:
            # A suspect dies alone, and only a few times; that tells nothing of the others.
            self._deaths += not any(r.lost >= SUSPECT for r in worker.leases.values())
            for request in worker.leases.values():
                self._desk.hand_in(lost(request, f"a worker process {how}", time()))
            self._desk.wake()
        else:  # it was given nothing yet
            self._false_starts += 1
        self._recruit()
        self._judge_deaths(how)

    def _judge_deaths(self, how: str) -> None:
        if self._false_starts >= FALSE_STARTS:
            self._desk.fail(WorkerError(f"no worker process can start: the last one {how}"))
        if self._deaths >= max(MOST_DEATHS, 2 * self._number):  # all at once is no row
            self._desk.fail(
                WorkerError(f"{self._deaths} worker processes died in a row: the last one {how}")
            )

    async def _end_all(self) -> None:
        for worker in self._workers:
            worker.hang_up()
        if self._serving:
            await asyncio.wait(self._serving, timeout=PATIENCE)
        for worker in self._workers:  # one that is stuck may not even have noticed
            worker.process.kill()
        await asyncio.gather(*self._serving, return_exceptions=True)


def _load(worker: Worker) -> int:
    return len(worker.leases)


def _keeper(workers: Sequence[Worker], host: str) -> Worker:
    """The same for a host each time; and when one is missing, for all hosts but its own."""
    return max(workers, key=lambda worker: xxh64_intdigest(f"{worker.place} {host}".encode()))


def _how(worker: Worker, code: int) -> str:
    if worker.silent:
        return f"was silent for {LEASE:g} s and was killed"
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
