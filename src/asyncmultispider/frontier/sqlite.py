"""The ledger in SQLite: `frontier.db`, one row for every URL ever accepted.

Rows are appended in the order of acceptance, and one small partial index holds what is queued:
so writing stays sequential however large the crawl. Which URLs are known is not asked of the
file but of the set in memory, which is read back from here on opening.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from secrets import randbits
from time import time
from typing import Any, TypeVar

from msgspec import DecodeError, ValidationError, convert, json

from asyncmultispider.errors import DamageError, StorageError
from asyncmultispider.frontier.base import (
    CROWD,
    RANKS,
    Changes,
    Rest,
    Restored,
    RobotsNote,
    Trap,
)
from asyncmultispider.model import Request, State
from asyncmultispider.sqlite import (
    Format,
    close_database,
    flush_database,
    open_database,
    reading_database,
    storage_errors,
    transaction,
)

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS urls(
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    depth INTEGER NOT NULL,
    hops INTEGER NOT NULL,
    referrer INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    status INTEGER,
    at REAL,
    elapsed REAL,
    lost INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    note TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    rank INTEGER NOT NULL DEFAULT 0,
    extra TEXT
);
CREATE INDEX IF NOT EXISTS queued ON urls(host, rank, id) WHERE state = 'queued';
CREATE TABLE IF NOT EXISTS tries(
    url_id INTEGER NOT NULL, at REAL NOT NULL, elapsed REAL NOT NULL,
    reason TEXT, status INTEGER, detail TEXT
);
CREATE INDEX IF NOT EXISTS tries_of ON tries(url_id);
CREATE TABLE IF NOT EXISTS robots(
    host TEXT, scheme TEXT, at REAL NOT NULL, text BLOB NOT NULL, PRIMARY KEY(host, scheme)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rests(host TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS traps(
    host TEXT, family TEXT, note TEXT NOT NULL, released INTEGER NOT NULL, PRIMARY KEY(host, family)
) WITHOUT ROWID;
"""

TO_2 = """
CREATE INDEX IF NOT EXISTS tries_of ON tries(url_id);
ALTER TABLE urls ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE urls ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
UPDATE urls SET lost = max(0, attempts - (state = 'leased') - (
    SELECT count(*) FROM tries t WHERE t.url_id = urls.id AND t.reason IS NOT 'lost'))
WHERE state IN ('queued', 'leased') AND attempts > 0;
"""
"""Format 1 did not keep the number of lost tries; it counted the others."""
TO_3 = "ALTER TABLE urls ADD COLUMN note TEXT;"
TO_4 = f"""
ALTER TABLE urls ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE urls ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE urls ADD COLUMN extra TEXT;
UPDATE urls SET rank = depth * (SELECT CASE WHEN json_extract(value, '$.depth') IS NULL
    THEN 1 ELSE {RANKS} END FROM meta WHERE key = 'identity')
WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'identity');
DROP INDEX queued;
"""  # noqa: S608 - our own words
"""Until format 3 a host's queue was in the order of (depth, id)."""

FORMAT = Format(
    application_id=0x414D5346,  # "AMSF"
    version=4,
    schema=SCHEMA,
    upgrades={1: TO_2, 2: TO_3, 3: TO_4},
    checked=True,
)

