"""A store in memory, for tests."""

from collections.abc import Sequence

from asyncmultispider.model import Outcome, PageRow, Reason


class MemoryStore:
    """A `Store`; look into `pages` (by URL) and `items` (by URL, in order)."""

    def __init__(self) -> None:
        self.pages: dict[str, PageRow] = {}
        self.items: dict[str, tuple[str, ...]] = {}

    def write(self, outcomes: Sequence[Outcome]) -> int:
        """See `Store.write`."""
        before = len(self.pages)
        for outcome in outcomes:
            again = outcome.request.attempt > 1 or outcome.reason == Reason.LOST
            if again and not outcome.request.aside:
                self.pages.pop(outcome.request.url, None)
                self.items.pop(outcome.request.url, None)
            if outcome.page is not None:
                self.pages[outcome.page.url] = outcome.page
            if outcome.items:
                self.items[outcome.request.url] = outcome.items
        return len(self.pages) - before

    def close(self) -> None:
        """See `Store.close`."""
