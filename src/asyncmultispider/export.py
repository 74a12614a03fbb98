"""Writing what a crawl stored to other formats."""

import fcntl
import json as any_text
import os
import re
import stat
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from msgspec import Raw, Struct, convert, json, structs

from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.page.content import decode_text
from asyncmultispider.store.sqlite import StoredPage, read_items, read_pages

OUTPUTS = "outputs"
"""The note in the ledger that lists what the last run wrote."""
LONGEST_NAME = 255
"""Bytes of a file's name, on most file systems."""
# In UTF-8: DEL, C1 controls, and what breaks lines, turns their direction or has no width.
_HARMFUL = re.compile(
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)


class Exported(Struct, frozen=True, kw_only=True):
    """A file as it was written. `path` is absolute; `sha256` is of its `bytes`, in hex."""

    path: str
    lines: int
    bytes: int
    sha256: str


def listing(outputs: Sequence[Exported]) -> str:
    """The outputs as a note for the ledger."""
    # The name of a file may be no Unicode: this encoder can write it all the same.
    return any_text.dumps([structs.asdict(output) for output in outputs])


def listed(note: str) -> list[Exported]:
    """The outputs of such a note. Raises `ValueError` when it is none."""
    return convert(any_text.loads(note), list[Exported])


def check_target(target: str, directory: Path | None = None) -> Path:
    """Where to write, if that can be done. Raises `UsageError` if not.

    The crawl directory may not be made yet.
    """
    path = Path(os.path.realpath(target))  # a link that the user named may lead elsewhere
    if path.suffix != ".jsonl":
        raise UsageError(f"can't tell the format of {target!r}: it must end in .jsonl")
    if len(os.fsencode(_part(path).name)) > LONGEST_NAME:
        raise UsageError(f"can't write {target!r}: its name is too long")
    if path.exists() and not path.is_file():
        raise UsageError(f"can't write {target!r}: it is no file")
    to_be_made = directory is not None and path.parent == Path(os.path.realpath(directory))
    if not to_be_made and not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"can't write {target!r}: {str(path.parent)!r} is no folder to write in")
    return path


def harmless(line: bytes) -> bytes:
    """The same JSON, with nothing in it that breaks a line, or moves or changes a terminal."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _HARMFUL.sub(lambda char: b"\\u%04x" % ord(char[0].decode()), line)


def export_jsonl(pages_db: Path, target: Path) -> Exported:
    """Write the items, or the pages where there are none, as JSON lines.

    The file appears whole or not at all, on the disk too. A page's text is in `body`, decoded; what
    is not text is in `body_base64`; `unverified` is there, and true, where the certificate was not
    verified. An item has the URL it came from in `url` beside its own fields in `item`.
    Raises `UsageError` where it can't be written, `StorageError` when that fails.
    """
    try:
        with _replacing(target) as file:
            return _write(_lines(pages_db), file, target)
    except BlockingIOError:
        raise UsageError(f"another process is writing {str(target)!r}") from None
    except (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"can't write {str(target)!r}: {error.strerror}") from None
    except OSError as error:
        raise StorageError(f"can't write {str(target)!r}: {error.strerror}") from error


def _write(lines: Iterable[bytes], file: BinaryIO, target: Path) -> Exported:
    count, digest = 0, sha256()
    for text in lines:
        line = harmless(text) + b"\n"
        file.write(line)
        digest.update(line)
        count += 1
    path = str(target.absolute())
    return Exported(path=path, lines=count, bytes=file.tell(), sha256=digest.hexdigest())


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `target` when the block ends well."""
    part = _part(target)
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
    _sync_folder(target.parent)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


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


def _sync_folder(folder: Path) -> None:
    with suppress(PermissionError):  # one may write there, but not read
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lines(pages_db: Path) -> Iterator[bytes]:
    items = False
    for url, data in read_items(pages_db):
        items = True
        yield json.encode({"url": url, "item": Raw(data.encode())})
    if not items:
        yield from map(_page_line, read_pages(pages_db))


def _page_line(page: StoredPage) -> bytes:
    fields: dict[str, object] = structs.asdict(page)
    del fields["body"]
    if not page.unverified:
        del fields["unverified"]
    fields["headers"] = Raw(page.headers.encode())
    fields["digest"] = page.digest.hex()
    if page.charset or (page.content_type or "").startswith("text/"):
        fields["body"] = decode_text(page.body, page.charset)[0]
    else:
        fields["body_base64"] = b64encode(page.body).decode()
    return json.encode(fields)
