"""The guard: which addresses a crawl may connect to, itself and through a proxy."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.fetch.guard import Guard
from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.settings import Settings
from asyncmultispider.urls import canonicalize, host_of
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
        # What an address embeds, if what else it leads to is public or allowed too.
        ("10.0.0.0/8", "::10.0.0.1", "::8.8.8.8"),
        ("10.0.0.0/8", "::ffff:0:10.0.0.1", "::ffff:0:8.8.8.8"),
        ("10.0.0.0/8", "2002:a00:1::1", "2002:7f00:1::1"),
        ("10.0.0.0/8", "2001:0:808:808::f5ff:fffe", "2001:0:7f00:1::f5ff:fffe"),
        ("10.0.0.0/8", "2606:4700::5efe:10.0.0.1", "fd00::5efe:10.0.0.1"),
        ("10.0.0.0/8", "2002:808:808::5efe:10.0.0.1", "2002:c0a8:101::5efe:10.0.0.1"),
        # In the local translators' prefix there is no knowing: it must be named itself.
        ("64:ff9b:1::/48", "64:ff9b:1::a00:1", "64:ff9b::a00:1"),
        ("::ffff:0:0/96", "::ffff:10.0.0.1", "10.0.0.1"),
        ("0.0.0.0/8", "0.0.0.1", "::1"),
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


def test_what_is_not_an_address_is_never_allowed() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Guard([], []).allows("a.example", "nonsense")


# Ports


@pytest.mark.parametrize("port", [0, 1, 22, 25, 53, 110, 143, 587, 993, 3306, 5432, 6379, 10080])
def test_ports_of_other_protocols_are_for_seeds_only(port: int) -> None:
    for name in ("a.example", "127.0.0.1", "[::1]"):
        host = f"{name}:{port}"
        assert not Guard([name], ["all"]).allows_port(host), "addresses are another matter"
        assert Guard([host], []).allows_port(host)
        assert not Guard([host], []).allows_port(f"b.example:{port}")


@pytest.mark.parametrize(
    "host",
    ["a.example", "[::1]", "[2001:db8::25]", "a.example:81", "a.example:8080", "[::1]:8443"],
)
def test_other_ports_are_free(host: str) -> None:
    assert Guard([], []).allows_port(host)


def test_a_seed_keeps_its_port_wherever_its_name_leads() -> None:
    guard = Guard(["a.example:22"], [])
    assert guard.allows("a.example:22", "8.8.8.8")
    assert guard.allows_port("a.example:22")


# Through a proxy


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("a.example", True),
        ("a.example:8080", True),
        ("intranet", True),  # what a name means is the proxy's affair
        ("local.example", True),
        ("notlocalhost", True),
        ("localhost.example", True),
        ("home.arpa.example", True),
        ("arpa", True),
        ("localhost", False),
        ("localhost:8080", False),
        ("localhost.", False),
        ("a.localhost", False),
        ("printer.local", False),
        ("printer.local.:631", False),
        ("local", False),
        ("metadata.google.internal", False),
        ("router.home.arpa", False),
        ("home.arpa", False),
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


def test_no_connection_is_opened_to_a_port_of_another_protocol() -> None:
    urls = ("http://127.0.0.1:6379/", "https://a.invalid:25/")
    for allowed in ((), ("all",)):
        settings = Settings(seeds=("http://a.example/",), allow_private=allowed)
        for refused in fetch(settings, *urls):
            assert isinstance(refused, Failure)
            assert refused.reason is Reason.BAD_PORT


def test_a_proxy_is_not_led_into_the_private_network(site: Site) -> None:
    site.route("http*", Reply(200, "from the proxy"))
    settings = Settings(seeds=("http://10.0.0.1/",), proxies=(site.url("").rstrip("/"),))
    urls = ("http://10.0.0.1/seed", "http://10.0.0.2/", "http://[::1]/", "http://x.invalid/")
    seed, private, loopback, name = fetch(settings, *urls)
    assert site.paths == ["http://10.0.0.1/seed", "http://x.invalid/"]
    assert isinstance(seed, Response)
    assert isinstance(name, Response)
    for refused in (private, loopback):
        assert isinstance(refused, Failure)
        assert refused.reason is Reason.PRIVATE_ADDRESS
    assert "10.0.0.2" in private.detail


def test_no_private_name_is_asked_of_a_proxy(site: Site) -> None:
    site.route("http*", Reply(200, "from the proxy"))
    settings = Settings(seeds=("http://nas.local/",), proxies=(site.url("").rstrip("/"),))
    urls = (
        "http://nas.local/",
        "http://nas.local.:81/",
        "http://LOCALHOST./",
        "http://[::7f00:1]/",
    )
    seed, *others = fetch(settings, *map(canonicalize, urls))
    assert isinstance(seed, Response)
    assert site.paths == ["http://nas.local/"]
    assert [refused.reason for refused in others if isinstance(refused, Failure)] == [
        Reason.PRIVATE_ADDRESS
    ] * 3


# Numbers that old resolvers take for addresses


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f.1",
        "0x7F000001",
        "017700000001",
        "127.1",
        "127.0.0.1.",
        "%31%32%37.1",
        "①②⑦.1",
        "127。0。0。1",
        "[::ffff:127.0.0.1]",
        "[::127.1.0.0]",
        "[64:ff9b::127.0.0.1]",
        "0",
        "localhost",
        "localhost.",
        "a.localhost",
    ],
)
def test_odd_names_of_this_machine_lead_nowhere(host: str, site: Site) -> None:
    url = canonicalize(f"http://{host}:{site.port}/")
    [result] = fetch(Settings(seeds=("http://a.example/",)), url)
    assert isinstance(result, Failure)
    assert result.reason is Reason.PRIVATE_ADDRESS
    assert site.connections == 0
    assert not Guard([], []).allows_name(host_of(url)), "nor by a proxy"
