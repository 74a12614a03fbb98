"""Pages that may be too much are read in another process."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread

import pytest

from asyncmultispider import quarantine
from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.page import Findings, Page, is_outlier, outlier
from asyncmultispider.quarantine import Quarantine
from asyncmultispider.testing import reply
from crawling import Crawled, links
from webserver import Reply, Site

CrawlSite = Callable[..., Crawled]
REQUEST = Request(id=1, url="http://a.example/", host="a.example")
FORMATTING = b"".join(b"<b id=%d><p>" % i for i in range(40_000))
MERGING = b"<title>x</title>" + b"".join(b"<BoDy a%d>" % i for i in range(40_000))
SOUP = b"<div>" * 507 + b"<table><tr><td></tr><i><p></i>"
"""The parser does not survive it."""
PAGE = """<!doctype html><title>Tübingen</title><base href=/b/><link rel=canonical href=c>
<meta name=robots content=noarchive,nofollow><a href=1>1</a><a href=2 rel=nofollow>2</a>
<a href=3 rel=nofollow>3</a><a href=3>3</a><link rel=next href=4>""".encode("iso-8859-15")


@pytest.fixture
def reader() -> Iterator[Quarantine]:
    with closing(Quarantine("bot")) as reader:
        yield reader


def page(body: bytes) -> Response:
    return reply(body, content_type="text/html; charset=iso-8859-15")


def read(reader: Quarantine, body: bytes) -> tuple[Result, Findings | None]:
    return reader.read(REQUEST, page(body))


def test_it_finds_what_is_found_here(reader: Quarantine) -> None:
    result, findings = read(reader, PAGE)
    assert isinstance(result, Response)
    assert findings is not None
    here, there = Page(REQUEST, page(PAGE), "bot"), Page(REQUEST, page(PAGE), "bot")
    there.know(findings)
    for name in ("title", "charset", "base", "canonical", "robots", "links"):
        assert getattr(there, name) == getattr(here, name), name
    hrefs = list(here.facts.anchors)
    assert hrefs == ["1", "2", "3", "4"]
    may = [here.facts.may_follow(href) for href in hrefs]
    assert may == [there.facts.may_follow(href) for href in hrefs] == [True, False, True, True]


@pytest.mark.parametrize("bomb", [FORMATTING, MERGING])
def test_a_bomb_costs_only_itself(reader: Quarantine, bomb: bytes) -> None:
    assert is_outlier(bomb)
    failure, findings = read(reader, bomb)
    assert isinstance(failure, Failure)
    assert (failure.reason, findings) == (Reason.TOO_COMPLEX, None)
    assert "MB of memory" in failure.detail
    assert read(reader, PAGE)[1] is not None


def test_time_is_bounded(reader: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    start = quarantine._start

    def start_hurried() -> object:
        process = start()
        os.kill(process.pid, signal.SIGPROF)  # as its timer does
        return process

    monkeypatch.setattr(quarantine, "_start", start_hurried)
    failure, _ = read(reader, PAGE)
    assert isinstance(failure, Failure)
    assert "s of CPU" in failure.detail


def test_one_that_died_by_itself_is_replaced_and_no_page_is_to_blame(reader: Quarantine) -> None:
    assert read(reader, PAGE)[1] is not None
    assert reader._reader is not None
    reader._reader.kill()
    reader._reader.wait()
    assert read(reader, PAGE)[1] is not None


def test_a_large_page_may_take_more_than_the_small_one_before(reader: Quarantine) -> None:
    assert read(reader, b"<b>" * 1000)[1] is not None
    assert read(reader, b"<p>" + b"word " * 12_000_000)[1] is not None


def test_one_that_is_stopped_is_given_up(
    reader: Quarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(reader, PAGE)[1] is not None
    monkeypatch.setattr(quarantine, "PATIENCE", 0.1)
    assert reader._reader is not None
    reader._reader.send_signal(signal.SIGSTOP)
    failure, _ = read(reader, PAGE)
    assert isinstance(failure, Failure)
    assert failure.detail == "parsing it did not end"


def test_it_can_be_closed_while_it_reads() -> None:
    reader = Quarantine("bot")
    assert read(reader, PAGE)[1] is not None
    assert reader._reader is not None
    reader._reader.send_signal(signal.SIGSTOP)
    ends: list[Result] = []
    thread = Thread(target=lambda: ends.append(read(reader, PAGE)[0]))
    thread.start()
    reader.close()
    thread.join(10)
    assert [type(end) for end in ends] == [Failure]
    assert isinstance(read(reader, PAGE)[0], Failure), "and is not started again"


def test_which_pages_are_meant() -> None:
    text = b"<p>text " * 100
    assert not is_outlier(text)
    assert not is_outlier(b"<p>" + b"x" * (outlier.LARGE - 3))
    assert is_outlier(b"<p>" + b"x" * outlier.LARGE)
    many = b"<p>text, and more text</p>" * (outlier.MANY // 2)
    assert not is_outlier(many)
    assert is_outlier(many + b"<p>")
    soup = b"<div>" * outlier.DEEP
    assert not is_outlier(soup)
    assert is_outlier(soup + b"<p>")
    assert is_outlier(soup + b"<p>" + b"</div>" * outlier.DEEP)
    assert is_outlier((text * 100).decode().encode("utf-16"))
    large = b"<p>" + b"x" * outlier.LARGE
    assert Quarantine.case_in(REQUEST, page(large)) is not None
    assert Quarantine.case_in(REQUEST, reply(large, content_type="image/png")) is None
    assert Quarantine.case_in(REQUEST, reply(large, status=404, content_type="text/html")) is None


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_crawls_read_all_pages(site: Site, crawl: CrawlSite, engine: str) -> None:
    filler = "<p>text text" * outlier.MANY
    site.page(
        "/", f"<title>Large</title>{links('/large', '/bomb', '/plain', '/moved', '/lost')}{filler}"
    )
    site.page("/large", f"{filler}<a href=/found>x</a><a href=/held rel=nofollow>x</a>")
    site.route("/bomb", Reply(200, MERGING))
    site.page("/plain", links("/other"))
    site.route("/moved", Reply(302, SOUP, headers=(("Location", "/found"),)))
    site.route("/lost", Reply(404, SOUP))
    site.page("/*", "x")
    crawled = crawl(site.url(), engine=engine, processes=2 if engine == "processes" else None)
    assert crawled.ends(site) == {
        "/": "done",
        "/large": "done",
        "/bomb": "failed:too-complex",
        "/plain": "done",
        "/moved": "done",
        "/lost": "failed:http-404",
        "/found": "done",
        "/other": "done",
    }
    assert crawled.pages[site.url()]["title"] == "Large"
