"""The hosts of a frontier, ordered by when each may be visited next.

Politeness is the order: a host sits on the heap at the time of its next visit, so nothing polls
and nothing sleeps in a worker. Modelled on BUbiNG's workbench (Boldi et al., 2018, section 4.3).

A suspect, a request that was lost too often, is set aside while anything else is out.

Always true: a host is on the heap exactly when it has something to hand out, a free slot, and no
robots.txt under way; only the heads of the queues are in memory, the rest waits in the ledger.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from math import inf

from asyncmultispider.bans import REFUSED
from asyncmultispider.frontier.base import rank_of
from asyncmultispider.frontier.gate import GONE, POISONED, Gate, Refusal, Shelf
from asyncmultispider.frontier.host import BEFORE_ALL, Host
from asyncmultispider.model import Closed, Outcome, Reason, Request, State
from asyncmultispider.politeness import Manners
from asyncmultispider.retry import MAX_RETRY_AFTER, SUSPECT, is_poison

HEADS = 256
"""Most requests of one host's queue that are held in memory."""
ALL_HEADS = 32_768
"""About as many requests are held for all hosts together, with very many hosts none for most."""
CLOSED_AT_ONCE = 4096
"""Refused URLs that one `take` closes before it looks at the time again."""

Load = Callable[[str, tuple[int, int], int], list[tuple[Request, float]]]


