"""`retry`: URLs that ended without a page come back, and the same crawl fetches just these."""

import contextlib
import json
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli_crawls import FAST, check_books
from command import complaint, ledger, run, snapshot, start
from crawling import Crawled, links
from webserver import Reply, Site, no_answer

CrawlSite = Callable[..., Crawled]


def retry(directory: Path, *options: str) -> int:
    """How many URLs came back. What they are like then is asserted."""
    before = rows(directory)
    ended = run("retry", directory, "--json", *options)
    assert ended.err == ""
    assert ended.json.keys() == {"queued"}
    queued = ended.json["queued"]
    assert ended.code == (0 if queued else 1)
    after = rows(directory)
    again = {url for url in after if after[url] != before[url]}
    assert len(again) == queued
    for url in again:
        assert after[url] == ("queued", None, 0, 0, 0, None, None, None)
    return queued


def rows(directory: Path) -> dict[str, tuple[Any, ...]]:
    """All that may change in the ledger, by URL."""
    with contextlib.closing(sqlite3.connect(directory / "frontier.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        columns = "state, reason, attempts, lost, due, status, at, elapsed"
        return {url: tuple(row) for url, *row in db.execute(f"SELECT url, {columns} FROM urls")}


@pytest.mark.parametrize("retries", [0, 1])
def test_pages_that_failed_are_fetched_and_stored_once(
    site: Site, crawl: CrawlSite, retries: int
) -> None:
    site.page("/", links("/ok", "/a", "/b", "/skip/x"))
    site.page("/ok", "fine")
    site.page("/below", "below")
    for path in ("/a", "/b"):  # the last try of the second run gets them
        errors = [Reply(500)] * (2 * retries + 1)
        site.sequence(path, *errors, Reply(200, links("/below")))
    settings: dict[str, Any] = {"retries": retries, "exclude": ("/skip/*",)}
    crawled = crawl(site.url(), **settings)
    failed = {"/a": "failed:http-500", "/b": "failed:http-500"}
    rest = {"/": "done", "/ok": "done", "/skip/x": "skipped:excluded"}
    assert crawled.ends(site) == rest | failed
    asked = len(site.paths)
    assert retry(crawled.directory) == 2
    again = crawl(site.url(), directory=crawled.directory, **settings)
    assert again.ends(site) == rest | {"/a": "done", "/b": "done", "/below": "done"}
    assert set(site.paths[asked:]) <= {"/robots.txt", "/a", "/b", "/below"}
    assert site.hits("/a") == site.hits("/b") == 2 * (retries + 1)
    assert (site.hits("/"), site.hits("/ok"), site.hits("/below")) == (1, 1, 1)
    check_books(crawled.directory, 6)
    told = json.loads(run("explain", crawled.directory, site.url("/a"), "--json").out)
    assert [attempt["status"] for attempt in told["tries"]] == [500] * (2 * retries + 1) + [200]
    text = run("explain", crawled.directory, site.url("/a")).out
    assert f"{retries + 1} since it was put back" in text


def test_by_reason_and_host(site: Site, other: Site, crawl: CrawlSite) -> None:
    for each in (site, other):
        each.page("/", links("/500", "/404", "/cut"))
        each.route("/500", Reply(500))
        each.route("/cut", no_answer())
    crawled = crawl(site.url(), other.url())
    host = f"127.0.0.1:{other.port}"
    assert retry(crawled.directory, "--reason", "http-500", "--host", host) == 1
    assert ledger(crawled.directory, "--state", "queued") == {other.url("/500"): ("queued", "")}
    assert retry(crawled.directory, "--reason", "http-500") == 1
    assert retry(crawled.directory, "--host", other.url("/any")) == 2
    assert retry(crawled.directory, "--reason", "timeout") == 0
    assert retry(crawled.directory, "--state", "failed") == 2
    assert retry(crawled.directory) == 0


@pytest.mark.parametrize("options", [("--state", "skipped"), ("--reason", "robots")])
def test_robots_txt_is_asked_for_again(
    site: Site, crawl: CrawlSite, options: tuple[str, ...]
) -> None:
    site.robots("User-agent: *\nDisallow: /a\nDisallow: /b")
    site.page("/", links("/a", "/b", "/never", "http://elsewhere.invalid/"))
    site.page("/a", "a")
    crawled = crawl(site.url(), exclude=("/never",))
    assert site.hits("/robots.txt") == 1
    site.robots("User-agent: *\nDisallow: /b")
    assert retry(crawled.directory, *options) == 2
    again = crawl(site.url(), directory=crawled.directory, exclude=("/never",))
    assert site.hits("/robots.txt") == 2
    assert again.ends(site) == {
        "/": "done",
        "/a": "done",
        "/b": "skipped:robots",
        "/never": "skipped:excluded",
    }


def test_a_host_without_its_robots_txt(site: Site, crawl: CrawlSite) -> None:
    site.sequence("/robots.txt", Reply(503), Reply(404))
    site.page("/", "x")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "suspended:robots-unavailable"}
    assert retry(crawled.directory) == 0
    assert retry(crawled.directory, "--state", "suspended") == 1
    assert crawl(site.url(), directory=crawled.directory).ends(site) == {"/": "done"}


def test_a_page_that_may_be_kept_now(site: Site, crawl: CrawlSite) -> None:
    site.sequence("/", Reply(200, "<meta name=robots content=noindex>"), Reply(200, "x"))
    crawled = crawl(site.url())
    assert retry(crawled.directory, "--reason", "noindex") == 1
    assert crawl(site.url(), directory=crawled.directory).ends(site) == {"/": "done"}
    check_books(crawled.directory, 1)


def test_poison_gets_all_its_tries_anew(site: Site, crawl: CrawlSite) -> None:
    site.route("/", Reply(500))
    crawled = crawl(site.url())
    with contextlib.closing(sqlite3.connect(crawled.directory / "frontier.db")) as db, db:
        db.execute("UPDATE urls SET reason='poison', attempts=4, lost=4")
    assert retry(crawled.directory, "--reason", "poison") == 1
    site.page("/", "x")
    assert crawl(site.url(), directory=crawled.directory).ends(site) == {"/": "done"}


# What it says


def test_what_it_tells_people(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links("/a"))
    directory = crawl(site.url()).directory
    ended = run("retry", directory)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("1 URL is queued again: run the same crawl command to fetch it")
    line = complaint("retry", directory, "--reason", "timeout", "--host", "x.invalid", code=1)
    assert "no URL" in line
    assert "failed: timeout on x.invalid" in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--state done", "--fresh"),
        ("--state queued", "the same crawl command"),
        ("--state leased", "the same crawl command"),
        ("--reason lost", "the same crawl command"),
        ("--reason scope", "--scope"),
        ("--state skipped --reason excluded", "--dir"),
        ("--state x", "queued, leased, done, failed, skipped, suspended"),
        ("--reason x", "http-NNN"),
        ("--reason http-0500", "http-NNN"),
        ("--state failed --reason robots", "skipped"),
        ("--state skipped --reason http-404", "failed"),
        ("--host ftp://x/", "ftp"),
    ],
)
def test_what_can_not_be_retried(site: Site, crawl: CrawlSite, options: str, words: str) -> None:
    site.page("/", links("/a"))
    directory = crawl(site.url()).directory
    before = snapshot(directory)
    assert words in complaint("retry", directory, *options.split())
    assert snapshot(directory) == before


