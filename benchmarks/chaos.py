"""Real crawls of real sites, killed at random until so many kills were made: is anything lost?

    python -m benchmarks.chaos --kills 200 [--seed N] [--engine NAME ...] [--site DIR] [--json]

nginx serves a manual (the packages of Debian that the tests use, or the folder `--site`), and the
command line crawls it, with pages or the items of a spider as JSON lines. At random moments a
worker, the supervisor or all processes get SIGKILL, SIGSTOP and SIGCONT, or SIGSTOP and SIGKILL:
after so many requests, during start-up, at the last commits, or while the output is written. When
the supervisor is dead the same command starts again, until it ends by itself. Then comes the next
crawl, with another engine, site and options.

How the figures are counted:

- lost: URLs missing in the ledger, pages.db, its items, the output or the server's log, by a walk
  of the site that is not ours. doubled: those there more than once (not in the log). wrong: other
  states than the server's answers call for, bodies that are not the file's, what can't be read.
- again: requests for URLs that were asked for before, from the server's log, by the kill that made
  them necessary: median and most of a kill. They may not cost more than can be in flight: places at
  the host, or in all processes together if these are fewer. A place is free again only when the
  outcome is committed, so fetched pages that wait for a commit are in it. (What one kill cost may
  be put down to its neighbour, as a request is logged when it ends.)
- books: after the death of a supervisor, before or after the restart, and at the end, `verify` must
  exit 0, and `status` count as many accepted URLs as there are in the states together, and no fewer
  than the last time. Not counted are directories in which no page was asked for yet.

A round that goes wrong says so, and how to repeat it (with the same --engine and --site); its
folder is kept. Moments depend on the machine: a seed repeats what is done, and about when.
"""

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from asyncmultispider.settings import ENGINES
from benchmarks._common import say, work_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the harness is the tests', too

from chaos.monkey import draw_plan
from chaos.rounds import Report, play
from chaos.sites import Site
from test_real_sites import SITES

NAMES = ("postgresql-doc-15", "apache2-doc", "cppreference-doc-en-html", "python3.11-doc")
KILLS = (6, 16)
"""Kills of a round on its way: least and most."""
FIGURES = {
    "rounds": "rounds",
    "kills": "kills",
    "restarts": "restarts",
    "lost": "lost",
    "doubled": "doubled",
    "wrong": "wrong",
    "again_median": "again",
    "again_most": "most",
    "in_flight_most": "of",
}
"""What the table shows, and its heads."""


def rounds(options: argparse.Namespace) -> Iterator[Report]:
    """Rounds, until the kills were made or the time is over."""
    kills, number = 0, options.seed
    deadline = time.monotonic() + options.time_limit
    while kills < options.kills and time.monotonic() < deadline:
        report = _round(number, options)
        kills += len(report.again)
        say(f"{kills} kills; seed {number}: {_sentence(report)}")
        if report.wrong:
            say(f"{report.wrong}\nkept in {_kept(number)}; to repeat it: --seed {number} --kills 1")
        number += 1
        yield report


