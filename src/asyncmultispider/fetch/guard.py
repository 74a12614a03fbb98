"""Which addresses a crawl may connect to: nobody's page may lead it into the private network."""

import ipaddress
from collections.abc import Iterable

from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Guard:
    """Decides on addresses as they are connected to, after names are resolved.

    Global unicast addresses are free. Any other needs `--allow-private`, or that the user named
    this very host[:port] as a seed.
    """

    def __init__(self, seed_hosts: Iterable[str], allowed: Iterable[str]) -> None:
        self._trusted = frozenset(seed_hosts)
        nets = list(allowed)
        self._all = "all" in nets
        self._allowed = [ipaddress.ip_network(net, strict=False) for net in nets if net != "all"]

    @classmethod
    def of(cls, settings: Settings) -> "Guard":
        """The guard that these settings ask for."""
        return cls((host_of(seed) for seed in settings.seeds), settings.allow_private)

    def allows(self, host: str, address: str) -> bool:
        """Whether a request for `host` may connect to `address` (a numeric one)."""
        if self._all or host in self._trusted:
            return True
        ip = _unmapped(ipaddress.ip_address(address.partition("%")[0]))
        return (ip.is_global and not ip.is_multicast) or any(ip in net for net in self._allowed)


def _unmapped(ip: Address) -> Address:
    # An IPv4 address in IPv6 clothes is judged as the IPv4 address.
    return (ip.ipv4_mapped or ip.sixtofour or ip) if isinstance(ip, ipaddress.IPv6Address) else ip
