"""Spiders for tests. Worker processes import this module to make them.

The first ones are for what happens to processes; `of_every_kind` has a handler for each `/NAME`.
"""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from msgspec import Struct

from asyncmultispider import retry
from asyncmultispider.engines import threads, worker
from asyncmultispider.engines.engine import Engine
from asyncmultispider.model import Outcome
from asyncmultispider.page import Page
from asyncmultispider.spider import Spider
from asyncmultispider.store.sqlite import SqliteStore

SECONDS = 3.5
worker.PULSE = 0.1  # before a worker begins: it shows that it lives while its spider loads
SOON = 0.02
"""Seconds before an `impatient` crawl tries again."""
TRAIL = ("/found", "/found-too", "/found?by=return")
SILENT = ("nothing", "follows_all", "follows_some", "follows_away", "follows_later")
"""Handlers that give no items."""
WRONG = ("raises", "raises_late", "raises_async", "exits", "exits_async", "times_out", "number")
WRONG += ("unknown", "cancelled", "panics", "closes_itself", "cancels_itself")
"""Handlers that fail their page."""


@dataclass
class Book:
    title: str | None
    pages: int


class Price(Struct):
    amount: float
    currency: str = "EUR"


def impatient() -> Spider:
    """No handlers; but where it is made, nobody waits long before another try."""
    retry.FIRST_DELAY = SOON
    return Spider()


def of_every_kind() -> Spider:
    """A spider with all the handlers below."""
    spider = Spider()
    for handler in HANDLERS:
        spider.on(f"/{handler.__name__}")(handler)
    return spider


def who(site: str) -> Spider:
    """Each page has one item, which tells the process that handled it."""
    _tell_when_ready(site)
    spider = Spider(site)

    @spider.on()
    def tell(page: Page) -> Iterator[Any]:
        yield {"pid": os.getpid()}
        yield from page.follow()

    return spider


def deadly(site: str) -> Spider:
    """As `who`, but pages below `/deadly` kill the process that handles them."""
    spider = who(site)

    @spider.on("/deadly*")
    def die(page: Page) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    return spider


def stuck(site: str) -> Spider:
    """Handlers that never give way; they ask for `/in/...` when they begin.

    When the crawl ends nobody waits long for them.
    """
    threads.PATIENCE = 0.5
    _tell_when_ready(site)
    spider = Spider(site)

    @spider.on("/sleeps")
    def sleep(page: Page) -> None:
        _ask(f"{site}in/sleeps")
        time.sleep(600)

    @spider.on("/spins")
    def spin(page: Page) -> None:
        _ask(f"{site}in/spins")
        while True:
            pass

    return spider


def slow_to_answer(site: str) -> Spider:
    """Handlers that take `SECONDS` in three ways.

    `/holds` keeps all of Python from running, so that no thread can show that it lives.
    """
    spider = who(site)

    @spider.on("/sleeps")
    def sleep(page: Page) -> dict[str, int]:
        time.sleep(SECONDS)
        return {"pid": os.getpid()}

    @spider.on("/spins")
    def spin(page: Page) -> dict[str, int]:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            pass
        return {"pid": os.getpid()}

    @spider.on("/holds")
    def hold(page: Page) -> None:
        ctypes.PyDLL(None).sleep(600)

    return spider


def slow_to_load(site: str) -> Spider:
    """A spider that a worker takes `SECONDS` to make."""
    if multiprocessing.parent_process() is not None:
        time.sleep(SECONDS)
    return Spider(site)


def stillborn(marks: Path) -> Spider:
    """A worker process that makes it is killed, as long as there is a file left in the folder."""
    if multiprocessing.parent_process() is not None:
        _die_if_marked(marks)
    return Spider()


def unreported(marks: Path) -> Spider:
    """As long as there is a file left in the folder, workers die when they have stored a page."""
    write = SqliteStore.write

    def write_and_die(store: SqliteStore, outcomes: Sequence[Outcome]) -> int:
        more = write(store, outcomes)
        if any(outcome.page for outcome in outcomes):
            _die_if_marked(marks)
        return more

    if multiprocessing.parent_process() is not None:
        SqliteStore.write = write_and_die  # type: ignore[method-assign]
    return Spider()


