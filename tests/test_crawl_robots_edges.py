"""robots.txt files that are late, elsewhere, broken, huge or hostile, on a live site."""

import asyncio
import codecs
import zlib
from collections.abc import Callable, Iterable

import pytest

from crawling import Crawled, links
from webserver import (
    Certificates,
    Handler,
    Recorded,
    Reply,
    Route,
    Site,
    bad_chunk_size,
    corrupt_gzip,
    empty,
    endless_head,
    garbage,
    gzipped,
    no_location,
    redirect_chain,
    redirect_loop,
    redirection,
    reset,
    truncated,
    unfinished_chunks,
    unsized,
)

CrawlSite = Callable[..., Crawled]

RULES = b"User-agent: *\nDisallow: /no\n"
OBEYED = {"/": "done", "/no": "skipped:robots", "/yes": "done"}
ALL_ALLOWED = {"/": "done", "/no": "done", "/yes": "done"}
CLOSE = 0.9
"""A gap that the server sees may be a little shorter than the one kept by us."""


def pages(site: Site) -> None:
    """Three pages, one of which the rules forbid."""
    site.page("/", links("/no", "/yes"))
    site.page("/no", "no")
    site.page("/yes", "yes")


def endless(start: bytes, block: bytes = b"# more\n" * 10_000) -> Handler:
    """A body without an end, as fast as the client takes it."""

    async def answer(_: Recorded, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + start)
        while True:
            writer.write(block)
            await writer.drain()
            await asyncio.sleep(0)

    return answer


