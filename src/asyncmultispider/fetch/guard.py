"""Which addresses a crawl may connect to: nobody's page may lead it into the private network."""

import ipaddress
import re
from collections.abc import Iterable

from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNICAST = ipaddress.ip_network("2000::/3")
"""All that IANA has given out as global unicast in IPv6."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052


class Guard:
    """Decides on addresses as they are connected to, after names are resolved.

    Global unicast addresses are free. Any other needs `--allow-private`, or that the user named
    this very host[:port] as a seed, and that it never had a global one: a name can be made to
    mean something else while we crawl (DNS rebinding).
    """

    def __init__(self, seed_hosts: Iterable[str], allowed: Iterable[str]) -> None:
        self._trusted = set(seed_hosts)
        nets = list(allowed)
        self._all = "all" in nets
        self._allowed = [ipaddress.ip_network(net, strict=False) for net in nets if net != "all"]

    @classmethod
    def of(cls, settings: Settings) -> "Guard":
        """The guard that these settings ask for."""
        return cls((host_of(seed) for seed in settings.seeds), settings.allow_private)

    def allows(self, host: str, address: str) -> bool:
        """Whether a request for `host` may connect to `address` (a numeric one)."""
        if self._all:
            return True
        ip = _unmapped(ipaddress.ip_address(address.partition("%")[0]))
        if _is_public(ip):
            self._trusted.discard(host)
            return True
        return host in self._trusted or any(ip in net for net in self._allowed)

    def allows_name(self, host: str) -> bool:
        """Whether a proxy may be asked for `host`: what a name means is the proxy's affair."""
        address = re.sub(r":[0-9]+$", "", host).strip("[]")
        try:
            ipaddress.ip_address(address)
        except ValueError:
            return True
        return self.allows(host, address)


def _is_public(ip: Address) -> bool:
    return ip.is_global and not ip.is_multicast and (ip.version == 4 or ip in _UNICAST)


def _unmapped(ip: Address) -> Address:
    # An IPv4 address in IPv6 clothes is judged as the IPv4 address.
    if not isinstance(ip, ipaddress.IPv6Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
