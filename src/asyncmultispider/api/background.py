"""A crawl in a thread of its own, with its own event loop: the caller may have one already."""

import atexit
import concurrent.futures.thread  # noqa: F401 - its exit hook must be there before ours: see below
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from threading import Event, Lock, RLock, Thread, current_thread

from msgspec import Struct

from asyncmultispider.api.holding import held_open
from asyncmultispider.api.options import in_python
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import FRONTIER, PAGES, forget
from asyncmultispider.observe import Observer
from asyncmultispider.options import Plan
from asyncmultispider.remarks import at_end, at_start, blocked
from asyncmultispider.spider import Spider
from asyncmultispider.stats import Summary

logger = logging.getLogger("asyncmultispider")
logger.addHandler(logging.NullHandler())


class Task(Struct, frozen=True, kw_only=True):
    """What is to be crawled. `temporary`: in a directory that goes when the crawl ends."""

    plan: Plan
    make_spider: Callable[[], Spider] | None = None
    temporary: bool = False
    fresh: bool = False
    bodies: bool = False


class Consumer(Observer):
    """Who is told of a crawl as it goes on, in its thread, and gives it its pace."""

    def opened(self, crawl: Crawl) -> None:
        """It begins. `crawl.reins.wake` is to be called when `may_take` says yes again."""

    def may_take(self) -> bool:
        """Whether more requests may be taken."""
        return True

    def blocked(self, handler: str, seconds: float) -> None:
        """See `Observer.blocked`."""
        logger.warning("%s", blocked(handler, seconds))

    def ending(self) -> None:
        """All is committed. The books are closed when this returns."""

    def ended(self) -> None:
        """It is over, whether it has begun or not."""

    def leave(self) -> None:
        """Nobody wants any more: `ending` need not wait. From any thread."""


class Background:
    """Runs a task in a thread, from `start` until it has `ended`.

    `summary` is there from then on, where the crawl was run; `error` is what it ended with, until
    that is raised. A process that is forked meanwhile has no part in it: there it is over.
    """

    def __init__(self, task: Task | None, consumer: Consumer) -> None:
        self.summary: Summary | None = None
        self.error: BaseException | None = None
        self._task = task
        self._directory: Path | None = None
        self._consumer = consumer
        self._lock = RLock()  # who collects garbage under it may meet one that was left
        self._crawl: Crawl | None = None
        self._stops = 0
        self._ended = Event()
        self._at_end: list[Callable[[], None]] = []
        # A daemon: a crawl that nobody goes on with must not keep the program from ending.
        self._thread = Thread(target=self._work, name="asyncmultispider", daemon=True)
        self._process = os.getpid()

    def start(self) -> None:
        """Begin, once."""
        _end_all_at_exit()
        with _LOCK:
            _RUNNING.append(self)
        self._thread.start()

    def stop(self, *, now: bool = False) -> None:
        """Take no more and finish what is in flight; `now`: give that up. From any thread."""
        if not self._is_ours:
            return
        with self._lock:
            self._stops = max(self._stops, 2 if now else 1)
            if self._crawl is not None:
                self._crawl.reins.stop(now=now)

    def give_up(self) -> None:
        """End soon: nobody wants any more of it. From any thread."""
        self.stop(now=True)
        if self._is_ours:
            self._consumer.leave()

    def join(self) -> None:
        """Wait for its end. In its own thread that makes no sense, and nothing is done."""
        if self._began and current_thread() is not self._thread:
            self._ended.wait()
            self._thread.join()

    def when_ended(self, call: Callable[[], None]) -> bool:
        """Have this called at its end, in its thread. False when it has none to come."""
        with self._lock:
            comes = self._began and not self._ended.is_set()
            if comes:
                self._at_end.append(call)
        return comes

    @property
    def _began(self) -> bool:
        return self._thread.ident is not None and self._is_ours

    @property
    def _is_ours(self) -> bool:
        # In a fork its thread is not there, and may have had any lock when it was left behind.
        return self._process == os.getpid()

    def raise_error(self) -> None:
        """Raise what it ended with, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error

    def wait_if_ending(self, directory: Path) -> None:
        """Wait for its end if it uses this directory and was given up."""
        if self._stops > 1 and self._directory == directory.absolute():
            self._ended.wait()

    def _work(self) -> None:
        try:
            if self._task is not None:
                with in_python(), _kept(self._task) as directory:
                    self._directory = directory.absolute()
                    self._run(self._task, directory)
        except BaseException as error:  # noqa: BLE001 - it is raised where the pages are wanted
            self.error = error
        finally:
            with _LOCK:
                _RUNNING.remove(self)
            with self._lock:
                self._ended.set()
            self._consumer.ended()
            for call in self._at_end:
                call()

    def _run(self, task: Task, directory: Path) -> None:
        for other in _others(self):  # one that was left a moment ago
            other.wait_if_ending(directory)
        if task.fresh:
            forget(directory)
        with Crawl(task.plan.settings(directory), directory, task.make_spider).open() as crawl:
            for remark in at_start(crawl):
                logger.warning("%s", remark)
            books = [directory / name for name in (PAGES, FRONTIER)]
            with nullcontext() if task.temporary else held_open(books):
                self._drive(crawl)
            if crawl.trouble is not None:  # there may be pages that the ledger knows nothing of
                raise crawl.trouble
            crawl.write_outputs(task.plan.targets, bodies=task.bodies)

    def _drive(self, crawl: Crawl) -> None:
        with self._lock:
            self._crawl = crawl
            if self._stops:
                crawl.reins.stop(now=self._stops > 1)
        self._consumer.opened(crawl)
        self.summary = crawl.run([self._consumer], self._consumer.may_take)
        for remark in at_end(crawl):
            logger.warning("%s", remark)
        self._consumer.ending()


@contextmanager
def _kept(task: Task) -> Iterator[Path]:
    if not task.temporary:
        yield task.plan.directory
        return
    directory = Path(tempfile.mkdtemp(prefix="asyncmultispider-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


_LOCK = Lock()
_RUNNING: list[Background] = []


def _others(me: Background) -> list[Background]:
    with _LOCK:
        return [each for each in _RUNNING if each is not me]


def _forget_all() -> None:
    global _LOCK  # whoever had it is not there
    _LOCK = Lock()
    _RUNNING.clear()


os.register_at_fork(after_in_child=_forget_all)


@cache
def _end_all_at_exit() -> None:
    # Before Python ends the thread pools that an engine may use: hooks run in reverse order.
    # `atexit` comes after that; it will do where there is nothing better.
    register = getattr(threading, "_register_atexit", atexit.register)
    register(_end_all)


def _end_all() -> None:
    with _LOCK:
        running = list(_RUNNING)
    for each in running:
        each.give_up()
    for each in running:
        each.join()
