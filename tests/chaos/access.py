"""The server's log: how far a crawl is, and what it asked for more than once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

UNREAD = "-"
"""What nginx writes for a target that it can't read."""
ROBOTS = "/robots.txt"


class Tail:
    """The targets of the requests that nginx has answered so far, read as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self.targets: set[str] = set()
        self.lines = 0

    def read(self) -> int:
        """Read on; the number of requests so far."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            lines = whole.decode().splitlines()
            self._at += len(whole) + 1
            self.lines += len(lines)
            self.targets.update(line.partition(" ")[2] for line in lines)
        return self.lines


@dataclass(frozen=True)
class Repeats:
    """Requests for what was asked for before: how many each kill cost, and those of no kill."""

    by_kill: list[int]
    unexplained: list[str]


def repeats(targets: Sequence[str], kills: Sequence[int]) -> Repeats:
    """Which kill made the crawl ask again. A kill is given as the length of the log at its time."""
    by_kill, unexplained = [0] * len(kills), []
    for target, first, second in _pairs(targets):
        kill = _cause(first, second, kills)
        if kill is None:
            unexplained.append(target)
        else:
            by_kill[kill] += 1
    return Repeats(by_kill, unexplained)


def _pairs(targets: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    last: dict[str, int] = {}
    for place, target in enumerate(targets):
        if target in last and target != UNREAD:
            yield target, last[target], place
        last[target] = place


def _cause(first: int, second: int, kills: Sequence[int]) -> int | None:
    """The kill that cut off the first of two requests for the same.

    It is the first kill after it. But a request under way is logged when its line goes down, and
    workers outlive their supervisor for a moment, so it may come after the mark of the kill that
    cut it off: then there is none between the two, and it is the last one before.
    """
    between = [number for number, mark in enumerate(kills) if first < mark <= second]
    before = [number for number, mark in enumerate(kills) if mark <= first]
    return between[0] if between else before[-1] if before else None
