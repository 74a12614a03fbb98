"""What the frontier costs: CPU per new and per known URL, memory per known URL.

    python -m benchmarks.frontier [--urls 1000000] [--hosts 1] [--links 100] [--json] [--profile]

Each size (10,000, 100,000, ... up to `--urls`) runs in a process of its own, with the SQLite
ledger in a temporary folder, on a RAM disk where there is one.

How the figures are counted:

- CPU is user + system time of `finish` alone, write-ahead log and checkpoints included. A batch
  is what an engine commits at once: 32 pages with 100 links each. Making the links is the
  judge's work, and not counted. `new` are links never seen; `known` the same links once more;
  `page` is what taking and finishing a page without any links costs.
- memory is the growth of the process (RSS) while the URLs are added, so what SQLite caches (about
  2 MB) is in it, and weighs on the small sizes. `step` is the growth from the size before
  divided by the URLs between: there the constant parts cancel out, and what is left is paid for
  every URL. `set` is what is allocated for the set of known URLs alone, by tracemalloc.
- `open` is the time to read the ledger back.
"""

import argparse
import cProfile
import gc
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

from asyncmultispider.frontier.known import KnownUrls
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.sqlite import SqliteLedger
from asyncmultispider.model import Link, Outcome, Request, State
from asyncmultispider.settings import Settings
from benchmarks._common import work_folder

PAGES = 32
"""Pages that are committed at once."""
TARGETS = {"new_us": 10.0, "known_us": 1.0, "step_bytes": 24.0}
COLUMNS = {
    "urls": "URLs",
    "new_us": "new us",
    "known_us": "known us",
    "page_us": "page us",
    "rss_bytes": "RSS B/URL",
    "step_bytes": "step B/URL",
    "set_bytes": "set B/URL",
    "disk_bytes": "disk B/URL",
    "open_s": "open s",
}
SETTINGS = Settings(
    seeds=("https://host0.example/",),
    scope="any",
    ignore_robots=True,
    per_host=10_000,
    delay_factor=0,
)


class Bench:
    """A frontier and the pages that bring its links. A step of the clock is a second."""

    def __init__(self, path: Path, hosts: int, links: int) -> None:
        self._hosts = hosts
        self._links = links
        self._now = 0.0
        self.frontier = LocalFrontier(SqliteLedger(path), SETTINGS, now=0.0, wall=0.0)

    def seed(self) -> None:
        """Enough URLs for the first batches."""
        self.frontier.add([self._link(-n, 0) for n in range(1, 4 * PAGES + 1)])

    def feed(self, count: int, run: Callable[..., None]) -> tuple[int, float]:
        """Bring links 0 to `count` in; return the pages it took and the CPU seconds of `finish`."""
        pages = spent = 0
        for first in range(0, count, PAGES * self._links):
            outcomes = self._outcomes(range(first, min(first + PAGES * self._links, count)))
            pages += len(outcomes)
            began = time.process_time()
            run(outcomes, self._now)
            spent += time.process_time() - began
        return pages, spent

    def read(self, pages: int) -> float:
        """Take and finish pages without links; return the CPU seconds of a page."""
        spent = 0.0
        for _ in range(0, pages, PAGES):
            began = time.process_time()
            taken = self._take(PAGES)
            spent += time.process_time() - began
            outcomes = [_done(request, ()) for request in taken]
            began = time.process_time()
            self.frontier.finish(outcomes, self._now)
            spent += time.process_time() - began
        return spent / pages

    def _outcomes(self, numbers: range) -> list[Outcome]:
        chunks = [
            numbers[start : start + self._links] for start in range(0, len(numbers), self._links)
        ]
        return [
            _done(request, tuple(self._link(n, request.depth + 1) for n in chunk))
            for request, chunk in zip(self._take(len(chunks)), chunks, strict=True)
        ]

    def _take(self, count: int) -> list[Request]:
        taken: list[Request] = []
        while len(taken) < count:
            self._now += 1
            taken += self.frontier.take(count - len(taken), self._now, "bench").requests
        return taken

    def _link(self, number: int, depth: int) -> Link:
        host = f"host{number % self._hosts}.example"
        url = f"https://{host}/section-{number % 997}/page-{number}.html?lang=en"
        return Link(url=url, host=host, depth=depth)


