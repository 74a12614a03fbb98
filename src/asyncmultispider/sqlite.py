"""Opening our SQLite files: one writer, write-ahead log, a format that is checked."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from asyncmultispider.errors import StorageError, UsageError

FORMAT = 1
"""The version of our files' tables, kept in `PRAGMA user_version`."""
PATIENCE = 60_000
"""Milliseconds to wait for other processes that write the same file, on a slow disk too."""


def open_database(
    path: Path,
    application_id: int,
    schema: str,
    *,
    page_size: int = 4096,
    durable: bool = False,
) -> apsw.Connection:
    """Open or make a database of ours for writing.

    A crash of ours undoes no commit. A power cut may undo the last ones, in order, unless
    `durable`: then each commit waits for the disk.
    Raises `UsageError` when the file is not ours, `StorageError` when it can't be written.
    """
    db = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        with storage_errors(path):
            db.set_busy_timeout(PATIENCE)
            _check(db, path, application_id)
            db.pragma("page_size", page_size)
            db.pragma("cache_size", -16_000)  # kilobytes; 2,000 is too few for our indexes
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full" if durable else "normal")
            with db:
                db.pragma("application_id", application_id)
                db.pragma("user_version", FORMAT)
                db.execute(schema)
    except BaseException:
        db.close()
        raise
    return db


def close_database(db: apsw.Connection, path: Path) -> None:
    """Close a database of ours, as one plain file that can be read in a read-only place, too.

    Where that can't be done, because somebody reads it or the disk is full, the log stays beside
    it. Idempotent.
    """
    with storage_errors(path):
        with suppress(apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ConnectionClosedError):
            db.pragma("journal_mode", "delete")
        db.close()


def read_database(path: Path, application_id: int) -> apsw.Connection:
    """Open a database of ours for reading, also while a crawl is writing it."""
    if not path.is_file():
        raise UsageError(f"no crawl in {str(path.parent)!r}: it has no {path.name}")
    db = _connect(path, apsw.SQLITE_OPEN_READONLY)
    try:
        with storage_errors(path):
            db.set_busy_timeout(PATIENCE)
            if not _check(db, path, application_id):
                raise UsageError(f"no crawl in {str(path.parent)!r}: its {path.name} is empty")
    except BaseException:
        db.close()
        raise
    return db


def check_database(path: Path, application_id: int) -> None:
    """Raise `UsageError` when there is a file at `path` that is not a database of ours."""
    if path.exists():
        db = _connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            with storage_errors(path):
                _check(db, path, application_id)
        finally:
            db.close()


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Map SQLite's errors at the border."""
    try:
        yield
    except apsw.NotADBError:
        raise UsageError(
            f"{str(path)!r} is not a file of this program; it was left as it is"
        ) from None
    except apsw.Error as error:
        raise StorageError(f"{str(path)!r}: {error}") from error


def _connect(path: Path, flags: int) -> apsw.Connection:
    try:
        with storage_errors(path):
            return apsw.Connection(str(path), flags=flags)
    except UnicodeEncodeError:
        raise UsageError(f"{str(path)!r} can't be used: its name is not UTF-8") from None


def _check(db: apsw.Connection, path: Path, application_id: int) -> bool:
    """Whether it holds anything yet. Raises `UsageError` when what it holds is not ours."""
    found, version = db.pragma("application_id"), db.pragma("user_version")
    empty = db.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if empty and not found:
        return False
    if found != application_id:
        raise UsageError(f"{str(path)!r} is not a file of this program; it was left as it is")
    if version != FORMAT:
        raise UsageError(
            f"{str(path)!r} has format {version}, this program reads format {FORMAT}: "
            "use the version that wrote it, or another --dir"
        )
    return not empty
