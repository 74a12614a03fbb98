"""What a crawl costs as it grows: CPU per page by known URLs and hosts, and memory.

    python -m benchmarks.growth [--known 1000000] [--hosts 20000] [--quick] [--json]

A whole crawl on a web in memory, without sockets: the engine, the judge and the frontier over a
SQLite ledger in a temporary folder, on a RAM disk where there is one; the store keeps nothing.
Each crawl runs in a process of its own. About three minutes; `--quick` takes half of one.

A page has 100 links in 28 KB: 10 to pages not seen before, the others to pages that are known
(40 in the navigation, 20 to neighbours, 20 all over the host, 10 to other hosts); a directory has
25 pages. To judge one costs about 250 us, and 32 URLs have to be made canonical for it: manuals
such as those of Python, Rust and C++ have 80 to 190 links a page, cost 280 to 750 us and take 9 to
64 URLs. No host ever runs out of pages. Two hosts of three have a robots.txt of 40 lines, the
others answer 404.

How the figures are counted:

- CPU is user + system time of the process, less what making the pages took: what is left is ours.
- "CPU us/page" is what the pages cost that were fetched while the crawl knew about so many URLs
  (give or take a half, and at most 50,000), so start-up is not in it. It is the median of three
  large crawls, and for the smallest size of six small ones between these, too.
- RSS is the memory of the process when it knew so many URLs, the interpreter (about 35 MB) in it.
- the broad crawl knows all its hosts after its first pages, and ends with four pages of each. Its
  time is split: a clock is read on the way into and out of each part. "choosing" is the workbench
  (the heap of hosts, their queues and paces, which URL is next); "robots" is reading robots.txt
  and asking it, "refill" reads queues back from the ledger, "ledger" writes it, "judge" parses
  pages, and "engine" is the rest: the loop, and the set of known URLs. It is a wall clock, because
  CPU clocks are too slow for this, and stands still while the loop waits. To be watched costs the
  small parts most: they look larger than they are.
- "B/host" is memory by tracemalloc, in a frontier without an engine: `queued` for a host where
  robots.txt and one page were fetched and nine are queued, `idle` for one with nothing left.
"""

import argparse
import asyncio
import gc
import json
import resource
import selectors
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from asyncmultispider.engines.coroutines import Coroutines
from asyncmultispider.engines.engine import Engine
from asyncmultispider.engines.exchange import Books
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.sqlite import SqliteLedger
from asyncmultispider.frontier.workbench import Workbench
from asyncmultispider.judge import Judge
from asyncmultispider.model import Link, Outcome, Request, Response, RobotsAnswer, State
from asyncmultispider.robots import Policy, Robots
from asyncmultispider.settings import Settings
from asyncmultispider.system import tune_gc
from benchmarks._common import say, work_folder

SITES = 16
"""Hosts of the crawl that grows by URLs."""
NEW = 10
"""Links of a page to pages not seen before."""
NAVIGATION, AROUND, ABROAD = 40, 40, 10
"""Links of a page to known pages: of the navigation, of its host, and of other hosts."""
DEEP = 4
"""Pages of each host that a broad crawl fetches."""
PARTS = 50
FOLDER = 25
"""Pages in a directory."""
ELAPSED = 0.002
"""Seconds that the web says an answer took."""
HALF_WINDOW = 50_000
"""Known URLs before and after a size that count for it, at most."""
ROUNDS = 3
MB = 1e6
TARGETS = {"growth": 1.25, "peak_mb": 400.0, "choosing": 0.10}
SAYINGS = {
    "growth": "CPU per page, most URLs to the cheapest size",
    "peak_mb": "MB of memory at most, of all crawls",
    "choosing": "of the time for choosing and refill, broad crawl",
}

