"""How a folder takes the place of another: under a lock, from the disk, and never half.

A folder grows in `.NAME.part` beside its target, and takes its place when all of it is on the disk.
An old one steps aside as `.NAME.old` for that moment and is removed. A crash between the two steps
leaves both there, and whoever writes next puts the old one back.
"""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ctypes import CDLL, c_int, get_errno
from pathlib import Path

from asyncmultispider.errors import UsageError
from asyncmultispider.outputs.files import MANIFEST, part_of, sync_folder, writing


def check_folder(target: Path) -> None:
    """Raise `UsageError` when there is something at `target` that is not a folder of ours.

    Empty folders are anybody's. Ours hold a manifest, `asyncmultispider.sha256`.
    """
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise UsageError(f"can't write {str(target)!r}: it is no folder")
    try:
        with os.scandir(target) as entries:
            ours = next(entries, None) is None or stat.S_ISREG((target / MANIFEST).lstat().st_mode)
    except FileNotFoundError:
        ours = False
    except PermissionError as error:
        raise UsageError(f"can't write {str(target)!r}: {error.strerror}") from None
    if not ours:
        raise UsageError(
            f"can't replace the folder {str(target)!r}: it was not written by this program "
            f"(it has no {MANIFEST}); name another one"
        )


@contextmanager
def in_place_of(target: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `target` when the block ends well.

    All of it must be on the disk by then (`sync_all`). Raises `UsageError` where it can't be
    written, `StorageError` when that fails; then all is as it was before.
    """
    part, old = part_of(target), target.with_name(f".{target.name}.old")
    with writing(target), alone_in(part):
        _put_back(target, old)
        try:
            yield part
            _swap(part, target, old)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            with suppress(OSError):
                _put_back(target, old)
            raise


@contextmanager
def alone_in(part: Path) -> Iterator[None]:
    """Make a folder, empty, and hold a lock on it until the block ends.

    Raises `BlockingIOError` when another process has it.
    """
    descriptor = _open_alone(part)
    try:
        _empty(part)  # of a process that was killed
        yield
    finally:
        os.close(descriptor)


def _open_alone(part: Path) -> int:
    while True:
        with suppress(FileExistsError):
            part.mkdir()
        with ExitStack() as stack:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(part, flags)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):  # who had it has just renamed it
                if os.path.samestat(os.fstat(descriptor), part.lstat()):
                    stack.pop_all()
                    return descriptor


def _empty(folder: Path) -> None:
    for entry in list(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _put_back(target: Path, old: Path) -> None:
    """After a crash in the middle of a swap, the old folder is the one that counts."""
    if old.is_dir() and not old.is_symlink():
        if os.path.lexists(target):
            shutil.rmtree(old)
        else:
            old.rename(target)


def _swap(part: Path, target: Path, old: Path) -> None:
    try:
        mode = stat.S_IMODE(target.lstat().st_mode)
    except FileNotFoundError:
        part.rename(target)
    else:
        part.chmod(mode)  # who may read it stays as it was
        target.rename(old)
        part.rename(target)
    sync_folder(target.parent)
    # What can't be removed now will be when it is written next.
    shutil.rmtree(old, ignore_errors=True)


def sync_all(folder: Path) -> None:
    """Wait until the disk has all files in it, and whatever else its file system has to write.

    For a million files to be waited for one by one takes hours; this takes one call.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        syncfs = getattr(CDLL(None, use_errno=True), "syncfs", None)  # Linux; reports errors
        if syncfs is None:
            os.sync()
        elif syncfs(c_int(descriptor)) != 0:
            code = get_errno() or errno.EIO
            raise OSError(code, os.strerror(code))
    finally:
        os.close(descriptor)