def outlived(marks: Path) -> Spider:
    """Workers die and leave a process behind, as long as there is a file left in the folder."""
    spider = Spider()

    @spider.on("/deadly")
    def deadly(page: Page) -> list[object]:
        if any(marks.iterdir()) and os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        _die_if_marked(marks)
        return [*page.follow()]

    return spider


def _die_if_marked(marks: Path) -> None:
    for mark in marks.iterdir():
        with suppress(FileNotFoundError):  # another one took it
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


def _tell_when_ready(site: str) -> None:
    """A worker asks for `/in/ready` as soon as it has told its supervisor that it is there."""
    if multiprocessing.parent_process() is None:
        return
    run = Engine.run

    async def tell_and_run(engine: Engine) -> None:
        await asyncio.to_thread(_ask, f"{site}in/ready")
        await run(engine)

    Engine.run = tell_and_run  # type: ignore[method-assign]


def _ask(url: str) -> None:
    with suppress(HTTPError), urlopen(url):  # that it is asked for is all that counts
        pass


def dictionary(page: Page) -> dict[str, object]:
    return {"url": page.url, "title": page.title}


def listed(page: Page) -> list[object]:
    return [{"n": 1}, Book(page.title, 2), Price(1.5), *page.follow("/found?by=return")]


def generator(page: Page) -> Iterator[object]:
    yield Book(page.title, len(page.body))
    yield {"ключ": ["\x00", None, 1.0, {"deep": True}]}


async def coroutine(page: Page) -> Price:
    await asyncio.sleep(0)
    return Price(len(page.links))


async def async_generator(page: Page) -> AsyncIterator[object]:
    for n in range(5):
        await asyncio.sleep(0)
        yield {"n": n}
        for follow in page.follow("found"):
            yield follow


async def in_tasks(page: Page) -> list[dict[str, int]]:
    async def square(n: int) -> dict[str, int]:
        await asyncio.sleep(0.001)
        return {"square": n * n}

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(square(n)) for n in range(4)]
    return [task.result() for task in tasks]


def returns_awaitable(page: Page) -> Awaitable[Price]:
    return coroutine(page)


async def outlasts(page: Page) -> AsyncIterator[object]:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)
    except TimeoutError:
        yield {"time": "out"}


def nothing(page: Page) -> None:
    """Nor does it follow any link."""


def follows_all(page: Page) -> Iterator[object]:
    yield from page.follow()


def follows_some(page: Page) -> list[object]:
    return [*page.follow(["/found", "/found-too#here", "/missing", "mailto:x@y.example"])]


def follows_away(page: Page) -> list[object]:
    return [*page.follow("http://elsewhere.example/")]


async def follows_later(page: Page) -> AsyncIterator[object]:
    for follow in page.follow(page.links):
        yield follow


def raises(page: Page) -> None:
    raise LookupError(f"no price in {page.title}")


def raises_late(page: Page) -> Iterator[object]:
    yield {"lost": "with the page"}
    yield from page.follow("/never")
    raise LookupError("no price")


async def raises_async(page: Page) -> None:
    await asyncio.sleep(0)
    raise LookupError("no price")


def exits(page: Page) -> None:
    raise SystemExit(1)


async def exits_async(page: Page) -> None:
    await asyncio.sleep(0)
    raise SystemExit(1)


async def times_out(page: Page) -> None:
    async with asyncio.timeout(0.001):
        await asyncio.sleep(60)


def number(page: Page) -> Iterator[object]:
    yield 42


def unknown(page: Page) -> Iterator[object]:
    yield {"what": object()}


async def cancelled(page: Page) -> None:
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


class Panic(BaseException):
    """As other languages' libraries raise it."""


def panics(page: Page) -> None:
    raise Panic("not an Exception")


def closes_itself(page: Page) -> Iterator[object]:
    yield {"n": 1}
    raise GeneratorExit


async def cancels_itself(page: Page) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


HANDLERS: tuple[Callable[[Page], Any], ...] = (
    dictionary,
    listed,
    generator,
    coroutine,
    async_generator,
    in_tasks,
    returns_awaitable,
    outlasts,
    nothing,
    follows_all,
    follows_some,
    follows_away,
    follows_later,
    raises,
    raises_late,
    raises_async,
    exits,
    exits_async,
    times_out,
    number,
    unknown,
    cancelled,
    panics,
    closes_itself,
    cancels_itself,
)