def _done(request: Request, links: tuple[Link, ...]) -> Outcome:
    return Outcome(
        request=request,
        state=State.DONE,
        reason=None,
        at=1e9,
        elapsed=0.01,
        status=200,
        links=links,
    )


def _rss() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def measure(urls: int, hosts: int, links: int, folder: Path) -> dict[str, float]:
    """The figures of one size. Wants a fresh process, for the memory's sake."""
    path = folder / "frontier.db"
    bench = Bench(path, hosts, links)
    bench.seed()
    before = _rss()
    _, new = bench.feed(urls, bench.frontier.finish)
    grown = _rss() - before
    _, known = bench.feed(urls, bench.frontier.finish)
    page = bench.read(min(urls // 2, 10_000))
    bench.frontier.close()
    size = path.stat().st_size
    began = time.process_time()
    LocalFrontier(SqliteLedger(path), SETTINGS, now=0.0, wall=0.0).close()
    return {
        "urls": urls,
        "new_us": 1e6 * new / urls,
        "known_us": 1e6 * known / urls,
        "page_us": 1e6 * page,
        "rss_bytes": grown / urls,
        "disk_bytes": size / urls,
        "open_s": time.process_time() - began,
        "set_bytes": _set_bytes(urls),
    }


def _set_bytes(urls: int) -> float:
    draw = Random(1).getrandbits
    tracemalloc.start()
    known = KnownUrls(draw(64) for _ in range(urls))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(known)


def profile(urls: int, hosts: int, links: int, folder: Path) -> None:
    """Print where the time of `finish` goes for new URLs."""
    bench = Bench(folder / "frontier.db", hosts, links)
    bench.seed()
    profiler = cProfile.Profile()
    bench.feed(urls, lambda *args: profiler.runcall(bench.frontier.finish, *args))
    bench.frontier.close()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(25)


def sizes(largest: int) -> Iterator[int]:
    """10,000, 100,000, ... up to and with the largest."""
    size = 10_000
    while size < largest:
        yield size
        size *= 10
    yield largest


def main() -> None:
    """Measure and print."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(dir=work_folder()) as name:
        if options.profile:
            profile(options.urls, options.hosts, options.links, Path(name))
            return
        if options.worker:
            print(json.dumps(measure(options.urls, options.hosts, options.links, Path(name))))
            return
    rows = [_in_own_process(size, options.hosts, options.links) for size in sizes(options.urls)]
    for small, large in pairwise(rows):
        grown = large["rss_bytes"] * large["urls"] - small["rss_bytes"] * small["urls"]
        large["step_bytes"] = grown / (large["urls"] - small["urls"])
    if options.json:
        print(json.dumps({"hosts": options.hosts, "links": options.links, "rows": rows}))
    else:
        _print(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--urls", type=int, default=1_000_000, help="the largest size")
    parser.add_argument("--hosts", type=int, default=1, help="hosts that the URLs are spread over")
    parser.add_argument("--links", type=int, default=100, help="links that a page brings")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--profile", action="store_true", help="only profile the new URLs")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser


def _in_own_process(urls: int, hosts: int, links: int) -> dict[str, float]:
    options = [f"--urls={urls}", f"--hosts={hosts}", f"--links={links}", "--worker"]
    command = [sys.executable, "-m", "benchmarks.frontier", *options]
    row: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return row


def _print(rows: list[dict[str, float]]) -> None:
    print("  ".join(f"{title:>10}" for title in COLUMNS.values()))
    for row in rows:
        cells = (_cell(row.get(name), name) for name in COLUMNS)
        print("  ".join(f"{cell:>10}" for cell in cells))
    for name, most in TARGETS.items():
        found = [row[name] for row in rows if name in row]
        if found:
            # Memory is for what comes on top of the queue heads: these fill up first.
            value = found[-1] if name == "step_bytes" else max(found)
            verdict = "met" if value <= most else "MISSED"
            print(f"target {COLUMNS[name]} <= {most:g}: {verdict} ({value:.2f})")


def _cell(value: float | None, name: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if name == "urls" else f"{value:.2f}"


if __name__ == "__main__":
    main()
