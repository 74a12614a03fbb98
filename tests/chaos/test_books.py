"""Looking at the books notices what it is there for."""

import json
from pathlib import Path

import pytest

from chaos import books
from chaos.books import STATES, Books
from command import Ended

GOOD = Ended(0, json.dumps({"ok": True, "problems": []}), "")
BAD = Ended(1, json.dumps({"ok": False, "problems": ["a page has no body"]}), "")
NO_CRAWL = Ended(2, "", "asyncmultispider: no crawl yet")


def counted(accepted: int, done: int) -> Ended:
    counts = dict.fromkeys(STATES, 0) | {"done": done, "queued": 2, "accepted": accepted}
    return Ended(0, json.dumps(counts), "")


def look(
    seen: Books, patch: pytest.MonkeyPatch, *, verify: Ended, status: Ended, begun: bool = True
) -> str | None:
    answers = {"verify": verify, "status": status}
    patch.setattr(books, "run", lambda command, *_: answers[command])
    return seen.look(begun=begun)


def test_what_is_in_order_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Books(Path("crawl"))
    assert look(seen, monkeypatch, verify=GOOD, status=counted(5, 3)) is None
    assert (seen.looks, seen.balanced) == (1, 1)


@pytest.mark.parametrize(
    ("verify", "status"),
    [(BAD, counted(9, 7)), (NO_CRAWL, NO_CRAWL), (GOOD, counted(9, 6)), (GOOD, counted(5, 3))],
)
def test_what_is_not_is_told(monkeypatch: pytest.MonkeyPatch, verify: Ended, status: Ended) -> None:
    seen = Books(Path("crawl"), accepted=6)
    assert look(seen, monkeypatch, verify=verify, status=status)
    assert (seen.looks, seen.balanced) == (1, 0)


def test_before_the_first_page_there_may_be_no_books(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Books(Path("crawl"))
    assert look(seen, monkeypatch, verify=NO_CRAWL, status=NO_CRAWL, begun=False) is None
    assert look(seen, monkeypatch, verify=BAD, status=counted(5, 3), begun=False)
    assert (seen.looks, seen.balanced) == (1, 0)
