"""The HTTP messages of a stored page, put together again for archives.

A store has the fields of an answer as they came, and its body with the codings undone. So what the
fields say of the codings is kept under other names, as Common Crawl does it.
"""

import re
from functools import lru_cache
from http import HTTPStatus

from msgspec import json

ACCEPT = "text/html,application/xhtml+xml,*/*;q=0.8"
ACCEPT_ENCODING = "gzip, deflate, br"
KEPT_AS = "X-Crawl-"
"""What the names of fields begin with that were true of the body as it was sent."""
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NO_TOKEN = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_FIELDS = json.Decoder(dict[str, str | list[str]])


def response_head(status: int, fields: str, size: int) -> bytes:
    """The answer up to its body of `size` bytes; `fields` is the JSON in `pages.headers`.

    One line for each field, whatever is in it (RFC 9112 section 5.5): control characters become
    blanks in values; in names all that no token may have becomes `_`.
    """
    lines = [f"HTTP/1.1 {status:03d} {_PHRASES.get(status, '')}"]
    for name, values in _FIELDS.decode(fields).items():
        field, several = _field_name(name), [values] if isinstance(values, str) else values
        lines += [f"{field}: {_one_line(value)}" for value in several]
    lines.append(f"Content-Length: {size}\r\n\r\n")
    return "\r\n".join(lines).encode("latin-1", "replace")


def request_head(url: str, agent: str | None) -> bytes:
    """The request for a URL as it is by default: what users and spiders add may be secret.

    The name of the `agent` is left out where it isn't known.
    """
    host, _, target = url.partition("://")[2].partition("/")
    named = f"User-Agent: {_one_line(agent)}\r\n" if agent else ""
    return (
        f"GET /{target} HTTP/1.1\r\nHost: {host.rpartition('@')[2]}\r\n{named}"
        f"Accept: {ACCEPT}\r\nAccept-Encoding: {ACCEPT_ENCODING}\r\n\r\n"
    ).encode("latin-1", "replace")


# The answers of a crawl share most of the names of their fields.
@lru_cache(maxsize=1024)
def _field_name(name: str) -> str:
    if name in _OF_THE_WIRE:
        return KEPT_AS + name.title()
    return _NO_TOKEN.sub("_", name) or "_"


def _one_line(value: str) -> str:
    return value if value.isprintable() else _CONTROL.sub(" ", value)
