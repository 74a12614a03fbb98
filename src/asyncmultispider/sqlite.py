"""Opening our SQLite files: one writer, write-ahead log, a format that is checked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
from msgspec import Struct

from asyncmultispider.errors import DamageError, StorageError, UsageError

PATIENCE = 120_000
"""Milliseconds to wait for other processes that write the same file, on a slow disk too.

A worker may be stopped while it writes: it must be found silent, and killed, before this is over.
"""


class Format(Struct, frozen=True, kw_only=True):
    """What tells one kind of our files from another, and its tables at this `version`.

    `upgrades` lead from an older version to the next. The version is in `PRAGMA user_version`.
    With `checked` all of a file is looked through before it is opened for writing: some 0.2 s for
    a million rows.
    """

    application_id: int
    version: int
    schema: str
    upgrades: Mapping[int, str] = {}
    page_size: int = 4096
    checked: bool = False


def open_database(path: Path, format: Format, *, durable: bool = False) -> apsw.Connection:
    """Open, make or upgrade a database of ours for writing.

    A crash of ours undoes no commit. A power cut may undo the last ones, in order, unless
    `durable`: then each commit waits for the disk.
    Raises `UsageError` when the file is not ours, `StorageError` when it can't be written.
    """
    check_database(path, format)  # before it is opened for writing
    db = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        with storage_errors(path):
            db.set_busy_timeout(PATIENCE)
            version = _version(db, path, format)
            db.pragma("page_size", format.page_size)
            db.pragma("cache_size", -16_000)  # kilobytes; 2,000 is too few for our indexes
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full" if durable else "normal")
            db.pragma("fullfsync", durable)  # macOS: else the disk's own cache may keep it
            with db:
                for older in range(version or format.version, format.version):
                    db.execute(format.upgrades[older])
                db.pragma("application_id", format.application_id)
                db.pragma("user_version", format.version)
                db.execute(format.schema)
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


def read_database(path: Path, format: Format) -> apsw.Connection:
    """Open a database of ours for reading, also while a crawl is writing it."""
    if not path.is_file():
        raise UsageError(f"no crawl in {str(path.parent)!r}: it has no {path.name}")
    db = _connect(path, apsw.SQLITE_OPEN_READONLY)
    try:
        with storage_errors(path):
            db.set_busy_timeout(PATIENCE)
            version = _version(db, path, format)
            if version is None:
                raise UsageError(f"no crawl in {str(path.parent)!r}: its {path.name} is empty")
            if version < format.version:
                raise UsageError(
                    f"{str(path)!r} has format {version}, this program reads format "
                    f"{format.version}: it is upgraded when the crawl is continued"
                )
    except BaseException:
        db.close()
        raise
    return db


def check_database(path: Path, format: Format) -> None:
    """Raise `UsageError` when the file at `path` is not a database of ours, or is damaged."""
    if path.exists():
        db = _connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            with storage_errors(path):
                db.set_busy_timeout(PATIENCE)
                _version(db, path, format)
                if format.checked and db.execute("PRAGMA quick_check(1)").get != "ok":
                    raise apsw.CorruptError("pages of it make no sense")
        except DamageError as error:
            raise UsageError(
                f"{error}; it was left as it is: bring back a copy of it, or use another --dir"
            ) from None
        finally:
            db.close()


def is_ours(path: Path, format: Format) -> bool:
    """Whether the file says that it is one of ours, however damaged it is, or there is none."""
    # https://www.sqlite.org/fileformat.html, section 1.3: the application id is at offset 68.
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return True
    ours = format.application_id.to_bytes(4)
    return not head or (head.startswith(b"SQLite format 3\0") and head[68:72] == ours)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Map SQLite's errors at the border."""
    try:
        yield
    except apsw.NotADBError:
        raise UsageError(
            f"{str(path)!r} is not a file of this program; it was left as it is"
        ) from None
    except apsw.CorruptError as error:
        raise DamageError(f"{str(path)!r} is damaged: {error}") from error
    except apsw.Error as error:
        raise StorageError(f"{str(path)!r}: {error}") from error


def _connect(path: Path, flags: int) -> apsw.Connection:
    try:
        with storage_errors(path):
            return apsw.Connection(str(path), flags=flags)
    except UnicodeEncodeError:
        raise UsageError(f"{str(path)!r} can't be used: its name is not UTF-8") from None


def _version(db: apsw.Connection, path: Path, format: Format) -> int | None:
    """Of what is in the file; None: nothing yet. Raises `UsageError` when it is not for us."""
    found, version = db.pragma("application_id"), db.pragma("user_version")
    empty = db.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if empty and not found:
        return None
    if found != format.application_id:
        raise UsageError(f"{str(path)!r} is not a file of this program; it was left as it is")
    if version != format.version and version not in format.upgrades:
        raise UsageError(
            f"{str(path)!r} has format {version}, this program reads format {format.version}: "
            "use the version that wrote it, or another --dir"
        )
    return None if empty else int(version)
