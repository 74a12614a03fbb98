"""The frontier of one machine: a workbench and the set of known URLs, over a ledger.

Every step is first written to the ledger, in one transaction, by `Ledger.apply`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import count
from secrets import randbits

from msgspec.structs import replace

from asyncmultispider.errors import StorageError
from asyncmultispider.frontier.base import (
    CROWD,
    LEASE,
    Born,
    Changes,
    Ledger,
    Raised,
    Rest,
    RobotsNote,
    Settled,
    Stats,
    Trap,
    lost,
    rank_of,
)
from asyncmultispider.frontier.gate import ROBOTS_AGE
from asyncmultispider.frontier.host import Host
from asyncmultispider.frontier.known import KnownUrls
from asyncmultispider.frontier.watch import Watch
from asyncmultispider.frontier.workbench import Workbench
from asyncmultispider.model import Batch, Closed, Extra, Link, Outcome, Reason, Request, State
from asyncmultispider.politeness import Manners
from asyncmultispider.retry import MAX_RETRY_AFTER
from asyncmultispider.robots import product_token
from asyncmultispider.settings import Settings
from asyncmultispider.urls import fingerprint


class LocalFrontier:
    """A `Frontier` in one process. `wall` is the Unix time that belongs to `now`.

    `crashed` says that its last owner may have died of one of the URLs that are still leased.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        *,
        now: float,
        wall: float,
        crashed: bool = True,
    ) -> None:
        self._ledger = ledger
        self._wall = wall - now
        self._level_by_level = settings.depth is not None
        self._max_per_host = settings.max_per_host
        self._bench = Workbench(
            Manners.of(settings),
            ledger.load,
            ledger.rules,
            agent=None if settings.ignore_robots else product_token(settings.user_agent),
            level_by_level=self._level_by_level,
        )
        self._tokens = count(randbits(60))  # no lease of another life has one of these
        self._leases: dict[int, tuple[str, Request]] = {}
        self._deadlines: dict[str, float] = {}  # by owner
        self._sure = True
        self._woken: dict[Host, None] = {}
        self._open = True
        self._restore(now, wall, crashed=crashed)

    def add(self, links: Iterable[Link]) -> int:
        """See `Frontier.add`."""
        changes = Changes()
        fresh = self._admit(links, 0, None, changes)
        self._commit(changes)
        return fresh

    def take(self, room: int, now: float, owner: str) -> Batch:
        """See `Frontier.take`."""
        self._deadlines[owner] = now + LEASE
        self._reap(now)
        changes = Changes()
        closed: list[Closed] = []
        busy = bool(self._leases)
        requests = [
            self._lease(request, owner)
            for request in self._bench.take(room, now, closed, busy=busy)
        ]
        changes.leased = [request.id for request in requests if not request.aside]
        self._states[State.QUEUED] -= len(changes.leased)
        self._states[State.LEASED] += len(changes.leased)
        for end in closed:
            changes.settled.append(
                Settled(
                    id=end.request.id,
                    state=end.state,
                    reason=end.reason,
                    detail=end.detail,
                    at=end.at,
                    elapsed=end.elapsed,
                )
            )
            self._close(end.request, State.QUEUED, end.state)
        self._commit(changes)
        # Closing URLs may have opened the next level: then there is no need to wait.
        wait, host = self._bench.next_visit(now)
        return Batch(requests=requests, closed=closed, wait=wait, host=host, ended=self._ended())

    def finish(self, outcomes: Sequence[Outcome], now: float) -> list[Outcome]:
        """See `Frontier.finish`."""
        changes = Changes()
        refused = [outcome for outcome in outcomes if not self._settle(outcome, now, changes)]
        self._commit(changes)
        return refused

    def stats(self) -> Stats:
        """See `Frontier.stats`."""
        return Stats(states=self._written, hosts=len(self._bench))

    def close(self) -> None:
        """See `Frontier.close`."""
        if not self._open:
            return
        self._open = False
        leased = [request.id for _, request in self._leases.values() if not request.aside]
        if self._sure:  # else the next to open the ledger gives them back, and looks what is stored
            with suppress(StorageError):
                self._ledger.apply(Changes(released=leased))
        self._ledger.close()

    def _lease(self, request: Request, owner: str) -> Request:
        look = not request.aside and self._watch.looks_at(request, self._bench.host(request.host))
        leased = replace(request, lease=next(self._tokens), look=look)
        self._leases[leased.lease] = owner, leased
        return leased

    def _reap(self, now: float) -> None:
        changes = Changes()
        for owner in [owner for owner, end in self._deadlines.items() if end <= now]:
            del self._deadlines[owner]
            detail = f"nothing was heard of {owner} for {LEASE:g} s"
            for holder, request in list(self._leases.values()):
                if holder == owner:
                    self._settle(lost(request, detail, self._wall + now), now, changes)
        if changes or self._woken:
            self._commit(changes)

    def _restore(self, now: float, wall: float, *, crashed: bool) -> None:
        crowd = min(CROWD, 1 + self._max_per_host // CROWD)  # where it matters, all are counted
        restored = self._ledger.restore(crashed=crashed, crowd=crowd)
        self._seed = restored.seed
        self._last_id = restored.last_id
        self._known = KnownUrls(restored.fingerprints)
        self._watch = Watch(restored.seed, self._max_per_host)
        self._watch.know(restored.sessions)
        for name, accepted in restored.crowded.items():
            self._bench.host(name).accepted = accepted
        for trap in restored.traps:
            self._beware(trap)
        self._states = Counter({state.value: 0 for state in State})
        self._states.update(restored.states)
        self._written = dict(self._states)
        for depth, number in restored.open_depths.items():
            self._bench.opened(depth, number)
        for note in restored.robots:
            if wall - ROBOTS_AGE < note.at <= wall:
                host = self._bench.host(note.host)
                self._bench.rule(host, note.scheme, note.text, now - (wall - note.at))
        for rest in restored.rests:  # a clock that was set back makes nobody wait for days
            left = min(rest.until - wall, MAX_RETRY_AFTER)
            if left > 0:
                self._bench.host(rest.host).pace.next_at = now + left
        for name in restored.hosts:
            host = self._bench.host(name)
            host.tail = True
            self._bench.schedule(host)

    def _settle(self, outcome: Outcome, now: float, changes: Changes) -> bool:
        """Whether the outcome was taken: its request must be under lease."""
        held = self._leases.pop(outcome.request.lease, None)
        if held is None:
            return False
        owner, request = held
        if outcome.state is State.LEASED:
            self._leases[request.lease] = owner, self._begin(request, changes)
            return True
        host = self._bench.host(request.host)
        self._woken[host] = None
        self._bench.settle(host, outcome, now)
        if outcome.wait or host.pace.strikes:
            until = self._wall + host.pace.next_at
            changes.rests.append(Rest(host=host.name, until=until))
        if request.aside:
            if request.robots:
                self._settle_robots(outcome, now, changes)
                self._admit(outcome.links, 0, None, changes)  # sitemaps that it names
            return True
        changes.settled.append(
            Settled(
                id=request.id,
                state=outcome.state,
                reason=outcome.reason,
                status=outcome.status,
                at=outcome.at,
                elapsed=outcome.elapsed,
                detail=outcome.detail,
                due=outcome.at + outcome.retry_in if outcome.state is State.QUEUED else 0.0,
            )
        )
        # Links before the page itself: a level must not look finished between the two.
        before = len(changes.born)
        lists = request.extra is not None and Extra.of(request.extra).sitemap is not None
        self._admit(outcome.links, request.id, request.url, changes, raising=lists)
        self._beware_of(request, outcome, changes.born[before:], changes)
        if outcome.state is State.QUEUED:
            self._states[State.LEASED] -= 1
            self._states[State.QUEUED] += 1
            again = replace(request, attempt=request.attempt + 1)
            if outcome.reason == Reason.LOST:
                again = replace(again, lost=request.lost + 1)
            elif request.deaths:
                again = replace(again, deaths=0)
            self._bench.push(host, again, now + outcome.retry_in)
        else:
            self._close(request, State.LEASED, outcome.state)
        return True

    def _begin(self, request: Request, changes: Changes) -> Request:
        # Counted now, as there may be nobody to tell of it.
        if request.robots:
            self._bench.begin(self._bench.host(request.host))
        elif not request.probe:
            changes.begun.append(request.id)
        return replace(request, deaths=request.deaths + 1)

    def _settle_robots(self, outcome: Outcome, now: float, changes: Changes) -> None:
        learnt = self._bench.answered(outcome, now)
        if learnt is not None and outcome.robots is not None:
            host, scheme = learnt
            text = outcome.robots.text or b""
            changes.robots.append(
                RobotsNote(host=host.name, scheme=scheme, text=text, at=outcome.at)
            )

    def _admit(
        self,
        links: Iterable[Link],
        referrer: int,
        referrer_url: str | None,
        changes: Changes,
        *,
        raising: bool = False,
    ) -> int:
        fresh = 0
        for link in links:
            mark = fingerprint(link.url, self._seed)
            if self._known.add(mark):
                fresh += 1
                self._accept(link, mark, referrer, referrer_url, changes)
            elif (link.hops or raising) and self._level_by_level and link.skip is None:
                self._raise(link, mark, referrer, referrer_url, changes)
        return fresh

    def _raise(
        self, link: Link, mark: int, referrer: int, referrer_url: str | None, changes: Changes
    ) -> None:
        """A redirect or a sitemap may lead to a URL that a link has put on the next level.

        That level has not begun, so the URL waits. Other links lead one level on.
        """
        known = self._find(mark, changes)
        if known is None or known.depth <= link.depth:
            return
        again = replace(known, depth=link.depth, hops=link.hops, referrer=referrer_url)
        rank = rank_of(again.depth, again.priority, by_level=True)
        changes.raised.append(Raised(request=again, referrer=referrer, rank=rank))
        host = self._bench.host(link.host)
        self._woken[host] = None
        self._bench.raise_up(host, known, again)

    def _find(self, mark: int, changes: Changes) -> Request | None:
        for raised in changes.raised:  # of this very step: the ledger does not know it yet
            if fingerprint(raised.request.url, self._seed) == mark:
                return raised.request
        for born in changes.born:
            if born.fingerprint == mark:
                return None if born.link.skip else _request(born.id, born.link, None)
        return self._ledger.find(mark)

    def _accept(
        self, link: Link, mark: int, referrer: int, referrer_url: str | None, changes: Changes
    ) -> None:
        if link.skip is None and (
            note := self._watch.objects_to(link, self._bench.host(link.host))
        ):
            link = replace(link, skip=Reason.TRAP, note=note)
        self._last_id = id = self._last_id + 1
        rank = rank_of(link.depth, link.priority, by_level=self._level_by_level)
        changes.born.append(Born(id=id, fingerprint=mark, link=link, referrer=referrer, rank=rank))
        self._states[link.state] += 1
        if link.skip is not None:
            return
        self._bench.opened(link.depth)
        host = self._bench.host(link.host)
        host.accepted += 1
        self._woken[host] = None
        if self._bench.wants(host, rank, id):
            self._bench.push(host, _request(id, link, referrer_url))

    def _beware_of(
        self, request: Request, outcome: Outcome, born: list[Born], changes: Changes
    ) -> None:
        host = self._bench.host(request.host)
        if outcome.gist is not None:
            self._watch.learn(request, host, outcome.gist)
        trap = self._watch.hear(request, host, born) if born else None
        if trap is not None:
            changes.traps.append(trap)
            self._beware(trap)

    def _beware(self, trap: Trap) -> None:
        if trap.released:
            self._watch.release(trap)
        else:
            self._bench.host(trap.host).trapped(trap.family, trap.note)

    def _close(self, request: Request, was: State, state: State) -> None:
        self._states[was] -= 1
        self._states[state] += 1
        self._bench.closed(request.depth)

    def _ended(self) -> bool:
        return not (self._states[State.QUEUED] or self._states[State.LEASED])

    def _commit(self, changes: Changes) -> None:
        if changes:
            self._sure = False  # after an error, pages may be stored that it knows nothing of
            self._ledger.apply(changes)
            self._sure = True
            self._written = dict(self._states)  # never tell more than the ledger holds
        for host in self._woken:
            self._bench.schedule(host)
        self._woken.clear()


def _request(id: int, link: Link, referrer: str | None) -> Request:
    return Request(
        id=id,
        url=link.url,
        host=link.host,
        depth=link.depth,
        hops=link.hops,
        referrer=referrer,
        priority=link.priority,
        extra=link.extra,
    )
