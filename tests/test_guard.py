"""The guard: which addresses a crawl may connect to, itself and through a proxy."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.fetch.guard import Guard
from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of
from webserver import Reply, Site

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "172.32.0.1",
    "223.255.255.254",
    "2606:4700:4700::1111",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",  # NAT64 of 8.8.8.8
    "2002:808:808::1",  # 6to4 of 8.8.8.8
]
OTHERS = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_free(address: str) -> None:
    assert Guard([], []).allows("a.example", address)


@pytest.mark.parametrize("address", OTHERS)
def test_any_other_address_is_not(address: str) -> None:
    assert not Guard([], []).allows("a.example", address)


@pytest.mark.parametrize("address", OTHERS)
def test_a_seed_or_the_user_may_allow_it(address: str) -> None:
    assert Guard(["a.example"], []).allows("a.example", address)
    assert Guard([], ["all"]).allows("a.example", address)


def test_a_seed_stands_for_its_own_port_only() -> None:
    guard = Guard(["a.example:8080"], [])
    assert guard.allows("a.example:8080", "127.0.0.1")
    assert not guard.allows("a.example", "127.0.0.1")
    assert not guard.allows("a.example:8081", "127.0.0.1")
    assert not guard.allows("b.example:8080", "127.0.0.1")


@pytest.mark.parametrize("public", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_a_seed_that_was_public_once_is_trusted_no_more(public: str) -> None:
    guard = Guard(["a.example", "b.example"], [])
    assert guard.allows("a.example", "10.0.0.1")
    assert guard.allows("a.example", public)
    assert not guard.allows("a.example", "10.0.0.1")
    assert guard.allows("a.example", public)
    assert guard.allows("b.example", "10.0.0.1"), "each seed for itself"


@pytest.mark.parametrize("allowed", ["all", "10.0.0.0/8"])
def test_what_the_user_allows_stays_allowed(allowed: str) -> None:
    guard = Guard(["a.example"], [allowed])
    assert guard.allows("a.example", "8.8.8.8")
    assert guard.allows("a.example", "10.0.0.1")


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.255.0.1", "192.168.0.1"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:192.168.0.1"),
        ("10.0.0.0/8", "64:ff9b::a00:1", "64:ff9b::7f00:1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
        ("10.1.2.3/16", "10.1.99.99", "10.2.0.1"),
        ("fc00::/7", "fd00::1", "fe80::1"),
        ("fe80::/10", "fe80::1%eth0", "fec0::1"),
        ("::1/128", "::1", "127.0.0.1"),
    ],
)
def test_networks_that_the_user_allows(network: str, inside: str, outside: str) -> None:
    guard = Guard.of(Settings(seeds=("http://a.example/",), allow_private=(network,)))
    assert guard.allows("b.example", inside)
    assert not guard.allows("b.example", outside)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_no_address_breaks_it(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert Guard([], ["all"]).allows("a.example", str(address))
    if Guard([], []).allows("a.example", str(address)):
        assert not address.is_loopback
        assert not address.is_link_local
        assert not address.is_multicast


# Through a proxy


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("a.example", True),
        ("a.example:8080", True),
        ("localhost", True),  # what a name means is the proxy's affair
        ("8.8.8.8", True),
        ("8.8.8.8:8080", True),
        ("[2606:4700:4700::1111]", True),
        ("127.0.0.1", False),
        ("127.0.0.1:8080", False),
        ("169.254.169.254", False),
        ("[::1]", False),
        ("[::1]:8080", False),
        ("[::ffff:a00:1]", False),
    ],
)
def test_names_are_asked_of_a_proxy_and_private_addresses_are_not(host: str, allowed: bool) -> None:
    assert Guard([], []).allows_name(host) == allowed
    assert Guard([host], []).allows_name(host)
    assert Guard([], ["all"]).allows_name(host)


def fetch(settings: Settings, *urls: str) -> list[Result]:
    fetcher = CurlFetcher(settings)
    try:
        return [fetcher.fetch(Request(id=0, url=url, host=host_of(url))) for url in urls]
    finally:
        fetcher.close()


def test_a_proxy_is_not_led_into_the_private_network(site: Site) -> None:
    site.route("http*", Reply(200, "from the proxy"))
    settings = Settings(seeds=("http://10.0.0.1/",), proxy=site.url("").rstrip("/"))
    urls = ("http://10.0.0.1/seed", "http://10.0.0.2/", "http://[::1]/", "http://x.invalid/")
    seed, private, loopback, name = fetch(settings, *urls)
    assert site.paths == ["http://10.0.0.1/seed", "http://x.invalid/"]
    assert isinstance(seed, Response)
    assert isinstance(name, Response)
    for refused in (private, loopback):
        assert isinstance(refused, Failure)
        assert refused.reason is Reason.PRIVATE_ADDRESS
    assert "10.0.0.2" in private.detail
