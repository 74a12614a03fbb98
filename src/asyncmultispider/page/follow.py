"""What a handler says of the URLs that are to be crawled, checked when it says so."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, json
from turbohtml import Element, Node

from asyncmultispider.model import MOST_PRIORITY, NO_EXTRA, Extra, Headers

Target = str | Element
"""A URL as a page would write it, or an element that has one in its href or src."""
Targets = Target | Iterable[Target]
Handles = str | Callable[..., object]
"""A handler, or its name."""
"""Either way from 0."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e]*")


class Follow(Struct, frozen=True):
    """What a handler yields to have a URL crawled. `Page.follow` makes them.

    Without a `url` it stands for all links of its page, as if there were no handler. Of a host's
    URLs those of a higher `priority` come first. `extra` goes with the request.
    """

    url: str | None
    priority: int = 0
    extra: Extra | None = None


def hrefs_of(targets: object) -> Iterator[str]:
    """The URLs of targets as they are written. Elements that have none are left out.

    Raises `TypeError` for what is neither one nor many of them.
    """
    many = isinstance(targets, Iterable) and not isinstance(targets, str | Node)
    for target in targets if many else [targets]:  # type: ignore[attr-defined]
        href = _href(target)
        if href is not None:
            yield href


def check_priority(priority: int) -> int:
    """It, when it is one. Raises `TypeError` and `ValueError`."""
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise TypeError(f"priority must be a whole number, not {type(priority).__name__}")
    if abs(priority) > MOST_PRIORITY:
        raise ValueError(f"priority must be between -{MOST_PRIORITY} and {MOST_PRIORITY}")
    return priority


def make_extra(
    headers: Mapping[str, str] | None, handler: Handles | None, data: Any
) -> Extra | None:
    """What goes with requests, checked; None for nothing.

    Raises `ValueError` for header fields that can't be sent, and `TypeError` for data that JSON
    does not have. What of the data is changed afterwards changes nothing here.
    """
    extra = Extra(
        headers=_fields(headers or {}),
        handler=None if handler is None else _name(handler),
        data=None if data is None else _copy(data),
    )
    return None if extra == NO_EXTRA else extra


def _href(target: object) -> str | None:
    if isinstance(target, Element):
        href = target.attr("href")
        return target.attr("src") if href is None else href
    if isinstance(target, str):
        return target
    raise TypeError(f"a URL or an element can be followed, not {type(target).__name__}")


def _fields(headers: Mapping[str, str]) -> Headers:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(  # the value is not said: it may be secret
                f"header {name!r} can't be sent: names are letters, digits and hyphens, values "
                "ASCII without control characters"
            )
    return tuple((name, value.strip()) for name, value in headers.items())


def _name(handler: Handles) -> str:
    name = handler if isinstance(handler, str) else getattr(handler, "__qualname__", None)
    if not isinstance(name, str):
        raise TypeError(f"handler must be a function or its name, not {type(handler).__name__}")
    return name


def _copy(data: Any) -> Any:
    try:
        return json.decode(json.encode(data))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TypeError(f"data must be what JSON can say: {error}") from error
