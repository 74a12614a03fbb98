"""Cookies: none unless asked for; then as RFC 6265 has them, each host for itself."""

import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.engines.processes import Processes, Reported
from asyncmultispider.fetch.cookies import (
    MAX_BYTES,
    MAX_COOKIE,
    MAX_COOKIES,
    MAX_HOSTS,
    Jar,
    parse_cookie,
    parse_date,
)
from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.model import Extra, Request
from asyncmultispider.settings import Settings
from asyncmultispider.store.memory import MemoryStore
from asyncmultispider.urls import host_of
from crawling import Crawled, links
from webserver import Reply, Site
from webserver.messages import Recorded, redirection

CrawlSite = Callable[..., Crawled]

URL = "http://a.example/dir/page?q=/x/"
SECURE = "https://a.example/dir/page"
NOW = 1_700_000_000.0


def sent(*fields: str, to: str = URL, by: str = URL, after: float = 0.0) -> str | None:
    """The Cookie field of a request, after these were set."""
    jar = Jar()
    for field in fields:
        jar.store(by, (("set-cookie", field),), NOW)
    cookie = jar.cookie(to, NOW + after)
    return None if cookie is None else cookie.decode("latin-1")


# Set-Cookie, section 5.2


@pytest.mark.parametrize(
    ("field", "cookie"),
    [
        ("a=b", "a=b"),
        (" a = b ; Secure-not; HttpOnly", "a=b"),
        ("a=b=c;x", "a=b=c"),
        ('a="b c"', 'a="b c"'),
        ("a=", "a="),
        ("a=\xe9\xff", "a=\xe9\xff"),
        ("a=b\tc", "a=b\tc"),
        ("=b", None),
        ("a", None),
        ("", None),
        (";", None),
        ("; a=b", None),
        ("a=b\x00c", None),
        ("a=b\r\nX-Evil: 1", None),
        ("a=b; Path=/\x7f", None),
        ("a=b; Secure", None),
        ("a=b; Domain=other.example", "a=b"),
        ("a=b; Domain=example", "a=b"),
        ("a=b; Domain=", "a=b"),
        ("a=b; SameSite=Strict; Partitioned; Priority=High", "a=b"),
        ("a" * (MAX_COOKIE - 5) + "=", "a" * (MAX_COOKIE - 5) + "="),
        ("a" * (MAX_COOKIE - 3) + "=", None),
    ],
)
def test_what_is_sent_back(field: str, cookie: str | None) -> None:
    assert sent(field) == cookie


@pytest.mark.parametrize(
    ("attribute", "ends"),
    [
        ("", None),
        ("Max-Age=60", 60),
        ("max-age = 60 ", 60),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", 60),
        ("Max-Age=60; Max-Age=120", 120),
        ("Max-Age=60.5", None),
        ("Max-Age=+60", None),
        ("Max-Age=", None),
        ("Max-Age=-", None),
        ("Max-Age=" + "9" * 2000, None),
        ("Max-Age=0", 0),
        ("Max-Age=-5", 0),
        ("Max-Age=-" + "9" * 2000, 0),
        ("Expires=Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Expires=Tue, 14-Nov-23 22:14:20 UTC+5", 60),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Expires=whenever", None),
        ("Expires=Tue, 14 Nov 2023 22:14:20 GMT; Expires=whenever", 60),
    ],
)
def test_when_it_ends(attribute: str, ends: int | None) -> None:
    field = f"a=b; {attribute}"
    if ends is None:
        assert sent(field, after=1e9) == "a=b"
    elif ends == 0:
        assert sent(field) is None
    else:
        assert sent(field, after=ends - 0.5) == "a=b"
        assert sent(field, after=ends) is None


