"""What the tests of all parts share."""

from typing import Any

from asyncmultispider.frontier.base import Frontier
from asyncmultispider.settings import Settings
from asyncmultispider.testing.clock import FakeClock
from asyncmultispider.testing.driver import Driver
from asyncmultispider.testing.outcomes import link

A = "http://a.example"
B = "http://b.example"
DAY = 24 * 3600.0


def easy(**options: Any) -> Settings:
    """Settings without any manners but those that are asked for."""
    plain: dict[str, Any] = {"ignore_robots": True, "delay_factor": 0.0, "per_host": 1000}
    return Settings(seeds=(f"{A}/",), scope="any", **{**plain, **options})


def polite(**options: Any) -> Settings:
    """The same, but robots.txt is asked for."""
    return easy(ignore_robots=False, **options)


class FrontierBase:
    """How the tests of a part come by a frontier."""

    def make_frontier(self, settings: Settings, clock: FakeClock) -> Frontier:
        """A new frontier that knows no URL and goes by this clock."""
        raise NotImplementedError

    def drive(self, settings: Settings, *urls: str) -> Driver:
        """Somebody who works for a new frontier, which knows these URLs."""
        clock = FakeClock()
        driver = Driver(self.make_frontier(settings, clock), clock)
        driver.frontier.add(map(link, urls))
        return driver
