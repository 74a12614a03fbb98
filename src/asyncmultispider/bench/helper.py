"""Processes that help a bench: none outlives it, however it ends, and Ctrl-C is not for them."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Thread
from typing import Any

from asyncmultispider.system import signal_mask

PATIENCE = 15.0
"""Seconds to end before a helper is killed. A crawl that is told twice to stop needs a few."""
TWICE = 0.3
"""Seconds between telling a crawl to stop and telling it to stop at once."""

SIGNALS = {signal.SIGINT, signal.SIGTERM}
Target = Callable[..., None]
"""What a helper runs. Its last argument is a function: it tells the bench something."""
Tell = Callable[[Any], None]


class Helper:
    """A process and the line to it."""

    def __init__(self, process: SpawnProcess, line: "Connection[Any, Any]") -> None:
        self.process = process
        self._line = line

    def hear(self, seconds: float) -> Any:
        """What it says, None if nothing within so long. Raises `EOFError` when it has ended."""
        try:
            with signal_mask(signal.SIG_UNBLOCK, SIGNALS):
                spoke = self._line.poll(seconds)
            return self._line.recv() if spoke else None
        except ConnectionError:
            raise EOFError from None


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait, in this thread, until `Helper.hear` waits, or the block ends.

    So nothing is left half made or half tidied up. Helpers that start here never get Ctrl-C.
    """
    with signal_mask(signal.SIG_BLOCK, SIGNALS):
        yield


@contextmanager
def helping(target: Target, *args: object) -> Iterator[Helper]:
    """Run `target(*args, tell)` in a process of its own until the block ends."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_help, args=(target, args, theirs), name=target.__name__)
    with ours:
        try:
            with theirs, undisturbed():
                process.start()
            yield Helper(process, ours)
        finally:
            _end(process)


def _help(target: Target, args: tuple[object, ...], line: "Connection[Any, Any]") -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the bench says when to stop
    Thread(target=_end_with, args=(line,), name="watch", daemon=True).start()
    target(*args, line.send)


def _end_with(line: "Connection[Any, Any]") -> None:
    """End this process when the bench is gone: it never says a word."""
    try:
        line.recv()
    except (EOFError, OSError):
        os._exit(1)


def _end(process: SpawnProcess) -> None:
    if process.ident is None:
        return
    for seconds in (TWICE, PATIENCE):
        process.terminate()
        process.join(seconds)
    process.kill()
    process.join()
