"""Reading back what was stored of one URL, again and again, while others write the store."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import apsw
import zstandard
from msgspec import Struct

from asyncmultispider.errors import DamageError, StorageError
from asyncmultispider.sqlite import reading_database, storage_errors
from asyncmultispider.store.sqlite import FORMAT

_PAGE = """SELECT url, status, headers, charset, title, depth, referrer, encoding, body
FROM pages JOIN bodies USING(digest) WHERE url = ?"""
_ITEMS = "SELECT data FROM items WHERE url = ? ORDER BY n"


class Stored(Struct, frozen=True, kw_only=True):
    """A page as it is stored, its body unpacked: what a `Page` is made of. `headers` is JSON."""

    url: str
    status: int
    headers: str
    charset: str | None
    title: str | None
    depth: int
    referrer: str | None
    body: bytes


_FIELDS = Stored.__struct_fields__[:-1]


class ReadBack:
    """Reads from the `pages.db` at `path`, over one connection that is opened when it is needed.

    Methods raise `StorageError`. For one thread at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._db: apsw.Connection | None = None
        self._unpacker = zstandard.ZstdDecompressor()

    def page(self, url: str) -> Stored:
        """The page of a canonical URL that was stored."""
        rows = self._read(_PAGE, url)
        if not rows:
            raise StorageError(f"{str(self._path)!r}: {url} is not in it any more")
        *fields, encoding, body = rows[0]
        body = self._unpacked(body) if encoding == "zstd" else body
        return Stored(**dict(zip(_FIELDS, fields, strict=True)), body=body)

    def items(self, url: str) -> list[str]:
        """The items of its page, in order, as JSON."""
        return [data for (data,) in self._read(_ITEMS, url)]

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._db = None
        self._open.close()

    def _read(self, query: str, url: str) -> list[tuple[Any, ...]]:
        with storage_errors(self._path):
            if self._db is None:
                self._db = self._open.enter_context(reading_database(self._path, FORMAT))
            return self._db.execute(query, (url,)).fetchall()

    def _unpacked(self, body: bytes) -> bytes:
        try:
            return self._unpacker.decompress(body)
        except zstandard.ZstdError as error:
            raise DamageError(f"{str(self._path)!r} is damaged: {error}") from error
