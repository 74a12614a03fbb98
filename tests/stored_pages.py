"""Stores with pages of any kind, for tests of what is made of them."""

from collections.abc import Iterable
from pathlib import Path

from msgspec import structs

from asyncmultispider.model import Headers, Outcome
from asyncmultispider.store.sqlite import SqliteStore
from asyncmultispider.testing.stores import page


def stored(
    url: str,
    body: bytes | str = "<p>a body</p>",
    *,
    kind: str | None = "text/html",
    charset: str | None = "utf-8",
    title: str | None = "a title",
    status: int = 200,
    depth: int = 0,
    headers: Headers = (),
) -> Outcome:
    """A page of any media type."""
    body = body if isinstance(body, bytes) else body.encode()
    outcome = page(url, body, title=title, status=status, headers=headers)
    assert outcome.page is not None
    row = structs.replace(outcome.page, content_type=kind, charset=charset, depth=depth)
    return structs.replace(outcome, page=row)


def redirect(url: str, location: str, status: int = 301) -> Outcome:
    """A redirect, stored as a row."""
    return stored(url, b"", status=status, headers=(("location", location),), title=None)


def make_store(path: Path, pages: Iterable[Outcome]) -> Path:
    """Write them to a new store."""
    store = SqliteStore(path, durable=False)
    for outcome in pages:
        store.write([outcome])
    store.close()
    return path
