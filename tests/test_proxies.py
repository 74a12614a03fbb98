"""Proxies: who goes through which, what happens when one fails, and what is never said of them."""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from time import perf_counter
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.fetch.blame import without_login_of
from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.fetch.identity import Identity
from asyncmultispider.fetch.proxies import FIRST_REST, LONGEST_REST, MOST_DOUBTS, TRIAL, Proxies
from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of
from crawling import Crawled, links
from proxyserver import LOGIN, ProxyServer, answering, http, refusing, socks5, socks_reply
from webserver import Certificates, Reply, Site
from webserver.messages import Recorded

CrawlSite = Callable[..., Crawled]

POOL = [f"http://proxy{n}.example:8080" for n in range(5)]
HOSTS = [f"host{n}.example" for n in range(500)]


# The pool


def homes(pool: Proxies, now: float = 0.0) -> dict[str, str]:
    """Who goes through which. For a pool in which none has failed, or its trial is over."""
    return {host: pool.choose(host, now) for host in HOSTS}


def test_hosts_are_spread_and_keep_to_their_proxy() -> None:
    pool = Proxies(POOL)
    first = homes(pool)
    assert homes(pool, 1e6) == homes(Proxies(POOL[::-1])) == first
    assert min(Counter(first.values()).values()) > len(HOSTS) / len(POOL) * 0.6
    assert set(first.values()) == set(POOL)


def test_when_one_fails_its_hosts_alone_move_and_come_back() -> None:
    pool = Proxies(POOL)
    before = homes(pool)
    pool.failed(POOL[0], began=0.0, now=1.0)
    after = homes(pool, 2.0)
    assert {host for host in HOSTS if after[host] != before[host]} == {
        host for host in HOSTS if before[host] == POOL[0]
    }
    assert set(after.values()) == set(POOL[1:]), "they are spread over all others"
    pool.worked(POOL[0], began=1.5)
    assert homes(pool, 2.0) == before


def test_the_rest_doubles_until_it_works_again() -> None:
    pool = Proxies(POOL[:2])
    host = next(host for host in HOSTS if pool.choose(host, 0.0) == POOL[0])
    now, rests = 0.0, []
    for _ in range(10):
        now += 1.0
        pool.failed(POOL[0], began=now - 0.5, now=now)
        rests.append(min(2.0 ** len(rests) * FIRST_REST, LONGEST_REST))
        assert pool.choose(host, now + rests[-1] - 0.1) == POOL[1]
        now += rests[-1]
        assert pool.choose(host, now) == POOL[0]
    assert rests[:3] == [5.0, 10.0, 20.0]
    assert rests[-1] == 600.0
    pool.worked(POOL[0], began=now)
    pool.failed(POOL[0], began=now + 1, now=now + 1)
    assert pool.choose(host, now + 1 + FIRST_REST) == POOL[0]


def test_those_under_way_when_it_died_count_once() -> None:
    pool = Proxies(POOL[:2])
    host = next(host for host in HOSTS if pool.choose(host, 0.0) == POOL[0])
    for n in range(50):
        pool.failed(POOL[0], began=0.0, now=1.0 + n / 100)
    assert pool.choose(host, 1.0 + FIRST_REST) == POOL[0]


def test_an_answer_that_was_under_way_when_it_died_forgives_nothing() -> None:
    pool = Proxies(POOL[:2])
    host = next(host for host in HOSTS if pool.choose(host, 0.0) == POOL[0])
    pool.failed(POOL[0], began=0.0, now=1.0)
    pool.worked(POOL[0], began=0.5)
    assert pool.choose(host, 1.5) == POOL[1]


def test_after_a_rest_one_request_tries_it() -> None:
    pool = Proxies(POOL[:2])
    mine = [host for host in HOSTS if pool.choose(host, 0.0) == POOL[0]]
    pool.failed(POOL[0], began=0.0, now=0.0 + 1e-9)
    now = 1.0 + FIRST_REST
    assert [pool.choose(host, now) for host in mine[:4]] == [POOL[0], *[POOL[1]] * 3]
    assert pool.choose(mine[0], now + TRIAL - 0.1) == POOL[1]
    assert pool.choose(mine[0], now + TRIAL) == POOL[0], "nothing was heard of the first"
    pool.worked(POOL[0], began=now)
    assert {pool.choose(host, now) for host in mine} == {POOL[0]}


def test_if_all_rest_the_one_that_is_due_first_is_asked() -> None:
    pool = Proxies(POOL[:3])
    for at, url in enumerate((POOL[1], POOL[0], POOL[2]), 1):
        pool.failed(url, began=at - 0.5, now=float(at))
    assert set(homes(pool, 4.0).values()) == {POOL[1]}
    pool.failed(POOL[1], began=4.0, now=4.5)
    assert set(homes(pool, 4.6).values()) == {POOL[0]}


