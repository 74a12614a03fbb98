"""A pages.db of a few rows, made without a crawl."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import json

from asyncmultispider.model import Outcome, PageRow, Request, State
from asyncmultispider.store.sqlite import SqliteStore
from asyncmultispider.urls import host_of

A = "http://a.example"
HEADERS = (("content-type", "text/html"), ("set-cookie", "a"), ("set-cookie", "b"))


def page(url: str, body: bytes = b"", *items: object, **fields: Any) -> Outcome:
    """A page that is done. Items are encoded, but for those that are JSON already."""
    values: dict[str, Any] = {
        "status": 200,
        "content_type": "text/html",
        "charset": "utf-8",
        "title": "T",
        "depth": 1,
        "referrer": None,
        "at": 1_700_000_000.25,
        "elapsed": 0.0015,
        "headers": HEADERS,
    }
    row = PageRow(url=url, body=body, digest=sha256(body).digest(), **(values | fields))
    return Outcome(
        request=Request(id=1, url=url, host=host_of(url)),
        state=State.DONE,
        reason=None,
        at=row.at,
        elapsed=row.elapsed,
        status=row.status,
        page=row,
        size=len(body),
        items=tuple(i if isinstance(i, str) else json.encode(i).decode() for i in items),
    )


def store_of(path: Path, *outcomes: Outcome) -> Path:
    """A store with these."""
    store = SqliteStore(path, durable=False)
    store.write(outcomes)
    store.close()
    return path
