"""The checker notices what it is there for. A small crawl that is good is spoilt in many ways."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.access import Repeats, repeats
from chaos.checks import Findings, examine
from chaos.rounds import SPIDER
from chaos.sites import Site, Truth, truth
from command import run
from servers_nginx import nginx_site

PAGES = {"index.html": "<a href=a.html>a</a><a href=b.html>b</a><a href=gone.html>x</a>"}
PAGES |= {"a.html": "<a href=sub>redirects</a>", "b.html": "b" * 500, "sub/index.html": "in"}


class Crawled:
    """A crawl's directory and output, and what is true of the site; `examine` compares them."""

    def __init__(self, truth: Truth, folder: Path) -> None:
        self.truth = truth
        self.directory = folder / "crawl"
        self.output = folder / "out.jsonl"

    def examine(self) -> Findings:
        return examine(self.truth, self.directory, self.output, spider=True)

    def spoil(self, name: str, sql: str) -> None:
        with closing(sqlite3.connect(self.directory / name)) as db, db:
            assert db.execute(sql).rowcount > 0

    def write(self, change: Callable[[bytes], bytes]) -> None:
        self.output.write_bytes(change(self.output.read_bytes()))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Truth, Path]]:
    folder = tmp_path_factory.mktemp("original")
    root = folder / "site"
    for name, text in PAGES.items():
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).write_text(f"<meta charset=utf-8>{text}")
    with nginx_site(tmp_path_factory.mktemp("nginx"), root) as nginx:
        spider = folder / "spider.py"
        spider.write_text(SPIDER.format(url=f"{nginx.url}/"))
        made = folder / "made"
        made.mkdir()
        to = ["-d", made / "crawl", "-o", made / "out.jsonl"]
        ended = run("run", spider, *to, "--delay-factor", "0")
        assert ended.code == 0, ended
        yield truth(Site("small", root), nginx.url), made


@pytest.fixture
def crawled(original: tuple[Truth, Path], tmp_path: Path) -> Crawled:
    truth, made = original
    return Crawled(truth, shutil.copytree(made, tmp_path / "copy"))


def test_nothing_is_wrong_with_a_good_crawl(crawled: Crawled) -> None:
    assert not crawled.examine()
    assert len(crawled.truth.pages) == len(PAGES) + 1
    assert crawled.truth.ends[f"{crawled.truth.root}/gone.html"] == ("failed", "http-404")


@pytest.mark.parametrize(
    ("file", "sql"),
    [
        ("pages.db", "DELETE FROM pages WHERE url LIKE '%/b.html'"),
        ("pages.db", "DELETE FROM items WHERE url LIKE '%/b.html'"),
        ("frontier.db", "DELETE FROM urls WHERE url LIKE '%/b.html'"),
    ],
)
def test_a_missing_row_is_lost(crawled: Crawled, file: str, sql: str) -> None:
    crawled.spoil(file, sql)
    found = crawled.examine()
    assert len(found.lost) == 1
    assert "/b.html" in str(found)


def test_a_url_that_the_crawl_never_found_is_lost(crawled: Crawled) -> None:
    seen = dict(crawled.truth.seen)
    seen["/hidden.html"] = seen["/b.html"]
    crawled.truth = replace(crawled.truth, seen=seen)
    assert {line.partition(":")[0] for line in crawled.examine().lost} == {
        *("ledger", "pages.db", "items", "out.jsonl")
    }


def test_a_missing_line_is_lost_and_so_is_the_output(crawled: Crawled) -> None:
    crawled.write(lambda data: data[data.index(b"\n") + 1 :])
    assert len(crawled.examine().lost) == 1
    crawled.output.unlink()
    assert len(crawled.examine().lost) == len(PAGES)


def test_a_line_that_is_there_twice_is_doubled(crawled: Crawled) -> None:
    crawled.write(lambda data: data + data[: data.index(b"\n") + 1])
    assert len(crawled.examine().doubled) == 1


def test_an_item_that_is_there_twice_is_doubled(crawled: Crawled) -> None:
    crawled.spoil("pages.db", "INSERT INTO items SELECT url, 1, data FROM items WHERE rowid = 1")
    assert len(crawled.examine().doubled) == 1


def test_a_url_that_is_there_twice_in_the_ledger_is_doubled(crawled: Crawled) -> None:
    crawled.spoil("frontier.db", "UPDATE urls SET url = (SELECT url FROM urls LIMIT 1)")
    assert len(crawled.examine().doubled) == 1


@pytest.mark.parametrize(
    ("file", "sql"),
    [
        (
            "frontier.db",
            "UPDATE urls SET state='failed', reason='poison' WHERE id=2",
        ),
        ("frontier.db", "UPDATE urls SET state='leased' WHERE url LIKE '%/b.html'"),
        ("pages.db", "UPDATE pages SET digest = (SELECT min(digest) FROM pages), size = 0"),
        ("pages.db", "DELETE FROM bodies WHERE rowid = 1"),
        ("pages.db", 'UPDATE items SET data = \'{"url": "other"}\' WHERE rowid = 1'),
        ("pages.db", "INSERT INTO bodies VALUES(x'00', NULL, x'00')"),
    ],
)
def test_a_wrong_state_or_content_is_seen(crawled: Crawled, file: str, sql: str) -> None:
    crawled.spoil(file, sql)
    assert crawled.examine().wrong


def test_another_body_of_the_same_size_is_seen(crawled: Crawled, tmp_path: Path) -> None:
    site = crawled.truth.site
    other = Site("other", shutil.copytree(site.folder, tmp_path / "site"))
    (other.folder / "b.html").write_bytes(b"c" * len(crawled.truth.body("/b.html")))
    crawled.truth = replace(crawled.truth, site=other)
    assert len(crawled.examine().wrong) == 1


@pytest.mark.parametrize("cut", [1, 5])
def test_a_torn_line_is_seen_and_does_not_count(crawled: Crawled, cut: int) -> None:
    crawled.write(lambda data: data[:-cut])
    found = crawled.examine()
    assert any("torn" in line for line in found.wrong)
    assert len(found.lost) == 1


def test_requests_are_put_down_to_the_kill_that_cut_them_off() -> None:
    log = ["/", "/a", "/b", "/b", "/c", "/late", "/late", "/d", "/c"]
    assert repeats(log, [3, 7]) == Repeats([2, 1], [])


def test_a_request_that_no_kill_explains_is_named() -> None:
    assert repeats(["/", "/a", "/a", "/b"], [4]) == Repeats([0], ["/a"])