def test_what_may_be_the_hosts_fault_counts_three_in_a_row() -> None:
    pool = Proxies(POOL[:2])
    host = next(host for host in HOSTS if pool.choose(host, 0.0) == POOL[0])
    for now in (1.0, 2.0, 3.0, 4.0):
        for _ in range(MOST_DOUBTS - 1):
            pool.doubted(POOL[0], began=now, now=now)
        pool.worked(POOL[0], began=now)
    assert pool.choose(host, 5.0) == POOL[0]
    for _ in range(MOST_DOUBTS):
        pool.doubted(POOL[0], began=5.0, now=5.0)
    assert pool.choose(host, 5.1) == POOL[1]


def test_a_single_proxy_is_always_chosen() -> None:
    pool = Proxies(POOL[:1])
    for now in range(20):
        pool.failed(POOL[0], began=now, now=now)
        assert pool.choose("a.example", now) == POOL[0]


EVENTS = st.tuples(
    st.sampled_from(["failed", "doubted", "worked", "choose"]),
    st.sampled_from(POOL[:3]),
    st.floats(0, 30),
    st.floats(0, 5),
)


@given(st.lists(EVENTS, max_size=40))
def test_whatever_happens_none_is_asked_that_rests_while_another_does_not(
    events: list[tuple[str, str, float, float]],
) -> None:
    pool = Proxies(POOL[:3])
    now, harmed = 0.0, set[str]()
    for number, (what, url, passed, took) in enumerate(events):
        now += passed
        if what == "worked":
            pool.worked(url, now - took)
        elif what in ("failed", "doubted"):
            (pool.failed if what == "failed" else pool.doubted)(url, now - took, now)
            harmed.add(url)
        host = HOSTS[number]
        fit = [url for url, health in pool._health.items() if health.rests_until <= now]
        chosen = pool.choose(host, now)
        assert chosen in (fit or POOL[:3])
        own = Proxies(POOL[:3]).choose(host, now)
        assert own in harmed or chosen == own


# Real ones


@pytest.fixture
def start() -> Iterator[Callable[..., ProxyServer]]:
    """Starts proxies, and ends them."""
    with ExitStack() as stack:
        yield lambda *args, **named: stack.enter_context(ProxyServer(*args, **named))


def fetch(identity: Identity, settings: Settings, url: str) -> Result:
    with closing(CurlFetcher(settings, identity=identity)) as fetcher:
        return fetcher.fetch(Request(id=0, url=url, host=host_of(url)))


def through(proxies: list[str], url: str, **more: object) -> tuple[Result, Identity]:
    settings = Settings(seeds=(url,), proxies=tuple(proxies), timeout=10, **more)
    identity = Identity(settings)
    return fetch(identity, settings, url), identity


SCHEMES = [("http", http), ("socks5h", socks5), ("socks5", socks5)]


@pytest.mark.parametrize(("scheme", "serve"), SCHEMES)
@pytest.mark.parametrize("login", ["", "me:s3cret@", "m%65:s3cre%74@"])
def test_through_each_kind(
    site: Site, start: Callable[..., ProxyServer], scheme: str, serve: object, login: str
) -> None:
    site.page("/", "hello")
    proxy = start(serve, login=LOGIN if login else None)
    name = "127.0.0.1" if scheme == "socks5" else "some.example"  # the other resolves here
    result, _ = through([proxy.url(scheme, login)], site.url("/", host=name))
    assert isinstance(result, Response), result
    assert result.body == b"hello"
    assert proxy.asked == [f"{name}:{site.port}"]
    assert not {"proxy-authorization", "authorization"} & site.requests[0].headers.keys()


@pytest.mark.parametrize("secure", [False, True])
def test_through_a_proxy_that_speaks_https(
    trusted: Certificates, start: Callable[..., ProxyServer], secure: bool
) -> None:
    with Site(tls=trusted.valid if secure else None) as site:
        site.page("/", "hello")
        proxy = start(http, login=LOGIN, tls=trusted.valid)
        url = site.url("/", host="localhost")
        result, _ = through([proxy.url("https", "me:s3cret@")], url)
        assert isinstance(result, Response), result
        assert proxy.asked == [f"localhost:{site.port}"]


def test_its_certificate_is_verified_whatever_is_insecure(
    certificates: Certificates, site: Site, start: Callable[..., ProxyServer]
) -> None:
    site.page("/", "hello")
    proxy = start(http, login=LOGIN, tls=certificates.valid)
    result, _ = through([proxy.url("https", "me:s3cret@")], site.url(), insecure=True)
    assert isinstance(result, Failure)
    assert result.reason is Reason.PROXY
    assert "certificate" in result.detail
    assert proxy.asked == []


