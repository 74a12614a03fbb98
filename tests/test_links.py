"""The link filter: from hrefs to links for the frontier, each at least once."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider import links
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.memory import MemoryLedger
from asyncmultispider.judge import Judge
from asyncmultispider.links import LONGEST, LinkFilter
from asyncmultispider.model import Request, State
from asyncmultispider.page import Page
from asyncmultispider.settings import Settings
from asyncmultispider.testing import Driver, FakeClock, reply
from asyncmultispider.urls import canonicalize, is_web
from asyncmultispider.urls.scope import Scope

A = "http://a.example"


def make_filter() -> LinkFilter:
    return LinkFilter(Scope("any", (f"{A}/",)))


def page(url: str, body: str) -> Page:
    return Page(Request(id=1, url=url, host=url.split("/")[2]), reply(body))


def anchors(*hrefs: str) -> str:
    return "".join(f'<a href="{href}">x</a>' for href in hrefs)


def fresh(filter: LinkFilter, url: str, body: str, *, obedient: bool = False) -> list[str]:
    """The paths that a page brings."""
    it = page(url, body)
    wanted = it.facts.may_follow if obedient else None
    return [link.url.removeprefix(A) for link in filter.fresh(it, wanted)]


# Bases


@pytest.mark.parametrize(
    "base", ["data:text/html,x", "javascript:void(0)", "JavaScript:0", "http:"]
)
def test_a_base_that_is_none_leaves_the_page_as_base(base: str) -> None:
    body = f'<base href="{base}">' + anchors("x", "/y", "http://b.example/z")
    assert fresh(make_filter(), f"{A}/dir/page", body) == ["/dir/x", "/y", "http://b.example/z"]


@pytest.mark.parametrize("base", ["about:blank", "mailto:me@a.example", "tel:1", "urn:x?y/z"])
def test_a_base_without_a_path_leaves_absolute_links_alone(base: str) -> None:
    body = f'<base href="{base}">' + anchors("x", "/y", "?z", "#f", "", f"{A}/abs")
    filter = make_filter()
    assert fresh(filter, f"{A}/dir/page", body) == ["/abs"]
    assert fresh(filter, f"{A}/dir/other", anchors("x")) == ["/dir/x"]


@pytest.mark.parametrize("base", ["about:blank", "mailto:x", "javascript:0", "data:,x", "x:y"])
def test_no_base_is_a_bug_of_ours(base: str) -> None:
    judge = Judge(Settings(seeds=(f"{A}/",)))
    body = f'<base href="{base}">' + anchors("x", f"{A}/abs")
    outcome = judge(Request(id=1, url=f"{A}/", host="a.example"), reply(body))
    assert (outcome.state, outcome.reason, outcome.detail) == (State.DONE, None, None)
    assert f"{A}/abs" in [link.url for link in outcome.links]


# What an href means depends on where it stands


def test_the_same_href_in_two_directories() -> None:
    filter = make_filter()
    body = anchors("x", "./y", "../z", "/top")
    assert fresh(filter, f"{A}/one/page", body) == ["/one/x", "/one/y", "/z", "/top"]
    assert fresh(filter, f"{A}/two/page", body) == ["/two/x", "/two/y"]
    assert fresh(filter, f"{A}/one/more", body) == []
    assert fresh(filter, f"{A}/two/page?q=/three/", body) == []


def test_query_only_fragments_and_empty_hrefs() -> None:
    filter = make_filter()
    body = anchors("?q=2", "#top", "", "?q=2#top")
    assert fresh(filter, f"{A}/dir/one?q=1", body) == ["/dir/one?q=2", "/dir/one?q=1"]
    assert fresh(filter, f"{A}/dir/two?q=1", body) == ["/dir/two?q=2", "/dir/two?q=1"]
    assert fresh(filter, f"{A}/dir/two?q=3", body) == ["/dir/two?q=3"]


def test_fragments_make_no_links_of_their_own() -> None:
    filter = make_filter()
    assert fresh(filter, f"{A}/", anchors("x#1", "x#2", "x", "y#1")) == ["/x", "/y"]
    assert fresh(filter, f"{A}/", anchors("x#3", "y", "y#2")) == []


def test_a_base_element_is_the_directory_that_counts() -> None:
    filter = make_filter()
    assert fresh(filter, f"{A}/one/", '<base href="/two/">' + anchors("x")) == ["/two/x"]
    assert fresh(filter, f"{A}/one/", anchors("x")) == ["/one/x"]
    assert fresh(filter, f"{A}/two/", anchors("x")) == []


def test_in_a_legacy_encoding_the_same_href_is_another_link() -> None:
    filter, body = make_filter(), anchors("/?q=é")
    utf8 = Page(Request(id=1, url=f"{A}/", host="a.example"), reply(body))
    latin = Page(
        Request(id=2, url=f"{A}/", host="a.example"),
        reply(body.encode("latin-1"), content_type="text/html; charset=iso-8859-1"),
    )
    found = [[link.url for link in filter.fresh(each)] for each in (utf8, latin, utf8)]
    assert found == [[f"{A}/?q=%C3%A9"], [f"{A}/?q=%E9"], []]


# rel=nofollow

PLAIN, NOFOLLOW = '<a href="/x">', '<a href="/x" rel="nofollow">'


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (NOFOLLOW, []),
        (NOFOLLOW * 3, []),
        (NOFOLLOW + PLAIN, ["/x"]),
        (PLAIN + NOFOLLOW, ["/x"]),
        (NOFOLLOW + NOFOLLOW + PLAIN + NOFOLLOW, ["/x"]),
        ('<area href="/x" rel="Nofollow ugc">' + NOFOLLOW, []),
        (NOFOLLOW + '<link rel="next" href="/x">', ["/x"]),
    ],
)
def test_one_element_that_may_be_followed_is_enough(body: str, found: list[str]) -> None:
    assert fresh(make_filter(), f"{A}/", body, obedient=True) == found


def test_what_may_not_be_followed_here_may_be_elsewhere() -> None:
    filter = make_filter()
    assert fresh(filter, f"{A}/", NOFOLLOW, obedient=True) == []
    assert fresh(filter, f"{A}/", PLAIN, obedient=True) == ["/x"]
    assert fresh(filter, f"{A}/", PLAIN, obedient=True) == []


# What it remembers is bounded


def test_an_endless_href_is_no_link() -> None:
    room = LONGEST - len("/")
    filter = make_filter()
    body = anchors("/" + "x" * room, "/" + "y" * (room + 1), "/" + "z" * 1_000_000, "/ok")
    assert fresh(filter, f"{A}/", body) == ["/" + "x" * room, "/ok"]


def test_it_forgets_by_characters_and_not_by_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "REMEMBERED", 20_000)
    filter, body = make_filter(), anchors(*(f"/{n}{'x' * 5_000}" for n in range(5)))
    first = fresh(filter, f"{A}/", body)
    assert len(first) == 5
    assert fresh(filter, f"{A}/", body) == first


def test_forgetting_costs_the_frontier_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "".join(f'<a href="/{n}"><a href="{n}#x"><a href="?p={n}">' for n in range(40))

    def admitted() -> tuple[list[str], int]:
        settings = Settings(seeds=(f"{A}/",), ignore_robots=True, delay_factor=0, limit=99)
        judge, clock = Judge(settings), FakeClock()
        frontier = LocalFrontier(MemoryLedger(), settings, now=clock.monotonic(), wall=clock.time())
        frontier.add(judge.seeds())
        given = 0

        def answer(request: Request):
            nonlocal given
            found = body if "?" not in request.url else anchors("/", "/1")
            outcome = judge(request, reply(found))
            given += len(outcome.links)
            return outcome

        sent = Driver(frontier, clock).run(answer)
        return sorted(request.url for request in sent), given

    well = admitted()
    monkeypatch.setattr(links, "REMEMBERED", 500)
    badly = admitted()
    assert badly[0] == well[0]
    assert badly[1] > well[1], "nothing was forgotten"


HREFS = ["x", "x#f", "/x", "./x", "../x", "", "#f", "?q", "é", "/y?é", "http://[", "mailto:m", A]
PAGES = [f"{A}/", f"{A}/d/", f"{A}/d/p", f"{A}/d/p?a/b", f"{A}/d/e/", "https://a.example/d/"]
BASES = ["", '<base href="/d/">', '<base href="about:blank">', '<base href="p?x/y">']
ANCHORS = st.lists(st.tuples(st.sampled_from(HREFS), st.booleans()), max_size=6)


@given(
    st.lists(st.tuples(st.sampled_from(PAGES), st.sampled_from(BASES), ANCHORS), max_size=12),
    st.sampled_from([0, 60, 10_000]),
)
def test_every_link_that_may_be_followed_is_given_out(visits, remembered: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "REMEMBERED", remembered)
        filter, given_out = make_filter(), set()
        for url, base, hrefs in visits:
            it = page(
                url,
                base + "".join(f'<a href="{h}"{" rel=nofollow" * no}>x</a>' for h, no in hrefs),
            )
            given = [link.url for link in filter.fresh(it, it.facts.may_follow)]
            expected = set(resolved(it, (href for href, no in hrefs if not no)))
            assert len(given) == len(set(given))
            assert set(given) <= expected
            given_out |= set(given)
            assert expected <= given_out


def resolved(it: Page, hrefs: Iterable[str]) -> Iterable[str]:
    for href in hrefs:
        try:
            url = canonicalize(it.encoded(href), it.base)
        except ValueError:
            continue
        if is_web(url):
            yield url
