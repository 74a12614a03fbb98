"""`-o -`: JSON lines on standard output while a crawl goes on."""

from collections.abc import Sequence
from io import BufferedWriter
from typing import TYPE_CHECKING, BinaryIO

from asyncmultispider.cli.apart import data_output
from asyncmultispider.cli.pipe import Pipe
from asyncmultispider.errors import UsageError
from asyncmultispider.outputs import Target

if TYPE_CHECKING:  # reading a directory takes no crawler
    from asyncmultispider.crawler import Crawl


PATIENCE = 5.0
"""Seconds that a reader has for what waits when the user has asked to stop."""


def wants_stdout(targets: Sequence[Target], *, as_json: bool) -> bool:
    """Whether one of the targets is standard output.

    Raises `UsageError` when something else is to go there, too.
    """
    wanted = sum(target.stdout for target in targets)
    if wanted > 1:
        raise UsageError("-o - twice: standard output is only one")
    if wanted and as_json:
        raise UsageError("-o - and --json both write to standard output: choose one")
    return wanted > 0


def standard_output() -> BinaryIO:
    """The bytes behind standard output. Raises `UsageError` where it is closed."""
    out = data_output()
    if out is None:
        raise UsageError("can't write to standard output: it is closed")
    return out.buffer


def pipe_of(crawl: "Crawl") -> Pipe:
    """What writes to standard output, holds up the crawl, and stops it when that is lost."""
    out = standard_output()
    # Without its buffer, which would be written, and waited for, once more at the end.
    raw = out.raw if isinstance(out, BufferedWriter) else out
    return Pipe(raw, lambda: crawl.reins.stop(now=True), crawl.reins.wake)
