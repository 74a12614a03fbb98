"""The spiders of examples/: on a few pages in memory, and on the sites they are written for."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow.parquet import read_table

from asyncmultispider.spiderfile import load_spider
from asyncmultispider.testing import FakeWeb, run_spider
from command import Ended
from command import run as ams
from servers_nginx import installed, nginx_site

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICKLY = ("-q", "--delay-factor", "0", "--per-host", "16", "--sync", "normal")


def spider_of(name: str, site: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SITE", site)
    load_spider.cache_clear()
    return load_spider(EXAMPLES / name)


def known_by(key: str, items: list[Any]) -> dict[str, Any]:
    found = {item[key]: item for item in items}
    assert len(found) == len(items)
    return found


# In memory


def test_since_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    page = """
      <dl class="py function">
        <dt id="m.new"><span class="sig-prename">m.</span><span class="sig-name">new</span></dt>
        <dt id="m.alias"><span class="sig-prename">m.</span><span class="sig-name">alias</span></dt>
        <dd><p>Does it.</p>
          <div><p><span class="versionmodified added">New in version 3.9.2: </span>It.</p></div>
          <div><p><span class="versionmodified">Deprecated since version 3.11.</span></p></div>
          <dl class="py method">
            <dt id="m.new.old"><span class="sig-name">old</span></dt><dd></dd>
          </dl>
        </dd>
      </dl>
      <dl class="py data"><dt id="x.y"><span class="sig-prename">_x.</span>
        <span class="sig-name">y</span></dt></dl>"""
    spider = spider_of("since_versions.py", "https://a.example/", monkeypatch)
    web = {"https://a.example/": "<a href=/library/m.html>m</a>"}
    crawled = run_spider(spider, FakeWeb(web | {"https://a.example/library/m.html": page}))
    found = known_by("name", crawled.items)
    assert found.keys() == {"m.new", "m.alias", "m.new.old", "_x.y"}
    assert found["m.alias"] == {
        "name": "m.alias",
        "kind": "function",
        "since": "3.9.2",
        "deprecated": "3.11",
        "url": "https://a.example/library/m.html#m.alias",
    }
    assert (found["m.new.old"]["kind"], found["m.new.old"]["since"]) == ("method", None)


def test_broken_links(monkeypatch: pytest.MonkeyPatch) -> None:
    spider = spider_of("broken_links.py", "https://a.example/", monkeypatch)
    web = {
        "https://a.example/": "<a href=/gone>It is <b>gone</b></a> <a href=https://b.example/x>b",
        "https://b.example/y": "",
    }
    crawled = run_spider(spider, FakeWeb(web))
    gone = {
        "url": "https://a.example/gone",
        "status": 404,
        "page": "https://a.example/",
        "link": "It is gone",
    }
    assert crawled.items == [gone]


def test_broken_links_to_other_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    spider = spider_of("broken_links.py", "https://a.example/", monkeypatch)
    web = {
        "https://a.example/": "<a href=https://b.example/>b</a><a href=https://b.example/x>x</a>",
        "https://b.example/": "<a href=/never>It is of no concern",
    }
    crawled = run_spider(spider, FakeWeb(web), scope="any")
    assert [item["url"] for item in crawled.items] == ["https://b.example/x"]
    assert "https://b.example/never" not in crawled.ends


def test_corpus_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    spider = spider_of("corpus_markdown.py", "https://a.example/", monkeypatch)
    page = """<title>1.1. Ends</title><div class=navheader><table><tr>
      <th width="60%">Chapter 1. Begin </th></tr></table></div>
      <div class=sect1><h2>1.1. Ends</h2><p>Four words of text.</p><pre>SELECT 1;</pre></div>"""
    web = {"https://a.example/": "<a href=ends.html>", "https://a.example/ends.html": page}
    crawled = run_spider(spider, FakeWeb(web))
    assert len(crawled.items) == 1, crawled.details
    [item] = crawled.items
    assert (item["title"], item["chapter"]) == ("1.1. Ends", "Chapter 1. Begin")
    assert "Four words of text." in item["markdown"]
    assert "SELECT" in item["markdown"]
    assert item["words"] < 12


# On the real sites


@pytest.fixture
def crawl_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str, str, str, str], Path]:
    """Run an example on a package of Debian; what it wrote."""

    def crawl(name: str, package: str, folder: str, start: str, output: str) -> Path:
        with nginx_site(tmp_path, installed(package, Path(folder))) as nginx:
            monkeypatch.setenv("SITE", nginx.url + start)
            where = tmp_path / output
            spider, directory = EXAMPLES / name, tmp_path / "dir"
            ended: Ended = ams("run", spider, "-d", directory, "-o", where, *QUICKLY)
        assert ended.code == 0, ended.err
        return where

    return crawl


def test_since_versions_of_python(crawl_site: Callable[..., Path]) -> None:
    root = "/usr/share/doc/python3.11/html"
    where = crawl_site("since_versions.py", "python3.11-doc", root, "/", "names.parquet")
    table = read_table(where)
    rows = table.to_pylist()
    assert {"name", "kind", "since", "deprecated", "url"} <= set(table.column_names)
    since = {row["name"]: row["since"] for row in rows}
    assert len(since) > 8000
    assert since["itertools.pairwise"] == "3.10"
    assert since["hashlib.file_digest"] == "3.11"
    assert since["itertools.chain"] is None
    assert "_thread.start_new_thread" in since
    kinds = {row["kind"] for row in rows}
    assert {"function", "method", "class", "exception", "data", "attribute"} <= kinds


def test_broken_links_of_apache(crawl_site: Callable[..., Path]) -> None:
    root = "/usr/share/doc/apache2-doc/manual"
    where = crawl_site("broken_links.py", "apache2-doc", root, "/en/", "broken.csv")
    with where.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 5
    assert {row["status"] for row in rows} == {"404"}
    texts = {row["url"].partition("/en/")[2]: row["link"] for row in rows}
    assert texts["mod/mod_example.html"] == "mod_example"


def test_corpus_of_postgresql(crawl_site: Callable[..., Path]) -> None:
    root = "/usr/share/doc/postgresql-doc-15/html"
    where = crawl_site("corpus_markdown.py", "postgresql-doc-15", root, "/", "corpus.jsonl")
    with where.open(encoding="utf-8") as file:
        rows = list(map(json.loads, file))
    assert len(rows) > 1000
    assert sum(row["words"] for row in rows) > 1_000_000
    [types] = [row for row in rows if row["url"].endswith("/indexes-types.html")]
    assert types["title"] == "11.2. Index Types"
    assert types["chapter"] == "Chapter 11. Indexes"
    assert "several index types" in " ".join(types["markdown"].split())
    assert "](http://127.0.0.1" in types["markdown"], "links are absolute"
