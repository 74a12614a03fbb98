"""The exchange between an engine and the books: outcomes in, requests out, in that order."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from asyncmultispider.frontier.base import Frontier, begun
from asyncmultispider.model import Batch, Outcome, Request
from asyncmultispider.observe import Observer
from asyncmultispider.store.base import Store

NOTHING = Batch(requests=[], closed=[], wait=None, ended=False)
ENDED = Batch(requests=[], closed=[], wait=None, ended=True)


class Exchange(Protocol):
    """What an engine knows of the crawl. Methods raise `StorageError` when the books fail."""

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        """Put the outcomes into the books."""

    def begin(self, request: Request) -> None:
        """Note that the answer to a suspect has come."""

    def take(self, room: int, in_flight: int) -> Batch:
        """Ask for up to `room` requests. An engine ends when `ended` and nothing is in flight."""

    def tell_stopping(self) -> None:
        """No more is taken."""

    def tell_blocked(self, handler: str, seconds: float) -> None:
        """A handler kept the event loop from everything else for so long."""


class Books:
    """The `Exchange` of a crawl that has a frontier and a store in this process.

    Stores first, then the frontier: a crash between the two repeats a fetch and loses nothing.
    `limit` is the number of pages after which no more are taken; `stored` how many there are;
    `owner` has the leases. While `may_take` says no, nothing is taken: who keeps it shut wakes the
    engine when it opens.
    """

    def __init__(
        self,
        frontier: Frontier,
        store: Store,
        observers: Sequence[Observer],
        *,
        stored: int = 0,
        limit: int | None = None,
        owner: str = "",
        clock: Callable[[], float] = monotonic,
        may_take: Callable[[], bool] | None = None,
    ) -> None:
        self._frontier = frontier
        self._store = store
        self._observers = observers
        self._owner = owner
        self._clock = clock
        self._limit = limit
        self._may_take = may_take
        self.stored = stored

    @property
    def limit_reached(self) -> bool:
        """Whether as many pages are stored as were asked for."""
        return self._limit is not None and self.stored >= self._limit

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        """See `Exchange.commit`."""
        if not outcomes:
            return
        self.stored += self._store.write(outcomes)
        refused = self._frontier.finish(outcomes, self._clock())
        if refused:  # somebody else has these by now, and will tell of them
            gone = {outcome.request.lease for outcome in refused}
            outcomes = [outcome for outcome in outcomes if outcome.request.lease not in gone]
        for observer in self._observers:
            observer.committed(outcomes)

    def begin(self, request: Request) -> None:
        """See `Exchange.begin`."""
        self._frontier.finish([begun(request)], self._clock())

    def take(self, room: int, in_flight: int) -> Batch:
        """See `Exchange.take`. Never for more than the limit can still use."""
        if self.limit_reached:
            return ENDED
        if self._may_take is not None and not self._may_take():
            return NOTHING
        if self._limit is not None:
            room = min(room, self._limit - self.stored - in_flight)
        if room <= 0:  # only a commit makes room: asking now would be told to come back at once
            return NOTHING
        batch = self._frontier.take(room, self._clock(), self._owner)
        if batch.wait is None and not (batch.ended or batch.requests or in_flight):
            raise AssertionError("URLs are queued, but none can ever be taken")
        for observer in self._observers:
            observer.taken(batch, in_flight + len(batch.requests))
        return batch

    def tell_stopping(self) -> None:
        """See `Exchange.tell_stopping`."""
        for observer in self._observers:
            observer.stopping()

    def tell_blocked(self, handler: str, seconds: float) -> None:
        """See `Exchange.tell_blocked`."""
        for observer in self._observers:
            observer.blocked(handler, seconds)
