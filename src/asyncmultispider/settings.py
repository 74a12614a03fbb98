"""One `Settings` for a crawl, valid on birth."""

import ipaddress
import math
import re
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from msgspec import Struct

from asyncmultispider.errors import UsageError
from asyncmultispider.version import __version__

ScopeName = Literal["host", "domain", "prefix", "any"]
EngineName = Literal["async", "threads", "processes"]
SyncName = Literal["full", "normal"]
SCOPES: tuple[str, ...] = get_args(ScopeName)
ENGINES: tuple[str, ...] = get_args(EngineName)
SYNCS: tuple[str, ...] = get_args(SyncName)
MOST_CONCURRENT = 50_000
MOST_PROCESSES = 1024
MOST_BODY = 900_000_000
"""Bytes of a body at most: SQLite holds less than 10^9 in a row."""
MOST_TIMEOUT = 1_000_000
_LOOSE = re.IGNORECASE | re.DOTALL
PROXIES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
DEFAULT_USER_AGENT = f"asyncmultispider/{__version__}"


class Settings(Struct, frozen=True, kw_only=True):
    """How to crawl. Raises `UsageError`, naming the option, when a value makes no sense.

    `concurrency` counts transfers in flight, for each process; `processes` is how many the engine
    of that name uses, None for as many as there are cores. `timeout` bounds a whole request in
    seconds, `max_body` its decoded body in bytes. `seeds` are canonical URLs, `spider` is the name
    of the file with the handlers. `headers` are extra request header fields. `max_time` bounds a
    run, in seconds. With `sync` full a page is on the disk before its URL is done; with normal a
    power cut may undo the last pages, and the next run fetches them again. Of each host at most
    `max_per_host` URLs are accepted; the rest is suspended. With `insecure` certificates of servers
    are not verified.

    `sitemap` are canonical URLs of sitemaps to start from; with `sitemaps` those that robots.txt
    names are read as well. With `page_requisites` what pages need to be shown is fetched, too.
    Of `user_agents` and of `header_pool` each host gets one, chosen by its name and `session`, a
    number drawn for each run. `cookies` are kept per host. A host keeps to one of the `proxies`
    while that works.
    """

    seeds: tuple[str, ...]
    scope: ScopeName = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    depth: int | None = None
    limit: int | None = None
    max_time: float | None = None
    spider: str | None = None
    engine: EngineName = "async"
    processes: int | None = None
    concurrency: int = 64
    sync: SyncName = "full"
    per_host: int = 2
    delay: float = 0.0
    delay_factor: float = 1.0
    timeout: float = 120.0
    max_body: int = 64 * 2**20
    retries: int = 3
    user_agent: str = DEFAULT_USER_AGENT
    headers: tuple[tuple[str, str], ...] = ()
    user_agents: tuple[str, ...] = ()
    header_pool: tuple[tuple[tuple[str, str], ...], ...] = ()
    cookies: bool = False
    session: int = 0
    proxies: tuple[str, ...] = ()
    sitemap: tuple[str, ...] = ()
    sitemaps: bool = False
    page_requisites: bool = False
    ignore_robots: bool = False
    allow_private: tuple[str, ...] = ()
    insecure: bool = False
    max_per_host: int = 1_000_000

    def __post_init__(self) -> None:
        if not self.seeds and not self.sitemap:
            raise UsageError("no URL to start from: give at least one")
        _choice("scope", self.scope, SCOPES)
        _choice("engine", self.engine, ENGINES)
        _choice("sync", self.sync, SYNCS)
        _least("concurrency", self.concurrency, 1)
        if self.concurrency > MOST_CONCURRENT:
            raise UsageError(f"--concurrency can be at most {MOST_CONCURRENT}")
        if self.processes is not None:
            _least("processes", self.processes, 1)
            if self.processes > MOST_PROCESSES:
                raise UsageError(f"--processes can be at most {MOST_PROCESSES}")
        _least("per-host", self.per_host, 1)
        _least("max-per-host", self.max_per_host, 1)
        _least("retries", self.retries, 0)
        _least("max-body", self.max_body, 1)
        _least("delay", self.delay, 0)
        _least("delay-factor", self.delay_factor, 0)
        if self.max_body > MOST_BODY:
            raise UsageError(f"--max-body can be at most {MOST_BODY}")
        if not 0 < self.timeout <= MOST_TIMEOUT:
            raise UsageError(
                f"--timeout must be more than 0 and at most {MOST_TIMEOUT} seconds, "
                f"not {self.timeout}"
            )
        if self.depth is not None:
            _least("depth", self.depth, 0)
        if self.limit is not None:
            _least("limit", self.limit, 1)
        if self.max_time is not None and not 0 < self.max_time <= MOST_TIMEOUT:
            raise UsageError(
                f"--max-time must be more than 0 and at most {MOST_TIMEOUT} seconds, "
                f"not {self.max_time}"
            )
        for name, value in self.headers:
            _header("header", name, value)
        for fields in self.header_pool:
            for name, value in fields:
                _header("header-pool", name, value)
        for text in (*self.include, *self.exclude, self.spider or ""):
            _unicode(text)
        _agent("user-agent", self.user_agent)
        for agent in self.user_agents:
            _agent("user-agents", agent)
        for proxy in self.proxies:
            _proxy(proxy)
        for cidr in self.allow_private:
            _cidr(cidr)

    @property
    def starts(self) -> tuple[str, ...]:
        """All URLs that the user named, of pages and of sitemaps."""
        return (*self.seeds, *self.sitemap)

    def identity(self) -> dict[str, Any]:
        """What makes this crawl this crawl: a directory with another identity is not continued."""
        identity: dict[str, Any] = {
            "seeds": sorted(map(without_user, self.seeds)),
            "scope": self.scope,
            "include": sorted(self.include),
            "exclude": sorted(self.exclude),
            "depth": self.depth,
            "spider": self.spider,
        }
        # Younger than some ledgers: what is not there was not asked for.
        younger = {
            "sitemap": sorted(map(without_user, self.sitemap)),
            "sitemaps": self.sitemaps,
            "page_requisites": self.page_requisites,
        }
        return identity | {name: value for name, value in younger.items() if value}


