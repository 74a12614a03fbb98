"""Files that appear whole or not at all, on the disk too, and what is known of them afterwards."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.outputs.base import Exported

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LONGEST_NAME = 255
"""Bytes of a file's name, on most file systems."""
MANIFEST = "asyncmultispider.sha256"
"""In a folder that we wrote, the list of its other files, for `sha256sum -c`."""
BLOCK = 2**18
"""Bytes that are written, or read, at once."""


def write_file(target: Path, fill: Callable[["Hashed"], int]) -> Exported:
    """Write a file with `fill`, which gets it open and returns the number of its records.

    Raises `UsageError` where it can't be written, `StorageError` when that fails.
    """
    with writing(target), replacing(target) as file:
        hashed = Hashed(file)
        lines = fill(hashed)
        return Exported(
            path=str(target.absolute()), lines=lines, bytes=hashed.bytes, sha256=hashed.hexdigest()
        )


class Hashed(RawIOBase):
    """Writes to a file from its start, and knows how many `bytes` that were and their SHA-256."""

    def __init__(self, file: BinaryIO) -> None:
        self.bytes = 0
        self._file = file
        self._digest = sha256()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write it all."""
        size = memoryview(data).nbytes
        self._file.write(data)
        self._digest.update(data)
        self.bytes += size
        return size

    def tell(self) -> int:
        """How many bytes were written."""
        return self.bytes

    def hexdigest(self) -> str:
        """The SHA-256 of what was written so far."""
        return self._digest.hexdigest()


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Map the errors of writing `target`: `UsageError` where that can't be, else `StorageError`."""
    try:
        yield
    except BlockingIOError:
        raise UsageError(f"another process is writing {str(target)!r}") from None
    except (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"can't write {str(target)!r}: {error.strerror}") from None
    except OSError as error:
        raise StorageError(f"can't write {str(target)!r}: {error.strerror or error}") from error


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `target` when the block ends well."""
    part = part_of(target)
    with _open_alone(part) as file:
        try:
            yield file
            file.flush()
            with suppress(FileNotFoundError):  # who may read it stays as it was
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            os.fsync(file.fileno())
            part.replace(target)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    sync_folder(target.parent)


def part_of(target: Path) -> Path:
    """Where a file is while it is not whole."""
    return target.with_name(f".{target.name}.part")


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in it."""
    with suppress(PermissionError):  # one may write there, but not read
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Manifest(Struct, frozen=True, kw_only=True):
    """What is in a folder: its `files`, the sum of their `bytes`, and `sha256` as in `Exported`."""

    files: int
    bytes: int
    sha256: str


def read_manifest(folder: Path) -> Manifest:
    """What is in a folder now. Raises `ValueError` for what is neither a file nor a folder.

    Names are relative to it, in the order of their bytes. `MANIFEST` is left out: it lists them.
    """
    listed = (path for path in _files(folder) if path != folder / MANIFEST)
    found = sorted((os.fsencode(path.relative_to(folder)), path) for path in listed)
    whole, total = sha256(), 0
    for name, path in found:
        digest, size = sum_file(path)
        whole.update(f"{digest}  ".encode() + name + b"\n")
        total += size
    return Manifest(files=len(found), bytes=total, sha256=whole.hexdigest())


def sum_file(path: Path) -> tuple[str, int]:
    """The SHA-256 of a file, in hex, and its bytes."""
    digest, size = sha256(), 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def _files(folder: Path) -> Iterator[Path]:
    left = [folder]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    left.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
                else:
                    raise ValueError(f"{entry.path!r} is neither a file nor a folder")


def _open_alone(part: Path) -> BinaryIO:
    """Make it, and lock it: what another process is writing there is not ours to rename."""
    # Not blocking: somebody may have put a pipe there, which nobody will ever read.
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        with ExitStack() as stack:
            file = stack.enter_context(os.fdopen(os.open(part, flags, 0o666), "wb"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = _is_at(part, file)
            if ours and not file.seek(0, os.SEEK_END):
                stack.pop_all()
                return file
            if ours:  # of a process that was killed
                part.unlink()


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False
