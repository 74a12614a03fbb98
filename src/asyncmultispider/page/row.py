"""What a store must know of a page for it to become a `Page` again."""

from typing import Protocol

from asyncmultispider.model import Headers


class Row(Protocol):
    """A page as stores have it: `PageRow`, and a row that was read back."""

    @property
    def url(self) -> str:
        """Canonical."""

    @property
    def status(self) -> int:
        """Of the answer."""

    @property
    def headers(self) -> Headers | str:
        """As received, or the JSON of pages.db."""

    @property
    def body(self) -> bytes:
        """Unpacked."""

    @property
    def charset(self) -> str | None:
        """As `Page.charset`."""

    @property
    def title(self) -> str | None:
        """As `Page.title`."""

    @property
    def depth(self) -> int:
        """Links from a seed."""

    @property
    def referrer(self) -> str | None:
        """The page that led to it."""
