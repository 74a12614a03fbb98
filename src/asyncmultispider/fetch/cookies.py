"""Cookies as RFC 6265 has them (section 5), each host for itself.

A cookie goes back to the `host[:port]` that set it and to no other: its Domain is not looked at,
so no site can set one for another. Nothing a server sends is an error: what makes no sense is left
out. What always holds: of a host there are `MAX_COOKIES` cookies and `MAX_BYTES` characters of
them at most, and no control characters.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf
from threading import Lock

from msgspec import Struct

from asyncmultispider.model import Headers
from asyncmultispider.urls import host_of

MAX_COOKIES = 50
"""Cookies of a host."""
MAX_BYTES = 16 * 1024
"""Bytes of a host's cookies: names, values and paths."""
MAX_COOKIE = 4 * 1024
"""Bytes of one of them."""
MAX_HOSTS = 4096
"""Hosts that are remembered; of more, those asked last."""

_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS = " \t"
_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D|$)", re.ASCII)
_DAY = re.compile(r"(\d{1,2})(?:\D|$)", re.ASCII)
_YEAR = re.compile(r"(\d{2,4})(?:\D|$)", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MAX_AGE = re.compile(r"-?\d+", re.ASCII)


class Cookie(Struct, frozen=True, kw_only=True):
    """A cookie as it is kept. `expires` is a Unix time; without one it lasts as long as the run."""

    name: str
    value: str
    path: str
    secure: bool = False
    expires: float = inf

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.name) + len(self.value) + len(self.path)


class Jar:
    """The cookies of a process, in memory only. To be shared by threads. `now` is a Unix time."""

    def __init__(self) -> None:
        # Cookies are in the order in which they were first set: that is how they are sent.
        self._hosts: OrderedDict[str, dict[tuple[str, str], Cookie]] = OrderedDict()
        self._lock = Lock()

    def store(self, url: str, headers: Headers, now: float) -> None:
        """Keep what an answer of `url` (canonical, http or https) sets."""
        texts = [value for name, value in headers if name == "set-cookie"]
        if not texts:
            return
        with self._lock:
            kept = self._hosts.setdefault(host_of(url), {})
            self._hosts.move_to_end(host_of(url))
            for text in texts:
                cookie = parse_cookie(text, url, now)
                if cookie is not None:
                    _keep(kept, cookie, now, secure=url.startswith("https:"))
            if not kept:
                del self._hosts[host_of(url)]
            if len(self._hosts) > MAX_HOSTS:
                self._hosts.popitem(last=False)

    def cookie(self, url: str, now: float) -> bytes | None:
        """The value of a Cookie field for a request, if there is one to send (section 5.4)."""
        with self._lock:
            kept = self._hosts.get(host_of(url))
            if kept is None:
                return None
            self._hosts.move_to_end(host_of(url))
            fit = [cookie for cookie in kept.values() if _fits(cookie, url, now)]
        fit.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{c.name}={c.value}" for c in fit).encode("latin-1", "replace") or None


def parse_cookie(text: str, url: str, now: float) -> Cookie | None:
    """What a Set-Cookie field of this URL says, in Latin-1; None: nothing (section 5.2)."""
    pair, *attributes = text.split(";")
    name, equals, value = (part.strip(_BLANKS) for part in pair.partition("="))
    if not name or not equals or _CONTROLS.search(text):
        return None
    path, secure, expires = "", False, inf
    max_age: float | None = None
    for attribute in attributes:
        key, _, said = (part.strip(_BLANKS) for part in attribute.partition("="))
        match key.lower():
            case "path":
                path = said if said.startswith("/") else ""
            case "secure":
                secure = True
            case "max-age" if _MAX_AGE.fullmatch(said):
                max_age = float(said)
            case "expires" if (date := parse_date(said)) is not None:
                expires = date
    if max_age is not None:
        expires = now + max_age if max_age > 0 else -inf
    cookie = Cookie(
        name=name,
        value=value,
        path=path or _default_path(url),
        secure=secure,
        expires=expires,
    )
    return cookie if cookie.size <= MAX_COOKIE else None


def parse_date(text: str) -> float | None:
    """The Unix time that an Expires attribute names, in almost any order (section 5.1.1)."""
    found: dict[str, tuple[int, ...]] = {}
    for token in filter(None, _DELIMITERS.split(text)):
        for kind, numbers in _readings(token):
            if kind not in found:
                found[kind] = numbers
                break
    try:
        hour, minute, second = found["time"]
        [day], [month], [year] = found["day"], found["month"], found["year"]
        year += 1900 if 70 <= year <= 99 else 2000 if year <= 69 else 0
        if year < 1601:
            return None
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except (KeyError, ValueError):  # something is missing, or is no date
        return None


def _readings(token: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a word of a date may be, in the order of the RFC."""
    if match := _TIME.match(token):
        yield "time", tuple(map(int, match.groups()))
    if match := _DAY.match(token):
        yield "day", (int(match[1]),)
    if token[:3].lower() in _MONTHS:
        yield "month", (_MONTHS.index(token[:3].lower()) + 1,)
    if match := _YEAR.match(token):
        yield "year", (int(match[1]),)


def _keep(kept: dict[tuple[str, str], Cookie], new: Cookie, now: float, *, secure: bool) -> None:
    key = new.name, new.path
    old = kept.get(key)
    # Whoever can speak for http must not replace what was said by https (RFC 6265bis, 5.7).
    if not secure and (new.secure or (old is not None and old.secure)):
        return
    if new.expires <= now:
        kept.pop(key, None)
        return
    kept[key] = new
    if len(kept) > MAX_COOKIES or sum(cookie.size for cookie in kept.values()) > MAX_BYTES:
        _make_room(kept, new, now)


def _make_room(kept: dict[tuple[str, str], Cookie], new: Cookie, now: float) -> None:
    """Those that have ended go first, then those that were set first (section 5.3)."""
    for key in [key for key, cookie in kept.items() if cookie.expires <= now]:
        del kept[key]
    size = sum(cookie.size for cookie in kept.values())
    for key, cookie in list(kept.items()):
        if len(kept) <= MAX_COOKIES and size <= MAX_BYTES:
            break
        if cookie is not new:
            del kept[key]
            size -= cookie.size


def _fits(cookie: Cookie, url: str, now: float) -> bool:
    if cookie.expires <= now or (cookie.secure and not url.startswith("https:")):
        return False
    path, own = _path(url), cookie.path
    return path == own or (path.startswith(own) and (own.endswith("/") or path[len(own)] == "/"))


def _default_path(url: str) -> str:
    return _path(url).rpartition("/")[0] or "/"


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3].partition("?")[0]
