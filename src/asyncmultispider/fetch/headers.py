"""Header fields: those that requests carry, and those that answers came with."""

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
        self._own = _field_lines(settings.headers)
        self._logins = {origin_of(seed): login_of(seed) for seed in settings.seeds}
        self.vary = bool(settings.headers) or any(self._logins.values())

    def of(self, url: str) -> tuple[list[str], tuple[str, str] | None]:
        """The lines for a request, and user name and password for its server."""
        origin = origin_of(url)
        if origin in self._logins:
            return self._own, self._logins[origin]
        return self.common, None


def parse_headers(lines: Iterable[bytes]) -> Headers:
    """The fields of the final answer, as libcurl hands out lines. Trailers are left out.

    A trailer could pretend to be a field that was decided upon already (RFC 9110 section 6.5.1).
    """
    fields: list[tuple[str, str]] = []
    ended = False
    for line in lines:
        field = _known_field(line) if len(line) < MEMORABLE else _parse_field(line)
        if field is not None:
            if ended:
                break
            fields.append(field)
        elif line.startswith(b"HTTP/"):  # what came before belongs to an interim answer (1xx)
            fields.clear()
            ended = False
        elif line in BLANK:
            ended = True
        elif line[:1] in (b" ", b"\t") and fields and not ended:  # obsolete folding
            name, value = fields[-1]
            fields[-1] = name, f"{value} {line.decode('latin-1').strip()}"
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
    name, colon, value = line.decode("latin-1").partition(":")
    return (name.strip().lower(), value.strip()) if colon else None


# The answers of a server share most of their fields.
_known_field = lru_cache(maxsize=1024)(_parse_field)
