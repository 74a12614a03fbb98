"""A disk that fails, fills, is read-only or goes: the crawl says why, and goes on later."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_crawls import FAST, check_complete, check_log, linked, numbered
from command import Ended, complaint, run, start
from faulty import ORDINARY, Fault
from webserver import Reply, Site

BOTH = pytest.mark.parametrize(
    "engine", [("--engine", "async"), ("-j", "2")], ids=["async", "processes"]
)
STATES = ("queued", "leased", "done", "failed", "skipped", "suspended")


def crawling(site: Site, directory: Path, *options: object) -> tuple[object, ...]:
    return ("crawl", site.url(), "-d", directory, "--json", "-q", *FAST, *options)


def failed(ended: Ended, name: str, why: str = "") -> str:
    """What a crawl complained of that its disk stopped: one line."""
    assert "Traceback" not in ended.err, ended.err
    assert ended.code == 3, ended
    assert ended.json["stopped"] == "failed"
    (line,) = ended.err.splitlines()
    assert name in line
    assert why in line
    return line


def check_balance(directory: Path, urls: int) -> None:
    """accepted = the sum of the states, right after the trouble."""
    status = run("status", directory, "--json").json
    assert sum(status[state] for state in STATES) == status["accepted"] == urls
    assert status["done"] <= status["pages"]


def goes_on(site: Site, directory: Path, paths: list[str], command: tuple[object, ...]) -> None:
    """The same command ends the crawl, and every page is there exactly once."""
    ended = run(*command)
    assert (ended.code, ended.json["stopped"]) == (0, "finished"), ended
    check_complete(site, directory, paths)


# A call that fails

CALLS = [
    ("async", "full", "pages.db-wal", "full"),
    ("async", "write", "frontier.db-wal", "WRITE"),
    ("async", "sync", "pages.db-wal", "FSYNC"),
    ("async", "sync", "pages.db", "FSYNC"),
    ("async", "sync", "frontier.db-wal", "FSYNC"),
    ("async", "sync", "frontier.db", "FSYNC"),
    ("async", "read", "frontier.db-wal", "READ"),
    ("threads", "sync", "pages.db-wal", "FSYNC"),
    ("processes", "full", "pages.db-wal", "full"),
    ("processes", "full", "frontier.db-wal", "full"),
    ("processes", "read", "pages.db-wal", "READ"),
    ("processes", "sync", "pages.db-wal", "FSYNC"),
    ("processes", "sync", "frontier.db-wal", "FSYNC"),
]


@pytest.mark.parametrize(("engine", "call", "file", "why"), CALLS)
def test_a_call_that_fails(
    site: Site, tmp_path: Path, directory: Path, engine: str, call: str, file: str, why: str
) -> None:
    paths = numbered(site, 20)
    hold = site.hold("/10")
    # Once: who tried again would not be found out. A full disk stays full.
    fault = Fault(tmp_path, call, file, once=call != "full")
    options = ("--engine", engine, *(["-j", "2"] if engine == "processes" else []))
    command = crawling(site, directory, *options)
    with start(*command, env=fault.env) as process:
        site.wait_until(lambda: site.hits("/10"))
        fault.strike()
        hold.release()
        ended = process.end()
    failed(ended, file.removesuffix("-wal"), why)
    fault.mend()
    check_balance(directory, len(paths))
    goes_on(site, directory, paths, command)


def test_the_ledger_stops_at_an_fsync_that_fails_on_the_way(
    site: Site, tmp_path: Path, directory: Path
) -> None:
    """It is brought home every four megabytes, not with each commit."""
    many = "".join(f"<a href=/no/{n:030}>" for n in range(40_000))
    linked(site, "/many", "/never")
    hold, _ = site.hold("/many", Reply(200, many)), site.hold("/never")
    fault = Fault(tmp_path, "sync", "frontier.db", once=True)
    command = crawling(site, directory, "--exclude", "/no/*")
    with start(*command, env=fault.env) as process:
        site.wait_until(lambda: site.hits("/many") and site.hits("/never"))
        fault.strike()
        hold.release()
        ended = process.end(20)  # while there is still something in flight
    failed(ended, "frontier.db", "FSYNC")
    check_balance(directory, 40_003)


# Files beside the databases


def test_a_log_without_space(site: Site, directory: Path) -> None:
    paths = numbered(site, 5)
    directory.mkdir()
    (directory / "log.jsonl").symlink_to("/dev/full")
    command = crawling(site, directory)
    failed(run(*command), "log.jsonl", "No space left")
    (directory / "log.jsonl").unlink()
    goes_on(site, directory, paths, command)


def test_a_log_that_breaks_off_in_a_line(site: Site, directory: Path) -> None:
    paths = linked(site, *(f"/gone/{n}" for n in range(20)))
    for path in paths[1:]:
        site.page(path, "x", status=404)
    directory.mkdir()
    log = directory / "log.jsonl"
    log.write_bytes((b'{"x":"%s"}\n' % (b"y" * 1000)) * 2000)  # larger than the rest will be
    command = crawling(site, directory)
    limit = log.stat().st_size + 700
    failed(run(*command, file_limit=limit), "log.jsonl", "File too large")
    assert log.stat().st_size == limit
    check_balance(directory, len(paths))
    assert run(*command).json["failed"] == 20
    check_log(directory)


def test_settings_without_space(site: Site, directory: Path) -> None:
    paths = numbered(site, 5)
    directory.mkdir()
    (directory / "settings.toml").symlink_to("/dev/full")
    command = crawling(site, directory)
    line = complaint(*command, code=3)
    assert "settings.toml" in line
    assert "No space left" in line
    (directory / "settings.toml").unlink()
    goes_on(site, directory, paths, command)


def test_an_output_without_space(site: Site, tmp_path: Path, directory: Path) -> None:
    paths = numbered(site, 5)
    for path in paths[1:]:
        site.page(path, f"<title>{path}</title>{'x' * 1_000_000}")  # it packs well in pages.db
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / "pages.jsonl"
    target.write_text("what was there before")
    command = crawling(site, directory, "-o", target, "--bodies")
    ended = run(*command, file_limit=2_000_000)
    assert ended.code == 3, ended
    assert ended.json["stopped"] == "finished"  # the crawl itself
    (line,) = ended.err.splitlines()
    assert "pages.jsonl" in line
    assert "File too large" in line
    assert [file.name for file in folder.iterdir()] == ["pages.jsonl"]
    assert target.read_text() == "what was there before"
    goes_on(site, directory, paths, command)
    assert target.read_bytes().count(b"\n") == len(paths)


# Read-only


@contextlib.contextmanager
def read_only(directory: Path) -> Iterator[None]:
    directory.chmod(0o555)
    try:
        yield
    finally:
        directory.chmod(0o755)


def test_a_directory_that_is_read_only_from_the_start(site: Site, directory: Path) -> None:
    directory.mkdir()
    paths = numbered(site, 3)
    command = crawling(site, directory)
    with read_only(directory):
        line = complaint(*command, env=ORDINARY)
    assert "Permission denied" in line
    assert str(directory) in line
    assert (list(directory.iterdir()), site.requests) == ([], [])
    goes_on(site, directory, paths, command)


def test_a_finished_crawl_can_be_read_where_nothing_can_be_written(
    site: Site, tmp_path: Path, directory: Path
) -> None:
    paths = numbered(site, 3)
    command = crawling(site, directory)
    goes_on(site, directory, paths, command)
    with read_only(directory):
        for reading in (
            ("status", directory),
            ("urls", directory),
            ("explain", directory, site.url("/1")),
            ("export", directory, "--to", tmp_path / "x.jsonl"),
        ):
            assert run(*reading, env=ORDINARY).code == 0, reading
        line = complaint(*command, env=ORDINARY, code=3)
    assert str(directory) in line
    goes_on(site, directory, paths, command)


@BOTH
def test_a_directory_that_becomes_read_only_meanwhile(
    site: Site, directory: Path, engine: tuple[str, ...]
) -> None:
    """What is open can still be written."""
    paths = numbered(site, 10)
    hold = site.hold("/5")
    command = crawling(site, directory, *engine)
    with start(*command, env=ORDINARY) as process:
        site.wait_until(lambda: site.hits("/5"))
        with read_only(directory):
            hold.release()
            ended = process.end()
            assert (ended.code, ended.err) == (0, "")
            assert run("status", directory, env=ORDINARY).code == 0
    goes_on(site, directory, paths, command)


# Gone

GONE = pytest.mark.parametrize("gone", ["frontier.db", "pages.db", ""])


@BOTH
@GONE
def test_what_is_removed_while_the_crawl_uses_it(
    site: Site, directory: Path, engine: tuple[str, ...], gone: str
) -> None:
    paths = numbered(site, 20)
    hold = site.hold("/10")
    command = crawling(site, directory, *engine)
    with start(*command) as process:
        site.wait_until(lambda: site.hits("/10"))
        if gone:
            for path in directory.glob(f"{gone}*"):
                path.unlink()
        else:
            shutil.rmtree(directory)
        hold.release()
        ended = process.end()
    failed(ended, gone or str(directory), "removed")
    if gone == "frontier.db":  # pages that nobody knows of any more are not ours to throw away
        before = (directory / "pages.db").read_bytes()
        assert "--fresh" in complaint(*command)
        assert (directory / "pages.db").read_bytes() == before
        command = (*command, "--fresh", "--yes")
    ended = run(*command)
    assert ended.code == 0, ended
    check_complete(site, directory, paths)
