"""A directory after its crawl was killed: who has it, what was lost, what is out of step."""

import errno
import fcntl
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from asyncmultispider import crawler, mending
from asyncmultispider import directory as where
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import FRONTIER, LOCK, PAGES, is_running, locked, owner
from asyncmultispider.errors import UsageError
from asyncmultispider.fetch.fake import FakeWeb
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.retry import POISON, SUSPECT
from asyncmultispider.settings import Settings
from asyncmultispider.verify import verify
from cli_crawls import FAST, check_books, check_complete, crawl, linked, numbered
from command import complaint, ledger, query, run, start
from crawling import Crawled
from test_processes import spider_file
from webserver import Site

CrawlSite = Callable[..., Crawled]
A = "http://a.example"

# A page that kills the only process there is


@pytest.mark.parametrize("engine", ["async", "threads"])
def test_a_page_that_kills_the_crawl_is_poison_when_it_was_run_often_enough(
    site: Site, directory: Path, tmp_path: Path, engine: str
) -> None:
    paths = linked(site, "/0", "/deadly", *(f"/{n}" for n in range(1, 20)))
    spider = spider_file(tmp_path, "deadly", site)
    command = ("run", spider, "-d", directory, "--json", *FAST, "--engine", engine)
    times = SUSPECT + POISON
    codes = [run(*command).code for _ in range(times)]
    assert codes == [-signal.SIGKILL] * times
    ended = run(*command)
    assert ended.code == 0
    assert "/deadly is given up as poison" in ended.err
    expected = {site.url(path): ("done", "") for path in paths}
    assert ledger(directory) == expected | {site.url("/deadly"): ("failed", "poison")}
    check_books(directory, len(paths))
    assert site.hits("/deadly") == times
    explained = run("explain", directory, site.url("/deadly")).out
    assert explained.count("the crawl was killed") == times


def test_status_names_the_outputs(site: Site, directory: Path, tmp_path: Path) -> None:
    paths = numbered(site, 3)
    out = tmp_path / "out.jsonl"
    assert crawl(site, directory, "-o", out).code == 0
    (output,) = run("status", directory, "--json").json["outputs"]
    assert (output["path"], output["lines"]) == (str(out), len(paths))
    assert str(out) in run("status", directory).out


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_a_page_that_only_waits_when_everything_is_killed_is_no_poison(
    site: Site, directory: Path, engine: str
) -> None:
    paths = numbered(site, 2)
    hold = site.hold("/1")
    times = SUSPECT + POISON + 1
    for n in range(times):
        with start("crawl", site.url(), "-d", directory, *FAST, "--engine", engine) as process:
            site.wait_until(lambda seen=n + 1: site.hits("/1") == seen, 20)
            process.send(signal.SIGKILL)
            process.end()
    hold.release()
    assert crawl(site, directory, "--engine", engine).code == 0
    check_complete(site, directory, paths)


# The lock


def test_a_second_crawl_is_told_who_has_the_directory(site: Site, directory: Path) -> None:
    numbered(site, 2)
    hold = site.hold("/1")
    with start("crawl", site.url(), "-d", directory, "--json", *FAST) as process:
        site.wait_until(lambda: site.hits("/1"))
        line = complaint("crawl", site.url(), "-d", directory)
        assert f"process {process.pid} on {socket.gethostname()}, since 20" in line
        hold.release()
        assert process.end().code == 0
    assert (directory / LOCK).read_bytes() == b""
    check_complete(site, directory, ["/", "/0", "/1"])


def test_a_stale_lock_is_taken_over_with_a_message(site: Site, directory: Path) -> None:
    paths = numbered(site, 3)
    hold = site.hold("/1")
    with start("crawl", site.url(), "-d", directory, "--json", *FAST) as process:
        site.wait_until(lambda: site.hits("/1"))
        process.send(signal.SIGKILL)
        assert process.end().code == -signal.SIGKILL
        killed = process.pid
    hold.release()
    told = run("status", directory).out.splitlines()
    assert told[-2].startswith(f"process {killed} on {socket.gethostname()}, since 20")
    assert told[-2].endswith("was killed")
    ended = crawl(site, directory, "--quiet")
    assert ended.code == 0
    assert f"(process {killed} on {socket.gethostname()}, since 20" in ended.err
    assert "was killed: taking over" in ended.err
    check_complete(site, directory, paths)
    assert crawl(site, directory, "--quiet").err == ""


