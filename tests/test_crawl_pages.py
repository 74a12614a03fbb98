"""What is followed, how far, and what is kept of it."""

import asyncio
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from crawling import Crawled, links
from webserver import Recorded, Reply, Site

CrawlSite = Callable[..., Crawled]


def everywhere(site: Site, body: str = "leaf") -> None:
    """Answer every path that has no page of its own."""
    site.page("/*", body)
    site.page("/robots.txt", "", status=404)


def done(*paths: str) -> dict[str, str]:
    return dict.fromkeys(paths, "done")


# Links


def test_what_counts_as_a_link(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page(
        "/",
        """<!doctype html>
        <head><link rel="next" href="/next"><link rel="prev" href="/prev">
        <link rel="stylesheet" href="/no.css"><link rel="icon" href="/no.ico">
        <link rel="preload" href="/no.js"><script src="/no2.js"></script></head>
        <a href="/a">a</a><a name="no">x</a><a href>self</a>
        <map><area href="/area"></map><iframe src="/iframe"></iframe>
        <img src="/no.png" srcset="/no-2x.png"><form action="/no-form"></form>
        <video src="/no.mp4"></video><object data="/no.swf"></object>
        <!-- <a href="/no-comment">x</a> --><script>'<a href="/no-script">'</script>
        <noscript><a href="/noscript">x</a></noscript>""",
    )
    ends = crawl(site.url()).ends(site)
    assert ends == done("/", "/a", "/area", "/iframe", "/next", "/prev", "/noscript")


def test_frames_are_followed(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/", '<frameset cols="50%,*"><frame src="/left"><frame src="right"></frameset>')
    assert crawl(site.url()).ends(site) == done("/", "/left", "/right")


def test_other_schemes_are_no_links(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    hrefs = ["javascript:void(0)", "mailto:a@b.example", "tel:1", "data:text/html,x", "ftp://h/"]
    hrefs += ["about:blank", "http://[", "http://a b/", "//", "#top", "/fine", "wais://x/y"]
    site.page("/", links(*hrefs))
    assert crawl(site.url()).states.keys() == {site.url(), site.url("/fine")}


def test_a_base_element_moves_the_links(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page(
        "/", '<base href="/base/x"><base href="/second/">' + links("rel", "/root", "?q", "#f")
    )
    assert crawl(site.url()).ends(site) == done("/", "/base/rel", "/root", "/base/x?q", "/base/x")


def test_a_base_of_another_host(site: Site, other: Site, crawl: CrawlSite) -> None:
    site.page("/", f'<base href="{other.url("/there/")}">' + links("rel", "/root"))
    crawled = crawl(site.url())
    assert crawled.ends(other) == {"/there/rel": "skipped:scope", "/root": "skipped:scope"}
    assert other.connections == 0


def test_a_base_that_is_none_is_ignored(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/dir/", '<base href="http://["><base href="/no/">' + links("rel"))
    assert crawl(site.url("/dir/")).ends(site) == done("/dir/", "/dir/rel")


def test_canonical_links_are_recorded_and_not_obeyed(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/", '<link rel="canonical" href="/">' + links("/a?session=1", "/b"))
    site.page("/a?session=1", '<link rel="Canonical" href="a#x">')
    site.page("/b", "<title>none</title>")
    crawled = crawl(site.url())
    assert set(crawled.pages) == {site.url(p) for p in ("/", "/a?session=1", "/b")}
    rows = crawled.query("pages.db", "SELECT url, canonical FROM canonicals")
    assert {tuple(row) for row in rows} == {(site.url("/a?session=1"), site.url("/a"))}


def test_each_url_is_fetched_once(site: Site, crawl: CrawlSite) -> None:
    paths = [f"/dir/{n}" for n in range(40)]
    variants = [v for n in range(40) for v in (f"{n}", f"./{n}#x{n}", f"../dir/{n}#", f"/dir/{n}")]
    variants += [f"//127.0.0.1:{site.port}/dir/{n}" for n in range(40)]
    page = links(*variants, *map(site.url, paths), "#top", "", "?", "/dir/0?")
    for path in paths:
        site.page(path, page + path)
    site.page("/dir/0?", links("#end"))
    crawled = crawl(site.url("/dir/0"))
    asked = site.paths
    assert len(asked) == len(set(asked))
    # "/0" and "/0?" are two URLs by the standard.
    assert set(asked) == {"/robots.txt", *paths, *(f"{path}?" for path in paths)}
    assert set(crawled.ends(site)) == set(asked) - {"/robots.txt"}


def test_referrer_depth_and_title(site: Site, crawl: CrawlSite) -> None:
    site.page("/", "<title> A &amp;\n B </title><svg><title>no</title></svg>" + links("/a"))
    site.page("/a", "<svg><title>no</title></svg>" + links("/b", "/"))
    site.page("/b", "<body><title>late</title>")
    crawled = crawl(site.url())
    rows = {path: crawled.pages[site.url(path)] for path in ("/", "/a", "/b")}
    assert {path: row["depth"] for path, row in rows.items()} == {"/": 0, "/a": 1, "/b": 2}
    assert [row["referrer"] for row in rows.values()] == [None, site.url(), site.url("/a")]
    assert rows["/"]["title"] == "A & B"
    assert rows["/b"]["title"] == "late"


# How far


def test_depth(site: Site, crawl: CrawlSite) -> None:
    for n in range(5):
        site.page(f"/{n}", links(f"/{n + 1}", "/0"))
    assert crawl(site.url("/0"), depth=0).ends(site) == done("/0")
    assert crawl(site.url("/0"), depth=2).ends(site) == done("/0", "/1", "/2")


def test_depth_is_the_shortest_way_however_slow_that_is(site: Site, crawl: CrawlSite) -> None:
    """/target is two steps away by a slow page and three by quick ones."""

    async def slow(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        await asyncio.sleep(0.2)
        return Reply(200, links("/target"))

    site.page("/", links("/slow", "/quick"))
    site.route("/slow", slow)
    site.page("/quick", links("/quicker"))
    site.page("/quicker", links("/target"))
    site.page("/target", links("/beyond"))
    site.page("/beyond", links("/too-far"))
    crawled = crawl(site.url(), depth=3)
    assert crawled.ends(site) == done("/", "/slow", "/quick", "/quicker", "/target", "/beyond")
    assert crawled.pages[site.url("/target")]["depth"] == 2
    by_path = {request.path: request for request in site.requests}
    assert by_path["/quicker"].at >= by_path["/slow"].at + 0.2


@pytest.mark.parametrize("per_host", [1, 8])
@pytest.mark.parametrize("limit", [1, 5, 19])
def test_limit_is_exact(site: Site, crawl: CrawlSite, limit: int, per_host: int) -> None:
    everywhere(site)
    site.page("/", links(*(f"/{n}" for n in range(40))))
    crawled = crawl(site.url(), limit=limit, per_host=per_host)
    assert crawled.summary.stopped == "limit"
    assert crawled.summary.pages == len(crawled.pages) == limit
    assert crawled.summary.queued == 41 - limit
    assert len(site.paths) == limit + 1


def test_limit_counts_pages_and_not_failures(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    gone = [f"/gone/{n}" for n in range(10)]
    site.page("/", links(*gone, *(f"/{n}" for n in range(10))))
    site.page("/gone/*", "no", status=404)
    crawled = crawl(site.url(), limit=4)
    assert (crawled.summary.stopped, crawled.summary.pages) == ("limit", 4)
    assert crawled.summary.failed == 10


def test_a_site_smaller_than_the_limit(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/", links("/a"))
    assert crawl(site.url(), limit=3).summary.stopped == "finished"


def test_a_crawl_goes_on_where_its_limit_stopped_it(
    site: Site, crawl: CrawlSite, tmp_path: Path
) -> None:
    everywhere(site)
    paths = [f"/{n}" for n in range(10)]
    site.page("/", links(*paths))
    for limit in (3, 7, None, None):
        crawled = crawl(site.url(), limit=limit, directory=tmp_path / "crawl")
        assert crawled.summary.pages == (limit or 11)
    assert crawled.summary.fetched == 0
    assert crawled.ends(site) == done("/", *paths)
    assert all(site.hits(path) == 1 for path in paths)


def test_prefix_scope(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/docs/v1/index.html", links("a", "sub/b", "../v2/c", "/", "/docs/v1", "/docs/v1/"))
    crawled = crawl(site.url("/docs/v1/index.html"), scope="prefix")
    assert crawled.ends(site) == {
        **done("/docs/v1/index.html", "/docs/v1/a", "/docs/v1/sub/b", "/docs/v1/"),
        **dict.fromkeys(["/docs/v2/c", "/", "/docs/v1"], "skipped:scope"),
    }


def test_include_and_exclude(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/", links("/blog/1", "/blog/2.pdf", "/blog/draft/3", "/shop/4"))
    crawled = crawl(site.url(), include=("/blog/*",), exclude=("*.pdf", "draft/*"))
    assert crawled.ends(site) == {
        **done("/", "/blog/1"),
        **dict.fromkeys(["/blog/2.pdf", "/blog/draft/3", "/shop/4"], "skipped:excluded"),
    }
    assert sorted(site.paths) == ["/", "/blog/1", "/robots.txt"]


def test_several_seeds_are_one_crawl(site: Site, other: Site, crawl: CrawlSite) -> None:
    for each in (site, other):
        everywhere(each)
    site.page("/", links(other.url("/from-site"), "/a"))
    other.page("/", links(site.url("/from-other"), "/b"))
    crawled = crawl(site.url(), other.url())
    assert crawled.ends(site) == done("/", "/a", "/from-other")
    assert crawled.ends(other) == done("/", "/b", "/from-site")


# Pace


def test_the_slots_of_a_host_are_filled_and_never_exceeded(site: Site, crawl: CrawlSite) -> None:
    """Every answer waits until three are asked for: with fewer at once nothing would move."""
    full = asyncio.Barrier(3)

    async def page(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        await full.wait()
        return Reply(200, "page")

    paths = [f"/p/{n}" for n in range(12)]
    site.page("/", links(*paths))
    site.route("/p/*", page)
    assert crawl(site.url(), per_host=3).ends(site) == done("/", *paths)
    assert site.peak == 3


def test_concurrency_bounds_all_hosts_together(site: Site, other: Site, crawl: CrawlSite) -> None:
    lock, active, peak = threading.Lock(), 0, 0

    async def page(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        nonlocal active, peak
        with lock:
            active += 1
            peak = max(peak, active)
        await asyncio.sleep(0.005)
        with lock:
            active -= 1
        return Reply(200, links(*(f"/{n}" for n in range(10))))

    for each in (site, other):
        each.route("/*", page)
    crawled = crawl(site.url(), other.url(), concurrency=3, ignore_robots=True)
    assert crawled.summary.pages == 22
    assert peak <= 3


def test_delay_spaces_the_starts(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/", links("/a", "/b"))
    crawl(site.url(), delay=0.3)
    times = [request.at for request in site.requests]
    assert len(times) == 4
    assert all(later - earlier >= 0.27 for earlier, later in pairwise(times))


def test_delay_factor_lets_a_slow_server_rest(site: Site, crawl: CrawlSite) -> None:
    async def slow(request: Recorded, _: asyncio.StreamWriter) -> Reply:
        await asyncio.sleep(0.1)
        return Reply(200, links("/a", "/b"))

    site.route("/*", slow)
    crawl(site.url(), delay_factor=2.0, per_host=1)
    pages = site.requests
    assert len(pages) == 4
    # From start to start: the answer took 0.1 s, and twice that was waited.
    assert all(later.at - earlier.at >= 0.27 for earlier, later in pairwise(pages))


def test_the_pace_of_one_host_is_not_that_of_another(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    """The first site answers only when the other has been crawled to its end."""
    everywhere(other)
    held = site.hold("/", Reply(200, "at last"))

    async def last(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        held.release()
        return Reply(200, "last")

    other.page("/", links("/a"))
    other.page("/a", links("/b"))
    other.route("/b", last)
    crawled = crawl(site.url(), other.url(), concurrency=2)
    assert set(crawled.states.values()) == {"done"}


# What is kept


def test_a_body_that_comes_often_is_stored_once(site: Site, crawl: CrawlSite) -> None:
    everywhere(site, "the same " * 1000)
    site.page("/", links(*(f"/{n}" for n in range(10))))
    crawled = crawl(site.url())
    assert len(crawled.pages) == 11
    bodies = crawled.query("pages.db", "SELECT encoding, length(body) AS n FROM bodies")
    assert len(bodies) == 2
    assert min(row["n"] for row in bodies if row["encoding"] == "zstd") < 200


def test_header_fields_are_kept(site: Site, crawl: CrawlSite) -> None:
    fields = [("Set-Cookie", "a=1"), ("X-Odd", "caf\u00e9"), ("SET-COOKIE", "b=2"), ("X-Empty", "")]
    site.page("/", "x", headers=fields)
    headers = crawl(site.url()).headers(site.url())
    assert headers["set-cookie"] == ["a=1", "b=2"]
    assert headers["x-empty"] == ""
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-length"] == "1"
    assert set(headers) == {"set-cookie", "x-odd", "x-empty", "content-type", "content-length"}


def test_cookies_are_not_sent_back(site: Site, crawl: CrawlSite) -> None:
    everywhere(site)
    site.page("/", links("/a"), headers={"Set-Cookie": "a=1"})
    crawl(site.url(), headers=(("X-Ours", "yes"),), user_agent="probe/1")
    for request in site.requests:
        assert "cookie" not in request.headers
        assert (request.headers["x-ours"], request.headers["user-agent"]) == ("yes", "probe/1")
        assert request.headers["host"] == f"127.0.0.1:{site.port}"


def test_a_page_row_tells_what_was_received(site: Site, crawl: CrawlSite) -> None:
    body = "<title>T</title>é" * 20
    site.page("/", body, content_type="Text/HTML; Charset=UTF-8")
    page = crawl(site.url()).pages[site.url()]
    assert (page["status"], page["content_type"], page["charset"]) == (200, "text/html", "utf-8")
    assert page["size"] == len(body.encode())
    assert page["elapsed_ms"] > 0
    assert page["fetched_at"].startswith("20")
