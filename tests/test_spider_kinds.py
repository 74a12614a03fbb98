"""What spiders can say beyond a handler for a path, the same in every engine."""

import json
import pickle
from asyncio import CancelledError
from collections.abc import Callable
from pathlib import Path

import pytest

import spider_kinds
from asyncmultispider import crawl
from asyncmultispider.errors import UsageError
from asyncmultispider.frontier.reader import reading
from asyncmultispider.model import Request
from asyncmultispider.page import Page
from asyncmultispider.spider import Outgoing, Spider
from asyncmultispider.testing import reply
from crawling import Crawled, links
from equivalence import ENGINES, in_every_engine
from webserver import Recorded, Site

CrawlSite = Callable[..., Crawled]


def page_of(url: str, status: int = 200, content_type: str | None = "text/html") -> Page:
    request = Request(id=1, url=url, host="a.example")
    return Page(request, reply("<title>T</title>", status=status, content_type=content_type))


@pytest.fixture
def shop(site: Site) -> Site:
    site.page("/", '<a href="/plain">x</a><a class="chosen" href="/chosen">y</a>')
    site.page("/book/1", "<h1>One</h1>" + links("/book/2", "/book/bad", "/gone", "/book/3.json"))
    site.page("/book/2", "<h1>Two</h1>")
    site.page("/book/bad", "no heading")
    site.page("/book/3.json", '{"three": 3}', content_type="application/json")
    site.page("/gone", "<title>Gone</title>", status=404)
    site.page("/chosen", links("/raises"))
    site.page("/named", "<title>Named</title>")
    site.redirect("/moved-named", "/new-named")
    site.page("/new-named", "<title>New</title>")
    return site


def items_of(crawled: Crawled, site: Site) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for row in crawled.query("pages.db", "SELECT url, data FROM items ORDER BY url, n"):
        path = row["url"].removeprefix(site.url(""))
        found.setdefault(path, []).append(json.loads(row["data"]))
    return found


def test_every_engine_hears_all_of_it(shop: Site, crawl: CrawlSite) -> None:
    crawled = in_every_engine(crawl, shop.url(), make_spider=spider_kinds.of_all)
    assert items_of(crawled, shop) == {
        "/book/1": [{"title": "One", "price": 9.0}],
        "/book/2": [{"title": "Two", "price": 9.0}],
        "/book/3.json": [{"json": {"three": 3}}],
        "/gone": [{"status": 404, "title": "Gone"}],
        "/named": [{"named": [1, "two", None], "title": "Named"}],
        "/new-named": [{"named": "kept", "title": "New"}],
    }
    ends = crawled.ends(shop)
    assert ends["/book/bad"] == "failed:handler"
    assert ends["/gone"] == "done", "a handler asked for it"
    assert "/plain" not in ends, "only what the handler chose is followed"
    [detail] = [
        row["detail"]
        for row in crawled.query(
            "frontier.db",
            "SELECT detail FROM tries JOIN urls ON id = url_id WHERE url LIKE '%/bad'",
        )
    ]
    assert "ValidationError: Expected `str`, got `null` - at `$.title`" in detail
    assert "this is what book() yielded" in detail


def test_headers_data_and_hooks_reach_the_request(shop: Site, crawl: CrawlSite) -> None:
    for engine in ENGINES.values():
        before = len(shop.requests)
        crawl(shop.url(), make_spider=spider_kinds.of_all, **engine)
        asked = {request.path: headers(request) for request in shop.requests[before:]}
        assert asked["/book/1"]["x-shelf"] == "seven"
        assert asked["/book/1"]["x-signed"] == "1 {'shelf': 7}"
        assert "x-shelf" not in asked["/book/2"]
        assert asked["/"]["x-signed"] == "1 None"
        assert "x-signed" not in asked["/robots.txt"]


def headers(request: Recorded) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def test_a_hook_that_raises_fails_its_page_alone(shop: Site, crawl: CrawlSite) -> None:
    shop.page("/", '<a class="chosen" href="/raises">y</a><a class="chosen" href="/named">y</a>')
    crawled = in_every_engine(crawl, shop.url(), make_spider=spider_kinds.of_all)
    assert crawled.ends(shop)["/raises"] == "failed:handler"
    assert crawled.ends(shop)["/named"] == "done"
    assert "/raises" not in shop.paths


def test_a_handler_that_is_gone_fails_its_page(site: Site, crawl: CrawlSite) -> None:
    spider = Spider()
    spider.on("/")(lambda page: page.follow("/a", handler="renamed"))
    site.page("/", "x")
    site.page("/a", "x")
    crawled = crawl(site.url(), make_spider=lambda: spider)
    assert crawled.ends(site)["/a"] == "failed:handler"


def test_the_first_in_the_queue_is_the_one_of_the_highest_priority(
    site: Site, crawl: CrawlSite
) -> None:
    spider = Spider()

    @spider.on("/")
    def start(page: Page) -> object:
        for path, priority in (("/last", -1), ("/b", 0), ("/first", 7), ("/c", 0), ("/second", 3)):
            yield from page.follow(path, priority=priority)

    site.page("/", "x")
    site.page("/first", links("/deeper"))
    for path in ("/last", "/b", "/c", "/second", "/deeper"):
        site.page(path, "x")
    crawl(site.url(), make_spider=lambda: spider, per_host=1, concurrency=1)
    order = ["/robots.txt", "/", "/first", "/second", "/b", "/c", "/deeper", "/last"]
    assert site.paths == order


