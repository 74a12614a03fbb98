"""A pool of proxies: a host keeps to one, and one that fails is given a rest.

Hosts are spread by highest-random-weight hashing (Thaler and Ravishankar, 1998): while a proxy
rests, its hosts alone go elsewhere, each to the next by its own order; and they come back. All
worker processes choose alike. Times are seconds of any clock that never goes back.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import inf
from threading import Lock

from xxhash import xxh64_intdigest

FIRST_REST = 5.0
"""Seconds that a proxy rests after its first strike. Each further one doubles them."""
LONGEST_REST = 600.0
MOST_DOUBTS = 3
"""Failures in a row that may be the proxy's or the host's: together they are a strike."""
TRIAL = 15.0
"""Seconds after a rest in which one request tries the proxy, before another one does."""
MAX_HOMES = 65_536
"""Hosts whose first choice is remembered; it is the same when it is made again."""


class _Health:
    """Of one proxy: strikes since it worked last, when it got the last one, until when it rests."""

    __slots__ = ("doubts", "rests_until", "strikes", "struck_at")

    def __init__(self) -> None:
        self.strikes = 0
        self.doubts = 0
        self.struck_at = -inf
        self.rests_until = -inf


class Proxies:
    """Which proxy a request goes through. To be shared by threads.

    What is reported of a transfer counts if it began after the last strike: the others that were
    under way when a proxy died tell nothing new.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._health = {url: _Health() for url in urls}
        self._lock = Lock()
        self._home = lru_cache(MAX_HOMES)(self._first_choice)

    def choose(self, host: str, now: float) -> str:
        """The proxy for a request to `host[:port]`: its own, else the next that does not rest.

        If all rest, it is the one whose rest ends first.
        """
        home = self._home(host)
        return home if not self._health[home].strikes else self._choose_fit(host, now)

    def worked(self, url: str, began: float) -> None:
        """A transfer through it that began at `began` brought an answer: all is forgiven."""
        health = self._health[url]
        if health.strikes or health.doubts:
            with self._lock:
                if began > health.struck_at:
                    health.strikes = health.doubts = 0
                    health.rests_until = -inf

    def failed(self, url: str, began: float, now: float) -> None:
        """It failed, and nobody else can be blamed for that."""
        health = self._health[url]
        with self._lock:
            if began > health.struck_at:
                rest = min(FIRST_REST * 2.0 ** min(health.strikes, 64), LONGEST_REST)
                health.strikes += 1
                health.doubts = 0
                health.struck_at = now
                health.rests_until = now + rest

    def doubted(self, url: str, began: float, now: float) -> None:
        """A transfer through it failed, and whose fault that was is not known."""
        health = self._health[url]
        with self._lock:
            health.doubts += began > health.struck_at
            enough = health.doubts >= MOST_DOUBTS
        if enough:
            self.failed(url, began, now)

    def _choose_fit(self, host: str, now: float) -> str:
        with self._lock:
            fit = [url for url, health in self._health.items() if health.rests_until <= now]
            if not fit:
                return min(self._health, key=lambda url: self._health[url].rests_until)
            best = _heaviest(fit, host)
            if self._health[best].strikes:
                self._health[best].rests_until = now + TRIAL
            return best

    def _first_choice(self, host: str) -> str:
        return _heaviest(self._health, host)


def _heaviest(urls: Iterable[str], host: str) -> str:
    return max(urls, key=lambda url: xxh64_intdigest(f"{url} {host}".encode()))
