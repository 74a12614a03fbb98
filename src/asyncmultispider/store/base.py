"""The stores' port."""

from collections.abc import Sequence
from typing import Protocol

from asyncmultispider.model import Outcome


class Store(Protocol):
    """Keeps the pages and items of outcomes.

    Methods raise `StorageError` when nothing more can be kept; what was kept before stays.
    """

    def write(self, outcomes: Sequence[Outcome]) -> int:
        """Keep all pages and items of these, or none; by how many pages there are more.

        What an earlier try of a URL left, before a crash kept it out of the ledger, goes; so does
        what a try left that is lost.
        """

    def close(self) -> None:
        """Let go of the files. Idempotent."""
