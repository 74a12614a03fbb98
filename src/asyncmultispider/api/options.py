"""The options of `crawl` and `fetch_all`, and what they mean to a plan."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict

from asyncmultispider.errors import UsageError
from asyncmultispider.options import parse_headers
from asyncmultispider.settings import EngineName, ScopeName, SyncName

AnyPath = str | os.PathLike[str]
Texts = str | Iterable[str]
"""One or several."""
Fields = str | Mapping[str, str] | Iterable[str]
"""Header fields: `'K: V'`, several of these, or a mapping."""


class FetchOptions(TypedDict, total=False):
    """How to fetch. See `asyncmultispider crawl --help`; `_` stands for `-`.

    `user_agents`, `header_pool` and `proxies` are files, or what would be in them.
    """

    engine: EngineName
    processes: int
    concurrency: int
    per_host: int
    delay: float
    delay_factor: float
    max_time: float
    timeout: float
    max_body: int
    retries: int
    user_agent: str
    user_agents: AnyPath | Sequence[str]
    header: Fields
    header_pool: AnyPath | Sequence[Mapping[str, str]]
    cookies: bool
    proxy: Texts
    proxies: AnyPath | Sequence[str]
    ignore_robots: bool
    allow_private: Texts
    insecure: bool


class CrawlOptions(FetchOptions, total=False):
    """How to crawl: `FetchOptions`, and what to crawl and where to keep it."""

    dir: AnyPath
    output: AnyPath | Iterable[AnyPath]
    scope: ScopeName
    include: Texts
    exclude: Texts
    depth: int
    limit: int
    sitemaps: bool
    sitemap: Texts
    page_requisites: bool
    max_per_host: int
    sync: SyncName
    fresh: bool
    bodies: bool


_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


@contextmanager
def in_python() -> Iterator[None]:
    """Let a `UsageError` call options by their names in Python."""
    try:
        yield
    except UsageError as error:
        message = _OPTION.sub(lambda found: found[1].replace("-", "_"), str(error))
        raise UsageError(message) from error.__cause__


def check_names(function: str, known: type, options: Mapping[str, object]) -> None:
    """Raise `TypeError` for an option that the function does not have."""
    names: Iterable[str] = known.__annotations__
    for name in options:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{function}() has no option {name!r}{hint}")


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as `make_plan` wants them. What is None was not said."""
    values = {name: value for name, value in options.items() if value is not None}
    for name in ("include", "exclude", "allow_private", "sitemap", "proxy"):
        if name in values:
            values[name] = texts(values[name])
    for name in ("user_agents", "header_pool", "proxies"):
        if isinstance(values.get(name), os.PathLike):
            values[name] = Path(values[name])
    values["proxy_file"], values["proxies"] = values.pop("proxies", None), values.pop("proxy", ())
    if "header" in values:
        values["headers"] = _pairs(values.pop("header"))
    return values


def texts(value: Any) -> Any:
    """One text or several as a tuple; what is neither will be complained about."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) else value


def paths(name: str, value: Any) -> list[str]:
    """One path or several, as text. Raises `UsageError`."""
    several = [value] if isinstance(value, str | os.PathLike) else value
    try:
        return [os.fsdecode(each) for each in several]
    except TypeError:
        raise UsageError(f"{name} must be a path, or several, not {value!r}") from None


def path(name: str, value: Any) -> Path:
    """One path. Raises `UsageError`."""
    try:
        return Path(os.fsdecode(value))
    except TypeError:
        raise UsageError(f"{name} must be a path, not {value!r}") from None


def _pairs(header: Any) -> tuple[tuple[Any, Any], ...]:
    if isinstance(header, Mapping):
        return tuple((name, value) for name, value in header.items())
    try:
        return parse_headers(texts(header))
    except (TypeError, AttributeError):  # what it holds may be secret
        raise UsageError("header must be 'Name: value', several of these, or a mapping") from None
