"""`verify`: check the books of a crawl, and say what is wrong."""

import sys
from pathlib import Path
from time import monotonic

from msgspec import structs

from asyncmultispider.cli.commands import FINISHED, STORAGE_FAILED
from asyncmultispider.cli.lines import ascii_json
from asyncmultispider.model import State
from asyncmultispider.text import one_line
from asyncmultispider.verify import Problem, Report, verify

WRONG = 1
EVERY = 5.0
"""Seconds between two lines about what is being done, on a terminal."""


def verify_command(directory: str, as_json: bool) -> int:
    """Print the result; 0 when all holds, 1 when not, 3 when a file can't be read through."""
    report = verify(Path(directory), _Teller())
    if as_json:
        print(ascii_json(_fields(report)))
    else:
        _print(report)
    if not report.readable:
        return STORAGE_FAILED
    return FINISHED if report.ok else WRONG


class _Teller:
    """Says on a terminal what is being done, when that takes long."""

    def __init__(self) -> None:
        self._next = monotonic() + EVERY
        self._wanted = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, stage: str) -> None:
        if self._wanted and monotonic() >= self._next:
            self._next = monotonic() + EVERY
            print(one_line(stage), file=sys.stderr)


def _fields(report: Report) -> dict[str, object]:
    return {
        "dir": report.dir,
        "ok": report.ok,
        "running": report.running,
        "accepted": report.accepted,
        **{state.value: report.states[state] for state in State},
        "pages": report.pages,
        "bodies": report.bodies,
        "items": report.items,
        "in_hand": report.in_hand,
        "outputs": report.outputs,
        "problems": [structs.asdict(problem) for problem in report.problems],
    }


def _print(report: Report) -> None:
    for state in State:
        print(f"{state.value:<10} {report.states[state]:>10}")
    print(f"{'accepted':<10} {report.accepted:>10}")
    in_hand = f", {report.in_hand} in hand" if report.in_hand else ""
    print(f"{'pages':<10} {report.pages:>10}{in_hand}")
    for name in ("bodies", "items", "outputs"):
        print(f"{name:<10} {getattr(report, name):>10}")
    for problem in report.problems:
        print(_sentence(problem))
    if report.ok:
        print("all holds")


def _sentence(problem: Problem) -> str:
    examples = ", ".join(map(one_line, problem.examples))
    more = ", ..." if problem.count > len(problem.examples) > 0 else ""
    line = f"wrong: {one_line(problem.what)}: {problem.count}"
    return f"{line} ({examples}{more})" if examples else line
