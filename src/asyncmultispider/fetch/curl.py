"""Fetching with libcurl, in both colours. Transfers share a bound on what they hold."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Lock

import pycurl

from asyncmultispider.fetch.guard import Guard
from asyncmultispider.fetch.identity import Identity
from asyncmultispider.fetch.multi import make_multi
from asyncmultispider.fetch.transfer import Transfer
from asyncmultispider.model import Request, Response, Result
from asyncmultispider.settings import Settings

CRUMB = 1024
MAX_CRUMBS = 1000
REST = 0.01
"""After so many pieces of less than `CRUMB` bytes a transfer rests for so many seconds.

libcurl does not come back while there is more to read: a server that sends chunks of one byte
would hold the loop for seconds, and all other transfers with it.
"""
MAX_BUFFERED = 48 * 2**20
"""Body bytes in unfinished transfers above which all but one that receives have to wait."""
MAX_KEPT = 24 * 2**20
"""Body bytes that are still in use elsewhere above which all have to wait."""
LARGE = 2**20
"""Bytes of a body that is handed on before another is unpacked."""


class Turns:
    """Keeps what the fetchers of many threads hold together within bounds: large bodies take turns.

    As with `AsyncCurlFetcher`, one receives on when all hold too much, so that memory comes back.
    """

    def __init__(self) -> None:
        self._unpacking = Lock()
        self._changed = Condition()
        self._held = 0
        self._kept = 0
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

    def keep(self, size: int) -> None:
        """Account for bytes of bodies that were received and are still in use (negative: less)."""
        with self._changed:
            self._kept += size
            self._changed.notify_all()

    @contextmanager
    def unpacking(self) -> Iterator[None]:
        """One body at a time, and none while too much is in use: few bytes may become many."""
        with self._unpacking:
            with self._changed:
                self._changed.wait_for(lambda: self._kept <= MAX_KEPT)
            yield

    def _may_go_on(self, who: object) -> bool:
        if self._kept > MAX_KEPT:
            return False
        if self._held <= MAX_BUFFERED or self._favoured is who:
            return True
        if self._favoured is None:
            self._favoured = who
        return self._favoured is who


class ThreadTransfer(Transfer):
    """A transfer that waits for its turn, and can be cancelled from another thread."""

    def __init__(self, settings: Settings, guard: Guard, identity: Identity, turns: Turns) -> None:
        self.cancelled = False
        self._turns = turns
        super().__init__(settings, guard, identity)
        self.curl.setopt(pycurl.NOPROGRESS, False)
        self.curl.setopt(pycurl.XFERINFOFUNCTION, self._should_end)

    def _should_end(self, *_: float) -> bool:
        return self.cancelled

    def _write(self, chunk: bytes) -> int | None:
        self._turns.hold(self, len(chunk))
        return super()._write(chunk)


class CurlFetcher:
    """A `Fetcher`: one handle, to be used by one thread. Those of a crawl share all but `settings`.

    What is not given it makes for itself.
    """

    def __init__(
        self,
        settings: Settings,
        guard: Guard | None = None,
        turns: Turns | None = None,
        identity: Identity | None = None,
    ) -> None:
        self._turns = turns or Turns()
        self._kept = 0
        guard, identity = guard or Guard.of(settings), identity or Identity(settings)
        self._transfer = ThreadTransfer(settings, guard, identity, self._turns)

    @property
    def buffered(self) -> int:
        """See `Fetcher`."""
        return self._transfer.size + self._kept

    def hold(self, size: int) -> None:
        """See `Fetcher.hold`."""
        if size != self._kept:
            self._turns.keep(size - self._kept)
            self._kept = size

    def fetch(self, request: Request) -> Result:
        """See `Fetcher.fetch`."""
        transfer = self._transfer
        try:
            transfer.prepare(request)
            transfer.curl.perform()
            with self._turns.unpacking():
                result = transfer.response()
                if isinstance(result, Response) and len(result.body) > LARGE:
                    self.hold(len(result.body))
                return result
        except pycurl.error as error:
            return transfer.failure(error)
        finally:
            self._turns.release(transfer, transfer.size)
            transfer.size, transfer.chunks = 0, []

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
        identity: Identity,
        fetcher: "AsyncCurlFetcher",
    ) -> None:
        self._fetcher = fetcher
        self._crumbs = 0
        super().__init__(settings, guard, identity)

    def _write(self, chunk: bytes) -> int | None:
        fetcher = self._fetcher
        if fetcher.is_full and fetcher.must_wait(self):
            return int(pycurl.WRITEFUNC_PAUSE)
        if len(chunk) < CRUMB and self._is_tired():
            return int(pycurl.WRITEFUNC_PAUSE)
        fetcher.buffered += len(chunk)
        return super()._write(chunk)

    def _is_tired(self) -> bool:
        self._crumbs += 1
        if self._crumbs < MAX_CRUMBS:
            return False
        self._crumbs = 0
        asyncio.get_running_loop().call_later(REST, self.go_on)
        return True

    def go_on(self) -> None:
        """Receive again after a pause."""
        with suppress(pycurl.error):  # it has just ended
            self.curl.pause(pycurl.PAUSE_CONT)


class AsyncCurlFetcher:
    """An `AsyncFetcher`: one libcurl multi handle on the running event loop."""

    def __init__(self, settings: Settings) -> None:
        self.buffered = 0
        self._settings = settings
        self._guard = Guard.of(settings)
        self._identity = Identity(settings)
        self._multi = make_multi()
        # As many idle connections are kept as transfers may be in flight.
        self._multi.setopt(pycurl.M_MAXCONNECTS, max(64, settings.concurrency))
        self._idle: list[AsyncTransfer] = []
        self._paused: list[AsyncTransfer] = []
        self._favoured: AsyncTransfer | None = None
        self._kept = 0
        self._handing_on = False
        self._room = asyncio.Event()

    async def fetch(self, request: Request) -> Result:
        """See `AsyncFetcher.fetch`."""
        transfer = self._idle.pop() if self._idle else self._new()
        try:
            transfer.prepare(request)
            await self._multi.perform(transfer.curl)
            # What a few bytes become is counted nowhere: a large body is handed on before the next.
            while self._kept > MAX_KEPT or self._handing_on:
                self._room.clear()
                await self._room.wait()
            result = transfer.response()
            if isinstance(result, Response) and len(result.body) > LARGE:
                await self._hand_on()
            return result
        except pycurl.error as error:
            return transfer.failure(error)
        finally:
            self._ended(transfer)

    def hold(self, size: int) -> None:
        """See `AsyncFetcher.hold`."""
        self._kept += size
        self.buffered += size
        if size < 0:
            self._room.set()
            self._let_go_on()

    async def aclose(self) -> None:
        """See `AsyncFetcher.aclose`."""
        await self._multi.aclose()
        for transfer in self._idle:
            transfer.curl.close()
        self._idle.clear()

    @property
    def is_full(self) -> bool:
        """Whether bodies take too much memory."""
        return self.buffered > MAX_BUFFERED or self._kept > MAX_KEPT

    def must_wait(self, transfer: AsyncTransfer) -> bool:
        """Whether to pause this transfer. One goes on to its end, so that memory is given back."""
        if self._kept <= MAX_KEPT:
            self._favoured = self._favoured or transfer
            if transfer is self._favoured:
                return False
        if transfer not in self._paused:
            self._paused.append(transfer)
        return True

    async def _hand_on(self) -> None:
        self._handing_on = True
        try:
            await asyncio.sleep(0)
        finally:
            self._handing_on = False
            self._room.set()

    def _new(self) -> AsyncTransfer:
        return AsyncTransfer(self._settings, self._guard, self._identity, self)

    def _ended(self, transfer: AsyncTransfer) -> None:
        self.buffered -= transfer.size
        transfer.chunks = []
        self._idle.append(transfer)
        if transfer is self._favoured:
            self._favoured = None
        if transfer in self._paused:
            self._paused.remove(transfer)
        self._let_go_on()

    def _let_go_on(self) -> None:
        favoured = self._favoured is None or self._favoured in self._paused
        if self._paused and (favoured or self.buffered <= MAX_BUFFERED):
            # Not from here: libcurl may be calling us.
            asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        # The first that still finds too much in memory is favoured, the others wait again.
        paused, self._paused = self._paused, []
        for transfer in paused:
            transfer.go_on()
