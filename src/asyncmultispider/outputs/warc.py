"""A crawl as an archive: WARC 1.1 files, and their index.

The files hold what `pages` does. As long as `pages` only grew, what an earlier run wrote stays as
it is, and new rows go to new files. Many rows of a crawl that had several processes are written by
as many: each makes files of its own, and sorts its own part of the index.
"""

import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import ExitStack, suppress
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree

from msgspec import structs

from asyncmultispider.errors import StorageError
from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.cdxj import Index
from asyncmultispider.outputs.files import Hashed, write_file, writing
from asyncmultispider.outputs.jsonl import write_lines
from asyncmultispider.outputs.swap import alone_in
from asyncmultispider.outputs.warcfile import digest_field, packer
from asyncmultispider.outputs.warcseries import (
    Stretch,
    index_of,
    is_written_here,
    number_of,
    sort_key,
    write_stretch,
)
from asyncmultispider.parents import end_with_parent
from asyncmultispider.store.captures import Captures, reading_captures

LARGEST = 10**9
"""Bytes from which on a file is full, and the next begins."""
MANY = 50_000
"""Pages from which on it is worth while to start processes."""


def write_warc(job: Job) -> list[Exported]:
    """Write `NAME.warc.gz`, when it is full `NAME-00001.warc.gz` and so on, and `NAME.cdxj`.

    Raises `UsageError` where they can't be written, `StorageError` when that fails.
    """
    packer()  # before anything is begun
    with reading_captures(job.pages_db) as captures, ExitStack() as stack:
        kept = _kept(captures, job)
        stretches = list(_divide(job, captures, kept))
        index = stack.enter_context(Index(job.target.parent))
        parts: list[Path] = []
        if len(stretches) == 1:
            written = write_stretch(stretches[0], captures, index)
        else:
            written, parts = _write_apart(stretches, stack)
        if not written:
            _remove_stale(job, kept)
            return list(job.before)
        if kept:
            parts.append(index_of(job.target))
        listed = write_file(index_of(job.target), lambda file: _merge(file, index, parts))
    files = [*kept, *written]
    _remove_stale(job, files)
    return [*files, structs.replace(listed, upto=_upto(files))]


def _divide(job: Job, captures: Captures, kept: list[Exported]) -> Iterator[Stretch]:
    """What is to be written, for each process."""
    after, last = _upto(kept), captures.last_row()
    numbers = [number_of(job.target, Path(file.path)) or 0 for file in kept]
    first = max(numbers) + 1 if numbers else 0
    shares = _processes(job) if captures.count(last) - captures.count(after) >= MANY else 1
    bounds = [after + (last - after) * n // shares for n in range(shares + 1)]
    for n in range(shares):
        yield Stretch(
            job=structs.replace(job, before=()),
            after=bounds[n],
            last=bounds[n + 1],
            first=first + n,
            step=shares,
            largest=LARGEST,
        )


def _processes(job: Job) -> int:
    """As many as crawled, but no more than there are cores."""
    cores = os.cpu_count() or 1
    asked = job.about.get("processes", cores) if job.about.get("engine") == "processes" else 1
    return min(asked, cores) if isinstance(asked, int) and asked > 0 else 1


def _write_apart(stretches: list[Stretch], stack: ExitStack) -> tuple[list[Exported], list[Path]]:
    """Each stretch in a process of its own; the files, and the sorted parts of the index."""
    target = stretches[0].job.target
    folder = target.with_name(f".{target.name}.idx")
    stack.enter_context(writing(target))
    stack.enter_context(alone_in(folder))
    stack.callback(rmtree, folder, ignore_errors=True)
    parts = [folder / str(stretch.first) for stretch in stretches]
    try:
        # Who outlives us would put its files among those of the next run.
        with ProcessPoolExecutor(len(stretches), get_context("spawn"), end_with_parent) as pool:
            written = [file for files in pool.map(_write_one, stretches, parts) for file in files]
    except BrokenExecutor as error:
        raise StorageError(f"can't write {str(target)!r}: a process of ours was ended") from error
    return sorted(written, key=lambda file: number_of(target, Path(file.path)) or 0), parts


def _write_one(stretch: Stretch, part: Path) -> list[Exported]:
    with reading_captures(stretch.job.pages_db) as captures, Index(part.parent) as index:
        written = write_stretch(stretch, captures, index)
        write_file(part, lambda file: _merge(file, index, []))
    return written


def _merge(file: Hashed, index: Index, parts: list[Path]) -> int:
    with ExitStack() as stack:
        return write_lines(
            index.sorted(*[stack.enter_context(part.open("rb")) for part in parts]), file
        )


def _kept(captures: Captures, job: Job) -> list[Exported]:
    """The files of the last run, if they are there and hold all pages up to their last row."""
    numbered = {
        number: output
        for output in job.before
        if (number := number_of(job.target, Path(output.path))) is not None
    }
    files = [numbered[number] for number in sorted(numbered)]
    listed = [output for output in job.before if output.path == str(index_of(job.target))]
    last = captures.find(_upto(files))
    if len(listed) != 1 or last is None or not all(map(_is_there, files)):
        return []
    grew = listed[0].lines == captures.count(_upto(files))
    return files if grew and _holds(listed[0], *last) else []


def _is_there(file: Exported) -> bool:
    with suppress(OSError):
        return Path(file.path).stat().st_size == file.bytes
    return False


def _holds(listed: Exported, url: str, fetched_at: str, digest: bytes) -> bool:
    """Whether an index is as it was written, and has this page: its row may be another's now."""
    begin, named = sort_key(url, fetched_at), digest_field(digest).encode()
    whole, found = sha256(), False
    try:
        with Path(listed.path).open("rb") as file:
            for line in file:
                whole.update(line)
                found = found or (line.startswith(begin) and named in line)
    except OSError:
        return False
    return found and whole.hexdigest() == listed.sha256


def _upto(files: list[Exported]) -> int:
    return max((file.upto for file in files), default=0)


def _remove_stale(job: Job, files: list[Exported]) -> None:
    """Remove files of the series that are none of `files`: they would hold pages a second time.

    Of a longer series that the last run wrote, or of a run that was ended before it could note what
    it wrote. So whatever is there is looked at.
    """
    current = {Path(file.path) for file in files}
    listed = {Path(output.path) for output in job.before}
    found = listed.copy()
    with suppress(PermissionError):  # one may write there, but not read
        found.update(job.target.parent.iterdir())
    for path in found - current:
        if not number_of(job.target, path):
            continue
        with suppress(OSError):
            if path in listed or is_written_here(path):
                path.unlink()