def test_a_crawl_that_lost_its_workers_a_moment_ago_is_waited_for(directory: Path) -> None:
    """What was given the lock by a process that is gone still has the directory."""
    with locked(directory) as lock:
        number = os.dup(lock._descriptor)
        code = "import os, sys; os.read(0, 1)"
        heir = subprocess.Popen(
            [sys.executable, "-c", code], pass_fds=[number], stdin=subprocess.PIPE
        )
        os.close(number)
        left = (directory / LOCK).read_bytes()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    told = json.loads(left) | {"pid": gone.pid}
    (directory / LOCK).write_text(json.dumps(told))
    assert is_running(directory)
    with heir:
        assert heir.stdin is not None
        Thread(target=heir.stdin.close).start()
        with locked(directory) as lock:
            assert lock.killed is not None
            assert lock.killed.pid == gone.pid


@pytest.mark.parametrize("text", [b"", b"{", b'{"pid": 1}', b"\xff\x00", b'{"pid":"x"}'])
def test_any_text_may_be_in_a_lock_file(directory: Path, text: bytes) -> None:
    directory.mkdir()
    (directory / LOCK).write_bytes(text)
    assert owner(directory) is None
    with locked(directory) as lock:
        assert lock.killed is None
        found = owner(directory)
        assert found is not None
        assert found.pid == os.getpid()
    assert owner(directory) is None


def test_the_lock_of_a_process_that_lives_is_not_waited_for(directory: Path) -> None:
    with locked(directory):
        with pytest.raises(UsageError, match=f"process {os.getpid()} on"):
            with locked(directory):
                pass


def test_who_was_killed_is_told_to_the_next_that_crawls(directory: Path) -> None:
    """A command that only looks in, or fails, must not hide a page that kills."""
    ours, theirs = Settings(seeds=(f"{A}/",)), Settings(seeds=("http://b.example/",))
    with Crawl(ours, directory).open():
        pass
    killed = '{"pid":1,"host":"elsewhere","since":"then"}'
    (directory / LOCK).write_text(killed)
    with pytest.raises(UsageError, match="holds another crawl"):
        with Crawl(theirs, directory).open():
            pass
    assert (directory / LOCK).read_text() == killed
    with Crawl(ours, directory).open() as crawl:
        assert crawl.killed is not None
    assert (directory / LOCK).read_bytes() == b""


def test_a_link_in_the_place_of_the_lock_is_not_followed(directory: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    directory.mkdir()
    (directory / LOCK).symlink_to(victim)
    with pytest.raises(UsageError, match="can't write to --dir"):
        with locked(directory):
            pass
    assert victim.read_text() == "mine"


def test_who_removes_the_file_does_not_get_the_lock(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, "PATIENCE", 0.1)
    with locked(directory):
        (directory / LOCK).unlink()
        with pytest.raises(UsageError, match="another crawl is running"):
            with locked(directory):
                pass
        assert is_running(directory)
    assert not is_running(directory)


def test_a_file_system_without_locks_is_said_to_be_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UsageError, match="No locks available"):
        with locked(directory):
            pass


# Files that are out of step

SITE = 30


def make_web() -> FakeWeb:
    return FakeWeb(
        {
            f"{A}/{n}": "".join(f"<a href=/{m}>" for m in (2 * n + 1, 2 * n + 2) if m < SITE)
            for n in range(SITE)
        }
    )


def fake_crawl(
    directory: Path, web: FakeWeb, monkeypatch: pytest.MonkeyPatch, **options: object
) -> Crawl:
    monkeypatch.setattr(crawler, "AsyncCurlFetcher", lambda _: web)
    settings = Settings(seeds=(f"{A}/0",), delay_factor=0, ignore_robots=True, **options)
    with Crawl(settings, directory).open() as crawl:
        crawl.run()
    return crawl


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def check_all_done(directory: Path) -> None:
    urls = {f"{A}/{n}" for n in range(SITE)}
    assert ledger(directory) == dict.fromkeys(urls, ("done", ""))
    check_books(directory, SITE)
    orphans = "SELECT count(*) FROM bodies WHERE digest NOT IN (SELECT digest FROM pages)"
    assert query(directory, orphans) == [(0,)]


