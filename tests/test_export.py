"""Files that are exported appear whole or not at all."""

import fcntl
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from asyncmultispider.directory import PAGES
from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.outputs import Exported, check_target, listed, listing
from command import python
from exporting import export
from test_crash import SITE, make_web
from test_crash import run as run_tree

KILLED = """
import os, signal, sys
from pathlib import Path
from asyncmultispider.outputs import check_target, jsonl, write_output

def lines(*_, **__):
    yield b"{}" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)

jsonl.all_lines = lines
write_output(check_target(sys.argv[2]), Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("crawled") / "dir"
    run_tree(directory, make_web())
    return directory / PAGES


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "pages.jsonl"


def part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def check(written: Exported, target: Path) -> None:
    data = target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert written == Exported(
        path=str(target), lines=SITE, bytes=len(data), sha256=sha256(data).hexdigest()
    )
    assert data.count(b"\n") == SITE


def test_it_tells_what_it_wrote(pages: Path, target: Path) -> None:
    check(export(pages, target), target)


def test_a_note_of_it_is_read_back(pages: Path, target: Path) -> None:
    odd = target.with_name(b"\xff.jsonl".decode(errors="surrogateescape"))
    outputs = [export(pages, path) for path in (target, odd)]
    assert listing(outputs).isascii()
    assert listed(listing(outputs)) == outputs


def test_it_is_on_the_disk_before_it_has_its_name(
    pages: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    export(pages, target)
    assert synced == [(str(part_of(target)), False), (str(target.parent), True)]


def test_a_failing_fsync_leaves_the_old_file(
    pages: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    target.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        export(pages, target)
    assert [(path.name, path.read_bytes()) for path in target.parent.iterdir()] == [
        (target.name, b"old")
    ]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_its_mode_is_that_of_the_umask(pages: Path, target: Path, mask: int) -> None:
    part_of(target).write_bytes(b"{")
    before = os.umask(mask)
    try:
        export(pages, target)
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


def test_what_a_killed_process_left_is_replaced(pages: Path, target: Path) -> None:
    target.write_bytes(b"old")
    killed = python(KILLED, str(pages), str(target))
    assert killed.code == -signal.SIGKILL, killed
    assert target.read_bytes() == b"old"
    assert {path.name for path in target.parent.iterdir()} == {target.name, part_of(target).name}
    check(export(pages, target), target)


def test_another_process_is_writing_it(pages: Path, target: Path) -> None:
    with part_of(target).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process"):
            export(pages, target)
    assert not target.exists()
    check(export(pages, target), target)


def test_no_link_is_followed(pages: Path, target: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    part_of(target).symlink_to(mine)
    with pytest.raises(StorageError, match=target.name):
        export(pages, target)
    part_of(target).unlink()
    part_of(target).hardlink_to(mine)
    check(export(pages, target), target)
    assert mine.read_bytes() == b"mine"


def test_a_name_that_is_too_long_is_refused_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too long"):
        check_target(str(tmp_path / f"{'x' * 245}.jsonl"))


def test_a_pipe_in_its_way_is_not_waited_for(pages: Path, target: Path) -> None:
    os.mkfifo(part_of(target))
    with pytest.raises(StorageError, match="can't write"):
        export(pages, target)


def test_a_link_that_was_named_is_written_through_and_its_mode_is_kept(
    pages: Path, tmp_path: Path
) -> None:
    real, link = tmp_path / "elsewhere" / "real.jsonl", tmp_path / "link.jsonl"
    real.parent.mkdir()
    real.touch(mode=0o600)
    link.symlink_to(real)
    check(export(pages, link), real)
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600


def test_only_files_are_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UsageError, match="it is no file"):
        check_target(str(tmp_path / "pipe.jsonl"))


def test_an_output_may_be_in_the_directory_that_is_going_to_be_made(tmp_path: Path) -> None:
    directory = tmp_path / "new"
    with pytest.raises(UsageError, match="no folder to write in"):
        check_target(str(directory / "out.jsonl"))
    assert check_target(str(directory / "out.jsonl"), directory).path.parent == directory


def test_the_log_of_a_crawl_is_no_output(tmp_path: Path) -> None:
    new, there = tmp_path / "new", tmp_path / "there"
    there.mkdir()
    (there / "frontier.db").touch()
    for directory, known in ((new, new), (there, there), (there, None)):
        with pytest.raises(UsageError, match="its own log"):
            check_target(str(directory / "log.jsonl"), known)
    assert check_target(str(tmp_path / "log.jsonl"), new).path.name == "log.jsonl"


def test_reading_a_crawl_loads_no_crawler() -> None:
    code = "import sys, asyncmultispider.cli.books; print({'pycurl', 'turbohtml'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("set()\n", "")
