"""The judge's decisions, each as a table of what a server may answer."""

from hashlib import sha256
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.judge import MAX_HOPS, MOST_STEPS, Judge, Visit
from asyncmultispider.model import FINAL, Extra, Outcome, Reason, Request, Result, State
from asyncmultispider.page import Follow
from asyncmultispider.settings import Settings
from asyncmultispider.spider import Spider
from asyncmultispider.testing import reply, trouble

URL = "http://a.example/dir/page"
SEED = "http://a.example/"


def judge(**options) -> Judge:
    return Judge(Settings(seeds=(SEED,), **options))


def request(url: str = URL, **facts) -> Request:
    return Request(id=7, url=url, host=url.split("/")[2], **facts)


def decide(result: Result, asked: Request | None = None, **options) -> Outcome:
    return judge(**options)(asked or request(), result)


def urls(outcome: Outcome) -> list[str]:
    return [link.url for link in outcome.links]


def skips(outcome: Outcome) -> dict[str, Reason | None]:
    return {link.url: link.skip for link in outcome.links}


def test_the_seeds_are_where_it_begins() -> None:
    seeds = ("http://a.example/", "https://b.example/x?y=1")
    links = Judge(Settings(seeds=seeds, exclude=("*",))).seeds()
    assert [(link.url, link.host, link.depth, link.skip) for link in links] == [
        ("http://a.example/", "a.example", 0, None),
        ("https://b.example/x?y=1", "b.example", 0, None),
    ]


# Pages


@pytest.mark.parametrize("status", [200, 201, 203, 204, 206])
def test_a_page_is_stored(status: int) -> None:
    body = "<title>T</title><link rel=canonical href=/c><p>é"
    asked = request(depth=3, referrer=SEED)
    answer = reply(body, status=status, headers={"x-y": "z"}, elapsed=0.5)
    outcome = decide(answer, asked)
    assert (outcome.request, outcome.state, outcome.reason) == (asked, State.DONE, None)
    assert (outcome.status, outcome.at, outcome.elapsed) == (status, answer.at, 0.5)
    page = outcome.page
    assert page is not None
    assert (page.url, page.status, page.depth, page.referrer) == (URL, status, 3, SEED)
    assert (page.content_type, page.charset, page.title) == ("text/html", "utf-8", "T")
    assert (page.body, page.digest) == (body.encode(), sha256(body.encode()).digest())
    assert (page.headers, page.canonical) == (answer.headers, "http://a.example/c")
    assert (page.at, page.elapsed) == (answer.at, 0.5)
    assert not outcome.overloaded


def test_other_content_is_stored_and_never_parsed() -> None:
    outcome = decide(reply(b"<a href=/x>", content_type="image/png"))
    assert outcome.state is State.DONE
    assert outcome.links == ()
    assert outcome.page is not None
    assert (outcome.page.title, outcome.page.body) == (None, b"<a href=/x>")


def test_links_are_one_deeper_and_known_by_their_host() -> None:
    outcome = decide(reply("<a href=b><a href=/c><a href=b#x>"), request(depth=2))
    assert [(link.url, link.host, link.depth, link.hops) for link in outcome.links] == [
        ("http://a.example/dir/b", "a.example", 3, 0),
        ("http://a.example/c", "a.example", 3, 0),
    ]


def test_links_out_of_scope_and_excluded_ones_are_recorded_as_such() -> None:
    body = "<a href=/in><a href=http://b.example/><a href=/no.pdf><a href=mailto:x@a.example>"
    assert skips(decide(reply(body), exclude=("*.pdf",))) == {
        "http://a.example/in": None,
        "http://b.example/": Reason.SCOPE,
        "http://a.example/no.pdf": Reason.EXCLUDED,
    }


def test_a_link_is_given_out_once() -> None:
    same = judge()
    first = same(request(), reply("<a href=x><a href=y>"))
    second = same(request("http://a.example/dir/other"), reply("<a href=y><a href=z>"))
    assert urls(first) == ["http://a.example/dir/x", "http://a.example/dir/y"]
    assert urls(second) == ["http://a.example/dir/z"]


