"""`verify`: whatever is wrong with the books is named, and what is right raises no alarm."""

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import zstandard
from msgspec import structs

from asyncmultispider import Spider, crawler
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import FRONTIER, PAGES
from asyncmultispider.errors import UsageError
from asyncmultispider.fetch.fake import FakeWeb, reply
from asyncmultispider.frontier.reader import reading
from asyncmultispider.outputs import Exported, listed, listing
from asyncmultispider.outputs.files import read_manifest, sum_file
from asyncmultispider.settings import Settings
from asyncmultispider.stats import Summary
from asyncmultispider.verify import Report, pages, verify
from asyncmultispider.verify.books import Books
from cli_crawls import ENGINES, FAST, numbered
from command import Ended, complaint, run, snapshot, start
from exporting import export
from test_crash import SITE, Crash, make_web
from test_crash import run as run_tree
from webserver import Site

A = "http://a.example"
EVIL = "\x1b]0;pwned\x07\x1b[31m\u202e\n\x9b5m"
"""What a terminal must never get."""
LONG = "<p>" + 50 * "much the same. "


def make_spider() -> Spider:
    spider = Spider()

    @spider.on("/items/*")
    def items(page: Any) -> Iterator[dict[str, str]]:
        yield from ({"of": page.url, "n": n} for n in "abc")

    return spider


def crawl(directory: Path, **options: Any) -> Summary:
    """A small site with everything on it: links, redirects, what fails, what is out of scope."""
    targets = [
        "/a",
        "/b",
        "/items/1",
        "/items/2",
        "/old",
        "/gone",
        "/canonical",
        "http://b.example",
    ]
    web = FakeWeb(
        {
            f"{A}/": "".join(f"<a href={target}>x</a>" for target in targets),
            f"{A}/a": f"{LONG}<a href=/>home</a>",
            f"{A}/b": "short",
            f"{A}/items/1": f"{LONG}1",
            f"{A}/items/2": f"{LONG}2",
            f"{A}/old": reply("", status=301, headers={"location": "/new"}),
            f"{A}/new": f"{LONG}new",
            f"{A}/canonical": f"<link rel=canonical href=/a>{LONG}",
        }
    )
    settings = Settings(seeds=(f"{A}/",), delay_factor=0, ignore_robots=True, retries=0, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crawler, "AsyncCurlFetcher", lambda _: web)
        with Crawl(settings, directory, make_spider).open() as one:
            return one.run()


def change(directory: Path, file: str, *statements: str, values: tuple[object, ...] = ()) -> None:
    with contextlib.closing(sqlite3.connect(directory / file)) as db, db:
        for statement in statements:
            db.execute(statement, values)


def note(directory: Path, *outputs: Exported) -> None:
    """What the crawl command notes when it has written its outputs."""
    change(
        *(directory, FRONTIER, "INSERT OR REPLACE INTO meta VALUES('outputs', ?)"),
        values=(listing(outputs),),
    )


def named(report: Report) -> set[str]:
    assert report.ok == (not report.problems)
    assert all(problem.count for problem in report.problems)
    return {problem.what for problem in report.problems}


