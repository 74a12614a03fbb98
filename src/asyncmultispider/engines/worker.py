"""A worker process: an engine like any other, whose exchange is a line to the supervisor."""

import asyncio
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

from asyncmultispider.engines.coroutines import Coroutines
from asyncmultispider.engines.engine import Engine
from asyncmultispider.engines.exchange import NOTHING
from asyncmultispider.engines.wire import PULSE, Line, Report, Work, without_page
from asyncmultispider.errors import CrawlError, StorageError, UsageError
from asyncmultispider.model import Batch, Outcome, Request
from asyncmultispider.store.base import Store


class Remote:
    """The `Exchange` of a worker. Pages are stored here, then the supervisor is told."""

    def __init__(self, line: Line[Work], store: Store) -> None:
        self._line = line
        self._store = store
        self._received: list[Request] = []
        self.gone = False

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        """See `Exchange.commit`. What nobody would hear of is not stored."""
        if not outcomes or self.gone:
            return
        more = self._store.write(outcomes)
        leases = [outcome.request.lease for outcome in outcomes]
        self._line.send(Report(leases, [without_page(outcome) for outcome in outcomes], more))

    def begin(self, request: Request) -> None:
        """See `Exchange.begin`. It is on its way to the supervisor when this returns."""
        self._line.send(Report(begun=request.lease))

    def take(self, room: int, in_flight: int) -> Batch:
        """See `Exchange.take`. The supervisor knows the room, and gives no more than that."""
        if room <= 0:
            return NOTHING
        received, self._received = self._received, []
        return Batch(requests=received, closed=[], wait=None, ended=self.gone)

    def tell_stopping(self) -> None:
        """See `Exchange.tell_stopping`."""

    def tell_blocked(self, handler: str, seconds: float) -> None:
        """See `Exchange.tell_blocked`."""

    async def listen(self, engine: Engine) -> None:
        """Do as the supervisor says, until it hangs up."""
        while (work := await self._line.receive()) is not None:
            self._received += work.requests
            if work.stop:
                self._received.clear()
                engine.stop()
            engine.wake()
        self.gone = True
        engine.stop()
        engine.stop()


async def work(end: socket.socket, store: Store, hands: Coroutines) -> int:
    """Work for the supervisor at the other end until it hangs up; the exit code."""
    line = await Line.over(end, Work)
    remote = Remote(line, store)
    engine = Engine(remote, hands)
    listening = asyncio.create_task(remote.listen(engine))
    line.send(Report())
    try:
        await engine.run()
    except StorageError as error:
        line.send(Report(trouble=str(error)))
        await listening  # leaving with something unread would undo what was sent
        return 3
    finally:
        listening.cancel()
        await line.close()
    return 0


async def give_up(end: socket.socket, error: CrawlError) -> int:
    """Tell the supervisor at the other end why this worker can't begin; the exit code."""
    line = await Line.over(end, Work)
    line.send(Report(trouble=str(error), usage=isinstance(error, UsageError)))
    while await line.receive() is not None:  # until it hangs up: it has read it
        pass
    await line.close()
    return 3


def keep_to_ourselves(*ends: socket.socket) -> None:
    """What a handler starts must not keep a line up when we are gone."""
    for end in ends:
        end.set_inheritable(False)
        os.register_at_fork(after_in_child=end.close)


def show_life(pulse: socket.socket) -> None:
    """Tell the supervisor that we live, also while a spider loads or a handler holds up the loop.

    It ends when the supervisor hangs up.
    """
    hung_up = select.poll()
    hung_up.register(pulse, getattr(select, "POLLRDHUP", select.POLLHUP))
    pulse.setblocking(False)

    def beat() -> None:
        while not hung_up.poll(PULSE * 1000):
            with suppress(OSError):  # it was stopped, and has not read the others yet
                pulse.send(b".")

    Thread(target=beat, name="pulse", daemon=True).start()
