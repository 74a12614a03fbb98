"""Header fields: those that requests carry, and those that answers came with."""

from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache

from asyncmultispider.model import Headers
from asyncmultispider.settings import Settings
from asyncmultispider.urls import login_of, origin_of

MEMORABLE = 256
"""Header lines shorter than this are parsed once for many answers."""
BLANK = frozenset({b"\r\n", b"\n"})


class RequestFields:
    """The header fields that requests carry: `common` ones, and the user's own in place of them.

    The own ones may be secrets. They go to the origins of the seeds (scheme, host and port), as do
    a seed's user name and password to its own, and nowhere else.
    """

    def __init__(self, settings: Settings) -> None:
        self.common = _field_lines(())
        logins: dict[str, Headers] = {}
        for seed in settings.seeds:
            logins[origin_of(seed)] = logins.get(origin_of(seed)) or basic_login(seed)
        self._own = {
            origin: _field_lines((*login, *settings.headers)) for origin, login in logins.items()
        }
        self.vary = bool(settings.headers) or any(logins.values())

    def of(self, url: str) -> list[str]:
        """The lines for a request."""
        return self._own.get(origin_of(url), self.common)


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
