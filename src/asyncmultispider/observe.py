"""Observers watch a crawl and decide nothing."""

from collections.abc import Sequence

from asyncmultispider.model import Batch, Outcome


class Observer:
    """Called as a crawl goes on. Override what you need; an exception here ends the crawl."""

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """These outcomes are in the stores and in the ledger."""

    def taken(self, batch: Batch, in_flight: int) -> None:
        """The frontier gave this; so many requests are out now."""

    def blocked(self, handler: str, seconds: float) -> None:
        """A handler of this name kept the event loop from everything else for so long."""

    def stopping(self) -> None:
        """No more is taken; what is in flight is finished."""
