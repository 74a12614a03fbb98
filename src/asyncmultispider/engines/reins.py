"""Holding an engine from other threads than its own."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock

from asyncmultispider.engines.engine import Engine


class Reins:
    """An engine may be told to stop or to wake from any thread, and before it runs as well."""

    def __init__(self) -> None:
        self._lock = RLock()  # garbage that is collected under it may be somebody who stops
        self._held: tuple[asyncio.AbstractEventLoop, Engine] | None = None
        self._stops = 0

    @contextmanager
    def on(self, engine: Engine) -> Iterator[None]:
        """In the block the engine runs on the loop of this thread, and does as it was told."""
        with self._lock:
            self._held = asyncio.get_running_loop(), engine
            for _ in range(self._stops):
                self._tell(engine.stop)
        try:
            yield
        finally:
            with self._lock:
                self._held = None

    def stop(self, *, now: bool = False) -> None:
        """See `Engine.stop`; `now` is like being told twice."""
        with self._lock:
            more = max(0, (2 if now else 1) - self._stops)
            self._stops += more
            if self._held is not None:
                for _ in range(more):
                    self._tell(self._held[1].stop)

    def wake(self) -> None:
        """See `Engine.wake`."""
        with self._lock:
            if self._held is not None:
                self._tell(self._held[1].wake)

    def _tell(self, what: Callable[[], None]) -> None:
        assert self._held is not None  # noqa: S101 - for the type checker: callers have looked
        with suppress(RuntimeError):  # the loop has just ended
            self._held[0].call_soon_threadsafe(what)
