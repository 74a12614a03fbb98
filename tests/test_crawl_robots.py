"""robots.txt on a live site (RFC 9309), and what pages and headers ask of crawlers."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from crawling import Crawled, links
from webserver import Recorded, Reply, Site, no_answer, redirection, reset

CrawlSite = Callable[..., Crawled]

NOTHING = "User-agent: *\nDisallow: /"
CLOSE = 0.9
"""A gap that the server sees may be a little shorter than the one kept by us."""


def starts(site: Site) -> list[float]:
    return [request.at for request in site.requests]


def test_it_is_read_once_and_before_all_else(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links(*(f"/{n}" for n in range(20))))
    site.page("/*", links("/", "/robots.txt#here"))
    crawl(site.url(), exclude=("/robots.txt",))
    assert site.paths[:2] == ["/robots.txt", "/"]
    assert site.hits("/robots.txt") == 1


def test_what_it_forbids_is_never_asked_for(site: Site, crawl: CrawlSite) -> None:
    site.robots("User-agent: *\nDisallow: /private/\nDisallow: /*.pdf$\nDisallow: /find?")
    site.page("/", links("/private/a", "/a.pdf", "/a.pdf?x", "/find?q=1", "/find", "/private"))
    for path in ("/a.pdf", "/find", "/private"):
        site.page(path, "open")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {
        "/": "done",
        "/private/a": "skipped:robots",
        "/a.pdf": "skipped:robots",
        "/a.pdf?x": "done",
        "/find?q=1": "skipped:robots",
        "/find": "done",
        "/private": "done",
    }
    assert sorted(site.paths) == sorted(
        ["/robots.txt", "/", "/a.pdf?x", "/find", "/private"],
    )


def test_a_seed_is_not_above_the_rules(site: Site, crawl: CrawlSite) -> None:
    site.robots(NOTHING)
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "skipped:robots"}
    assert crawled.summary.pages == 0
    assert site.paths == ["/robots.txt"]


def test_our_own_group_is_the_one_that_counts(site: Site, crawl: CrawlSite) -> None:
    site.robots(
        f"{NOTHING}\n\nUser-agent: otherbot\nUser-agent: AsyncMultiSpider\nDisallow: /ours\n"
    )
    site.page("/", links("/ours", "/open"))
    site.page("/open", "open")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/ours": "skipped:robots", "/open": "done"}


def test_the_user_agent_we_send_is_the_one_we_obey_as(site: Site, crawl: CrawlSite) -> None:
    site.robots("User-agent: asyncmultispider\nDisallow: /\n\nUser-agent: examplebot\nAllow: /")
    site.page("/", "open")
    agent = "ExampleBot/1.0 (+https://bot.example/)"
    assert crawl(site.url(), user_agent=agent).ends(site) == {"/": "done"}
    assert {request.headers["user-agent"] for request in site.requests} == {agent}


def test_the_longest_match_wins_and_allow_wins_a_tie(site: Site, crawl: CrawlSite) -> None:
    site.robots(
        "User-agent: *\nAllow: /\nDisallow: /shop\nAllow: /shop/open\n"
        "Disallow: /shop/open/not\nDisallow: /tie\nAllow: /tie\n"
    )
    site.page("/", links("/shop", "/shop/open", "/shop/open/not", "/tie", "/b%C3%BCcher"))
    site.page("/*", "open")
    assert crawl(site.url()).ends(site) == {
        "/": "done",
        "/shop": "skipped:robots",
        "/shop/open": "done",
        "/shop/open/not": "skipped:robots",
        "/tie": "done",
        "/b%C3%BCcher": "done",
    }


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_refusal_allows_all(site: Site, crawl: CrawlSite, status: int) -> None:
    site.page("/robots.txt", NOTHING, status=status)
    site.page("/", "open")
    assert crawl(site.url()).ends(site) == {"/": "done"}


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_error_allows_nothing(site: Site, crawl: CrawlSite, status: int) -> None:
    site.page("/robots.txt", "User-agent: *\nAllow: /", status=status)
    site.page("/", "open")
    crawled = crawl(site.url("/"), site.url("/more"))
    assert set(crawled.ends(site).values()) == {"suspended:robots-unavailable"}
    assert crawled.summary.suspended == 2
    assert site.paths == ["/robots.txt"]


def test_a_server_error_that_passes_costs_nothing(site: Site, crawl: CrawlSite) -> None:
    site.sequence("/robots.txt", Reply(500), Reply(200, "User-agent: *\nDisallow: /no"))
    site.page("/", links("/no"))
    crawled = crawl(site.url(), retries=1)
    assert crawled.ends(site) == {"/": "done", "/no": "skipped:robots"}
    assert site.paths == ["/robots.txt", "/robots.txt", "/"]


@pytest.mark.parametrize("trouble", [no_answer(), reset()], ids=["no answer", "reset"])
def test_no_answer_allows_nothing(site: Site, crawl: CrawlSite, trouble: Reply) -> None:
    site.route("/robots.txt", trouble)
    crawled = crawl(site.url("/"), site.url("/more"))
    assert set(crawled.ends(site).values()) == {"failed:reset"}
    assert set(site.paths) == {"/robots.txt"}


def test_too_slow_an_answer_allows_nothing(site: Site, crawl: CrawlSite) -> None:
    site.hold("/robots.txt")
    assert crawl(site.url(), timeout=0.3).ends(site) == {"/": "failed:timeout"}
    assert site.paths == ["/robots.txt"]


def test_five_redirects_are_followed(site: Site, crawl: CrawlSite) -> None:
    site.redirect("/robots.txt", "/r1")
    for n in range(1, 5):
        site.redirect(f"/r{n}", f"/r{n + 1}", 301)
    site.page("/r5", "User-agent: *\nDisallow: /no", content_type="text/plain")
    site.page("/", links("/no"))
    assert crawl(site.url()).ends(site) == {"/": "done", "/no": "skipped:robots"}
    assert site.paths == ["/robots.txt", "/r1", "/r2", "/r3", "/r4", "/r5", "/"]


def test_a_sixth_redirect_allows_all(site: Site, crawl: CrawlSite) -> None:
    site.redirect("/robots.txt", "/chain/1")
    for n in range(1, 6):
        site.redirect(f"/chain/{n}", f"/chain/{n + 1}")
    site.page("/chain/6", NOTHING)
    site.page("/", "open")
    assert crawl(site.url()).ends(site) == {"/": "done"}
    assert site.paths == ["/robots.txt", *(f"/chain/{n}" for n in range(1, 6)), "/"]


def test_rules_from_another_host_are_the_rules_of_this_one(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    site.redirect("/robots.txt", other.url("/robots.txt"))
    other.robots("User-agent: *\nDisallow: /no")
    site.page("/", links("/no"))
    crawled = crawl(site.url(), allow_private=("all",))
    assert crawled.ends(site) == {"/": "done", "/no": "skipped:robots"}
    assert other.paths == ["/robots.txt"]


def test_its_redirects_do_not_lead_into_the_private_network(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    site.redirect("/robots.txt", other.url("/secret"))
    site.page("/", "open")
    crawl(site.url())
    assert other.connections == 0


def test_only_the_first_512_kib_count(site: Site, crawl: CrawlSite) -> None:
    filler = "# nothing to see here\n" * 28_000
    assert len(filler) > 600_000
    site.robots(f"User-agent: *\nDisallow: /early\n{filler}Disallow: /late\n")
    site.page("/", links("/early", "/late"))
    site.page("/late", "open")
    assert crawl(site.url()).ends(site) == {
        "/": "done",
        "/early": "skipped:robots",
        "/late": "done",
    }


def test_a_long_one_is_obeyed_whatever_the_body_cap(site: Site, crawl: CrawlSite) -> None:
    site.robots(f"User-agent: *\nDisallow: /no\n{'# filler' * 1000}\n")
    site.page("/", links("/no"))
    crawled = crawl(site.url(), max_body=1000)
    assert crawled.ends(site) == {"/": "done", "/no": "skipped:robots"}


def test_crawl_delay_spaces_the_starts(site: Site, crawl: CrawlSite) -> None:
    site.robots("User-agent: *\nCrawl-delay: 0.4")
    site.page("/", links("/a", "/b"))
    site.page("/*", "x")
    crawl(site.url())
    assert all(later - earlier >= 0.4 * CLOSE for earlier, later in pairwise(starts(site)))
    assert len(starts(site)) == 4


def test_ignored_it_is_not_even_asked_for(site: Site, crawl: CrawlSite) -> None:
    site.robots(NOTHING)
    site.page(
        "/",
        '<meta name="robots" content="noindex, nofollow"><a href="/a" rel="nofollow">a</a>',
        headers={"X-Robots-Tag": "none"},
    )
    site.page("/a", "a")
    assert crawl(site.url(), ignore_robots=True).ends(site) == {"/": "done", "/a": "done"}
    assert site.paths == ["/", "/a"]


@pytest.mark.parametrize(
    ("content", "indexed", "followed"),
    [
        ("noindex", False, True),
        ("nofollow", True, False),
        ("NoIndex, NoFollow", False, False),
        ("none", False, False),
        ("index, follow", True, True),
        ("noarchive, max-snippet:20", True, True),
    ],
)
@pytest.mark.parametrize("where", ["meta", "own meta", "header", "own header"])
def test_what_a_page_asks_of_crawlers(
    site: Site, crawl: CrawlSite, where: str, content: str, indexed: bool, followed: bool
) -> None:
    meta, headers = "", {}
    if where.endswith("meta"):
        name = "asyncmultispider" if where.startswith("own") else "ROBOTS"
        meta = f'<meta name="{name}" content="{content}">'
    else:
        headers = {"X-Robots-Tag": ("AsyncMultiSpider: " * where.startswith("own")) + content}
    site.page("/", meta + links("/next"), headers=headers)
    site.page("/next", "next")
    assert crawl(site.url()).ends(site) == {
        "/": "done" if indexed else "skipped:noindex",
        **({"/next": "done"} if followed else {}),
    }


def test_what_is_asked_of_others_is_not_asked_of_us(site: Site, crawl: CrawlSite) -> None:
    tags = [("X-Robots-Tag", "otherbot: noindex, nofollow"), ("X-Robots-Tag", "noarchive")]
    meta = '<meta name="otherbot" content="none">'
    site.page("/", meta + links("/next"), headers=tags)
    site.page("/next", "next")
    assert crawl(site.url()).ends(site) == {"/": "done", "/next": "done"}


def test_an_image_may_be_noindex_too(site: Site, crawl: CrawlSite) -> None:
    site.page("/", "x", content_type="image/png", headers={"X-Robots-Tag": "noindex"})
    assert crawl(site.url()).ends(site) == {"/": "skipped:noindex"}


def test_nofollow_links_are_followed_only_where_met_without(site: Site, crawl: CrawlSite) -> None:
    site.page(
        "/",
        '<a rel="external NOFOLLOW" href="/never">1</a><a rel="nofollow" href="/elsewhere">2</a>'
        '<a rel="nofollow" href="/both">3</a><a href="/both">4</a><a href="/other">5</a>',
    )
    site.page("/other", links("/elsewhere"))
    site.page("/*", "x")
    assert crawl(site.url()).ends(site) == {
        "/": "done",
        "/both": "done",
        "/other": "done",
        "/elsewhere": "done",
    }


def test_each_host_has_rules_of_its_own(site: Site, other: Site, crawl: CrawlSite) -> None:
    site.robots("User-agent: *\nDisallow: /x")
    other.robots("User-agent: *\nDisallow: /y")
    for each in (site, other):
        each.page("/", links("/x", "/y"))
        each.page("/*", "open")
    crawled = crawl(site.url(), other.url())
    assert crawled.ends(site) == {"/": "done", "/x": "skipped:robots", "/y": "done"}
    assert crawled.ends(other) == {"/": "done", "/x": "done", "/y": "skipped:robots"}


def test_a_site_that_holds_its_rules_back_holds_nobody_else_up(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    held = site.hold("/robots.txt", redirection("/nowhere"))

    async def page(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        held.release()
        return Reply(200, "page")

    site.page("/", "open")
    other.route("/", page)
    crawled = crawl(site.url(), other.url())
    assert set(crawled.states.values()) == {"done"}