def test_a_folder_that_is_no_crawl(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing-here"):
        assert "no crawl" in complaint("retry", folder)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "frontier.db").write_bytes(b"my own notes\n" * 100)
    assert "not a file of this program" in complaint("retry", tmp_path)
    assert (tmp_path / "frontier.db").read_bytes() == b"my own notes\n" * 100


# Beside a crawl


def test_not_while_a_crawl_runs(site: Site, directory: Path) -> None:
    site.page("/", links("/gone", "/slow"))
    hold = site.hold("/slow")
    with start("crawl", site.url(), "-d", directory, *FAST) as crawl:
        site.wait_until(lambda: site.hits("/slow"))
        assert "stop it first" in complaint("retry", directory)
        hold.release()
        assert crawl.end().code == 0
    assert retry(directory) == 1


def test_after_a_crawl_was_killed_its_tries_are_still_lost(site: Site, directory: Path) -> None:
    site.page("/", links("/gone", "/slow"))
    hold = site.hold("/slow")
    with start("crawl", site.url(), "-d", directory, *FAST, "-c", "1") as crawl:
        site.wait_until(lambda: site.hits("/slow"))
        crawl.send(signal.SIGKILL)
        crawl.end()
    assert retry(directory) == 1
    assert ledger(directory)[site.url("/slow")] == ("leased", "")
    hold.release()
    assert run("crawl", site.url(), "-d", directory, *FAST).code == 0
    assert rows(directory)[site.url("/slow")][:4] == ("done", None, 2, 1)
    assert ledger(directory)[site.url("/gone")] == ("failed", "http-404")
    check_books(directory, 3)
