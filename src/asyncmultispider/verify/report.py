"""What checking the books comes to."""

from collections.abc import Mapping

from msgspec import Struct

EXAMPLES = 5
"""Examples that are kept of each problem."""


class Problem(Struct, frozen=True, kw_only=True):
    """Something that should not be, how often, and some URLs (or files) where it is so."""

    what: str
    count: int
    examples: tuple[str, ...]


class Findings:
    """Problems as they are found. `readable` turns false when a file could not be read through."""

    def __init__(self) -> None:
        self.readable = True
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, what: str, example: object = None, count: int = 1) -> None:
        """Such a problem again, `count` times. Bytes are text as it is in a file."""
        self._counts[what] = self._counts.get(what, 0) + count
        examples = self._examples.setdefault(what, [])
        if example is not None and len(examples) < EXAMPLES:
            examples.append(text(example))

    def extend(self, others: "Findings") -> None:
        """Those of `others`, too."""
        for problem in others.problems():
            self.add(problem.what, count=problem.count)
            for example in problem.examples:
                self.add(problem.what, example, 0)

    def unreadable(self, what: str) -> None:
        """A file, or a part of one, that could not be checked."""
        self.readable = False
        self.add(what)

    def problems(self) -> list[Problem]:
        """All of them, in the order in which they were found."""
        return [
            Problem(what=what, count=count, examples=tuple(self._examples[what]))
            for what, count in self._counts.items()
        ]


class Report(Struct, frozen=True, kw_only=True):
    """The result. `in_hand` counts pages that are stored and whose URLs the ledger has as leased.

    `readable` is false when a file could not be read through: then there may be more problems.
    """

    dir: str
    running: bool
    states: Mapping[str, int]
    pages: int
    bodies: int
    items: int
    in_hand: int
    outputs: int
    problems: list[Problem]
    readable: bool

    @property
    def ok(self) -> bool:
        """Whether all holds."""
        return not self.problems

    @property
    def accepted(self) -> int:
        """The number of URLs in the ledger."""
        return sum(self.states.values())


def text(value: object) -> str:
    """A value of a file that may be damaged. Half characters are shown as escapes."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value).encode(errors="backslashreplace").decode()
