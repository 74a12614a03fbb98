"""Which addresses are public, by the IANA registries, in every form an address can take."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.fetch.addresses import Address, is_global, understand

# https://www.iana.org/assignments/iana-ipv4-special-registry, as of 2025: block, and whether it is
# globally reachable. "N/A" is taken for no.
IPV4 = {
    "0.0.0.0/8": False,
    "0.0.0.0/32": False,
    "10.0.0.0/8": False,
    "100.64.0.0/10": False,
    "127.0.0.0/8": False,
    "169.254.0.0/16": False,
    "172.16.0.0/12": False,
    "192.0.0.0/24": False,
    "192.0.0.0/29": False,
    "192.0.0.8/32": False,
    "192.0.0.9/32": True,
    "192.0.0.10/32": True,
    "192.0.0.170/32": False,
    "192.0.0.171/32": False,
    "192.0.2.0/24": False,
    "192.31.196.0/24": True,
    "192.52.193.0/24": True,
    "192.88.99.0/24": False,
    "192.168.0.0/16": False,
    "192.175.48.0/24": True,
    "198.18.0.0/15": False,
    "198.51.100.0/24": False,
    "203.0.113.0/24": False,
    "240.0.0.0/4": False,
    "255.255.255.255/32": False,
}
# https://www.iana.org/assignments/iana-ipv6-special-registry, as of 2025, without the blocks that
# only carry IPv4 addresses: ::ffff:0:0/96, 64:ff9b::/96 and 2002::/16.
IPV6 = {
    "::1/128": False,
    "::/128": False,
    "64:ff9b:1::/48": False,
    "100::/64": False,
    "100:0:0:1::/64": False,
    "2001::/23": False,
    "2001::/32": False,
    "2001:1::1/128": True,
    "2001:1::2/128": True,
    "2001:1::3/128": True,
    "2001:2::/48": False,
    "2001:3::/32": True,
    "2001:4:112::/48": True,
    "2001:10::/28": False,
    "2001:20::/28": True,
    "2001:30::/28": True,
    "2001:db8::/32": False,
    "2620:4f:8000::/48": True,
    "3fff::/20": False,
    "5f00::/16": False,
    "fc00::/7": False,
    "fe80::/10": False,
}
# Not in the registries, and not global unicast.
OTHERS = {"224.0.0.0/4": False, "fec0::/10": False, "ff00::/8": False, "4000::/2": False}
REGISTRY = {ipaddress.ip_network(k): v for k, v in {**IPV4, **IPV6, **OTHERS}.items()}
BLOCKS = sorted(REGISTRY, key=lambda block: block.prefixlen)

private = st.one_of(
    st.ip_addresses(v=4, network=block) for block, reach in IPV4.items() if not reach
).filter(lambda ip: not is_global(ip))
public = st.ip_addresses(v=4).filter(is_global)


def by_registry(ip: Address) -> bool:
    """What the most specific block says; ordinary addresses are in none."""
    reach = ip.version == 4 or ip in ipaddress.ip_network("2000::/3")
    for block in BLOCKS:
        if ip in block:
            reach = REGISTRY[block]
    return reach


def edges(text: str) -> list[Address]:
    """The first and the last address of a block, and their neighbours outside."""
    block = ipaddress.ip_network(text)
    kind = type(block.network_address)
    numbers = [int(block[0]) - 1, int(block[0]), int(block[-1]), int(block[-1]) + 1]
    return [kind(n) for n in numbers if 0 <= n < 2**block.max_prefixlen]


def ipv6(prefix: str, number: int) -> str:
    """An address: the prefix's bits, and the bits of a number."""
    return str(IPv6Address(int(IPv6Address(prefix)) | number))


def forms(ip: IPv4Address) -> list[str]:
    """An IPv4 address in everything that embeds it, with nothing private around it."""
    n = int(ip)
    return [
        str(ip),
        ipv6("::ffff:0:0", n),
        ipv6("64:ff9b::", n),
        ipv6("2002::1", n << 80),
        ipv6("2606:4700::5efe:0:0", n),
        ipv6("2606:4700::200:5efe:0:0", n),
        ipv6("2002:808:808::5efe:0:0", n),
        ipv6("2002::5efe:808:808", n << 80),
    ]


def shut_forms(ip: IPv4Address) -> list[str]:
    """An IPv4 address in what is never public."""
    n = int(ip)
    return [
        ipv6("::", n | 1 << 24),  # not "::1"
        ipv6("::ffff:0:0:0", n),
        ipv6("64:ff9b:1::", n),
        ipv6("64:ff9b:1::", n >> 16 << 64 | (n & 0xFFFF) << 40),
        ipv6("2001::f7f7:f7f7", n << 64),  # Teredo: the server, and below the client
        ipv6("2001:0:808:808::", n ^ 0xFFFF_FFFF),
        ipv6("fe80::5efe:0:0", n),
        ipv6("fd00::200:5efe:0:0", n),
    ]