ROBOTS = "\n".join(
    [
        "User-agent: BadBot\nDisallow: /\n",
        "User-agent: *",
        *(f"Disallow: /private/{n}/*.php" for n in range(6)),
        *(f"Disallow: /search/{n}?" for n in range(22)),
        *(f"Allow: /public/{n}/" for n in range(8)),
        "Sitemap: https://host.example/sitemap.xml",
    ]
).encode()
TEXT = """<section class="part" id="part"><h2>A heading</h2>
<p>Some <em>words</em> that nobody will <code class="name">ever_read</code>, and a parser must.</p>
<dl><dt><code>one</code></dt><dd><p>The first, <span class="pre">which</span> is short.</p></dd>
<dt><code>two</code></dt><dd><p>The second &amp; last, of some more <b>words</b>.</p></dd></dl>
<table><tr><td>1</td><td class="right">2</td></tr><tr><td>3</td><td>4</td></tr></table>
</section>
"""


class Web:
    """Pages by URL, as an `AsyncFetcher`: `https://h7.example/s2/p59.html` is page 59 of host 7.

    Page n brings the pages from NEW * n + 1 on; page 0 of a host brings hosts in the same way.
    `spent` is the CPU time it took to make the pages.
    """

    def __init__(self, hosts: int) -> None:
        self._hosts = hosts
        self.buffered = 0
        self.spent = 0.0

    async def fetch(self, request: Request) -> Response:
        """See `AsyncFetcher.fetch`. A turn of the loop stands for the network."""
        await asyncio.sleep(0)
        began = time.process_time()
        response = self.answer(request)
        self.spent += time.process_time() - began
        return response

    def answer(self, request: Request) -> Response:
        host = int(request.host[1 : request.host.index(".")])
        if request.robots:
            found = host % 3 > 0
            return _response(200 if found else 404, ROBOTS if found else b"", "text/plain")
        number = _number(request.url)
        return _response(200, self._page(host, number), "text/html; charset=utf-8")

    async def aclose(self) -> None:
        """See `AsyncFetcher.aclose`."""

    def _page(self, host: int, number: int) -> bytes:
        links = [_path(page) for page in (*_fresh(number), *_known(number))]
        links += [f"https://h{other}.example/" for other in self._others(host, number)]
        items = "".join(f'<li><a href="{link}">A link to {link}</a></li>\n' for link in links)
        head = f'<meta charset="utf-8"><title>Page {number}</title>'
        text = f"<h1>Page {number}</h1>{_frame()}<ul>\n{items}</ul>\n</main>"
        return f"<!doctype html><html><head>{head}</head><body>{text}</body></html>\n".encode()

    def _others(self, host: int, number: int) -> Iterator[int]:
        for step in range(1, ABROAD + 1):
            if number == 0:
                yield min(ABROAD * host + step, self._hosts - 1)
            else:
                yield host * step // (ABROAD + 1)


def _fresh(number: int) -> range:
    return range(NEW * number + 1, NEW * number + 1 + NEW)