def bomb(start: bytes, megabytes: int) -> Reply:
    """A gzip body that begins with this and goes on with line ends."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(start), *(packer.compress(b"\n" * 2**20) for _ in range(megabytes))]
    body = b"".join([*parts, packer.flush()])
    return Reply(200, body, "text/plain", {"Content-Encoding": "gzip"})


# -- server errors and no answer: the host waits, and is asked again


@pytest.mark.parametrize(
    "trouble",
    [Reply(500), reset(), truncated(RULES)],
    ids=["500", "reset", "truncated"],
)
def test_trouble_that_passes(site: Site, crawl: CrawlSite, trouble: Route) -> None:
    pages(site)
    site.sequence("/robots.txt", trouble, Reply(200, RULES, "text/plain"))
    assert crawl(site.url(), retries=1).ends(site) == OBEYED
    assert site.paths[:3] == ["/robots.txt", "/robots.txt", "/"]


def test_it_is_asked_again_when_the_server_said(site: Site, crawl: CrawlSite) -> None:
    pages(site)
    later = Reply(429, headers={"Retry-After": "2"})
    site.sequence("/robots.txt", later, Reply(200, RULES, "text/plain"))
    assert crawl(site.url(), retries=1).ends(site) == OBEYED
    first, second, *_ = site.requests
    assert (first.path, second.path) == ("/robots.txt", "/robots.txt")
    assert second.at - first.at >= 2 * CLOSE


def test_every_page_of_a_host_without_rules_is_parked(site: Site, crawl: CrawlSite) -> None:
    site.page("/robots.txt", "down", status=500)
    crawled = crawl(*(site.url(f"/{n}") for n in range(50)), retries=1)
    assert set(crawled.ends(site).values()) == {"suspended:robots-unavailable"}
    assert site.paths == ["/robots.txt"] * 2


def test_it_holds_no_other_host_up(site: Site, other: Site, crawl: CrawlSite) -> None:
    site.page("/robots.txt", "down", status=503, headers={"Retry-After": "1"})
    pages(other)
    other.robots(RULES)
    crawled = crawl(site.url(), other.url(), retries=1)
    assert crawled.ends(other) == OBEYED
    assert crawled.ends(site) == {"/": "suspended:robots-unavailable"}
    assert max(request.at for request in other.requests) < site.requests[-1].at


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (truncated(RULES), "truncated"),
        (unfinished_chunks(RULES), "truncated"),
        (bad_chunk_size(RULES), "protocol"),
        (garbage(), "protocol"),
        (corrupt_gzip(RULES * 100), "bad-encoding"),
        (endless_head(), None),
    ],
    ids=["truncated", "unfinished chunks", "chunk size", "garbage", "corrupt gzip", "endless head"],
)
def test_half_a_file_gives_no_leave(
    site: Site, crawl: CrawlSite, trouble: Route, reason: str | None
) -> None:
    pages(site)
    site.route("/robots.txt", trouble)
    ends = crawl(site.url()).ends(site)
    assert set(site.paths) == {"/robots.txt"}
    assert [state.partition(":")[0] for state in ends.values()] == ["failed"]
    assert reason is None or ends == {"/": f"failed:{reason}"}


def test_a_file_that_trickles_in(site: Site, crawl: CrawlSite) -> None:
    pages(site)
    site.drip("/robots.txt", RULES * 100)
    assert crawl(site.url(), timeout=0.5).ends(site) == {"/": "failed:timeout"}
    assert site.paths == ["/robots.txt"]


# -- elsewhere


def redirected(site: Site, target: str, status: int = 302) -> None:
    pages(site)
    site.redirect("/robots.txt", target, status)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        *(("rules/robots.txt", 301), ("/rules/robots.txt", 302), ("?x=1", 303)),
        *(("//127.0.0.1:PORT/robots.txt?x=1", 307), ("./x/../rules/robots.txt#here", 308)),
    ],
)
def test_a_relative_redirect(site: Site, crawl: CrawlSite, target: str, status: int) -> None:
    target = target.replace("PORT", str(site.port))
    redirected(site, target, status)
    site.page("/rules/robots.txt", RULES, content_type="text/plain")
    site.page("/robots.txt?x=1", RULES, content_type="text/plain")
    assert crawl(site.url()).ends(site) == OBEYED


def test_a_redirect_to_an_html_page_is_a_site_without_rules(site: Site, crawl: CrawlSite) -> None:
    redirected(site, "/home")
    site.page("/home", "<!doctype html><title>Home</title><p>Disallow: nothing</p>")
    assert crawl(site.url()).ends(site) == ALL_ALLOWED


@pytest.mark.parametrize(
    ("there", "ends"),
    [
        (Reply(404), ALL_ALLOWED),
        (Reply(500), {"/": "suspended:robots-unavailable"}),
        (reset(), {"/": "failed:reset"}),
        (Reply(200, RULES, "text/plain"), OBEYED),
    ],
    ids=["404", "500", "reset", "rules"],
)
def test_what_a_redirect_leads_to_decides(
    site: Site, crawl: CrawlSite, there: Route, ends: dict[str, str]
) -> None:
    redirected(site, "/there")
    site.route("/there", there)
    assert crawl(site.url()).ends(site) == ends


@pytest.mark.parametrize("target", ["/loop1", "/robots.txt", "/chain/1"])
def test_redirects_without_an_end_are_no_rules(site: Site, crawl: CrawlSite, target: str) -> None:
    redirected(site, target)
    redirect_loop(site)
    redirect_chain(site)
    assert crawl(site.url()).ends(site) == ALL_ALLOWED
    assert len(site.paths) == 6 + 3


@pytest.mark.parametrize(
    "answer",
    [no_location(), redirection("ftp://h/robots.txt"), redirection("http://[/"), redirection("")],
    ids=["none", "ftp", "no URL", "empty"],
)
def test_a_redirect_to_nowhere_is_no_rules(site: Site, crawl: CrawlSite, answer: Reply) -> None:
    pages(site)
    site.route("/robots.txt", answer)
    assert crawl(site.url()).ends(site) == ALL_ALLOWED


def test_trouble_on_the_way_begins_anew(site: Site, crawl: CrawlSite) -> None:
    redirected(site, "/there")
    site.sequence("/there", Reply(503), Reply(200, RULES, "text/plain"))
    assert crawl(site.url(), retries=1).ends(site) == OBEYED


def test_a_file_that_another_host_lends_rules_only_here(
    site: Site, other: Site, crawl: CrawlSite
) -> None:
    redirected(site, other.url("/their/robots.txt"))
    pages(other)
    other.page("/their/robots.txt", RULES, content_type="text/plain")
    other.robots("User-agent: *\nDisallow: /yes")
    crawled = crawl(site.url(), other.url(), allow_private=("all",))
    assert crawled.ends(site) == OBEYED
    assert crawled.ends(other) == {"/": "done", "/no": "done", "/yes": "skipped:robots"}


def test_over_tls_it_is_asked_for_over_tls(trusted: Certificates, crawl: CrawlSite) -> None:
    with Site(trusted.valid) as site:
        pages(site)
        site.robots(RULES)
        assert crawl(site.url()).ends(site) == OBEYED
        assert site.paths[0] == "/robots.txt"


# -- odd answers


@pytest.mark.parametrize(
    "answer",
    [empty(), Reply(204), Reply(200, b"", None), Reply(200, "\n\n# nothing\n", "text/plain")],
    ids=["empty", "204", "no type", "comment"],
)
def test_nothing_is_forbidden_by_nothing(site: Site, crawl: CrawlSite, answer: Reply) -> None:
    pages(site)
    site.route("/robots.txt", answer)
    assert crawl(site.url()).ends(site) == ALL_ALLOWED


@pytest.mark.parametrize("status", [300, 304, 305, 599])
def test_an_answer_that_says_nothing_gives_no_leave(
    site: Site, crawl: CrawlSite, status: int
) -> None:
    pages(site)
    site.route("/robots.txt", Reply(status, b"" if status == 304 else RULES))
    assert crawl(site.url()).ends(site) == {"/": "suspended:robots-unavailable"}
    assert set(site.paths) == {"/robots.txt"}


@pytest.mark.parametrize("status", [200, 201, 203, 206])
def test_every_success_is_a_file(site: Site, crawl: CrawlSite, status: int) -> None:
    pages(site)
    site.page("/robots.txt", RULES, status=status, content_type="text/plain")
    assert crawl(site.url()).ends(site) == OBEYED


@pytest.mark.parametrize("kind", [None, "", "image/png", "text/html", "application/octet-stream"])
def test_rules_are_rules_whatever_they_are_called(
    site: Site, crawl: CrawlSite, kind: str | None
) -> None:
    pages(site)
    site.page("/robots.txt", RULES, content_type=kind)
    assert crawl(site.url()).ends(site) == OBEYED


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><html><title>Not found</title><body>User-agent: * Disallow: /</html>",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40,
        b'{"error": "not found"}',
        b"Disallow: /\n",
    ],
    ids=["soft 404", "image", "json", "no group"],
)
def test_what_holds_no_rules_forbids_nothing(site: Site, crawl: CrawlSite, body: bytes) -> None:
    pages(site)
    site.page("/robots.txt", body)
    assert crawl(site.url()).ends(site) == ALL_ALLOWED


@pytest.mark.parametrize(
    "body",
    [
        codecs.BOM_UTF8 + RULES,
        RULES.decode().encode("utf-16"),
        codecs.BOM_UTF16_BE + RULES.decode().encode("utf-16-be"),
        RULES.replace(b"D", b"\0D"),
        bytes(9) + RULES + bytes(9),
        RULES.replace(b"\n", b"\r"),
        RULES.replace(b"\n", b"\r\n\r\n"),
        b"x" * 1_000 + b"\n" + RULES,
        b"#" + b"x" * 300_000 + b"\n" + RULES,
        RULES + b"Disallow: /" + b"x" * 1_000_000 + b"\nAllow: /no\n",
    ],
    ids=[
        *("utf-8", "utf-16", "utf-16 be", "nul", "nuls around", "cr", "crlf", "long junk"),
        *("long comment", "1 MB line"),
    ],
)
def test_ways_to_write_it(site: Site, crawl: CrawlSite, body: bytes) -> None:
    pages(site)
    site.robots(body)
    assert crawl(site.url()).ends(site) == OBEYED


@pytest.mark.parametrize("answer", [gzipped(RULES), unsized(RULES)], ids=["gzip", "no length"])
def test_ways_to_send_it(site: Site, crawl: CrawlSite, answer: Route) -> None:
    pages(site)
    site.route("/robots.txt", answer)
    assert crawl(site.url()).ends(site) == OBEYED


# -- too much


def repeated(size: int) -> Iterable[bytes]:
    yield RULES
    yield b"# filler filler filler\n" * (size // 23)
    yield b"Disallow: /yes\n"


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, b"".join(repeated(5_000_000)), "text/plain"),
        bomb(RULES, 200),
        endless(RULES),
        endless(RULES, block=b"x" * 70_000),
    ],
    ids=["5 MB", "gzip bomb", "endless", "endless line"],
)
@pytest.mark.parametrize("engine", ["async", "threads"])
def test_the_start_of_too_much_is_obeyed(
    site: Site, crawl: CrawlSite, answer: Route, engine: str
) -> None:
    pages(site)
    site.route("/robots.txt", answer)
    assert crawl(site.url(), engine=engine, max_body=1000).ends(site) == OBEYED
    site.wait_until(lambda: not site.active)  # nobody goes on reading
    assert site.hits("/robots.txt") == 1
