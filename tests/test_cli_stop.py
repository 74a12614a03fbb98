"""`crawl` under way: its progress, and that no URL is lost however it ends."""

import contextlib
import random
import re
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_crawls import (
    ENGINES,
    FAST,
    check_books,
    check_complete,
    check_log,
    crawl,
    interrupt_twice,
    linked,
    numbered,
)
from command import Ended, complaint, ledger, query, run, start
from webserver import Site

EVIL = "\x1b]0;pwned\x07\x1b[31m"


# Progress


def test_progress_lines_where_there_is_no_terminal(site: Site, directory: Path) -> None:
    linked(site, "/held")
    hold = site.hold("/held")
    with start("crawl", site.url(), "-d", directory, *FAST) as process:
        process.wait_for("in flight 1", 20)
        hold.release()
        ended = process.end()
    assert (ended.code, ended.out) == (0, "")
    assert "\x1b" not in ended.err
    line = next(line for line in ended.err.splitlines() if "in flight 1" in line)
    for word in ("pages 1", "queued 0", "hosts 1", "pages/s"):
        assert word in line


def test_live_display_on_a_terminal(site: Site, directory: Path) -> None:
    hostile = ["/bad", "/gone%1b]0;pwned", "/a"]
    linked(site, *hostile, "/held")
    site.page("/a", f"<title>{EVIL}</title>", headers={"X-Evil": EVIL})
    site.redirect("/bad", f"javascript:{EVIL}")
    site.page(hostile[1], "x", status=404)
    hold = site.hold("/held")
    with start("crawl", site.url(), "-d", directory, *FAST, "-v", terminal=True) as process:
        site.wait_until(lambda: site.hits("/held"))
        process.wait_for("in flight")
        process.wait_for("pages/s")
        process.wait_for("bad-redirect")
        hold.release()
        ended = process.end()
    assert (ended.code, ended.out) == (0, "")
    assert "\x1b[" in ended.err  # it is drawn in place
    assert "\x1b]" not in ended.err
    assert "\x07" not in ended.err
    assert "\x1b[31m" not in ended.err
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ended.err)
    assert not [char for char in shown if not char.isprintable() and char not in "\r\n"]
    assert "3 pages" in shown


# Interrupted, and continued


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_finishes_what_is_in_flight(site: Site, directory: Path, engine: str) -> None:
    paths = linked(site, "/held1", "/held2", *(f"/{i}" for i in range(5)))
    holds = [site.hold("/held1"), site.hold("/held2")]
    command = ("crawl", site.url(), "-d", directory, "--per-host", "2", "--json", *FAST)
    with start(*command, "--engine", engine, terminal=True) as process:
        site.wait_until(lambda: site.hits("/held1") and site.hits("/held2"), 20)
        process.type("\x03")
        process.wait_for("stopping")
        for hold in holds:
            hold.release()
        ended = process.end()
    assert ended.code == 130
    assert "same command" in ended.err
    assert "Traceback" not in ended.err
    summary = ended.json
    assert (summary["stopped"], summary["pages"], summary["queued"]) == ("interrupted", 3, 5)
    assert sorted(set(site.paths) - {"/robots.txt"}) == ["/", "/held1", "/held2"]
    check_books(directory, len(paths))

    ended = run(*command)  # by the usual engine
    assert ended.code == 0
    assert "continuing" in ended.err
    assert ended.json["fetched"] == 5
    assert all(site.hits(path) == 1 for path in paths)
    check_complete(site, directory, paths)


@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_twice_stops_at_once(site: Site, directory: Path, engine: str) -> None:
    paths = linked(site, "/held", "/a")
    hold = site.hold("/held")
    command = ("crawl", site.url(), "-d", directory, "--json", *FAST, "--engine", engine)
    with start(*command, terminal=True) as process:
        site.wait_until(lambda: site.hits("/held") and site.hits("/a"), 20)
        ended = interrupt_twice(process, 8)  # less than the ten seconds that the first one grants
    assert ended.json["queued"] == 1
    assert ledger(directory)[site.url("/held")] == ("queued", "")
    check_books(directory, len(paths))
    hold.release()
    assert run(*command).code == 0
    assert (site.hits("/"), site.hits("/a"), site.hits("/held")) == (1, 1, 2)
    check_complete(site, directory, paths)


def test_terminated_while_a_response_hangs(site: Site, directory: Path) -> None:
    paths = linked(site, "/held", "/a")
    hold = site.hold("/held")
    command = ("crawl", site.url(), "-d", directory, "--json", *FAST)
    with start(*command) as process:
        site.wait_until(lambda: site.hits("/held") and site.hits("/a"))
        process.send(signal.SIGTERM)
        process.wait_for("stopping", 20)
        ended = process.end(30)
    assert ended.code == 130
    assert "same command" in ended.err
    assert ended.json["stopped"] == "interrupted"
    check_books(directory, len(paths))
    hold.release()
    assert run(*command).json["pages"] == 3
    check_complete(site, directory, paths)


def test_interrupted_while_it_waits_for_a_host(site: Site, directory: Path) -> None:
    numbered(site, 3)
    command = ("crawl", site.url(), "-d", directory, "--json", "--delay", "600")
    with start(*command, terminal=True) as process:
        process.wait_for("waiting")
        process.type("\x03")
        ended = process.end()
    assert ended.code == 130
    assert ended.json["stopped"] == "interrupted"


