"""Checking the books of a crawl: that every URL is accounted for, and every page is what it was.

Nothing is written, and nothing need be at rest: a crawl may go on meanwhile. What SQLite itself
keeps beside a file in use (`-shm`, the index of its log) is not ours.
"""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from asyncmultispider.directory import FRONTIER, PAGES, is_running
from asyncmultispider.errors import StorageError
from asyncmultispider.model import State
from asyncmultispider.verify.books import Books
from asyncmultispider.verify.ledger import check_ledger
from asyncmultispider.verify.outputs import check_outputs
from asyncmultispider.verify.pages import check_bodies, check_pages
from asyncmultispider.verify.report import Findings, Problem, Report

__all__ = ["Problem", "Report", "verify"]

CHECKS = (
    (FRONTIER, check_ledger),
    (PAGES, check_pages),
    (PAGES, check_bodies),
    ("outputs", check_outputs),
)


def verify(directory: Path, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Check the crawl in `directory`. `tell` hears now and then what is being done.

    Raises `UsageError` when there is no crawl of ours.
    """
    findings = Findings()
    running = is_running(directory)
    try:
        books = Books(directory, findings, tell)
    except StorageError as error:
        findings.unreadable(f"{error}{_hint(directory)}")
        return _report(directory, running, findings)
    with closing(books):
        for name, check in CHECKS:
            with books.checking(name):
                check(books)
    return _report(directory, running, findings, books)


def _hint(directory: Path) -> str:
    if any(directory.glob("*.db-wal")) and not os.access(directory, os.W_OK):
        return " (a crash left a log beside it: only who may write in its folder can read it)"
    return ""


def _report(
    directory: Path, running: bool, findings: Findings, books: Books | None = None
) -> Report:
    states, counts = (books.states, books.counts) if books else ({}, {})
    return Report(
        dir=str(directory),
        running=running,
        states={state.value: 0 for state in State} | states,
        pages=counts.get("pages", 0),
        bodies=counts.get("bodies", 0),
        items=counts.get("items", 0),
        in_hand=counts.get("in hand", 0),
        outputs=counts.get("outputs", 0),
        problems=findings.problems(),
        readable=findings.readable,
    )
