"""Who we say we are: ourselves, unless told otherwise; and then the same to a host all the time."""

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from asyncmultispider.errors import UsageError
from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.fetch.headers import RequestFields
from asyncmultispider.identity import identity_options
from asyncmultispider.model import Extra, Failure, Headers, Reason, Request, Result
from asyncmultispider.settings import DEFAULT_USER_AGENT, Settings
from asyncmultispider.urls import host_of
from command import run
from crawling import Crawled, links
from proxyserver import ProxyServer
from webserver import Site
from webserver.messages import Recorded

CrawlSite = Callable[..., Crawled]

AGENTS = tuple(f"ourbot/{n} (+https://bot.example/)" for n in range(4))
POOL = tuple((("Accept-Language", f"l{n}"), ("X-Set", str(n))) for n in range(3))
USUAL = {"host", "user-agent", "accept", "accept-encoding"}


def fetch(settings: Settings, *asked: tuple[str, Headers]) -> list[Result]:
    """Fetch these, with these fields of their own, one after the other with one handle."""
    with closing(CurlFetcher(settings)) as fetcher:
        return [
            fetcher.fetch(
                Request(id=0, url=url, host=host_of(url), extra=Extra(headers=own).as_text())
            )
            for url, own in asked
        ]


def by_host(requests: Sequence[Recorded], field: str) -> dict[str, set[str | None]]:
    """What of a field each host got."""
    found: dict[str, set[str | None]] = defaultdict(set)
    for request in requests:
        found[request.headers["host"]].add(request.headers.get(field))
    return found


# What is sent


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_by_default_we_say_who_we_are_and_nothing_more(
    site: Site, crawl: CrawlSite, engine: str
) -> None:
    site.page("/", links("/x"))
    site.page("/x", "x", headers={"Set-Cookie": "a=b"})
    crawl(site.url(), engine=engine, processes=1)
    assert {request.headers["user-agent"] for request in site.requests} == {DEFAULT_USER_AGENT}
    assert {frozenset(request.headers) for request in site.requests} == {frozenset(USUAL)}


def test_hosts_are_spread_over_the_pools_anew_in_each_session() -> None:
    chosen = []
    for session in (1, 1, 2):
        settings = Settings(
            seeds=("http://x/",), user_agents=AGENTS, header_pool=POOL, session=session
        )
        fields = RequestFields(settings)
        chosen.append([tuple(fields.of(f"http://host{n}.example/")) for n in range(600)])
    assert chosen[0] == chosen[1] != chosen[2]
    counts = Counter(chosen[0])
    assert len(counts) == len(AGENTS) * len(POOL)
    assert min(counts.values()) > 20


def test_https_and_http_of_a_host_get_the_same() -> None:
    settings = Settings(seeds=("http://x/",), user_agents=AGENTS, header_pool=POOL, session=7)
    fields = RequestFields(settings)
    for n in range(50):
        assert fields.of(f"http://h{n}.example/") == fields.of(f"https://h{n}.example/x?y")


def test_the_largest_session_is_one() -> None:
    settings = Settings(seeds=("http://x/",), user_agents=AGENTS, session=2**64 - 1)
    assert RequestFields(settings).of("http://a.example/")


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_a_host_gets_one_of_each_for_the_whole_run(
    site: Site, crawl: CrawlSite, engine: str
) -> None:
    site.page("/", links(*(f"/{n}" for n in range(3)), "/moved"))
    site.redirect("/moved", "/gone")
    site.page("/*", "x")
    site.robots("User-agent: otherbot\nDisallow: /\n")
    with ProxyServer() as proxy:
        crawled = crawl(
            *(site.url("/", host=f"host{n}.example") for n in range(16)),
            proxies=(proxy.url(),),
            user_agents=AGENTS,
            header_pool=POOL,
            session=3,
            engine=engine,
            processes=2,
        )
    assert set(crawled.states.values()) == {"done"}
    assert "/robots.txt" in site.paths
    for field, pool in (("user-agent", AGENTS), ("x-set", ("0", "1", "2"))):
        found = by_host(site.requests, field)
        assert len(found) == 16
        assert all(len(values) == 1 for values in found.values()), "robots.txt too"
        values = set.union(*found.values())
        assert len(values) > 1
        assert values <= set(pool)


def test_robots_txt_is_obeyed_as_the_one_we_are(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links("/a", "/b"))
    site.page("/*", "x")
    site.robots("User-agent: ourbot\nDisallow: /a\nUser-agent: honest\nDisallow: /b\n")
    crawled = crawl(site.url(), user_agents=AGENTS, user_agent="honest/1.0")
    assert crawled.ends(site) == {"/": "done", "/a": "done", "/b": "skipped:robots"}


