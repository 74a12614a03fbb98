"""The frontier's port, and the ledger beneath the frontiers of one machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from asyncmultispider.model import (
    MOST_PRIORITY,
    Batch,
    Link,
    Outcome,
    Reason,
    Request,
    RobotsAnswer,
    State,
)

LEASE = 60.0
"""Seconds that leases hold after the last sign of life from their owner."""
RANKS = 2**20
"""More than twice as many as there are priorities above 0."""
CROWD = 100
"""URLs of a host from which on their number is remembered, at most (`Ledger.restore`)."""


class Stats(Struct, frozen=True, kw_only=True):
    """Counts of the frontier at one moment. `states` holds every state; their sum is `accepted`."""

    states: Mapping[str, int]
    hosts: int

    @property
    def accepted(self) -> int:
        """The number of URLs ever accepted."""
        return sum(self.states.values())


class Frontier(Protocol):
    """Admits URLs once, hands them out politely, and remembers how each ended.

    `now` is a steady clock in seconds; it never goes back. Every method raises `StorageError`
    when the state can't be kept; what was on disk before the call is then still there.

    A request is leased to an owner, under a token of its own (`Request.lease`). An owner that takes
    is alive, and all its leases hold for `LEASE` seconds more; when they end, the tries are lost
    and others may have the URLs. A frontier that owners far away share keeps their leases from a
    thread of its own, so that no long parse can lose them.
    """

    def add(self, links: Iterable[Link]) -> int:
        """Accept the links that are not known yet; return how many were new."""

    def take(self, room: int, now: float, owner: str) -> Batch:
        """Lease up to `room` requests whose hosts may be visited now. With no room: a sign of life.

        A URL that was lost `retry.SUSPECT` times is leased alone, and told to have `begun` when its
        answer has come. If it is lost after that too often (`retry.is_poison`), it is closed as
        `failed: poison`, and no innocent one with it.
        """

    def finish(self, outcomes: Sequence[Outcome], now: float) -> list[Outcome]:
        """Settle leased requests and accept the links they brought, in one atomic step.

        Those whose lease has ended, or never was, change nothing: they are returned.
        """

    def stats(self) -> Stats:
        """Count the URLs by state."""

    def close(self) -> None:
        """Give back what is still leased and let go of the files. Idempotent."""


class Born(Struct, frozen=True, kw_only=True, gc=False):
    """A new row of the ledger. `referrer` is the `id` of the page that linked to it, or 0.

    `rank` is its place in the queue of its host (`rank_of`).
    """

    id: int
    fingerprint: int
    link: Link
    referrer: int
    rank: int


class Settled(Struct, frozen=True, kw_only=True, gc=False):
    """How a row ended, or that it waits for another try from the Unix time `due` on."""

    id: int
    state: State
    reason: str | None = None
    status: int | None = None
    at: float | None = None
    elapsed: float | None = None
    detail: str | None = None
    due: float = 0.0

    @property
    def note(self) -> str | None:
        """What is kept with the row itself: why it is suspended. Other details are of tries."""
        return self.detail if self.state is State.SUSPENDED else None


class RobotsNote(Struct, frozen=True, kw_only=True, gc=False):
    """The robots.txt of a host and scheme as last read, at the Unix time `at`."""

    host: str
    scheme: str
    text: bytes
    at: float


class Rest(Struct, frozen=True, kw_only=True, gc=False):
    """A host is left alone until the Unix time `until`: it asked for it, or faltered."""

    host: str
    until: float


class Trap(Struct, frozen=True, kw_only=True, gc=False):
    """A family of URLs (`traps.family`) of a host that is a trap; `note` tells why.

    `released`: a person said that it is none.
    """

    host: str
    family: str
    note: str
    released: bool = False


class Raised(Struct, frozen=True, kw_only=True, gc=False):
    """A queued row that was found again in fewer steps, as it is now."""

    request: Request
    referrer: int
    rank: int


class Changes(Struct, kw_only=True):
    """One atomic step of the ledger. Leases that are `released` count as no try."""

    born: list[Born] = []
    leased: list[int] = []
    released: list[int] = []
    begun: list[int] = []
    settled: list[Settled] = []
    robots: list[RobotsNote] = []
    rests: list[Rest] = []
    raised: list[Raised] = []
    traps: list[Trap] = []

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)


class Restored(Struct, kw_only=True):
    """What a ledger holds when it is opened: everything but the rows themselves.

    `seed` is that of the fingerprints; `hosts` have queued rows; `robots`, `rests` are of these;
    `crowded` counts the rows of hosts that have many, without those born as traps;
    `open_depths` counts the rows that are not final, by depth; `sessions` are the accepted URLs
    that may have a session id. The iterators are for once.
    """

    seed: int
    last_id: int
    hosts: list[str]
    open_depths: dict[int, int]
    states: dict[str, int]
    robots: Iterator[RobotsNote]
    rests: list[Rest]
    traps: list[Trap]
    crowded: dict[str, int]
    fingerprints: Iterator[int]
    sessions: Iterator[str]


class Ledger(Protocol):
    """Where a frontier of one machine keeps its rows. Not for sharing between processes."""

    def restore(self, *, crashed: bool, crowd: int = CROWD) -> Restored:
        """Read what is there; rows that are still leased are queued again.

        Where their owner has `crashed`, these tries are lost; else they are released. Hosts with
        `crowd` URLs are told of.
        """

    def load(self, host: str, after: tuple[int, int], limit: int) -> list[tuple[Request, float]]:
        """The queued rows of a host beyond `(rank, id)`, in order, with the seconds to wait."""

    def find(self, fingerprint: int) -> Request | None:
        """The queued row of a URL, if it is queued."""

    def rules(self, host: str, scheme: str) -> bytes:
        """The text of a robots.txt that was written before."""

    def apply(self, changes: Changes) -> None:
        """Write all of it, or nothing and raise `StorageError`."""

    def close(self) -> None:
        """Let go of the files. Idempotent."""


def rank_of(depth: int, priority: int, *, by_level: bool) -> int:
    """A URL's place in the queue of its host: the least comes first, of equals the older one.

    That is by priority, and then by depth; `by_level` the other way round.
    """
    priority = max(-MOST_PRIORITY, min(priority, MOST_PRIORITY))
    if by_level:
        return depth * RANKS - priority
    return min(depth, RANKS - 1) - priority * RANKS


def begun(request: Request) -> Outcome:
    """That the answer to a request has come: if its try is lost from now on, it is to blame."""
    return Outcome(request=request, state=State.LEASED, reason=None, at=0.0, elapsed=0.0)


def lost(request: Request, detail: str, at: float) -> Outcome:
    """The outcome of a try of which nothing is known: it is queued again, at no cost."""
    return Outcome(
        request=request,
        state=State.QUEUED,
        reason=Reason.LOST,
        at=at,
        elapsed=0.0,
        detail=detail,
        robots=RobotsAnswer(reason=Reason.LOST) if request.robots else None,
    )
