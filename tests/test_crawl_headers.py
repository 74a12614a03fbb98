"""The user's own header fields: they may be secrets, and go to the seeds' hosts only."""

from collections.abc import Callable, Iterable

import pytest

from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.model import Request, Response
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of
from crawling import Crawled, links
from webserver import Certificates, Site

CrawlSite = Callable[..., Crawled]

OWN = (("Authorization", "Bearer s3cret"), ("X-Key", "s3cret"))


def bearers(site: Site) -> list[str]:
    """The paths of the requests that came with our own fields."""
    requests = [request for request in site.requests if "s3cret" in str(request.headers)]
    assert all({"authorization", "x-key"} <= request.headers.keys() for request in requests)
    return [request.path for request in requests]


def fetch(seeds: Iterable[str], *urls: str) -> None:
    """Fetch these, one after the other, with one handle."""
    fetcher = CurlFetcher(Settings(seeds=tuple(seeds), headers=OWN, allow_private=("all",)))
    try:
        for url in urls:
            request = Request(id=0, url=url, host=host_of(url))
            assert isinstance(fetcher.fetch(request), Response)
    finally:
        fetcher.close()


def test_no_other_host_gets_them(site: Site, other: Site, crawl: CrawlSite) -> None:
    site.redirect("/robots.txt", other.url("/robots.txt"))
    site.page("/", links("/in", "/hop", other.url("/linked"), other.url("/back")))
    site.page("/in", "in")
    site.redirect("/hop", other.url("/there"))
    other.page("/*", "other")
    other.redirect("/back", site.url("/home"))
    site.page("/home", "home")
    crawled = crawl(site.url(), scope="any", allow_private=("all",), headers=OWN)
    assert set(crawled.states.values()) == {"done"}
    assert sorted(bearers(site)) == sorted(site.paths)
    assert {"/robots.txt", "/", "/in", "/hop", "/home"} == set(site.paths)
    assert bearers(other) == []
    assert {"/robots.txt", "/linked", "/there", "/back"} == set(other.paths)


def test_every_seed_gets_them(site: Site, other: Site, crawl: CrawlSite) -> None:
    for each in (site, other):
        each.page("/", "seed")
    crawl(site.url(), other.url(), headers=OWN)
    assert bearers(site) == bearers(other) == ["/robots.txt", "/"]


def test_a_handle_forgets_them_on_its_way_to_another_host(site: Site, other: Site) -> None:
    for each in (site, other):
        each.page("/*", "x")
    urls = [site.url("/1"), other.url("/2"), site.url("/3"), other.url("/4")]
    fetch([site.url()], *urls)
    assert bearers(site) == ["/1", "/3"]
    assert bearers(other) == []
    accepted = {request.headers["accept"] for each in (site, other) for request in each.requests}
    assert len(accepted) == 1, "what is not the user's own is sent to all"


def test_what_was_named_as_https_gets_none_over_http(site: Site) -> None:
    site.page("/*", "x")
    seed = site.url("/").replace("http:", "https:")
    fetch([seed], site.url("/1"))
    assert bearers(site) == []
    fetch([seed, site.url("/")], site.url("/2"))
    assert bearers(site) == ["/2"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_scheme_is_another_origin(trusted: Certificates, scheme: str) -> None:
    with Site(tls=trusted.valid) as site:
        site.page("/", "x")
        fetch([site.url("/").replace("https:", f"{scheme}:")], site.url("/"))
        assert bearers(site) == (["/"] if scheme == "https" else [])