@pytest.mark.parametrize("block", [*IPV4, *IPV6, *OTHERS])
def test_the_registry_is_followed_to_the_edge(block: str) -> None:
    for ip in edges(block):
        assert understand(str(ip)).public == by_registry(ip), ip


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6, network="2000::/3")))
def test_what_embeds_nothing_is_public_by_the_registry(ip: Address) -> None:
    meaning = understand(str(ip))
    if meaning.ends == (ip,):
        assert meaning.public == by_registry(ip)


@given(private)
def test_a_private_address_is_private_in_all_its_forms(ip: IPv4Address) -> None:
    for form in forms(ip) + shut_forms(ip):
        assert not understand(form).public, form


@given(public)
def test_a_public_address_stays_so_in_what_carries_it(ip: IPv4Address) -> None:
    for form in forms(ip):
        assert understand(form).public, form
    for form in shut_forms(ip):
        assert not understand(form).public, form


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 2**32 - 1))
def test_teredo_leads_to_its_server_and_its_client(
    server: IPv4Address, client: IPv4Address, between: int
) -> None:
    low = between << 32 | int(client) ^ 0xFFFF_FFFF
    meaning = understand(ipv6("2001::", int(server) << 64 | low))
    assert meaning.ends[:2] == (server, client)
    assert not meaning.public


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("8.8.8.8", ["8.8.8.8"]),
        ("2606:4700::1", ["2606:4700::1"]),
        ("::", ["::"]),
        ("::1", ["::1"]),
        ("::2", ["0.0.0.2"]),
        ("::127.0.0.1", ["127.0.0.1"]),
        ("::ffff:127.0.0.1", ["127.0.0.1"]),
        ("::ffff:0:127.0.0.1", ["127.0.0.1"]),
        ("64:ff9b::a9fe:a9fe", ["169.254.169.254"]),
        ("64:ff9b:1::a9fe:a9fe", ["64:ff9b:1::a9fe:a9fe"]),
        ("2002:7f00:1::", ["127.0.0.1"]),
        ("fe80::5efe:a00:1%eth0", ["fe80::5efe:a00:1", "10.0.0.1"]),
        ("2606::200:5efe:a00:1", ["2606::200:5efe:a00:1", "10.0.0.1"]),
        ("2606::300:5efe:a00:1", ["2606::300:5efe:a00:1", "10.0.0.1"]),
        ("2606::400:5efe:a00:1", ["2606::400:5efe:a00:1"]),
        ("2002:808:808::5efe:a00:1", ["8.8.8.8", "10.0.0.1"]),
    ],
)
def test_where_an_address_leads(text: str, ends: list[str]) -> None:
    assert [str(end) for end in understand(text).ends] == ends


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_every_address_is_understood(ip: Address) -> None:
    meaning = understand(str(ip))
    assert meaning.itself == ip
    assert meaning.ends
    assert not (meaning.public and (ip.is_loopback or ip.is_link_local or ip.is_multicast))


@pytest.mark.parametrize("text", ["", "a", "1", "0x7f.1", "127.1", "010.0.0.1", "[::1]", "::1:"])
def test_what_is_no_numeric_address_raises(text: str) -> None:
    with pytest.raises(ValueError):
        understand(text)


# Where Python's `is_global` says otherwise, in one release or another from 3.11 on.
DIFFERENCES = {
    "192.0.0.0/24": "older ones hold only a few addresses of it for special",
    "192.88.99.0/24": "the relays of 6to4 were abolished: no release knows",
    "224.0.0.0/4": "multicast is global to Python; to us it is no unicast",
    "2001::/23": "older ones know none of its exceptions, newer ones not that of 2024",
    "2002::/16": "6to4 depends on what it embeds; newer ones never hold it for global",
    "3fff::/20": "for documentation since 2024, which older ones don't know",
    "::/3": "not global unicast by IANA, whatever Python knows of it; what is mapped is unwrapped",
    "4000::/2": "not global unicast by IANA",
    "8000::/1": "not global unicast by IANA",
}


def test_python_differs_only_where_we_know_why() -> None:
    known = [ipaddress.ip_network(block) for block in DIFFERENCES]
    samples = {ip for block in REGISTRY for ip in edges(str(block))}
    for ip in samples:
        if is_global(ip) != ip.is_global:
            assert any(ip in block for block in known), ip


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_python_differs_nowhere_else(ip: Address) -> None:
    known = [ipaddress.ip_network(block) for block in DIFFERENCES]
    if not any(ip in block for block in known):
        assert is_global(ip) == ip.is_global
