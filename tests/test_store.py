"""The stores: their port's suite, and what `pages.db` looks like to others."""

import json
from pathlib import Path
from random import Random

import apsw
import pytest
import zstandard

from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.model import Outcome
from asyncmultispider.store.memory import MemoryStore
from asyncmultispider.store.reader import read_items, read_pages
from asyncmultispider.store.sqlite import SqliteStore, totals
from asyncmultispider.testing import StoreSuite
from asyncmultispider.testing.stores import page


class TestMemoryStore(StoreSuite):
    store: MemoryStore | None = None

    def make_store(self) -> MemoryStore:
        self.store = self.store or MemoryStore()
        return self.store

    def read_pages(self) -> dict[str, tuple[int, str | None, bytes]]:
        assert self.store is not None
        return {url: (p.status, p.title, p.body) for url, p in self.store.pages.items()}

    def read_items(self) -> dict[str, list[str]]:
        assert self.store is not None
        return {url: list(items) for url, items in self.store.items.items()}


class TestSqliteStore(StoreSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "pages.db"

    def make_store(self) -> SqliteStore:
        return SqliteStore(self.path)

    def read_pages(self) -> dict[str, tuple[int, str | None, bytes]]:
        return {p.url: (p.status, p.title, p.body) for p in read_pages(self.path)}

    def read_items(self) -> dict[str, list[str]]:
        items: dict[str, list[str]] = {}
        for url, item in read_items(self.path):
            items.setdefault(url, []).append(item)
        return items


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pages.db"


def write(path: Path, *outcomes: Outcome) -> apsw.Connection:
    """Write these, and open the file as anybody would."""
    store = SqliteStore(path)
    store.write(outcomes)
    store.close()
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)


def test_a_row_is_as_documented(path: Path) -> None:
    headers = (("content-type", "text/html"), ("set-cookie", "a"), ("set-cookie", "b"))
    db = write(path, page("http://a.example/", b"<p>x</p>", headers=headers, at=1_750_000_000.5))
    cursor = db.execute("SELECT * FROM pages")
    names = [column[0] for column in cursor.getdescription()]
    row = dict(zip(names, cursor.fetchone(), strict=True))
    assert ", ".join(names) == (
        "url, status, content_type, charset, title, depth, referrer, fetched_at, elapsed_ms, "
        "size, headers, digest"
    )
    assert row["fetched_at"] == "2025-06-15T15:06:40.500+00:00"
    assert (row["elapsed_ms"], row["size"], row["depth"]) == (250.0, 8, 0)
    assert json.loads(row["headers"]) == {"content-type": "text/html", "set-cookie": ["a", "b"]}
    extract = "SELECT json_extract(headers, '$.content-type') FROM pages"
    assert db.execute(extract).get == "text/html"
    assert db.execute("SELECT digest FROM bodies").get == row["digest"]
    db.close()


def test_each_distinct_body_is_there_once(path: Path) -> None:
    body = b"<p>hello</p>" * 100
    store = SqliteStore(path)
    store.write([page("http://a.example/1", body), page("http://a.example/2", body)])
    store.write([page("http://a.example/3", body), page("http://a.example/4", b"other")])
    store.close()
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("SELECT count(*) FROM pages").get == 4
    assert db.execute("SELECT count(*) FROM bodies").get == 2
    db.close()


def test_bodies_are_packed_where_it_helps(path: Path) -> None:
    noise = Random(1).randbytes(10_000)
    text = b"<p>hello</p>" * 1000
    db = write(
        path,
        page("http://a.example/text", text),
        page("http://a.example/noise", noise),
        page("http://a.example/short", b"short"),
        page("http://a.example/empty", b""),
    )
    query = "SELECT url, encoding, body FROM pages JOIN bodies USING(digest)"
    bodies = {url.rpartition("/")[2]: (encoding, body) for url, encoding, body in db.execute(query)}
    encoding, packed = bodies["text"]
    assert encoding == "zstd"
    assert len(packed) < len(text) / 20
    assert zstandard.ZstdDecompressor().decompress(packed) == text
    assert bodies["noise"] == ("identity", noise)
    assert bodies["short"] == ("identity", b"short")
    assert bodies["empty"] == ("identity", b"")
    db.close()


def test_a_page_that_is_replaced_has_one_row(path: Path) -> None:
    store = SqliteStore(path)
    store.write([page("http://a.example/", b"old", status=200)])
    store.write([page("http://a.example/", b"new", status=203)])
    assert store.count() == 1
    store.close()
    (stored,) = read_pages(path)
    assert (stored.status, stored.body, stored.size) == (203, b"new", 3)
    assert totals(path) == (1, 3)


def test_it_is_written_whole_or_not_at_all(path: Path) -> None:
    store = SqliteStore(path)
    bad = page("http://a.example/2", items=("{}", b"\xff".decode("latin-1"), "\ud800"))
    with pytest.raises(Exception, match="surrogate"):
        store.write([page("http://a.example/1"), bad])
    assert store.count() == 0
    store.write([page("http://a.example/1")])
    store.close()
    assert [stored.url for stored in read_pages(path)] == ["http://a.example/1"]


def test_a_store_that_can_not_be_written_is_a_storage_error(path: Path) -> None:
    SqliteStore(path).close()
    holder = apsw.Connection(str(path))
    store = SqliteStore(path)
    store._db.set_busy_timeout(0)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=r"pages\.db"):
        store.write([page("http://a.example/")])
    holder.execute("ROLLBACK")
    holder.close()
    store.write([page("http://a.example/")])
    store.close()
    assert totals(path)[0] == 1


def test_files_that_are_not_ours_are_left_alone(path: Path) -> None:
    path.write_bytes(b"my diary, not a database" * 100)
    with pytest.raises(UsageError, match="not a file of this program"):
        SqliteStore(path)
    assert path.read_bytes().startswith(b"my diary")


def test_reading_what_is_not_there(path: Path) -> None:
    with pytest.raises(UsageError, match="no crawl in"):
        list(read_pages(path))
    assert not path.exists()
