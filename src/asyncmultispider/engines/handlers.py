"""Calling the handlers of a spider, plain ones and coroutines, in both colours.

What a handler raises is not ours to raise: it becomes the outcome of its page. Only Ctrl-C goes on.
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Iterable, Mapping
from inspect import isawaitable
from time import perf_counter
from traceback import format_exc
from typing import Any

from asyncmultispider.judge import Judge, Visit
from asyncmultispider.model import Outcome
from asyncmultispider.spider import Handler

BLOCKING = 0.25
"""Seconds without giving way after which a handler holds up everything else on its loop."""

TellBlocked = Callable[[str, float], None]


def call_handler(judge: Judge, visit: Visit, runner: "asyncio.Runner") -> Outcome:
    """Call it in this thread; a coroutine runs to its end on the runner's loop."""
    try:
        made = visit.handler(visit.page)
        products = runner.run(_collect(made)) if _is_async(made) else _listed(made)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - see above
        return judge.blame(visit, format_exc())
    return judge.conclude(visit, products)


async def await_handler(judge: Judge, visit: Visit, watch: "Watch | None" = None) -> Outcome:
    """Call it on the running loop; `watch` hears for how long it did not give way."""
    longest = Longest()
    try:
        with longest:
            made = visit.handler(visit.page)
            products = [] if _is_async(made) else _listed(made)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - see above
        outcome = judge.blame(visit, format_exc())
    else:
        if _is_async(made):  # in a task of its own: it may cancel the one that it runs in
            outcome = await asyncio.create_task(_finish(judge, visit, made, longest))
        else:
            outcome = judge.conclude(visit, products)
    if watch is not None:
        watch(visit.handler, longest.seconds)
    return outcome


async def _finish(judge: Judge, visit: Visit, made: object, longest: "Longest") -> Outcome:
    try:
        products = await Stepwise(_collect(made), longest)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - see above
        return judge.blame(visit, format_exc())
    return judge.conclude(visit, products)


class Watch:
    """Tells once of each handler that kept the loop to itself for longer than `BLOCKING`."""

    def __init__(self, tell: TellBlocked) -> None:
        self._tell = tell
        self._told: set[str] = set()

    def __call__(self, handler: Handler, seconds: float) -> None:
        """A handler did not give way for so long."""
        name = getattr(handler, "__qualname__", None) or repr(handler)
        if seconds > BLOCKING and name not in self._told:
            self._told.add(name)
            self._tell(name, seconds)


class Longest:
    """The longest of the times spent in its `with` blocks, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds = max(self.seconds, perf_counter() - self._began)


class Stepwise:
    """Awaits a coroutine and times each of its steps, from one `await` to the next."""

    def __init__(self, coroutine: Awaitable[list[object]], longest: Longest) -> None:
        self._coroutine = coroutine
        self._longest = longest

    def __await__(self) -> Generator[Any, Any, list[object]]:
        steps = self._coroutine.__await__()
        error: BaseException | None = None
        while True:
            try:
                with self._longest:
                    step = next(steps) if error is None else steps.throw(error)
            except StopIteration as end:
                result: list[object] = end.value
                return result
            try:
                error = None
                yield step
            except BaseException as thrown:  # noqa: BLE001 - it belongs to the coroutine
                error = thrown


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
