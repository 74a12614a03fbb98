"""The files of an archive: their names, what goes into each, and their lines in the index."""

import os
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from msgspec import Struct, json, structs

from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.cdxj import Index, search_key, timestamp
from asyncmultispider.outputs.files import Hashed, write_file
from asyncmultispider.outputs.harmless import harmless
from asyncmultispider.outputs.warcfile import (
    Member,
    Pack,
    WarcFile,
    digest_field,
    one_line,
    packer,
    target_uri,
)
from asyncmultispider.outputs.warcpage import (
    SOFTWARE,
    agent_of,
    info_record,
    page_records,
    warc_date,
)
from asyncmultispider.store.captures import Capture, Captures

ENDING = ".warc.gz"
_START = 4096
"""Bytes at the start of a file, packed or not, within which its first record names it."""
_EPOCH = "1970-01-01T00:00:00.000+00:00"


class Stretch(Struct, frozen=True, kw_only=True):
    """Rows of `pages` that are written by one process: beyond `after`, up to `last`.

    Its files have the numbers `first`, `first + step` and so on. From `largest` bytes on a file is
    full. An archive without a file 0 is none, so that is written even if there are no rows.
    """

    job: Job
    after: int
    last: int
    first: int
    step: int
    largest: int


def path_of(target: Path, number: int) -> Path:
    """The file of this number: `NAME.warc.gz`, `NAME-00001.warc.gz` ..."""
    return target.with_name(f"{_name(target)}-{number:05d}{ENDING}") if number else target


def number_of(target: Path, path: Path) -> int | None:
    """The number of a file; None if it is none of the target's."""
    if path.parent != target.parent:
        return None
    if path.name == target.name:
        return 0
    told = path.name.removeprefix(f"{_name(target)}-").removesuffix(ENDING)
    number = int(told) if told.isdecimal() and told.isascii() and len(told) < 10 else 0
    return number if number and path_of(target, number) == path else None


def index_of(target: Path) -> Path:
    """The index of all files of a target: `NAME.cdxj`."""
    return target.with_name(f"{_name(target)}.cdxj")


def is_written_here(path: Path) -> bool:
    """Whether a numbered file is one that this program wrote for a series, by its first record.

    One that has an index of its own is another archive with such a name. Raises `OSError`.
    """
    if index_of(path).exists():
        return False
    with path.open("rb") as file:
        start = file.read(_START)
    try:
        record = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, _START)
    except zlib.error:
        return False
    head, _, block = record.partition(b"\r\n\r\n")
    named = f"\r\nWARC-Filename: {one_line(_told(path))}\r\n".encode()
    return named in head and block.startswith(SOFTWARE)


def write_stretch(stretch: Stretch, captures: Captures, index: Index) -> list[Exported]:
    """Write its files, and tell the index what is where."""
    job, pack = stretch.job, packer()
    rows = captures.between(stretch.after, stretch.last)
    number = stretch.first
    following = next(rows, None)
    written: list[Exported] = []
    while following is not None or not number:
        share = _Share(stretch, path_of(job.target, number), chain(_some(following), rows))
        file = write_file(share.path, share.filler(index, pack))
        written.append(structs.replace(file, upto=share.upto))
        number += stretch.step
        following = next(rows, None)
    return written


def sort_key(url: str, fetched_at: str) -> bytes:
    """How the line of a capture begins in the index."""
    return f"{search_key(target_uri(url))} {timestamp(fetched_at)} ".encode()


class _Share:
    """What goes into one file: as many of the pages as it takes."""

    def __init__(self, stretch: Stretch, path: Path, captures: Iterator[Capture]) -> None:
        self.path = path
        self.name = _told(path)
        self.upto = 0
        self._about = stretch.job.about
        self._largest = stretch.largest
        self._captures = captures

    def filler(self, index: Index, pack: Pack) -> Callable[[Hashed], int]:
        """What writes the file, and returns the number of its records."""
        return lambda file: self._fill(WarcFile(file, pack), index)

    def _fill(self, warc: WarcFile, index: Index) -> int:
        agent, info = agent_of(self._about), ""
        for capture in self._captures:
            info = info or self._begin(warc, capture.fetched_at)
            answer, *others = page_records(capture, info, agent)
            index.add(_line(capture, warc.add(answer), self.name))
            for other in others:
                warc.add(other)
            self.upto = capture.row
            if warc.size >= self._largest:
                break
        if not info:
            self._begin(warc, _EPOCH)
        warc.flush()
        return warc.records

    def _begin(self, warc: WarcFile, moment: str) -> str:
        # The time is that of the first page, not now: the same pages make the same file.
        info, record = info_record(self.name, warc_date(moment), self._about)
        warc.add(record)
        return info


def _line(capture: Capture, member: Member, name: str) -> bytes:
    """In the index. The values are text, and a revisit has no status: as pywb writes them."""
    if capture.first_url is None:
        kind = {"mime": capture.content_type or "unk", "status": str(capture.status)}
    else:
        kind = {"mime": "warc/revisit"}
    fields = {"url": target_uri(capture.url), **kind, "digest": digest_field(capture.digest)}
    fields |= {"length": str(member.length), "offset": str(member.offset), "filename": name}
    return harmless(sort_key(capture.url, capture.fetched_at) + json.encode(fields)) + b"\n"


def _some(capture: Capture | None) -> list[Capture]:
    return [] if capture is None else [capture]


def _told(path: Path) -> str:
    """The name of a file, which may be no Unicode, as records tell it."""
    return os.fsencode(path.name).decode(errors="replace")


def _name(target: Path) -> str:
    return target.name.removesuffix(ENDING)