@pytest.mark.parametrize(
    ("text", "date"),
    [  # the last ones are from the test data of the RFC's own working group, and of browsers
        ("Sun, 06 Nov 1994 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", (1994, 11, 6, 8, 49, 37)),
        ("Sun Nov  6 08:49:37 1994", (1994, 11, 6, 8, 49, 37)),
        ("6 november 69 8:9:7", (2069, 11, 6, 8, 9, 7)),
        ("70 08:49:37 Nov 6th", None),
        ("Mon, 10-Dec-2007 17:02:24 GMT", (2007, 12, 10, 17, 2, 24)),
        ("Wed, 29 Feb 2012 23:59:59", (2012, 2, 29, 23, 59, 59)),
        ("Wed, 29 Feb 2011 23:59:59", None),
        ("10 Dec 2007 24:00:00", None),
        ("10 Dec 2007 23:00:60", None),
        ("10 Dec 1600 00:00:00", None),
        ("10 Dec 1601 00:00:00", (1601, 12, 10, 0, 0, 0)),
        ("10 Dec 12345 00:00:00", None),
        ("32 Dec 2007 00:00:00", None),
        ("10 Dez 2007 00:00:00", None),
        ("10 Dec 2007", None),
        ("", None),
    ],
)
def test_dates(text: str, date: tuple[int, int, int, int, int, int] | None) -> None:
    assert parse_date(text) == (date and datetime(*date, tzinfo=UTC).timestamp())


# The jar, sections 5.3 and 5.4


@pytest.mark.parametrize(
    ("path", "to", "goes"),
    [
        ("", "http://a.example/dir/other", True),
        ("", "http://a.example/dir", True),
        ("", "http://a.example/", False),
        ("", "http://a.example/dirt/", False),
        ("; Path=/", "http://a.example/", True),
        ("; Path=/dir/", "http://a.example/dir/x", True),
        ("; Path=/dir/", "http://a.example/dir", False),
        ("; Path=/dir", "http://a.example/dir?x", True),
        ("; Path=/x", "http://a.example/x/y", True),
        ("; Path=/x", "http://a.example/?/x/y", False),
        ("; Path=x", "http://a.example/dir/", True),
        ("; Path=x", "http://a.example/x", False),
        ("; Path=/x; Path=", "http://a.example/dir/", True),
        ("; Path=/", "https://a.example/", True),
        ("; Path=/", "http://a.example:81/", False),
        ("; Path=/; Domain=a.example", "http://b.a.example/", False),
        ("; Path=/; Domain=b.example", "http://b.example/", False),
    ],
)
def test_where_it_goes(path: str, to: str, goes: bool) -> None:
    assert sent(f"a=b{path}", to=to) == ("a=b" if goes else None)


def test_secure_ones_come_and_go_by_https() -> None:
    assert sent("a=b; Secure", by=SECURE, to=SECURE) == "a=b"
    assert sent("a=b; Secure", by=SECURE, to=URL) is None
    jar = Jar()
    jar.store(SECURE, (("set-cookie", "a=b; Secure"),), NOW)
    for field in ("a=evil", "a=evil; Secure", "a=; Max-Age=0"):
        jar.store(URL, (("set-cookie", field),), NOW)
    assert jar.cookie(SECURE, NOW) == b"a=b"
    jar.store(SECURE, (("set-cookie", "a=; Max-Age=0"),), NOW)
    assert jar.cookie(SECURE, NOW) is None


def test_longer_paths_first_then_those_that_were_set_first() -> None:
    fields = ["z=1; Path=/", "b=2; Path=/dir", "a=3; Path=/", "z=4; Path=/", "c=5; Path=/dir"]
    assert sent(*fields) == "b=2; c=5; z=4; a=3"


def test_the_same_name_with_another_path_is_another_cookie() -> None:
    assert sent("a=1; Path=/", "a=2; Path=/dir", "a=; Path=/; Max-Age=0") == "a=2"


def test_a_host_has_so_many_and_the_first_go() -> None:
    found = sent(*(f"n{n}={n}; Path=/" for n in range(MAX_COOKIES + 10)))
    assert found == "; ".join(f"n{n}={n}" for n in range(10, MAX_COOKIES + 10))


def test_those_that_have_ended_go_before_others() -> None:
    jar = Jar()
    for n in range(MAX_COOKIES):
        age = "; Max-Age=5" if n >= MAX_COOKIES // 2 else ""
        jar.store(URL, (("set-cookie", f"n{n}={n}{age}"),), NOW)
    jar.store(URL, (("set-cookie", "new=1"),), NOW + 10)
    kept = jar.cookie(URL, NOW + 10)
    assert kept is not None
    assert kept.count(b"=") == MAX_COOKIES // 2 + 1


