"""Traps: URLs that a site makes up without end. What gives them away, by shape and by evidence.

An `oddity` is a URL that no site means. All others are innocent by shape: their `family` only says
which URLs are looked at together, and `Evidence` convicts a family whose pages say nothing new.
"""

import re
from collections import Counter
from collections.abc import Iterable

LONGEST = 4096
"""Characters of a URL."""
SEGMENTS = 32
"""Segments of a path, and parameters of a query."""
IN_A_ROW = 3
"""Times that one to three segments of a path may follow themselves, or a parameter come again."""
ANYWHERE = 6
"""Times that a segment which is no number may be in a path."""
SAME_NAME = 16
"""Times that a parameter's name may be in a query: lists are sent like this."""
_TOO_ESCAPED = "%25252525"

_NUMBERS = re.compile(r"(%[0-9A-Fa-f]{2})|\([A-Z]\([a-z0-9]{24}\)\)|[0-9a-f]{12,}|[0-9]+")
_PART = 40
"""Characters of a segment or name that a family shows."""
_NAMES = 4

# Some names are used for other things too: there the value must look like an id, and like no GUID.
_SESSION = re.compile(
    r"[;?&](?:(phpsessid|jsessionid|aspsessionid[a-z]*|zenid|oscsid|cftoken)"
    r"=(?=[a-z_.!~,-]*[0-9])[\w.!~,-]{8,}"
    r"|(cfid)=[0-9]+(?=&cftoken=)"
    r"|(sid|sessionid|session_id|sessid)=(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{20,}"
    r"|(s)=[0-9a-f]{32})(?=[;?&/]|$)"
    r"|/\((s)\([a-z0-9]{24}\)\)(?=/)",
    re.ASCII | re.IGNORECASE,
)

UNWATCHED = 500
"""Pages of a family before the first that is looked at."""
SELDOM = 16
"""Pages between two that are looked at of a family that says nothing new."""
FARTHEST = 256
"""Pages of a family between two that are looked at, at most."""
SUSPECTED = 100
"""Score at which a family says nothing new, which may be so by nature."""
ENDLESS = 2500
"""Pages of such a family that led to more of it, before it is a trap. Small ones come to an end."""
DEEP = 500
"""Links from a seed from which on a tenth of these will do: who is so far followed a chain."""
SOMETHING_NEW = 10
"""What a page that says something new takes off the score."""
REMEMBERED = 4096
"""Gists of a family before the oldest is forgotten."""


def oddity(url: str) -> str | None:
    """What is pathological about a canonical web URL by itself, in a few words; else None."""
    if len(url) > LONGEST:
        return f"a URL of more than {LONGEST} characters"
    path, _, query = url.partition("?")
    # The scheme and the host take two slashes; less than four segments or parameters repeat little.
    if path.count("/") > 5:
        found = _odd_path(path.split("/")[3:])
        if found:
            return found
    if _TOO_ESCAPED in url:
        return "an escape escaped again and again"
    if query.count("=") > IN_A_ROW or query.count("&") >= SAME_NAME:
        return _odd_query(query)
    return None


def family(url: str) -> str:
    """The family of a canonical web URL: a pattern of its path and the names of its parameters.

    Such as `/calendar/*`, `/N/*` (N: any number), `/*?month&year`, `/shop/*?*` (many parameters).
    It is coarse: whatever the depth of a trap's paths, they are of one family.
    """
    path, _, query = url[url.index("/", 8) + 1 :].partition("?")
    if ";" in path:  # parameters of a path are like those of a query
        query += "&" + "&".join(part.partition("/")[0] for part in path.split(";", SEGMENTS)[1:])
    first, slash, _ = path.partition("/")
    shape = f"/{_general(first.partition(';')[0])}/*" if slash else "/*"
    names = _names(query) if query else ""
    return f"{shape}?{names}" if names else shape


def session_id(url: str) -> str | None:
    """The name of the URL's parameter that is a session id, in lower case; else None."""
    if "?" not in url and ";" not in url and "(" not in url:
        return None
    found = _SESSION.search(url)
    return found[found.lastindex or 0].lower() if found else None


def without_session(url: str) -> str:
    """The URL without its session ids: a name for all that differ in them, not one to ask for."""
    if session_id(url) is None:
        return url
    short = _SESSION.sub(lambda found: "?" if found[0][0] == "?" else "", url)
    return re.sub(r"\?[;&]", "?", short, count=1).removesuffix("?")


