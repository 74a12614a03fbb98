"""Spiders that live in this program, and how worker processes come by them."""

import pickle
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from asyncmultispider.errors import UsageError
from asyncmultispider.spider import Spider

_ADVICE = "define the handlers at the top of a module and import it, or use another engine"


def spider_maker(spider: Spider, engine: object) -> Callable[[], Spider]:
    """What gives the engine its spider. Raises `UsageError` where workers couldn't have it."""
    if engine != "processes":
        return lambda: spider
    try:
        packed = pickle.dumps(spider)
    except Exception as error:  # noqa: BLE001 - whatever it says: it can't be sent
        raise UsageError(f"worker processes can't have this spider: {error}: {_ADVICE}") from None
    if b"__main__" in packed and not hasattr(sys.modules["__main__"], "__file__"):
        raise UsageError(
            "worker processes can't have this spider: what was typed into a notebook or at a "
            f"prompt is in no file: {_ADVICE}"
        )
    return partial(unpacked, packed)


def unpacked(spider: bytes) -> Spider:
    """The spider, in a worker. Raises `UsageError` when its handlers can't be found there."""
    try:
        found: Any = pickle.loads(spider)  # noqa: S301 - our own, by way of our own pipe
    except Exception as error:
        raise UsageError(f"a worker process can't load the spider: {error}: {_ADVICE}") from error
    assert isinstance(found, Spider)  # noqa: S101 - it was packed as one
    return found


def check_program() -> None:
    """Raise `UsageError` where worker processes could not start: they run the program's file."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file and getattr(main, "__spec__", None) is None and not Path(file).is_file():
        raise UsageError(
            f"engine 'processes' needs a program that is in a file, and {file!r} is none: "
            "save it, or use another engine"
        )
