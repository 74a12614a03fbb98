"""The frontier's port, and the ledger beneath the frontiers of one machine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from asyncmultispider.model import Batch, Link, Outcome, Request, State


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
    """

    def add(self, links: Iterable[Link]) -> int:
        """Accept the links that are not known yet; return how many were new."""

    def take(self, room: int, now: float) -> Batch:
        """Lease up to `room` requests whose hosts may be visited now."""

    def finish(self, outcomes: Sequence[Outcome], now: float) -> None:
        """Settle leased requests and accept the links they brought, in one atomic step."""

    def stats(self) -> Stats:
        """Count the URLs by state."""

    def close(self) -> None:
        """Give back what is still leased and let go of the files. Idempotent."""


class Born(Struct, frozen=True, kw_only=True, gc=False):
    """A new row of the ledger. `referrer` is the `id` of the page that linked to it, or 0."""

    id: int
    fingerprint: int
    link: Link
    referrer: int


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


class RobotsNote(Struct, frozen=True, kw_only=True, gc=False):
    """The robots.txt of a host and scheme as last read, at the Unix time `at`."""

    host: str
    scheme: str
    text: bytes
    at: float


class Changes(Struct, kw_only=True):
    """One atomic step of the ledger. Leases are `released` when they were never used, and then
    count as no try, or `returned` when it is not known what came of them.
    """

    born: list[Born] = []
    leased: list[int] = []
    released: list[int] = []
    returned: list[int] = []
    settled: list[Settled] = []
    robots: list[RobotsNote] = []

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__struct_fields__)


class Restored(Struct, kw_only=True):
    """What a ledger holds when it is opened: everything but the rows themselves.

    `seed` is that of the fingerprints; `hosts` have queued rows, and `robots` is of these;
    `open_depths` counts the rows that are not final, by depth. The iterators are for once.
    """

    seed: int
    last_id: int
    hosts: list[str]
    open_depths: dict[int, int]
    states: dict[str, int]
    robots: Iterator[RobotsNote]
    fingerprints: Iterator[int]


class Ledger(Protocol):
    """Where a frontier of one machine keeps its rows. Not for sharing between processes."""

    def restore(self) -> Restored:
        """Read what is there; rows that were leased when the last owner died are queued again."""

    def load(self, host: str, after: tuple[int, int], limit: int) -> list[tuple[Request, float]]:
        """The queued rows of a host beyond `(depth, id)`, in order, with the seconds to wait."""

    def rules(self, host: str, scheme: str) -> bytes:
        """The text of a robots.txt that was written before."""

    def apply(self, changes: Changes) -> None:
        """Write all of it, or nothing and raise `StorageError`."""

    def close(self) -> None:
        """Let go of the files. Idempotent."""
