"""Putting back URLs that ended without a page: what `retry` writes."""

from collections.abc import Collection
from pathlib import Path

from msgspec import json

from asyncmultispider.frontier.sqlite import AS_NEW, FORMAT
from asyncmultispider.model import Reason, State
from asyncmultispider.sqlite import close_database, open_database, storage_errors

_CHOSEN = """WHERE state = ?1
AND (?2 IS NULL OR reason IN (SELECT value FROM json_each(?2))) AND (?3 IS NULL OR host = ?3)"""
_FORGET_ROBOTS = f"""DELETE FROM robots WHERE host IN (SELECT host FROM urls {_CHOSEN}
AND reason IN ('{Reason.ROBOTS}', '{Reason.ROBOTS_UNAVAILABLE}'))"""  # noqa: S608 - our own words
_RELEASE = f"""UPDATE traps SET released=1 WHERE host IN (SELECT host FROM urls {_CHOSEN}
AND reason = '{Reason.TRAP}')"""  # noqa: S608 - our own words
_PUT_BACK = f"{AS_NEW} {_CHOSEN}"


def put_back(
    path: Path, state: State, reasons: Collection[str] | None = None, host: str | None = None
) -> int:
    """Queue the URLs of a final state again, with all their tries before them; how many.

    Of these reasons, all by default. The robots.txt that closed any of them is asked for anew,
    families that were taken for traps (`traps`) are not any more.
    The tries they had stay in the books. The directory must be locked; what this wrote is on the
    disk when it returns.
    """
    wanted = None if reasons is None else json.encode(sorted(reasons)).decode()
    chosen = (state, wanted, host)
    db = open_database(path, FORMAT, durable=True)
    queued = 0
    try:
        with storage_errors(path), db:
            db.execute(_FORGET_ROBOTS, chosen)
            db.execute(_RELEASE, chosen)
            db.execute(_PUT_BACK, chosen)
            queued = db.changes()
    finally:
        close_database(db, path)
    return queued