def test_own_fields_win_over_the_pools_and_a_requests_own_over_all(site: Site, other: Site) -> None:
    for each in (site, other):
        each.page("/*", "x")
    settings = Settings(
        seeds=(site.url(),),
        user_agents=("agent/1",),
        header_pool=((("X-A", "pool"), ("X-B", "pool"), ("User-Agent", "pool/1")),),
        headers=(("x-b", "own"), ("X-C", "own")),
        allow_private=("all",),
    )
    mine = (("X-C", "this"), ("user-agent", "this/1"), ("X-D", ""), ("accept", "text/*"))
    plain: Headers = ()
    asked = [
        (each.url(path), own)
        for each in (site, other)
        for path, own in (("/1", plain), ("/2", mine), ("/3", plain))
    ]
    fetch(settings, *asked)
    names = ("x-a", "x-b", "x-c", "x-d", "user-agent")
    found = [
        [tuple(request.headers.get(name) for name in names) for request in each.requests]
        for each in (site, other)
    ]
    ours = ("pool", "own", "own", None, "pool/1")
    theirs = ("pool", "pool", None, None, "pool/1")
    assert found == [
        [ours, ("pool", "own", "this", "", "this/1"), ours],
        [theirs, ("pool", "pool", "this", "", "this/1"), theirs],
    ]
    assert site.requests[1].headers["accept"] == "text/*"


def test_a_requests_own_fields_without_any_option(site: Site) -> None:
    site.page("/*", "x")
    fetch(
        Settings(seeds=(site.url(),)),
        (site.url("/1"), ()),
        (site.url("/2"), (("X-One", "1"),)),
        (site.url("/3"), ()),
    )
    assert [request.headers.get("x-one") for request in site.requests] == [None, "1", None]
    assert frozenset(site.requests[2].headers) == USUAL


@pytest.mark.parametrize(
    "field",
    [
        ("X-One", "a\r\nX-Evil: 1"),
        ("X-One", "a\nb"),
        ("X-One", "caf\u00e9"),
        ("X-One", "\0"),
        ("X One", "a"),
        ("X-One:", "a"),
        ("", "a"),
        ("X\u00e9", "a"),
    ],
)
def test_a_field_that_can_not_be_sent_fails_its_request(site: Site, field: tuple[str, str]) -> None:
    site.page("/*", "x")
    failed, good = fetch(
        Settings(seeds=(site.url(),)), (site.url("/1"), (field,)), (site.url("/2"), ())
    )
    assert isinstance(failed, Failure)
    assert failed.reason is Reason.HANDLER
    assert "header field" in failed.detail
    assert not isinstance(good, Failure)
    assert site.paths == ["/2"]


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_a_login_goes_to_its_origin_whatever_else_is_on(
    site: Site, other: Site, crawl: CrawlSite, engine: str
) -> None:
    for each in (site, other):
        each.page("/", links("/x", other.url("/y"), site.url("/z")), headers={"Set-Cookie": "a=b"})
        each.page("/*", "x")
    seed = site.url().replace("://", "://me:s3cret@")
    crawled = crawl(
        seed,
        scope="any",
        allow_private=("all",),
        user_agents=AGENTS,
        header_pool=((("Authorization", "Basic cG9vbA=="), ("X-Set", "1")),),
        cookies=True,
        engine=engine,
        processes=2,
    )
    assert set(crawled.states.values()) == {"done"}
    basic = f"Basic {b64encode(b'me:s3cret').decode()}"
    assert by_host(site.requests, "authorization") == {host_of(site.url()): {basic}}
    assert by_host(other.requests, "authorization") == {host_of(other.url()): {"Basic cG9vbA=="}}
    assert {request.headers["x-set"] for request in site.requests} == {"1"}
    assert {request.headers.get("cookie") for request in site.requests[2:]} <= {"a=b"}


# Files and options


