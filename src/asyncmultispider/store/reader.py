"""Looking up one page in a store that another process may be writing: for `explain`."""

from pathlib import Path

from msgspec import Struct, json

from asyncmultispider.model import Headers
from asyncmultispider.sqlite import reading_database
from asyncmultispider.store.sqlite import FORMAT

_PAGE = """SELECT status, content_type, fetched_at, size, digest, headers,
(SELECT count(*) FROM items WHERE items.url = pages.url) FROM pages WHERE url = ?"""


class StoredAs(Struct, frozen=True, kw_only=True):
    """Where a page is, without its body. `digest` is the SHA-256 of the body, `size` its bytes.

    `headers` is the JSON of `pages.headers`, `items` the number of its items.
    """

    status: int
    content_type: str | None
    fetched_at: str
    size: int
    digest: bytes
    headers: str
    items: int

    @property
    def fields(self) -> Headers:
        """The header fields, each value of one that came more than once for itself."""
        found = json.decode(self.headers, type=dict[str, str | list[str]])
        return tuple(
            (name, value)
            for name, values in found.items()
            for value in ([values] if isinstance(values, str) else values)
        )


def find_page(path: Path, url: str) -> StoredAs | None:
    """The page of a canonical URL; None when it is not stored."""
    if not path.is_file():
        return None
    with reading_database(path, FORMAT) as db:
        row = db.execute(_PAGE, (url,)).fetchone()
    if row is None:
        return None
    return StoredAs(**dict(zip(StoredAs.__struct_fields__, row, strict=True)))
