"""A crawl's directory: the names in it, and who may use it.

It holds `frontier.db` (the ledger), `pages.db`, `settings.toml` (as run, without secrets),
`log.jsonl` and `lock`.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asyncmultispider.errors import UsageError
from asyncmultispider.frontier.sqlite import APPLICATION_ID as FRONTIER_ID
from asyncmultispider.sqlite import check_database
from asyncmultispider.store.sqlite import APPLICATION_ID as PAGES_ID
from asyncmultispider.urls import host_of

FRONTIER = "frontier.db"
PAGES = "pages.db"
SETTINGS = "settings.toml"
LOG = "log.jsonl"
LOCK = "lock"


def default_directory(seed: str) -> Path:
    """`HOST.crawl` in the working directory."""
    return Path(f"{re.sub(r':[0-9]+$', '', host_of(seed)).strip('[]')}.crawl")


def forget(directory: Path) -> None:
    """Remove a crawl's own files. Raises `UsageError` when it is in use, or not ours."""
    with locked(directory):
        check_database(directory / FRONTIER, FRONTIER_ID)
        check_database(directory / PAGES, PAGES_ID)
        for name in (FRONTIER, PAGES):
            for ending in ("", "-wal", "-shm", "-journal"):
                (directory / (name + ending)).unlink(missing_ok=True)
        for name in (SETTINGS, LOG):
            (directory / name).unlink(missing_ok=True)


def is_running(directory: Path) -> bool:
    """Whether a crawl is at work in the directory."""
    try:
        with (directory / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Make the directory ours alone. The lock ends with the process, however it ends."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / LOCK).open("a")
    except FileExistsError:
        raise UsageError(f"--dir {str(directory)!r} is not a directory") from None
    except OSError as error:
        raise UsageError(f"can't write to --dir {str(directory)!r}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another crawl is running in {str(directory)!r}") from None
        yield
