"""What is done to a crawl, and when: drawn from one seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from asyncmultispider.settings import EngineName

ODDS = (6, 2, 1)
"""Of each `Act`."""
BY_CLOCK = 0.25
"""The chance of a deed to come by the clock, not by progress."""
LATEST = 1.0
"""Seconds after which a deed by the clock comes, at most: it often hits the start-up."""
LEAST, MOST_LEAST = 5, 10
"""Requests between two deeds: at least, and what may be the most at least."""
MOST_AT_THE_END = 0.15
"""Seconds after the last request, at most, of a kill at the end."""


class Act(StrEnum):
    """What is done: SIGKILL; SIGSTOP and SIGCONT; SIGSTOP and SIGKILL."""

    KILL = "kill"
    PAUSE = "pause"
    FREEZE = "stop and kill"


class Whom(StrEnum):
    """Whom it is done to. `all` are the processes of the group, in one call."""

    WORKER = "worker"
    SUPERVISOR = "supervisor"
    ALL = "all"


class When(StrEnum):
    """What is waited for, before some time may pass."""

    AT_ONCE = "nothing"
    REQUESTS = "more requests"
    LAST_REQUEST = "the last request"
    OUTPUT = "the output"


@dataclass(frozen=True)
class Deed:
    """An act and its moment: the event (so many more requests, if it is that), then the seconds.

    `stopped` is how long a process stays stopped, in seconds.
    """

    when: When
    act: Act
    whom: Whom
    requests: int = 0
    seconds: float = 0.0
    stopped: float = 0.0

    def __str__(self) -> str:
        return f"{self.act} {self.whom}"

    @property
    def kills(self) -> bool:
        return self.act is not Act.PAUSE


@dataclass(frozen=True)
class Plan:
    """A crawl: how it is run, how many kills it gets on its way, and the deeds at its end."""

    engine: EngineName
    processes: int
    concurrency: int
    per_host: int
    delay: float
    spider: bool
    kills: int
    kills_at_the_end: int
    longest_stop: float

    @property
    def in_flight(self) -> int:
        """URLs that can be taken and not yet in the books: what one kill can cost.

        A place in flight, at the host and in the process, is free again only when the outcome is
        committed, so this is fetches under way and fetched pages that are not committed together.
        """
        return min(self.per_host, self.concurrency * self.processes)

    def options(self) -> list[str]:
        """For the command line."""
        several = ["-j", str(self.processes)] if self.engine == "processes" else []
        pace = ["--delay-factor", "0", "--delay", str(self.delay)]
        room = ["-c", str(self.concurrency), "--per-host", str(self.per_host)]
        return ["--engine", self.engine, *several, *room, *pace]


def draw_plan(dice: random.Random, engine: EngineName, kills: tuple[int, int]) -> Plan:
    """A crawl for the long run, with so many kills (least and most)."""
    return Plan(
        engine=engine,
        processes=dice.choice((2, 3)) if engine == "processes" else 1,
        concurrency=dice.choice((4, 8, 32)),
        per_host=dice.choice((4, 16, 32)),
        delay=dice.choice((0.0, 0.0, 0.002)),
        spider=dice.random() < 0.4,
        kills=dice.randint(*kills),
        kills_at_the_end=2,
        longest_stop=dice.choice((0.2, 2.0)),
    )


class Monkey:
    """Draws deeds for a crawl. `urls` is how many URLs the crawl will fetch."""

    def __init__(self, dice: random.Random, plan: Plan, urls: int) -> None:
        self._dice = dice
        self._plan = plan
        self._stride = max(MOST_LEAST, urls // (plan.kills + 1))
        self._by_clock = True  # the first deed is not: a small site may be done by then

    def deeds(self) -> Iterator[Deed]:
        """What is done on the way, then at the end."""
        kills = 0
        while kills < self._plan.kills:
            deed = self._on_the_way()
            kills += deed.kills
            yield deed
        for _ in range(self._plan.kills_at_the_end):
            yield self._at_the_end()

    def _on_the_way(self) -> Deed:
        """Never two by the clock in a row: the crawl must get on between two kills.

        A page in flight at each of many kills looks like one that kills, and may be given up.
        """
        act = self._dice.choices(list(Act), ODDS)[0]
        whom = self._dice.choice(self._targets())
        stopped = self._dice.uniform(0.02, self._plan.longest_stop)
        self._by_clock = not self._by_clock and self._dice.random() < BY_CLOCK
        if self._by_clock:
            seconds = self._dice.uniform(0, LATEST)
            return Deed(When.AT_ONCE, act, whom, seconds=seconds, stopped=stopped)
        requests = self._dice.randint(LEAST, self._stride)
        return Deed(When.REQUESTS, act, whom, requests=requests, stopped=stopped)

    def _at_the_end(self) -> Deed:
        """The last commits, or the output being written."""
        when = self._dice.choice((When.LAST_REQUEST, When.OUTPUT))
        whom = self._dice.choice((Whom.SUPERVISOR, Whom.ALL))
        seconds = self._dice.uniform(0, MOST_AT_THE_END) if when is When.LAST_REQUEST else 0.0
        return Deed(when, Act.KILL, whom, seconds=seconds)

    def _targets(self) -> list[Whom]:
        return list(Whom) if self._plan.engine == "processes" else [Whom.SUPERVISOR, Whom.ALL]
