"""The index of an archive: a line for each capture, sorted by a key that pywb looks up."""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from heapq import merge
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

LINES_IN_MEMORY = 200_000
"""Some 100 MB. What is beyond that is sorted in temporary files."""
_PARTS = re.compile(r"(https?)://([^/?#]*+)([^?#]*+)(?:\?([^#]*+))?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEPT = bytes(char for char in range(33, 127) if char not in b"%#")
_WWW = re.compile(r"www\d*\.")
_PLAIN = re.compile(r"(?:/[\w-][\w.-]*+)++/?", re.ASCII)
"""Paths that are their own keys, but for upper case and a slash at the end: most are."""
_HEX32 = rb"=[0-9a-z]{32}"
_SESSION_PATH = re.compile(
    rb"/\((?:[0-9a-z]{24}|(?:[a-z]\([0-9a-z]{24}\))++)\)(?=/)", re.IGNORECASE
)
_SESSION_QUERIES = tuple(
    re.compile(pattern + rb"(?:&|$)", re.IGNORECASE)
    for pattern in (
        rb"jsessionid" + _HEX32,
        rb"phpsessid" + _HEX32,
        rb"sid" + _HEX32,  # of longer names the end is cut, too: everybody's keys are made so
        rb"aspsessionid[a-z]{8}=[a-z]{24}",
        rb"cfid=[^&]+&cftoken=[^&]+",
    )
)


class Index:
    """Lines that are sorted by their bytes, in bounded memory, with temporary files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: list[bytes] = []
        self._spilled: list[IO[bytes]] = []
        self._stack = ExitStack()

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, line: bytes) -> None:
        """Take one more line; it ends with a line feed."""
        self._lines.append(line)
        if len(self._lines) >= LINES_IN_MEMORY:
            self._spill()

    def sorted(self, *more: Iterable[bytes]) -> Iterator[bytes]:
        """All lines in order, together with `more`, which are sorted already."""
        self._lines.sort()
        for file in self._spilled:
            file.seek(0)
        return merge(self._lines, *self._spilled, *more)

    def _spill(self) -> None:
        file = TemporaryFile(dir=self._folder)  # noqa: SIM115 (the stack closes it)
        self._stack.enter_context(file)
        self._lines.sort()
        file.writelines(self._lines)
        self._spilled.append(file)
        self._lines.clear()


def search_key(url: str) -> str:
    """What a URL is looked up by: `com,example)/path?a=1&b=2`.

    The rules are those of the Internet Archive's SURT keys, which leave out what seldom tells two
    pages apart: the scheme, `www.`, upper case, the order of parameters, session ids and a slash at
    the end. A URL that is none of http is its own key.
    """
    parts = _PARTS.match(url)
    if parts is None:
        return url
    scheme, authority, path, query = parts.groups()
    key = _host_key(scheme.lower(), authority) + _path_key(path)
    query_key = _query_key(query) if query else ""
    return f"{key}?{query_key}" if query_key else key


def timestamp(moment: str) -> str:
    """The time of a capture, in seconds: 14 digits. From ISO 8601."""
    return moment[:19].translate(_NO_MARKS)


_NO_MARKS = str.maketrans("", "", "-:T")


@lru_cache(maxsize=1024)
def _host_key(scheme: str, authority: str) -> str:
    try:
        parts = urlsplit(f"{scheme}://{authority}")
        host, port = parts.hostname or "", parts.port
    except ValueError:  # nobody could look that up
        host, port = authority, None
    host = host.replace("..", ".").strip(".")
    host = host[found.end() :] if (found := _WWW.match(host)) else host
    shown = "" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}"
    return f"{','.join(reversed(host.split('.')))}{shown})"


def _path_key(path: str) -> str:
    if _PLAIN.fullmatch(path):
        return path.lower().removesuffix("/")
    plain = _unescaped(path)
    if b"//" in plain or b"/." in plain:
        plain = _without_dots(plain)
    session = _SESSION_PATH.search(plain) if b".aspx" in plain.lower() else None
    if session is not None and b".aspx" in plain[session.end() + 2 :].lower():
        plain = plain[: session.start()] + plain[session.end() :]
    key = _escaped(plain).lower() or "/"
    return key[:-1] if len(key) > 1 and key[-1] == "/" else key


def _query_key(query: str) -> str:
    plain = _escaped(_unescaped(query)).encode()
    for pattern in _SESSION_QUERIES:
        *_, found = [None, *pattern.finditer(plain)]
        if found is not None:
            plain = plain[: found.start()] + plain[found.end() :]
    return "&".join(sorted(plain.decode().lower().split("&"), key=_by_name))


def _by_name(parameter: str) -> tuple[str, ...]:
    return tuple(parameter.split("=", 1))


def _without_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/")[1:]:
        if segment == b".." and kept:
            kept.pop()
        elif segment != b".":
            kept.append(segment)
    return b"/" + b"/".join([*filter(None, kept[:-1]), *kept[-1:]])


def _unescaped(text: str) -> bytes:
    """Until nothing is escaped any more. Each time makes it shorter by two at least."""
    plain = text.encode()
    while b"%" in plain and (less := unquote_to_bytes(plain)) != plain:
        plain = less
    return plain


def _escaped(plain: bytes) -> str:
    return quote_from_bytes(plain, safe=_KEPT)