class Evidence:
    """What is known of a family: whether its pages say something new, and whether it ends.

    Not every page is looked at: none of the first, then each, and the more seldom the more of them
    say something new. `looked` counts those of which the gist was learnt, `known` those among them
    that said what another had said; `score` rises with these and falls faster with new ones.
    `fertile` counts pages that led to more of the family since it says nothing new. `trapped` is
    the verdict.
    """

    __slots__ = ("_distance", "_gists", "_wait", "fertile", "known", "looked", "score", "trapped")

    def __init__(self) -> None:
        self._wait = UNWATCHED
        self._distance = 1
        self._gists: dict[int, None] = {}  # oldest first
        self.looked = 0
        self.known = 0
        self.score = 0
        self.fertile = 0
        self.trapped = False

    def wants_look(self) -> bool:
        """Whether this page of the family is to be looked at: asked once for each."""
        if self._wait:
            self._wait -= 1
            return False
        self._wait = self._distance - 1
        return True

    def learn(self, gist: int) -> None:
        """Take in what one of its pages says (`page.gist`)."""
        self.looked += 1
        if gist in self._gists:
            self.known += 1
            self.score = min(self.score + 1, 2 * SUSPECTED)
            self._distance = max(self._distance // 2, SELDOM if self.suspected else 1)
        else:
            self.score = max(self.score - SOMETHING_NEW, 0)
            self._distance = min(self._distance * 2, FARTHEST)
            if len(self._gists) >= REMEMBERED:
                del self._gists[next(iter(self._gists))]
        self._gists[gist] = None
        self._wait = min(self._wait, self._distance - 1)
        if not self.suspected:
            self.fertile = 0

    def breed(self, depth: int) -> None:
        """One of its pages, so many links from a seed, led to more of it."""
        if self.suspected:
            self.fertile += 1
            self.trapped = self.fertile >= (ENDLESS if depth < DEEP else ENDLESS // 10)

    @property
    def suspected(self) -> bool:
        """Whether it says nothing new."""
        return self.score >= SUSPECTED


def _odd_path(segments: list[str]) -> str | None:
    if len(segments) > SEGMENTS:
        return f"a path of more than {SEGMENTS} segments"
    if len(segments) - len(set(segments)) < IN_A_ROW:
        return None
    for size in (1, 2, 3):
        found = _in_a_row(segments, size)
        if found:
            return found
    return _too_often((s for s in segments if s and not s.isdecimal()), ANYWHERE, "segment {}")


def _in_a_row(segments: list[str], size: int) -> str | None:
    most = run = end = 0
    for i, (one, other) in enumerate(zip(segments, segments[size:], strict=False)):
        run = run + 1 if one == other else 0
        if run > most:
            most, end = run, i
    times = most // size + 1
    if times <= IN_A_ROW:
        return None
    group = "/".join(segments[end - size + 1 : end + 1])
    return f"/{_short(group)} repeated {times} times"


def _odd_query(query: str) -> str | None:
    parameters = [p for p in query.replace(";", "&").replace("?", "&").split("&") if p]
    if len(parameters) > SEGMENTS:
        return f"more than {SEGMENTS} parameters"
    if len(parameters) == len(set(parameters)) <= SAME_NAME:
        return None
    return _too_often((p for p in parameters if "=" in p), IN_A_ROW, "parameter {}") or _too_often(
        (p.partition("=")[0] for p in parameters), SAME_NAME, "parameter {}"
    )


def _too_often(parts: Iterable[str], most: int, what: str) -> str | None:
    part, times = next(iter(Counter(parts).most_common(1)), ("", 0))
    return f"{what.format(_short(part))} repeated {times} times" if times > most else None


def _names(query: str) -> str:
    if ";" in query:
        query = query.replace(";", "&")
    parameters = query.split("&", SEGMENTS)
    names = {_general(parameter.partition("=")[0]) for parameter in parameters} - {""}
    return "&".join(sorted(names)) if len(names) <= _NAMES else "*"


def _general(part: str) -> str:
    if len(part) > _PART:
        part = _short(part)
    return part if part.isalpha() else _NUMBERS.sub(lambda found: found[1] or "N", part)


def _short(text: str) -> str:
    return text if len(text) <= _PART else text[:_PART] + "..."
