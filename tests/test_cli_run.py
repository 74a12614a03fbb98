"""`run SPIDER.py` and the choice of an engine, as processes."""

import json
from pathlib import Path

import pytest

from cli_crawls import ENGINES, FAST, check_books, check_complete, check_log, crawl, numbered
from command import complaint, ledger, query, run
from webserver import Site

SPIDER = """
import asyncio, time
from asyncmultispider import Spider

spider = Spider({seed!r})

@spider.on("/")
async def home(page):
    await asyncio.sleep(0)
    for link in page.follow():
        yield link
    yield {{"home": page.title}}

@spider.on("/*")
def other(page):
    {body}
"""


def spider(tmp_path: Path, site: Site, body: str = "yield {'path': page.url}") -> Path:
    path = tmp_path / "my_spider.py"
    path.write_text(SPIDER.format(seed=site.url(), body=body))
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_items_are_stored_and_written(site: Site, tmp_path: Path, engine: str) -> None:
    paths = numbered(site, 20)
    directory, output = tmp_path / "crawl", tmp_path / "items.jsonl"
    command = ("run", spider(tmp_path, site), "-d", directory, "--engine", engine, *FAST)
    ended = run(*command, "--json", "-o", output)
    assert ended.code == 0, ended.err
    assert ended.json["pages"] == 21
    check_complete(site, directory, paths)
    items = [json.loads(data) for (data,) in query(directory, "SELECT data FROM items")]
    wanted = [{"path": site.url(path)} for path in paths[1:]] + [{"home": "Home"}]
    assert sorted(items, key=str) == sorted(wanted, key=str)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(lines) == 21
    again = run(*command, "--json")
    assert (again.code, again.json["fetched"]) == (0, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_handler_that_raises_fails_its_page_alone(
    site: Site, tmp_path: Path, engine: str
) -> None:
    numbered(site, 5)
    body = "if page.url.endswith('/3'): raise LookupError('not here')\n    yield {'a': 1}"
    directory = tmp_path / "crawl"
    ended = run("run", spider(tmp_path, site, body), "-d", directory, "--engine", engine, *FAST)
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert "handler 1" in ended.err
    assert ledger(directory, "--state", "failed") == {site.url("/3"): ("failed", "handler")}
    assert query(directory, "SELECT count(*) FROM items") == [(5,)]
    check_books(directory, 6)
    told = run("explain", directory, site.url("/3")).out.splitlines()
    assert "    LookupError: not here" in told
    assert any("my_spider.py" in line for line in told)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("wanted", ["-o -", "--json"])
def test_what_a_spider_prints_is_no_data(
    site: Site, tmp_path: Path, engine: str, wanted: str
) -> None:
    numbered(site, 2)
    file = spider(tmp_path, site, "print('hello from', page.url); yield {'path': page.url}")
    file.write_text(f"print('loading')\n{file.read_text()}")
    ended = run("run", file, "-d", tmp_path / "p.crawl", "--engine", engine, *wanted.split(), *FAST)
    assert ended.code == 0
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert lines
    assert "loading" in ended.err
    assert f"hello from {site.url('/')}" in ended.err


def test_a_handler_that_blocks_is_warned_of_once(site: Site, tmp_path: Path) -> None:
    numbered(site, 3)
    directory = tmp_path / "crawl"
    path = spider(tmp_path, site, "time.sleep(0.3)")
    ended = run("run", path, "-d", directory, "-q", *FAST)
    (line,) = ended.err.splitlines()
    for word in ("other()", "--engine threads", "--engine processes"):
        assert word in line
    [noted] = [entry for entry in check_log(directory) if entry["event"] == "blocked"]
    assert noted["handler"] == "other"


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_where_handlers_may_block_nobody_warns(site: Site, tmp_path: Path, engine: str) -> None:
    numbered(site, 3)
    path = spider(tmp_path, site, "time.sleep(0.3)")
    ended = run("run", path, "-d", tmp_path / "crawl", "-q", "--engine", engine, *FAST)
    assert (ended.code, ended.err) == (0, "")


def test_a_crawl_without_the_spider_is_not_continued_with_it(
    site: Site, directory: Path, tmp_path: Path
) -> None:
    numbered(site, 3)
    assert crawl(site, directory).code == 0
    line = complaint("run", spider(tmp_path, site), "-d", directory, *FAST)
    assert "holds another crawl (spider none)" in line
    assert run("run", spider(tmp_path, site), "-d", directory, "--fresh", "--yes").code == 0
    assert "spider my_spider.py" in complaint("crawl", site.url(), "-d", directory)


def test_a_spider_that_can_not_be_used_is_one_line(site: Site, tmp_path: Path) -> None:
    assert "no such file" in complaint("run", tmp_path / "absent.py")
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\ny = 1 / 0\n")
    assert "line 2: ZeroDivisionError" in complaint("run", broken)
    broken.write_text("import sys\nsys.exit(0)\n")
    assert "line 2: SystemExit" in complaint("run", broken)
    seedless = tmp_path / "seedless.py"
    seedless.write_text("from asyncmultispider import Spider\nspider = Spider()\n")
    assert "no seeds" in complaint("run", seedless)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--engine", "gevent"), ("--engine", "threads", "processes", "gevent")),
        (("--engine", "processes", "-j", "0"), ("--processes", "at least 1")),
        (("--engine", "processes", "-j", "5000"), ("--processes", "at most")),
    ],
)
def test_engines_that_can_not_be_had(
    site: Site, directory: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    line = complaint("crawl", site.url(), "-d", directory, *options)
    for word in words:
        assert word in line


def test_many_processes_may_be_asked_for_by_their_number(site: Site, directory: Path) -> None:
    numbered(site, 3)
    assert crawl(site, directory, "-j", "2", "-q").err == ""
    settings = (directory / "settings.toml").read_text()
    assert 'engine = "processes"' in settings
    assert "processes = 2" in settings
    ended = crawl(site, directory, "-q", "-j", "2", "--engine", "threads")
    assert ended.code == 0
    assert "--processes 2" in ended.err


def test_a_crawl_goes_on_with_another_engine(site: Site, directory: Path) -> None:
    paths = numbered(site, 40)
    for engine in ENGINES:
        limit = {"async": 10, "threads": 25, "processes": 1000}[engine]
        ended = crawl(site, directory, "--engine", engine, "--limit", limit)
        assert ended.code == 0
        assert ended.json["pages"] == min(limit, 41)
    check_complete(site, directory, paths)
    assert all(site.hits(path) == 1 for path in paths)