INSERT = """INSERT INTO urls(id, state, reason, url, host, depth, hops, referrer, fingerprint, note,
priority, rank, extra) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"""
LEASE = """UPDATE urls SET state='leased', attempts=attempts+1
WHERE id IN (SELECT value FROM json_each(?))"""
RELEASE_ALL = """UPDATE urls SET state='queued', attempts=attempts-1, deaths=max(0, deaths-1)
WHERE state='leased'"""
RELEASE = f"{RELEASE_ALL} AND id=?"
BEGIN = "UPDATE urls SET deaths=deaths+1 WHERE id=?"
SETTLE = """UPDATE urls
SET state=?1, reason=?2, status=?3, at=?4, elapsed=?5, due=?6, lost=lost+(?2 IS 'lost'),
    deaths=CASE WHEN ?2 IS 'lost' THEN deaths ELSE 0 END, note=?8
WHERE id=?7"""
TRIES_LOST = """INSERT INTO tries(url_id, at, elapsed, reason, detail)
SELECT id, ?, 0, 'lost', 'the crawl was killed' FROM urls WHERE state='leased'"""
LOSE_ALL = "UPDATE urls SET state='queued', lost=lost+1 WHERE state='leased'"
AS_NEW = """UPDATE urls
SET state='queued', reason=NULL, attempts=0, lost=0, deaths=0, due=0, note=NULL,
    status=NULL, at=NULL, elapsed=NULL"""
REQUEUE = f"{AS_NEW} WHERE id=?"
TRY = "INSERT INTO tries(url_id, at, elapsed, reason, status, detail) VALUES(?,?,?,?,?,?)"
ROBOTS = "INSERT OR REPLACE INTO robots(host, scheme, at, text) VALUES(?,?,?,?)"
RULES = "SELECT text FROM robots WHERE host=? AND scheme=?"
NOTES = """SELECT host, scheme, at, text FROM robots
WHERE host IN (SELECT host FROM urls WHERE state='queued')"""
REST = "INSERT OR REPLACE INTO rests(host, until) VALUES(?,?)"
RESTS = """SELECT host, until FROM rests
WHERE until > ? AND host IN (SELECT host FROM urls WHERE state='queued')"""
TRAP = "INSERT OR REPLACE INTO traps(host, family, note, released) VALUES(?,?,?,?)"
TRAPS = "SELECT host, family, note, released FROM traps"
CROWDED = """SELECT host, count(*) FROM urls
WHERE state <> 'skipped' AND (reason IS NOT 'trap' OR attempts > 0)
GROUP BY host HAVING count(*) >= ?"""
SESSIONS = """SELECT url FROM urls WHERE state <> 'skipped' AND reason IS NOT 'trap' AND (
url LIKE '%id=%' OR url LIKE '%s=%' OR url LIKE '%cftoken=%' OR url LIKE '%aspsessionid%'
OR url LIKE '%(s(%')"""
RAISE = "UPDATE urls SET depth=?, hops=?, referrer=?, rank=? WHERE id=?"
QUEUED = """
SELECT id, url, host, depth, hops, attempts, lost, deaths,
       (SELECT r.url FROM urls r WHERE r.id = urls.referrer), priority, extra, due
FROM urls """
LOAD = f"""{QUEUED} INDEXED BY queued
WHERE state='queued' AND host=? AND (rank, id) > (?, ?) ORDER BY rank, id LIMIT ?"""
MARKS = "CREATE INDEX IF NOT EXISTS marks ON urls(fingerprint) WHERE state = 'queued'"
FIND = f"{QUEUED} INDEXED BY marks WHERE state='queued' AND fingerprint=?"


