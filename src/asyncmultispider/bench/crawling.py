"""What the process of a run does: one crawl, measured from inside."""

import os
import resource
import signal
import sys
from functools import partial
from pathlib import Path

from msgspec import Struct

from asyncmultispider.bench.helper import Tell
from asyncmultispider.bench.work import busy_spider
from asyncmultispider.crawler import Crawl
from asyncmultispider.errors import CrawlError
from asyncmultispider.settings import Settings
from asyncmultispider.stats import Stopped
from asyncmultispider.system import tune_gc

AGAIN = 0.5
"""Seconds after which a crawl that was told to stop is told to stop at once."""


class Measured(Struct, frozen=True, kw_only=True):
    """What a crawl did and cost: `wall` and `cpu` in seconds.

    `cpu` is that of this process and of its workers. `peak` is the most memory that this process
    had, `largest` that of the worker with the most, in bytes. `trouble` says why it failed.
    """

    concurrency: int
    pages: int = 0
    failed: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    largest: int = 0
    stopped: Stopped = "failed"
    trouble: str | None = None


def crawl(
    settings: Settings,
    directory: Path,
    cpu_ms: float,
    time_limit: float,
    tell: Tell,
) -> None:
    """Crawl for at most so many seconds, and tell what was `Measured`."""
    tune_gc()
    try:
        tell(_crawl(settings, directory, cpu_ms, time_limit))
    except CrawlError as error:
        tell(Measured(concurrency=settings.concurrency, trouble=str(error)))


def peak_memory(pid: int) -> int:
    """Most bytes that a process had in memory so far; 0 when the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return 0
    _, _, rest = status.partition(b"VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024 if rest else 0


def _crawl(settings: Settings, directory: Path, cpu_ms: float, time_limit: float) -> Measured:
    make_spider = partial(busy_spider, cpu_ms) if cpu_ms else None
    with Crawl(settings, directory, make_spider).open() as crawl:
        before = _cpu()
        _stop_after(time_limit)
        summary = crawl.run()
        _stop_after(0)
        return Measured(
            concurrency=crawl.settings.concurrency,
            pages=summary.pages,
            failed=summary.failed + summary.suspended,
            wall=summary.seconds,
            cpu=_cpu() - before,
            peak=peak_memory(os.getpid()) or _most(resource.RUSAGE_SELF),
            largest=_most(resource.RUSAGE_CHILDREN),
            stopped=summary.stopped,
            trouble=str(crawl.trouble) if crawl.trouble else None,
        )


def _stop_after(seconds: float) -> None:
    """Have the crawl in this process stop, as if the user asked for it, twice. 0: let it run."""
    pauses = iter((AGAIN, 0.0))

    def ask(*_: object) -> None:
        pause = AGAIN
        # The crawl listens while it runs. Before and after, this signal would end the process.
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)
            pause = next(pauses)
        signal.setitimer(signal.ITIMER_REAL, pause)

    signal.signal(signal.SIGALRM, ask)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _cpu() -> float:
    """Seconds of CPU, user and system, of this process and of the workers that it had."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, who))


def _most(who: int) -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # the manuals differ
    return resource.getrusage(who).ru_maxrss * unit
