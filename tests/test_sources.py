"""Ways in beside links: sitemaps, meta refresh, what a page needs to be shown. In every engine."""

import gzip
from collections.abc import Callable

import pytest

from asyncmultispider.spider import Spider
from crawling import Crawled, links
from equivalence import in_every_engine
from webserver import Site

CrawlSite = Callable[..., Crawled]

XML = "application/xml"


def urlset(*urls: str, lastmod: str = "") -> str:
    dated = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    entries = "".join(f"<url><loc>{url}</loc>{dated}</url>" for url in urls)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'


def index(*urls: str) -> str:
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</sitemapindex>'


def lastmods(crawled: Crawled, site: Site) -> dict[str, str]:
    rows = crawled.query("pages.db", "SELECT url, lastmod FROM lastmods")
    return {row["url"].removeprefix(site.url("")): row["lastmod"] for row in rows}


# Sitemaps


@pytest.fixture
def mapped(site: Site, other: Site) -> Site:
    site.robots(
        f"User-agent: *\nDisallow: /shut\n"
        f"Sitemap: {site.url('/index.xml')}\nSitemap: /moved.xml\nSitemap: /broken.xml\n"
    )
    site.page("/", links("/linked"))
    site.page("/linked", "x")
    site.page(
        "/index.xml", index(site.url("/deep/a.xml.gz"), other.url("/b.xml")), content_type=XML
    )
    packed = gzip.compress(
        urlset(site.url("/one"), site.url("/shut"), lastmod="2024-05-06").encode()
    )
    site.page("/deep/a.xml.gz", packed, content_type="application/gzip")
    site.redirect("/moved.xml", "/feed")
    feed = f"<rss><channel><item><link>{site.url('/two')}</link></item></channel></rss>"
    site.page("/feed", feed, content_type="application/rss+xml")
    site.page("/broken.xml", "<html><p>Not found", content_type="text/html")
    site.page("/one", links("/from-one"))
    for path in ("/two", "/from-one", "/three"):
        site.page(path, "x")
    other.page("/b.xml", urlset(other.url("/foreign")), content_type=XML)
    return site


def test_sitemaps_of_robots_txt(mapped: Site, other: Site, crawl: CrawlSite) -> None:
    crawled = in_every_engine(crawl, mapped.url(), sitemaps=True, allow_private=("127.0.0.1",))
    assert crawled.ends(mapped) == {
        "/": "done",
        "/linked": "done",
        "/index.xml": "done",
        "/deep/a.xml.gz": "done",
        "/moved.xml": "done",
        "/feed": "done",
        "/two": "done",
        "/broken.xml": "failed:bad-sitemap",
        "/one": "done",
        "/shut": "skipped:robots",
        "/from-one": "done",
    }
    assert other.requests == [], "a sitemap of another host needs that host's word"
    assert lastmods(crawled, mapped) == dict.fromkeys(
        ("/one", "/shut"), "2024-05-06T00:00:00+00:00"
    )


def test_without_the_option_nobody_asks_for_them(mapped: Site, crawl: CrawlSite) -> None:
    assert set(crawl(mapped.url()).ends(mapped)) == {"/", "/linked"}


def test_a_crawl_may_start_from_a_sitemap_alone(mapped: Site, crawl: CrawlSite) -> None:
    crawled = in_every_engine(crawl, sitemap=(mapped.url("/feed"),))
    assert crawled.ends(mapped) == {"/feed": "done", "/two": "done"}


def test_a_sitemap_that_is_named_may_be_anywhere(
    mapped: Site, other: Site, crawl: CrawlSite
) -> None:
    other.page("/all.xml", urlset(mapped.url("/three"), other.url("/no")), content_type=XML)
    crawled = in_every_engine(crawl, mapped.url(), sitemap=(other.url("/all.xml"),))
    assert crawled.ends(mapped)["/three"] == "done"
    assert crawled.states[other.url("/all.xml")] == "done"


def test_a_page_of_a_sitemap_is_a_start(mapped: Site, crawl: CrawlSite) -> None:
    """Its depth is 0, also where a link was quicker."""
    mapped.page("/", links("/linked", "/one", "/two"))
    crawled = in_every_engine(crawl, mapped.url(), sitemaps=True, depth=0)
    assert crawled.ends(mapped)["/one"] == "done"
    assert not {"/from-one", "/linked"} & set(crawled.ends(mapped))
    crawled = in_every_engine(crawl, mapped.url(), sitemaps=True, depth=1)
    assert crawled.ends(mapped)["/from-one"] == "done"
    depths = {url: page["depth"] for url, page in crawled.pages.items()}
    paths = ("/one", "/two", "/from-one", "/linked")
    assert [depths[mapped.url(path)] for path in paths] == [0, 0, 1, 1]