class SqliteLedger:
    """A `Ledger` in the file at `path`, made when it is not there."""

    def __init__(self, path: Path, clock: Callable[[], float] = time) -> None:
        self._path = path
        self._clock = clock
        # Not `durable`: what a power cut undoes here, done and links together, is fetched again.
        self._db = open_database(path, FORMAT)
        with storage_errors(path):
            self._db.execute(
                "INSERT OR IGNORE INTO meta VALUES('seed', ?)", (_signed(randbits(64)),)
            )

    def meta(self, key: str) -> str | None:
        """A note about the crawl as a whole."""
        with storage_errors(self._path):
            value = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).get
        return None if value is None else str(value)

    def set_meta(self, key: str, value: str, *, durable: bool = False) -> None:
        """Keep a note about the crawl as a whole; `durable`: it is on the disk then."""
        with storage_errors(self._path):
            if durable:
                self._db.pragma("synchronous", "full")
            self._db.execute("INSERT OR REPLACE INTO meta VALUES(?,?)", (key, value))
            self._db.pragma("synchronous", "normal")

    def in_hand(self) -> list[str]:
        """The URLs that are leased. Nobody can hold them any more when the file is opened."""
        with storage_errors(self._path):
            return [url for (url,) in self._db.execute("SELECT url FROM urls WHERE state='leased'")]

    def done(self) -> Iterator[tuple[int, str]]:
        """The (id, URL) of all that are done."""
        with storage_errors(self._path):
            yield from self._db.execute("SELECT id, url FROM urls WHERE state='done'")

    def count_done(self) -> int:
        """How many are done."""
        with storage_errors(self._path):
            return int(self._db.execute("SELECT count(*) FROM urls WHERE state='done'").get)

    def requeue(self, ids: Iterable[int]) -> None:
        """Queue these as if they had never been tried."""
        with storage_errors(self._path), self._db as db:
            db.executemany(REQUEUE, [(id,) for id in ids])

    def restore(self, *, crashed: bool, crowd: int = CROWD) -> Restored:
        """See `Ledger.restore`."""
        db = self._db
        with storage_errors(self._path):
            with db:
                if crashed:
                    db.execute(TRIES_LOST, (self._clock(),))
                db.execute(LOSE_ALL if crashed else RELEASE_ALL)
            hosts = [
                row[0] for row in db.execute("SELECT DISTINCT host FROM urls WHERE state='queued'")
            ]
            return Restored(
                seed=_unsigned(db.execute("SELECT value FROM meta WHERE key='seed'").get),
                last_id=db.execute("SELECT coalesce(max(id), 0) FROM urls").get,
                hosts=hosts,
                open_depths=dict(
                    db.execute(
                        "SELECT depth, count(*) FROM urls WHERE state='queued' GROUP BY depth"
                    )
                ),
                states=self._count(),
                robots=self._robots(),
                rests=[
                    Rest(host=host, until=until)
                    for host, until in db.execute(RESTS, (self._clock(),))
                ],
                traps=[
                    Trap(host=host, family=family, note=note, released=bool(released))
                    for host, family, note, released in db.execute(TRAPS)
                ],
                crowded=dict(db.execute(CROWDED, (crowd,))),
                fingerprints=self._fingerprints(),
                sessions=self._sessions(),
            )

    def load(self, host: str, after: tuple[int, int], limit: int) -> list[tuple[Request, float]]:
        """See `Ledger.load`."""
        now = self._clock()
        with storage_errors(self._path):
            rows = self._db.execute(LOAD, (host, *after, limit))
            return [(_request(row), row[-1] - now if row[-1] else 0.0) for row in rows]

    def find(self, fingerprint: int) -> Request | None:
        """See `Ledger.find`."""
        with storage_errors(self._path):
            self._db.execute(MARKS)  # few crawls ever need it
            row = self._db.execute(FIND, (_signed(fingerprint),)).fetchone()
        return None if row is None else _request(row)

    def rules(self, host: str, scheme: str) -> bytes:
        """See `Ledger.rules`."""
        with storage_errors(self._path):
            text = self._db.execute(RULES, (host, scheme)).get
        if text is None:
            raise StorageError(f"{str(self._path)!r}: the robots.txt of {host} is missing")
        return bytes(text)

    def apply(self, changes: Changes) -> None:
        """See `Ledger.apply`."""
        with transaction(self._db, self._path) as db:
            if changes.born:
                db.executemany(INSERT, _rows(changes))
            if changes.leased:
                db.execute(LEASE, (str(changes.leased),))
            if changes.released:
                db.executemany(RELEASE, [(id,) for id in changes.released])
            if changes.begun:
                db.executemany(BEGIN, [(id,) for id in changes.begun])
            if changes.settled:
                db.executemany(
                    SETTLE,
                    [
                        (s.state, s.reason, s.status, s.at, s.elapsed, s.due, s.id, s.note)
                        for s in changes.settled
                    ],
                )
                tries = [
                    (s.id, s.at, s.elapsed, s.reason, s.status, s.detail)
                    for s in changes.settled
                    if s.at is not None and s.state is not State.DONE
                ]
                db.executemany(TRY, tries)
            if changes.robots:
                db.executemany(ROBOTS, [(n.host, n.scheme, n.at, n.text) for n in changes.robots])
            if changes.rests:
                db.executemany(REST, [(rest.host, rest.until) for rest in changes.rests])
            if changes.traps:
                db.executemany(
                    TRAP, [(t.host, t.family, t.note, t.released) for t in changes.traps]
                )
            if changes.raised:
                db.executemany(
                    RAISE,
                    [
                        (r.request.depth, r.request.hops, r.referrer, r.rank, r.request.id)
                        for r in changes.raised
                    ],
                )

    def flush(self) -> None:
        """Wait until the disk has it all."""
        flush_database(self._db, self._path)

    def close(self) -> None:
        """See `Ledger.close`."""
        close_database(self._db, self._path)

    def _count(self) -> dict[str, int]:
        states = dict(self._db.execute("SELECT state, count(*) FROM urls GROUP BY state"))
        check_states(self._path, states)
        return states

    def _robots(self) -> Iterator[RobotsNote]:
        with storage_errors(self._path):
            for host, scheme, at, text in self._db.execute(NOTES):
                yield RobotsNote(host=host, scheme=scheme, at=at, text=text)

    def _sessions(self) -> Iterator[str]:
        with storage_errors(self._path):
            for (url,) in self._db.execute(SESSIONS):
                yield url

    def _fingerprints(self) -> Iterator[int]:
        with storage_errors(self._path):
            for (mark,) in self._db.execute("SELECT fingerprint FROM urls"):
                if not isinstance(mark, int):
                    raise DamageError(f"{str(self._path)!r} is damaged: {mark!r} marks a URL")
                yield _unsigned(mark)