WRONG = "me:wr0ngpass@"
BROKEN = {
    "refuses the login": ("http", refusing(b"407 No"), Reason.PROXY),
    "does not know us": ("socks5h", answering(b"\x05\xff"), Reason.PROXY),
    "refuses the password": ("socks5h", answering(b"\x05\x02", b"\x01\x01"), Reason.PROXY),
    "is no SOCKS": ("socks5h", answering(b"hello, world"), Reason.PROXY),
    "is no TLS": ("https", answering(b"hello, world"), Reason.PROXY),
    "hangs up": ("socks5h", answering(b""), Reason.PROXY),
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("kind", BROKEN)
def test_one_that_is_broken_is_left(
    start: Callable[..., ProxyServer], kind: str, scheme: str
) -> None:
    how, serve, reason = BROKEN[kind]
    broken, other = start(serve).url(how, WRONG), "http://127.0.0.1:1"
    url = next(
        f"{scheme}://{host}/"
        for host in HOSTS
        if Proxies([broken, other]).choose(host, 0.0) == broken
    )
    result, identity = through([broken, other], url)
    assert isinstance(result, Failure)
    assert result.reason is reason
    assert "wr0ngpass" not in result.detail
    assert identity.proxies is not None
    assert identity.proxies.choose(host_of(url), perf_counter()) == other


@pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5h"])
def test_one_that_is_not_there_is_left(scheme: str, site: Site) -> None:
    dead, other = f"{scheme}://{WRONG}127.0.0.1:1", site.url("").rstrip("/")
    site.route("http*", Reply(200, "from the other"))
    host = next(host for host in HOSTS if Proxies([dead, other]).choose(host, 0.0) == dead)
    url = f"http://{host}/"
    result, identity = through([dead, other], url)
    assert isinstance(result, Failure)
    assert result.reason is Reason.PROXY
    assert "wr0ngpass" not in result.detail
    settings = Settings(seeds=(url,), proxies=(dead, other))
    again = fetch(identity, settings, url)
    assert isinstance(again, Response), "the next try goes through the other"


@pytest.mark.parametrize(
    ("how", "serve", "reason"),
    [
        ("http", refusing(b"502 Bad Gateway"), Reason.PROXY),
        ("http", refusing(b"403 Forbidden"), Reason.PROXY),
        ("socks5h", socks_reply(1), Reason.PROXY),
        ("socks5h", socks_reply(2), Reason.PROXY),
        ("socks5h", socks_reply(3), Reason.CONNECT),
        ("socks5h", socks_reply(4), Reason.CONNECT),
        ("socks5h", socks_reply(5), Reason.CONNECT),
    ],
)
def test_a_host_that_can_not_be_reached_is_not_held_against_it_at_once(
    start: Callable[..., ProxyServer], how: str, serve: object, reason: Reason
) -> None:
    proxy, other = start(serve).url(how), "http://127.0.0.1:1"
    url = next(
        f"https://{host}/" for host in HOSTS if Proxies([proxy, other]).choose(host, 0.0) == proxy
    )
    settings = Settings(seeds=(url,), proxies=(proxy, other), timeout=10)
    identity = Identity(settings)
    assert identity.proxies is not None
    for _ in range(MOST_DOUBTS):
        assert identity.proxies.choose(host_of(url), perf_counter()) == proxy
        result = fetch(identity, settings, url)
        assert isinstance(result, Failure)
        assert result.reason is reason
    assert identity.proxies.choose(host_of(url), perf_counter()) == other


def test_a_407_from_within_a_tunnel_is_the_hosts_affair(
    trusted: Certificates, start: Callable[..., ProxyServer]
) -> None:
    with Site(tls=trusted.valid) as site:
        site.page("/", "who are you?", status=407)
        proxy, url = start(http).url(), site.url("/", host="localhost")
        result, identity = through([proxy], url)
        assert isinstance(result, Response)
        assert result.status == 407
    assert identity.proxies is not None
    assert not identity.proxies._health[proxy].strikes


# Crawls


def seeds_for(site: Site, pool: Sequence[str], each: int) -> list[str]:
    """One site as many hosts, each of five pages: of every proxy so many are the hosts."""
    site.page("/", links(*(f"/{n}" for n in range(1, 5))))
    site.page("/*", "a page")
    site.page("/robots.txt", "", status=404)
    homes: dict[str, list[str]] = {url: [] for url in pool}
    for host in HOSTS:
        url = site.url("/", host=host)
        homes[Proxies(pool).choose(host_of(url), 0.0)].append(url)
    return [url for urls in homes.values() for url in urls[:each]]


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_each_host_keeps_to_one(
    site: Site, crawl: CrawlSite, start: Callable[..., ProxyServer], engine: str
) -> None:
    one, two = start(http), start(socks5)
    pool = (one.url(), two.url("socks5h"))
    seeds = seeds_for(site, pool, 6)
    crawled = crawl(*seeds, proxies=pool, engine=engine, processes=2)
    assert set(crawled.states.values()) == {"done"}
    assert len(crawled.states) == 5 * len(seeds)
    assert set(one.asked) == {host_of(seed) for seed in seeds[:6]}
    assert set(two.asked) == {host_of(seed) for seed in seeds[6:]}


@pytest.mark.parametrize("engine", ["async", "threads"])
def test_all_pages_are_there_though_one_dies(
    site: Site, crawl: CrawlSite, start: Callable[..., ProxyServer], engine: str
) -> None:
    one, two = start(http), start(http)
    pool = (one.url(), two.url())
    seeds = seeds_for(site, pool, 4)

    async def kill(_: Recorded, __: object) -> Reply:
        one.die()
        return Reply(200, "its last page")

    site.route("/3", kill)
    crawled = crawl(*seeds, proxies=pool, engine=engine, retries=3)
    assert set(crawled.states.values()) == {"done"}
    assert len(crawled.states) == 5 * len(seeds)
    assert one.asked
    assert set(one.asked) <= {host_of(seed) for seed in seeds[:4]}
    assert set(two.asked) == {host_of(seed) for seed in seeds}, "the others came over"


@pytest.mark.parametrize("engine", ["async", "processes"])
def test_one_that_never_works_is_got_around(
    site: Site, crawl: CrawlSite, start: Callable[..., ProxyServer], engine: str
) -> None:
    refusing_us, good = start(http, login=b"some:body"), start(http)
    pool = (refusing_us.url(login="me:wr0ngpass@"), "socks5h://127.0.0.1:1", good.url())
    seeds = seeds_for(site, pool, 3)
    crawled = crawl(*seeds, proxies=pool, engine=engine, processes=2, retries=3)
    assert set(crawled.states.values()) == {"done"}
    assert len(crawled.states) == 5 * len(seeds)
    assert refusing_us.asked == []


def test_if_all_are_dead_it_says_so(crawl: CrawlSite) -> None:
    dead = tuple(f"http://u{n}ser:pa55word{n}@127.0.0.1:{n}" for n in (1, 2))
    crawled = crawl("http://some.example/", proxies=dead)
    [state] = crawled.states.values()
    assert state in ("failed:proxy", "suspended:robots-unavailable", "suspended:unreachable")
    for file in crawled.directory.iterdir():
        assert b"pa55word" not in file.read_bytes(), file


# What is never said

MESSAGES = [
    "can't use '{url}'",
    "user '{user}' is not known",
    "password {password} is wrong",
    "{plain_user}:{plain_password} was refused",
    "no {plain_password}",
    "Basic {basic}",
    "Unsupported proxy syntax in '{url}': " + "x" * 200,
]


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize(
    "login", ["myself:s3cretly", "my%40self:s3cr%2Fetly", "m:s", "u%ffser:p%e9ssword", "myself:"]
)
def test_no_form_of_a_login_is_told(message: str, login: str) -> None:
    user, _, password = login.partition(":")
    plain = [re.sub("%(..)", lambda hex: chr(int(hex[1], 16)), text) for text in (user, password)]
    plain = [text.encode("latin-1").decode(errors="surrogateescape") for text in plain]
    basic = b64encode(":".join(plain).encode(errors="surrogateescape")).decode()
    proxy = f"http://{login}@proxy.example:8080"
    told = message.format(
        url=proxy,
        user=user,
        password=password,
        plain_user=plain[0],
        plain_password=plain[1],
        basic=basic,
    )
    cleaned = without_login_of(proxy, told)
    for secret in filter(None, (login, password, plain[1], basic)):
        assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", cleaned), cleaned


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=400),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=400),
)
def test_whatever_the_password(user: str, password: str) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    proxy = f"http://{login}@proxy.example:8080"
    told = without_login_of(proxy, f"Unsupported proxy syntax in '{proxy}': bad"[:255])
    assert login[:200] not in told
    assert quote(password, safe="")[:10] not in told.replace("proxy.example", "")


def test_a_message_without_a_login_is_left_as_it_is() -> None:
    message = "Could not resolve proxy: proxy.example " + "x" * 300
    assert without_login_of("http://proxy.example:8080", message) == message