def test_interrupted_while_it_looks_for_a_scheme(tmp_path: Path, directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(20)
        typed = f"127.0.0.1:{mute.getsockname()[1]}"
        with start("crawl", typed, "-d", directory, *FAST) as process:
            with contextlib.closing(mute.accept()[0]):
                process.send(signal.SIGINT)
                ended = process.end(8)  # less than the ten seconds for a connection
    assert ended.code == 130
    assert "Traceback" not in ended.err


def test_killed_and_continued(site: Site, directory: Path) -> None:
    paths = numbered(site, 60)
    command = ("crawl", site.url(), "-d", directory, "--json", *FAST, "--per-host", "3")
    for more in (1, 3, 10, 25):
        goal = len(site.requests) + more
        with start(*command) as process:
            site.wait_until(lambda goal=goal: len(site.requests) >= goal)
            process.send(signal.SIGKILL)
            assert process.end().code == -signal.SIGKILL
    ended = run(*command)
    assert ended.code == 0
    assert ended.json["pages"] == len(paths)
    check_complete(site, directory, paths)
    hits = Counter(site.paths)
    # Only what was not committed may have been fetched again.
    assert sum(hits[path] - 1 for path in paths) < len(paths)
    check_log(directory)


def test_killed_with_requests_in_flight(site: Site, directory: Path) -> None:
    paths = linked(site, *(f"/{i}" for i in range(8)), "/held", *(f"/{i}" for i in range(8, 16)))
    hold = site.hold("/held")
    command = ("crawl", site.url(), "-d", directory, "--json", *FAST)
    with start(*command) as process:
        site.wait_until(lambda: site.hits("/held") and site.hits("/15"))
        process.send(signal.SIGKILL)
        process.end()
    hold.release()
    ended = run(*command)
    assert ended.code == 0
    assert "continuing" in ended.err
    check_complete(site, directory, paths)
    assert site.hits("/held") == 2
    assert site.hits("/") == 1


# Limits


def test_limit_is_exact_and_can_be_raised(site: Site, directory: Path) -> None:
    paths = numbered(site, 30)
    for limit in (1, 7, 7, 20):
        before = len(site.paths)
        ended = crawl(site, directory, "--limit", limit, "--per-host", "8")
        assert ended.code == 0
        summary = ended.json
        assert (summary["pages"], summary["stopped"]) == (limit, "limit")
        assert summary["queued"] == len(paths) - limit
        assert query(directory, "SELECT count(*) FROM pages") == [(limit,)]
        assert len([p for p in site.paths[before:] if p != "/robots.txt"]) == summary["fetched"]
        check_books(directory, len(paths))
    ended = crawl(site, directory)
    assert ended.json["stopped"] == "finished"
    check_complete(site, directory, paths)
    assert all(site.hits(path) == 1 for path in paths)


# A disk that fills


def heavy(site: Site, n: int = 40) -> list[str]:
    """Pages that no compression makes small: 40 kB each."""
    paths = numbered(site, n)
    for seed, path in enumerate(paths[1:]):
        site.page(path, random.Random(seed).randbytes(20_000).hex())
    return paths


def check_stopped_by_disk(ended: Ended) -> None:
    assert ended.code == 3, ended
    lines = ended.err.splitlines()
    assert len(lines) == 1, ended.err
    assert "run" in lines[0]
    assert "again" in lines[0]
    assert ended.json["stopped"] == "failed"


@pytest.mark.parametrize("kilobytes", [40, 100, 400])
def test_a_file_that_can_not_grow(site: Site, directory: Path, kilobytes: int) -> None:
    paths = heavy(site)
    command = ("crawl", site.url(), "-d", directory, "--json", "-q", *FAST)
    ended = run(*command, file_limit=kilobytes * 1000)
    assert ended.code == 3, ended
    assert len(ended.err.splitlines()) == 1, ended.err
    ended = run(*command)
    assert ended.code == 0, ended
    check_complete(site, directory, paths)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False).returncode
    except OSError:
        done = 1
    if done != 0:
        pytest.skip("this user may not mount a file system")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], timeout=20, check=True)


def test_a_disk_that_fills(site: Site, small_disk: Path) -> None:
    paths = heavy(site)
    directory = small_disk / "dir"
    command = ("crawl", site.url(), "-d", directory, "--json", "-q", *FAST)
    ended = run(*command)
    check_stopped_by_disk(ended)
    assert run("status", directory).code == 0
    assert ended.json["pages"] == query(directory, "SELECT count(*) FROM pages")[0][0]
    again = run(*command)  # it is still full
    assert (again.code, again.err.count("\n")) == (3, 1), again
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], timeout=20, check=True)
    ended = run(*command)
    assert ended.code == 0, ended
    check_complete(site, directory, paths)
    check_log(directory)


def test_a_disk_that_is_full_from_the_start(site: Site, small_disk: Path) -> None:
    paths = numbered(site, 3)
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    directory = small_disk / "dir"
    command = ("crawl", site.url(), "-d", directory, "-q", *FAST)
    line = complaint(*command, code=3)
    assert str(directory) in line
    ballast.unlink()
    assert run(*command).code == 0
    check_complete(site, directory, paths)
