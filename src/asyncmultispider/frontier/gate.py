"""What a host's robots.txt lets through, and how the URLs end that it stops."""

from math import inf

from msgspec import Struct

from asyncmultispider.model import Closed, Outcome, Reason, Request, State
from asyncmultispider.robots import ALLOW_ALL, Robots

ROBOTS_AGE = 24 * 3600.0
"""Seconds for which a robots.txt is good (RFC 9309 section 2.4)."""
ROBOTS_AGAIN = 3600.0
"""Seconds after which a robots.txt is asked for again, where the old one could not be renewed."""
ROBOTS_HOPS = 5
"""Redirects of a robots.txt that are followed (RFC 9309 section 2.3.1.2)."""


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


class Gate:
    """What is known of one robots.txt: unasked, or rules, or that it can't be had."""

    __slots__ = ("attempt", "home", "hops", "lost", "refusal", "rules", "scheme", "until", "url")

    def __init__(self, scheme: str, host: str) -> None:
        self.scheme = scheme
        self.home = self.url = f"{scheme}://{host}/robots.txt"
        self.hops = 0
        self.attempt = 1
        self.lost = 0
        self.rules: Robots | None = None
        self.refusal: Refusal | None = None
        self.until = -inf

    def settle(self, now: float, rules: Robots | None, refusal: Refusal | None) -> None:
        """Hold for a day what was learnt."""
        self.rules, self.refusal = rules, refusal
        self.until = now + ROBOTS_AGE
        self.url, self.hops, self.attempt, self.lost = self.home, 0, 1, 0

    def request(self, host: str) -> Request:
        """The request for it."""
        return Request(
            id=0,
            url=self.url,
            host=host,
            hops=self.hops,
            attempt=self.attempt,
            lost=self.lost,
            robots=True,
        )

    def refuses(self, request: Request, agent: str | None) -> Refusal | None:
        """How a URL ends that may not be asked for; None: it may be."""
        if self.rules is None:
            return self.refusal
        return None if self.rules.allows(request.url, agent or "*") else FORBIDDEN

    def follow(self, target: str, now: float) -> None:
        """It is to be asked for elsewhere, up to a bound."""
        self.hops += 1
        if self.hops > ROBOTS_HOPS:
            self.settle(now, ALLOW_ALL, None)
        else:
            self.url = target

    def unavailable(self, outcome: Outcome, now: float) -> bool:
        """It can't be had. Whether that closes the URLs behind it."""
        if self.rules is not None:
            # RFC 9309 section 2.4: rules that are older than a day do while there are no newer.
            self.settle(now + ROBOTS_AGAIN - ROBOTS_AGE, self.rules, None)
            return False
        self.settle(now, None, _refusal(outcome))
        return True


def _refusal(outcome: Outcome) -> Refusal:
    # No answer at all: the pages would fail alike. A server error: the rules are unknown, and
    # nothing is allowed until they can be read (RFC 9309 section 2.3.1.4).
    reason = outcome.robots.reason if outcome.robots else None
    state = State.SUSPENDED if reason is None else State.FAILED
    detail = f"robots.txt: {outcome.detail}"
    return Refusal(state, reason or Reason.ROBOTS_UNAVAILABLE, detail, outcome.at, outcome.elapsed)
