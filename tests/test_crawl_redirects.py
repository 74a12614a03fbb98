"""Redirects: every hop is a URL of its own, and passes scope, robots.txt, dedup and the guard."""

from collections.abc import Callable

import pytest

from crawling import Crawled, links
from webserver import Reply, Site, no_location, redirect_chain, redirect_loop, redirection

CrawlSite = Callable[..., Crawled]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_stored_and_its_target_is_fetched(
    site: Site, crawl: CrawlSite, status: int
) -> None:
    site.page("/", links("/old"))
    site.redirect("/old", "/new", status)
    site.page("/new", "<title>New</title>")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/old": "done", "/new": "done"}
    old, new = crawled.pages[site.url("/old")], crawled.pages[site.url("/new")]
    assert (old["status"], old["depth"], old["referrer"]) == (status, 1, site.url("/"))
    assert (new["status"], new["depth"], new["referrer"]) == (200, 1, site.url("/old"))
    assert crawled.headers(site.url("/old"))["location"] == "/new"
    assert [request.method for request in site.requests] == ["GET"] * 4
    assert site.paths == ["/robots.txt", "/", "/old", "/new"]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("next", "/dir/sub/next"),
        ("../up", "/dir/up"),
        ("./././x/../y?a=b&c", "/dir/sub/y?a=b&c"),
        ("?page=2", "/dir/sub/start?page=2"),
        ("/path#fragment", "/path"),
        ("//127.0.0.1:{port}/protocol/relative", "/protocol/relative"),
        ("HTTP://127.0.0.1:{port}", "/"),
        ("http:/odd", "/odd"),
        ("/caf\u00e9?q=\u00fc", "/caf%C3%A9?q=%C3%BC"),
        ("/a b", "/a%20b"),
        ("\\back\\slash", "/back/slash"),
    ],
)
def test_where_a_location_leads(site: Site, crawl: CrawlSite, location: str, target: str) -> None:
    site.redirect("/dir/sub/start", location.format(port=site.port))
    site.page(target, "here")
    crawled = crawl(site.url("/dir/sub/start"))
    assert crawled.ends(site) == {"/dir/sub/start": "done", target: "done"}
    assert crawled.body(site.url(target)) == b"here"
    assert site.paths == ["/robots.txt", "/dir/sub/start", target]


def test_a_loop_of_redirects_ends(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links("/loop1", "/self"))
    redirect_loop(site)
    site.redirect("/self", "/self")
    crawled = crawl(site.url())
    assert set(crawled.ends(site)) == {"/", "/loop1", "/loop2", "/self"}
    assert all(site.hits(path) == 1 for path in crawled.ends(site))


def test_an_endless_chain_is_cut_after_ten_hops(site: Site, crawl: CrawlSite) -> None:
    redirect_chain(site)
    crawled = crawl(site.url("/chain/0"))
    assert crawled.ends(site) == {
        **{f"/chain/{n}": "done" for n in range(10)},
        "/chain/10": "failed:too-many-redirects",
    }
    assert site.paths == ["/robots.txt", *(f"/chain/{n}" for n in range(11))]


def test_ten_hops_are_followed_and_a_page_ends_the_count(site: Site, crawl: CrawlSite) -> None:
    for n in range(10):
        site.redirect(f"/a{n}", f"/a{n + 1}")
        site.redirect(f"/b{n}", f"/b{n + 1}")
    site.page("/a10", links("/b0"))
    site.page("/b10", "the end")
    assert set(crawl(site.url("/a0")).ends(site).values()) == {"done"}
    assert site.hits("/b10") == 1


@pytest.mark.parametrize(
    "location", ["http://[::1", "http://", "ftp://127.0.0.1/", "mailto:a@b.example", "data:,x", ""]
)
def test_a_location_that_is_no_web_address(site: Site, crawl: CrawlSite, location: str) -> None:
    site.redirect("/", location)
    assert crawl(site.url()).ends(site) == {"/": "failed:bad-redirect"}


def test_a_redirect_without_location(site: Site, crawl: CrawlSite) -> None:
    site.route("/", no_location())
    assert crawl(site.url()).ends(site) == {"/": "failed:bad-redirect"}


def test_a_target_out_of_scope_is_recorded_and_never_asked_for(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    site.page("/", links("/away"))
    site.redirect("/away", other.url("/"))
    crawled = crawl(site.url(), allow_private=("all",))
    assert crawled.ends(site) == {"/": "done", "/away": "done"}
    assert crawled.ends(other) == {"/": "skipped:scope"}
    assert other.connections == 0


@pytest.mark.parametrize("allowed", ["all", "127.0.0.0/8"])
def test_a_target_in_scope_is_fetched_after_its_own_robots_txt(
    site: Site, other: Site, crawl: CrawlSite, allowed: str
) -> None:
    site.redirect("/", other.url("/there"))
    other.page("/there", links("/more", "/secret"))
    other.page("/more", "more")
    other.robots("User-agent: *\nDisallow: /secret")
    crawled = crawl(site.url(), scope="any", allow_private=(allowed,))
    assert crawled.ends(other) == {
        "/there": "done",
        "/more": "done",
        "/secret": "skipped:robots",
    }
    assert other.paths == ["/robots.txt", "/there", "/more"]


def test_no_redirect_leads_into_the_private_network(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    site.page("/", links("/away", other.url("/linked")))
    site.redirect("/away", other.url("/redirected"))
    crawled = crawl(site.url(), scope="any")
    assert crawled.ends(other) == {
        "/linked": "failed:private-address",
        "/redirected": "failed:private-address",
    }
    assert other.connections == 0


def test_a_target_passes_robots_txt_and_the_globs(site: Site, crawl: CrawlSite) -> None:
    site.robots("User-agent: *\nDisallow: /private")
    site.page("/", links("/one", "/two"))
    site.redirect("/one", "/private/page")
    site.redirect("/two", "/unwanted")
    crawled = crawl(site.url(), exclude=("/unwanted",))
    assert crawled.ends(site) == {
        "/": "done",
        "/one": "done",
        "/two": "done",
        "/private/page": "skipped:robots",
        "/unwanted": "skipped:excluded",
    }
    assert sorted(site.paths) == ["/", "/one", "/robots.txt", "/two"]


def test_a_target_that_is_linked_too_is_fetched_once(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links("/a", "/b", "/target"))
    site.redirect("/a", "/target")
    site.redirect("/b", "/target#part")
    site.page("/target", "here")
    assert set(crawl(site.url()).ends(site).values()) == {"done"}
    assert site.hits("/target") == 1


def test_a_redirect_costs_no_depth(site: Site, crawl: CrawlSite) -> None:
    site.redirect("/", "/home")
    site.page("/home", links("/below"))
    site.page("/below", links("/too-deep"))
    crawled = crawl(site.url(), depth=1)
    assert crawled.ends(site) == {"/": "done", "/home": "done", "/below": "done"}


def test_the_body_of_a_redirect_is_stored_and_not_followed(site: Site, crawl: CrawlSite) -> None:
    body = "<title>Moved</title>" + links("/in-the-body")
    site.route("/", Reply(301, body, headers={"Location": "/new"}))
    site.page("/new", "new")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/new": "done"}
    assert crawled.body(site.url("/")) == body.encode()


def test_a_page_that_is_temporarily_elsewhere(site: Site, crawl: CrawlSite) -> None:
    """What a redirect leads to may be a redirect at its first visit only: no URL is asked twice."""
    site.sequence("/", redirection("/login"), Reply(200, "welcome"))
    site.redirect("/login", "/")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/login": "done"}
    assert site.hits("/") == 1
