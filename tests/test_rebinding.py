"""No name, literal, redirect or re-connection leads a crawl to a private address.

The sockets are real. `127.8.8.8` stands for a public address here: the rule is told so. What must
not be reached are listeners that accept nothing, and tell whether somebody came.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pycurl
import pytest

from asyncmultispider.fetch import guard
from asyncmultispider.fetch.addresses import Meaning, understand
from asyncmultispider.fetch.curl import AsyncCurlFetcher, CurlFetcher, Transfer
from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.settings import Settings
from asyncmultispider.urls import canonicalize, host_of
from crawling import Crawled, links
from webserver import Certificates, Recorded, Reply, Site, redirection

PUBLIC = "127.8.8.8"
NAME = "rebind.example"
Fetch = Callable[[str], Result]


class Bait:
    """A listener in the private network. Who connects to it stays in its queue."""

    def __init__(self, address: str, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]

    @property
    def touched(self) -> bool:
        """Whether anybody connected since the last look."""
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listener.close()


@contextmanager
def bait(address: str, port: int = 0) -> Iterator[Bait]:
    bait = Bait(address, port)
    try:
        yield bait
        assert not bait.touched, f"{address} was connected to"
    finally:
        bait.close()


class Names:
    """What libcurl is told that a name means, from the next request on."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.addresses: tuple[str, ...] = ()

    def tell(self, curl: pycurl.Curl) -> None:
        curl.setopt(pycurl.RESOLVE, [f"{NAME}:{self.port}:{','.join(self.addresses)}"])


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site at an address that is held for public."""

    def understand_otherwise(text: str) -> Meaning:
        return understand("8.8.8.8" if text == PUBLIC else text)

    monkeypatch.setattr(guard, "understand", understand_otherwise)
    with Site(address=PUBLIC) as site:
        site.page("/", "public")
        yield site


def tune(monkeypatch: pytest.MonkeyPatch, how: Callable[[pycurl.Curl], None]) -> None:
    """Do something to each handle before each of its transfers."""
    prepare = Transfer.prepare

    def prepare_and_tune(transfer: Transfer, request: Request) -> None:
        prepare(transfer, request)
        how(transfer.curl)

    monkeypatch.setattr(Transfer, "prepare", prepare_and_tune)


@pytest.fixture
def names(public: Site, monkeypatch: pytest.MonkeyPatch) -> Names:
    """The means to change what the name means."""
    names = Names(public.port)
    tune(monkeypatch, names.tell)
    return names


@contextmanager
def blocking(settings: Settings) -> Iterator[Fetch]:
    fetcher = CurlFetcher(settings)
    try:
        yield lambda url: fetcher.fetch(Request(id=0, url=url, host=host_of(url)))
    finally:
        fetcher.close()


@contextmanager
def on_a_loop(settings: Settings) -> Iterator[Fetch]:
    async def make() -> AsyncCurlFetcher:
        return AsyncCurlFetcher(settings)

    with asyncio.Runner() as runner:
        fetcher = runner.run(make())
        yield lambda url: runner.run(fetcher.fetch(Request(id=0, url=url, host=host_of(url))))
        runner.run(fetcher.aclose())


def seeded(*seeds: str, **others: Any) -> Settings:
    return Settings(seeds=seeds, **{"timeout": 5.0, **others})


both = pytest.mark.parametrize("fetching", [blocking, on_a_loop])


def is_refused(result: Result, address: str = "127.0.0.1") -> bool:
    return (
        isinstance(result, Failure)
        and result.reason is Reason.PRIVATE_ADDRESS
        and address in result.detail
    )


# Names


@both
@pytest.mark.parametrize("seed", [NAME, "elsewhere.example"])
def test_a_name_that_turns_private_is_refused(
    fetching: Callable[[Settings], Fetch], seed: str, public: Site, names: Names
) -> None:
    public.route("/", Reply(200, "public", close=True))
    url = public.url("/", host=NAME)
    settings = seeded(public.url("/", host=seed))
    with bait("127.0.0.1", public.port), fetching(settings) as fetch:
        names.addresses = (PUBLIC,)
        assert isinstance(fetch(url), Response)
        names.addresses = ("127.0.0.1",)
        assert is_refused(fetch(url))
        assert is_refused(fetch(url)), "and it is not forgotten"
        names.addresses = (PUBLIC,)
        assert isinstance(fetch(url), Response), "it may come back"
    assert public.connections == 2


@both
def test_a_private_seed_is_trusted_until_it_was_public(
    fetching: Callable[[Settings], Fetch], public: Site, names: Names
) -> None:
    url = public.url("/", host=NAME)
    private = Site(address="127.0.0.1")
    private.port = public.port
    for site in (public, private):
        site.route("/", Reply(200, close=True))
    with private, fetching(seeded(url)) as fetch:
        for address in ("127.0.0.1", PUBLIC):
            names.addresses = (address,)
            assert isinstance(fetch(url), Response)
        names.addresses = ("127.0.0.1",)
        assert is_refused(fetch(url))
    assert private.connections == 1


@both
def test_a_kept_connection_is_the_checked_one_and_the_next_is_checked_again(
    fetching: Callable[[Settings], Fetch], public: Site, names: Names
) -> None:
    public.sequence("/", Reply(200), Reply(200, close=True))
    url = public.url("/", host=NAME)
    with bait("127.0.0.1", public.port), fetching(seeded(url)) as fetch:
        names.addresses = (PUBLIC,)
        assert isinstance(fetch(url), Response)
        names.addresses = ("127.0.0.1",)
        assert isinstance(fetch(url), Response), "by the connection that was there"
        assert is_refused(fetch(url))
    assert (public.connections, len(public.requests)) == (1, 2)


@both
def test_a_name_with_a_second_address_does_not_fall_back_on_a_private_one(
    fetching: Callable[[Settings], Fetch], public: Site, names: Names
) -> None:
    with bait("127.0.0.1") as private:
        names.port = private.port  # where nobody listens at the public address
        names.addresses = (PUBLIC, "127.0.0.1")
        url = f"http://{NAME}:{private.port}/"
        with fetching(seeded(public.url("/"))) as fetch:
            assert is_refused(fetch(url))


@both
def test_a_dns_server_that_changes_its_answer(
    fetching: Callable[[Settings], Fetch],
    public: Site,
    trusted: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [PUBLIC, "127.0.0.1"]

    async def resolve(request: Recorded, _: asyncio.StreamWriter) -> Reply:
        return Reply(200, dns_answer(answers.pop(0)), "application/dns-message")

    public.route("/", Reply(200, close=True))
    url = public.url("/", host=NAME)
    with Site(tls=trusted.valid) as server, bait("127.0.0.1", public.port):
        server.route("/dns", resolve)

        def ask_server(curl: pycurl.Curl) -> None:
            curl.setopt(pycurl.DOH_URL, server.url("/dns"))
            curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
            curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)

        tune(monkeypatch, ask_server)
        with fetching(seeded(url)) as fetch:
            assert isinstance(fetch(url), Response)
            assert is_refused(fetch(url))
    assert answers == []


def dns_answer(address: str) -> bytes:
    """A DNS message: the name has this IPv4 address, for no time (RFC 1035 section 4)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split("."))
    head = struct.pack(">6H", 0, 0x8180, 1, 1, 0, 0)
    question = labels + struct.pack(">x2H", 1, 1)
    return head + question + struct.pack(">3HIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(address)


# Literals


@pytest.fixture
def private() -> Iterator[Bait]:
    with bait("127.0.0.1") as private:
        yield private


@pytest.fixture
def private6() -> Iterator[Bait]:
    try:
        with bait("::1") as private:
            yield private
    except OSError:
        pytest.skip("there is no IPv6 here")


@both
def test_the_bait_is_within_reach(fetching: Callable[[Settings], Fetch], private: Bait) -> None:
    """Of all fetches here, this one is let through."""
    url = f"http://127.0.0.1:{private.port}/"
    with fetching(seeded(url, timeout=0.3)) as fetch:
        result = fetch(url)
    assert isinstance(result, Failure)
    assert result.reason is Reason.TIMEOUT
    assert private.touched


@both
def test_a_mapped_address_is_the_address_it_maps(
    fetching: Callable[[Settings], Fetch], site: Site
) -> None:
    site.page("/", "here")
    url = canonicalize(f"http://[::ffff:127.0.0.1]:{site.port}/")
    with fetching(seeded("http://a.example/")) as fetch:
        assert is_refused(fetch(url), "::ffff:127.0.0.1")
    assert site.connections == 0
    allowed = seeded("http://a.example/", allow_private=("127.0.0.0/8",))
    with fetching(allowed) as fetch:
        assert isinstance(fetch(url), Response)


# Whole crawls


def private_urls(port: int, port6: int) -> list[str]:
    hosts = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.0.0.1."]
    return [f"http://{host}:{port}/{n}" for n, host in enumerate(hosts)] + [
        f"http://[::1]:{port6}/a",
        f"http://localhost:{port6}/b",
    ]


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_no_crawl_connects_to_a_private_address(
    engine: str, site: Site, crawl: Callable[..., Crawled], private: Bait, private6: Bait
) -> None:
    urls = private_urls(private.port, private6.port)
    redirects = [f"/redirect/{n}" for n in range(len(urls))]
    site.page("/", links(*urls, *redirects, "/ok"))
    site.page("/ok", "ok")
    for path, url in zip(redirects, urls, strict=True):
        site.route(path, redirection(f"{url}/redirected"))
    crawled = crawl(site.url(), engine=engine, scope="any", timeout=5.0)
    ends = crawled.ends(site)
    assert {ends[path] for path in ["/", "/ok", *redirects]} == {"done"}
    elsewhere = {u: s for u, s in crawled.states.items() if not u.startswith(site.url(""))}
    assert elsewhere.keys() == {canonicalize(u + end) for u in urls for end in ("", "/redirected")}
    assert set(elsewhere.values()) == {"failed:private-address"}


def test_no_robots_txt_leads_to_a_private_address(
    site: Site, crawl: Callable[..., Crawled], private: Bait
) -> None:
    site.redirect("/robots.txt", f"http://127.0.0.1:{private.port}/robots.txt")
    site.page("/", "home")
    assert crawl(site.url()).ends(site) == {"/": "failed:private-address"}
    assert site.paths == ["/robots.txt"]


def test_a_crawl_notices_that_a_name_turned_private(
    public: Site, names: Names, crawl: Callable[..., Crawled]
) -> None:
    async def turn(request: Recorded, _: asyncio.StreamWriter) -> Reply:
        names.addresses = ("127.0.0.1",)
        return Reply(200, links("/next"), close=True)

    names.addresses = (PUBLIC,)
    public.route("/", turn)
    with bait("127.0.0.1", public.port):
        crawled = crawl(public.url("/", host=NAME), timeout=5.0)
    assert sorted(crawled.states.values()) == ["done", "failed:private-address"]
