"""What a crawl of the hostile server left on disk, as an outsider reads it."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import zstandard

from hostile.messages import GOOD, good_body


def ends(directory: Path) -> dict[str, str]:
    """How each URL ended: `done`, or the state with its reason."""
    rows = _query(directory / "frontier.db", "SELECT url, state, reason FROM urls")
    found = {url: f"{state}:{reason}" if reason else state for url, state, reason in rows}
    assert len(found) == len(rows), "a URL is there twice"
    return found


def good_pages(directory: Path, base: str) -> int:
    """How many of the good pages are stored as they were sent."""
    query = "SELECT url, encoding, body FROM pages JOIN bodies USING(digest) WHERE url LIKE ?"
    rows = _query(directory / "pages.db", query, f"{base}/good/%")
    bodies = {url: _unpacked(encoding, body) for url, encoding, body in rows}
    return sum(bodies.get(f"{base}/good/{n}") == good_body(n) for n in range(GOOD))


def _unpacked(encoding: str, body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(body) if encoding == "zstd" else body


def _query(file: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as db:
        return db.execute(sql, values).fetchall()
