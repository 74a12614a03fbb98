"""Reading a store that another process may be writing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import zstandard
from msgspec import Struct, json

from asyncmultispider.errors import DamageError
from asyncmultispider.model import Headers, parse_fields
from asyncmultispider.sqlite import reading_database
from asyncmultispider.store.sqlite import FORMAT

Facts = tuple[Any, ...]
"""What is known of a page but for its body: values in the order of `FACTS`."""
FACTS = (
    *("url", "status", "content_type", "charset", "title", "depth", "referrer", "fetched_at"),
    *("elapsed_ms", "size", "headers", "digest", "canonical", "unverified"),
)
"""`headers` is JSON, `digest` in hex, `unverified` 1 or 0."""

_COLUMNS = """url, status, content_type, charset, title, depth, referrer, fetched_at, elapsed_ms,
size, headers, {digest}, (SELECT canonical FROM canonicals c WHERE c.url = pages.url),
EXISTS(SELECT 1 FROM unverified u WHERE u.url = pages.url)"""
_FACTS = _COLUMNS.format(digest="lower(hex(digest))")
_WHOLE = "pages JOIN bodies USING(digest)"
_BY_URL = "WHERE url IN (SELECT value FROM json_each(?))"
_PAGE = """SELECT status, content_type, fetched_at, size, digest, headers,
(SELECT count(*) FROM items WHERE items.url = pages.url) FROM pages WHERE url = ?"""


class StoredAs(Struct, frozen=True, kw_only=True):
    """Where a page is, without its body. `digest` is the SHA-256 of the body, `size` its bytes.

    `headers` is the JSON of `pages.headers`, `items` the number of its items.
    """

    status: int
    content_type: str | None
    fetched_at: str
    size: int
    digest: bytes
    headers: str
    items: int

    @property
    def fields(self) -> Headers:
        """The header fields, each value of one that came more than once for itself."""
        return parse_fields(self.headers)


def find_page(path: Path, url: str) -> StoredAs | None:
    """The page of a canonical URL; None when it is not stored."""
    if not path.is_file():
        return None
    with reading_database(path, FORMAT) as db:
        row = db.execute(_PAGE, (url,)).fetchone()
    if row is None:
        return None
    return StoredAs(**dict(zip(StoredAs.__struct_fields__, row, strict=True)))


class StoreReader:
    """A store as it is at one moment. Rows come in the order in which they were stored."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._unpacker = zstandard.ZstdDecompressor()

    def has_items(self) -> bool:
        """Whether there is one."""
        return bool(self._db.execute("SELECT EXISTS(SELECT 1 FROM items)").get)

    def pages(self, urls: Sequence[str] | None = None) -> Iterator[Facts]:
        """All pages, or those of these URLs. Their bodies are not looked at."""
        return self._select(_FACTS, "pages", urls)

    def pages_with_bodies(self, urls: Sequence[str] | None = None) -> Iterator[tuple[Facts, bytes]]:
        """The same, each with its body."""
        for *facts, encoding, body in self._select(f"{_FACTS}, encoding, body", _WHOLE, urls):
            yield tuple(facts), self._unpacked(encoding, body)

    def items(self, urls: Sequence[str] | None = None) -> Iterator[tuple[str, str]]:
        """All items as (URL, JSON object), or those of these URLs."""
        return self._select("url, data", "items", urls)

    def whole(self) -> Iterator["StoredPage"]:
        """All pages with all that is known of them."""
        columns = _COLUMNS.format(digest="digest")
        for *facts, encoding, body in self._select(f"{columns}, encoding, body", _WHOLE):
            fields = dict(zip(FACTS, facts, strict=True))
            yield StoredPage(**fields, body=self._unpacked(encoding, body))

    def _select(
        self, columns: str, source: str, urls: Sequence[str] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        chosen, values = ("", ()) if urls is None else (_BY_URL, (json.encode(urls).decode(),))
        table = source.partition(" ")[0]
        sql = f"SELECT {columns} FROM {source} {chosen} ORDER BY {table}.rowid"  # noqa: S608 - ours
        return self._db.execute(sql, values)

    def _unpacked(self, encoding: str, body: bytes) -> bytes:
        if encoding != "zstd":
            return body
        try:
            return self._unpacker.decompress(body)
        except zstandard.ZstdError as error:
            raise DamageError(f"{str(self._path)!r} is damaged: {error}") from error


class StoredPage(Struct, frozen=True, kw_only=True):
    """A page as it is read back: a row of `pages` with its body unpacked."""

    url: str
    status: int
    content_type: str | None
    charset: str | None
    title: str | None
    depth: int
    referrer: str | None
    fetched_at: str
    elapsed_ms: float
    size: int
    headers: str
    digest: bytes
    canonical: str | None
    unverified: bool
    body: bytes


@contextmanager
def reading_store(path: Path) -> Iterator[StoreReader]:
    """A store as it is now, for as long as the block runs. Raises `UsageError`, `StorageError`."""
    with reading_database(path, FORMAT) as db, db:
        yield StoreReader(db, path)


def read_pages(path: Path) -> Iterator[StoredPage]:
    """All pages of a store, in the order in which they were stored."""
    with reading_store(path) as store:
        yield from store.whole()


def read_items(path: Path) -> Iterator[tuple[str, str]]:
    """All items of a store as (URL, JSON), in order."""
    with reading_store(path) as store:
        yield from store.items()
