"""Which engine, and how many? One sentence from the runs of a bench. Pure."""

from collections.abc import Sequence

from asyncmultispider.bench.run import Run
from asyncmultispider.bench.table import per_page

CLOSE = 0.9
"""A run with this share of the best pages per second is as good as the best."""
BUSY = 0.7
"""Cores' worth of CPU from which on a single process is held up by its work."""
START_UP = 2.0
"""Seconds of a run of which the start of worker processes is a good part."""
SIMPLE = ("async", "threads", "processes")
"""The engines, the simplest first."""


def advise(runs: Sequence[Run], *, pages: int, per_host: int, polite: bool = True) -> str:
    """The simplest way that is about as fast as the fastest.

    Ways that lost pages which others could get are out. `pages` and `per_host`, those of the plan,
    bound what can be in flight. They were not `polite` when nothing but that bounded it.
    """
    ways = [run for run in runs if run.name != "sequential" and run.pages]
    if not ways:
        return "For this site: nothing but the sequential run got a page, so nothing can be said."
    least = min(run.failed for run in ways)
    ways = [run for run in ways if run.failed == least]
    best = max(run.pages_per_second for run in ways)
    good = [run for run in ways if run.pages_per_second >= CLOSE * best]
    choice = min(good, key=lambda run: (SIMPLE.index(run.engine), run.concurrency))
    cost = f"{choice.speedup:.1f} x sequential, {per_page(choice)} of CPU a page"
    why = _why(choice, ways, pages, per_host)
    return f"For this site: {options(choice, polite=polite)} ({cost}); {why}."


def options(run: Run, *, polite: bool = True) -> str:
    """The options that crawl in this way."""
    processes = f" -j {run.processes}" if run.engine == "processes" else ""
    in_flight = run.concurrency * run.processes
    manners = "" if polite else f" --per-host {in_flight} --delay-factor 0"
    return f"--engine {run.engine}{processes} -c {run.concurrency}{manners}"


def _why(choice: Run, ways: Sequence[Run], pages: int, per_host: int) -> str:
    if choice.engine == "processes":
        if max((_cores(run) for run in ways if run.engine != "processes"), default=0.0) >= BUSY:
            return f"work on the page is the bottleneck ({per_page(choice)} each)"
        return "one process could not have as much in flight"
    if choice.concurrency >= per_host:
        return f"--per-host {per_host} allows no more"
    if _cores(choice) >= BUSY:
        short = any(run.engine == "processes" and run.wall < START_UP for run in ways)
        more = " (it takes more --pages to tell what processes gain)" if short else ""
        return f"the CPU is the bottleneck, more in flight gains nothing{more}"
    if any(run.engine == choice.engine and run.concurrency > choice.concurrency for run in ways):
        return "more in flight gains nothing"
    if choice.concurrency >= pages:
        return "all pages are in flight at once then, and a bench of more --pages would tell more"
    return "no more in flight was tried"


def _cores(run: Run) -> float:
    return run.pages_per_second * (run.cpu_per_page_us or 0.0) / 1e6
