"""Outputs beside `pages.db`, as the user names them.

The format follows the ending. The module that writes it is imported when it is needed.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from asyncmultispider.directory import FRONTIER, LOG
from asyncmultispider.errors import UsageError
from asyncmultispider.outputs.base import About, Exported, Job, Writer
from asyncmultispider.outputs.files import LONGEST_NAME, part_of
from asyncmultispider.outputs.note import OUTPUTS, listed, listing

__all__ = ["ENDINGS", "OUTPUTS", "STDOUT", "Exported", "Target", "check_target", "listed"]
__all__ += ["listing", "missing_extra", "url_reader", "write_output"]

STDOUT = "-"
"""The target that means JSON lines on standard output."""


class Format(Struct, frozen=True, kw_only=True):
    """Where the function `writer` is; `library` is what it imports, and `extra` brings that.

    `reader`: the module has `read_urls`, for `verify`. `beside` are endings of further files.
    """

    module: str
    writer: str
    library: str | None = None
    extra: str | None = None
    folder: bool = False
    reader: bool = False
    beside: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    ".jsonl": Format(module="jsonl", writer="write_jsonl", reader=True),
    ".csv": Format(module="csv_", writer="write_csv", reader=True),
    ".parquet": Format(
        module="parquet",
        writer="write_parquet",
        library="pyarrow",
        extra="parquet",
        reader=True,
    ),
    ".warc.gz": Format(
        module="warc", writer="write_warc", library="isal", extra="warc", beside=(".cdxj",)
    ),
    ".md": Format(module="markdown", writer="write_markdown", folder=True),
    ".html": Format(module="mirror", writer="write_mirror", folder=True),
}
ENDINGS = ".jsonl, .csv, .parquet, .warc.gz, or for a folder .md, .html"
"""What the name of a target may end in, for people."""


class Target(Struct, frozen=True, kw_only=True):
    """Where an output goes: `name` as the user wrote it, `path` resolved, and its `ending`.

    Of standard output the name and the ending are `-`.
    """

    name: str
    path: Path
    ending: str

    @property
    def has_rows(self) -> bool:
        """Whether it has a row for each page, with its body where that is wanted."""
        return self.stdout or FORMATS[self.ending].reader

    @property
    def stdout(self) -> bool:
        """Whether it is standard output."""
        return self.ending == STDOUT


def check_target(name: str, directory: Path | None = None) -> Target:
    """Where to write, if that can be done. Raises `UsageError` if not.

    The crawl directory may not be made yet.
    """
    if name == STDOUT:
        return Target(name=name, path=Path(STDOUT), ending=STDOUT)
    path = Path(os.path.realpath(name))  # a link that the user named may lead elsewhere
    ending = next((end for end in FORMATS if path.name.endswith(end) and path.name != end), None)
    if ending is None:
        raise UsageError(f"can't tell the format of {name!r}: it must end in {ENDINGS}")
    _check_place(name, path, FORMATS[ending], directory)
    format = FORMATS[ending]
    if format.library and format.extra and find_spec(format.library) is None:
        raise missing_extra(name, format.extra)
    return Target(name=name, path=path, ending=ending)


def missing_extra(name: str, extra: str) -> UsageError:
    """What to say where the library for an output is missing."""
    return UsageError(
        f"can't write {name!r}: that takes \"pip install 'asyncmultispider[{extra}]'\""
    )


def write_output(
    target: Target,
    pages_db: Path,
    *,
    bodies: bool = False,
    about: Mapping[str, Any] | None = None,
    before: Sequence[Exported] = (),
) -> list[Exported]:
    """Write what is stored in `pages_db` to a file or folder; what was written. See `Job`.

    `before` is all that the last run wrote. Raises `UsageError`, `StorageError`.
    """
    format = FORMATS[target.ending]
    job = Job(
        pages_db=pages_db,
        target=target.path,
        bodies=bodies,
        about=about or {},
        before=tuple(_of(target, before)),
    )
    module = import_module(f"{__name__}.{format.module}")
    writer: Writer = getattr(module, format.writer)
    return writer(job)


def url_reader(output: Exported) -> Callable[[BinaryIO], Iterator[About | None]] | None:
    """What tells of each record of an output which URL it is about; None if nothing does that.

    A record without a URL is None. What it gives may raise `ValueError` for a file that is damaged.
    """
    format = next((f for end, f in FORMATS.items() if output.path.endswith(end)), None)
    if format is None or not format.reader:
        return None
    if format.library is not None and find_spec(format.library) is None:
        return None
    reader: Callable[[BinaryIO], Iterator[About | None]]
    reader = import_module(f"{__name__}.{format.module}").read_urls
    return reader


def _of(target: Target, written: Sequence[Exported]) -> Iterator[Exported]:
    """Those that belong to the target: it, with a number where it is one of a series, its index."""
    stem = target.path.name.removesuffix(target.ending)
    endings = (target.ending, *FORMATS[target.ending].beside)
    for output in written:
        path = Path(output.path)
        ending = next(filter(path.name.endswith, endings), None)
        if path.parent == target.path.parent and path.name.startswith(stem) and ending:
            number = path.name.removesuffix(ending)[len(stem) :]
            if not number or (number.startswith("-") and number[1:].isdecimal()):
                yield output


def _check_place(name: str, path: Path, format: Format, directory: Path | None) -> None:
    if len(os.fsencode(part_of(path).name)) > LONGEST_NAME:
        raise UsageError(f"can't write {name!r}: its name is too long")
    if path.exists():
        if format.folder and not path.is_dir():
            raise UsageError(f"can't write {name!r}: it is a file, and it would be a folder")
        if not format.folder and not path.is_file():
            raise UsageError(f"can't write {name!r}: it is no file")
        if format.folder:
            from asyncmultispider.outputs.swap import check_folder  # few are folders

            check_folder(path)
    to_be_made = directory is not None and path.parent == Path(os.path.realpath(directory))
    if path.name == LOG and (to_be_made or (path.parent / FRONTIER).exists()):
        raise UsageError(f"can't write {name!r}: the crawl keeps its own log there")
    if not to_be_made and not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"can't write {name!r}: {str(path.parent)!r} is no folder to write in")
