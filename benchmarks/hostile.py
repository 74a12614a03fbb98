"""A server of all kinds of misbehaviour, crawled as one site: does all end well, and in time?

    python -m benchmarks.hostile [--engine NAME ...] [--rounds N] [--json]

The server is that of the tests (`tests/hostile`): each kind has a name and a path, and among them
are 50 good pages. The command line crawls it with room for all at once, so that the least time is
one `--timeout`, and then another for what the first answers lead to.

How the figures are counted:

- kinds: whose URLs all ended as they must (state and reason) of all kinds; in `--json`, `surprises`
  tells of the others.
- good: good pages stored as they were sent.
- seconds: wall time of the whole command; of: twice the time limits, which is what it may take.
- tree: memory (PSS) of all processes of the crawl together at its most, looked at 20 times a
  second; peak: that of the largest of them at any moment. The server's is in neither.

Crawler and server share the machine: where it has other work to do, answers may come too late.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import run

from asyncmultispider.settings import ENGINES
from benchmarks._common import say, work_folder
from benchmarks._measure import measure, tail

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the server is the tests', too

from hostile import GOOD, KINDS, LIMIT, OPTIONS, HostileServer, answers, surprises
from hostile.books import ends, good_pages

MOST_SECONDS = 2 * LIMIT
MOST_MEMORY = 250e6
KILLED_AFTER = 10 * MOST_SECONDS
EVERY = 0.05
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A crawl. Times in seconds, memory in bytes; `surprises` by the name of the kind."""

    engine: str
    code: int
    kinds: int
    good: int
    seconds: float
    cpu: float
    tree: int
    peak: int
    verified: bool
    surprises: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether all is as it must be."""
        whole = self.kinds == len(KINDS) and self.good == GOOD and not self.surprises
        within = self.seconds <= MOST_SECONDS and max(self.tree, self.peak) <= MOST_MEMORY
        return self.code == 0 and self.verified and whole and within


def crawl(engine: str, folder: Path) -> Row:
    """Crawl the server with this engine."""
    made = folder / "made"
    command = [sys.executable, "-m", "asyncmultispider"]
    marked = os.environ | {"HOSTILE_RUN": str(folder)}  # by which its processes are known
    with HostileServer(answers()) as server, _watched(f"HOSTILE_RUN={folder}") as tree:
        start = [*command, "crawl", server.url("/"), "-d", str(made), "-q", "--engine", engine]
        usage = measure([*start, *OPTIONS], limit=KILLED_AFTER, env=marked, folder=folder)
    if usage.code:
        say(f"{engine}: code {usage.code}: {tail(folder / 'stderr')}")
    found = surprises(ends(made), server.url(""))
    wrong = sum(kind.name in found for kind in KINDS)
    return Row(
        engine=engine,
        code=usage.code,
        kinds=len(KINDS) - wrong,
        good=good_pages(made, server.url("")),
        seconds=round(usage.wall, 2),
        cpu=round(usage.cpu, 2),
        tree=max(tree),
        peak=usage.peak,
        verified=run([*command, "verify", str(made)], capture_output=True, check=False).returncode
        == 0,
        surprises=found,
    )


@contextmanager
def _watched(mark: str) -> Iterator[list[int]]:
    """Watch the memory of all processes with this in their environment while the block runs."""
    sums, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(EVERY):
            sums.append(sum(map(_memory, _marked(mark.encode()))))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield sums
    finally:
        ended.set()
        watcher.join()


def _marked(mark: bytes) -> list[Path]:
    return [folder for folder in Path("/proc").glob("[0-9]*") if mark in _read(folder / "environ")]


def _memory(process: Path) -> int:
    """Proportional set size, in bytes; 0 for a process that is gone."""
    for line in _read(process / "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # gone, or not ours
        return b""


def _table(rows: list[Row]) -> str:
    heads = ("engine", "kinds", "good", "seconds", "of", "CPU s", "tree MB", "peak MB", "verify")
    lines = ["".join(f"{head:>11}" for head in heads)]
    for row in rows:
        cells = (
            *(row.engine, f"{row.kinds}/{len(KINDS)}", f"{row.good}/{GOOD}"),
            *(row.seconds, MOST_SECONDS, row.cpu),
            *(f"{row.tree / 1e6:.0f}", f"{row.peak / 1e6:.0f}", "ok" if row.verified else "WRONG"),
        )
        lines.append("".join(f"{cell!s:>11}" for cell in cells))
        lines += [f"    {name}: {what}" for name, what in sorted(row.surprises.items())[:20]]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run it; 0 when all is as it must be, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--engine", action="append", choices=ENGINES, help="repeatable")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--json", action="store_true", help="one object on stdout, no table")
    options = parser.parse_args(argv)
    rows = []
    for engine in (options.engine or ENGINES) * options.rounds:
        say(f"crawling {len(KINDS)} kinds with the engine {engine}")
        with tempfile.TemporaryDirectory(dir=work_folder()) as folder:
            rows.append(crawl(engine, Path(folder)))
    passed = all(row.passed for row in rows)
    if options.json:
        limits = {"kinds": len(KINDS), "seconds": MOST_SECONDS, "memory": MOST_MEMORY}
        runs = [asdict(row) | {"passed": row.passed} for row in rows]
        print(json.dumps({"passed": passed, "limits": limits, "runs": runs}))
    else:
        print(_table(rows))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
