"""The fetchers' port, in its two colours."""

from typing import Protocol

from asyncmultispider.model import Request, Result


class Fetcher(Protocol):
    """Fetches in the calling thread. Trouble comes back as a `Failure`, never as an exception."""

    @property
    def buffered(self) -> int:
        """The number of body bytes received for a fetch that has not ended, or held."""

    def fetch(self, request: Request) -> Result:
        """Ask for one URL. Redirects are answers like others: they are not followed."""

    def hold(self, size: int) -> None:
        """Of the last body so many bytes are still in use; 0: none. It may delay other fetches.

        A large body is in use when `fetch` returns it, until this says that it is not.
        """

    def cancel(self) -> None:
        """From any thread: end the fetch under way within seconds. Nothing is fetched after."""

    def close(self) -> None:
        """Let go of the connections, in the thread that fetched. Idempotent."""


class AsyncFetcher(Protocol):
    """The same on an event loop. A cancelled `fetch` leaves nothing behind.

    `buffered` is the number of body bytes received for fetches that have not ended.
    """

    buffered: int

    async def fetch(self, request: Request) -> Result:
        """Ask for one URL. Redirects are answers like others: they are not followed."""

    def hold(self, size: int) -> None:
        """So many bytes of bodies are still in use; negative: less. It may delay other fetches."""

    async def aclose(self) -> None:
        """Let go of the connections. Idempotent."""
