"""The examples of a page of documentation, and what is said of them there.

What runs is a fenced block of one of these languages:

- `sh`: a script for bash; it must succeed.
- `console`: commands, each on a line that begins with `$ ` (it goes on behind a backslash, and to
  the end of a quotation), and what they show. `...` stands for anything in a line, and for any
  lines where it is alone.
- `python`: what a notebook would run, in one session from the page's top to its end. A block that
  begins with a comment `# NAME.py` is put into that file (and run by pytest when it is a test), and
  one that asks for `__name__` is a program of its own.

A `text` block that follows `sh` or `python` is what that prints. A comment `<!-- not run: WHY -->`
before a block says that the tests leave it out.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUN = ("console", "python", "sh")
SHOWN = ("", "csv", "html", "json", "sql", "text", "toml", "xml")
_FENCE = re.compile(r"(`{3,})(\w*)")
_FILE = re.compile(r"# ([\w/-]+\.py)\n")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
_PROGRESS = re.compile(r"pages \d+; pages/s ")
"""A line of a crawl that takes more than some seconds, as on a busy machine."""
_VOLATILE = (
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "(when)"),
    (r"\d[\d,]*(\.\d+)?\s+pages/s", "(n) pages/s"),
    (r"(?<=records \()\d[\d,.]* [kMG]?B\b", "(size)"),
    (r"\d[\d,]*(\.\d+)? ?(us|ms|s|seconds)\b", "(time)"),
    (r"[ \t]+", " "),
)
"""What is another at each run or with another library, and the blanks of a table."""


@dataclass(frozen=True)
class Block:
    """A block that runs. `line` is where its text begins; `output` None: nothing is said of it."""

    line: int
    language: str
    text: str
    output: str | None = None

    @property
    def file(self) -> str | None:
        """The file that a Python block is."""
        named = _FILE.match(self.text) if self.language == "python" else None
        return named[1] if named else None

    @property
    def is_program(self) -> bool:
        """Whether it is a Python program of its own."""
        return self.language == "python" and "__name__" in self.text

    def commands(self) -> Iterator[tuple[str, str]]:
        """The commands of a console, and what each shows."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            ends = range(1, len(lines) + 1)
            end = next((n for n in ends if _is_whole("\n".join(lines[:n]))), len(lines))
            yield "\n".join(lines[:end]), "\n".join(lines[end:])


def _is_whole(command: str) -> bool:
    """Whether a command ends here: no quotation is open, and no backslash is at its end."""
    try:
        shlex.split(command)
    except ValueError:
        return False
    return not command.endswith("\\")


@dataclass
class _Fence:
    line: int
    language: str
    reason: str | None
    lines: list[str]
    adjacent: bool
    """Whether nothing is between it and the one before."""


def read_blocks(page: Path, text: str) -> tuple[list[Block], dict[int, str]]:
    """The blocks of a page that run, and the reasons of those that don't, by line.

    Raises `ValueError` for a language that is none of ours: it would never run.
    """
    blocks: list[Block] = []
    left: dict[int, str] = {}
    before: _Fence | None = None
    for fence in _fences(text):
        where = f"{page}:{fence.line}"
        if fence.language not in RUN + SHOWN:
            raise ValueError(f"{where}: write {RUN} for what runs, not {fence.language!r}")
        body = "".join(f"{line}\n" for line in fence.lines)
        follows = fence.language == "text" and fence.adjacent and before is not None
        if fence.reason is not None:
            left[fence.line] = fence.reason
        elif fence.language in RUN:
            blocks.append(Block(fence.line, fence.language, body))
        elif follows and before and before.reason is None and before.language in ("sh", "python"):
            blocks[-1] = Block(blocks[-1].line, blocks[-1].language, blocks[-1].text, body)
        before = fence
    return blocks, left


def differs(expected: str, actual: str) -> bool:
    """Whether a command showed something else than the page says."""
    pattern = []
    for line in _calm(expected).splitlines():
        if line.strip() == "...":
            pattern.append(r"(?:.*\n)*?")
        else:
            pattern.append(re.escape(line).replace(re.escape("..."), ".*") + r"\n")
    return re.fullmatch("".join(pattern), _calm(actual)) is None


def _calm(text: str) -> str:
    for what, instead in _VOLATILE:
        text = re.sub(what, instead, text)
    lines = [line.strip() for line in text.strip().splitlines() if not _PROGRESS.match(line)]
    return "".join(f"{line}\n" for line in lines)


def _fences(text: str) -> Iterator[_Fence]:
    opened: _Fence | None = None
    ticks, reason, adjacent = "", None, False
    for number, line in enumerate(text.splitlines(), 1):
        if opened is not None:
            if line.startswith(ticks) and not line.strip("`"):
                yield opened
                opened, reason, adjacent = None, None, True
            else:
                opened.lines.append(line)
        elif fence := _FENCE.match(line):
            ticks = fence[1]
            opened = _Fence(number + 1, fence[2], reason, [], adjacent)
        elif said := _NOT_RUN.match(line):
            reason = said[1]
        elif line.strip():
            reason, adjacent = None, False
    if opened is not None:
        raise ValueError(f"the block at line {opened.line} has no end")