def without_user(url: str) -> str:
    """The URL with the user name and password in it hidden."""
    return re.sub(r"^([a-z0-9+.-]+://)[^/]*@", r"\1***@", url, flags=re.IGNORECASE)


def without_secrets(typed: str) -> str:
    """What a person typed for a URL, with all that may be a password in it hidden."""
    return re.sub(r"^((?:\s*[a-z0-9+.-]+:)?[/\\]*+).*@", r"\1***@", typed, flags=_LOOSE)


def _choice(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"--{option} must be one of {', '.join(known)}, not {value!r}")


def _least(option: str, value: float, least: int) -> None:
    if not (value >= least and math.isfinite(value)):
        raise UsageError(f"--{option} must be at least {least}, not {value}")


def _header(option: str, name: str, value: str) -> None:
    token = name.isascii() and all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in name)
    if not name or not token or not _is_field_value(value):
        raise UsageError(  # which one is not said: it may be secret
            f"--{option} needs 'Name: value' in ASCII without control characters"
        )


def _agent(option: str, value: str) -> None:
    if not value.strip() or not _is_field_value(value):
        raise UsageError(f"--{option} must be a line of ASCII without control characters")


def _unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} is not UTF-8") from None


def _is_field_value(text: str) -> bool:
    return text.isascii() and not any((ord(c) < 32 and c != "\t") or ord(c) == 127 for c in text)


def _proxy(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = url.isascii() and parts.scheme in PROXIES and parts.hostname and (parts.port or 1)
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            f"--proxy needs a URL such as http://host:8080 ({', '.join(PROXIES)}), "
            f"not {without_secrets(url)!r}"
        )


def _cidr(text: str) -> None:
    if text == "all":
        return
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        message = f"--allow-private needs a network such as 10.0.0.0/8, or all, not {text!r}"
        raise UsageError(message) from None
