"""The ledger in memory: for tests, and for what need not outlive the process."""

from collections import Counter
from collections.abc import Callable, Iterable
from secrets import randbits
from time import time

from msgspec import Struct
from msgspec.structs import replace

from asyncmultispider.frontier.base import (
    CROWD,
    Born,
    Changes,
    Rest,
    Restored,
    RobotsNote,
    Settled,
    Trap,
)
from asyncmultispider.model import FINAL, Reason, Request, State


class Row(Struct):
    """A row of the ledger, with how its last try went."""

    born: Born
    state: State
    reason: str | None = None
    attempts: int = 0
    lost: int = 0
    deaths: int = 0
    note: str | None = None
    last: Settled | None = None


class MemoryLedger:
    """A `Ledger` that is gone with its object. `rows` is for tests to look at."""

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._seed = randbits(64)
        self.rows: dict[int, Row] = {}
        self.robots: dict[tuple[str, str], RobotsNote] = {}
        self.rests: dict[str, Rest] = {}
        self.traps: dict[tuple[str, str], Trap] = {}

    def restore(self, *, crashed: bool, crowd: int = CROWD) -> Restored:
        """See `Ledger.restore`."""
        rows = self.rows.values()
        for row in rows:
            if row.state is State.LEASED:
                row.state = State.QUEUED
                row.attempts -= not crashed
                row.lost += crashed
                row.deaths = row.deaths if crashed else max(0, row.deaths - 1)
        states: dict[str, int] = {}
        depths: dict[int, int] = {}
        for row in rows:
            states[row.state] = states.get(row.state, 0) + 1
            if row.state not in FINAL:
                depths[row.born.link.depth] = depths.get(row.born.link.depth, 0) + 1
        hosts = {row.born.link.host for row in rows if row.state is State.QUEUED}
        return Restored(
            seed=self._seed,
            last_id=len(rows),
            hosts=sorted(hosts),
            open_depths=depths,
            states=states,
            rests=[rest for rest in self.rests.values() if rest.host in hosts],
            traps=list(self.traps.values()),
            crowded={host: n for host, n in _accepted(rows).items() if n >= crowd},
            robots=(note for note in self.robots.values() if note.host in hosts),
            fingerprints=(row.born.fingerprint for row in rows),
            sessions=(row.born.link.url for row in rows if row.reason != Reason.TRAP),
        )

    def load(self, host: str, after: tuple[int, int], limit: int) -> list[tuple[Request, float]]:
        """See `Ledger.load`."""
        found = sorted(
            (row.born.rank, id)
            for id, row in self.rows.items()
            if row.state is State.QUEUED and row.born.link.host == host
        )
        return [self._request(place[1]) for place in found if place > after][:limit]

    def find(self, fingerprint: int) -> Request | None:
        """See `Ledger.find`."""
        for id, row in self.rows.items():
            if row.born.fingerprint == fingerprint and row.state is State.QUEUED:
                return self._request(id)[0]
        return None

    def rules(self, host: str, scheme: str) -> bytes:
        """See `Ledger.rules`."""
        return self.robots[host, scheme].text

    def apply(self, changes: Changes) -> None:
        """See `Ledger.apply`."""
        for born in changes.born:
            link = born.link
            self.rows[born.id] = Row(born=born, state=link.state, reason=link.skip, note=link.note)
        for id in changes.leased:
            self.rows[id].state = State.LEASED
            self.rows[id].attempts += 1
        for id in changes.released:
            self.rows[id].state = State.QUEUED
            self.rows[id].attempts -= 1
            self.rows[id].deaths = max(0, self.rows[id].deaths - 1)
        for id in changes.begun:
            self.rows[id].deaths += 1
        for settled in changes.settled:
            row = self.rows[settled.id]
            row.state, row.reason, row.last = settled.state, settled.reason, settled
            lost = settled.reason == Reason.LOST
            row.lost += lost
            row.note = settled.note
            row.deaths = row.deaths if lost else 0
        for note in changes.robots:
            self.robots[note.host, note.scheme] = note
        for rest in changes.rests:
            self.rests[rest.host] = rest
        for trap in changes.traps:
            self.traps[trap.host, trap.family] = trap
        for raised in changes.raised:
            request = raised.request
            row = self.rows[request.id]
            link = replace(row.born.link, depth=request.depth, hops=request.hops)
            row.born = replace(row.born, link=link, referrer=raised.referrer, rank=raised.rank)

    def close(self) -> None:
        """See `Ledger.close`."""

    def _request(self, id: int) -> tuple[Request, float]:
        row = self.rows[id]
        link = row.born.link
        referrer = self.rows.get(row.born.referrer)
        request = Request(
            id=id,
            url=link.url,
            host=link.host,
            depth=link.depth,
            hops=link.hops,
            attempt=row.attempts + 1,
            lost=row.lost,
            deaths=row.deaths,
            referrer=referrer.born.link.url if referrer else None,
            priority=link.priority,
            extra=link.extra,
        )
        return request, (row.last.due - self._clock() if row.last else 0.0)


def _accepted(rows: Iterable[Row]) -> Counter[str]:
    return Counter(
        row.born.link.host
        for row in rows
        if row.state is not State.SKIPPED and (row.reason != Reason.TRAP or row.attempts)
    )
