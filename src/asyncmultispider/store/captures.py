"""Reading a store for an archive: each page, and where its body was had before."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import zstandard
from msgspec import Struct

from asyncmultispider.errors import DamageError
from asyncmultispider.sqlite import reading_database
from asyncmultispider.store.sqlite import FORMAT

# Bodies that several pages have, and the first of these. An empty body is no body.
_FIRSTS = """CREATE TEMP TABLE firsts(digest BLOB PRIMARY KEY, first INTEGER) WITHOUT ROWID;
INSERT INTO firsts SELECT digest, min(rowid) FROM pages WHERE size > 0 AND digest IS NOT NULL
GROUP BY digest HAVING count(*) > 1"""
_CAPTURES = """SELECT p.rowid, p.url, p.status, p.content_type, p.charset, p.depth, p.referrer,
p.fetched_at, p.elapsed_ms, p.size, p.headers, p.digest,
p.url IN (SELECT url FROM unverified), canonicals.canonical, f.url, f.fetched_at, bodies.encoding,
CASE WHEN f.rowid IS NULL THEN bodies.body ELSE x'' END
FROM pages p JOIN bodies USING(digest) LEFT JOIN canonicals ON canonicals.url = p.url
LEFT JOIN firsts ON firsts.digest = p.digest AND firsts.first < p.rowid
LEFT JOIN pages f ON f.rowid = firsts.first
WHERE p.rowid > ? AND p.rowid <= ? ORDER BY p.rowid"""


class Capture(Struct, frozen=True, gc=False):
    """A page as an archive tells of it.

    Where its body was had before, `first_url` and `first_at` are those of the first page that had
    it, and `body` is empty. `size` is that of its own body, in bytes.
    """

    row: int
    url: str
    status: int
    content_type: str | None
    charset: str | None
    depth: int
    referrer: str | None
    fetched_at: str
    elapsed_ms: float
    size: int
    headers: str
    digest: bytes
    unverified: bool
    canonical: str | None
    first_url: str | None
    first_at: str | None
    body: bytes


class Captures:
    """The pages of a store as they were at one moment, in the order of their rows."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def between(self, after: int, last: int) -> Iterator[Capture]:
        """Those of the rows beyond `after` and up to `last`."""
        self._db.execute(_FIRSTS)
        unpacker = zstandard.ZstdDecompressor()
        for *facts, encoding, body in self._db.execute(_CAPTURES, (after, last)):
            facts.append(self._unpacked(unpacker, body) if encoding == "zstd" and body else body)
            yield Capture(*facts)

    def last_row(self) -> int:
        """The last row that there is; 0 if there is none."""
        return int(self._db.execute("SELECT coalesce(max(rowid), 0) FROM pages").get)

    def count(self, last: int) -> int:
        """How many pages there are up to this row."""
        return int(self._db.execute("SELECT count(*) FROM pages WHERE rowid <= ?", (last,)).get)

    def find(self, row: int) -> tuple[str, str, bytes] | None:
        """The URL, time and digest of the page in a row."""
        query = "SELECT url, fetched_at, digest FROM pages WHERE rowid = ?"
        return self._db.execute(query, (row,)).fetchone()

    def _unpacked(self, unpacker: zstandard.ZstdDecompressor, body: bytes) -> bytes:
        try:
            return unpacker.decompress(body)
        except zstandard.ZstdError as error:
            raise DamageError(f"{str(self._path)!r} is damaged: {error}") from error


@contextmanager
def reading_captures(path: Path) -> Iterator[Captures]:
    """Open a store for an archive. What a crawl writes meanwhile is not seen.

    Raises `UsageError` where there is none, `StorageError` when it can't be read.
    """
    with reading_database(path, FORMAT) as db, db:
        yield Captures(db, path)