def test_robots_txt_rules_over_sitemaps(mapped: Site, crawl: CrawlSite) -> None:
    mapped.robots("User-agent: *\nDisallow: /index.xml\nSitemap: /index.xml")
    crawled = crawl(mapped.url(), sitemaps=True)
    assert crawled.ends(mapped)["/index.xml"] == "skipped:robots"


def test_a_run_that_goes_on_knows_that_it_is_a_sitemap(mapped: Site, crawl: CrawlSite) -> None:
    first = crawl(mapped.url(), sitemaps=True, limit=1, concurrency=1)
    assert first.summary.queued > 0
    again = crawl(mapped.url(), sitemaps=True, directory=first.directory)
    assert again.ends(mapped)["/one"] == "done"


# Meta refresh


def refresh(url: str, seconds: int = 0) -> str:
    return f'<meta http-equiv="refresh" content="{seconds}; url={url}">'


def test_a_meta_refresh_is_a_redirect(site: Site, crawl: CrawlSite) -> None:
    site.page("/", refresh("/next") + links("/linked"))
    site.page("/next", refresh("/next", 30) + "the same again")
    site.page("/linked", '<meta name="robots" content="nofollow">' + refresh("/away"))
    crawled = in_every_engine(crawl, site.url(), depth=0)
    assert crawled.ends(site) == {"/": "done", "/next": "done"}
    crawled = in_every_engine(crawl, site.url())
    assert crawled.ends(site) == {"/": "done", "/next": "done", "/linked": "done"}


def test_no_chain_of_refreshes_is_endless(site: Site, crawl: CrawlSite) -> None:
    for number in range(20):
        site.page(f"/{number}", refresh(f"/{number + 1}"))
    crawled = in_every_engine(crawl, site.url("/0"))
    assert sorted(map(int, (path[1:] for path in crawled.ends(site)))) == list(range(11))


# What pages need to be shown


def test_page_requisites(site: Site, other: Site, crawl: CrawlSite) -> None:
    site.page(
        "/",
        '<link rel="stylesheet" href="/style.css"><script src="/code.js"></script>'
        f'<img src="/a.png" srcset="/a2.png 2x"><img src="{other.url("/cdn.png")}">'
        '<a href="/linked">x</a><a href="/style.css">the same</a>',
    )
    site.page("/style.css", '@import "more.css"; p{background:url(b.png)}', content_type="text/css")
    site.page("/more.css", "@font-face{src:url(/font.woff2)}", content_type="text/css")
    site.page("/linked", '<img src="/c.png"><a href="/deep">x</a>')
    site.page("/deep", '<img src="/never.png">')
    for path in ("/a.png", "/a2.png", "/b.png", "/c.png", "/font.woff2"):
        site.page(path, b"\x89PNG", content_type="image/png")
    site.page(
        "/code.js", "/* a comment with <a href='/not-a-link'> */", content_type="text/javascript"
    )
    other.page("/cdn.png", links("/on-the-cdn"))
    crawled = in_every_engine(
        crawl, site.url(), page_requisites=True, depth=1, allow_private=("127.0.0.1",)
    )
    assert crawled.ends(site) == dict.fromkeys(
        ("/", "/style.css", "/code.js", "/a.png", "/a2.png", "/more.css", "/b.png", "/linked"),
        "done",
    ) | {"/c.png": "done", "/font.woff2": "done"}
    assert {url for url in crawled.states if url.startswith(other.url(""))} == {
        other.url("/cdn.png")
    }, "the parts of a page may be elsewhere, and lead nowhere"
    assert set(crawl(site.url(), depth=0).ends(site)) == {"/"}


def test_a_part_within_the_scope_is_a_page_like_others(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    """So it does not matter whether a link or an image was seen first. Handlers get pages alone."""
    site.page("/", '<object data="/framed"></object><img src="/i.png">' + links("/late"))
    site.page("/framed", links("/from-framed"))
    site.page("/late", links("/framed", "/i.png"))
    site.page("/from-framed", "<title>x</title>")
    site.page("/i.png", b"\x89PNG", content_type="image/png")
    spider = Spider()
    spider.on("*")(lambda page: [{"title": page.css_first("title").text}, *page.follow()])
    spider.on("/")(lambda page: page.follow())
    spider.on("/framed")(lambda page: page.follow())
    spider.on("/late")(lambda page: page.follow())
    crawled = crawl(site.url(), page_requisites=True, make_spider=lambda: spider)
    assert set(crawled.ends(site).values()) == {"done"}
    assert set(crawled.ends(site)) == {"/", "/framed", "/i.png", "/late", "/from-framed"}
    [item] = crawled.query("pages.db", "SELECT url, data FROM items")
    assert item["url"] == site.url("/from-framed")