def written(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_what_files_say(tmp_path: Path) -> None:
    agents = written(tmp_path, "\ufeff# ours\nbot/1\r\n\n  bot/2 (x # y)  \n")
    options = identity_options(agents, None, ("http://a:1",), None)
    assert options["user_agents"] == ("bot/1", "bot/2 (x # y)")
    assert options["header_pool"] == ()
    assert options["proxies"] == ("http://a:1",)
    pool = written(tmp_path, '{"A": "1", "B": ""}\n# none\n{}\n')
    options = identity_options(None, Path(pool), (), None)
    assert options["header_pool"] == ((("A", "1"), ("B", "")), ())
    proxies = written(tmp_path, "http://b:2\nsocks5h://u:p%23w@c:3\nhttp://a:1\nhttp://b:2\n")
    options = identity_options(None, None, ("http://a:1",), proxies)
    assert options["proxies"] == ("http://a:1", "http://b:2", "socks5h://u:p%23w@c:3")


def test_lists_in_the_place_of_files() -> None:
    options = identity_options(["a/1", "b/1"], [{"A": "1"}, {}], [], ["http://a:1"])
    assert options["user_agents"] == ("a/1", "b/1")
    assert options["header_pool"] == ((("A", "1"),), ())
    assert options["proxies"] == ("http://a:1",)
    Settings(seeds=("http://x/",), **options)
    with pytest.raises(UsageError, match="--header-pool needs a list of dicts"):
        identity_options(None, ["X-A: 1"], (), None)
    with pytest.raises(UsageError, match="--user-agents: there is nothing in the list"):
        identity_options([], None, (), None)


def test_each_run_is_a_session_of_its_own() -> None:
    sessions = {identity_options(None, None, (), None)["session"] for _ in range(20)}
    assert len(sessions) == 20


BAD = {
    "user_agents": [
        ("bot/1\nb\u00f6t/2\n", "line 2: --user-agents"),
        ("bot/1\n\nbot\x07/2\n", "line 3: --user-agents"),
        ("# nothing\n\n", "there is nothing in"),
        (b"bot/1\n\xff\n", "not UTF-8"),
    ],
    "header_pool": [
        ('{"A": "1"}\n{"A": s3cret}\n', "line 2: --header-pool needs a JSON object"),
        ('{"A": 1}', "line 1: --header-pool needs a JSON object"),
        ('["s3cret"]', "line 1: --header-pool needs a JSON object"),
        ('{"A": "s3cret\\n"}', "line 1: --header-pool needs 'Name: value'"),
        ('{"A s3cret": "1"}', "line 1: --header-pool needs 'Name: value'"),
        ("", "there is nothing in"),
    ],
    "proxies": [
        ("http://a:1\nftp://me:s3cret@b:2\n", "line 2: --proxy needs a URL"),
        ("me:s3cret@b:2", "line 1: --proxy needs a URL"),
        ("http://me:s3cret@b:99999", "line 1: --proxy needs a URL"),
        ("\n\n", "there is nothing in"),
    ],
}


@pytest.mark.parametrize(
    ("option", "text", "told"), [(name, *case) for name, cases in BAD.items() for case in cases]
)
def test_mistakes_in_files_name_file_and_line_and_no_secret(
    tmp_path: Path, option: str, text: str | bytes, told: str
) -> None:
    file = written(tmp_path, text)
    given = [file if name == option else None for name in BAD]
    with pytest.raises(UsageError) as caught:
        identity_options(given[0], given[1], (), given[2])
    message = str(caught.value)
    assert told in message
    assert "list.txt" in message
    assert "s3cret" not in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_files_that_can_not_be_read(tmp_path: Path, name: str) -> None:
    for given in ([name], [None, name], [None, None, name]):
        paths = [str(tmp_path / name) if name else None for name in given]
        agents, pool, proxies = [*paths, None, None][:3]
        with pytest.raises(UsageError, match=r"--(user-agents|header-pool|proxies) .*: ."):
            identity_options(agents, pool, (), proxies)


def test_the_options_of_the_command(site: Site, tmp_path: Path) -> None:
    site.page("/", "x")
    (tmp_path / "agents").write_text("bot/1\n")
    (tmp_path / "pool").write_text('{"X-Set": "from the pool"}\n')
    with ProxyServer(login=b"me:s3cret") as proxy:
        (tmp_path / "proxies").write_text(f"{proxy.url(login='me:s3cret@')}\n")
        ended = run(
            *("crawl", site.url("/", host="some.example"), "-d", tmp_path / "dir", "-v"),
            *("--user-agents", tmp_path / "agents", "--header-pool", tmp_path / "pool"),
            *("--proxies", tmp_path / "proxies", "--cookies", "--delay-factor", "0"),
        )
    assert ended.code == 0, ended
    assert {request.headers["user-agent"] for request in site.requests} == {"bot/1"}
    assert {request.headers["x-set"] for request in site.requests} == {"from the pool"}
    assert {f"some.example:{site.port}"} == set(proxy.asked)
    for file in (tmp_path / "dir").iterdir():
        assert b"s3cret" not in file.read_bytes(), file
