"""Calling the handlers of a spider, plain ones and coroutines, in both colours.

What a handler raises is not ours to raise: it becomes the outcome of its page. Only Ctrl-C goes on.
"""

import asyncio
import os
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import contextmanager, nullcontext
from inspect import isawaitable
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, time
from traceback import format_exception
from typing import Any

from asyncmultispider.judge import Judge, Visit
from asyncmultispider.model import Failure, Outcome, Reason, Request
from asyncmultispider.spider import Handler, handler_name

BLOCKING = 0.25
"""Seconds without giving way after which a handler holds up everything else on its loop."""
LOOK = 1.0
"""Seconds between two looks at what the loop is doing."""
_NOT_THEIRS = tuple(
    str(folder) + os.sep for folder in (Path(__file__).parents[1], Path(asyncio.__file__).parent)
)

TellBlocked = Callable[[str, float], None]


def outgoing(judge: Judge, request: Request) -> Request | Failure:
    """The request as hooks of the spider want it sent, or what they raised."""
    try:
        return judge.outgoing(request)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - see above
        return Failure(reason=Reason.HANDLER, detail=told(error), at=time(), elapsed=0.0)


def call_handler(judge: Judge, visit: Visit, runner: "asyncio.Runner") -> Outcome:
    """Call it in this thread; a coroutine runs to its end on the runner's loop."""
    try:
        made = visit.handler(visit.page)
        products = runner.run(_collect(made)) if _is_async(made) else _listed(made)
    except BaseException as error:  # noqa: BLE001 - see above
        return _blame(judge, visit, error)
    return judge.conclude(visit, products)


async def await_handler(judge: Judge, visit: Visit, watch: "Watch | None" = None) -> Outcome:
    """Call it on the running loop, under watch."""
    watched = watch.step(visit.handler) if watch is not None else nullcontext()
    try:
        with watched:
            made = visit.handler(visit.page)
            products = [] if _is_async(made) else _listed(made)
    except BaseException as error:  # noqa: BLE001 - see above
        return _blame(judge, visit, error)
    if _is_async(made):  # in a task of its own: it may cancel the one that it runs in
        try:
            return await asyncio.create_task(_finish(judge, visit, made, watch))
        finally:  # cancelled before its first step, it would complain that nobody awaited it
            getattr(made, "close", bool)()
    return judge.conclude(visit, products)


async def _finish(judge: Judge, visit: Visit, made: object, watch: "Watch | None") -> Outcome:
    steps = _collect(made)
    try:
        products = await (steps if watch is None else Stepwise(steps, watch, visit.handler))
    except BaseException as error:  # noqa: BLE001 - see above
        return _blame(judge, visit, error)
    return judge.conclude(visit, products)


class Watch:
    """Tells once of each handler that keeps the loop to itself for longer than `BLOCKING`.

    It also looks from a thread of its own: one that never gives way must be told of meanwhile.
    """

    def __init__(self, tell: TellBlocked) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self._busy: tuple[Handler, float] | None = None
        self._ended = Event()
        self._thread = Thread(target=self._look, name="watch", daemon=True)

    @contextmanager
    def step(self, handler: Handler) -> Iterator[None]:
        """The handler has the loop to itself in the block."""
        if self._thread.ident is None:
            self._thread.start()
        self._busy = handler, perf_counter()
        try:
            yield
        finally:
            self._check()
            self._busy = None

    def close(self) -> None:
        """Look no more."""
        self._ended.set()

    def _look(self) -> None:
        while not self._ended.wait(LOOK):
            self._check()

    def _check(self) -> None:
        busy = self._busy
        if busy is None:
            return
        handler, began = busy
        seconds = perf_counter() - began
        name = handler_name(handler)
        if seconds > BLOCKING and name not in self._told:
            self._told.add(name)
            self._tell(name, seconds)


class Stepwise:
    """Awaits a handler's coroutine with each of its steps, from `await` to `await`, under watch."""

    def __init__(self, coroutine: Awaitable[list[object]], watch: Watch, handler: Handler) -> None:
        self._coroutine = coroutine
        self._watch = watch
        self._handler = handler

    def __await__(self) -> Generator[Any, Any, list[object]]:
        steps = self._coroutine.__await__()
        error: BaseException | None = None
        while True:
            try:
                with self._watch.step(self._handler):
                    step = next(steps) if error is None else steps.throw(error)
            except StopIteration as end:
                result: list[object] = end.value
                return result
            try:
                error = None
                yield step
            except BaseException as thrown:  # noqa: BLE001 - it belongs to the coroutine
                error = thrown


def _blame(judge: Judge, visit: Visit, error: BaseException) -> Outcome:
    if isinstance(error, KeyboardInterrupt):
        raise error
    return judge.blame(visit, told(error))


def told(error: BaseException) -> str:
    """Its traceback, from where the spider's own code begins. Half characters are escaped."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_NOT_THEIRS):
        trace = trace.tb_next
    text = "".join(format_exception(type(error), error, trace or error.__traceback__))
    return text.encode(errors="backslashreplace").decode()


def _is_async(made: object) -> bool:
    return isawaitable(made) or isinstance(made, AsyncIterable)


async def _collect(made: Any) -> list[object]:
    if isawaitable(made):
        made = await made
    if isinstance(made, AsyncIterable):
        return [product async for product in made]
    return _listed(made)


def _listed(made: object) -> list[object]:
    """What a handler yielded or returned: many, one, or nothing."""
    if made is None:
        return []
    many = isinstance(made, Iterable) and not isinstance(made, Mapping | str | bytes)
    return list(made) if many else [made]  # type: ignore[call-overload]
