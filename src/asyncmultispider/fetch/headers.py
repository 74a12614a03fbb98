"""Header fields: those that requests carry, and those that answers came with."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

from xxhash import xxh64_intdigest

from asyncmultispider.model import Extra, Headers
from asyncmultispider.settings import Settings
from asyncmultispider.urls import login_of, origin_of

MEMORABLE = 256
"""Header lines shorter than this are parsed once for many answers."""
BLANK = frozenset({b"\r\n", b"\n"})
MAX_ORIGINS = 4096
"""Origins whose lines are remembered."""
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
T = TypeVar("T")


class RequestFields:
    """The header fields that requests carry, as lines: `common` ones, and others in place of them.

    A host's choice of the pools goes to that host. The own fields may be secrets: they go to the
    origins of the seeds (scheme, host and port), as do a seed's user name and password to its own,
    and nowhere else. The fields of a single request come last. `vary` is false if all requests
    carry the common ones, but for those of a single one.
    """

    def __init__(self, settings: Settings) -> None:
        self.common = _field_lines(())
        self._session = settings.session % 2**64
        self._agents = settings.user_agents
        self._pool = settings.header_pool
        self._own: dict[str, Headers] = {}
        for seed in settings.starts:
            self._own[origin_of(seed)] = self._own.get(origin_of(seed)) or basic_login(seed)
        self.vary = bool(settings.headers or self._agents or self._pool or any(self._own.values()))
        self._own = {origin: (*own, *settings.headers) for origin, own in self._own.items()}
        self._lines = lru_cache(MAX_ORIGINS)(self._lines_for)

    def of(self, url: str, extra: str | None = None) -> list[str]:
        """The lines for a request. The list is not to be changed.

        `extra` is that of the request. `ValueError`: it has a field that can't be sent.
        """
        fields = Extra.of(extra).headers
        if not fields:
            return self._lines(origin_of(url))
        for name, value in fields:
            if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
                raise ValueError(f"a header field {name!r} with such a name or value can't be sent")
        return _field_lines((*self._fields_for(origin_of(url)), *fields))

    def _lines_for(self, origin: str) -> list[str]:
        fields = self._fields_for(origin)
        return _field_lines(fields) if fields else self.common

    def _fields_for(self, origin: str) -> Headers:
        host = origin.partition("://")[2]
        agent = (("User-Agent", self._pick(self._agents, "agent", host)),) if self._agents else ()
        pooled = self._pick(self._pool, "fields", host) if self._pool else ()
        return (*agent, *pooled, *self._own.get(origin, ()))

    def _pick(self, pool: Sequence[T], what: str, host: str) -> T:
        # Not Python's own hash: all processes of a run are to choose alike.
        return pool[xxh64_intdigest(f"{what} {host}".encode(), self._session) % len(pool)]


def basic_login(url: str) -> Headers:
    """The field that logs in with the user name and password of a URL (RFC 7617), if it has any."""
    login = login_of(url)
    return () if login is None else (("Authorization", f"Basic {b64encode(login).decode()}"),)


def parse_headers(lines: Iterable[bytes]) -> Headers:
    """The fields of the final answer, as libcurl hands out lines. Trailers are left out.

    A trailer could pretend to be a field that was decided upon already (RFC 9110 section 6.5.1).
    """
    fields: list[tuple[str, str]] = []
    folds: dict[int, list[str]] = {}  # joined at the end: there may be thousands for one field
    ended = False
    for line in lines:
        field = _known_field(line) if len(line) < MEMORABLE else _parse_field(line)
        if field is not None:
            if ended:
                break
            fields.append(field)
        elif line.startswith(b"HTTP/"):  # what came before belongs to an interim answer (1xx)
            fields.clear()
            folds.clear()
            ended = False
        elif line in BLANK:
            ended = True
        elif line[:1] in (b" ", b"\t") and fields and not ended:  # obsolete folding
            folds.setdefault(len(fields) - 1, []).append(_text(line))
    for at, more in folds.items():
        name, value = fields[at]
        fields[at] = name, " ".join([value, *more]).strip()
    return tuple(fields)


def _field_lines(own: Headers) -> list[str]:
    fields = {"accept": "Accept: text/html,application/xhtml+xml,*/*;q=0.8"}
    for name, value in own:
        # libcurl drops a field without a value; with ";" it is sent empty.
        fields[name.lower()] = f"{name}: {value}" if value else f"{name};"
    return list(fields.values())


def _parse_field(line: bytes) -> tuple[str, str] | None:
    """A header field; None: no field begins here."""
    if line[:1] in (b" ", b"\t") or line.startswith(b"HTTP/"):
        return None
    name, colon, value = line.partition(b":")
    return (_text(name).lower(), _text(value)) if colon else None


def _text(value: bytes) -> str:
    """Without blanks around, as bytes: in Latin-1 the end of "à" in UTF-8 looks like a blank."""
    return value.strip(b" \t\r\n").decode("latin-1")


# The answers of a server share most of their fields.
_known_field = lru_cache(maxsize=1024)(_parse_field)
