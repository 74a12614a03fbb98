"""Fetching with libcurl, in both colours. Transfers share a bound on what they hold."""

import asyncio
from contextlib import suppress
from threading import Condition

import pycurl

from asyncmultispider.fetch.guard import Guard
from asyncmultispider.fetch.headers import RequestFields
from asyncmultispider.fetch.multi import make_multi
from asyncmultispider.fetch.transfer import Transfer
from asyncmultispider.model import Request, Result
from asyncmultispider.settings import Settings

MAX_BUFFERED = 48 * 2**20
"""Body bytes in unfinished transfers above which all but one that receives have to wait."""


class Turns:
    """Keeps what the fetchers of many threads hold together within bounds: large bodies take turns.

    As with `AsyncCurlFetcher`, one receives on when all hold too much, so that memory comes back.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._held = 0
        self._favoured: object | None = None

    def hold(self, who: object, size: int) -> None:
        """Account for bytes that were received; returns when there is room for them."""
        with self._changed:
            self._held += size
            self._changed.wait_for(lambda: self._may_go_on(who))

    def release(self, who: object, size: int) -> None:
        """Give back what was held."""
        with self._changed:
            self._held -= size
            if self._favoured is who:
                self._favoured = None
            self._changed.notify_all()

    def _may_go_on(self, who: object) -> bool:
        if self._held <= MAX_BUFFERED or self._favoured is who:
            return True
        if self._favoured is None:
            self._favoured = who
        return self._favoured is who


class ThreadTransfer(Transfer):
    """A transfer that waits for its turn, and can be cancelled from another thread."""

    def __init__(
        self, settings: Settings, guard: Guard, fields: RequestFields, turns: Turns
    ) -> None:
        self.cancelled = False
        self._turns = turns
        super().__init__(settings, guard, fields)
        self.curl.setopt(pycurl.NOPROGRESS, False)
        self.curl.setopt(pycurl.XFERINFOFUNCTION, self._should_end)

    def _should_end(self, *_: float) -> bool:
        return self.cancelled

    def _write(self, chunk: bytes) -> int | None:
        self._turns.hold(self, len(chunk))
        return super()._write(chunk)


class CurlFetcher:
    """A `Fetcher`: one handle, to be used by one thread. Those of a crawl share guard and turns."""

    def __init__(
        self, settings: Settings, guard: Guard | None = None, turns: Turns | None = None
    ) -> None:
        self._turns = turns or Turns()
        guard = guard or Guard.of(settings)
        self._transfer = ThreadTransfer(settings, guard, RequestFields(settings), self._turns)

    @property
    def buffered(self) -> int:
        """See `Fetcher`."""
        return self._transfer.size

    def fetch(self, request: Request) -> Result:
        """See `Fetcher.fetch`."""
        transfer = self._transfer
        try:
            transfer.prepare(request)
            transfer.curl.perform()
            return transfer.response()
        except pycurl.error as error:
            return transfer.failure(error)
        finally:
            self._turns.release(transfer, transfer.size)
            transfer.size = 0

    def cancel(self) -> None:
        """See `Fetcher.cancel`."""
        self._transfer.cancelled = True

    def close(self) -> None:
        """See `Fetcher.close`."""
        self._transfer.curl.close()


class AsyncTransfer(Transfer):
    """A transfer that tells its fetcher what it holds, and waits when all hold too much."""

    def __init__(
        self,
        settings: Settings,
        guard: Guard,
        fields: RequestFields,
        fetcher: "AsyncCurlFetcher",
    ) -> None:
        self._fetcher = fetcher
        super().__init__(settings, guard, fields)

    def _write(self, chunk: bytes) -> int | None:
        fetcher = self._fetcher
        if fetcher.buffered > MAX_BUFFERED and fetcher.must_wait(self):
            return int(pycurl.WRITEFUNC_PAUSE)
        fetcher.buffered += len(chunk)
        return super()._write(chunk)


class AsyncCurlFetcher:
    """An `AsyncFetcher`: one libcurl multi handle on the running event loop."""

    def __init__(self, settings: Settings) -> None:
        self.buffered = 0
        self._settings = settings
        self._guard = Guard.of(settings)
        self._fields = RequestFields(settings)
        self._multi = make_multi()
        # As many idle connections are kept as transfers may be in flight.
        self._multi.setopt(pycurl.M_MAXCONNECTS, max(64, settings.concurrency))
        self._idle: list[AsyncTransfer] = []
        self._paused: list[AsyncTransfer] = []
        self._favoured: AsyncTransfer | None = None

    async def fetch(self, request: Request) -> Result:
        """See `AsyncFetcher.fetch`."""
        transfer = self._idle.pop() if self._idle else self._new()
        try:
            transfer.prepare(request)
            await self._multi.perform(transfer.curl)
            return transfer.response()
        except pycurl.error as error:
            return transfer.failure(error)
        finally:
            self._ended(transfer)

    async def aclose(self) -> None:
        """See `AsyncFetcher.aclose`."""
        await self._multi.aclose()
        for transfer in self._idle:
            transfer.curl.close()
        self._idle.clear()

    def must_wait(self, transfer: AsyncTransfer) -> bool:
        """Whether to pause this transfer. One goes on to its end, so that memory is given back."""
        if self._favoured is None:
            self._favoured = transfer
        if transfer is self._favoured:
            return False
        self._paused.append(transfer)
        return True

    def _new(self) -> AsyncTransfer:
        return AsyncTransfer(self._settings, self._guard, self._fields, self)

    def _ended(self, transfer: AsyncTransfer) -> None:
        self.buffered -= transfer.size
        transfer.chunks = []
        self._idle.append(transfer)
        if transfer is self._favoured:
            self._favoured = None
        if transfer in self._paused:
            self._paused.remove(transfer)
        if self._paused and (self._favoured is None or self.buffered <= MAX_BUFFERED):
            # Not from here: libcurl may be calling us.
            asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        # The first that still finds too much in memory is favoured, the others wait again.
        paused, self._paused = self._paused, []
        for transfer in paused:
            with suppress(pycurl.error):  # it has just ended
                transfer.curl.pause(pycurl.PAUSE_CONT)