@pytest.mark.parametrize(("depth", "found"), [(0, 1), (1, 1), (2, 0), (3, 0)])
def test_links_beyond_the_depth_are_not_recorded(depth: int, found: int) -> None:
    outcome = decide(reply("<a href=x>"), request(depth=depth), depth=2)
    assert outcome.state is State.DONE
    assert len(outcome.links) == found


# Directives for robots

NOINDEX = "<meta name=robots content=noindex><a href=x>"
NOFOLLOW = "<meta name=robots content=nofollow><a href=x>"
REL = "<a rel='external nofollow' href=x><a href=y>"


def test_noindex_pages_are_not_stored_but_their_links_are_followed() -> None:
    outcome = decide(reply(NOINDEX))
    assert (outcome.state, outcome.reason, outcome.page) == (State.SKIPPED, "noindex", None)
    assert urls(outcome) == ["http://a.example/dir/x"]
    tagged = decide(reply("<a href=x>", headers={"x-robots-tag": "noindex"}))
    assert (tagged.state, tagged.page) == (State.SKIPPED, None)
    image = decide(reply(b"x", content_type="image/png", headers={"x-robots-tag": "noindex"}))
    assert (image.state, image.page) == (State.SKIPPED, None)


def test_nofollow_pages_are_stored_and_their_links_are_not_followed() -> None:
    outcome = decide(reply(NOFOLLOW))
    assert (outcome.state, outcome.links) == (State.DONE, ())
    assert outcome.page is not None
    tagged = decide(reply("<a href=x>", headers={"x-robots-tag": "none"}))
    assert (tagged.state, tagged.links) == (State.SKIPPED, ())


def test_nofollow_links_are_not_followed() -> None:
    assert urls(decide(reply(REL))) == ["http://a.example/dir/y"]


def test_a_link_met_with_and_without_nofollow_is_followed() -> None:
    body = "<a rel=nofollow href=x><a href=x>"
    assert urls(decide(reply(body))) == ["http://a.example/dir/x"]


@pytest.mark.parametrize("body", [NOINDEX, NOFOLLOW, "<a rel=nofollow href=x>"])
def test_all_that_is_for_robots_may_be_ignored(body: str) -> None:
    outcome = decide(reply(body), ignore_robots=True)
    assert outcome.state is State.DONE
    assert outcome.page is not None
    assert urls(outcome) == ["http://a.example/dir/x"]


def test_directives_for_us_by_name() -> None:
    answer = reply("<a href=x>", headers={"x-robots-tag": "mybot: noindex"})
    assert decide(answer, user_agent="MyBot/2.0").state is State.SKIPPED
    assert decide(answer, user_agent="OtherBot/2.0").state is State.DONE


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_stored_and_leads_on(status: int) -> None:
    answer = reply("see there", status=status, headers={"location": "../new#part"})
    outcome = decide(answer, request(depth=2, hops=4))
    assert (outcome.state, outcome.reason, outcome.status) == (State.DONE, None, status)
    assert outcome.page is not None
    assert (outcome.page.url, outcome.page.status) == (URL, status)
    (link,) = outcome.links
    assert (link.url, link.depth, link.hops) == ("http://a.example/new", 2, 5)


@pytest.mark.parametrize(
    "location", [None, "", "http://[", "mailto:x@y", "ftp://a.example/", "javascript:0"]
)
def test_a_redirect_to_nowhere_fails(location: str | None) -> None:
    headers = {} if location is None else {"location": location}
    outcome = decide(reply("", status=302, headers=headers))
    assert (outcome.state, outcome.reason) == (State.FAILED, "bad-redirect")
    assert (outcome.status, outcome.page, outcome.links) == (302, None, ())