def test_pages_that_are_gone_are_fetched_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = make_web()
    fake_crawl(directory, web, monkeypatch)
    change(directory / PAGES, f"DELETE FROM pages WHERE url IN ('{A}/3', '{A}/20')")
    crawl = fake_crawl(directory, web, monkeypatch)
    assert (crawl.mended.requeued, crawl.mended.dropped) == (2, 0)
    assert web.requests[f"{A}/3"] == web.requests[f"{A}/20"] == 2
    assert sum(web.requests.values()) == SITE + 2
    check_all_done(directory)


def test_all_is_fetched_again_when_pages_db_is_gone(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = make_web()
    fake_crawl(directory, web, monkeypatch)
    (directory / PAGES).unlink()
    assert fake_crawl(directory, web, monkeypatch).mended.requeued == SITE
    check_all_done(directory)


def test_pages_that_the_ledger_forgot_in_a_power_cut_are_fetched_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger went back to a moment before these were taken; some were not even known then."""
    web = make_web()
    fake_crawl(directory, web, monkeypatch)
    back = f"url IN ('{A}/8', '{A}/9')"
    change(
        directory / FRONTIER,
        f"UPDATE urls SET state='queued', attempts=0, status=NULL WHERE {back}",
        f"DELETE FROM urls WHERE url IN ('{A}/17', '{A}/18', '{A}/19', '{A}/20')",
    )
    crawl = fake_crawl(directory, web, monkeypatch)
    assert (crawl.mended.requeued, crawl.mended.dropped) == (0, 6)
    check_all_done(directory)


def test_after_a_power_cut_they_are_compared_although_the_numbers_agree(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = make_web()
    fake_crawl(directory, web, monkeypatch, sync="normal")
    change(directory / PAGES, f"DELETE FROM pages WHERE url = '{A}/20'")
    change(directory / FRONTIER, f"UPDATE urls SET state='queued' WHERE url = '{A}/21'")
    crawl = fake_crawl(directory, web, monkeypatch, sync="normal", limit=SITE - 1)
    assert crawl.mended == mending.Mended()
    boot = directory / "boot_id"
    boot.write_text("another\n")
    monkeypatch.setattr(mending, "BOOT_ID", boot)
    crawl = fake_crawl(directory, web, monkeypatch, sync="normal")
    assert (crawl.mended.requeued, crawl.mended.dropped) == (1, 1)
    check_all_done(directory)


def test_a_person_is_told_of_it(site: Site, directory: Path) -> None:
    paths = numbered(site, 4)
    assert crawl(site, directory).code == 0
    change(directory / PAGES, f"DELETE FROM pages WHERE url = '{site.url('/2')}'")
    ended = crawl(site, directory)
    assert "out of step: 1 pages were missing, 0 were not known" in ended.err
    check_complete(site, directory, paths)


def test_a_ledger_that_is_damaged_is_refused_and_left_alone(site: Site, directory: Path) -> None:
    numbered(site, 20)
    assert crawl(site, directory).code == 0
    ledger = directory / FRONTIER
    ledger.write_bytes(ledger.read_bytes()[:5000] + b"\xff" * 10_000)
    damaged = ledger.read_bytes()
    assert "it was left as it is" in complaint("crawl", site.url(), "-d", directory)
    assert "is damaged" in complaint("urls", directory, code=3)
    assert ledger.read_bytes() == damaged
    assert crawl(site, directory, "--fresh", "--yes").code == 0
    check_books(directory, 21)


# Older formats


def test_a_ledger_of_format_1_is_upgraded(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Format 1 had no count of lost tries; it was what was begun less what was told."""
    web = make_web()
    fake_crawl(directory, web, monkeypatch, limit=5)
    lost, told, held = sorted(url for url, s in ledger(directory).items() if s[0] == "queued")[:3]
    change(
        directory / FRONTIER,
        "ALTER TABLE urls DROP COLUMN lost",
        "ALTER TABLE urls DROP COLUMN deaths",
        "ALTER TABLE urls DROP COLUMN note",
        "DROP INDEX queued",
        "ALTER TABLE urls DROP COLUMN priority",
        "ALTER TABLE urls DROP COLUMN rank",
        "ALTER TABLE urls DROP COLUMN extra",
        "CREATE INDEX queued ON urls(host, depth, id) WHERE state = 'queued'",
        "DROP TABLE traps",
        "DROP INDEX tries_of",
        f"UPDATE urls SET attempts = 3 WHERE url = '{lost}'",
        f"UPDATE urls SET attempts = 1 WHERE url = '{told}'",
        f"UPDATE urls SET attempts = 2, state = 'leased' WHERE url = '{held}'",
        *(
            "INSERT INTO tries(url_id, at, elapsed, reason) "
            f"SELECT id, 0, 0, '{reason}' FROM urls WHERE url = '{url}'"
            for url, reason in ((lost, "timeout"), (lost, "lost"), (told, "reset"))
        ),
        "PRAGMA user_version = 1",
    )
    assert "it is upgraded when the crawl is continued" in complaint("status", directory)
    fake_crawl(directory, web, monkeypatch, limit=5)
    with closing(sqlite3.connect(directory / FRONTIER)) as db:
        counts = dict(db.execute("SELECT url, lost FROM urls WHERE lost > 0"))
        assert db.execute("PRAGMA user_version").fetchone() == (4,)
        assert db.execute("SELECT count(*) FROM urls WHERE rank <> depth").fetchone() == (0,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert counts == {lost: 2, held: 1}
    fake_crawl(directory, web, monkeypatch)
    check_all_done(directory)


# Time


def test_max_time_ends_a_run_and_the_next_one_goes_on(site: Site, directory: Path) -> None:
    paths = numbered(site, 6)
    hold = site.hold("/3")
    ended = crawl(site, directory, "--max-time", "1.5", "--per-host", "1")
    assert (ended.code, ended.json["stopped"]) == (0, "limit")
    assert ended.json["pages"] + ended.json["queued"] == len(paths)
    check_books(directory, len(paths))
    hold.release()
    assert crawl(site, directory).json["stopped"] == "finished"
    check_complete(site, directory, paths)
    assert {path: site.hits(path) for path in paths} == dict.fromkeys(paths, 1) | {"/3": 2}


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_max_time_holds_on_each_engine(site: Site, directory: Path, engine: str) -> None:
    paths = numbered(site, 3)
    hold = site.hold("/1")
    ended = crawl(site, directory, "--max-time", "2", "--engine", engine)
    assert (ended.code, ended.json["stopped"]) == (0, "limit")
    hold.release()
    assert crawl(site, directory, "--engine", engine).code == 0
    check_complete(site, directory, paths)


def test_who_waits_says_for_whom(site: Site, directory: Path) -> None:
    numbered(site, 3)
    site.robots("User-agent: *\nCrawl-delay: 30")
    with start("crawl", site.url(), "-d", directory, *FAST) as process:
        host = site.url("").removeprefix("http://")
        process.wait_for(f"for {host}: no host may be asked before", 20)
        process.send(signal.SIGINT)
        assert process.end().code == 130


def test_a_crawl_that_is_cut_off_between_two_commits_leaves_good_books(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C for the third time comes anywhere."""
    web = make_web()

    def finish(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LocalFrontier, "finish", finish)
        with pytest.raises(KeyboardInterrupt):
            fake_crawl(directory, web, monkeypatch)
    report = verify(directory)
    assert (report.problems, report.in_hand) == ([], 1)
    assert fake_crawl(directory, web, monkeypatch).mended == mending.Mended()
    check_all_done(directory)


# What is on the disk when


@pytest.mark.parametrize(("sync", "level"), [("full", 2), ("normal", 1)])
def test_full_waits_for_the_disk(directory: Path, sync: str, level: int) -> None:
    with Crawl(Settings(seeds=(f"{A}/",), sync=sync), directory).open() as crawl:
        assert crawl.store._db.pragma("synchronous") == level


def test_sync_has_two_names(directory: Path) -> None:
    assert "--sync must be one of full, normal, not 'none'" in complaint(
        "crawl", A, "-d", directory, "--sync", "none"
    )
    assert "--max-time must be more than 0" in complaint(
        "crawl", A, "-d", directory, "--max-time", "0"
    )


def test_a_line_of_the_log_that_was_cut_off_spoils_no_other(site: Site, directory: Path) -> None:
    numbered(site, 2)
    crawl(site, directory)
    log = directory / "log.jsonl"
    log.write_text(log.read_text() + '{"at": "20')
    crawl(site, directory)
    lines = log.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines if line != '{"at": "20'] == [
        "start",
        "stop",
        "start",
        "stop",
    ]
