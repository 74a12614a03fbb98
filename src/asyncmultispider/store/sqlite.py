"""Pages, bodies and items in SQLite: `pages.db`, for anyone to query."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import zstandard
from msgspec import json

from asyncmultispider.model import Headers, Outcome, PageRow, Reason
from asyncmultispider.sqlite import (
    Format,
    close_database,
    flush_database,
    open_database,
    reading_database,
    storage_errors,
    transaction,
)

ZSTD_LEVEL = 1
WORTH_PACKING = 128
"""Bodies shorter than this many bytes are stored as they are."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS pages(
    url TEXT UNIQUE, status INTEGER, content_type TEXT, charset TEXT, title TEXT, depth INTEGER,
    referrer TEXT, fetched_at TEXT, elapsed_ms REAL, size INTEGER, headers TEXT, digest BLOB
);
CREATE TABLE IF NOT EXISTS bodies(digest BLOB PRIMARY KEY, encoding TEXT, body BLOB);
CREATE TABLE IF NOT EXISTS items(url TEXT, n INTEGER, data TEXT, UNIQUE(url, n));
CREATE TABLE IF NOT EXISTS canonicals(url TEXT PRIMARY KEY, canonical TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unverified(url TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lastmods(
    sitemap TEXT, url TEXT, lastmod TEXT, PRIMARY KEY(sitemap, url)
) WITHOUT ROWID;
"""

FORMAT = Format(
    application_id=0x414D5350,  # "AMSP"
    version=3,
    upgrades={1: "", 2: ""},  # `unverified`, then `lastmods` were new
    schema=SCHEMA,
    page_size=32768,  # most bodies fit into one
)

PAGE = "INSERT OR REPLACE INTO pages VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"
BODY = "INSERT OR IGNORE INTO bodies VALUES(?,?,?)"
ITEM = "INSERT OR REPLACE INTO items VALUES(?,?,?)"
UNVERIFIED = "INSERT OR IGNORE INTO unverified VALUES(?)"
LASTMOD = "INSERT OR REPLACE INTO lastmods VALUES(?,?,?)"
CANONICAL = "INSERT OR REPLACE INTO canonicals VALUES(?,?)"
FORGET = "DELETE FROM pages WHERE url=? RETURNING digest"
KEPT = """SELECT DISTINCT digest FROM pages
WHERE digest IN (SELECT unhex(value) FROM json_each(?))"""


class SqliteStore:
    """A `Store` in the file at `path`, made when it is not there. Processes may share the file."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        # Durable, so that no page that the ledger calls done can be lost in a power cut. The
        # ledger itself may then lose its last commits: what they told is fetched again.
        self._db = open_database(path, FORMAT, durable=durable)
        self._packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL)

    def write(self, outcomes: Sequence[Outcome]) -> int:
        """See `Store.write`."""
        pages = [outcome.page for outcome in outcomes if outcome.page is not None]
        items = [
            (outcome.request.url, n, item)
            for outcome in outcomes
            for n, item in enumerate(outcome.items)
        ]
        again = [
            (outcome.request.url,)
            for outcome in outcomes
            if (outcome.request.attempt > 1 or outcome.reason == Reason.LOST)
            and not outcome.request.aside
        ]
        if not pages and not items and not again:
            return 0
        bodies = list(self._bodies(pages))  # before others have to wait for us to write
        with transaction(self._db, self._path) as db:
            gone = self._forget(again)
            db.executemany(BODY, bodies)
            db.executemany(PAGE, map(_page_row, pages))
            canonicals = [(p.url, p.canonical) for p in pages if p.canonical not in (None, p.url)]
            if canonicals:
                db.executemany(CANONICAL, canonicals)
            unverified = [(page.url,) for page in pages if page.unverified]
            if unverified:
                db.executemany(UNVERIFIED, unverified)
            lastmods = [(page.url, *each) for page in pages for each in page.lastmods]
            if lastmods:
                db.executemany(LASTMOD, lastmods)
            if items:
                db.executemany(ITEM, items)
            self._purge(gone)
        return len(pages) - len(gone)

    def drop(self, urls: Iterable[str]) -> int:
        """Remove the pages and items of these; how many pages there were."""
        with storage_errors(self._path), self._db:
            gone = self._forget([(url,) for url in urls])
            self._purge(gone)
        return len(gone)

    def urls(self) -> Iterator[str]:
        """The URLs of all pages."""
        with storage_errors(self._path):
            for (url,) in self._db.execute("SELECT url FROM pages"):
                yield url

    def count(self) -> int:
        """The number of pages that are stored."""
        with storage_errors(self._path):
            return int(self._db.execute("SELECT count(*) FROM pages").get)

    def flush(self) -> None:
        """Wait until the disk has it all."""
        flush_database(self._db, self._path)

    def close(self) -> None:
        """See `Store.close`."""
        close_database(self._db, self._path)

    def _forget(self, urls: Sequence[tuple[str]]) -> list[bytes]:
        """Delete their pages and items; the digests of these pages."""
        if not urls:
            return []
        db = self._db
        gone = [digest or b"" for (digest,) in db.executemany(FORGET, urls)]
        db.executemany("DELETE FROM canonicals WHERE url=?", urls)
        db.executemany("DELETE FROM unverified WHERE url=?", urls)
        db.executemany("DELETE FROM lastmods WHERE sitemap=?", urls)
        db.executemany("DELETE FROM items WHERE url=?", urls)
        return gone

    def _purge(self, digests: list[bytes]) -> None:
        """Delete those of the bodies that no page has any more. Reads all pages: it is rare."""
        if digests:
            wanted = json.encode([digest.hex() for digest in digests]).decode()
            kept = {digest for (digest,) in self._db.execute(KEPT, (wanted,))}
            loose = [(digest,) for digest in digests if digest not in kept]
            self._db.executemany("DELETE FROM bodies WHERE digest=?", loose)

    def _bodies(self, pages: Sequence[PageRow]) -> Iterator[tuple[bytes, str, bytes]]:
        # To pack the few that are stored already costs less than to ask about all.
        for digest, body in {page.digest: page.body for page in pages}.items():
            yield digest, *self._pack(body)

    def _pack(self, body: bytes) -> tuple[str, bytes]:
        if len(body) >= WORTH_PACKING:
            packed = self._packer.compress(body)
            if len(packed) < len(body):
                return "zstd", packed
        return "identity", body


def totals(path: Path) -> tuple[int, int]:
    """The number of pages of a store, and of the bytes of their bodies."""
    with reading_database(path, FORMAT) as db:
        pages, stored = db.execute("SELECT count(*), coalesce(sum(size), 0) FROM pages").get
        return pages, stored


def _page_row(page: PageRow) -> tuple[object, ...]:
    return (
        page.url,
        page.status,
        page.content_type,
        page.charset,
        page.title,
        page.depth,
        page.referrer,
        _moment(page.at),
        round(page.elapsed * 1000, 3),
        len(page.body),
        _headers_json(page.headers),
        page.digest,
    )


def _moment(at: float) -> str:
    seconds, rest = divmod(at, 1)
    return f"{_second(int(seconds))}.{int(rest * 1000):03d}+00:00"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _headers_json(headers: Headers) -> str:
    # One object, for json_extract; a field that came more than once is an array.
    fields: dict[str, str | list[str]] = dict(headers)
    if len(fields) == len(headers):
        return json.encode(fields).decode()
    fields.clear()
    for name, value in headers:
        known = fields.get(name)
        if known is None:
            fields[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            fields[name] = [known, value]
    return json.encode(fields).decode()