def _round(number: int, options: argparse.Namespace) -> Report:
    """The round of this seed: all of it is drawn from the number, so that it can be repeated."""
    dice = random.Random(number)
    engine = options.engine[number % len(options.engine)]
    site = options.sites[number // len(options.engine) % len(options.sites)]
    with tempfile.TemporaryDirectory(dir=options.work, prefix="chaos-") as folder:
        made = Path(folder) / "round"
        report = play(site, draw_plan(dice, engine, KILLS), dice, made)
        if report.wrong:
            shutil.copytree(made, _kept(number), dirs_exist_ok=True)
        return report


def _kept(number: int) -> Path:
    return Path(tempfile.gettempdir()) / f"chaos-{number}"


def _sentence(report: Report) -> str:
    deeds = ", ".join(f"{kind} {n}" for kind, n in sorted(report.deeds.items()))
    return (
        f"{report.engine}, {report.site}: {deeds}; asked again {sum(report.again)}, books "
        f"{report.balanced} of {report.looks}, {report.seconds:.0f} s: "
        f"{'WRONG' if report.wrong else 'good'}"
    )


def summary(reports: list[Report]) -> dict[str, Any]:
    """The figures of these rounds together."""
    again = [cost for report in reports for cost in report.again]
    return {
        "rounds": len(reports),
        "kills": len(again),
        "restarts": sum(report.restarts for report in reports),
        "lost": sum(len(report.findings.lost) for report in reports),
        "doubled": sum(len(report.findings.doubled) for report in reports),
        "wrong": sum(len(report.findings.wrong) + len(report.trouble) for report in reports),
        "again_median": median(again or [0]),
        "again_most": max(again, default=0),
        "in_flight_most": max((report.in_flight for report in reports), default=0),
        "looks": sum(report.looks for report in reports),
        "balanced": sum(report.balanced for report in reports),
        "deeds": dict(sum((report.deeds for report in reports), Counter())),
        "moments": dict(sum((report.moments for report in reports), Counter())),
    }


def table(reports: list[Report]) -> str:
    """A row per engine, then all; what was done, and when."""
    engines = [name for name in ENGINES if any(r.engine == name for r in reports)]
    rows = [summary([r for r in reports if r.engine == name]) for name in engines]
    whole = summary(reports)
    lines = [_line("engine", FIGURES.values(), "books")]
    lines += [_row(name, row) for name, row in zip([*engines, "all"], [*rows, whole], strict=True)]
    for what in ("deeds", "moments"):
        counts = sorted(whole[what].items())
        lines.append(f"{what}: " + ", ".join(f"{name} {count}" for name, count in counts))
    return "\n".join(lines)


def _row(name: str, row: dict[str, Any]) -> str:
    return _line(name, (row[key] for key in FIGURES), f"{row['balanced']}/{row['looks']}")


def _line(name: str, cells: Iterable[object], last: str) -> str:
    return f"{name:10}" + "".join(f"{cell!s:>9}" for cell in cells) + f"{last:>11}"


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="default: 200")
    parser.add_argument("--seed", type=int, metavar="N", help="of the first round, default: random")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="repeatable")
    parser.add_argument("--site", type=Path, metavar="DIR", help="folder of HTML with index.html")
    parser.add_argument("--time-limit", type=float, default=3600, metavar="S", help="for all")
    parser.add_argument("--work", type=Path, default=work_folder(), metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="one object on stdout, no table")
    options = parser.parse_args(argv)
    if options.kills < 1 or options.time_limit <= 0:
        parser.error("--kills and --time-limit must be more than 0")
    options.engine = options.engine or list(ENGINES)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    options.sites = [Site(options.site.name, options.site)] if options.site else _installed()
    if not options.sites or not all(site.folder.is_dir() for site in options.sites):
        parser.error(f"no site to crawl: give --site, or install one of {', '.join(NAMES)}")
    return options


def _installed() -> list[Site]:
    sites = [Site(name, Path(SITES[name][0]), SITES[name][1]) for name in NAMES]
    return [site for site in sites if site.folder.is_dir()]


def main(argv: list[str] | None = None) -> int:
    """Run it; 0 when all went well and the kills were made, 1 when not, 2 for wrong usage."""
    # Ended by a signal, it still ends the crawls and servers and removes the folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options(argv)
    say(f"seed {options.seed}")
    reports: list[Report] = []
    with contextlib.suppress(KeyboardInterrupt):
        reports.extend(rounds(options))
    whole = summary(reports)
    if options.json:
        runs = [vars(report) | {"findings": vars(report.findings)} for report in reports]
        print(json.dumps({"seed": options.seed} | whole | {"runs": runs}))
    else:
        print(table(reports))
    return 1 if whole["kills"] < options.kills or any(r.wrong for r in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
