"""The kinds of misbehaviour, the site that is made of them, and how each URL of it must end.

    with HostileServer(answers()) as server:
        crawl(server.url("/"), **limits)
        assert not surprises(ends, server.url(""))

`ends` says of each URL `done`, or the state with the reason: `failed:timeout`.
"""

from collections.abc import Mapping
from typing import TypeVar

from hostile import bodies, codings, content, fields, redirects, statuses
from hostile.messages import GOOD, Kind, good, html, serve, target
from hostile.server import Answer, Line

T = TypeVar("T")

TIMEOUT = 3
"""Seconds that a crawl of it should allow for a request: `--timeout`."""
MAX_BODY = 6 * 2**20
"""Bytes that it should allow for a body: `--max-body`."""
LIMIT = 2.0 * TIMEOUT
"""Seconds that its time limits imply, with room for all at once: some answers lead to others."""
OPTIONS = (
    *("--timeout", str(TIMEOUT), "--max-body", str(MAX_BODY), "--retries", "0"),
    *("--delay-factor", "0", "--per-host", "200", "-c", "200"),
    *("--scope", "any", "--exclude", "/flood/*"),
)
"""How the command line crawls it. Scope: some redirects lead off the host, to see what follows."""

KINDS: tuple[Kind, ...] = (
    *statuses.KINDS,
    *fields.KINDS,
    *bodies.KINDS,
    *codings.KINDS,
    *redirects.KINDS,
    *content.KINDS,
)


def answers() -> dict[str, Answer]:
    """What the server says, by path: the index, the good pages and all kinds."""
    found: dict[str, Answer] = {"/": _index, "/good/*": good, "/target/*": target}
    for kind in KINDS:
        found[kind.path] = kind.answer
        found |= kind.also
    return found


def expected() -> dict[str, frozenset[str]]:
    """How the URLs must end, by path or, elsewhere, by URL; a `*` ends a prefix."""
    found = {"/": frozenset({"done"})}
    found |= {f"/good/{n}": frozenset({"done"}) for n in range(GOOD)}
    for kind in KINDS:
        found |= kind.ends
    return found


def surprises(ends: Mapping[str, str], base: str) -> dict[str, str]:
    """What did not end as it must, by the name of its kind (or by path), and how it did."""
    found = _differences({url.removeprefix(base): end for url, end in ends.items()})
    names = {path: kind.name for kind in KINDS for path in kind.ends}
    return {_lookup(names, path, path): f"{path}: {text}" for path, text in found.items()}


def _differences(ends: Mapping[str, str]) -> dict[str, str]:
    wanted = expected()
    found = {path: "is not there" for path in wanted if path not in ends and path[-1] != "*"}
    for path, end in ends.items():
        allowed = _lookup(wanted, path, frozenset())
        if end not in allowed:
            found[path[:200]] = f"{end}, not {' or '.join(sorted(allowed)) or 'known'}"
    return found


def _lookup(table: Mapping[str, T], path: str, otherwise: T) -> T:
    if path in table:
        return table[path]
    prefixes = (known for known in table if known[-1] == "*" and path.startswith(known[:-1]))
    return table.get(next(prefixes, path), otherwise)


def _index(line: Line) -> None:
    # Good ones among the bad: nobody may say that the host has only one kind.
    hrefs = [f"/good/{n}" for n in range(GOOD)]
    for i, kind in enumerate(KINDS):
        hrefs.insert(min(2 * i, len(hrefs)), kind.path)
    serve(line, html("Index", *hrefs))
