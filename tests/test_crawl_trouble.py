"""Servers in trouble: each kind ends under its own reason, and costs nobody else anything."""

import asyncio
import gzip
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from crawling import Crawled, links
from servers_nginx import http2_site
from webserver import (
    Certificates,
    Recorded,
    Reply,
    Route,
    Site,
    bad_chunk_size,
    big,
    binary,
    chunked,
    corrupt_gzip,
    cut_gzip,
    deflated,
    empty,
    endless_head,
    garbage,
    gzip_bomb,
    gzipped,
    no_answer,
    raw,
    reset,
    truncated,
    understated,
    unfinished_chunks,
    unsized,
)

CrawlSite = Callable[..., Crawled]

PAGE = links("/found").encode()
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


def brotli_stored(data: bytes) -> bytes:
    """A brotli stream of one uncompressed block (RFC 7932 section 9.2)."""
    return (0x80000B | len(data) - 1 << 7).to_bytes(3, "little") + data + b"\x03"


def raw_deflated(data: bytes) -> bytes:
    """Deflate without its zlib wrapper, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def encoded(data: bytes, encoding: str) -> Reply:
    return Reply(200, data, headers={"Content-Encoding": encoding})


# What the server says no to


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451, 500, 501, 503, 304, 300])
def test_a_status_that_is_no_page(site: Site, crawl: CrawlSite, status: int) -> None:
    site.page("/", links("/gone"))
    site.page("/gone", links("/never"), status=status)
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/gone": f"failed:http-{status}"}
    [row] = crawled.query("frontier.db", "SELECT * FROM urls WHERE url=?", site.url("/gone"))
    assert (row["status"], row["attempts"]) == (status, 1)


@pytest.mark.parametrize("status", [201, 203, 206, 226])
def test_every_success_is_a_page(site: Site, crawl: CrawlSite, status: int) -> None:
    site.page("/", links("/x"), status=status)
    site.page("/x", "x")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/x": "done"}
    assert crawled.pages[site.url()]["status"] == status


def test_no_content(site: Site, crawl: CrawlSite) -> None:
    site.route("/", Reply(204))
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done"}
    assert crawled.body(site.url()) == b""


# What may pass


def test_what_passes_is_tried_again_and_what_does_not_is_not(site: Site, crawl: CrawlSite) -> None:
    passing = {
        "/500": Reply(500),
        "/502": Reply(502),
        "/reset": reset(),
        "/none": no_answer(),
        "/cut": truncated(),
        "/garbage": garbage(),
    }
    lasting = {"/404": Reply(404), "/403": Reply(403), "/corrupt": corrupt_gzip()}
    site.page("/", links(*passing, *lasting, "/500-forever"))
    for path, trouble in (passing | lasting).items():
        site.sequence(path, trouble, Reply(200, "fine again"))
    site.page("/500-forever", "no", status=500)
    crawled = crawl(site.url(), retries=1)
    ends = crawled.ends(site)
    assert {path: ends[path] for path in passing} == dict.fromkeys(passing, "done")
    assert {path: ends[path] for path in lasting} == {
        "/404": "failed:http-404",
        "/403": "failed:http-403",
        "/corrupt": "failed:bad-encoding",
    }
    assert ends["/500-forever"] == "failed:http-500"
    hits = {path: site.hits(path) for path in (*passing, *lasting, "/500-forever")}
    assert hits == dict.fromkeys((*passing, "/500-forever"), 2) | dict.fromkeys(lasting, 1)
    tries = crawled.query("frontier.db", "SELECT * FROM tries JOIN urls ON id = url_id")
    assert len(tries) == len(passing) + len(lasting) + 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_in_seconds(site: Site, crawl: CrawlSite, status: int) -> None:
    site.page("/", links("/busy", "/next"))
    site.sequence("/busy", Reply(status, headers={"Retry-After": "2"}), Reply(200, "at last"))
    site.page("/next", "next")
    crawled = crawl(site.url(), retries=1, per_host=1)
    assert set(crawled.ends(site).values()) == {"done"}
    first, *later = site.requests[site.paths.index("/busy") :]
    assert sorted(request.path for request in later) == ["/busy", "/next"]
    assert all(request.at - first.at >= 2 for request in later), "the whole host is left alone"


def test_retry_after_as_a_date(site: Site, crawl: CrawlSite) -> None:
    asked: list[float] = []
    until = 0

    async def answer(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        nonlocal until
        asked.append(time.time())
        if len(asked) > 1:
            return Reply(200, "at last")
        until = int(time.time()) + 3
        return Reply(503, headers={"Retry-After": formatdate(until, usegmt=True)})

    site.route("/", answer)
    assert crawl(site.url(), retries=1).ends(site) == {"/": "done"}
    assert len(asked) == 2
    assert asked[1] >= until - 0.001


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "", "9" * 400, DATE, "0"])
def test_a_retry_after_of_no_use(site: Site, crawl: CrawlSite, value: str) -> None:
    site.page("/", "x", status=503, headers={"Retry-After": value})
    assert crawl(site.url()).ends(site) == {"/": "failed:http-503"}


# Time


def test_what_takes_too_long(site: Site, crawl: CrawlSite) -> None:
    slow = ["/first-byte", "/head", "/body", "/drip"]
    site.page("/", links(*slow, "/quick"))
    site.hold("/first-byte")
    site.hold("/head", Reply(200, PAGE), after=20)
    site.hold("/body", Reply(200, PAGE), after=len(Reply(200, PAGE).encode(last=True)) - 1)
    site.drip("/drip", PAGE)
    site.page("/quick", "quick")
    crawled = crawl(site.url(), timeout=0.5)
    assert crawled.ends(site) == {
        "/": "done",
        "/quick": "done",
        **dict.fromkeys(slow, "failed:timeout"),
    }


# Bodies that are not what they are said to be


@pytest.mark.parametrize(
    ("route", "reasons"),
    [
        (truncated(PAGE), {"truncated"}),
        (unfinished_chunks(PAGE), {"truncated"}),
        (bad_chunk_size(PAGE), {"protocol", "reset"}),
        (reset(PAGE), {"reset", "truncated"}),
        (no_answer(), {"reset"}),
        (garbage(), {"protocol"}),
        (raw(b"HTTP/1.1 200"), {"protocol", "reset", "truncated"}),
        (endless_head(), {"too-large", "protocol"}),
        (corrupt_gzip(PAGE * 20), {"bad-encoding"}),
        (encoded(PAGE, "gzip"), {"bad-encoding"}),
        (encoded(PAGE, "br"), {"bad-encoding"}),
    ],
)
def test_a_broken_answer_is_not_stored(
    site: Site, crawl: CrawlSite, route: Route, reasons: set[str]
) -> None:
    site.route("/", route)
    ends = crawl(site.url()).ends(site)
    assert set(ends) == {"/"}
    assert ends["/"].removeprefix("failed:") in reasons


@pytest.mark.parametrize(
    "route",
    [
        gzipped(PAGE),
        deflated(PAGE),
        encoded(raw_deflated(PAGE), "deflate"),
        encoded(brotli_stored(PAGE), "br"),
        encoded(gzip.compress(gzip.compress(PAGE)), "gzip, gzip"),
        encoded(PAGE, "identity"),
        encoded(gzip.compress(PAGE), "x-gzip"),
        chunked(PAGE, 3),
        unsized(PAGE),
        raw(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE),
        raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + Reply(200, PAGE).encode(last=True)),
        raw(b"HTTP/1.1 200 OK\nContent-Type: text/html\nConnection: close\n\n" + PAGE),
    ],
)
def test_an_answer_that_is_only_unusual(site: Site, crawl: CrawlSite, route: Route) -> None:
    site.route("/", route)
    site.page("/found", "found")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/found": "done"}
    assert crawled.body(site.url()) == PAGE
    assert crawled.pages[site.url()]["status"] == 200
    assert "link" not in crawled.headers(site.url())


def test_a_gzip_stream_cut_short_in_a_whole_answer_is_no_page(site: Site, crawl: CrawlSite) -> None:
    site.route("/", cut_gzip(PAGE * 50))
    assert crawl(site.url()).ends(site) == {"/": "failed:truncated"}


def test_a_coding_nobody_knows_is_not_taken_for_a_page(site: Site, crawl: CrawlSite) -> None:
    site.route("/", encoded(b"\x00<a href=/found>", "rot13"))
    assert "/found" not in crawl(site.url()).ends(site)


def test_more_body_than_said_does_not_spill_into_the_next_page(
    site: Site, crawl: CrawlSite
) -> None:
    site.route("/", understated(PAGE + b"extra", 5))
    site.page("/found", "found")
    crawled = crawl(site.url(), per_host=1)
    assert crawled.ends(site) == {"/": "done", "/found": "done"}
    assert crawled.body(site.url()) == PAGE
    assert crawled.body(site.url("/found")) == b"found"


def test_an_empty_body(site: Site, crawl: CrawlSite) -> None:
    site.route("/", empty())
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done"}
    assert crawled.pages[site.url()]["title"] is None
    assert crawled.body(site.url()) == b""


# Size


def test_a_body_of_20_mb_is_stored_whole(site: Site, crawl: CrawlSite) -> None:
    filler = b"<p>%s</p>\n" % (b"all work and no play " * 200)
    body = PAGE + filler * (20 * 2**20 // len(filler)) + b'<a href="/at-the-end">end</a>'
    site.page("/", body)
    site.page("/*", "x")
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done", "/found": "done", "/at-the-end": "done"}
    assert crawled.body(site.url()) == body


def test_what_is_too_large_is_not_read_to_its_end(site: Site, crawl: CrawlSite) -> None:
    sent = 0

    async def endless(_: Recorded, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            writer.write(bytes(65_536))
            sent += 65_536
            await writer.drain()
            await asyncio.sleep(0)

    site.page("/", links("/endless", "/said", "/bomb", "/exact", "/over"))
    site.route("/endless", endless)
    site.route("/said", big(50 * 2**20))
    site.route("/bomb", gzip_bomb(200 * 2**20))
    site.page("/exact", b"x" * 100_000)
    site.page("/over", b"x" * 100_001)
    crawled = crawl(site.url(), max_body=100_000)
    assert crawled.ends(site) == {
        "/": "done",
        "/exact": "done",
        **dict.fromkeys(["/endless", "/said", "/bomb", "/over"], "failed:too-large"),
    }
    assert sent < 32 * 2**20  # what the sockets hold, and no more


# Content that is no page


def test_other_content_is_stored_and_never_parsed(site: Site, crawl: CrawlSite) -> None:
    kinds = ["image/png", "image/svg+xml", "application/pdf", "text/plain", "application/json"]
    kinds += ["text/css", "application/octet-stream", "nonsense", "text/htmlx", "video/mp4"]
    paths = {f"/{n}": kind for n, kind in enumerate(kinds)}
    trap = "<!doctype html><title>Not a title</title>" + links("/trap")
    site.page("/", links(*paths, "/binary", "/untyped"))
    for path, kind in paths.items():
        site.page(path, trap + path, content_type=kind)
    site.route("/binary", binary(4096))
    site.page("/untyped", b"\x89PNG\r\n\x1a\n" + trap.encode(), content_type=None)
    crawled = crawl(site.url())
    assert set(crawled.ends(site)) == {"/", *paths, "/binary", "/untyped"}
    assert set(crawled.ends(site).values()) == {"done"}
    for path, kind in paths.items():
        page = crawled.pages[site.url(path)]
        assert (page["content_type"], page["title"]) == (kind, None)
        assert crawled.body(site.url(path)) == (trap + path).encode()
    assert crawled.pages[site.url("/binary")]["content_type"] == "text/html"
    assert crawled.body(site.url("/binary")) == bytes(range(256)) * 16
    assert crawled.pages[site.url("/untyped")]["content_type"] is None


@pytest.mark.parametrize(
    "kind", ["text/html", "TEXT/HTML", "text/html;charset=", "application/xhtml+xml", None]
)
def test_html_by_any_name_is_parsed(site: Site, crawl: CrawlSite, kind: str | None) -> None:
    site.page("/", PAGE, content_type=kind)
    site.page("/found", "x")
    assert crawl(site.url()).ends(site) == {"/": "done", "/found": "done"}


# No connection


def test_an_unknown_host(crawl: CrawlSite) -> None:
    url = "http://no-such-host.invalid/"
    assert crawl(url).states == {url: "failed:dns"}


def test_a_port_where_nobody_listens(crawl: CrawlSite) -> None:
    with Site() as gone:
        url = gone.url()
    assert crawl(url).states == {url: "failed:connect"}


def test_plain_http_where_tls_is_spoken(certificates: Certificates, crawl: CrawlSite) -> None:
    with Site(tls=certificates.valid) as site:
        url = f"http://127.0.0.1:{site.port}/"
        assert crawl(url).states[url].startswith("failed:")
        assert site.requests == []


# TLS


@pytest.mark.parametrize("kind", ["expired", "untrusted", "wrong_host"])
def test_a_bad_certificate(trusted: Certificates, crawl: CrawlSite, kind: str) -> None:
    with Site(tls=getattr(trusted, kind)) as site:
        crawled = crawl(site.url("/"), site.url("/more"))
        assert set(crawled.ends(site).values()) == {"failed:tls"}
        assert site.requests == []


def test_an_authority_nobody_told_us_to_trust(certificates: Certificates, crawl: CrawlSite) -> None:
    with Site(tls=certificates.valid) as site:
        assert crawl(site.url()).ends(site) == {"/": "failed:tls"}
        assert site.requests == []


def test_a_good_certificate(trusted: Certificates, crawl: CrawlSite) -> None:
    with Site(tls=trusted.valid) as site:
        site.page("/", PAGE)
        site.page("/found", "found")
        assert crawl(site.url()).ends(site) == {"/": "done", "/found": "done"}


def test_http_2(tmp_path: Path, trusted: Certificates, crawl: CrawlSite) -> None:
    paths = [f"/{n}/" for n in range(30)]
    pages = {"/": links(*paths, "/missing")} | {path: f"<title>{path}" for path in paths}
    with http2_site(tmp_path, trusted, pages) as url:
        crawled = crawl(f"{url}/")
    assert {u.removeprefix(url) for u in crawled.pages} == pages.keys()
    assert crawled.states[f"{url}/missing"] == "failed:http-404"
    for path in paths:
        assert crawled.pages[url + path]["title"] == path
        # HTTP/1.1 has this field, and HTTP/2 must not (RFC 9113 section 8.2.2).
        assert "connection" not in crawled.headers(url + path)