def test_redirects_are_followed_up_to_a_bound() -> None:
    answer = reply("", status=302, headers={"location": "/next"})
    last = decide(answer, request(hops=MAX_HOPS - 1))
    assert (last.state, last.links[0].hops) == (State.DONE, MAX_HOPS)
    over = decide(answer, request(hops=MAX_HOPS))
    assert (over.state, over.reason) == (State.FAILED, "too-many-redirects")
    assert (over.links, over.page) == ((), None)


def test_links_of_a_page_that_was_redirected_to_begin_anew() -> None:
    outcome = decide(reply("<a href=x>"), request(hops=MAX_HOPS))
    assert outcome.links[0].hops == 0


def test_a_redirect_out_of_scope_is_recorded_as_such() -> None:
    answer = reply("", status=301, headers={"location": "https://b.example/"})
    outcome = decide(answer)
    assert outcome.state is State.DONE
    assert skips(outcome) == {"https://b.example/": Reason.SCOPE}


def test_a_location_in_utf_8_is_read_as_such() -> None:
    location = "/caf\u00e9".encode().decode("latin-1")  # as header fields are read
    outcome = decide(reply("", status=302, headers={"location": location}))
    assert urls(outcome) == ["http://a.example/caf%C3%A9"]


@pytest.mark.parametrize("status", [300, 304, 305, 306])
def test_other_3xx_are_no_redirects(status: int) -> None:
    outcome = decide(reply("", status=status, headers={"location": "/x"}))
    assert (outcome.state, outcome.reason) == (State.FAILED, f"http-{status}")


# What went wrong


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451, 501])
def test_a_refusal_is_final(status: int) -> None:
    outcome = decide(reply("<a href=x>", status=status))
    assert (outcome.state, outcome.reason) == (State.FAILED, f"http-{status}")
    assert (outcome.status, outcome.page, outcome.links) == (status, None, ())
    assert not outcome.overloaded


@pytest.mark.parametrize(
    ("status", "strain"), [(500, False), (502, False), (503, True), (429, True)]
)
def test_a_bad_moment_is_tried_again(status: int, strain: bool) -> None:
    answer = reply("", status=status, headers={"retry-after": "20"})
    outcome = decide(answer)
    assert (outcome.state, outcome.reason) == (State.QUEUED, f"http-{status}")
    assert outcome.retry_in == 20
    assert outcome.overloaded == strain
    assert outcome.wait == 20
    last = decide(answer, request(attempt=4))
    assert (last.state, last.reason, last.overloaded) == (State.FAILED, f"http-{status}", strain)
    assert decide(answer, retries=0).state is State.FAILED


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.DNS, Reason.CONNECT, Reason.RESET])
def test_a_host_that_does_not_answer_shows_strain(reason: Reason) -> None:
    outcome = decide(trouble(reason, "the words of libcurl"))
    assert (outcome.state, outcome.reason, outcome.status) == (State.QUEUED, reason, None)
    assert outcome.detail == "the words of libcurl"
    assert outcome.overloaded
    assert 0.5 <= outcome.retry_in <= 1.5
    last = decide(trouble(reason), request(attempt=4))
    assert (last.state, last.reason) == (State.FAILED, reason)


@pytest.mark.parametrize("reason", [Reason.PROTOCOL, Reason.TRUNCATED, Reason.PROXY])
def test_trouble_with_one_page_is_tried_again(reason: Reason) -> None:
    outcome = decide(trouble(reason))
    assert (outcome.state, outcome.overloaded) == (State.QUEUED, False)


@pytest.mark.parametrize(
    "reason", [Reason.TLS, Reason.TOO_LARGE, Reason.PRIVATE_ADDRESS, Reason.BAD_ENCODING]
)
def test_trouble_that_stays_is_final(reason: Reason) -> None:
    outcome = decide(trouble(reason))
    assert (outcome.state, outcome.reason, outcome.overloaded) == (State.FAILED, reason, False)


# robots.txt

ROBOTS = "http://a.example/robots.txt"


def asked(**facts) -> Request:
    return Request(id=0, url=ROBOTS, host="a.example", robots=True, **facts)


