"""Reading a ledger that another process may be writing: for `status`, `urls` and `explain`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
from msgspec import Struct

from asyncmultispider.frontier.sqlite import FORMAT
from asyncmultispider.sqlite import read_database, storage_errors


class Entry(Struct, frozen=True, kw_only=True):
    """A row of the ledger. `referrer` is the `id` of the page that linked to it, 0 for a seed."""

    id: int
    state: str
    reason: str | None
    url: str
    host: str
    depth: int
    hops: int
    referrer: int
    attempts: int
    due: float
    status: int | None
    at: float | None
    elapsed: float | None


class Try(Struct, frozen=True, kw_only=True):
    """A try that did not give a page."""

    at: float
    elapsed: float
    reason: str | None
    status: int | None
    detail: str | None


class LedgerReader:
    """A read-only view of `frontier.db`."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def meta(self, key: str) -> str | None:
        """A note about the crawl as a whole."""
        value = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).get
        return None if value is None else str(value)

    def counts(self) -> list[tuple[str, str | None, int]]:
        """URLs by (state, reason), the most frequent first."""
        return list(
            self._db.execute(
                "SELECT state, reason, count(*) n FROM urls GROUP BY 1, 2 ORDER BY n DESC"
            )
        )

    def hosts(self) -> int:
        """The number of hosts that were or will be visited."""
        return int(
            self._db.execute("SELECT count(DISTINCT host) FROM urls WHERE state <> 'skipped'").get
        )

    def finished_since(self, at: float) -> int:
        """URLs that became final since this Unix time."""
        return int(
            self._db.execute(
                "SELECT count(*) FROM urls WHERE at >= ? AND state <> 'queued'", (at,)
            ).get
        )

    def rows(self, state: str | None, host: str | None) -> Iterator[tuple[str, str | None, str]]:
        """(state, reason, url) in the order of discovery."""
        return self._db.execute(
            "SELECT state, reason, url FROM urls WHERE (?1 IS NULL OR state = ?1) "
            "AND (?2 IS NULL OR host = ?2) ORDER BY id",
            (state, host),
        )

    def find(self, url: str) -> Entry | None:
        """The row of a canonical URL. Reads the whole table: some seconds for ten million rows."""
        return self._entry("url = ?", url)

    def chain(self, entry: Entry) -> list[Entry]:
        """The pages that led to it, from a seed down to the page that linked to it."""
        found: list[Entry] = []
        while entry.referrer:
            above = self._entry("id = ?", entry.referrer)
            if above is None:
                break
            found.append(above)
            entry = above
        return found[::-1]

    def tries(self, entry: Entry) -> list[Try]:
        """Its tries that did not give a page, the oldest first."""
        rows = self._db.execute(
            "SELECT at, elapsed, reason, status, detail FROM tries WHERE url_id=? ORDER BY at",
            (entry.id,),
        )
        return [Try(**dict(zip(Try.__struct_fields__, row, strict=True))) for row in rows]

    def robots(self, host: str, scheme: str) -> bytes | None:
        """The robots.txt of a host as last read."""
        text = self._db.execute(
            "SELECT text FROM robots WHERE host=? AND scheme=?", (host, scheme)
        ).get
        return None if text is None else bytes(text)

    def _entry(self, where: str, value: str | int) -> Entry | None:
        names = Entry.__struct_fields__
        query = f"SELECT {', '.join(names)} FROM urls WHERE {where}"  # noqa: S608 - our own words
        row = self._db.execute(query, (value,)).fetchone()
        return None if row is None else Entry(**dict(zip(names, row, strict=True)))


@contextmanager
def reading(path: Path) -> Iterator[LedgerReader]:
    """Open the ledger at `path` for reading."""
    db = read_database(path, FORMAT)
    try:
        with storage_errors(path), db:  # one transaction: one moment of a crawl that goes on
            yield LedgerReader(db)
    finally:
        db.close()
