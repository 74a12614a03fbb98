"""Opening our SQLite files: one writer, write-ahead log, a format that is checked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ctypes import addressof, c_int
from pathlib import Path
from urllib.parse import quote

import apsw
from msgspec import Struct

from asyncmultispider.errors import DamageError, StorageError, UsageError

MAGIC = b"SQLite format 3\0"
ID_AT = slice(68, 72)
"""Where a file of SQLite has its application id, big-endian."""
LOG_PAGES = 1000
"""Pages in the log from which on they are brought home to the file."""

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
    check_database(path, format)
    if format.checked:
        _check_sound(path)  # before it is opened for writing
    db = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        with storage_errors(path):
            db.set_busy_timeout(PATIENCE)
            version = _version(db, path, format)
            db.pragma("page_size", format.page_size)
            db.pragma("cache_size", -16_000)  # kilobytes; 2,000 is too few for our indexes
            if version != format.version:
                # Before there is a log beside the file: its head tells what it is.
                _make(db, format, version)
            db.pragma("journal_mode", "wal")
            db.pragma("synchronous", "full" if durable else "normal")
            db.pragma("fullfsync", durable)  # macOS: else the disk's own cache may keep it
            db.set_wal_hook(_bring_home)
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
        with suppress(apsw.Error):  # of what matters, `flush_database` has told
            db.pragma("journal_mode", "delete")
        db.close()


def flush_database(db: apsw.Connection, path: Path) -> None:
    """Wait until the disk has all that was committed. Raises `StorageError` when that fails."""
    with storage_errors(path), suppress(apsw.BusyError, apsw.FullError):
        db.wal_checkpoint()


@contextmanager
def transaction(db: apsw.Connection, path: Path) -> Iterator[apsw.Connection]:
    """Write all that the block writes, or nothing and raise `StorageError`."""
    moved = c_int()
    with storage_errors(path):
        db.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, addressof(moved))
        if moved:
            raise DamageError(f"{str(path)!r} was removed or replaced while it was in use")
        with db:
            yield db


def read_database(path: Path, format: Format) -> apsw.Connection:
    """Open a database of ours for reading, also while a crawl is writing it."""
    if not path.is_file():
        raise UsageError(f"no crawl in {str(path.parent)!r}: it has no {path.name}")
    check_database(path, format)
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


@contextmanager
def reading_database(path: Path, format: Format) -> Iterator[apsw.Connection]:
    """The same, for as long as the block runs; errors in it are mapped as well."""
    db = read_database(path, format)
    try:
        with storage_errors(path):
            yield db
    finally:
        db.close()


def check_database(path: Path, format: Format) -> None:
    """Raise `UsageError` when there is a file at `path` that is not a database of ours."""
    # SQLite is not let near it before: to read a file it may change it, and finish what another
    # program has begun in a log or a journal beside it.
    head = _head(path)
    if not head or head[ID_AT] == format.application_id.to_bytes(4):
        return
    if head[: len(MAGIC)] != MAGIC or head[ID_AT] != bytes(4):
        raise _foreign(path)
    _look(path, format, immutable=True)
    if path.with_name(f"{path.name}-journal").exists():
        raise _foreign(path)
    if path.with_name(f"{path.name}-wal").exists():  # an older version of us began in the log
        _look(path, format)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Map SQLite's errors at the border."""
    try:
        yield
    except apsw.Error as error:
        # The last error may be that of a rollback that SQLite had made itself.
        first: BaseException = error
        while isinstance(first.__context__, apsw.Error):
            first = first.__context__
        if isinstance(first, apsw.CorruptError | apsw.NotADBError):
            raise DamageError(f"{str(path)!r} is damaged: {first}") from error
        raise StorageError(f"{str(path)!r}: {first}{_which(first)}") from error
    except UnicodeDecodeError as error:
        raise DamageError(f"{str(path)!r} is damaged: {error}") from error


def _make(db: apsw.Connection, format: Format, version: int | None) -> None:
    with db:
        for older in range(version or format.version, format.version):
            db.execute(format.upgrades[older])
        db.pragma("application_id", format.application_id)
        db.pragma("user_version", format.version)
        db.execute(format.schema)


def _which(error: BaseException) -> str:
    # "disk I/O error" alone does not say what failed.
    name = apsw.mapping_extended_result_codes.get(getattr(error, "extendedresult", 0))
    return f" ({name})" if isinstance(name, str) else ""


def _foreign(path: Path) -> UsageError:
    return UsageError(f"{str(path)!r} is not a file of this program; it was left as it is")


def _head(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would keep us waiting
            raise _foreign(path)
        with path.open("rb") as file:
            return file.read(100)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StorageError(f"{str(path)!r}: {error.strerror}") from error


def _check_sound(path: Path) -> None:
    if not _head(path) or path.with_name(f"{path.name}-journal").exists():
        return  # what it holds will be known when it is opened for writing
    db = _connect(path, apsw.SQLITE_OPEN_READONLY)
    try:
        with storage_errors(path):
            db.set_busy_timeout(PATIENCE)
            if db.execute("PRAGMA quick_check(1)").get != "ok":
                raise apsw.CorruptError("pages of it make no sense")
    except DamageError as error:
        raise UsageError(
            f"{error}; it was left as it is: bring back a copy of it, or forget it with --fresh"
        ) from None
    finally:
        db.close()


def _look(path: Path, format: Format, *, immutable: bool = False) -> None:
    db = _connect(path, apsw.SQLITE_OPEN_READONLY, immutable=immutable)
    try:
        with storage_errors(path):
            _version(db, path, format)
    finally:
        db.close()


def _bring_home(db: apsw.Connection, name: str, pages: int) -> int:
    # SQLite does the same by itself, but says nothing when it fails.
    if pages >= LOG_PAGES:
        with suppress(apsw.BusyError):
            db.wal_checkpoint(name)
    return apsw.SQLITE_OK


def _connect(path: Path, flags: int, *, immutable: bool = False) -> apsw.Connection:
    name = str(path)
    if immutable:
        name, flags = f"file:{quote(name)}?immutable=1", flags | apsw.SQLITE_OPEN_URI
    try:
        with storage_errors(path):
            return apsw.Connection(name, flags=flags)
    except UnicodeEncodeError:
        raise UsageError(f"{str(path)!r} can't be used: its name is not UTF-8") from None


def _version(db: apsw.Connection, path: Path, format: Format) -> int | None:
    """Of what is in the file; None: nothing yet. Raises `UsageError` when it is not for us."""
    found, version = db.pragma("application_id"), db.pragma("user_version")
    empty = db.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if empty and not found:
        return None
    if found != format.application_id:
        raise _foreign(path)
    if version != format.version and version not in format.upgrades:
        raise UsageError(
            f"{str(path)!r} has format {version}, this program reads format {format.version}: "
            "use the version that wrote it, or another --dir"
        )
    return None if empty else int(version)