def _known(number: int) -> Iterator[int]:
    # All up to NEW * number are known: pages before this one brought them.
    if number > 0:
        yield from range(max(number - AROUND // 4, 0), number + AROUND // 4)
        yield from (NEW * number * step // AROUND for step in range(AROUND // 2, AROUND))


def _path(number: int) -> str:
    return f"/s{number // FOLDER}/p{number}.html" if number else "/"


@lru_cache(1)
def _frame() -> str:
    items = (f'<a href="{_path(number)}">Part {number}</a>\n' for number in range(NAVIGATION))
    return f"<nav>{''.join(items)}</nav>\n<main>{TEXT * PARTS}"


def _number(url: str) -> int:
    name = url.rpartition("/")[2]
    return int(name[1:-5]) if name else 0


def _response(status: int, body: bytes, kind: str) -> Response:
    fields = (("content-type", kind), ("server", "memory"), ("content-length", str(len(body))))
    return Response(status=status, headers=fields, body=body, at=time.time(), elapsed=ELAPSED)


class Nothing:
    """A `Store` that keeps nothing. `watch` is called with the number of pages at each write."""

    def __init__(self, watch: Callable[[int], None]) -> None:
        self._watch = watch
        self._pages = 0

    def write(self, outcomes: Sequence[Outcome]) -> int:
        """See `Store.write`."""
        pages = sum(outcome.page is not None for outcome in outcomes)
        self._pages += pages
        self._watch(self._pages)
        return pages

    def close(self) -> None:
        """See `Store.close`."""


class Crawl:
    """A crawl of `pages` pages of a web of so many hosts, and what was seen on the way.

    `samples` are (known URLs, pages, CPU seconds, bytes of memory), one for each commit.
    """

    def __init__(self, hosts: int, pages: int, concurrency: int, folder: Path) -> None:
        self.settings = Settings(
            seeds=("https://h0.example/",), scope="any", limit=pages, concurrency=concurrency
        )
        self.web = Web(hosts)
        self.samples: list[tuple[int, int, float, int]] = []
        self.ledger = SqliteLedger(folder / "frontier.db")
        self.frontier = LocalFrontier(
            self.ledger, self.settings, now=time.monotonic(), wall=time.time()
        )

    def run(self) -> None:
        tune_gc()
        asyncio.run(self._wire())
        self.frontier.close()

    async def _wire(self) -> None:
        """The only place that knows how a crawl is put together."""
        judge = Judge(self.settings)
        self.frontier.add(judge.seeds())
        books = Books(self.frontier, Nothing(self._watch), (), limit=self.settings.limit)
        await Engine(books, Coroutines(self.web, judge, self.settings.concurrency)).run()

    def _watch(self, pages: int) -> None:
        cpu = time.process_time() - self.web.spent
        self.samples.append((self.frontier.stats().accepted, pages, cpu, _rss()))


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _peak() -> int:
    """Bytes. Of this program alone, unlike `ru_maxrss`, which begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


# What is measured, each in a process of its own


def grow(known: int, folder: Path) -> dict[str, Any]:
    """A crawl of `SITES` hosts until it knows so many URLs: figures by size."""
    crawl = Crawl(SITES, (known + _half(known)) // NEW, 64, folder)
    crawl.run()
    rows = [_window(crawl.samples, size) for size in sizes(known)]
    made = 1e6 * crawl.web.spent / crawl.samples[-1][1]
    return {"rows": rows, "peak_mb": _peak() / MB, "made_us": made}


def sizes(largest: int) -> Iterator[int]:
    """10,000, 100,000, ... up to and with the largest."""
    size = 10_000
    while size < largest:
        yield size
        size *= 10
    yield largest


def _half(known: int) -> int:
    return min(known // 2, HALF_WINDOW)


def _window(samples: list[tuple[int, int, float, int]], known: int) -> dict[str, float]:
    half = _half(known)
    inside = [s for s in samples if known - half <= s[0] <= known + half]
    first, last = inside[0], inside[-1]
    pages = last[1] - first[1]
    return {
        "known": known,
        "pages": pages,
        "cpu_us": 1e6 * (last[2] - first[2]) / pages,
        "rss_mb": next(s[3] for s in samples if s[0] >= known) / MB,
    }


class Meter:
    """Books time on the part of the program that is at work; `parts` are seconds by name."""

    def __init__(self) -> None:
        self.parts: defaultdict[str, float] = defaultdict(float)
        self._at_work = "engine"
        self._since = time.perf_counter()

    def watch(self, part: str, owner: Any, *names: str) -> None:
        """Book these methods of a class or an object on the part."""
        for name in names:
            setattr(owner, name, self._booked(part, getattr(owner, name)))

    def _booked(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def booked(*args: Any, **options: Any) -> Any:
            if self._at_work == part:
                return method(*args, **options)
            outer = self._enter(part)
            try:
                return method(*args, **options)
            finally:
                self._enter(outer)

        return booked

    def _enter(self, part: str) -> str:
        now = time.perf_counter()
        self.parts[self._at_work] += now - self._since
        self._since = now
        outer, self._at_work = self._at_work, part
        return outer


def broad(hosts: int, folder: Path) -> dict[str, Any]:
    """A crawl over so many hosts: where its CPU time goes, and its memory."""
    meter = Meter()
    _watch_workbench(meter)
    meter.watch("robots", Robots, "parse", "policy")
    meter.watch("robots", Policy, "allows")
    meter.watch("refill", SqliteLedger, "load")
    meter.watch("ledger", SqliteLedger, "apply")
    meter.watch("judge", Judge, "__call__")
    meter.watch("web", Web, "answer")
    meter.watch("waiting", selectors.DefaultSelector, "select")
    crawl = Crawl(hosts, DEEP * hosts, 256, folder)
    crawl.run()
    del meter.parts["web"], meter.parts["waiting"]
    busy = sum(meter.parts.values())
    known, pages, cpu, _ = crawl.samples[-1]
    return {
        "hosts": crawl.frontier.stats().hosts,
        "known": known,
        "pages": pages,
        "cpu_us": 1e6 * cpu / pages,
        "parts": {part: seconds / busy for part, seconds in meter.parts.items()},
        "peak_mb": _peak() / MB,
    }


def _watch_workbench(meter: Meter) -> None:
    take = Workbench.take

    def all_of_take(*args: Any) -> Iterator[Request]:  # a generator works after it was called
        return iter(list(take(*args)))

    setattr(Workbench, "take", all_of_take)  # noqa: B010 - so that mypy lets it pass
    names = [name for name, value in vars(Workbench).items() if callable(value)]
    meter.watch("choosing", Workbench, *(name for name in names if not name.startswith("_")))


def per_host(hosts: int, folder: Path) -> dict[str, float]:
    """Bytes that a host takes with nine URLs queued, and with none left."""
    settings = Settings(seeds=("https://h0.example/",), scope="any", delay_factor=0)
    frontier = LocalFrontier(SqliteLedger(folder / "frontier.db"), settings, now=0.0, wall=0.0)
    clock = iter(range(10**9))
    tracemalloc.start()
    frontier.add(_home(host, number) for host in range(hosts) for number in range(NEW))
    _answer(frontier, clock, hosts, _ruled)
    _answer(frontier, clock, hosts, _done)
    queued = _held()
    _answer(frontier, clock, (NEW - 1) * hosts, _done)
    idle = _held()
    tracemalloc.stop()
    frontier.close()
    return {"queued_bytes": queued / hosts, "idle_bytes": idle / hosts}


def _home(host: int, number: int) -> Link:
    name = f"h{host}.example"
    return Link(url=f"https://{name}{_path(number)}", host=name, depth=0)


def _answer(
    frontier: LocalFrontier, clock: Iterator[int], count: int, answer: Callable[[Request], Outcome]
) -> None:
    while count > 0:
        requests = frontier.take(min(count, 256), next(clock), "bench").requests
        frontier.finish([answer(request) for request in requests], next(clock))
        count -= len(requests)


def _ruled(request: Request) -> Outcome:
    text = bytearray(ROBOTS)  # no two hosts share their bytes
    return _outcome(request, RobotsAnswer(text=bytes(text)))


def _done(request: Request) -> Outcome:
    return _outcome(request, None)


def _outcome(request: Request, robots: RobotsAnswer | None) -> Outcome:
    return Outcome(
        request=request, state=State.DONE, reason=None, at=1.0, elapsed=0.0, robots=robots
    )


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


WORK: dict[str, Callable[[int, Path], dict[str, Any]]] = {
    "grow": grow,
    "broad": broad,
    "per_host": per_host,
}


def main() -> None:
    """Measure and print."""
    options = _options()
    if options.worker:
        _work(options.worker, options.size)
        return
    figures = _measure(options.known, options.hosts)
    if options.json:
        print(json.dumps(figures))
    else:
        _print(figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--known", type=int, default=1_000_000, help="URLs of the largest size")
    parser.add_argument("--hosts", type=int, default=20_000, help="hosts of the broad crawl")
    parser.add_argument("--quick", action="store_true", help="100,000 URLs and 2,000 hosts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--worker", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.known < 10_000 or options.hosts < 100:
        parser.error("--known must be at least 10000, --hosts at least 100")
    if options.quick:
        options.known, options.hosts = min(options.known, 100_000), min(options.hosts, 2_000)
    return options


def _work(name: str, size: int) -> None:
    with tempfile.TemporaryDirectory(dir=work_folder()) as folder:
        print(json.dumps(WORK[name](size, Path(folder))))


def _in_own_process(name: str, size: int) -> dict[str, Any]:
    say(f"{name} {size:,}")
    command = [sys.executable, "-m", "benchmarks.growth", f"--worker={name}", f"--size={size}"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, Any] = json.loads(output)
    return found


def _measure(known: int, hosts: int) -> dict[str, Any]:
    runs = []
    for _ in range(ROUNDS):
        runs += [_in_own_process("grow", 10_000) for _ in range(2)]
        runs.append(_in_own_process("grow", known))
    grown = _together(runs)
    wide = _in_own_process("broad", hosts)
    host = _in_own_process("per_host", min(hosts, 5_000))
    parts = wide["parts"]
    reached = {
        "growth": _growth([row["cpu_us"] for row in grown["rows"]]),
        "peak_mb": max(grown["peak_mb"], wide["peak_mb"]),
        "choosing": parts["choosing"] + parts.get("refill", 0.0),
    }
    targets = {name: (reached[name], most) for name, most in TARGETS.items()}
    return {"grow": grown, "broad": wide, "per_host": host, "targets": targets}


def _together(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The medians of crawls that grew to several sizes."""
    rows: dict[int, list[dict[str, float]]] = {}
    for row in (row for run in runs for row in run["rows"]):
        rows.setdefault(row["known"], []).append(row)
    return {
        "rows": [_medians(rows[known]) for known in sorted(rows)],
        "peak_mb": max(run["peak_mb"] for run in runs),
        "made_us": median(run["made_us"] for run in runs),
    }


def _growth(costs: list[float]) -> float:
    # The smallest crawl is not always the cheapest: its process is young, and its memory new.
    return costs[-1] / min(costs[:-1] or costs)


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(row[name] for row in rows) for name in rows[0]}


def _print(figures: dict[str, Any]) -> None:
    grown, wide, host = figures["grow"], figures["broad"], figures["per_host"]
    print(f"{SITES} hosts, growing by URLs (making a page: {grown['made_us']:.0f} us, not in it)")
    print(f"{'known URLs':>12}{'CPU us/page':>13}{'RSS MB':>9}")
    for row in grown["rows"]:
        print(f"{row['known']:12,}{row['cpu_us']:13.0f}{row['rss_mb']:9.0f}")
    print(
        f"\nbroad: {wide['hosts']:,} hosts, {wide['pages']:,} pages, {wide['known']:,} URLs known,"
    )
    print(f"{wide['cpu_us']:.0f} us/page, at most {wide['peak_mb']:.0f} MB; of the CPU time:")
    for part, share in sorted(wide["parts"].items(), key=lambda one: -one[1]):
        print(f"{part:>12}{share:13.1%}")
    print(f"\nB/host: queued {host['queued_bytes']:,.0f}, idle {host['idle_bytes']:,.0f}\n")
    for name, (value, most) in figures["targets"].items():
        verdict = "met" if value <= most else "MISSED"
        print(f"target {SAYINGS[name]} <= {most:g}: {verdict} ({value:.2f})")


if __name__ == "__main__":
    main()
