"""User names and passwords in URLs: they are for one origin, and for no book."""

import re
from urllib.parse import unquote_to_bytes

_LOGIN = re.compile(r"(https?://)([^/]*)@")


def origin_of(url: str) -> str:
    """Scheme, host and port of a canonical http(s) URL, without login: `https://a.example:8443`.

    Source: RFC 6454 section 4; a canonical URL never has its scheme's default port.
    """
    scheme, _, authority, _ = url.split("/", 3)
    return f"{scheme}//{authority.rpartition('@')[2]}"


def login_of(url: str) -> bytes | None:
    """`user:password` in a canonical http(s) URL, if there are any."""
    match = _LOGIN.match(url)
    if match is None:
        return None
    user, _, password = match[2].partition(":")
    return unquote_to_bytes(user) + b":" + unquote_to_bytes(password)


def without_login(url: str) -> str:
    """The canonical http(s) URL without user name and password."""
    return _LOGIN.sub(r"\1", url, count=1) if "@" in url else url
