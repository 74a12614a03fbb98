"""A host's pace: when it may be visited next, how many transfers it may hold, when to back off.

Pure: time is an argument, in seconds of any steady clock. The pace belongs to the host, not to
its queue, so a queue that empties does not forget it.

Always true: `in_flight` never exceeds the slots, and no start comes before `next_at`.
"""

from msgspec import Struct

from asyncmultispider.settings import Settings

MAX_RESPONSE_WAIT = 30.0
"""Most seconds that a slow answer makes us wait (`--delay-factor`)."""
MAX_CRAWL_DELAY = 60.0
"""Most seconds of a robots.txt `Crawl-delay` that are honoured; some sites ask for days."""
FIRST_BACKOFF = 1.0
MAX_BACKOFF = 300.0
STRIKES = 10
"""Slow-downs in a row, without one success between, after which a host counts as gone."""


class Manners(Struct, frozen=True, kw_only=True):
    """How a crawl treats every host: the options `--per-host`, `--delay`, `--delay-factor`."""

    slots: int = 2
    delay: float = 0.0
    factor: float = 1.0

    @classmethod
    def of(cls, settings: Settings) -> "Manners":
        """The manners that these settings ask for."""
        return cls(slots=settings.per_host, delay=settings.delay, factor=settings.delay_factor)


class Pace:
    """One host's pace. `start` when a transfer begins, `finish` when it ends."""

    __slots__ = (
        "_backoff",
        "_crawl_delay",
        "_faltered",
        "_manners",
        "_slowed_at",
        "_started_at",
        "in_flight",
        "next_at",
        "strikes",
    )

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._backoff = 0.0
        self._crawl_delay = 0.0
        self._faltered = False
        self._slowed_at = float("-inf")
        self._started_at = float("-inf")
        self.in_flight = 0
        self.next_at = float("-inf")
        self.strikes = 0

    @property
    def free(self) -> bool:
        """Whether one more transfer may be in flight. A host that shows strain gets one slot."""
        return self.in_flight < (1 if self._backoff else self._manners.slots)

    @property
    def gap(self) -> float:
        """Least seconds between two starts, as things are."""
        return max(self._manners.delay, self._crawl_delay, self._backoff)

    @property
    def gone(self) -> bool:
        """Whether the host has failed so often in a row that it is not worth more tries."""
        return self.strikes >= STRIKES

    def ask_for(self, crawl_delay: float | None) -> None:
        """Take over a robots.txt `Crawl-delay`, up to a bound."""
        self._crawl_delay = min(crawl_delay or 0.0, MAX_CRAWL_DELAY)
        self.next_at = max(self.next_at, self._started_at + self._crawl_delay)

    def start(self, now: float) -> None:
        """A transfer begins."""
        self.in_flight += 1
        self._started_at = now
        self.next_at = now + self.gap

    def finish(
        self,
        now: float,
        elapsed: float,
        *,
        overloaded: bool = False,
        faltered: bool = False,
        wait: float = 0.0,
    ) -> None:
        """A transfer ended after `elapsed` seconds; the host asked to be left alone for `wait`.

        A host that is `overloaded` said so, or else it `faltered`: it gave no answer.
        """
        self.in_flight -= 1
        if overloaded:
            self._slow_down(now, elapsed, faltered=faltered)
            pause = self._backoff
        else:
            self._recover()
            pause = min(self._manners.factor * elapsed, MAX_RESPONSE_WAIT)
        self.next_at = max(self.next_at, now + max(pause, wait))

    def _slow_down(self, now: float, elapsed: float, *, faltered: bool) -> None:
        # Many transfers fail together when a host falters: only those begun after the last
        # slow-down tell something new.
        if now - elapsed < self._slowed_at:
            return
        self._slowed_at = now
        self.strikes += 1
        self._faltered = faltered
        self._backoff = min(max(FIRST_BACKOFF, 2 * self._backoff), MAX_BACKOFF)

    def _recover(self) -> None:
        # Who asked for less is believed for a while; some pages that never answer are no strain.
        self.strikes = 0
        lasting = self._backoff > FIRST_BACKOFF / 2 and not self._faltered
        self._backoff = self._backoff / 2 if lasting else 0.0
