"""Writing to a reader that may be slow, or stuck, without waiting for it."""

from collections.abc import Callable
from io import RawIOBase
from queue import SimpleQueue
from select import select
from threading import Lock, Thread
from typing import BinaryIO

ENOUGH = 4 * 2**20
"""Bytes that wait for the reader before no more pages are asked for."""


class Pipe:
    """Writes to `out` in a thread: nobody who puts something in waits for the reader.

    While `may_take` says no the crawl should not ask for more; `on_room` is called when it says yes
    again. When `out` can't be written any more, `lost` says why, and `on_lost` is called, once.
    Both are called in the thread.
    """

    def __init__(
        self,
        out: RawIOBase | BinaryIO,
        on_lost: Callable[[], None],
        on_room: Callable[[], None],
    ) -> None:
        self.lost: OSError | None = None
        self._out = out
        self._on_lost = on_lost
        self._on_room = on_room
        self._lock = Lock()
        self._shut = False
        self._weight = 0
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._writer = Thread(target=self._write_all, name="output", daemon=True)
        self._writer.start()

    def put(self, data: bytes) -> None:
        """Have it written."""
        self._weigh(len(data))
        self._waiting.put(data)

    def may_take(self) -> bool:
        """Whether what waits for the reader is not too much."""
        with self._lock:
            self._shut = self._weight >= ENOUGH
            return not self._shut

    def end(self, patience: float | None = None) -> bool:
        """Nothing more comes: wait, so many seconds at most, until all is written; whether it is.

        What was lost counts as written.
        """
        self._waiting.put(None)
        self._writer.join(patience)
        return not self._writer.is_alive()

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
            opens = self._shut and self._weight <= ENOUGH // 2
            if opens:
                self._shut = False
        if opens:
            self._on_room()
