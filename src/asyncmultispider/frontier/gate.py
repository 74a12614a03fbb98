"""What a host's robots.txt lets through, and how the URLs end that it stops."""

from collections import OrderedDict
from collections.abc import Callable
from math import inf

from msgspec import Struct

from asyncmultispider.model import Closed, Outcome, Reason, Request, State
from asyncmultispider.retry import is_poison
from asyncmultispider.robots import SILENT, Policy, Robots

ROBOTS_AGE = 24 * 3600.0
"""Seconds for which a robots.txt is good (RFC 9309 section 2.4)."""
ROBOTS_AGAIN = 3600.0
"""Seconds after which a robots.txt is asked for again, where the old one could not be renewed."""
ROBOTS_HOPS = 5
"""Redirects of a robots.txt that are followed (RFC 9309 section 2.3.1.2)."""
ALL_RULES = 100_000_000
"""About as many bytes of memory are for the rules of all robots.txt together."""


class Refusal(Struct, frozen=True):
    """How URLs of a host end that can't be asked for. The rest is of the try that told so."""

    state: State
    reason: Reason
    detail: str | None = None
    at: float | None = None
    elapsed: float | None = None

    def close(self, request: Request) -> Closed:
        """This end, of this URL."""
        return Closed(
            request=request,
            state=self.state,
            reason=self.reason,
            detail=self.detail,
            at=self.at,
            elapsed=self.elapsed,
        )


GONE = Refusal(State.SUSPENDED, Reason.UNREACHABLE)
FORBIDDEN = Refusal(State.SKIPPED, Reason.ROBOTS)
POISONED = Refusal(
    State.FAILED, Reason.POISON, "the process died when it worked on it, and on nothing else"
)


class Gate:
    """What is known of one robots.txt: unasked, or that it is `ruled`, or that it can't be had.

    The rules themselves are on a `Shelf`. `delay` is the Crawl-delay they ask for.
    """

    __slots__ = (
        "attempt",
        "deaths",
        "delay",
        "hops",
        "host",
        "lost",
        "refusal",
        "ruled",
        "rules",
        "scheme",
        "until",
        "url",
    )

    def __init__(self, scheme: str, host: str) -> None:
        self.scheme = scheme
        self.host = host
        self.url: str | None = None
        self.hops = 0
        self.attempt = 1
        self.lost = 0
        self.deaths = 0
        self.ruled = False
        self.rules: Policy | None = None
        self.delay = 0.0
        self.refusal: Refusal | None = None
        self.until = -inf

    def settle(self, now: float) -> None:
        """Hold for a day what was learnt."""
        self.until = now + ROBOTS_AGE
        self.url, self.hops = None, 0
        self.attempt, self.lost, self.deaths = 1, 0, 0

    def request(self) -> Request:
        """The request for it."""
        return Request(
            id=0,
            url=self.url or f"{self.scheme}://{self.host}/robots.txt",
            host=self.host,
            hops=self.hops,
            attempt=self.attempt,
            lost=self.lost,
            deaths=self.deaths,
            robots=True,
        )

    def follow(self, target: str) -> bool:
        """It is to be asked for elsewhere; False when that was said too often."""
        self.hops += 1
        self.url = target
        return self.hops <= ROBOTS_HOPS

    def again(self, outcome: Outcome) -> bool:
        """It is to be asked for again. Whether that may be: False when it was lost too often."""
        self.attempt += 1
        if outcome.reason == Reason.LOST:
            self.lost += 1
        else:
            self.deaths = 0
        return not is_poison(self.lost, self.deaths)

    def unavailable(self, outcome: Outcome, now: float) -> bool:
        """It can't be had. Whether that closes the URLs behind it."""
        if self.ruled:
            # RFC 9309 section 2.4: rules that are older than a day do while there are no newer.
            self.settle(now + ROBOTS_AGAIN - ROBOTS_AGE)
            return False
        self.settle(now)
        self.refusal = _refusal(outcome)
        return True


class Shelf:
    """The rules of gates. Those used last are in memory, the others are read and parsed again.

    `read` gives the text of the robots.txt of a host and scheme, as the ledger keeps it.
    """

    def __init__(self, read: Callable[[str, str], bytes], agent: str) -> None:
        self._read = read
        self._agent = agent
        self._sizes: OrderedDict[Gate, int] = OrderedDict()  # the gate used last comes last
        self._held = 0

    def put(self, gate: Gate, text: bytes | None) -> None:
        """Let these rules hold at the gate. None: there are none, and the ledger has no text."""
        self._drop(gate)
        policy = SILENT if text is None else Robots.parse(text).policy(self._agent)
        gate.ruled, gate.rules, gate.refusal = True, policy, None
        gate.delay = policy.crawl_delay or 0.0
        if policy.size:
            self._sizes[gate] = policy.size
            self._held += policy.size
        while self._held > ALL_RULES and len(self._sizes) > 1:
            self._drop(next(iter(self._sizes)))

    def refuses(self, gate: Gate, request: Request) -> Refusal | None:
        """How a URL ends that may not be asked for; None: it may be."""
        if not gate.ruled:
            return gate.refusal
        if gate in self._sizes:
            self._sizes.move_to_end(gate)
        elif gate.rules is None:
            self.put(gate, self._read(gate.host, gate.scheme))
        return FORBIDDEN if gate.rules and not gate.rules.allows(request.url) else None

    def _drop(self, gate: Gate) -> None:
        if gate in self._sizes:
            self._held -= self._sizes.pop(gate)
            gate.rules = None


def _refusal(outcome: Outcome) -> Refusal:
    # No answer at all: the pages would fail alike. A server error: the rules are unknown, and
    # nothing is allowed until they can be read (RFC 9309 section 2.3.1.4).
    reason = outcome.robots.reason if outcome.robots else None
    if reason is Reason.LOST:
        reason = Reason.POISON
    state = State.SUSPENDED if reason is None else State.FAILED
    detail = f"robots.txt: {outcome.detail}"
    return Refusal(state, reason or Reason.ROBOTS_UNAVAILABLE, detail, outcome.at, outcome.elapsed)
