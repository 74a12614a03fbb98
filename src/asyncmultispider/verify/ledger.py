"""The ledger by itself: every accepted URL has one row, in one state, with a reason."""

import re
from collections.abc import Iterator

from asyncmultispider.model import FINAL, Reason, State
from asyncmultispider.urls import fingerprint
from asyncmultispider.verify.books import Books
from asyncmultispider.verify.report import text

# As bytes: what is damaged need not be text.
ROWS = """
SELECT id, CAST(state AS BLOB), CAST(reason AS BLOB), CAST(url AS BLOB),
       referrer, fingerprint, attempts
FROM main.urls ORDER BY id"""
TWICE = """
SELECT (SELECT CAST(url AS BLOB) FROM main.urls WHERE id = last), more
FROM (SELECT max(id) AS last, count(*) - 1 AS more FROM main.urls GROUP BY fingerprint)
WHERE more > 0"""
LOOSE_TRIES = """
SELECT url_id, count(*) FROM main.tries
WHERE NOT EXISTS (SELECT 1 FROM main.urls WHERE id = url_id) GROUP BY url_id"""

STATES = frozenset(state.value.encode() for state in State)
ENDED = frozenset(state.value.encode() for state in FINAL - {State.DONE})
DONE = State.DONE.value.encode()
REASON = re.compile("|".join([*Reason, "http-[0-9]{3}"]).encode())
OFTEN = 2**16
"""Rows between two signs of life."""

Row = tuple[int, bytes, bytes | None, bytes, object, object, object]


def check_ledger(books: Books) -> None:
    """All that can be said without a look at the pages. Counts the states."""
    findings = books.findings
    for message in books.ask("PRAGMA main.integrity_check"):
        if message != ("ok",):
            findings.add("frontier.db is damaged", message[0])
    with books.moment():
        _check_rows(books)
        for url, more in books.ask(TWICE):
            findings.add("URLs that are in the ledger twice", url, more)
        for row, tries in books.ask(LOOSE_TRIES):
            findings.add("tries of a URL that is not in the ledger", f"row {row}", tries)


def _check_rows(books: Books) -> None:
    seed = books.ask("SELECT value FROM main.meta WHERE key='seed'").get
    last = books.ask("SELECT max(id) FROM main.urls").get
    before, add = 0, books.findings.add
    for row in books.ask(ROWS):
        id, state, url = row[0], row[1], row[3]
        books.states[text(state)] += 1
        if id != before + 1:
            add(
                "rows are missing in the ledger, or have no place in it",
                url,
                max(1, id - before - 1),
            )
        for fault in _faults(row, seed, last):
            add(fault, url)
        if not id % OFTEN:
            books.beat(f"checking the ledger: {id} URLs")
        before = id


def _faults(row: Row, seed: object, last: int) -> Iterator[str]:
    id, state, reason, url, referrer, mark, attempts = row
    if state not in STATES:
        yield "URLs in an unknown state"
    if reason is None:
        if state in ENDED:
            yield "URLs that ended without a reason"
    elif not REASON.fullmatch(reason):
        yield "URLs with an unknown reason"
    # With --depth, a redirect that was found later may lead to it in fewer steps.
    if not (isinstance(referrer, int) and 0 <= referrer <= last and referrer != id):
        yield "URLs whose referrer is no other row"
    if not (isinstance(seed, int) and mark == _mark(url, seed)):
        yield "URLs whose fingerprint is not theirs"
    if state == DONE and not (isinstance(attempts, int) and attempts >= 1):
        yield "URLs that are done, though they were never tried"


def _mark(url: bytes, seed: int) -> int:
    mark = fingerprint(text(url), seed & 0xFFFF_FFFF_FFFF_FFFF)
    return mark - (1 << 64) if mark >> 63 else mark
