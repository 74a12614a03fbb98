"""What a crawl has for its consumer, and a valve that shuts when too much of it waits.

The crawl puts things in from its thread, the consumer takes them out in another one. Neither waits
here for the other: a full shelf shuts the valve, so that the engine takes no more requests until
the consumer was there; what is in flight then still comes in.
"""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Event, RLock
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")

MOST = 64
"""Things that wait for the consumer before the valve shuts."""
HEAVIEST = 32 * 2**20
"""Bytes of these before it shuts."""


class Empty(Exception):  # noqa: N818 - nothing is wrong
    """Nothing waits now; more may come."""


class Ended(Exception):  # noqa: N818 - nothing is wrong
    """Nothing waits, and nothing comes any more."""


class Parcel(Struct, Generic[T], frozen=True, gc=False):
    """A thing on its way, and the bytes of memory that it holds."""

    thing: T
    weight: int = 0


class Delivery(Generic[T]):
    """A shelf between the thread of a crawl and its consumer.

    `most` things may wait, and `HEAVIEST` bytes of them, before the valve shuts. `on_room` is
    called when it opens again. `ring` is called when there may be something new to take; it is the
    consumer's, and is called in the crawl's thread.
    """

    def __init__(self) -> None:
        self.most = MOST
        self._lock = RLock()  # garbage that is collected under it may be a consumer that leaves
        self._waiting: deque[Parcel[T]] = deque()
        self._weight = 0
        self._shut = False
        self._ended = False
        self._drained = Event()
        self.on_room: Callable[[], None] = _nothing
        self.ring: Callable[[], None] = _nothing

    # The crawl's side

    def put(self, parcels: Iterable[Parcel[T]]) -> None:
        """Let these wait for the consumer. Where there is none any more, they go."""
        with self._lock:
            if self._drained.is_set():
                return
            for parcel in parcels:
                self._waiting.append(parcel)
                self._weight += parcel.weight
        self.ring()

    def may_take(self) -> bool:
        """Whether the engine may take more requests. If not, `on_room` will tell when."""
        with self._lock:
            self._shut = len(self._waiting) >= self.most or self._weight >= HEAVIEST
            return not self._shut

    def end(self) -> None:
        """Nothing more comes. Idempotent."""
        with self._lock:
            self._ended = True
        self.ring()

    def wait_until_drained(self) -> None:
        """Wait until the consumer has all, or has left."""
        self._drained.wait()

    # The consumer's side

    def take(self) -> T:
        """The next thing. Raises `Empty` when there is none now, `Ended` when none will come."""
        with self._lock:
            if not self._waiting:
                raise Ended if self._ended else Empty
            parcel = self._waiting.popleft()
            self._weight -= parcel.weight
            opens = (
                self._shut
                and len(self._waiting) <= self.most // 2
                and self._weight <= HEAVIEST // 2
            )
            if opens:
                self._shut = False
        if opens:
            self.on_room()
        return parcel.thing

    def leave(self) -> None:
        """The consumer has all it wanted: what waits goes, what comes goes as well. Idempotent."""
        with self._lock:
            self._drained.set()
            self._waiting.clear()
            self._weight = 0
            self._shut = False


def _nothing() -> None:
    pass