def test_with_a_depth_priorities_hold_within_a_level(site: Site, crawl: CrawlSite) -> None:
    spider = Spider()
    spider.on("/")(lambda page: [*page.follow("/a"), *page.follow("/b", priority=1)])
    spider.on("/b")(lambda page: page.follow("/b/deep", priority=100))
    for path in ("/", "/a", "/b", "/b/deep"):
        site.page(path, "x")
    crawl(site.url(), make_spider=lambda: spider, per_host=1, concurrency=1, depth=2)
    assert site.paths == ["/robots.txt", "/", "/b", "/a", "/b/deep"]


def test_what_was_said_outlives_the_run(site: Site, crawl: CrawlSite) -> None:
    site.page("/", "x")
    for path in ("/named", "/other", "/more"):
        site.page(path, f"<title>{path}</title>")
    spider = Spider()
    spider.on("/named")(lambda page: None)
    spider.on("/")(
        lambda page: [
            *page.follow("/more", priority=-1, handler="tell", data={"kept": True}),
            *page.follow("/other", priority=1),
        ]
    )

    @spider.on("/nothing")
    def tell(page: Page) -> object:
        return {"data": page.data}

    tell.__qualname__ = "tell"
    first = crawl(site.url(), make_spider=lambda: spider, limit=2, concurrency=1)
    assert first.ends(site)["/more"] == "queued"
    again = crawl(site.url(), make_spider=lambda: spider, directory=first.directory)
    assert items_of(again, site) == {"/more": [{"data": {"kept": True}}]}


# Which handler


@pytest.mark.parametrize(
    ("path", "status", "kind", "name"),
    [
        ("/x", 200, "text/html", "any"),
        ("/docs/x", 200, "text/html", "docs"),
        ("/docs/x.pdf", 200, "application/pdf", "pdf"),
        ("/a.png", 200, "image/png", "image"),
        ("/docs/x", 404, "text/html", "gone"),
        ("/docs/x", 500, "text/html", None),
        ("/x", 204, None, "any"),
        ("/docs/x", 410, "application/pdf", "gone"),
    ],
)
def test_types_and_statuses_come_before_globs(
    path: str, status: int, kind: str | None, name: str | None
) -> None:
    spider = Spider()
    spider.on("*")(lambda page: "any")
    spider.on("/docs/*")(lambda page: "docs")
    spider.on(type="application/pdf")(lambda page: "pdf")
    spider.on(type=("image/*", "video/*"))(lambda page: "image")
    spider.on(status=[404, 410])(lambda page: "gone")
    page = page_of(f"http://a.example{path}", status, kind)
    handler = spider.handler(page)
    assert (handler and handler(page)) == name


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"glob": lambda page: None}, r"write @spider.on\(\)"),
        ({"status": "404"}, "numbers such as 404, not '404'"),
        ({"status": 9999}, "not 9999"),
        ({"type": "html"}, "media types such as 'text/html', not 'html'"),
        ({"item": 3}, "takes a type of items, not 3"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(asked: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Spider().on(**asked)


# Where it starts


def test_seeds_come_from_many_places(tmp_path: Path) -> None:
    file = tmp_path / "urls.txt"
    file.write_text("\ufeffhttp://a.example/1\n\n# a comment\n  http://a.example/2  \n")
    spider = Spider(
        "http://a.example/",
        file,
        ["http://a.example/3"],
        lambda: (f"http://a.example/{n}" for n in (4, 5)),
    )
    assert spider.seeds == tuple(f"http://a.example/{n}" for n in ("", 1, 2, 3, 4, 5))
    assert Spider("http://a.example/", sitemaps="http://a.example/s.xml").sitemaps == (
        "http://a.example/s.xml",
    )


def test_a_file_of_seeds_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't read the URLs in '.*urls.txt': No such file"):
        Spider(tmp_path / "urls.txt").seeds  # noqa: B018


def test_a_spider_can_be_sent_to_a_worker() -> None:
    copy = pickle.loads(pickle.dumps(spider_kinds.of_all()))
    assert copy.handler(page_of("http://a.example/book/1")) is spider_kinds.book
    assert copy.handler(page_of("http://a.example/", 404)) is spider_kinds.missing


@pytest.mark.parametrize("error", [ValueError("\udcff"), SystemExit(1), CancelledError()])
@pytest.mark.parametrize("engine", ["async", "threads"])
def test_whatever_a_hook_raises_fails_that_page_alone(
    site: Site, tmp_path: Path, engine: str, error: BaseException
) -> None:
    site.page("/", links("/bad", "/good"))
    site.page("/good", "good")
    spider = Spider(site.url())

    @spider.before_request
    def hook(request: Outgoing) -> None:
        if request.url == site.url("/bad"):
            raise error

    summary = crawl(spider, dir=tmp_path / "kept", engine=engine, delay_factor=0).run()
    assert (summary.stopped, summary.pages, summary.failed) == ("finished", 2, 1)
    with reading(tmp_path / "kept" / "frontier.db") as ledger:
        assert list(ledger.rows(reason="handler")) == [("failed", "handler", site.url("/bad"))]