def test_rules_that_can_be_read() -> None:
    outcome = decide(reply(b"User-agent: *\n", content_type="text/plain"), asked())
    assert outcome.state is State.DONE
    assert outcome.robots is not None
    assert outcome.robots.text == b"User-agent: *\n"
    assert (outcome.page, outcome.links) == (None, ())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_without_a_robots_txt_all_is_allowed(status: int) -> None:
    outcome = decide(reply("Disallow: /", status=status), asked())
    assert outcome.state is State.DONE
    assert outcome.robots is not None
    assert outcome.robots.text == b""


@pytest.mark.parametrize("status", [429, 500, 503])
def test_rules_are_asked_for_again_and_then_unavailable(status: int) -> None:
    first = decide(reply("", status=status, headers={"retry-after": "9"}), asked())
    assert (first.state, first.retry_in) == (State.QUEUED, 9)
    last = decide(reply("", status=status), asked(attempt=4))
    assert last.state is State.DONE
    assert last.robots is not None
    assert (last.robots.text, last.robots.redirect, last.robots.reason) == (None, None, None)


@pytest.mark.parametrize("status", [501, 505])
def test_a_server_error_that_stays_makes_rules_unavailable_at_once(status: int) -> None:
    outcome = decide(reply("", status=status), asked())
    assert outcome.state is State.DONE
    assert outcome.robots is not None
    assert (outcome.robots.text, outcome.robots.reason) == (None, None)


@pytest.mark.parametrize("reason", [Reason.DNS, Reason.CONNECT, Reason.TIMEOUT, Reason.TLS])
def test_a_host_that_can_not_be_reached_has_a_reason(reason: Reason) -> None:
    outcome = decide(trouble(reason), asked(attempt=4))
    assert outcome.state is State.DONE
    assert outcome.robots is not None
    assert (outcome.robots.text, outcome.robots.reason) == (None, reason)


def test_redirects_of_robots_txt() -> None:
    moved = decide(reply("", status=301, headers={"location": "https://a.example/r"}), asked())
    assert moved.state is State.DONE
    assert moved.robots is not None
    assert moved.robots.redirect == "https://a.example/r"
    assert moved.links == ()
    nowhere = decide(reply("", status=301), asked())
    assert nowhere.robots is not None
    assert nowhere.robots.text == b"", "as if there were none"


# Whatever comes


def test_a_bug_of_ours_fails_that_url_only() -> None:
    with mock.patch("asyncmultispider.judge.Page", side_effect=RuntimeError("boom")):
        outcome = decide(reply("<p>"))
    assert (outcome.state, outcome.reason) == (State.FAILED, "bug")
    assert "boom" in (outcome.detail or "")


def test_links_of_a_page_that_a_bug_cost_are_given_out_again() -> None:
    same = judge()
    with mock.patch("asyncmultispider.judge._row", side_effect=RuntimeError("boom")):
        assert same(request(), reply("<a href=x>")).links == ()
    assert urls(same(request("http://a.example/dir/2"), reply("<a href=x>"))) == [
        "http://a.example/dir/x"
    ]


def test_a_bug_with_robots_txt_still_gives_an_answer() -> None:
    with mock.patch("asyncmultispider.judge._robots_answer", side_effect=RuntimeError("boom")):
        outcome = decide(reply(""), asked())
    assert outcome.robots is not None
    assert outcome.robots.reason is Reason.BUG


@given(
    st.integers(100, 999),
    st.binary(max_size=300)
    | st.text(max_size=100).map(lambda t: f"<a href='{t}'>".encode(errors="replace")),
    st.dictionaries(
        st.sampled_from(["location", "content-type", "x-robots-tag", "retry-after", "link"]),
        st.text(st.characters(max_codepoint=255), max_size=30),
    ),
    st.booleans(),
)
def test_nothing_that_a_server_sends_is_a_bug(status, body, headers, robots) -> None:
    answer = reply(body, status=status, headers=headers, content_type=None)
    outcome = decide(answer, asked() if robots else None)
    assert outcome.reason != "bug", outcome.detail
    assert outcome.state in FINAL | {State.QUEUED}
    assert (outcome.robots is not None) == robots
    assert (outcome.page is not None) <= (outcome.state is State.DONE)


