"""What a bench does: the site, the work on its pages, and the runs. Pure."""

import math
from typing import Any

from msgspec import Struct

from asyncmultispider.errors import UsageError
from asyncmultispider.settings import MOST_CONCURRENT, MOST_PROCESSES, EngineName, Settings

MOST_PAGES = 100_000
MOST_SIZE = 10_000_000
MOST_LINKS = 10_000
MOST_LATENCY = 25.0
"""Seconds; a crawl gives up on a server that is silent for 30."""
MOST_WORK = 60_000.0
MOST_TIME = 86_400.0
THREADS = (4, 16, 64)
COROUTINES = (4, 16, 64, 256)
PER_PROCESS = (16, 64)


class Site(Struct, frozen=True, kw_only=True):
    """The built-in site. Raises `UsageError`, naming the option, when a value makes no sense.

    `/` links to all pages and answers at once. A page has `size` bytes of HTML (more, if its
    links need more), `links` to other pages, and answers after one of the `latency` values, in
    seconds, which are given to the pages in turn.
    """

    pages: int = 200
    size: int = 20_000
    links: int = 20
    latency: tuple[float, ...] = (0.05,)

    def __post_init__(self) -> None:
        _between("pages", self.pages, 1, MOST_PAGES)
        _between("size", self.size, 0, MOST_SIZE)
        _between("links", self.links, 0, MOST_LINKS)
        for seconds in self.latency:
            _between("latency", seconds, 0, MOST_LATENCY)


class Plan(Struct, frozen=True, kw_only=True):
    """A bench. Raises `UsageError` like `Site`.

    `site` is the built-in site, or the URL of a real one, of which at most `pages` are crawled.
    `cpu_ms` milliseconds of CPU are spent on each page. `processes` is how many the engine of
    that name uses. `time_limit` bounds each run, in seconds. `per_host` and `delay_factor` are
    those of `Settings`.
    """

    site: Site | str
    pages: int
    processes: int
    cpu_ms: float = 0.0
    per_host: int = MOST_CONCURRENT
    delay_factor: float = 0.0
    time_limit: float = 120.0

    def __post_init__(self) -> None:
        _between("pages", self.pages, 1, MOST_PAGES)
        _between("processes", self.processes, 1, MOST_PROCESSES)
        _between("cpu-ms", self.cpu_ms, 0, MOST_WORK)
        if not 0 < self.time_limit <= MOST_TIME:
            raise UsageError(f"--time-limit must be more than 0 seconds, not {self.time_limit}")
        for case in cases(self):
            settings_for(self, case, "http://localhost/")  # it checks the rest


class Case(Struct, frozen=True, kw_only=True):
    """How one run crawls: `name` is `sequential`, or else the engine's.

    `concurrency` is for each process.
    """

    name: str
    engine: EngineName
    concurrency: int
    processes: int = 1

    @property
    def in_flight(self) -> str:
        """Transfers at once, as a person reads them."""
        count = f"{self.concurrency}"
        return f"{self.processes} x {count}" if self.engine == "processes" else count


def cases(plan: Plan) -> list[Case]:
    """The runs, the sequential one first. More in flight than there can be is not tried."""
    most = max(1, min(plan.pages, plan.per_host))
    return [
        Case(name="sequential", engine="threads", concurrency=1),
        *(Case(name="threads", engine="threads", concurrency=n) for n in _upto(most, THREADS)),
        *(Case(name="async", engine="async", concurrency=n) for n in _upto(most, COROUTINES)),
        *(
            Case(name="processes", engine="processes", concurrency=n, processes=plan.processes)
            for n in _upto(math.ceil(most / plan.processes), PER_PROCESS)
        ),
    ]


def settings_for(plan: Plan, case: Case, url: str) -> Settings:
    """The settings of a run that starts at this canonical URL."""
    return Settings(
        seeds=(url,),
        engine=case.engine,
        concurrency=case.concurrency,
        processes=case.processes if case.engine == "processes" else None,
        per_host=plan.per_host,
        delay_factor=plan.delay_factor,
        limit=None if isinstance(plan.site, Site) else plan.pages,
    )


def parse_latency(text: str) -> tuple[float, ...]:
    """`0.1` or `2,3`: seconds. Raises `UsageError`."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        message = f"--latency needs seconds, such as 0.1 or 2,3, not {text!r}"
        raise UsageError(message) from None


def facts(plan: Plan) -> dict[str, Any]:
    """The plan for `--json`, by the names of the options."""
    built = plan.site if isinstance(plan.site, Site) else None
    return {
        "site": None if built else plan.site,
        "pages": plan.pages,
        "size": built.size if built else None,
        "links": built.links if built else None,
        "latency": list(built.latency) if built else None,
        "cpu_ms": plan.cpu_ms,
        "processes": plan.processes,
        "per_host": None if plan.per_host == MOST_CONCURRENT else plan.per_host,
        "delay_factor": plan.delay_factor,
        "time_limit": plan.time_limit,
    }


def _upto(most: int, counts: tuple[int, ...]) -> list[int]:
    """The counts in order, none above `most`."""
    return sorted({min(count, most) for count in counts})


def _between(option: str, value: float, least: float, most: float) -> None:
    if not (math.isfinite(value) and least <= value <= most):
        raise UsageError(f"--{option} must be from {least:.0f} to {most:.0f}, not {value}")