def check_states(path: Path, states: Iterable[str]) -> None:
    """Raise `DamageError` when a URL is in another state than there are."""
    if unknown := set(states) - set(State):
        raise DamageError(f"{str(path)!r} is damaged: URLs are {', '.join(map(repr, unknown))}")


def decode_meta(path: Path, text: str, type: type[T]) -> T:
    """A note that is JSON. Raises `DamageError` when it is not."""
    try:
        return convert(json.decode(text), type)
    except (DecodeError, ValidationError) as error:
        raise DamageError(f"{str(path)!r} is damaged: {error}") from error


def read_meta(path: Path, key: str) -> str | None:
    """A note about the crawl, from a ledger that somebody else may be writing."""
    with reading_database(path, FORMAT) as db:
        value = db.execute("SELECT value FROM meta WHERE key=?", (key,)).get
    return None if value is None else str(value)


def _request(row: tuple[Any, ...]) -> Request:
    id, url, host, depth, hops, attempts, lost, deaths, referrer, priority, extra, _ = row
    return Request(
        id=id,
        url=url,
        host=host,
        depth=depth,
        hops=hops,
        attempt=attempts + 1,
        lost=lost,
        deaths=deaths,
        referrer=referrer,
        priority=priority,
        extra=extra,
    )


def _rows(changes: Changes) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for born in changes.born:
        link = born.link
        rows.append(
            (
                born.id,
                link.state,
                link.skip,
                link.url,
                link.host,
                link.depth,
                link.hops,
                born.referrer,
                _signed(born.fingerprint),
                link.note,
                link.priority,
                born.rank,
                link.extra,
            )
        )
    return rows


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _unsigned(value: int) -> int:
    return value & 0xFFFF_FFFF_FFFF_FFFF
