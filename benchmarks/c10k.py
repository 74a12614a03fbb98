"""Thousands of slow answers at once in one `async` process: the rate, the memory, the CPU.

    python -m benchmarks.c10k [--in-flight 2000,10000] [--waves 0,1,3] [--seconds 5] [--json]

A site on several addresses 127.0.0.x takes `--seconds` for each page (see `_slow_server`); a
crawl by the command line keeps `--in-flight` of them waiting. A wave is as many pages as may be
in flight: ideally, all are answered in `--seconds`. No waves: the crawl reads robots.txt and the
front page of each address, which are quick, and ends; that is what room for so many costs a crawl
that does not use it. The first row is such a crawl with 64 in flight.

How the figures are counted:

- most: how many pages waited at once, as the server saw it.
- run: from the server's first request for a slow page to its last answer. In it are starting
  everything, finding the links while the first pages are under way, and commits.
- whole: from the start of the crawler's process to its exit. Start-up, robots.txt, front pages
  and closing thousands of connections come on top of the run.
- run %, whole %: the ideal time (waves x seconds) divided by these.
- CPU and peak: user + system time and memory of the crawler (see `_measure`), not the server's.
  What it writes to the RAM disk, where there is one, is not in it.

With `--rounds`, a row shows the round whose run is the median. Crawler and server want a core
each: on a machine that has other work to do, the percentages tell of that.
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks._common import say, work_folder
from benchmarks._measure import Usage, measure, tail
from benchmarks._slow_server import Tally

USUAL = 64
"""In flight without `-c`."""
SPARE_FILES = 128
"""Open files that crawler or server need besides a socket for each transfer."""
TIME_LIMIT = 60.0
"""Seconds that a crawl may take besides three times the ideal."""
LEAST_RATE = 85.0
MOST_MEMORY = 300e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What to measure."""

    in_flight: int
    waves: int
    addresses: int
    seconds: float

    @property
    def pages(self) -> int:
        """Slow pages of each address."""
        return self.in_flight * self.waves // self.addresses

    @property
    def ideal(self) -> float:
        """Seconds that the slow pages take at least."""
        return self.pages * self.addresses / self.in_flight * self.seconds


@dataclass(slots=True)
class Row:
    """A crawl. `trouble` says why it does not count."""

    case: Case
    usage: Usage
    tally: Tally
    trouble: str | None

    @property
    def run(self) -> float:
        """Seconds from the first slow request to the last answer."""
        return self.tally.last - self.tally.first

    def flat(self) -> dict[str, object]:
        """All figures in one object, for JSON. Percentages are of the ideal rate."""
        figures: dict[str, object] = {"ideal": self.case.ideal, "run": self.run}
        if self.case.waves:
            figures["run_percent"] = 100 * self.case.ideal / self.run if self.run else 0.0
            figures["whole_percent"] = 100 * self.case.ideal / self.usage.wall
            figures["cpu_us_per_page"] = 1e6 * self.usage.cpu / max(self.tally.pages, 1)
        words = {"trouble": self.trouble}
        return asdict(self.case) | figures | asdict(self.usage) | asdict(self.tally) | words


@contextlib.contextmanager
def serve(case: Case, tally: Tally) -> Iterator[str]:
    """Serve while the block runs; yields the first URL. `tally` is filled in when it has ended."""
    script = Path(__file__).with_name("_slow_server.py")
    numbers = [str(case.addresses), str(case.pages), str(case.seconds)]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(script), *numbers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            if not port:
                raise OSError("the server did not start")
            yield f"http://127.0.0.1:{port}/"
            seen, _ = server.communicate(timeout=30)  # it ends with its input
            for name, value in json.loads(seen).items():
                setattr(tally, name, value)
        finally:
            server.kill()


def crawl(case: Case, work: Path) -> Row:
    """One run: a new server, an empty folder, a crawl; nothing of it stays."""
    # A proxy of the environment must not stand between the crawler and the loopback.
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    limit = 3 * case.ideal + TIME_LIMIT
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="c10k-", dir=work) as name:
        folder = Path(name)
        with serve(case, tally) as url:
            usage = measure(_command(case, url, folder), limit=limit, env=env, folder=folder)
        return Row(case, usage, tally, _trouble(case, usage, tally, folder))