def holds(directory: Path) -> Report:
    report = verify(directory)
    assert report.problems == []
    assert report.readable
    assert sum(report.states.values()) == report.accepted
    return report


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl that has ended, with nothing wrong; not to be changed."""
    directory = tmp_path_factory.mktemp("sound") / "dir"
    crawl(directory)
    return directory


@pytest.fixture
def books(sound: Path, directory: Path) -> Path:
    """The same, to be damaged."""
    shutil.copytree(sound, directory)
    return directory


@pytest.fixture
def output(books: Path, tmp_path: Path) -> Path:
    """Its pages, written to a file. With items the file would hold these."""
    change(books, PAGES, "DELETE FROM items")
    target = tmp_path / "out.jsonl"
    note(books, export(books / PAGES, target))
    return target


# All is well


def test_a_crawl_that_has_ended(sound: Path) -> None:
    report = holds(sound)
    assert (report.states["done"], report.states["failed"], report.states["skipped"]) == (8, 1, 1)
    assert (report.pages, report.bodies, report.items, report.in_hand) == (8, 8, 6, 0)
    assert not report.running


def test_a_crawl_that_was_stopped_and_goes_on(directory: Path) -> None:
    assert crawl(directory, limit=3).stopped == "limit"
    assert holds(directory).states["queued"] > 0
    assert crawl(directory).stopped == "finished"
    assert holds(directory).accepted == 10


def test_a_crawl_of_which_nothing_could_be_had(directory: Path) -> None:
    run_tree(directory, FakeWeb({}))
    assert holds(directory).states["failed"] == 1


def test_a_crawl_that_died_before_a_page_was_stored(books: Path) -> None:
    change(books, FRONTIER, "DELETE FROM urls WHERE id > 1", "DELETE FROM tries")
    change(books, FRONTIER, "UPDATE urls SET state='leased'")
    (books / PAGES).write_bytes(b"")
    assert holds(books).states["leased"] == 1
    (books / PAGES).unlink()
    assert holds(books).pages == 0


@pytest.mark.parametrize("nth", [1, 2, 4, 7])
@pytest.mark.parametrize("lasting", [True, False], ids=["killed", "failed once"])
def test_a_crash_between_the_store_and_the_ledger(directory: Path, nth: int, lasting: bool) -> None:
    web = make_web()
    run_tree(directory, web, Crash(nth, lasting=lasting))
    report = holds(directory)
    assert report.in_hand == report.pages - report.states["done"] > 0
    run_tree(directory, web)
    report = holds(directory)
    assert (report.in_hand, report.pages) == (0, SITE)


def test_outputs(output: Path, books: Path) -> None:
    assert holds(books).outputs == 1


def test_items_in_an_output(books: Path, tmp_path: Path) -> None:
    note(books, *(export(books / PAGES, tmp_path / f"{n}.jsonl") for n in "ab"))
    assert holds(books).outputs == 2


# What is wrong is named

SOME = f"url = '{A}/a'"
DAMAGE: dict[str, tuple[str, tuple[str, ...]]] = {
    "frontier.db is damaged": (
        FRONTIER,
        (
            "PRAGMA writable_schema = 1",
            "UPDATE sqlite_master SET sql = replace(sql, '''queued''', '''done''')",
        ),
    ),
    "URLs in an unknown state": (FRONTIER, (f"UPDATE urls SET state='away' WHERE {SOME}",)),
    "URLs that ended without a reason": (
        FRONTIER,
        ("UPDATE urls SET reason=NULL WHERE state='failed'",),
    ),
    "URLs with an unknown reason": (
        FRONTIER,
        ("UPDATE urls SET reason='http-4040' WHERE state='failed'",),
    ),
    "rows are missing in the ledger": (FRONTIER, (f"DELETE FROM urls WHERE {SOME}",)),
    "URLs that are in the ledger twice": (
        FRONTIER,
        (
            "CREATE TEMP TABLE one AS SELECT * FROM urls WHERE id = 2",
            "UPDATE one SET id = (SELECT max(id) FROM urls) + 1",
            "INSERT INTO urls SELECT * FROM one",
        ),
    ),
    "URLs whose fingerprint is not theirs": (
        FRONTIER,
        (f"UPDATE urls SET url = '{A}/A' WHERE {SOME}",),
    ),
    "URLs whose referrer is no other row": (
        FRONTIER,
        (f"UPDATE urls SET referrer = id WHERE {SOME}",),
    ),
    "tries of a URL that is not in the ledger": (
        FRONTIER,
        ("UPDATE tries SET url_id = 1000",),
    ),
    "URLs that are done, though they were never tried": (
        FRONTIER,
        (f"UPDATE urls SET attempts = 0 WHERE {SOME}",),
    ),
    "URLs that are done, but have no page": (PAGES, (f"DELETE FROM pages WHERE {SOME}",)),
    "URLs with more than one page": (
        PAGES,
        (
            "CREATE TABLE other AS SELECT * FROM pages",
            "DROP TABLE pages",
            "ALTER TABLE other RENAME TO pages",
            f"INSERT INTO pages SELECT * FROM pages WHERE {SOME}",
        ),
    ),
    "pages without a URL": (PAGES, (f"UPDATE pages SET url = NULL WHERE {SOME}",)),
    "pages of URLs that are queued, not done": (
        FRONTIER,
        (f"UPDATE urls SET state='queued' WHERE {SOME}",),
    ),
    "pages of URLs that are failed, not done": (
        FRONTIER,
        (f"UPDATE urls SET state='failed', reason='timeout' WHERE {SOME}",),
    ),
    "pages of URLs that are not in the ledger": (
        PAGES,
        (f"UPDATE pages SET url = '{A}/else' WHERE {SOME}",),
    ),
    "pages without a body": (
        PAGES,
        (f"DELETE FROM bodies WHERE digest = (SELECT digest FROM pages WHERE {SOME})",),
    ),
    "bodies that no page has": (PAGES, ("INSERT INTO bodies VALUES(x'00', 'identity', x'')",)),
    "pages whose size makes no sense": (PAGES, (f"UPDATE pages SET size = -1 WHERE {SOME}",)),
    "bodies of another size than their page says": (
        PAGES,
        (f"UPDATE pages SET size = size + 1 WHERE {SOME}",),
    ),
    "bodies that can't be unpacked": (
        PAGES,
        ("UPDATE bodies SET body = substr(body, 1, 20) WHERE encoding = 'zstd'",),
    ),
    "bodies that are not what was fetched: their digest differs": (
        PAGES,
        ("UPDATE bodies SET body = CAST('shirt' AS BLOB) WHERE length(body) = 5",),
    ),
    "items of a URL that has no page": (PAGES, (f"INSERT INTO items VALUES('{A}/x', 0, '{{}}')",)),
    "URLs whose items are not numbered from 0 on": (PAGES, ("DELETE FROM items WHERE n = 1",)),
    "canonical URLs of a URL that has no page": (
        PAGES,
        (f"INSERT INTO canonicals VALUES('{A}/x', '{A}/a')",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_named(books: Path, what: str) -> None:
    file, statements = DAMAGE[what]
    change(books, file, *statements)
    report = verify(books)
    assert report.readable
    assert any(found.startswith(what) for found in named(report)), report.problems


@pytest.mark.parametrize(
    ("what", "file", "statement"),
    [
        ("fingerprint", FRONTIER, "UPDATE urls SET fingerprint = 'x' WHERE id = 3"),
        ("fingerprint", FRONTIER, "UPDATE urls SET url = CAST(x'ff00' AS TEXT) WHERE id = 3"),
        ("fingerprint", FRONTIER, "DELETE FROM meta"),
        ("unknown state", FRONTIER, "UPDATE urls SET state = CAST(x'ff' AS TEXT) WHERE id = 3"),
        ("unknown reason", FRONTIER, "UPDATE urls SET reason = 'lost\n' WHERE id = 3"),
        ("referrer", FRONTIER, "UPDATE urls SET referrer = 'x' WHERE id = 3"),
        ("never tried", FRONTIER, "UPDATE urls SET attempts = 'x' WHERE id = 3"),
        ("rows are missing", FRONTIER, "UPDATE urls SET id = 1 << 60 WHERE id = 3"),
        ("rows are missing", FRONTIER, "UPDATE urls SET id = -3 WHERE id = 3"),
        ("size makes no sense", PAGES, "UPDATE pages SET size = 1 << 60"),
        ("size makes no sense", PAGES, "UPDATE pages SET size = 'x'"),
        ("unpacked", PAGES, "UPDATE bodies SET encoding = 'br'"),
        ("unpacked", PAGES, "UPDATE bodies SET encoding = 'zstd'"),
        ("without a body", PAGES, "UPDATE pages SET digest = NULL"),
        ("without a body", PAGES, "UPDATE bodies SET body = NULL"),
        ("bodies that no page has", PAGES, "UPDATE bodies SET digest = NULL"),
        ("not numbered", PAGES, "UPDATE items SET n = n + 0.5"),
        ("not numbered", PAGES, "UPDATE items SET n = NULL"),
        ("items of a URL", PAGES, "UPDATE items SET url = NULL"),
    ],
)
def test_odd_values_are_named(books: Path, what: str, file: str, statement: str) -> None:
    change(books, file, statement)
    report = verify(books)
    assert report.readable
    assert any(what in found for found in named(report)), report.problems


def test_a_url_that_was_changed_in_the_index_only(books: Path) -> None:
    data = (books / PAGES).read_bytes()
    head, url, tail = data.rpartition(b"http://a.example/old")
    places = data.count(url)
    assert places > 1
    named_at_all = []
    for _ in range(places):  # in the table, or in its index
        (books / PAGES).write_bytes(head + b"http://a.example/odd" + tail)
        named_at_all.append("pages.db is damaged" in named(verify(books)))
        head, _, more = head.rpartition(url)
        tail = more + url + tail
    assert any(named_at_all)


def test_a_bomb_is_not_unpacked(books: Path) -> None:
    bomb = zstandard.compress(bytes(2**30), level=1)
    change(books, PAGES, "UPDATE bodies SET body = ? WHERE encoding = 'zstd'", values=(bomb,))
    assert "bodies of another size than their page says" in named(verify(books))


def test_at_most_five_examples(books: Path) -> None:
    change(books, PAGES, "DELETE FROM pages")
    (lost,) = [problem for problem in verify(books).problems if "no page" in problem.what
               and "done" in problem.what]  # fmt: skip
    assert lost.count == 8
    assert len(set(lost.examples)) == 5
    assert f"{A}/" in lost.examples


def test_pages_that_are_gone(books: Path) -> None:
    (books / PAGES).unlink()
    assert named(verify(books)) == {"URLs are done, but there is no pages.db"}


# Outputs


def test_an_output_that_is_gone(output: Path, books: Path) -> None:
    output.unlink()
    assert named(verify(books)) == {"outputs that are gone"}


@pytest.mark.parametrize("as_long", [True, False])
def test_an_output_that_was_changed(output: Path, books: Path, as_long: bool) -> None:
    data = output.read_bytes()
    output.write_bytes(data.replace(b":200,", b":201,", 1) if as_long else data[:-1])
    assert named(verify(books)) == {"outputs that were changed"}


def test_a_pipe_in_the_place_of_an_output(output: Path, books: Path) -> None:
    output.unlink()
    os.mkfifo(output)
    assert named(verify(books)) == {"outputs that were changed"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"url": "http://a.exam', "records of outputs that have no URL"),
        (b'["http://a.example/a"]', "records of outputs that have no URL"),
        (b'{"item": {}}', "records of outputs that have no URL"),
        (b"\xff\xfe", "records of outputs that have no URL"),
        (b'{"url": "http://a.example/a"}', "pages that an output has twice"),
        (b'{"url": "http://a.example/gone"}', "URLs in an output that are not done"),
        (b'{"url": "http://b.example/"}', "URLs in an output that are not done"),
    ],
)
def test_lines_that_should_not_be_in_an_output(
    output: Path, books: Path, line: bytes, what: str
) -> None:
    data = output.read_bytes() + line + b"\n"
    output.write_bytes(data)
    lines, digest = data.count(b"\n"), sha256(data).hexdigest()
    note(books, Exported(path=str(output), lines=lines, bytes=len(data), sha256=digest))
    assert named(verify(books)) == {what}


def rows_added(output: Path, more: list[str]) -> Exported:
    """A CSV or Parquet file, with a row more for each of these URLs."""
    if output.suffix == ".csv":
        count = output.read_text().count("\nhttp")
        with output.open("a") as file:
            file.writelines(f"{url}{',' * 13}\n" for url in more)
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        table = parquet.read_table(output).select(["url"])
        count = table.num_rows
        grown = type(table).from_pydict({"url": [*table["url"].to_pylist(), *more]})
        parquet.write_table(grown, output)
    digest, size = sum_file(output)
    return Exported(path=str(output), lines=count + len(more), bytes=size, sha256=digest)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("url", "what"),
    [
        (f"{A}/a", "pages that an output has twice"),
        (f"{A}/gone", "URLs in an output that are not done"),
        ("", "records of outputs that have no URL"),
    ],
)
def test_rows_that_should_not_be_in_an_output(
    books: Path, tmp_path: Path, ending: str, url: str, what: str
) -> None:
    change(books, PAGES, "DELETE FROM items")
    target = tmp_path / f"out{ending}"
    note(books, export(books / PAGES, target, bodies=True))
    assert holds(books).outputs == 1
    export(books / PAGES, target)
    note(books, rows_added(target, []))
    assert holds(books).outputs == 1
    note(books, rows_added(target, [url]))
    assert named(verify(books)) == {what}


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_items_in_a_table(books: Path, tmp_path: Path, ending: str) -> None:
    note(books, export(books / PAGES, tmp_path / f"out{ending}"))
    assert holds(books).outputs == 1
    with contextlib.closing(sqlite3.connect(books / PAGES)) as db:
        (url,) = db.execute("SELECT url FROM items").fetchone()
    failed = "UPDATE urls SET state='failed', reason='http-404' WHERE url=?"
    change(books, FRONTIER, failed, values=(url,))
    assert "URLs in an output that are not done" in named(verify(books))


def test_a_record_that_was_never_counted(output: Path, books: Path) -> None:
    (written,) = listed(str(_note(books)))
    note(books, structs.replace(written, lines=written.lines + 1))
    assert named(verify(books)) == {"outputs that have not as many records as were written"}


def _note(books: Path) -> object:
    with contextlib.closing(sqlite3.connect(books / FRONTIER)) as db:
        return db.execute("SELECT value FROM meta WHERE key='outputs'").fetchone()[0]


def test_a_table_that_is_none(books: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    target.write_bytes(b"PAR1")
    digest, size = sum_file(target)
    note(books, Exported(path=str(target), lines=1, bytes=size, sha256=digest))
    assert named(verify(books)) == {"outputs that can't be read"}


@pytest.fixture
def folder(books: Path, tmp_path: Path) -> Path:
    """An output that is a folder."""
    folder = tmp_path / "out.md"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.md").write_text("one")
    (folder / "b.md").write_text("two")
    found = read_manifest(folder)
    assert (found.files, found.bytes) == (2, 6)
    names = {b"a/1.md": b"one", b"b.md": b"two"}
    lines = b"".join(
        f"{sha256(text).hexdigest()}  ".encode() + name + b"\n" for name, text in names.items()
    )
    digest = sha256(lines).hexdigest()
    note(books, Exported(path=str(folder), lines=2, bytes=6, sha256=digest, folder=True))
    return folder


def test_a_folder(folder: Path, books: Path) -> None:
    assert holds(books).outputs == 1


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda folder: (folder / "b.md").write_text("owt"), "outputs that were changed"),
        (lambda folder: (folder / "b.md").unlink(), "outputs that were changed"),
        (lambda folder: (folder / "b.md").rename(folder / "c.md"), "outputs that were changed"),
        (lambda folder: (folder / "c.md").touch(), "outputs that were changed"),
        (lambda folder: (folder / "c").symlink_to("/etc"), "outputs that can't be read"),
        (lambda folder: os.mkfifo(folder / "c"), "outputs that can't be read"),
        (lambda folder: shutil.rmtree(folder), "outputs that are gone"),
    ],
)
def test_a_folder_that_was_changed(
    folder: Path, books: Path, spoil: Callable[[Path], object], what: str
) -> None:
    spoil(folder)
    assert named(verify(books)) == {what}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"path": 1}]', "\x1b"])
def test_a_list_of_outputs_that_makes_no_sense(books: Path, text: str) -> None:
    change(books, FRONTIER, "INSERT INTO meta VALUES('outputs', ?)", values=(text,))
    assert named(verify(books)) == {"the ledger's list of outputs makes no sense"}


def test_an_output_whose_name_is_no_unicode(books: Path, tmp_path: Path) -> None:
    target = tmp_path / b"\xff.jsonl".decode(errors="surrogateescape")
    note(books, export(books / PAGES, target))
    assert holds(books).outputs == 1
    target.unlink()
    ended = run("verify", books, "--json")
    assert ended.code == 1
    assert "ff.jsonl" in ended.json["problems"][0]["examples"][0]


# Files that can't be read


def test_a_file_that_is_cut_off(books: Path) -> None:
    for name in (PAGES, FRONTIER):
        with (books / name).open("r+b") as file:
            file.truncate((books / name).stat().st_size // 2)
        report = verify(books)
        assert any(name in what for what in named(report))
        ended = run("verify", books)
        assert ended.code == (1 if report.readable else 3)


@pytest.mark.parametrize("name", [FRONTIER, PAGES])
def test_a_file_without_its_tables(books: Path, name: str) -> None:
    change(books, name, f"DROP TABLE {'urls' if name == FRONTIER else 'bodies'}")
    report = verify(books)
    assert not report.readable
    assert any(what.startswith(f"{name} can't be read") for what in named(report))


@pytest.mark.parametrize("name", [FRONTIER, PAGES])
def test_what_is_not_ours_is_refused(books: Path, name: str) -> None:
    (books / name).write_bytes(b"my own notes\n" * 1000)
    with pytest.raises(UsageError, match=name):
        verify(books)
    assert name in complaint("verify", books)


def test_no_crawl(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none"):
        assert "no crawl" in complaint("verify", directory)
    assert list(tmp_path.iterdir()) == []


# The command


def check(directory: Path, code: int) -> Ended:
    ended = run("verify", directory)
    assert (ended.code, ended.err) == (code, "")
    assert ended.out.replace("\n", "").isprintable()
    return ended


def test_what_it_prints(sound: Path) -> None:
    lines = check(sound, 0).out.splitlines()
    assert [line.split() for line in lines] == [
        ["queued", "0"],
        ["leased", "0"],
        ["done", "8"],
        ["failed", "1"],
        ["skipped", "1"],
        ["suspended", "0"],
        ["accepted", "10"],
        ["pages", "8"],
        ["bodies", "8"],
        ["items", "6"],
        ["outputs", "0"],
        ["all", "holds"],
    ]


def test_what_it_prints_when_something_is_wrong(books: Path) -> None:
    change(books, PAGES, "DELETE FROM pages")
    *_, line = [line for line in check(books, 1).out.splitlines() if "have no page" in line]
    assert line.startswith("wrong: URLs that are done, but have no page: 8 (http://a.example/, ")
    assert line.endswith(", ...)")


def test_json(books: Path) -> None:
    ended = run("verify", books, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json == {
        "dir": str(books),
        "ok": True,
        "running": False,
        "accepted": 10,
        **dict.fromkeys(("queued", "leased", "suspended", "in_hand", "outputs"), 0),
        **dict.fromkeys(("done", "pages", "bodies"), 8),
        **dict.fromkeys(("failed", "skipped"), 1),
        "items": 6,
        "problems": [],
    }
    change(
        books, PAGES, f"DELETE FROM bodies WHERE digest = (SELECT digest FROM pages WHERE {SOME})"
    )
    ended = run("verify", books, "--json")
    assert ended.code == 1
    assert not ended.json["ok"]
    assert ended.json["problems"] == [
        {"what": "pages without a body", "count": 1, "examples": [f"{A}/a"]}
    ]


def test_a_file_that_is_not_readable_is_a_problem_too(books: Path) -> None:
    change(books, PAGES, "DROP TABLE bodies")
    ended = run("verify", books, "--json")
    assert ended.code == 3
    assert any(problem["what"].startswith(PAGES) for problem in ended.json["problems"])
    check(books, 3)


def test_no_escape_reaches_the_terminal(books: Path) -> None:
    update = "UPDATE urls SET url = url || ?1, state = ?1, reason = ?1"
    change(books, FRONTIER, update, values=(EVIL,))
    change(books, PAGES, "UPDATE pages SET url = url || ?1", values=(f"x{EVIL}",))
    assert "pwned" in check(books, 1).out


def test_nothing_is_changed(directory: Path) -> None:
    def ours(path: Path) -> bool:
        return not path.name.endswith("-shm")  # SQLite's index of its log

    web = make_web()
    run_tree(directory, web, Crash(3, lasting=True))
    before = snapshot(directory, ours)
    holds(directory)
    assert snapshot(directory, ours) == before
    run_tree(directory, web)
    before = snapshot(directory)
    holds(directory)
    assert snapshot(directory) == before


# While a crawl goes on


@pytest.mark.parametrize("engine", ENGINES)
def test_a_crawl_that_is_running(site: Site, directory: Path, engine: str) -> None:
    numbered(site, 400)
    command = ("crawl", site.url(), "-d", directory, "--json", *FAST, "--per-host", "8")
    looks = 0
    with start(*command, "--engine", engine) as process:
        site.wait_until(lambda: site.hits("/3"))
        while (report := holds(directory)).running:
            looks += 1
        assert process.end().code == 0
    assert looks
    assert report.in_hand == 0 or holds(directory).in_hand == 0
    assert holds(directory).states["done"] == 401


def test_a_crawl_command_with_outputs(site: Site, directory: Path, tmp_path: Path) -> None:
    numbered(site, 3)
    target = tmp_path / "out.jsonl"
    command = ("crawl", site.url(), "-d", directory, "-q", *FAST)
    twice = f"{tmp_path}/../{tmp_path.name}/out.jsonl"
    assert run(*command, "-o", target, "-o", twice).code == 0
    assert run("verify", directory, "--json").json["outputs"] == 1
    target.write_bytes(b"")
    assert "outputs that were changed" in check(directory, 1).out
    assert run(*command).code == 0  # which writes none
    assert run("verify", directory, "--json").json["outputs"] == 0


def between(patch: pytest.MonkeyPatch, *steps: Callable[[], None]) -> None:
    """Do a step each time that the ledger has been looked at and pages.db not yet."""
    ask, left = Books.ask, list(steps)

    def asking(books: Books, sql: str, *values: Any) -> Any:
        if sql.endswith("store.sqlite_schema") and books.states and left:
            step = left.pop(0)
            step()
        return ask(books, sql, *values)

    patch.setattr(Books, "ask", asking)


@pytest.fixture
def late(books: Path) -> Callable[..., None]:
    """A crawl where the ledger does not know yet of a page; tells it a state."""
    change(books, FRONTIER, "PRAGMA journal_mode = wal")
    change(books, PAGES, "PRAGMA journal_mode = wal")
    change(books, FRONTIER, f"UPDATE urls SET state='queued', attempts=0 WHERE {SOME}")

    def tell(state: str) -> None:
        change(books, FRONTIER, f"UPDATE urls SET state='{state}', attempts=1 WHERE {SOME}")

    return tell


@pytest.mark.parametrize("state", ["leased", "done"])
def test_a_page_that_is_stored_between_two_looks(
    books: Path, late: Callable[..., None], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: late(state))
    holds(books)


def test_a_page_of_a_crawl_that_ends_between_two_looks(
    books: Path, late: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = iter([True])
    monkeypatch.setattr(pages, "is_running", lambda _: next(at_work, False))
    monkeypatch.setattr(pages, "PAUSE", 0)
    between(monkeypatch, lambda: None, lambda: late("done"))
    holds(books)


def test_a_page_that_was_given_up_meanwhile(
    books: Path, late: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = f"DELETE FROM pages WHERE {SOME}"
    purge = "DELETE FROM bodies WHERE digest NOT IN (SELECT digest FROM pages)"
    between(monkeypatch, lambda: None, lambda: change(books, PAGES, drop, purge))
    holds(books)


def test_outputs_that_are_written_anew_meanwhile(
    books: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = json.dumps([])
    output.write_bytes(b"")
    ask, asked = Books.ask, []

    def asking(one: Books, sql: str, *values: Any) -> Any:
        if values == ("outputs",):
            asked.append(sql)
            if len(asked) == 2:
                update = "UPDATE meta SET value = ? WHERE key = 'outputs'"
                change(books, FRONTIER, update, values=(written,))
        return ask(one, sql, *values)

    monkeypatch.setattr(Books, "ask", asking)
    assert holds(books).outputs == 0
    assert len(asked) == 3


def test_a_referrer_may_be_found_later_than_what_it_leads_to(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --depth: by two redirects, a URL is on the level of the first of them."""
    web = FakeWeb(
        {
            f"{A}/": "<a href=/links>1</a><a href=/old>2</a>",
            f"{A}/links": "<a href=/x>3</a>",
            f"{A}/old": reply("", status=301, headers={"location": "/older"}),
            f"{A}/older": reply("", status=301, headers={"location": "/x"}),
            f"{A}/x": "<a href=/below>4</a>",
            f"{A}/below": "the end",
        }
    )
    monkeypatch.setattr(crawler, "AsyncCurlFetcher", lambda _: web)
    settings = Settings(
        seeds=(f"{A}/",), depth=2, delay_factor=0, ignore_robots=True, per_host=1, concurrency=1
    )
    with Crawl(settings, directory).open() as crawl:
        crawl.run()
    with contextlib.closing(sqlite3.connect(directory / FRONTIER)) as db:
        rows = {url: row for url, *row in db.execute("SELECT url, id, referrer, depth FROM urls")}
    (id, referrer, depth), (older, *_) = rows[f"{A}/x"], rows[f"{A}/older"]
    assert (referrer, depth) == (older, 1)
    assert referrer > id
    assert rows[f"{A}/below"][2] == 2
    assert verify(directory).ok
    with reading(directory / FRONTIER) as ledger:
        below = ledger.find(f"{A}/below")
        assert below is not None
        found = [step.url.removeprefix(A) for step in ledger.chain(below)]
    assert found == ["/", "/old", "/older", "/x"]
