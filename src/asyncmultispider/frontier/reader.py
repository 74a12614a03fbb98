"""Reading a ledger that another process may be writing: for `status`, `urls` and `explain`."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import apsw
from msgspec import Struct

from asyncmultispider.frontier.sqlite import FORMAT, check_states, decode_meta
from asyncmultispider.model import State
from asyncmultispider.sqlite import reading_database

Row = TypeVar("Row", bound=Struct)

T = TypeVar("T")


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
    note: str | None = None


class Try(Struct, frozen=True, kw_only=True):
    """A try of a URL. `reason` says why it gave no page, and is None where it gave one."""

    at: float
    elapsed: float
    reason: str | None
    status: int | None
    detail: str | None


class SeenHost(Struct, frozen=True, kw_only=True):
    """A host, with the number of its URLs that were seen and of those that are done.

    `in_scope`: at least one of them is not `skipped: scope`. `example` is the one seen first.
    """

    host: str
    urls: int
    done: int
    in_scope: bool
    example: str


_COLUMNS = ", ".join(Entry.__struct_fields__)
_CHOSEN = """WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR host = ?2)
AND (?3 IS NULL OR reason = ?3) ORDER BY id"""


class LedgerReader:
    """A read-only view of `frontier.db`."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def meta(self, key: str) -> str | None:
        """A note about the crawl as a whole."""
        value = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).get
        return None if value is None else str(value)

    def note(self, key: str, type: type[T]) -> T | None:
        """The same, where it is JSON."""
        text = self.meta(key)
        return None if text is None else decode_meta(Path(self._db.filename), text, type)

    def counts(self) -> list[tuple[str, str | None, int]]:
        """URLs by (state, reason), the most frequent first."""
        counts = list(
            self._db.execute(
                "SELECT state, reason, count(*) n FROM urls GROUP BY 1, 2 ORDER BY n DESC"
            )
        )
        check_states(Path(self._db.filename), {state for state, _, _ in counts})
        return counts

    def hosts(self) -> int:
        """The number of hosts that were or will be visited."""
        return int(
            self._db.execute("SELECT count(DISTINCT host) FROM urls WHERE state <> 'skipped'").get
        )

    def seen_hosts(self) -> Iterator[SeenHost]:
        """All hosts of the ledger, those with the most URLs first."""
        for host, urls, done, in_scope, _, example in self._db.execute(
            "SELECT host, count(*) n, sum(state = 'done'), max(reason IS NOT 'scope'), min(id), "
            "url FROM urls GROUP BY host ORDER BY n DESC, host"
        ):
            yield SeenHost(
                host=host, urls=urls, done=done, in_scope=bool(in_scope), example=example
            )

    def finished_since(self, at: float) -> int:
        """URLs that became final since this Unix time."""
        return int(
            self._db.execute(
                "SELECT count(*) FROM urls WHERE at >= ? AND state <> 'queued'", (at,)
            ).get
        )

    def notes(self, most: int) -> list[tuple[str, str, str, int, str]]:
        """Why URLs are suspended: (reason, host, note, how many, one of them), most first."""
        return list(
            self._db.execute(
                "SELECT reason, host, coalesce(note, ''), count(*) n, min(url) FROM urls "
                "WHERE state='suspended' GROUP BY 1, 2, 3 ORDER BY n DESC, 2, 3 LIMIT ?",
                (most,),
            )
        )

    def rows(
        self, state: str | None = None, host: str | None = None, reason: str | None = None
    ) -> Iterator[tuple[str, str | None, str]]:
        """(state, reason, url) in the order of discovery; None lets all through."""
        query = f"SELECT state, reason, url FROM urls {_CHOSEN}"  # noqa: S608 - our own words
        return self._db.execute(query, (state, host, reason))

    def entries(
        self, state: str | None = None, host: str | None = None, reason: str | None = None
    ) -> Iterator[tuple[Entry, str | None]]:
        """The same rows whole, with the URL of the page that linked to each."""
        referrer = "(SELECT r.url FROM urls r WHERE r.id = urls.referrer)"
        query = f"SELECT {_COLUMNS}, {referrer} FROM urls {_CHOSEN}"  # noqa: S608 - our own words
        for *row, above in self._db.execute(query, (state, host, reason)):
            yield _struct(Entry, row), above

    def find(self, url: str) -> Entry | None:
        """The row of a canonical URL, which has no user name and password.

        Reads the whole table: some seconds for ten million rows.
        """
        return self._entry("url = ?", url)

    def chain(self, entry: Entry) -> list[Entry]:
        """The pages that led to it, from a seed down to the page that linked to it."""
        found = {entry.id: entry}
        while entry.referrer not in (0, *found):  # in a damaged ledger it may go round
            above = self._entry("id = ?", entry.referrer)
            if above is None:
                break
            found[above.id] = entry = above
        return list(found.values())[:0:-1]

    def tries(self, entry: Entry) -> list[Try]:
        """Its tries in order, those before a `retry` too; the last one may have given the page."""
        rows = self._db.execute(
            "SELECT at, elapsed, reason, status, detail FROM tries WHERE url_id=? ORDER BY rowid",
            (entry.id,),
        )
        tries = [_struct(Try, row) for row in rows]
        if entry.state == State.DONE and entry.at is not None:
            tries.append(
                Try(
                    at=entry.at,
                    elapsed=entry.elapsed or 0.0,
                    reason=None,
                    status=entry.status,
                    detail=None,
                )
            )
        return tries

    def ahead(self, entry: Entry) -> int:
        """How many queued URLs of its host come before it, by rank."""
        return int(
            self._db.execute(
                "SELECT count(*) FROM urls "
                "WHERE state='queued' AND host=?1 "
                "AND (rank, id) < ((SELECT rank FROM urls WHERE id=?2), ?2)",
                (entry.host, entry.id),
            ).get
        )

    def left(self) -> int:
        """The number of URLs that are not final yet."""
        return int(
            self._db.execute("SELECT count(*) FROM urls WHERE state IN ('queued', 'leased')").get
        )

    def robots(self, host: str, scheme: str) -> bytes | None:
        """The robots.txt of a host as last read."""
        text = self._db.execute(
            "SELECT text FROM robots WHERE host=? AND scheme=?", (host, scheme)
        ).get
        return None if text is None else bytes(text)

    def _entry(self, where: str, *values: str | int) -> Entry | None:
        query = f"SELECT {_COLUMNS} FROM urls WHERE {where}"  # noqa: S608 - our own words
        row = self._db.execute(query, values).fetchone()
        return None if row is None else _struct(Entry, row)


@contextmanager
def reading(path: Path) -> Iterator[LedgerReader]:
    """Open the ledger at `path` for reading."""
    with reading_database(path, FORMAT) as db, db:  # one moment of a crawl that goes on
        yield LedgerReader(db)


def _struct(kind: type[Row], row: Iterable[object]) -> Row:
    return kind(**dict(zip(kind.__struct_fields__, row, strict=True)))