def test_a_host_has_so_many_bytes() -> None:
    big = "x" * (MAX_COOKIE - 10)
    found = sent(*(f"n{n}={big}" for n in range(10)))
    assert found is not None
    assert MAX_BYTES - MAX_COOKIE < len(found) <= MAX_BYTES + 2 * 10
    assert found.startswith("n6=")


def test_so_many_hosts_are_remembered_and_those_asked_last() -> None:
    jar = Jar()
    for n in range(MAX_HOSTS):
        jar.store(f"http://h{n}.example/", (("set-cookie", "a=b"),), NOW)
    assert jar.cookie("http://h0.example/", NOW) == b"a=b"
    jar.store("http://new.example/", (("set-cookie", "a=b"),), NOW)
    jar.store("http://none.example/", (("set-cookie", "nothing"),), NOW)
    left = [n for n in range(MAX_HOSTS) if jar.cookie(f"http://h{n}.example/", NOW) is None]
    assert left == [1]


FIELDS = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=200),
    st.lists(
        st.sampled_from(
            [
                "a=b",
                "=",
                ";",
                "; Path=",
                "/",
                "Max-Age=",
                "Expires=",
                "9",
                "-",
                "Jan",
                ":",
                " ",
                "é",
            ]
        ),
        max_size=30,
    ).map("".join),
    st.text(max_size=50),
)


@given(st.lists(FIELDS, max_size=60), st.floats(0, 1e10))
def test_no_field_breaks_it(fields: list[str], now: float) -> None:
    jar = Jar()
    for field in fields:
        jar.store(URL, (("set-cookie", field), ("set-cookie", field[::-1])), now)
        cookie = parse_cookie(field, URL, now)
        assert cookie is None or (cookie.size <= MAX_COOKIE and cookie.path.startswith("/"))
    for url in (URL, SECURE, "http://a.example/"):
        value = jar.cookie(url, now)
        assert value is None or not any(byte < 32 and byte != 9 for byte in value)
        assert value is None or len(value) <= MAX_BYTES + 4 * MAX_COOKIES


@given(st.text(max_size=100))
def test_no_date_breaks_it(text: str) -> None:
    date = parse_date(text)
    assert date is None or -inf < date < inf


# Fetching


def fetch(settings: Settings, *requests: Request) -> None:
    with closing(CurlFetcher(settings)) as fetcher:
        for request in requests:
            fetcher.fetch(request)


def asking(url: str, extra: Extra | None = None) -> Request:
    return Request(id=0, url=url, host=host_of(url), extra=extra and extra.as_text())


def setting(value: str, status: int = 200) -> Reply:
    return Reply(status, "x", headers=[("Set-Cookie", f"{value}; Path=/"), ("Location", "/x")])


def test_none_is_sent_unless_asked_for(site: Site) -> None:
    site.route("/*", setting("a=b"))
    fetch(Settings(seeds=(site.url(),)), *[asking(site.url(path)) for path in ("/1", "/2")])
    assert [request.headers.get("cookie") for request in site.requests] == [None, None]


def test_answers_of_all_kinds_set_them(site: Site, other: Site) -> None:
    for n, status in enumerate((200, 302, 404, 503, 403)):
        site.route(f"/{n}", setting(f"c{n}={status}", status))
    undecodable = [("Set-Cookie", "c5=b"), ("Content-Encoding", "gzip")]
    site.route("/5", Reply(200, b"no gzip", headers=undecodable))
    site.route("/6", Reply(headers=[("Set-Cookie", "a=1; Path=/6"), ("Set-Cookie", "c6=\xe9")]))
    settings = Settings(seeds=(site.url(),), cookies=True, allow_private=("all",))
    urls = [*(site.url(f"/{n}") for n in range(7)), other.url("/x"), site.url("/7")]
    fetch(settings, *map(asking, urls))
    cookies = [request.headers.get("cookie") for request in site.requests]
    full = ["c0=200", "c1=302", "c2=404", "c3=503", "c4=403", "c5=b", "c6=\xc3\xa9"]
    assert cookies == [None, *("; ".join(full[: n + 1]) for n in range(7))]
    assert "cookie" not in other.requests[0].headers


