"""From what a user asks for to a plan of a crawl: for the command line and for Python alike."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, ValidationError, convert, structs

from asyncmultispider.crawler import choose_seeds
from asyncmultispider.directory import default_directory
from asyncmultispider.errors import UsageError
from asyncmultispider.identity import HeaderSets, Lines, identity_options
from asyncmultispider.outputs import Target, check_target
from asyncmultispider.settings import ENGINES, Settings
from asyncmultispider.urls import parse_seed
from asyncmultispider.urls.scope import matcher


class Plan(Struct, frozen=True, kw_only=True):
    """A crawl that makes sense; nothing was touched yet.

    `typed` are the seeds as they were given. `draft` are the settings, with a guess at the scheme
    of seeds that have none. `directory` is where the crawl is kept. `targets` are the outputs.
    """

    typed: tuple[str, ...]
    draft: Settings
    directory: Path
    targets: tuple[Target, ...] = ()

    def settings(self, directory: Path) -> Settings:
        """The settings to crawl with there. Asks servers where a seed has no scheme, and only then.

        See `choose_seeds`.
        """
        secret = bool(self.draft.headers)
        seeds = choose_seeds(self.typed, directory, self.draft.proxies, secret=secret)
        return structs.replace(self.draft, seeds=tuple(seeds))


def make_plan(
    typed: Iterable[str],
    *,
    directory: str | Path | None = None,
    outputs: Iterable[str] = (),
    sitemap: Iterable[str] = (),
    user_agents: Lines | None = None,
    header_pool: HeaderSets | None = None,
    proxies: Sequence[str] = (),
    proxy_file: Lines | None = None,
    **values: Any,
) -> Plan:
    """Check all that can be checked before anything is touched. `values` are those of `Settings`.

    Without a directory it is ./HOST.crawl. Raises `UsageError`.
    """
    values |= identity_options(user_agents, header_pool, proxies, proxy_file)
    typed = tuple(typed)
    guesses = tuple(parse_seed(text)[0] for text in typed)
    sitemaps = tuple(parse_seed(text)[0] for text in sitemap)
    draft = checked_settings(seeds=guesses, sitemap=sitemaps, **values)
    for option, globs in (("include", draft.include), ("exclude", draft.exclude)):
        matcher(option, globs)
    where = Path(directory) if directory else default_directory((*guesses, *sitemaps)[0])
    targets = tuple(check_target(output, where) for output in outputs)
    return Plan(typed=typed, draft=draft, directory=where, targets=targets)


def checked_settings(**values: Any) -> Settings:
    """The settings of these values, whatever their types. Raises `UsageError`."""
    try:
        settings = Settings(**values)  # it tells best what is wrong with a value of the right type
        convert(values, Settings)
    except ValidationError as error:
        raise UsageError(_wrong_type(error)) from None
    except (TypeError, ValueError, AttributeError):  # while it looked at a value of the wrong type
        try:
            return convert(values, Settings)
        except ValidationError as error:
            raise UsageError(_wrong_type(error)) from None
    return settings


def choose_engine(engine: str | None, processes: object, warn: Callable[[str], None]) -> str | None:
    """The engine by name; where none is named, it follows from the number of processes."""
    if engine is None:
        return "async" if processes is None else "processes"
    if engine in ENGINES and engine != "processes" and processes is not None:
        warn(f"--processes {processes} is for --engine processes: {engine} uses one")
    return engine


def parse_headers(fields: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """`K: V` into pairs. Raises `UsageError`."""
    pairs = []
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon:
            raise UsageError("--header needs 'Name: value': one has no colon")  # it may be secret
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


def _wrong_type(error: ValidationError) -> str:
    what, at, where = str(error).rpartition(" - at `$.")
    if not at:
        return str(error)
    option = re.split(r"[^a-z_]", where, maxsplit=1)[0].replace("_", "-")
    return f"--{option}: {what.lower().replace('`', '')}"
