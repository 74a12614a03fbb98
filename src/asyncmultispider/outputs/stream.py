"""`-o -`: JSON lines on standard output, as pages come."""

from collections.abc import Callable, Sequence
from io import RawIOBase
from pathlib import Path
from queue import SimpleQueue
from select import select
from threading import Lock, Thread
from types import TracebackType
from typing import BinaryIO

from asyncmultispider.model import Outcome, State
from asyncmultispider.observe import Observer
from asyncmultispider.outputs.jsonl import all_lines
from asyncmultispider.sqlite import read_database, storage_errors
from asyncmultispider.store.reader import StoreReader
from asyncmultispider.store.sqlite import FORMAT

ENOUGH = 4 * 2**20
"""Bytes that wait for the reader before no more pages are asked for."""
PATIENCE = 5.0
"""Seconds that a reader has for what waits when the user has asked to stop."""


class Stream(Observer):
    """Writes a line for each page that is done, or for each item of it: those of `write_jsonl`.

    They are read back from `pages_db`, where they are in every engine, and written by a thread: a
    reader that is slow, or stuck, must not keep the crawl from hearing a Ctrl-C. While `may_take`
    says no the crawl should not ask for more; `on_room` is called when it says yes again. When
    `out` can't be written any more, `lost` says why, and `on_lost` is called, once. Use it in a
    `with` block, which ends when all is written; where the user asked to stop it waits `PATIENCE`
    seconds at most, and `unread` tells of lines that were not taken by then.
    """

    def __init__(
        self,
        pages_db: Path,
        out: RawIOBase | BinaryIO,
        on_lost: Callable[[], None],
        on_room: Callable[[], None],
        *,
        items: bool = False,
        bodies: bool = False,
    ) -> None:
        self.lost: OSError | None = None
        self.unread = False
        self._path = pages_db
        self._out = out
        self._on_lost = on_lost
        self._on_room = on_room
        self._items = items
        self._bodies = bodies
        self._stopping = False
        self._shut = False
        self._weight = 0
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._lock = Lock()
        self._db = read_database(pages_db, FORMAT)
        self._store = StoreReader(self._db, pages_db)
        self._writer = Thread(target=self._write_all, name="output", daemon=True)

    def may_take(self) -> bool:
        """Whether what waits for the reader is not too much."""
        with self._lock:
            self._shut = self._weight >= ENOUGH and self.lost is None
            return not self._shut

    def stopping(self) -> None:
        """See `Observer.stopping`."""
        self._stopping = True

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        urls = [
            outcome.request.url
            for outcome in outcomes
            if outcome.state is State.DONE and not outcome.request.aside
        ]
        if urls and self.lost is None:
            data = b"".join(self._lines(urls))
            self._weigh(len(data))
            self._waiting.put(data)

    def _lines(self, urls: Sequence[str]) -> list[bytes]:
        with storage_errors(self._path):  # and all of it now: an open query holds up the log
            return list(
                all_lines(
                    self._store, self._path, items=self._items, bodies=self._bodies, urls=urls
                )
            )

    def _write_all(self) -> None:
        while (data := self._waiting.get()) is not None:
            if self.lost is None:
                try:
                    self._write(memoryview(data))
                except OSError as error:
                    self.lost = error
                    self._on_lost()
            self._weigh(-len(data))

    def _write(self, left: memoryview) -> None:
        while left:
            written = self._out.write(left)
            if written is None:  # somebody made it so that it does not wait by itself
                select([], [self._out], [])
            left = left[written or 0 :]

    def _weigh(self, more: int) -> None:
        with self._lock:
            self._weight += more
            opens = self._shut and (self._weight <= ENOUGH // 2 or self.lost is not None)
            if opens:
                self._shut = False
        if opens:
            self._on_room()

    def __enter__(self) -> "Stream":
        self._writer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
        self._waiting.put(None)
        if kind is None:
            self._writer.join(PATIENCE if self._stopping else None)
            self.unread = self._writer.is_alive()