class Workbench:
    """Hands out requests host by host. The owner keeps the ledger in step.

    `load` reads more of a queue from the ledger, `rules` a robots.txt; `agent` is our product token
    in it, or None to ask for no robots.txt at all; `level_by_level` finishes each depth before the
    next begins, which a crawl with a depth limit needs for a result that does not depend on timing.
    """

    def __init__(
        self,
        manners: Manners,
        load: Load,
        rules: Callable[[str, str], bytes],
        *,
        agent: str | None,
        level_by_level: bool,
    ) -> None:
        self._manners = manners
        self._load = load
        self._asks = agent is not None
        self._shelf = Shelf(rules, agent or "*")
        self._hosts: dict[str, Host] = {}
        self._heap: list[tuple[float, int, Host]] = []
        self._stamp = 0
        self._level_by_level = level_by_level
        self._open_depths: dict[int, int] = {}
        self._held: dict[Host, None] = {}
        self._doomed: list[Host] = []
        self._aside: dict[Host, deque[Request]] = {}
        self._alone = False

    def __len__(self) -> int:
        return len(self._hosts)

    def host(self, name: str) -> Host:
        """The host of that name, made when it is new."""
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = Host(name, self._manners)
        return host

    def opened(self, depth: int, count: int = 1) -> None:
        """URLs of this depth are accepted and not final."""
        self._open_depths[depth] = self._open_depths.get(depth, 0) + count

    def closed(self, depth: int) -> None:
        """A URL of this depth is final. The last of its level opens the next one."""
        self._open_depths[depth] -= 1
        if self._level_by_level and not self._open_depths[depth]:
            held, self._held = self._held, {}
            for host in held:
                host.held = False
                self.schedule(host)

    def wants(self, host: Host, rank: int, id: int) -> bool:
        """Whether `push` would hold this URL in memory, or leave it to the ledger."""
        if host.tail and (rank, id) > host.cursor:
            return False
        if len(host.heads) < 2 * self._share():
            return True
        self._put_back(host)
        return (rank, id) <= host.cursor

    def push(self, host: Host, request: Request, due: float = -inf) -> None:
        """Queue a request, not to be handed out before `due`."""
        if due == -inf or host.refusal is not None:
            host.held = False
            heappush(host.heads, (*self._place(request), request))
        else:
            heappush(host.later, (due, request.id, request))

    def raise_up(self, host: Host, known: Request, again: Request) -> None:
        """A queued request is of a level above the one that it was pushed with."""
        self.opened(again.depth)
        self._open_depths[known.depth] -= 1
        for at, (due, id, _) in enumerate(host.later):
            if id == known.id:  # it goes on to wait
                host.later[at] = due, id, again
                return
        for at, request in enumerate(self._aside.get(host, ())):
            if request.id == known.id:
                self._aside[host][at] = again
                return
        host.heads = [head for head in host.heads if head[1] != known.id]
        heapify(host.heads)
        if self.wants(host, *self._place(again)):
            self.push(host, again)

    def schedule(self, host: Host) -> None:
        """Put the host where it belongs on the heap, after anything about it has changed."""
        ready = host.ready_at()
        if ready == host.ready:
            return
        host.ready = ready
        self._stamp += 1
        host.stamp = self._stamp
        if ready is not None:
            heappush(self._heap, (ready, self._stamp, host))

    def take(self, room: int, now: float, closed: list[Closed], *, busy: bool) -> Iterator[Request]:
        """Requests that may be sent now. URLs that no one may fetch are added to `closed`.

        `busy` says that some are out already.
        """
        while self._doomed and len(closed) < CLOSED_AT_ONCE:
            self._clear(self._doomed[-1], now, closed)
            if len(closed) < CLOSED_AT_ONCE:
                self.schedule(self._doomed.pop())
        self._alone = self._alone and busy
        for request in self._visit(room, now, closed):
            busy = True
            yield request
        while room > 0 and not busy and self._aside:
            self._recall()
            for request in self._visit(1, now, closed, suspects=True):
                busy = True
                yield request
            if self._next_visit() != inf:  # somebody has a turn to come
                break

    def next_visit(self, now: float) -> tuple[float | None, str | None]:
        """Seconds until a host may be visited by the clock alone, and which; None: by an event."""
        if self._doomed:
            return 0.0, None
        visit = inf if self._alone else self._next_visit()
        return (None, None) if visit == inf else (max(0.0, visit - now), self._heap[0][2].name)

    def answered(self, outcome: Outcome, now: float) -> tuple[Host, str] | None:
        """Take in what asking for robots.txt gave; the host and scheme with new rules, if any."""
        host = self.host(outcome.request.host)
        gate, host.asking = host.asking, None
        answer = outcome.robots
        if gate is None or answer is None:
            raise AssertionError(f"no robots.txt was asked for: {outcome.request.url}")
        if answer.text is not None:
            self.rule(host, gate.scheme, answer.text, now)
            return host, gate.scheme
        if answer.redirect is not None:
            if not gate.follow(answer.redirect):
                self._learn(host, gate, None, now)
        elif outcome.state is State.QUEUED and gate.again(outcome):
            host.pace.next_at = max(host.pace.next_at, now + outcome.retry_in)
        elif gate.unavailable(outcome, now):
            self._doomed.append(host)
        return None

    def rule(self, host: Host, scheme: str, text: bytes, now: float) -> None:
        """Let the rules of a robots.txt that was read at `now` hold for a day."""
        self._learn(host, self._gate(host, scheme), text, now)

    def begin(self, host: Host) -> None:
        """The answer to the robots.txt that was asked for is going to be read."""
        if host.asking is not None:
            host.asking.deaths += 1

    def settle(self, host: Host, outcome: Outcome, now: float) -> None:
        """A transfer from the host ended: adjust its pace, and give it up when it is gone."""
        reception = host.reception
        if outcome.request.probe:
            reception.probed(outcome)
        elif not outcome.request.robots:
            reception.hear(outcome)
        host.pace.finish(
            now,
            outcome.elapsed,
            overloaded=reception.strains(outcome),
            faltered=outcome.status is None,
            wait=outcome.wait,
        )
        banned = reception.cold and host.pace.strikes >= reception.most_strikes
        if (banned or host.pace.gone) and host.refusal is None:
            host.refusal = GONE
            if banned:
                host.refusal = Refusal(State.SUSPENDED, Reason.BANNED, reception.why)
            later, host.later = host.later, []
            for _, _, request in later:
                self._again(host, request)
            self._fetch_back(host, len(self._aside.get(host, ())))
            self._doomed.append(host)

    def _visit(
        self, room: int, now: float, closed: list[Closed], *, suspects: bool = False
    ) -> Iterator[Request]:
        while room > 0 and not self._alone and len(closed) < CLOSED_AT_ONCE:
            if self._next_visit() > now:
                break
            host = heappop(self._heap)[2]
            host.ready = None
            request = self._next(host, now, closed)
            if request is not None:
                suspect = request.lost >= SUSPECT
                if suspect and not suspects:
                    self._set_aside(host, request)
                else:
                    self._alone = suspect
                    host.pace.start(now)
                    room -= 1
                    yield request
            self.schedule(host)

    def _set_aside(self, host: Host, request: Request) -> None:
        aside = self._aside.setdefault(host, deque())
        if request.robots:
            host.asking, host.waits = None, True
        else:
            aside.append(request)

    def _recall(self) -> None:
        for host in list(self._aside):
            self._fetch_back(host, 1)
            self.schedule(host)

    def _fetch_back(self, host: Host, most: int) -> None:
        host.waits = False
        aside = self._aside.get(host, deque())
        for _ in range(min(most, len(aside))):
            self._again(host, aside.popleft())
        if not aside:
            self._aside.pop(host, None)

    def _level(self) -> int:
        return min(depth for depth, count in self._open_depths.items() if count)

    def _gate(self, host: Host, scheme: str) -> Gate:
        for gate in host.gates:
            if gate.scheme == scheme:
                return gate
        gate = Gate(scheme, host.name)
        host.gates += (gate,)
        return gate

    def _learn(self, host: Host, gate: Gate, text: bytes | None, now: float) -> None:
        gate.settle(now)
        self._shelf.put(gate, text)
        # http and https share the pace: the longer delay holds.
        host.pace.ask_for(max(each.delay for each in host.gates))

    def _next_visit(self) -> float:
        heap = self._heap
        while heap:
            ready, stamp, host = heap[0]
            if host.stamp == stamp:
                return ready
            heappop(heap)
        return inf

    def _next(self, host: Host, now: float, closed: list[Closed]) -> Request | None:
        while host.later and host.later[0][0] <= now:
            self._again(host, heappop(host.later)[2])
        coming = self._clear(host, now, closed)
        if coming is None:
            return None
        if self._level_by_level and host.heads[0][2].depth > self._level():
            host.held = True
            self._held[host] = None
            return None
        if isinstance(coming, Gate):
            host.asking = coming
            if len(host.heads) > 2 * self._share():
                self._put_back(host)
            return coming.request()
        if (probe := self._probe(host)) is not None:
            return probe
        heappop(host.heads)
        return coming

    def _probe(self, host: Host) -> Request | None:
        url = host.reception.probe
        if url is None:
            return None
        probe = Request(id=0, url=url, host=host.name, probe=True)
        gate = self._gate_for(host, probe)
        if gate is not None and self._shelf.refuses(gate, probe) is not None:
            host.reception.cold = True  # there is nothing that may be asked for
            return None
        host.reception.asking = True
        return probe

    def _clear(self, host: Host, now: float, closed: list[Closed]) -> Gate | Request | None:
        """Close the refused URLs at the head of the queue, which takes no visit.

        What comes then: a robots.txt to ask for, or a request that may be sent.
        """
        while len(closed) < CLOSED_AT_ONCE and (host.heads or self._refill(host, now)):
            if host.reception.refused >= REFUSED and not self._level_by_level:
                _look_elsewhere(host)
            request = host.heads[0][2]
            if is_poison(request.lost, request.deaths):
                refusal: Refusal | None = POISONED
            else:
                gate = self._gate_for(host, request)
                if gate is not None and now >= gate.until:
                    return gate
                refusal = host.refusal if gate is None else self._shelf.refuses(gate, request)
                if refusal is None and host.traps:
                    refusal = host.traps.get(host.family_of(request.url))
            if refusal is None:
                return request
            heappop(host.heads)
            closed.append(refusal.close(request))
        return None

    def _again(self, host: Host, request: Request) -> None:
        # Beyond the cursor it waits in the ledger, and comes with its neighbours.
        if not host.tail or self._place(request) <= host.cursor:
            self.push(host, request)

    def _gate_for(self, host: Host, request: Request) -> Gate | None:
        if not self._asks or host.refusal is not None:
            return None
        return self._gate(host, request.url.partition(":")[0])

    def _place(self, request: Request) -> tuple[int, int]:
        rank = rank_of(request.depth, request.priority, by_level=self._level_by_level)
        return rank, request.id

    def _share(self) -> int:
        return min(HEADS // 2, ALL_HEADS // len(self._hosts))

    def _put_back(self, host: Host) -> None:
        """Leave the farther half of what is in memory to the ledger, where it is already."""
        host.heads.sort()
        del host.heads[self._share() :]
        host.cursor = host.heads[-1][:2] if host.heads else BEFORE_ALL
        host.held = host.held and bool(host.heads)
        host.tail = True

    def _refill(self, host: Host, now: float) -> bool:
        while host.tail and not host.heads:
            waiting = {id for _, id, _ in host.later}
            waiting |= {request.id for request in self._aside.get(host, ())}
            limit = max(1, self._share()) + len(waiting)
            rows = self._load(host.name, host.cursor, limit)
            host.tail = len(rows) == limit
            for request, wait in rows:
                host.cursor = self._place(request)
                if request.id not in waiting:
                    # The clock may have been set back: no retry waits longer than the longest.
                    waits = wait > 0 and host.refusal is None
                    due = now + min(wait, MAX_RETRY_AFTER) if waits else -inf
                    self.push(host, request, due)
        return bool(host.heads)


def _look_elsewhere(host: Host) -> None:
    # A closed corner of the site, perhaps: another part of the queue is worth more.
    heads = host.heads
    other = host.reception.refused * 31 % len(heads)
    heads[0], heads[other] = heads[other], heads[0]
