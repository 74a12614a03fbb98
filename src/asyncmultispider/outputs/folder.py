"""Folders of files for URLs, with a list of what is in them.

Names of files come from `names`, and how a folder appears is in `swap`.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from asyncmultispider.errors import UsageError
from asyncmultispider.outputs.base import Exported
from asyncmultispider.outputs.files import MANIFEST
from asyncmultispider.outputs.names import candidates
from asyncmultispider.outputs.swap import check_folder, in_place_of, sync_all
from asyncmultispider.sqlite import Format, open_database, storage_errors

MOST_HOPS = 10
"""Redirects that lead to a file."""
_SCRATCH = ".scratch.db"
_FORMAT = Format(
    application_id=0x414D5346,  # "AMSF"
    version=1,
    schema="""
CREATE TABLE urls(url TEXT PRIMARY KEY, ending TEXT, leads TEXT) WITHOUT ROWID;
CREATE TABLE names(url TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
CREATE TABLE files(folded TEXT PRIMARY KEY, name TEXT, sha256 TEXT, size INTEGER) WITHOUT ROWID;
CREATE TABLE old(name TEXT PRIMARY KEY) WITHOUT ROWID;
""",
)
_CLAIM = "INSERT OR IGNORE INTO files(folded, name) VALUES(?, ?) RETURNING name"
_NAMELESS = "SELECT url, ending FROM urls WHERE ending NOT NULL ORDER BY url"
_FOUND = "SELECT name, leads FROM urls LEFT JOIN names USING(url) WHERE url = ?"
_WRITTEN = "UPDATE files SET sha256 = ?, size = ? WHERE folded = ?"
_SUMS = "SELECT sha256, name, size FROM files WHERE sha256 NOT NULL ORDER BY name"


class Folder:
    """A folder in the making. It remembers in a file, not in memory, what is in it."""

    def __init__(self, part: Path, own: Iterable[str]) -> None:
        self._part = part
        self._scratch = part / _SCRATCH
        self._made = {""}
        self._db = open_database(self._scratch, _FORMAT)
        with storage_errors(self._scratch):
            for setting, value in (("journal_mode", "off"), ("synchronous", "off")):
                self._db.pragma(setting, value)  # nobody will ever read what a crash leaves of it
            self._db.pragma("cache_size", -32_000)  # kilobytes
            self._db.execute("BEGIN")
            for name in own:
                self._claim([name])

    def expect(self, url: str, ending: str) -> None:
        """A file for this URL will come. `ending` is that of its name, without a dot."""
        with storage_errors(self._scratch):
            self._db.execute("INSERT OR REPLACE INTO urls(url, ending) VALUES(?, ?)", (url, ending))

    def redirect(self, url: str, leads: str) -> None:
        """There is no file for this URL, but perhaps for the one that it leads to."""
        with storage_errors(self._scratch):
            self._db.execute("INSERT OR REPLACE INTO urls(url, leads) VALUES(?, ?)", (url, leads))

    def name_all(self) -> None:
        """Give names to all that are expected, in the order of their URLs: the same each time."""
        with storage_errors(self._scratch):
            for url, ending in self._db.execute(_NAMELESS):
                name = self._claim(candidates(url, ending))
                self._db.execute("INSERT INTO names VALUES(?, ?)", (url, name))

    def find(self, url: str) -> str | None:
        """The name of the file for a URL, or for the one that it leads to in the end; or None."""
        with storage_errors(self._scratch):
            for _ in range(MOST_HOPS):
                name, leads = self._db.execute(_FOUND, (url,)).fetchone() or (None, None)
                if leads is None:
                    break
                url = leads
        return name  # of the last

    def write(self, name: str, data: bytes) -> None:
        """Write a file, once, under a name that `find` told, or one of its own."""
        folder = name.rpartition("/")[0]
        if folder not in self._made:
            self._make(folder)
        # Whoever has put something there meanwhile must not have it written through.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(f"{self._part}/{name}", flags, 0o666)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        digest = sha256(data).hexdigest()
        with storage_errors(self._scratch):
            self._db.execute(_WRITTEN, (digest, len(data), name.lower()))

    def finish(self) -> tuple[int, str]:
        """Write the manifest and wait for the disk: the bytes of all files, the manifest's SHA-256.

        A line of the manifest is as of `sha256sum`: SHA-256, two blanks, name, in their order.
        """
        whole, total = sha256(), 0
        with (self._part / MANIFEST).open("xb") as file:
            with storage_errors(self._scratch):
                for digest, name, size in self._db.execute(_SUMS):
                    line = f"{digest}  {name}\n".encode()
                    file.write(line)
                    whole.update(line)
                    total += size
        self.close()
        for path in self._part.glob(f"{_SCRATCH}*"):
            path.unlink()
        sync_all(self._part)
        return total, whole.hexdigest()

    def check_replaceable(self, target: Path) -> None:
        """Raise `UsageError` when the target has a file that its manifest does not name."""
        check_folder(target)
        if not target.is_dir():
            return
        with storage_errors(self._scratch), suppress(FileNotFoundError):
            with (target / MANIFEST).open("rb") as file:
                for line in file:
                    name = line.rstrip(b"\n").partition(b"  ")[2].decode(errors="replace")
                    self._db.execute("INSERT OR IGNORE INTO old VALUES(?)", (name,))
            self._db.execute("INSERT OR IGNORE INTO old VALUES(?)", (MANIFEST,))
            for name in _names_in(target):
                if self._db.execute("SELECT 1 FROM old WHERE name = ?", (name,)).get is None:
                    raise UsageError(
                        f"can't replace {str(target)!r}: it holds {name!r}, which was not written "
                        "with it: move that away, or write to another folder"
                    )
            self._db.execute("DELETE FROM old")

    def close(self) -> None:
        """Forget what is remembered."""
        with storage_errors(self._scratch):
            self._db.close()

    def _claim(self, names: Iterable[str]) -> str:
        """The first of these names that no other file has, also where case does not count."""
        for name in names:
            if self._db.execute(_CLAIM, (name.lower(), name)).fetchone():
                return name
        raise AssertionError("two URLs with one hash")

    def _make(self, folder: str) -> None:
        (self._part / folder).mkdir(parents=True, exist_ok=True)
        if len(self._made) > 100_000:
            self._made = {""}
        self._made.add(folder)


@contextmanager
def replacing_folder(target: Path, *own: str) -> Iterator[Folder]:
    """A folder that takes the place of `target` when the block ends, after `exported`.

    `own` are names of files in it beside those for URLs. Raises `UsageError` where it can't be
    written or somebody's files would be lost, `StorageError` when writing fails; then all is as it
    was before.
    """
    with in_place_of(target) as part:
        folder = Folder(part, own)
        try:
            folder.check_replaceable(target)
            yield folder
        finally:
            folder.close()


def exported(target: Path, folder: Folder, lines: int) -> Exported:
    """End a folder and say what is in it. `lines` is the number of its pages."""
    total, digest = folder.finish()
    path = str(target.absolute())
    return Exported(path=path, lines=lines, bytes=total, sha256=digest, folder=True)


def _names_in(folder: Path) -> Iterator[str]:
    """All but folders in it, as names relative to it. Links are not followed."""
    left = [""]
    while left:
        inner = left.pop()
        with os.scandir(folder / inner) as entries:
            for entry in entries:
                name = f"{inner}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    left.append(f"{name}/")
                else:
                    yield os.fsencode(name).decode(errors="replace")
