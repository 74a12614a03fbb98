"""What a page says: equal for the pages of a trap, different for those of a site."""

from calendar import monthcalendar
from collections.abc import Callable, Iterator
from itertools import count, islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider import traps
from asyncmultispider.model import Request
from asyncmultispider.page import Page
from asyncmultispider.page.gist import LARGEST, WEIGHED, gist
from asyncmultispider.testing import reply
from asyncmultispider.traps import Evidence, family, oddity

A = "http://a.example"
TOP = '<title>Site</title><ul><li><a href="/">Home</a><li><a href="/about">About</a></ul>'
WORDS = [
    a + b + c for a in ("ba", "co", "di", "fu", "ki") for b in ("ra", "li", "to") for c in "nrs"
]
Pages = Iterator[tuple[str, str]]


def page(path: str, body: str | bytes, kind: str = "text/html") -> Page:
    url = A + path
    answer = reply(body, content_type=kind)
    return Page(Request(id=1, url=url, host="a.example"), answer)


def same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return gist(page(*one)) == gist(page(*other))


# One page and another


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("/d/5", "Nothing on day 5"), ("/d/6", "Nothing on day 6")),
        (("/d/05", "Nothing on day 5"), ("/d/6", "Nothing on day 06")),
        (("/d/20310517", "No events: 17. 5. 2031"), ("/d/20310618", "No events: 18.6.2031")),
        (("/no/such", "Not found: /no/such"), ("/never", "Not found: /never")),
        (("/caf%C3%A9", "CAFÉ is unknown"), ("/x", "is unknown")),
        (("/?p=5", 'Page 5 <a href="?p=6">6</a>'), ("/?p=6", 'Page 6 <a href="?p=7">7</a>')),
        (("/a/", 'See <a href="b/">b</a>'), ("/a/b/", 'See <a href="c/">c</a>')),
        (("/a", "<p>Some   words"), ("/b", "<div>SOME</div> words<!-- 5 -->")),
        (("/a", "text<script>t=1</script>"), ("/b", "text<script>t=2</script>")),
    ],
)
def test_what_an_address_says_does_not_count(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("/a", "one thing"), ("/b", "another thing")),
        (("/a", "one thing"), ("/b", "thing one")),
        (("/a", "Price: 17"), ("/b", "Price: 18")),
        (("/p/1", '1 <img src="/1.jpg">'), ("/p/2", '2 <img src="/2.jpg">')),
        (("/p?n=1", '1 <a href="/x/lamp">Lamp</a>'), ("/p?n=2", '2 <a href="/x/sofa">Sofa</a>')),
        (("/l/1/", '1 <a href="/l/lamp">Lamp</a>'), ("/l/2/", '2 <a href="/l/sofa">Sofa</a>')),
        (
            ("/a", "x <a href='http://b.example/7'>7</a>"),
            ("/b", "x <a href='http://b.example/8'>8</a>"),
        ),
        (("/a", "x" * WEIGHED + " one"), ("/b", "x" * WEIGHED + " two")),
        (("/a", "<script>one</script>"), ("/b", "<script>two</script>")),
        (("/a", "<img src=1>"), ("/b", "<img src=2>")),
        (("/a", ""), ("/b", " ")),
    ],
)
def test_what_a_page_says_counts(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert not same(one, other)


def test_a_session_id_takes_no_words_away() -> None:
    text = "Page 1 of 3: a cafe in 1999"
    assert same((f"/x?sid={'1a9c' * 8}", text), (f"/x?sid={'3cafe0ff' * 4}", text))


def test_other_content_is_what_its_bytes_are() -> None:
    one, other = page("/1", b"%PDF 1", "application/pdf"), page("/2", b"%PDF 1", "application/pdf")
    assert gist(one) == gist(other)
    assert gist(one) != gist(page("/1", b"%PDF 2", "application/pdf"))


def test_a_large_page_is_not_read() -> None:
    large = page("/1", "word " * (LARGEST // 5 + 1))
    gist(large)
    assert "document" not in vars(large)


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 50_000,
        "<table>" + "<tr><td>x" * 1000 + "<tr><td>" + "y" * 50_000,
        '<a href="http://[">x</a><a href="">y</a><a href="javascript:0">z</a>words',
        '<base href="data:x">words <a href="x">y</a>',
        "0" * 50_000 + " " + "7" * 50_000,
        f'words <a href="/{"9" * 50_000}">x</a>',
        f'words <a href="?{"%41" * 1000}">x</a>',
        "İẞﬀ ٣٤ ०१ " * 500,
    ],
)
def test_strange_pages_have_one(body: str) -> None:
    assert 0 <= gist(page("/a%FF/b;c=%00?d=%", body)) < 2**64


@given(st.text(), st.binary())
def test_every_page_has_one(text: str, body: bytes) -> None:
    assert gist(page("/0/00%2f", text)) == gist(page("/0/00%2f", text))
    assert 0 <= gist(page("/", body)) < 2**64


# Whole sites


def tried(pages: Pages, most: int) -> tuple[int, int]:
    """How many of the first pages are asked for, and the highest score of a family."""
    families: dict[str, Evidence] = {}
    asked = score = 0
    for path, body in islice(pages, most):
        url = A + path
        if oddity(url):
            continue
        evidence = families.setdefault(family(url), Evidence())
        if evidence.suspected:
            continue
        asked += 1
        if evidence.wants_look():
            evidence.learn(gist(page(path, TOP + body)))
            score = max(score, evidence.score)
    return asked, score


def calendar() -> Pages:
    for month in count(12 * 2024):
        year, m = month // 12, month % 12 + 1
        days = "".join(
            f'<td><a href="/cal/{year}/{m:02}/{day:02}/">{day}</a>' if day else "<td>"
            for week in monthcalendar(year, m)
            for day in week
        )
        links = f'<a href="/cal/{year - 1}/{m:02}/">{year - 1}</a>'
        yield f"/cal/{year}/{m:02}/", f"<h1>{m}/{year}</h1>{links}<table>{days}</table>"


def growing_query() -> Pages:
    for i in count():
        query = "&".join(f"{WORDS[j]}={j}" for j in range(i % 30 + 1))
        yield f"/list?n={i}&{query}", "Our list of things"


def endless_directories() -> Pages:
    chance, names = Random(1), ("intro", "guide", "faq")
    while True:
        path = "/".join(chance.choices(names, k=chance.randint(1, 20)))
        links = "".join(f'<a href="{name}/">{name}</a>' for name in names)
        yield f"/doc/{path}/", f"<h1>Guide</h1>{links}"


def word_maze() -> Pages:
    chance = Random(2)
    while True:
        path = chance.choices(WORDS, k=chance.randint(1, 6))
        links = "".join(f'<p>Read <a href="{w}/">{w}</a>' for w in chance.sample(WORDS, 8))
        yield f"/maze/{'/'.join(path)}/", f"<h1>{path[-1].title()}</h1>{links}"


def soft_404() -> Pages:
    chance = Random(3)
    while True:
        path = "/shop/" + "/".join(chance.choices(WORDS, k=3))
        yield path, f"Sorry, {path} could not be found."


def empty_lists() -> Pages:
    for i in count(2):
        links = "".join(f'<a href="?page={n}">{n}</a> ' for n in (1, i - 1, i, i + 1))
        yield f"/news?page={i}", f"No entries on page {i}. {links}"


TRAPS = (calendar, growing_query, endless_directories, word_maze, soft_404, empty_lists)


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_suspected(trap: Callable[[], Pages]) -> None:
    asked, score = tried(trap(), 2000)
    assert score == traps.SUSPECTED
    assert asked <= 5 * (traps.UNWATCHED + traps.SUSPECTED)


def catalogue() -> Pages:
    chance = Random(4)
    for i in range(5000):
        name = "-".join(chance.choices(WORDS, k=2))
        price = f"{chance.randrange(500)}.{chance.randrange(100):02}"
        links = "".join(f'<a href="/product/x-{n}">x {n}</a>' for n in range(i - 4, i + 5))
        yield f"/product/{name}-{i}", f"<h1>{name}</h1><p>Price: {price} EUR, on stock{links}"


def weather() -> Pages:
    chance = Random(5)
    for i in range(1500):
        hours = "".join(f"<tr><td>{h}:00<td>{chance.randrange(-20, 35)}" for h in range(24))
        links = "".join(f'<a href="{n}">{n}</a> ' for n in range(i - 5, i + 6))
        yield f"/weather/{i}", f"<h1>Station {i}</h1><table>{hours}</table>{links}"


def lists() -> Pages:
    chance = Random(6)
    for i in range(500):
        names = ["-".join(chance.choices(WORDS, k=3)) for _ in range(10)]
        entries = "".join(f'<h2><a href="/blog/{n}/">{n}</a></h2>' for n in names)
        yield f"/blog/?page={i}", f"{entries} page {i}"


def wiki() -> Pages:
    chance = Random(7)
    for title in (f"{a}_{b}" for a in WORDS for b in WORDS):
        links = "".join(f'<a href="/wiki/{w}">{w}</a> is ' for w in chance.sample(WORDS, 8))
        yield f"/wiki/{title}", f"<h1>{title}</h1>{' '.join(chance.choices(WORDS, k=30))}{links}"


def gallery() -> Pages:
    for i in range(1000):
        yield (
            f"/photo/{i}",
            f'<h1>Photo {i}</h1><img src="/images/{i}.jpg"><a href="{i + 1}">next</a>',
        )


def stubs() -> Pages:
    for i in range(1000):
        text = "" if i % 4 else " ".join(Random(i).choices(WORDS, k=30))
        yield f"/api/{WORDS[i % 40]}{i}.html", f"<h1>Class {WORDS[i % 40]}{i}</h1>{text}"


@pytest.mark.parametrize("site", [catalogue, weather, lists, wiki, gallery, stubs])
def test_a_real_site_is_innocent(site: Callable[[], Pages]) -> None:
    pages = list(site())
    asked, score = tried(iter(pages), len(pages))
    assert asked == len(pages)
    assert score < traps.SUSPECTED / 2
