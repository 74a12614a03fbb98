"""What an output is: a view of what a crawl stored, written whole, and listed for `verify`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct


class Exported(Struct, frozen=True, kw_only=True):
    """A file as it was written. `path` is absolute; `sha256` is of its `bytes`, in hex.

    `lines` counts its records. Of a folder, `sha256` is that of its manifest: for each file in it,
    in the order of their names, a line `SHA-256, two blanks, name`; `bytes` is the sum over these
    files. Formats that go on where the last run ended note in `upto` the last row of `pages` that
    they hold.
    """

    path: str
    lines: int
    bytes: int
    sha256: str
    folder: bool = False
    upto: int = 0


class Job(Struct, frozen=True, kw_only=True):
    """What to write: the pages and items of `pages_db` to `target`, as the user named it, resolved.

    `bodies`: with the decoded text of each page, in formats of rows. `about` are the settings of
    the crawl without secrets, for formats that tell how it was made. `before` are the files that
    the last run wrote to this target: they may be left as they are where they are still right.
    """

    pages_db: Path
    target: Path
    bodies: bool = False
    about: Mapping[str, Any] = {}
    before: tuple[Exported, ...] = ()


Writer = Callable[[Job], list[Exported]]
"""Writes a job; each file appears whole or not at all, on the disk too.

Raises `UsageError` where it can't be written, `StorageError` when that fails.
"""

About = tuple[str, bool]
"""What a record of an output is about: a URL, and whether it is an item of it."""
