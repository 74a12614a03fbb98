"""Which rule decides about a path: the longest that matches (RFC 9309, section 2.2.2)."""

from collections.abc import Callable, Iterable, Iterator

from asyncmultispider.robots.paths import google_pattern, rfc_pattern
from asyncmultispider.robots.reader import Line

MAX_WORK = 2**26
"""Steps, some tens of milliseconds at worst, that all wildcard rules may cost for one path.

A rule costs the octets of the path times those of its longest part between wildcards, so honest
files stay far below. Beyond it the safe side is taken: a wildcard rule that disallows counts as
the prefix before its first wildcard, one that allows does not count. So nothing is allowed that
all rules together would disallow.
"""


class Rules:
    """One agent's rules in one reading, the longest first."""

    __slots__ = ("_base", "_exact", "_gate", "_prefixes", "_reach", "_wild")

    def __init__(self, patterns: dict[str, bool]) -> None:
        base = (0, True)  # of the rules that match every path
        exact: dict[str, tuple[int, bool]] = {}
        prefixes: list[tuple[int, bool, str]] = []
        wild: list[tuple[int, bool, str, list[str], str | None]] = []
        for pattern, allow in patterns.items():
            rank = (len(pattern), allow)
            anchored = pattern.endswith("$")
            head, *rest = pattern.removesuffix("$").replace("$", "%24").split("*")
            tail = rest.pop() if anchored and rest else None
            middle = [part for part in rest if part]
            if anchored and tail is None:
                exact[head] = max(rank, exact.get(head, rank))
            elif middle or tail:
                wild.append((*rank, head, middle, tail))
            elif head in ("", "/"):
                base = max(base, rank)
            else:
                prefixes.append((*rank, head))
        prefixes.sort(key=_rank, reverse=True)
        wild.sort(key=_rank, reverse=True)
        self._base = base
        self._exact = {path: max(rank, base) for path, rank in exact.items()}
        self._prefixes = prefixes
        self._gate = tuple(head for _, _, head in prefixes)
        self._wild = wild
        work = sum(max(map(len, middle), default=1) for *_, middle, _ in wild)
        self._reach = MAX_WORK // max(work, 1)  # octets of the longest path for the wild

    def allow(self, path: str) -> bool:
        """Whether they allow a path, which must be in the form of the same reading."""
        best, verdict = self._exact.get(path, self._base)
        if path.startswith(self._gate):
            for length, allow, head in self._prefixes:
                if path.startswith(head):
                    if length > best or (length == best and allow):
                        best, verdict = length, allow
                    break
        within_reach = len(path) <= self._reach
        for length, allow, head, middle, tail in self._wild:
            if length < best or (length == best and verdict):
                break
            if path.startswith(head) and (
                _rest_matches(path, len(head), middle, tail) if within_reach else not allow
            ):
                return allow
        return verdict


def _rank(rule: tuple[int, bool, *tuple[object, ...]]) -> tuple[int, bool]:
    return rule[0], rule[1]


def _rest_matches(path: str, at: int, middle: list[str], tail: str | None) -> bool:
    # The leftmost place of each part leaves the most room to the next ones: no backtracking.
    for part in middle:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return tail is None or (path.endswith(tail) and len(path) - len(tail) >= at)


def readings_of(lines: Iterable[Line]) -> tuple[Rules, ...]:
    """The rules in Google's reading and the RFC's; one when they agree, none without a "no"."""
    merged: dict[bytes, bool] = {}
    for value, allow in lines:
        if value:
            merged[value] = allow or merged.get(value, False)
    if all(merged.values()):
        return ()
    google = _patterns(merged, google_pattern)
    rfc = _patterns(merged, rfc_pattern)
    return (Rules(google),) if google == rfc else (Rules(google), Rules(rfc))


def _patterns(merged: dict[bytes, bool], form: Callable[[bytes], str]) -> dict[str, bool]:
    patterns: dict[str, bool] = {}
    for value, allow in merged.items():
        for pattern in _aliases(form(value), allow):
            patterns[pattern] = allow or patterns.get(pattern, False)
    return patterns


def _aliases(pattern: str, allow: bool) -> Iterator[str]:
    yield pattern
    folder, slash, name = pattern.rpartition("/")
    if allow and name.startswith("index.htm"):  # Google: it allows the folder, too
        yield f"{folder}{slash}$"
    path, mark, query = pattern.partition("?")
    if ":" in query or "/" in query:  # the table in RFC 9309, section 2.2.2
        yield path + mark + query.replace(":", "%3A").replace("/", "%2F")
