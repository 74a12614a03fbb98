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
    """One agent's rules in one reading, the longest first.

    `size` is about the number of bytes that they take, rather more than less.
    """

    __slots__ = ("_base", "_exact", "_heads", "_ranks", "_reach", "_wild", "size")

    def __init__(self, patterns: dict[str, bool]) -> None:
        # A rank tells which rule wins: twice the length of its pattern, and one more to allow.
        base = 1  # of the rules that match every path
        exact: dict[str, int] = {}
        prefixes: list[tuple[int, str]] = []
        wild: list[tuple[int, str, tuple[str, ...], str | None]] = []
        for pattern, allow in patterns.items():
            rank = 2 * len(pattern) + allow
            anchored = pattern.endswith("$")
            head, *rest = pattern.removesuffix("$").replace("$", "%24").split("*")
            tail = rest.pop() if anchored and rest else None
            middle = tuple(part for part in rest if part)
            if anchored and tail is None:
                exact[head] = max(rank, exact.get(head, 0))
            elif middle or tail:
                wild.append((rank, head, middle, tail))
            elif head in ("", "/"):
                base = max(base, rank)
            else:
                prefixes.append((rank, head))
        prefixes.sort(key=_rank, reverse=True)
        wild.sort(key=_rank, reverse=True)
        stars = sum(len(middle) + (tail is not None) for *_, middle, tail in wild)
        self._base = base
        self._exact = {path: max(rank, base) for path, rank in exact.items()}
        # Two tuples, not one of pairs: of some sites there are very many rules in memory.
        self._ranks = tuple(rank for rank, _ in prefixes)
        self._heads = tuple(head for _, head in prefixes)
        self._wild = tuple(wild)
        work = sum(max(map(len, middle), default=1) for *_, middle, _ in wild)
        self.size = 1000 + sum(map(len, patterns)) + 64 * len(patterns) + 120 * stars
        self._reach = MAX_WORK // max(work, 1)  # octets of the longest path for the wild

    def allow(self, path: str) -> bool:
        """Whether they allow a path, which must be in the form of the same reading."""
        best = self._exact.get(path, self._base)
        if path.startswith(self._heads):
            for rank, head in zip(self._ranks, self._heads, strict=True):
                if path.startswith(head):
                    best = max(rank, best)
                    break
        within_reach = len(path) <= self._reach
        for rank, head, middle, tail in self._wild:
            if rank <= best:
                break
            if path.startswith(head) and (
                _rest_matches(path, len(head), middle, tail) if within_reach else not rank & 1
            ):
                best = rank
                break
        return bool(best & 1)


def _rank(rule: tuple[int, *tuple[object, ...]]) -> int:
    return rule[0]


def _rest_matches(path: str, at: int, middle: tuple[str, ...], tail: str | None) -> bool:
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
    # They differ in what they decode.
    rfc = _patterns(merged, rfc_pattern) if any(b"%" in value for value in merged) else google
    return (Rules(google),) if google == rfc else (Rules(google), Rules(rfc))


def _patterns(merged: dict[bytes, bool], form: Callable[[bytes], str]) -> dict[str, bool]:
    patterns: dict[str, bool] = {}
    for value, allow in merged.items():
        pattern = form(value)
        patterns[pattern] = allow or patterns.get(pattern, False)
        if "?" in pattern or "index.htm" in pattern:
            for alias in _aliases(pattern, allow):
                patterns[alias] = allow or patterns.get(alias, False)
    return patterns


def _aliases(pattern: str, allow: bool) -> Iterator[str]:
    folder, slash, name = pattern.rpartition("/")
    if allow and name.startswith("index.htm"):  # Google: it allows the folder, too
        yield f"{folder}{slash}$"
    path, mark, query = pattern.partition("?")
    if ":" in query or "/" in query:  # the table in RFC 9309, section 2.2.2
        yield path + mark + query.replace(":", "%3A").replace("/", "%2F")
