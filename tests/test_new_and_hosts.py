"""`new` and `hosts`, and crawls of a web in memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from asyncmultispider import Page, Spider
from asyncmultispider.testing import FakeWeb, reply, run_spider, trouble
from command import run as ams
from crawling import links
from webserver import Site

HOME = "https://a.example/"


# new


def test_a_new_spider_passes_its_own_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = ams("new", "my-books")
    assert (made.code, made.err) == (0, "")
    assert made.out == "wrote my_books.py and test_my_books.py: try 'pytest test_my_books.py'\n"
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert "1 passed" in tested.stdout, tested.stdout + tested.stderr


def test_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_books.py").write_text("mine")
    refused = ams("new", "books")
    assert refused.code == 2
    assert "'test_books.py' is there already" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["test_books.py"]


@pytest.mark.parametrize(
    "name", ["../x", "class", "", "a b", "1st", "é", "json", "asyncmultispider"]
)
def test_a_name_must_be_one_of_a_module(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ams("new", name).code == 2
    assert list(tmp_path.iterdir()) == []


# hosts


def test_every_host_is_listed(site: Site, tmp_path: Path) -> None:
    site.page("/", links("/a", "http://b.example/1", "http://b.example/2", "//www.b.example/"))
    site.page("/a", links("http://\u0431.example/", "http://b.example:8080/"))
    where = tmp_path / "c.crawl"
    assert ams("crawl", site.url(), "-d", where, "-q").code == 0
    lines = [line.split("\t") for line in ams("hosts", where).out.splitlines()]
    home = site.url("").removeprefix("http://")
    assert [line[0] for line in lines] == ["2", "2", "1", "1", "1"], "the most first"
    assert sorted(lines, key=lambda line: line[3]) == [
        ["2", "2", "in scope", home, site.url()],
        ["2", "0", "out of scope", "b.example", "http://b.example/1"],
        ["1", "0", "out of scope", "b.example:8080", "http://b.example:8080/"],
        ["1", "0", "out of scope", "www.b.example", "http://www.b.example/"],
        ["1", "0", "out of scope", "xn--90a.example", "http://xn--90a.example/"],
    ]
    below = ams("hosts", where, "--subdomains-of", "B.example", "--json").out.splitlines()
    assert [json.loads(line)["host"] for line in below] == [
        "b.example",
        "b.example:8080",
        "www.b.example",
    ]
    assert json.loads(below[0]) == {
        "host": "b.example",
        "urls": 2,
        "done": 0,
        "in_scope": False,
        "example": "http://b.example/1",
    }


# run_spider


def test_a_web_in_memory_is_crawled(fake_web: FakeWeb) -> None:
    spider = Spider(HOME)

    @spider.on("*")
    async def tell(page):  # type: ignore[no-untyped-def]
        yield {"path": page.url.removeprefix(HOME), "title": page.title}
        for link in page.follow():
            yield link

    fake_web.pages[HOME] = "<title>Home</title>" + links("/a", "/slow", "/gone", "//b.example/")
    fake_web.pages[f"{HOME}a"] = "<title>A</title>"
    tries = iter([reply("", status=503, headers={"retry-after": "600"}), reply("later")])
    fake_web.pages[f"{HOME}slow"] = lambda request: next(tries)
    crawled = run_spider(spider, fake_web)
    assert sorted(item["path"] for item in crawled.items) == ["", "a", "slow"]
    assert crawled.ends == {
        HOME: "done",
        f"{HOME}a": "done",
        f"{HOME}slow": "done",
        f"{HOME}gone": "failed: http-404",
        "https://b.example/": "skipped: scope",
    }
    assert crawled.pages[HOME].title == "Home"


def test_a_handler_that_raises_is_told(fake_web: FakeWeb) -> None:
    spider = Spider(HOME)
    spider.on("*")(lambda page: 1 / 0)
    fake_web.pages[HOME] = "x"
    crawled = run_spider(spider, fake_web, limit=5)
    assert crawled.ends == {HOME: "failed: handler"}
    assert "ZeroDivisionError" in crawled.details[HOME]


async def fails(page: Page) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("handler", [fails, lambda page: [1 / 0]])
def test_a_traceback_begins_with_the_spider(handler: Any, fake_web: FakeWeb) -> None:
    spider = Spider(HOME)
    spider.on("*")(handler)
    fake_web.pages[HOME] = "x"
    lines = run_spider(spider, fake_web).details[HOME].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert Path(__file__).name in lines[1]
    assert [line for line in lines if "/engines/" in line or "asyncio" in line] == []


def test_replies_may_be_written_as_servers_do(fake_web: FakeWeb) -> None:
    fake_web.pages[HOME] = reply("", status=301, headers={"Location": "/a"})
    fake_web.pages[f"{HOME}a"] = trouble("dns")
    crawled = run_spider(Spider(HOME), fake_web)
    assert crawled.ends == {HOME: "done", f"{HOME}a": "failed: dns"}


def test_a_limit_holds(fake_web: FakeWeb) -> None:
    for number in range(10):
        fake_web.pages[f"{HOME}{number}"] = links(f"/{number + 1}")
    crawled = run_spider(Spider(f"{HOME}0"), fake_web, limit=3)
    assert len(crawled.pages) == 3
    assert list(crawled.ends.values()).count("queued") == 1
