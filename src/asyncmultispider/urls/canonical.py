"""The canonical form of a URL, as the WHATWG URL standard defines it.

A canonical URL is ASCII, has no fragment, and is its own canonical form. That of an http(s)
URL has a path: the host always ends at a slash.
"""

import atexit
import re
from functools import lru_cache

import can_ada

from asyncmultispider.errors import UsageError
from asyncmultispider.settings import without_secrets
from asyncmultispider.urls.legacy import percent_encode
from asyncmultispider.urls.remapped import REMAPPED

_LONGEST = 131_072  # characters of a URL: web servers refuse much shorter ones
MAX_HOST = 2048
"""Characters of a host. Names have up to 253, and IDNA's work is quadratic."""

_WEB = ("http://", "https://")
_TRIMMED = "".join(map(chr, range(0x21)))
_DROPPED = {ord(char): None for char in "\t\n\r"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"[a-z][a-z0-9+.-]*:[0-9]+(?:[/?#\\]|$)", re.IGNORECASE)
_AUTHORITY = re.compile(r"[\0- ]*(?:[a-z][a-z0-9+.-]*:)?[/\\]*([^/\\?#]*)", re.IGNORECASE)
_HOST = re.compile(
    r"([\0- ]*(?:(?:https?|wss?|ftp):)?[/\\]{2,}(?:[^/\\?#]*@)?)([^/\\?#]+)", re.IGNORECASE
)
_ADDRESS = re.compile(
    r"[\0- ]*(?:(?:https?|wss?|ftp|file):[/\\]*|[/\\]{2,})([^/\\?#]*)", re.IGNORECASE
)
_A_LABEL = re.compile(r"(xn)--", re.IGNORECASE)
_MASKED = re.compile(r"(xn)~~", re.IGNORECASE)


def canonicalize(text: str, base: str | None = None) -> str:
    """The canonical URL that `text` means, read as a link in a page at `base`.

    This is the standard's href without its fragment; nothing else is normalised, and every
    scheme is accepted. Raises `ValueError`, naming the text, when the text means no URL, for a host
    that is longer than `MAX_HOST` and has to be encoded, and for what no server would take.
    Source: https://url.spec.whatwg.org/#concept-basic-url-parser
    """
    if len(text) > MAX_HOST and (len(text) > _LONGEST or _is_endless(text)):
        raise ValueError(_complaint(text, base))
    if not text.isascii():
        text = _modern(text)
    try:
        href = _resolve(text, base)
    except (ValueError, TypeError):  # TypeError: a lone surrogate has no UTF-8
        href = _resolve_any_ascii_domain(text, base)
    if "^" in href or " " in href:
        href = _amend(href)
    if len(href) > _LONGEST:
        raise ValueError(_complaint(text, base))
    return href.partition("#")[0]


def host_of(url: str) -> str:
    """`host` or `host:port` of a canonical http(s) URL, as in the URL, without credentials."""
    return url.split("/", 3)[2].rpartition("@")[2]


def is_web(url: str) -> bool:
    """Whether a canonical URL's scheme is http or https."""
    return url.startswith(_WEB)


def parse_seed(text: str) -> tuple[str, bool]:
    """The canonical URL of what a person typed, and whether its scheme is a guess (https).

    `host:8080` is a host and a port: a colon and digits are never taken for a scheme, except
    after http and https. Raises `UsageError` for other schemes and for what is no URL.
    """
    typed = text.strip(_TRIMMED)
    scheme = _SCHEME.match(typed)
    if scheme and scheme[1].lower() in ("http", "https"):
        return _seed(typed, text), False
    if scheme and not _HOST_AND_PORT.match(typed):
        raise UsageError(f"{_short(text)}: only http and https URLs can be crawled")
    address = typed.removeprefix("//")
    if address.startswith(("/", "\\", ".", "?", "#")):
        raise UsageError(f"{_short(text)} is not a URL: it has no host")
    return _seed("https://" + address, text), True


def encode_href(href: str, encoding: str) -> str:
    """An http(s) link with the non-ASCII characters of its query percent-encoded.

    In a page of a legacy encoding, queries are encoded as the page is; the other parts of a URL
    are always UTF-8 and are left to `canonicalize`. `encoding` is a WHATWG name or label; with
    UTF-8, UTF-16 or an unknown one the link comes back as it was.
    Source: https://url.spec.whatwg.org/#query-state
    """
    if encoding in ("UTF-8", "utf-8") or (href.isascii() and "2022" not in encoding):
        return href
    if len(href) > _LONGEST:  # it is no link
        return href
    link, hash_sign, fragment = href.strip(_TRIMMED).translate(_DROPPED).partition("#")
    before, mark, query = link.partition("?")
    encoded = percent_encode(query, encoding) if query else None
    return href if encoded is None else before + mark + encoded + hash_sign + fragment


def _resolve(text: str, base: str | None) -> str:
    return (can_ada.parse(text) if base is None else _parse_base(base) + text).href


@lru_cache(maxsize=64)
def _parse_base(base: str) -> can_ada.URL:
    """A base, which is never changed; a page's links share one."""
    return can_ada.parse(base)


# The binding complains on stderr of objects that outlive the interpreter.
atexit.register(_parse_base.cache_clear)


def _is_endless(text: str) -> bool:
    if text.isascii() and "%" not in text:
        return False
    address = _ADDRESS.match(text.translate(_DROPPED))
    return address is not None and len(address[1].rpartition("@")[2]) > MAX_HOST


def _modern(text: str) -> str:
    """Where the text names a host, the name as newer tables than the parser's have it."""
    host = _HOST.match(text)
    return host[1] + host[2].translate(REMAPPED) + text[host.end() :] if host else text


def _amend(href: str) -> str:
    """Two rules of 2025 that the parser doesn't apply: `^` in a path, the end of opaque paths.

    Only an opaque path holds spaces in a href. Its last one is encoded where a query or a
    fragment follows, lest it vanish with them.
    """
    href = href.replace(" ?", "%20?", 1).replace(" #", "%20#", 1)
    scheme, _, rest = href.partition(":")
    if not rest.startswith("/"):
        return href
    path = re.split("[?#]", rest, maxsplit=1)[0]
    return f"{scheme}:{path.replace('^', '%5E')}{rest[len(path) :]}"


def _resolve_any_ascii_domain(text: str, base: str | None) -> str:
    """A second try, by a rule of 2026: IDNA can't fail an ASCII domain, even if not Punycode.

    So a name that is newer than the parser's Unicode tables works. `xn--` is masked from it.
    """
    parts = [text] if base is None else [text, base]
    if not any(map(_A_LABEL.search, parts)) or not all(map(_maskable, parts)):
        raise ValueError(_complaint(text, base))
    masked = [_A_LABEL.sub(r"\1~~", part) for part in parts]
    try:
        return _MASKED.sub(r"\1--", _resolve(masked[0], masked[1] if base is not None else None))
    except (ValueError, TypeError):
        raise ValueError(_complaint(text, base)) from None


def _maskable(part: str) -> bool:
    domain = next(_AUTHORITY.finditer(part))[1].rpartition("@")[2]
    ascii_domain = domain.isascii() and "%" not in domain
    return not _MASKED.search(part) and (ascii_domain or not _A_LABEL.search(domain))


def _complaint(text: str, base: str | None) -> str:
    return f"{_short(text)} is not a URL" + (f" (in {_short(base)})" if base is not None else "")


def _short(text: str) -> str:
    text = without_secrets(text)
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _seed(typed: str, text: str) -> str:
    try:
        return canonicalize(typed)
    except ValueError:
        raise UsageError(f"{_short(text)} is not a URL") from None
