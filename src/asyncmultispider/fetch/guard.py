"""Where a crawl may connect to: nobody's page may lead it into the private network."""

import ipaddress
import re
from collections.abc import Iterable

from asyncmultispider.fetch.addresses import Address, Meaning, is_global, understand
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of

_REFUSED_BY_BROWSERS = """
    0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111
    113 115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540
    548 554 556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000
    6566 6665 6666 6667 6668 6669 6679 6697 10080
"""
"""The bad ports of the Fetch standard, https://fetch.spec.whatwg.org/#port-blocking."""
_REFUSED_BY_US = "445 1433 1521 3306 3389 5432 5672 5900 6379 11211 27017"
"""Shares, databases (SQL Server, Oracle, MySQL, PostgreSQL, MongoDB), caches, queues, desktops."""
BAD_PORTS = frozenset(map(int, (_REFUSED_BY_BROWSERS + _REFUSED_BY_US).split()))
"""Ports of other protocols: what listens there may take a request for something else."""

PRIVATE_NAMES = (
    "localhost",  # RFC 6761 section 6.3
    "local",  # RFC 6762
    "internal",  # reserved by ICANN in 2024
    "home.arpa",  # RFC 8375
)
"""Domains that mean something near by, whoever resolves them."""


class Guard:
    """Decides on addresses as they are connected to, after names are resolved.

    Global unicast addresses are free. Any other needs `--allow-private`, or that the user named
    this very host[:port] as a seed, and that it never had a global one: a name can be made to
    mean something else while we crawl (DNS rebinding).
    """

    def __init__(self, seed_hosts: Iterable[str], allowed: Iterable[str]) -> None:
        self._seeds = frozenset(seed_hosts)
        self._trusted = set(self._seeds)
        nets = list(allowed)
        self._all = "all" in nets
        self._allowed = [ipaddress.ip_network(net, strict=False) for net in nets if net != "all"]

    @classmethod
    def of(cls, settings: Settings) -> "Guard":
        """The guard that these settings ask for."""
        return cls((host_of(seed) for seed in settings.starts), settings.allow_private)

    def allows(self, host: str, address: str) -> bool:
        """Whether a request for `host` may connect to `address` (a numeric one)."""
        if self._all:
            return True
        meaning = understand(address)
        if meaning.public:
            self._trusted.discard(host)
            return True
        return host in self._trusted or self._is_allowed(meaning)

    def allows_port(self, host: str) -> bool:
        """Whether `host[:port]` may be asked at all: by its port (`BAD_PORTS`), or as a seed."""
        return not _bad_port(host) or host in self._seeds

    def allows_name(self, host: str) -> bool:
        """Whether a proxy may be asked for `host`: what a name means is the proxy's affair.

        Private addresses and names that mean something private by a standard (`PRIVATE_NAMES`)
        may not, unless the user named them as for `allows`.
        """
        name = re.sub(r":[0-9]+$", "", host).strip("[]")
        try:
            understand(name)
        except ValueError:
            return self._all or host in self._seeds or not _is_private_name(name)
        return self.allows(host, name)

    def _is_allowed(self, meaning: Meaning) -> bool:
        """Whether `--allow-private` names the address, or what it embeds if the rest is public."""
        if self._names(meaning.itself):
            return True
        others = [end for end in meaning.ends if not self._names(end)]
        return len(others) < len(meaning.ends) and all(map(is_global, others))

    def _names(self, ip: Address) -> bool:
        return any(ip in net for net in self._allowed)


def _bad_port(host: str) -> bool:
    port = host.rpartition(":")[2]  # of "[::1]" it is "1]"
    return port.isdigit() and int(port) in BAD_PORTS


def _is_private_name(name: str) -> bool:
    name = name.rstrip(".")
    return any(name == own or name.endswith(f".{own}") for own in PRIVATE_NAMES)
