"""Traps: odd URLs, families of URLs, and evidence against a family."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider import traps
from asyncmultispider.traps import Evidence, family, oddity, session_id, without_session
from asyncmultispider.urls import canonicalize

A = "https://a.example"
HEX = "0123456789abcdef0123456789abcdef"


# Odd by themselves


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/" + "a" * 4096, "a URL of more than 4096 characters"),
        ("/" + "/".join(map(str, range(33))), "a path of more than 32 segments"),
        ("/a/a/a/a", "/a repeated 4 times"),
        ("/b/a/a/a/a/a/c", "/a repeated 5 times"),
        ("/1/1/1/1", "/1 repeated 4 times"),
        ("/x/css/img/css/img/css/img/css/img/", "/css/img repeated 4 times"),
        ("/a/b/c/a/b/c/a/b/c/a/b/c", "/a/b/c repeated 4 times"),
        ("//////", "/ repeated 6 times"),
        ("/" + "".join(f"up/{i}/" for i in range(7)), "segment up repeated 7 times"),
        ("/?q=1&q=1&q=1&q=1", "parameter q=1 repeated 4 times"),
        ("/?q=1;q=1;q=1;q=1", "parameter q=1 repeated 4 times"),
        ("/?to=x?to=x?to=x?to=x", "parameter to=x repeated 4 times"),
        ("/?" + "&".join(f"a{i}=1" for i in range(33)), "more than 32 parameters"),
        ("/?" + "&".join(f"a={i}" for i in range(17)), "parameter a repeated 17 times"),
        ("/?" + "&".join("a" for i in range(17)), "parameter a repeated 17 times"),
        ("/?to=%25252525252Fx", "an escape escaped again and again"),
    ],
)
def test_what_is_odd_of_a_url(path: str, what: str) -> None:
    assert oddity(canonicalize(A + path)) == what


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/2011/11/11/11",
        "/a/a/a",
        "/a/b/a/b/a/b/",
        "/doc/html/boost/proto/functional/std/impl/impl/impl.html",
        "/" + "/".join(map(str, range(31))) + "/",
        "/?q=1&q=1&q=1",
        "/?" + "&".join(f"tag={i}" for i in range(16)),
        "/?" + "&".join(f"a{i}=1" for i in range(32)),
        "/?a=1&amp;b=2&amp;c=3&amp;d=4&amp;e=5",
        "/?u=/a/a/a/a/a",
        "/wiki/%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%80",
        "/" + "a" * 2000,
    ],
)
def test_what_is_not_odd(path: str) -> None:
    assert oddity(canonicalize(A + path)) is None


# Families


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/", "/*"),
        ("/index.html", "/*"),
        ("/docs/", "/docs/*"),
        ("/docs/a/b/c/d.html", "/docs/*"),
        ("/2024/05/17/", "/N/*"),
        ("/page12/x", "/pageN/*"),
        ("/caf%C3%A9-7/x", "/caf%C3%A9-N/*"),
        ("/5f3a9c0b12d4/x", "/N/*"),
        ("/(S(lit3py55t21z5v55vlm25s55))/x.aspx", "/N/*"),
        ("/cal.php?year=2031&month=5", "/*?month&year"),
        ("/shop/list?b&a[1]=2&a[2]=3", "/shop/*?a[N]&b"),
        ("/?a=1&b=2&c=3&d=4&e=5", "/*?*"),
        ("/list;size=2/x;page=3?q=1", "/list/*?page&q&size"),
        ("/x?", "/*"),
        ("/x?&&", "/*"),
    ],
)
def test_the_family_of_a_url(path: str, pattern: str) -> None:
    assert family(canonicalize(A + path)) == pattern


def test_the_host_is_no_part_of_a_family() -> None:
    assert family("http://a.example:8080/x/y") == family("https://u@b.example/x/z") == "/x/*"


# Session ids


@pytest.mark.parametrize(
    ("path", "name", "short"),
    [
        (f"/a?PHPSESSID={HEX}", "phpsessid", "/a"),
        (f"/a?x=1&PHPSESSID={HEX}&y=2", "phpsessid", "/a?x=1&y=2"),
        (f"/a?PHPSESSID={HEX}&y=2", "phpsessid", "/a?y=2"),
        ("/a;jsessionid=0A1B2C3D4E5F.node1?x=1", "jsessionid", "/a?x=1"),
        ("/a;jsessionid=0A1B2C3D4E5F/b", "jsessionid", "/a/b"),
        (f"/?sid={HEX}", "sid", "/"),
        (f"/?session_id={HEX}#x", "session_id", "/"),
        (f"/viewtopic.php?t=5&sid={HEX}", "sid", "/viewtopic.php?t=5"),
        (f"/index.php?s={HEX}&f=2", "s", "/index.php?f=2"),
        ("/x?CFID=12345&CFTOKEN=87654321&p=1", "cfid", "/x?p=1"),
        ("/x.asp?ASPSESSIONIDQQGGQ0=ABCDEF1GHIJK", None, "/x.asp?ASPSESSIONIDQQGGQ0=ABCDEF1GHIJK"),
        ("/x.asp?ASPSESSIONIDQQGG=ABCDEF1GHIJK", "aspsessionidqqgg", "/x.asp"),
        (f"/x?osCsid={HEX}", "oscsid", "/x"),
        (f"/x?zenid={HEX}", "zenid", "/x"),
        ("/(S(lit3py55t21z5v55vlm25s55))/x.aspx", "s", "/x.aspx"),
    ],
)
def test_a_session_id_is_found_and_taken_away(path: str, name: str | None, short: str) -> None:
    url = canonicalize(A + path)
    assert session_id(url) == name
    assert without_session(url) == A + short


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a?sid=12",
        "/a?sid=introduction-to-session-ids",
        "/?s=search+words",
        f"/?s={HEX}0",
        f"/?id={HEX}",
        f"/?mysid={HEX}",
        "/?sessionid=expired",
        "/talk?session_id=12345678901234567890",
        "/talk?sessionid=3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "/wiki/Session_(S(1))/x",
        "/x?CFID=12",
        f"/sid={HEX}",
        f"/x&sid={HEX}",
        "/?",
        "/?&",
    ],
)
def test_what_is_no_session_id(path: str) -> None:
    assert session_id(A + path) is None
    assert without_session(A + path) == A + path


def test_urls_that_differ_in_their_session_are_one() -> None:
    urls = {f"{A}/p;jsessionid={i:032x}?x=1" for i in range(10)}
    assert {without_session(url) for url in urls} == {f"{A}/p?x=1"}


# All URLs

PARTS = st.sampled_from(
    [*"/?;&=.%aZ07(", "sid=", "s=", HEX, ";jsessionid=", "/(S(", "))/", "%2525", "/a/b", "é", "\n"]
)
URLS = (st.lists(PARTS, max_size=60).map("".join) | st.text()).map(
    lambda path: canonicalize(f"{A}/{path}")
)


@given(URLS)
def test_rules_hold_for_all_urls(url: str) -> None:
    odd = oddity(url)
    assert odd is None or (odd and len(odd) < 200 and odd.isascii() and odd.isprintable())
    pattern = family(url)
    assert pattern.startswith("/")
    assert len(pattern) < 300
    assert pattern.isascii()
    assert pattern.isprintable()
    short = without_session(url)
    assert (session_id(url) is None) == (short == url)
    assert len(short) <= len(url)
    assert session_id(short) is None


@given(st.text(string.printable), st.text(string.printable))
def test_a_family_does_not_look_below_the_first_segment(one: str, other: str) -> None:
    one, other = (text.replace("\\", "/").strip("./ \t\n\r\x0b\x0c") for text in (one, other))
    urls = [canonicalize(f"{A}/x/y/z/{part.translate(PLAIN)}") for part in (one, other)]
    assert {family(url) for url in urls} == {"/x/*"}


PLAIN = {ord(char): "_" for char in "?#;./%"}


# Evidence


def looks(evidence: Evidence, pages: int) -> int:
    """How many of so many pages it wants to look at, when all say something new."""
    wanted = 0
    for _ in range(pages):
        if evidence.wants_look():
            wanted += 1
            evidence.learn(1000 + evidence.looked)
    return wanted


def test_the_first_pages_of_a_family_are_left_alone() -> None:
    evidence = Evidence()
    assert looks(evidence, traps.UNWATCHED) == 0
    assert evidence.wants_look()


def test_a_family_that_says_new_things_is_looked_at_seldom() -> None:
    evidence = Evidence()
    looks(evidence, 10_000)
    assert looks(evidence, 100 * traps.FARTHEST) == 100
    assert (evidence.score, evidence.known, evidence.suspected) == (0, 0, False)


def test_a_family_that_says_the_same_is_suspected() -> None:
    evidence = Evidence()
    pages = 0
    while not evidence.suspected:
        pages += 1
        if evidence.wants_look():
            evidence.learn(7)
    assert pages == traps.UNWATCHED + traps.SUSPECTED + 1
    assert (evidence.looked, evidence.known) == (traps.SUSPECTED + 1, traps.SUSPECTED)


def test_a_trap_that_begins_late_is_found() -> None:
    evidence = Evidence()
    looks(evidence, 10_000)
    pages = 0
    while not evidence.suspected:
        pages += 1
        if evidence.wants_look():
            evidence.learn(7)
    assert pages < traps.FARTHEST * 2 + 5 * traps.SUSPECTED


def test_one_new_page_in_ten_acquits() -> None:
    evidence = Evidence()
    for n in range(5_000):
        evidence.learn(n if n % 10 == 0 else 1)
        assert evidence.score < traps.SUSPECTED / 2


def test_pages_in_flight_may_be_learnt_in_any_order() -> None:
    evidence = Evidence()
    wanted = [evidence.wants_look() for _ in range(traps.UNWATCHED + 450)]
    assert sum(wanted) == 450
    for gist in range(450):
        evidence.learn(gist)
    assert evidence.looked == 450


def test_the_oldest_gists_are_forgotten() -> None:
    evidence = Evidence()
    for gist in range(traps.REMEMBERED + 1):
        evidence.learn(gist)
    evidence.learn(1)
    assert evidence.known == 1
    evidence.learn(0)
    assert evidence.known == 1


def test_a_family_that_says_nothing_new_and_does_not_end_is_a_trap() -> None:
    evidence = Evidence()
    evidence.breed(1)
    assert evidence.fertile == 0, "nobody looks at where ordinary pages lead to"
    for _ in range(traps.SUSPECTED + 1):
        evidence.learn(7)
    for _ in range(traps.ENDLESS - 1):
        evidence.breed(1)
    assert not evidence.trapped
    evidence.breed(1)
    assert evidence.trapped


def test_at_the_end_of_a_long_chain_less_will_do() -> None:
    evidence = Evidence()
    for _ in range(traps.SUSPECTED + 1):
        evidence.learn(7)
    for depth in range(traps.DEEP):
        evidence.breed(depth)
    assert not evidence.trapped
    evidence.breed(traps.DEEP)
    assert evidence.trapped


def test_something_new_acquits_it() -> None:
    evidence = Evidence()
    for _ in range(traps.SUSPECTED + 1):
        evidence.learn(7)
    evidence.breed(1)
    evidence.learn(8)
    assert (evidence.suspected, evidence.fertile) == (False, 0)
