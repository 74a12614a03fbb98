"""Somebody who works for a frontier, as an engine does."""

from collections.abc import Callable

from asyncmultispider.frontier.base import Frontier
from asyncmultispider.model import FINAL, Batch, Closed, Outcome, Request, State
from asyncmultispider.testing.clock import FakeClock

ROUNDS = 1_000_000


class Driver:
    """Takes and finishes by a clock, and checks on the way what always holds of a frontier.

    `leased` are the requests taken and not yet finished, those for robots.txt too; `closed` is
    what the frontier closed by itself.
    """

    def __init__(self, frontier: Frontier, clock: FakeClock) -> None:
        self.frontier = frontier
        self.clock = clock
        self.leased: list[Request] = []
        self.closed: list[Closed] = []

    def offer(self, room: int = 1000) -> Batch:
        """Take a batch, and see that it is right."""
        before = self.frontier.stats().states
        batch = self.frontier.take(room, self.clock.monotonic(), "driver")
        self.leased += batch.requests
        self.closed += batch.closed
        assert len(batch.requests) <= room
        assert batch.wait is None or batch.wait >= 0
        pages = [request.id for request in self.leased if not request.aside]
        assert len(pages) == len(set(pages)), "a URL was handed out while it was leased"
        states = self.frontier.stats().states
        assert states[State.LEASED] == len(pages)
        ends = [end.state for end in batch.closed]
        assert all(states[s] == before[s] + ends.count(s) for s in FINAL), "closed unsaid"
        assert batch.ended == (not states[State.QUEUED] and not states[State.LEASED])
        return batch

    def take(self, room: int = 1000) -> list[Request]:
        """The requests that may be sent now."""
        return self.offer(room).requests

    def urls(self, room: int = 1000) -> list[str]:
        """The URLs of the requests that may be sent now."""
        return [request.url for request in self.take(room)]

    def finish(self, *outcomes: Outcome) -> None:
        """Settle requests."""
        assert not self.frontier.finish(outcomes, self.clock.monotonic()), "a lease was refused"
        for outcome in outcomes:
            if outcome.state is not State.LEASED:
                self.leased.remove(outcome.request)

    def count(self, state: State) -> int:
        """How many URLs are in this state."""
        return self.frontier.stats().states[state]

    def pause(self) -> float | None:
        """Let time pass until a host may be visited; the seconds, None if it takes an event."""
        batch = self.offer(0)
        if batch.wait is not None:
            self.clock.advance(batch.wait)
        return batch.wait

    def run(self, answer: Callable[[Request], Outcome], room: int = 1000) -> list[Request]:
        """Work until the crawl ends; all requests in order. AssertionError when it gets stuck."""
        sent = []
        for _ in range(ROUNDS):
            batch = self.offer(room)
            sent += batch.requests
            if self.leased:
                self.finish(*map(answer, self.leased))
            elif batch.ended:
                return sent
            else:
                assert batch.wait is not None, f"stuck: {self.frontier.stats().states}"
                self.clock.advance(batch.wait)
        raise AssertionError(f"no end in sight: {self.frontier.stats().states}")