def test_a_cookie_field_of_the_users_own_wins(site: Site, other: Site) -> None:
    for each in (site, other):
        each.route("/*", setting("a=jar"))
    settings = Settings(
        seeds=(site.url(),), cookies=True, headers=(("Cookie", "a=own"),), allow_private=("all",)
    )
    own = Extra(headers=(("cookie", "a=this"),))
    requests = [asking(site.url("/1")), asking(site.url("/2"), own), asking(site.url("/3"))]
    fetch(settings, *requests, *(asking(other.url(path)) for path in ("/1", "/2")))
    assert [request.headers.get("cookie") for request in site.requests] == [
        "a=own",
        "a=this",
        "a=own",
    ]
    assert [request.headers.get("cookie") for request in other.requests] == [None, "a=jar"]


# Crawls


class Members:
    """A site that sends whoever comes to a login page, and shows its pages to who was there."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.given: list[str] = []
        site.route("/login", self._log_in)
        site.route("/*", self._show)
        site.page("/robots.txt", "", status=404)

    async def _log_in(self, _: Recorded, __: object) -> Reply:
        self.given.append(f"sid={secrets.token_hex(8)}")
        return Reply(
            302,
            "",
            headers=[
                ("Location", "/home"),
                ("Set-Cookie", f"{self.given[-1]}; Path=/; HttpOnly; Max-Age=3600"),
            ],
        )

    async def _show(self, request: Recorded, _: object) -> Reply:
        if request.path == "/":
            return redirection("/login")
        if request.headers.get("cookie") not in self.given:
            return Reply(403, "who are you?")
        return Reply(200, links(*(f"/{n}" for n in range(12))))

    @property
    def sessions(self) -> set[str | None]:
        """Those that its pages were asked for with."""
        return {request.headers.get("cookie") for request in self.site.requests[3:]}


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_behind_a_login(site: Site, other: Site, crawl: CrawlSite, engine: str) -> None:
    members = [Members(site), Members(other)]
    seeds = [site.url(), other.url()]
    crawled = crawl(*seeds, engine=engine, processes=3, cookies=True)
    assert set(crawled.states.values()) == {"done"}
    assert len(crawled.pages) == 2 * 15
    for each in members:
        assert each.sessions == set(each.given)
        assert len(each.given) == 1, "one worker has the session"
    names = {path.name for path in crawled.directory.iterdir()} - {"pages.db"}
    for name in names:  # in pages.db are the header fields of the answers, as they came
        data = (crawled.directory / name).read_bytes()
        assert all(each.given[0].encode() not in data for each in members), name


def test_without_cookies_nobody_gets_in(site: Site, crawl: CrawlSite) -> None:
    members = Members(site)
    crawled = crawl(site.url())
    assert crawled.ends(site)["/home"] == "failed:http-403"
    assert members.sessions == {None}


class Place:
    """A worker process as `Processes` hands out to it."""

    gone = False

    def __init__(self, place: int, *, ready: bool = True) -> None:
        self.place = place
        self.ready = ready
        self.leases: dict[int, Request] = {}
        self.hosts: set[str] = set()

    def give(self, request: Request) -> None:
        self.hosts.add(request.host)

    def send(self) -> None:
        pass


def test_a_host_keeps_to_its_worker_and_its_successor() -> None:
    processes = Processes(lambda *_: None, 3, 8, Reported(MemoryStore()), keep_hosts=True)
    requests = [asking(f"http://h{n}.example/{m}") for n in range(60) for m in range(3)]

    def handed_out(workers: list[Place]) -> list[set[str]]:
        processes._workers = workers  # type: ignore[assignment]
        assert processes.room(0) == 8 * sum(worker.ready for worker in workers)
        processes.put(requests)
        return [worker.hosts for worker in workers]

    late = Place(2, ready=False)
    processes._workers = [Place(0), Place(1), late]  # type: ignore[list-item]
    assert processes.room(0) == 0, "until all are there: hosts would move then"
    first = handed_out([Place(0), Place(1), Place(2)])
    assert len(set.union(*first)) == sum(map(len, first)) == 60
    assert min(map(len, first)) >= 10
    zero, one, two = handed_out([Place(0), Place(1, ready=False), Place(2)])
    assert not one
    assert zero > first[0]
    assert two > first[2]
    assert handed_out([Place(2), Place(0), Place(1)]) == [first[2], first[0], first[1]]
