"""Observers watch a crawl and decide nothing."""

from collections.abc import Sequence

from asyncmultispider.model import Outcome


class Observer:
    """Called as a crawl goes on. Override what you need; an exception here ends the crawl."""

    def committed(self, outcomes: Sequence[Outcome], in_flight: int) -> None:
        """These outcomes are in the stores and in the ledger; so many transfers go on."""

    def waiting(self, seconds: float) -> None:
        """Nothing is in flight: the next host may be visited in so many seconds."""

    def stopping(self) -> None:
        """No more is taken; what is in flight is finished."""
