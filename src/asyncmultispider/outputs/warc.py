"""A crawl as an archive: WARC 1.1 files, and their index.

The files hold what `pages` does, in the order of its rows. As long as `pages` only grew, what an
earlier run wrote stays as it is, and new rows go to new files.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path

from msgspec import json, structs

from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.cdxj import Index, search_key, timestamp
from asyncmultispider.outputs.files import Hashed, write_file
from asyncmultispider.outputs.harmless import harmless
from asyncmultispider.outputs.jsonl import write_lines
from asyncmultispider.outputs.warcfile import (
    Member,
    Pack,
    WarcFile,
    digest_field,
    packer,
    target_uri,
)
from asyncmultispider.outputs.warcpage import agent_of, info_record, page_records, warc_date
from asyncmultispider.store.captures import Capture, Captures, reading_captures

LARGEST = 10**9
"""Bytes from which on a file is full, and the next begins."""
ENDING = ".warc.gz"
_EPOCH = "1970-01-01T00:00:00.000+00:00"


def write_warc(job: Job) -> list[Exported]:
    """Write `NAME.warc.gz`, when it is full `NAME-00001.warc.gz` and so on, and `NAME.cdxj`.

    Raises `UsageError` where they can't be written, `StorageError` when that fails.
    """
    pack = packer()
    with reading_captures(job.pages_db) as captures, Index(job.target.parent) as index:
        kept = _kept(captures, job)
        written = list(_write_files(job, captures, kept, index, pack))
        if not written:
            return list(job.before)
        listed = write_file(_index_path(job), lambda file: _write_index(file, job, kept, index))
    files = [*kept, *written]
    _remove_stale(job, files)
    return [*files, structs.replace(listed, upto=written[-1].upto)]


def _write_files(
    job: Job, captures: Captures, kept: list[Exported], index: Index, pack: Pack
) -> Iterator[Exported]:
    """Those that are new. An empty crawl has one file, too."""
    rows = captures.after(kept[-1].upto if kept else 0)
    number = len(kept)
    following = next(rows, None)
    while following is not None or not number:
        share = _Share(job, number, chain([following] if following else [], rows))
        yield structs.replace(write_file(share.path, share.filler(index, pack)), upto=share.upto)
        number += 1
        following = next(rows, None)


class _Share:
    """What goes into one file: as many of the pages as it takes."""

    def __init__(self, job: Job, number: int, captures: Iterator[Capture]) -> None:
        self.path = _path(job.target, number)
        self.upto = 0
        self._about = job.about
        self._captures = captures

    def filler(self, index: Index, pack: Pack) -> Callable[[Hashed], int]:
        """What writes the file, and returns the number of its records."""
        return lambda file: self._fill(WarcFile(file, pack), index)

    def _fill(self, warc: WarcFile, index: Index) -> int:
        agent, info = agent_of(self._about), ""
        for capture in self._captures:
            info = info or self._begin(warc, capture.fetched_at)
            answer, *others = page_records(capture, info, agent)
            index.add(_line(capture, warc.add(answer), self.path.name))
            for other in others:
                warc.add(other)
            self.upto = capture.row
            if warc.size >= LARGEST:
                break
        if not info:
            self._begin(warc, _EPOCH)
        warc.flush()
        return warc.records

    def _begin(self, warc: WarcFile, moment: str) -> str:
        # The time is that of the first page, not now: the same pages make the same file.
        info, record = info_record(self.path.name, warc_date(moment), self._about)
        warc.add(record)
        return info


def _line(capture: Capture, member: Member, name: str) -> bytes:
    """In the index. The values are text, and a revisit has no status: as pywb writes them."""
    url = target_uri(capture.url)
    if capture.first_url is None:
        kind = {"mime": capture.content_type or "unk", "status": str(capture.status)}
    else:
        kind = {"mime": "warc/revisit"}
    fields = {"url": url, **kind, "digest": digest_field(capture.digest)}
    fields |= {"length": str(member.length), "offset": str(member.offset), "filename": name}
    return (
        harmless(f"{_sorted_by(url, capture.fetched_at)} ".encode() + json.encode(fields)) + b"\n"
    )


def _sorted_by(url: str, fetched_at: str) -> str:
    return f"{search_key(url)} {timestamp(fetched_at)}"


def _kept(captures: Captures, job: Job) -> list[Exported]:
    """The files of the last run, if they are there and hold all pages up to their last row."""
    files = [output for output in job.before if output.path.endswith(ENDING)]
    names = [str(_path(job.target, number)) for number in range(len(files))]
    if not files or [file.path for file in files] != names or not all(map(_is_there, files)):
        return []
    listed = [output for output in job.before if output.path == str(_index_path(job))]
    last = captures.find(files[-1].upto)
    if len(listed) != 1 or last is None:
        return []
    grew = listed[0].lines == captures.count(files[-1].upto)
    return files if grew and _holds(listed[0], *last) else []


def _is_there(file: Exported) -> bool:
    with suppress(OSError):
        return Path(file.path).stat().st_size == file.bytes
    return False


def _holds(listed: Exported, url: str, fetched_at: str, digest: bytes) -> bool:
    """Whether an index is as it was written, and has this page: its row may be another's now."""
    begin = f"{_sorted_by(target_uri(url), fetched_at)} ".encode()
    named, whole, found = digest_field(digest).encode(), sha256(), False
    try:
        with Path(listed.path).open("rb") as file:
            for line in file:
                whole.update(line)
                found = found or (line.startswith(begin) and named in line)
    except OSError:
        return False
    return found and whole.hexdigest() == listed.sha256


def _write_index(file: Hashed, job: Job, kept: list[Exported], index: Index) -> int:
    with ExitStack() as stack:
        before = [stack.enter_context(_index_path(job).open("rb"))] if kept else []
        return write_lines(index.sorted(*before), file)


def _remove_stale(job: Job, files: list[Exported]) -> None:
    """Files of the last run that are none of this one's: of a longer series."""
    ours = re.compile(re.escape(_name(job.target)) + r"-\d{5,}" + re.escape(ENDING))
    current = {file.path for file in files}
    for path in (Path(output.path) for output in job.before if output.path not in current):
        if path.parent == job.target.parent and ours.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


def _name(target: Path) -> str:
    return target.name.removesuffix(ENDING)


def _path(target: Path, number: int) -> Path:
    return target.with_name(f"{_name(target)}-{number:05d}{ENDING}") if number else target


def _index_path(job: Job) -> Path:
    return job.target.with_name(f"{_name(job.target)}.cdxj")
