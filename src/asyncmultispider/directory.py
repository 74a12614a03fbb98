"""A crawl's directory: the names in it, and who may use it.

It holds `frontier.db` (the ledger), `pages.db`, `settings.toml` (as run, without secrets),
`log.jsonl` and `lock`.
"""

import fcntl
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import FileIO
from multiprocessing import reduction
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from weakref import WeakSet

from msgspec import DecodeError, Struct, json

from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.frontier.sqlite import FORMAT as FRONTIER_FORMAT
from asyncmultispider.sqlite import check_database
from asyncmultispider.store.sqlite import FORMAT as PAGES_FORMAT
from asyncmultispider.urls import host_of

FRONTIER = "frontier.db"
PAGES = "pages.db"
SETTINGS = "settings.toml"
LOG = "log.jsonl"
LOCK = "lock"
PATIENCE = 10.0
"""Seconds for the worker processes of a crawl that was killed to end."""
SOON = 0.02
"""Seconds between two tries to get a lock."""


class Owner(Struct, frozen=True, kw_only=True):
    """Who is at work in a directory. `since` is in ISO 8601."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class Lock:
    """A directory is ours alone while a process has this: the one that locked it, and those that
    are given it when they are started. `killed` had it before, and did not live to let go: until
    `settle` is called, the next to lock the directory will hear of it, too.

    What is locked is the directory itself, not a file in it that anybody may remove.
    """

    def __init__(self, descriptor: int, killed: Owner | None = None) -> None:
        self.killed = killed
        self.settled = killed is None
        self._descriptor = descriptor
        _LOCKS.add(self)

    def settle(self) -> None:
        """What the killed one had in hand is seen to."""
        self.settled = True

    def close(self) -> None:
        """Have it no more. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __reduce__(self) -> tuple[Callable[[Any], "Lock"], tuple[object]]:
        return _passed_on, (reduction.DupFd(self._descriptor),)


def _passed_on(descriptor: Any) -> Lock:
    number = descriptor.detach()
    os.set_inheritable(number, False)
    return Lock(number)


_LOCKS: WeakSet[Lock] = WeakSet()


def _let_go() -> None:
    # What a handler forks is no part of the crawl.
    for lock in list(_LOCKS):
        lock.close()


os.register_at_fork(after_in_child=_let_go)


def default_directory(seed: str) -> Path:
    """`HOST.crawl` in the working directory."""
    return Path(f"{re.sub(r':[0-9]+$', '', host_of(seed)).strip('[]')}.crawl")


def forget(directory: Path) -> None:
    """Remove a crawl's own files. Raises `UsageError` when it is in use, or not ours."""
    with locked(directory) as lock:
        for name, format in ((FRONTIER, FRONTIER_FORMAT), (PAGES, PAGES_FORMAT)):
            check_database(directory / name, format)  # what is ours may go, damaged as well
        for name in (PAGES, FRONTIER):  # pages without a ledger would be refused
            for ending in ("", "-wal", "-shm", "-journal"):
                (directory / (name + ending)).unlink(missing_ok=True)
        for name in (SETTINGS, LOG):
            (directory / name).unlink(missing_ok=True)
        lock.settle()


def is_running(directory: Path) -> bool:
    """Whether a crawl is at work in the directory."""
    try:
        descriptor = _open(directory)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked(directory: Path) -> Iterator[Lock]:
    """Make the directory ours alone. The lock ends with the process, however it ends.

    Raises `UsageError` when somebody else has it, `StorageError` when it can't be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = Lock(_open(directory))
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"--dir {str(directory)!r} is not a directory") from None
    except OSError as error:
        raise UsageError(f"can't use --dir {str(directory)!r}: {error.strerror}") from None
    with closing(lock):
        _acquire(lock, directory)
        with _signed(lock, directory):
            yield lock


def _open(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def _signed(lock: Lock, directory: Path) -> Iterator[None]:
    """Leave our name in the file while we have the lock."""
    # It is written to: never follow a link that leads out of the directory.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = FileIO(os.open(directory / LOCK, flags, 0o666), "r+")
    except OSError as error:
        raise UsageError(f"can't write to --dir {str(directory)!r}: {error.strerror}") from None
    with file:
        lock.killed = owner(directory)
        lock.settled = lock.killed is None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        me = Owner(pid=os.getpid(), host=socket.gethostname(), since=now)
        _write(file, directory, json.encode(me))
        try:
            yield
        finally:
            _write(file, directory, b"" if lock.settled else json.encode(lock.killed))


def owner(directory: Path) -> Owner | None:
    """Who locked the directory last, and is at work or was killed at it."""
    try:
        text = (directory / LOCK).read_bytes() if (directory / LOCK).is_file() else b""
        return json.decode(text, type=Owner)
    except (OSError, DecodeError):
        return None


def _acquire(lock: Lock, directory: Path) -> None:
    deadline = monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = owner(directory)
        except OSError as error:
            raise UsageError(f"can't lock --dir {str(directory)!r}: {error.strerror}") from None
        if (holder is not None and _lives(holder)) or monotonic() > deadline:
            who = f" ({holder})" if holder else ""
            raise UsageError(f"another crawl is running in {str(directory)!r}{who}: stop it first")
        sleep(SOON)  # its worker processes are about to end, or somebody asked `is_running`


def _lives(owner: Owner) -> bool:
    if owner.host != socket.gethostname():
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _is_zombie(owner.pid)


def _is_zombie(pid: int) -> bool:
    """Whether it is dead, and its parent (a container's first process, say) does not look."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(") ")[2].startswith("Z")


def _write(file: FileIO, directory: Path, text: bytes) -> None:
    try:
        file.seek(0)
        file.write(text)  # first: where the disk is full, the old name stays
        file.truncate()
    except OSError as error:
        raise StorageError(f"{str(directory / LOCK)!r}: {error.strerror}") from error