def _command(case: Case, url: str, folder: Path) -> list[str]:
    program = [sys.executable, "-m", "asyncmultispider", "crawl", url, "--dir", str(folder / "us")]
    reach = ["--scope", "any", "--allow-private", "127.0.0.0/8"]
    per_host = -(-case.in_flight // case.addresses)
    pace = ["-c", str(case.in_flight), "--per-host", str(per_host), "--delay-factor", "0"]
    return [*program, *reach, *pace, "--retries", "0", "--json", "-q"]


def _trouble(case: Case, usage: Usage, tally: Tally, folder: Path) -> str | None:
    if usage.timed_out:
        return f"stopped at the time limit, after {usage.wall:.0f} s"
    if usage.code:
        return f"ended with code {usage.code}: {tail(folder / 'stderr')}"
    told = json.loads((folder / "stdout").read_text())
    wanted = (case.pages + 1) * case.addresses
    if told["pages"] != wanted:
        return f"{told['pages']} of {wanted} pages were stored, {told['failed']} failed"
    if tally.most < min(case.in_flight, case.pages * case.addresses):
        return f"never more than {tally.most} pages were in flight"
    return None


COLUMNS = ("in flight", "waves", "most", "ideal s", "run s", "run %", "whole s", "whole %")
COSTS = ("CPU s", "us/page", "peak MB")


def table(rows: list[Row]) -> str:
    """The rows as text, then what was aimed at."""
    lines = ["  ".join(f"{title:>9}" for title in (*COLUMNS, *COSTS))]
    lines += ["  ".join(f"{cell:>9}" for cell in _cells(row)) for row in rows]
    return "\n".join([*lines, "", *_verdicts(rows)])


def _cells(row: Row) -> list[str]:
    figures = row.flat()

    def share(name: str) -> str:
        return f"{figures[name]:.1f}" if name in figures else "-"

    return [
        f"{row.case.in_flight:,}",
        str(row.case.waves),
        f"{row.tally.most:,}",
        f"{row.case.ideal:.1f}",
        f"{row.run:.2f}",
        share("run_percent"),
        f"{row.usage.wall:.2f}",
        share("whole_percent"),
        f"{row.usage.cpu:.2f}",
        share("cpu_us_per_page"),
        f"{row.usage.peak / 1e6:.0f}",
    ]


def _verdicts(rows: list[Row]) -> Iterator[str]:
    """Aimed at with the most in flight, over the most waves."""
    last = max(rows, key=lambda row: (row.case.in_flight, row.case.waves))
    rate = last.flat().get("run_percent")
    if isinstance(rate, float):
        yield f"target run % >= {LEAST_RATE:g}: {_word(rate >= LEAST_RATE)} ({rate:.1f})"
    peak = last.usage.peak
    most = MOST_MEMORY / 1e6
    yield f"target peak <= {most:g} MB: {_word(peak <= MOST_MEMORY)} ({peak / 1e6:.0f})"


def _word(met: bool) -> str:
    return "met" if met else "MISSED"


def allowed(wanted: list[int]) -> list[int]:
    """As many in flight as the limit on open files has room for; says so where that is less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    if soft != endless and soft < max(wanted) + SPARE_FILES:  # children inherit it
        soft = max(wanted) + SPARE_FILES if hard == endless else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = max(wanted) if soft == endless else soft - SPARE_FILES
    if most < max(wanted):
        say(
            f"the system allows {soft} open files (see 'ulimit -n'): "
            f"{most} in flight, not {max(wanted)}"
        )
    return sorted({min(each, most) for each in wanted})


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    sizes = [(USUAL, 0)] if 0 in options.waves else []
    sizes += [(size, waves) for size in allowed(options.in_flight) for waves in options.waves]
    for in_flight, waves in sizes:
        addresses = min(options.addresses, in_flight)
        # Each address has as many pages as the next.
        size = in_flight - in_flight % addresses if waves else in_flight
        yield Case(in_flight=size, waves=waves, addresses=addresses, seconds=options.seconds)


def _median(case: Case, options: argparse.Namespace) -> Row:
    rows = [crawl(case, options.work) for _ in range(options.rounds)]
    bad = [row for row in rows if row.trouble]
    return bad[0] if bad else sorted(rows, key=lambda row: row.run)[len(rows) // 2]


def _numbers(text: str) -> list[int]:
    return sorted({int(part) for part in text.split(",")})


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.c10k", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--in-flight", type=_numbers, default=[2000, 10_000], metavar="N,N,...")
    parser.add_argument("--waves", type=_numbers, default=[0, 1, 3], metavar="N,N,...")
    parser.add_argument("--seconds", type=float, default=5.0, help="of an answer; default: 5")
    parser.add_argument("--addresses", type=int, default=20, help="of the server; default: 20")
    parser.add_argument("--rounds", type=int, default=1, help="default: 1")
    parser.add_argument("--work", type=Path, default=work_folder(), metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="one object on stdout, no table")
    options = parser.parse_args(argv)
    if options.in_flight[0] < 1 or options.waves[0] < 0 or options.rounds < 1:
        parser.error("--in-flight and --rounds must be at least 1, --waves at least 0")
    if not 1 <= options.addresses <= 254 or options.seconds <= 0:
        parser.error("--addresses must be between 1 and 254, --seconds more than 0")
    return options


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 when all runs went well, 1 when one did not, 2 for wrong usage."""
    options = _options(argv)
    rows = []
    for case in _cases(options):
        rows.append(row := _median(case, options))
        note = row.trouble or f"{row.usage.wall:.1f} s"
        say(f"{case.in_flight} in flight, {case.waves} waves: {note}")
    if options.json:
        print(json.dumps({"rounds": options.rounds, "rows": [row.flat() for row in rows]}))
    else:
        print(table(rows))
    return 1 if any(row.trouble for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
