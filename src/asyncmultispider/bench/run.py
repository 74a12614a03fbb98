"""One run of a bench: a crawl in a fresh process and a fresh directory, and what it cost."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory, gettempdir
from time import monotonic
from typing import Literal

from asyncmultispider.bench.crawling import Measured, crawl, peak_memory
from asyncmultispider.bench.helper import Helper, helping
from asyncmultispider.bench.plan import Case, Plan, Site, cases, settings_for

RAM_DISK = Path("/dev/shm")  # noqa: S108 - nothing in it is trusted: we make a folder of our own
SPARE = 30 * 2**20
"""Bytes on the RAM disk that a crawl's own files may need besides its pages."""
UNKNOWN = 100_000
"""Bytes that a page of an unknown site may have."""
GRACE = 30.0
"""Seconds over its time limit after which a run is ended from outside."""
SAMPLE = 0.1
"""Seconds between two looks at the memory of worker processes."""

Ended = Literal["finished", "limit", "time-limit", "failed"]


class Run(Case, frozen=True, kw_only=True):
    """What a run did, and what it cost.

    `pages` were stored, `failed` URLs were not; the start page of the built-in site is not counted.
    `wall` is in seconds. CPU is that of the crawling process and its workers, memory the sum of
    their peaks. `speedup` is over the first run. `trouble` says why it failed.
    """

    pages: int
    failed: int
    wall: float
    pages_per_second: float
    speedup: float
    cpu_per_page_us: float | None
    memory_bytes: int
    stopped: Ended
    trouble: str | None = None


def compare(plan: Plan, url: str, tell: Callable[[str], None]) -> Iterator[Run]:
    """Crawl `url` in all the ways of the plan. Ends early when the first one gets no page."""
    todo = cases(plan)
    base: float | None = None
    for number, case in enumerate(todo, 1):
        tell(f"run {number} of {len(todo)}: {case.name}, {case.in_flight} in flight")
        run = run_case(plan, case, url, base)
        base = base or run.pages_per_second
        yield run
        if not base:
            return


def run_case(plan: Plan, case: Case, url: str, base: float | None = None) -> Run:
    """Crawl `url` in this way. `base` is the pages per second of the first run."""
    settings = settings_for(plan, case, url)
    where = work_folder(plan)
    with TemporaryDirectory(prefix="ams-bench-", dir=where, ignore_cleanup_errors=True) as folder:
        with helping(crawl, settings, Path(folder), plan.cpu_ms, plan.time_limit) as crawler:
            told, memory = _watch(crawler, case, plan.time_limit + GRACE)
    return _run(plan, case, told, memory, base)


def work_folder(plan: Plan) -> Path:
    """A RAM disk with room for the crawl, or else the folder for temporary files.

    The latter also if the environment names it (`TMPDIR`).
    """
    size = plan.site.size if isinstance(plan.site, Site) else UNKNOWN
    try:
        room = disk_usage(RAM_DISK).free if os.access(RAM_DISK, os.W_OK) else 0
    except OSError:
        room = 0
    fits = room > SPARE + plan.pages * size
    return RAM_DISK if fits and "TMPDIR" not in os.environ else Path(gettempdir())


def _watch(crawler: Helper, case: Case, most: float) -> tuple[Measured, int]:
    """What the crawl tells at its end, and the memory of all its processes."""
    deadline = monotonic() + most
    peaks: dict[int, int] = {}
    trouble = "it did not stop in time"
    try:
        while monotonic() < deadline:
            for pid in _children(crawler.process.pid):
                peaks[pid] = max(peak_memory(pid), peaks.get(pid, 0))
            told = crawler.hear(SAMPLE)
            if told is not None:
                workers = sum(peaks.values()) or told.largest * case.processes
                return told, told.peak + workers
    except EOFError:
        trouble = "its process ended early"
    return Measured(concurrency=case.concurrency, trouble=trouble), 0


def _run(plan: Plan, case: Case, told: Measured, memory: int, base: float | None) -> Run:
    pages = max(0, told.pages - isinstance(plan.site, Site))  # its start page is not one of them
    rate = pages / told.wall if told.wall else 0.0
    return Run(
        name=case.name,
        engine=case.engine,
        concurrency=told.concurrency,
        processes=case.processes,
        pages=pages,
        failed=told.failed,
        wall=told.wall,
        pages_per_second=round(rate, 3),
        speedup=round(rate / (base or rate or 1), 3),
        cpu_per_page_us=round(told.cpu / pages * 1e6, 1) if pages else None,
        memory_bytes=memory,
        stopped="time-limit" if told.stopped == "interrupted" else told.stopped,
        trouble=told.trouble,
    )


def _children(pid: int | None) -> list[int]:
    """The processes that the main thread of a process has started."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]
