"""Which addresses are public: global unicast, whatever clothes they come in.

The tables follow the IANA special-purpose address registries, column "Globally Reachable":
https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry.
Python's own `is_global` is not asked: it differs from release to release.

What always holds: an address is public only if all are that a connection to it can end at. What
is embedded is an IPv4 address, which embeds nothing, so unwrapping ends after one step.
"""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Meaning(NamedTuple):
    """An address as it is written, where connections to it can end, and whether it is public."""

    itself: Address
    ends: tuple[Address, ...]
    public: bool


@lru_cache(maxsize=4096)
def understand(text: str) -> Meaning:
    """What a numeric address means. A scope (`%eth0`) is ignored. `ValueError`: it is not one."""
    itself = ipaddress.ip_address(text.partition("%")[0])
    ends = _ends(itself)
    carried = isinstance(itself, ipaddress.IPv6Address) and _is_in(itself, _CARRIERS)
    return Meaning(itself, ends, (carried or is_global(itself)) and all(map(is_global, ends)))


def is_global(ip: Address) -> bool:
    """Whether an address is global unicast, if it embeds nothing."""
    if ip.version == 6 and ip not in _UNICAST:
        return False
    return not _is_in(ip, _SPECIAL) or _is_in(ip, _EXCEPTIONS)


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


_SPECIAL = _networks(
    "0.0.0.0/8",  # this network, RFC 791
    "10.0.0.0/8",  # private use, RFC 1918
    "100.64.0.0/10",  # shared by the customers of a provider, RFC 6598
    "127.0.0.0/8",  # loopback, RFC 1122
    "169.254.0.0/16",  # link-local, RFC 3927; the metadata services of clouds
    "172.16.0.0/12",  # private use, RFC 1918
    "192.0.0.0/24",  # protocol assignments, RFC 6890
    "192.0.2.0/24",  # documentation, RFC 5737
    "192.88.99.0/24",  # relays of 6to4, deprecated by RFC 7526
    "192.168.0.0/16",  # private use, RFC 1918
    "198.18.0.0/15",  # benchmarks, RFC 2544
    "198.51.100.0/24",  # documentation, RFC 5737
    "203.0.113.0/24",  # documentation, RFC 5737
    "224.0.0.0/4",  # multicast, RFC 5771
    "240.0.0.0/4",  # reserved, RFC 1112, and the limited broadcast, RFC 919
    # In IPv6 only what lies in `_UNICAST`: all else is not public anyway.
    "2001::/23",  # protocol assignments, RFC 2928; among them Teredo and ORCHID (RFC 4843)
    "2001:db8::/32",  # documentation, RFC 3849
    "3fff::/20",  # documentation, RFC 9637
)
_UNICAST = ipaddress.ip_network("2000::/3")
"""All that IANA has given out as global unicast in IPv6, RFC 4291."""

_EXCEPTIONS = _networks(
    "192.0.0.9/32",  # port control anycast, RFC 7723
    "192.0.0.10/32",  # TURN anycast, RFC 8155
    "2001:1::1/128",  # port control anycast, RFC 7723
    "2001:1::2/128",  # TURN anycast, RFC 8155
    "2001:1::3/128",  # DNS-SD registration anycast, RFC 9665
    "2001:3::/32",  # multicast tunnels (AMT), RFC 7450
    "2001:4:112::/48",  # AS112, RFC 7535
    "2001:20::/28",  # ORCHIDv2, RFC 7343
    "2001:30::/28",  # drone remote ID, RFC 9374
)
"""Globally reachable, though within a special block."""

_MAPPED, _NAT64 = _CARRIERS = _networks(
    "::ffff:0:0/96",  # IPv4-mapped, RFC 4291: the socket is an IPv4 one
    "64:ff9b::/96",  # the translators' well-known prefix, RFC 6052
)
"""Never an address of their own: what they carry decides."""
_COMPATIBLE, _TRANSLATED, _6TO4, _TEREDO = _networks(
    "::/96",  # IPv4-compatible, deprecated by RFC 4291
    "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
    "2002::/16",  # 6to4, RFC 3056
    "2001::/32",  # Teredo, RFC 4380
)
# Of the translators' local prefix, 64:ff9b:1::/48 (RFC 8215), nobody else knows where in it the
# IPv4 address is: it stands for itself, and is not public.
_ISATAP = 0x5EFE  # RFC 5214, section 6.1
_NOT_OF_ISATAP = ~0x0300_0000  # its two bits say "universal" and "group"


def _ends(ip: Address) -> tuple[Address, ...]:
    if isinstance(ip, ipaddress.IPv4Address):
        return (ip,)
    number = int(ip)
    ends = tuple(map(_ipv4, _carried(ip, number))) or (ip,)
    if (number >> 32 & 0xFFFF_FFFF & _NOT_OF_ISATAP) == _ISATAP:
        # Here the interface may be a tunnel. Elsewhere it is an address like others.
        return (*ends, _ipv4(number))
    return ends


def _carried(ip: ipaddress.IPv6Address, number: int) -> tuple[int, ...]:
    """The IPv4 addresses that the prefix speaks of, in the low 32 bits of each number."""
    if number <= 1:  # "::" and "::1", which are not IPv4-compatible
        return ()
    if _is_in(ip, (_MAPPED, _NAT64, _COMPATIBLE, _TRANSLATED)):
        return (number,)
    if ip in _6TO4:
        return (number >> 80,)
    if ip in _TEREDO:  # the server, and the client with all bits inverted
        return (number >> 64, ~number)
    return ()


def _ipv4(number: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(number & 0xFFFF_FFFF)


def _is_in(ip: Address, networks: tuple[Network, ...]) -> bool:
    return any(ip in network for network in networks)
