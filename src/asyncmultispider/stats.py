"""What a crawl has done since it started: counts, and the summary at its end."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from asyncmultispider.frontier.base import Stats as FrontierStats
from asyncmultispider.model import REDIRECTS, Batch, Outcome, Reason, State
from asyncmultispider.observe import Observer

Stopped = Literal["finished", "limit", "interrupted", "failed"]


class Summary(Struct, frozen=True, kw_only=True):
    """How a crawl stands when a run of it ends.

    `pages, failed, skipped, suspended, queued` count the whole crawl, over all its runs; `fetched`
    (answers and failures), `bytes` (of bodies), `seconds` and `pages_per_second` this run.
    """

    pages: int
    failed: int
    skipped: int
    suspended: int
    queued: int
    fetched: int
    bytes: int
    seconds: float
    pages_per_second: float
    stopped: Stopped
    dir: str


class Tally(Observer):
    """Counts as an observer. `strays` are seeds that redirect to where the scope does not go."""

    def __init__(self) -> None:
        self.pages = 0
        self.fetched = 0
        self.bytes = 0
        self.in_flight = 0
        self.trouble: Counter[str] = Counter()
        self.strays: dict[str, str] = {}

    def taken(self, batch: Batch, in_flight: int) -> None:
        """See `Observer.taken`."""
        self.in_flight = in_flight
        for end in batch.closed:
            if end.state is not State.SKIPPED:
                self.trouble[end.reason] += 1

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        self.in_flight -= len(outcomes)
        for outcome in outcomes:
            if outcome.request.aside or outcome.reason == Reason.LOST:
                continue
            self.fetched += 1
            if outcome.request.depth == 0 and outcome.status in REDIRECTS:
                for link in outcome.links:
                    if link.skip is Reason.SCOPE:
                        self.strays[outcome.request.url] = link.url
            if outcome.state is State.DONE:
                self.pages += 1
                self.bytes += outcome.size
            elif outcome.reason is not None and outcome.state is not State.SKIPPED:
                self.trouble[outcome.reason] += 1

    def summary(
        self, frontier: FrontierStats, *, pages: int, seconds: float, stopped: Stopped, dir: str
    ) -> Summary:
        """The summary of a run that took so many seconds."""
        states = frontier.states
        return Summary(
            pages=pages,
            failed=states[State.FAILED],
            skipped=states[State.SKIPPED],
            suspended=states[State.SUSPENDED],
            queued=states[State.QUEUED] + states[State.LEASED],
            fetched=self.fetched,
            bytes=self.bytes,
            seconds=round(seconds, 3),
            pages_per_second=round(self.pages / seconds, 1) if seconds else 0.0,
            stopped=stopped,
            dir=dir,
        )