# Parts of pages


def part(steps: int = 1, **facts) -> Request:
    return request("http://b.example/part", extra=Extra(part=steps).as_text(), **facts)


def test_parts_need_not_be_in_scope_but_exclude_holds() -> None:
    body = '<img src="//ads.example/x.gif"><img src="//cdn.example/y.png">'
    outcome = decide(reply(body), page_requisites=True, exclude=("*://ads.example/*",))
    assert skips(outcome) == {
        "http://ads.example/x.gif": Reason.EXCLUDED,
        "http://cdn.example/y.png": None,
    }


def test_parts_of_parts_come_to_an_end() -> None:
    asked, steps = request(), 0
    answer = reply("<embed src=//b.example/more>")
    while (outcome := decide(answer, asked, page_requisites=True)).links:
        (link,) = outcome.links
        asked, steps = request(link.url, depth=link.depth, extra=link.extra), steps + 1
        assert steps <= MOST_STEPS
    assert steps == MOST_STEPS


@pytest.mark.parametrize("head", ["", "<meta name=robots content=noindex>"])
def test_nothing_but_parts_is_followed_from_a_part(head: str) -> None:
    body = f"{head}<meta http-equiv=refresh content=0;url=/r><a href={SEED}x>x</a><img src=i.png>"
    assert urls(decide(reply(body), part(), page_requisites=True)) == ["http://b.example/i.png"]


# Spiders


def visit(spider: Spider, result: Result, asked: Request | None = None) -> Outcome | Visit:
    return Judge(Settings(seeds=(SEED,), retries=0), spider)(asked or request(), result)


def test_errors_of_parts_and_sitemaps_have_no_handler() -> None:
    spider = Spider()
    spider.on(status=404)(lambda page: None)
    assert isinstance(visit(spider, reply("", status=404)), Visit)
    for extra in (Extra(part=1), Extra(sitemap=())):
        judged = visit(spider, reply("", status=404), request(extra=extra.as_text()))
        assert isinstance(judged, Outcome)
        assert (judged.state, judged.reason) == (State.FAILED, "http-404")


@pytest.mark.parametrize("status", [200, 404])
def test_a_handler_that_is_not_there_fails_the_page(status: int) -> None:
    asked = request(extra=Extra(handler="nobody").as_text())
    judged = visit(Spider(), reply("", status=status), asked)
    assert isinstance(judged, Outcome)
    assert (judged.state, judged.reason) == (State.FAILED, Reason.HANDLER)
    assert "'nobody'" in (judged.detail or "")


def test_what_a_handler_makes_of_a_page_is_not_stored() -> None:
    spider = Spider()
    spider.on()(lambda page: None)
    the_judge = Judge(Settings(seeds=(SEED,)), spider)
    visit = the_judge(request(), reply("<title>T</title>"))
    assert isinstance(visit, Visit)
    visit.page.url, visit.page.body, visit.page.title = "http://z.example/", b"", None
    page = the_judge.conclude(visit, []).page
    assert page is not None
    assert (page.url, page.body, page.title) == (URL, b"<title>T</title>", "T")


@pytest.mark.parametrize("follow", [Follow("no URL"), Follow(SEED, "high"), Follow(SEED, 10**9)])
def test_links_of_a_page_that_failed_late_are_given_out_again(follow: Follow) -> None:
    spider = Spider()
    spider.on()(lambda page: None)
    the_judge = Judge(Settings(seeds=(SEED,), page_requisites=True), spider)
    visit = the_judge(request(), reply("<img src=/i.png>"))
    assert isinstance(visit, Visit)
    assert the_judge.conclude(visit, [follow]).state is State.FAILED
    assert urls(the_judge.conclude(visit, [])) == ["http://a.example/i.png"]
