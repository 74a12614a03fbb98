"""What a crawl wants of its process: open files, cores, signals, the garbage collector."""

import asyncio
import gc
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from asyncmultispider.errors import UsageError

OTHER_FILES = 64
"""Files that a crawl has open besides a socket for each transfer."""
WORKER = "crawl-"
"""What the name of a worker process begins with."""
UNGUARDED = 79
"""Exit code of a worker that would have begun a crawl of its own."""
FILES_OF_A_THREAD = 6
"""A socket, two of libcurl's to wake it up, and three of the loop that a coroutine runs on."""


def allow_files(concurrency: int, each: int) -> int:
    """Let this process open what so many transfers need; for how many of them that is enough.

    Each needs so many files at least. A lack would look like failing hosts.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = resource.RLIM_INFINITY
    # Some are looking a name up, some are being closed.
    wanted = (each + 1) * concurrency + OTHER_FILES
    if soft != endless and soft < wanted:
        soft = wanted if hard == endless else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == endless or soft >= each * concurrency + OTHER_FILES:
        return concurrency
    if soft < each + OTHER_FILES:
        raise UsageError(f"the system allows only {soft} open files (see 'ulimit -n')")
    return (soft - OTHER_FILES) // each


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the running loop at Ctrl-C or SIGTERM, and once more at the second.

    What comes after that, or while the loop is kept from hearing, is a `KeyboardInterrupt`: nobody
    should have to wait for a handler that never gives way.
    """
    loop = asyncio.get_running_loop()
    heard = told = 0

    def tell() -> None:
        nonlocal told
        told += 1
        stop()

    def hear(_number: int, _frame: object) -> None:
        nonlocal heard
        if heard > told or told == 2:
            raise KeyboardInterrupt
        heard += 1
        loop.call_soon_threadsafe(tell)

    if threading.current_thread() is not threading.main_thread():  # others get no signals
        yield
        return
    before = {n: signal.signal(n, hear) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signal_mask(how: signal.Sigmasks, numbers: set[signal.Signals]) -> Iterator[None]:
    """Block or unblock signals in this thread, and in processes that start in the block."""
    # When the first process starts, the tracker would be started, and that ends any blocking.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(how, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def usable_cores() -> int:
    """The number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_if_imported_by_worker() -> None:
    """End this process if it is a worker that imports the program it works for.

    That program would begin the crawl anew, in each worker. The supervisor knows the exit code.
    """
    me = multiprocessing.current_process()
    if me.name.startswith(WORKER) and getattr(me, "_inheriting", False):
        os._exit(UNGUARDED)


def tune_gc() -> None:
    """Pages make many objects and few cycles: collecting less often saves some 5% of CPU."""
    gc.set_threshold(50_000, 20, 20)
    gc.freeze()  # what was imported stays
