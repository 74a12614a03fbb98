"""Whose fault it was that nothing came through a proxy; and what must not be said about it."""

import re
from base64 import b64encode
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote, urlsplit

import pycurl
from msgspec import Struct

from asyncmultispider.model import Reason
from asyncmultispider.settings import without_user

REFUSED = 407
"""The proxy wants other credentials: RFC 9110 section 15.5.8."""
_PROXY_ERROR = 97  # CURLE_PROXY: of SOCKS
_BEYOND = frozenset({19, 21, 22, 24})
"""CURLPX_REPLY_*: the host refused, host or network unreachable, TTL expired (RFC 1928)."""
_DENIED = frozenset({20, 23, 26})
"""CURLPX_*: general failure, not allowed, SOCKS4's failure for whatever reason."""
_NO_NAME = 27
"""CURLPX_RESOLVE_HOST: we could not resolve the host's name, as socks4 and socks5 want it."""
_TLS = frozenset(
    {
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_ISSUER_ERROR,
    }
)
_SILENT = frozenset(
    {
        pycurl.E_OPERATION_TIMEDOUT,
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
    }
)
_SHORT = 6
"""Characters of a secret below which it is looked for as a word only: "e" is in many."""
_CUT = 240
"""Characters of a message from which libcurl may have cut it, in the midst of a secret perhaps."""


class Blame(Enum):
    """Whose fault it was: the proxy's, perhaps the proxy's, or not the proxy's."""

    PROXY = "proxy"
    UNSURE = "unsure"
    NOT_PROXY = "not proxy"


class Facts(Struct, frozen=True, kw_only=True):
    """What libcurl tells of a transfer through `proxy` that failed with `code`.

    `connected`: there was a connection, new or not. `answer` is the status of an answer to
    CONNECT, or 0; `socks` a number of CURLPX_*, or 0. `answered`: the header fields had come.
    """

    proxy: str
    code: int
    connected: bool
    answer: int
    socks: int
    answered: bool


def blame(facts: Facts) -> tuple[Blame, Reason | None]:
    """Whose fault it was, and the reason if that is another than without a proxy."""
    match facts.code:
        case pycurl.E_COULDNT_RESOLVE_PROXY:
            return Blame.PROXY, Reason.PROXY
        case pycurl.E_COULDNT_CONNECT if facts.answer and facts.answer != REFUSED:
            return Blame.UNSURE, Reason.PROXY
        case pycurl.E_COULDNT_CONNECT:
            return Blame.PROXY, Reason.PROXY
        case pycurl.E_OPERATION_TIMEDOUT if not facts.connected:
            return Blame.PROXY, Reason.PROXY
        case code if code == _PROXY_ERROR:
            return _of_socks(facts.socks)
        case code if code in _TLS and _speaks_tls(facts.proxy) and facts.answer != 200:
            return Blame.PROXY, Reason.PROXY
        case code if code in _SILENT and not facts.answered:
            return Blame.UNSURE, None
        case _:
            return Blame.NOT_PROXY, None


@lru_cache(maxsize=64)
def secrets_of(proxy: str) -> re.Pattern[str]:
    """What in a text gives away the login in a proxy's URL."""
    longest_first = sorted(filter(None, _secrets(proxy)), key=len, reverse=True)
    return re.compile("|".join(map(_pattern, longest_first)))


def without_login_of(proxy: str, detail: str) -> str:
    """A message of libcurl's with the login of the proxy hidden, however it is quoted."""
    detail = detail.replace(proxy, without_user(proxy))
    if "@" not in proxy:
        return detail
    if len(detail) > _CUT:
        detail = f"{detail.partition('://')[0]}..."
    return secrets_of(proxy).sub("***", detail)


def _of_socks(error: int) -> tuple[Blame, Reason | None]:
    if error in _BEYOND:
        return Blame.UNSURE, Reason.CONNECT
    if error == _NO_NAME:
        return Blame.NOT_PROXY, Reason.DNS
    return (Blame.UNSURE if error in _DENIED else Blame.PROXY), Reason.PROXY


def _speaks_tls(proxy: str) -> bool:
    return proxy[:6].lower() == "https:"


def _secrets(proxy: str) -> Iterator[str]:
    login = urlsplit(proxy).netloc.rpartition("@")[0]
    user, _, password = login.partition(":")
    # What of a message is not UTF-8 comes as lone surrogates.
    plain = [unquote(text, errors="surrogateescape") for text in (user, password)]
    yield from (login, user, password, *plain, ":".join(plain))
    yield b64encode(":".join(plain).encode(errors="surrogateescape")).decode()


def _pattern(text: str) -> str:
    quoted = re.escape(text)
    return quoted if len(text) >= _SHORT else rf"(?<![^\W_]){quoted}(?![^\W_])"
