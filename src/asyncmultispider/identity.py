"""Who we say we are, and the way we go: what the files of the options say."""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import DecodeError, json, structs

from asyncmultispider.errors import UsageError
from asyncmultispider.settings import Settings

Lines = str | Path | Sequence[str]
"""The name of a file, or what its lines say."""
HeaderSets = str | Path | Sequence[Mapping[str, str]]
"""The name of a file with a JSON object each line, or the sets themselves."""
T = TypeVar("T")
_VALID = Settings(seeds=("http://localhost/",))


def identity_options(
    user_agents: Lines | None,
    header_pool: HeaderSets | None,
    proxies: Sequence[str],
    proxy_file: Lines | None,
) -> dict[str, Any]:
    """What these options mean to `Settings`, with a session of its own.

    In files, empty lines and those that begin with # say nothing. Raises `UsageError`, naming file
    and line, for what can't be read or makes no sense, and for a file with nothing in it.
    """
    more = () if proxy_file is None else _read_lines("proxies", proxy_file)
    return {
        "user_agents": () if user_agents is None else _read_lines("user_agents", user_agents),
        "header_pool": () if header_pool is None else _read_sets(header_pool),
        "proxies": tuple(dict.fromkeys((*proxies, *more))),
        "session": secrets.randbits(64),
    }


def _read_lines(option: str, given: Lines) -> tuple[str, ...]:
    if not isinstance(given, str | Path):
        return _some(option, given, "the list")
    lines = []
    for where, line in _lines_of(option, given):
        _check(where, **{option: (line,)})
        lines.append(line)
    return _some(option, lines, _quoted(given))


def _read_sets(given: HeaderSets) -> tuple[tuple[tuple[str, str], ...], ...]:
    if not isinstance(given, str | Path):
        if not all(isinstance(fields, Mapping) for fields in given):
            raise UsageError("--header-pool needs a list of dicts of header fields, or a file name")
        return _some("header_pool", (tuple(fields.items()) for fields in given), "the list")
    sets = []
    for where, line in _lines_of("header_pool", given):
        try:
            fields = tuple(json.decode(line, type=dict[str, str]).items())
        except DecodeError:  # what it quotes need not be shown
            raise UsageError(
                f"{where}: --header-pool needs a JSON object of names and strings in each line, "
                'such as {"Accept-Language": "en"}'
            ) from None
        _check(where, header_pool=(fields,))
        sets.append(fields)
    return _some("header_pool", sets, _quoted(given))


def _lines_of(option: str, file: str | Path) -> Iterator[tuple[str, str]]:
    """The lines that say something, and where they stand."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{_option(option)} {_quoted(file)}: it is not UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such file can be"
        raise UsageError(f"{_option(option)} {_quoted(file)}: {reason}") from None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield f"{_quoted(file)}, line {number}", line


def _check(where: str, **setting: Any) -> None:
    try:
        structs.replace(_VALID, **setting)  # it checks itself
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _some(option: str, values: Iterable[T], where: str) -> tuple[T, ...]:
    found = tuple(values)
    if not found:
        raise UsageError(f"{_option(option)}: there is nothing in {where}")
    return found


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _quoted(file: str | Path) -> str:
    return repr(str(file))
