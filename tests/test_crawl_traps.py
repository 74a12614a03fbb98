"""Traps on real sites: the crawl ends, and has every good page; and sites that are no traps."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest

from asyncmultispider import traps
from asyncmultispider.settings import ENGINES
from asyncmultispider.traps import family
from command import run
from crawling import Crawled, links
from webserver import Recorded, Reply, Route, Site

CrawlSite = Callable[..., Crawled]
Trap = Callable[[str], str]
"""The page at a path with its query."""

GOOD = [f"/good/{n}" for n in range(50)]
WORDS = ["amber", "basalt", "cedar", "dune", "ember", "fjord", "glade", "heath", "iris", "jade"]


@pytest.fixture(autouse=True)
def soon_convicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trap is one after a hundred pages that lead to more of it, for the sake of time."""
    monkeypatch.setattr(traps, "ENDLESS", 100)
    monkeypatch.setattr(traps, "UNWATCHED", 50)


# Sites that never end


def calendar(target: str) -> str:
    year, month = map(int, re.findall(r"\d+", target) or (2024, 1))
    months = [year * 12 + month - 1 + step for step in (-1, 1)]
    hrefs = [f"/calendar/?year={m // 12}&month={m % 12 + 1}" for m in months]
    return f"<h1>{month}/{year}</h1>No events. {links(*hrefs)}"


def directories(target: str) -> str:
    return f"A folder. {links('sub/', './')}"


def sessions(target: str) -> str:
    room = int(re.findall(r"\d+", target)[0])
    fresh = next(_numbers)
    hrefs = [f"/session/{n % 20}.php?PHPSESSID={fresh:026d}" for n in (room + 1, room + 2)]
    return f"Room {WORDS[room % 10]} {links(*hrefs)}"


def growing(target: str) -> str:
    _, _, query = target.partition("?")
    hrefs = [f"/list/?{query}&{word}=1".replace("?&", "?") for word in WORDS[:3]]
    return f"Items, filtered. {links(*hrefs)}"


def soft_404(target: str) -> str:
    return f"Nothing is here. Try {links(*(f'{target}-{word}' for word in WORDS[:2]))}"


def maze(target: str) -> str:
    way = [word for word in target.split("/") if word][1:]
    step = len(way) % 7
    rooms = [WORDS[(step + n) % 10] for n in (0, 3)]
    return f"A room. {links(*(f'/maze/{next(_numbers)}-{room}' for room in rooms))}"


def facets(target: str) -> str:
    chosen = list(map(int, re.findall(r"\d+", target))) or [0, 0, 0, 0]
    more = [[v + (i == n) for i, v in enumerate(chosen)] for n in range(4)]
    queries = ("color={}&page={}&price={}&size={}".format(*each) for each in more)
    return f"0 products found. {links(*(f'/shop/?{query}' for query in queries))}"


_numbers = count(1000)

TRAPS: dict[str, tuple[str, Trap, str]] = {
    "calendar": ("/calendar/", calendar, "/calendar/*?month&year: "),
    "directories": ("/dir/", directories, "/sub repeated 4 times"),
    "sessions": ("/session/0.php", sessions, "again, with another session id (phpsessid)"),
    "growing query": ("/list/", growing, "parameter amber=1 repeated 4 times"),
    "soft 404": ("/lost/x", soft_404, "/lost/*: "),
    "maze": ("/maze/0", maze, "/maze/*: "),
    "facets": ("/shop/", facets, "/shop/*?color&page&price&size: "),
}
"""By name: where it begins, its pages, and what the note of its URLs has in it."""


def good_page(path: str) -> str:
    n = int(path.rpartition("/")[2])
    return f"<title>{path}</title>{WORDS[n % 10]} {n * 7919} {links(*GOOD[n + 1 : n + 2])}"


def served(page: Trap) -> Route:
    async def answer(request: Recorded, _: asyncio.StreamWriter) -> Reply:
        return Reply(200, page(request.path))

    return answer


def lay(site: Site, *names: str) -> None:
    """Serve these traps, with the good pages among them."""
    starts = [TRAPS[name][0] for name in names]
    site.page("/", links(GOOD[0], GOOD[25], *starts))
    site.route("/good/*", served(good_page))
    for name in names:
        start, page, _ = TRAPS[name]
        site.route(f"/{start.split('/')[1]}/*", served(page))
        site.route(start, served(page))


def notes(crawled: Crawled) -> Counter[str]:
    query = "SELECT note, count(*) n FROM urls WHERE state='suspended' GROUP BY 1"
    return Counter({row["note"]: row["n"] for row in crawled.query("frontier.db", query)})


def check_caught(site: Site, crawled: Crawled, *names: str) -> None:
    ends = crawled.ends(site)
    assert {path: ends[path] for path in GOOD} == dict.fromkeys(GOOD, "done")
    assert set(ends.values()) == {"done", "suspended:trap"}
    for name in names:
        assert any(TRAPS[name][2] in note for note in notes(crawled)), (name, notes(crawled))


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_left_alone_and_all_good_pages_are_had(
    site: Site, crawl: CrawlSite, name: str
) -> None:
    lay(site, name)
    crawled = crawl(site.url())
    check_caught(site, crawled, name)
    start = TRAPS[name][0]
    prefix = f"/{start.split('/')[1]}/"
    caught = {path for path, end in crawled.ends(site).items() if end == "suspended:trap"}
    assert all(path.startswith(prefix) for path in caught)
    assert 3 < sum(path.startswith(prefix) for path in site.paths) < 700


@pytest.mark.parametrize("engine", ENGINES)
def test_all_traps_at_once(site: Site, crawl: CrawlSite, engine: str) -> None:
    lay(site, *TRAPS)
    crawled = crawl(site.url(), engine=engine, processes=2)
    check_caught(site, crawled, *TRAPS)


def test_with_a_depth_limit_they_end_no_later(site: Site, crawl: CrawlSite) -> None:
    lay(site, *TRAPS)
    crawled = crawl(site.url(), depth=60)
    check_caught(site, crawled, "directories", "sessions", "soft 404", "maze")


def test_each_engine_names_them_in_the_same_words(site: Site, crawl: CrawlSite) -> None:
    lay(site, "calendar", "directories")
    for engine in ENGINES:
        told = {note.partition(":")[0] for note in notes(crawl(site.url(), engine=engine))}
        assert told == {"/calendar/*?month&year", "/sub repeated 4 times"}


# What a person sees of them, and can do


def test_what_is_told_of_them(site: Site, crawl: CrawlSite) -> None:
    lay(site, "calendar", "sessions")
    crawled = crawl(site.url())
    shown = run("status", crawled.directory).out
    host = f"127.0.0.1:{site.port}"
    assert f"on {host}: trap: /calendar/*?month&year: " in shown
    assert f"on {host}: trap: again, with another session id (phpsessid)" in shown
    told = run("status", crawled.directory, "--json").json["suspended_for"]
    assert {(one["reason"], one["host"]) for one in told} == {("trap", host)}
    assert {one["note"]: one["urls"] for one in told} == notes(crawled)
    assert all(crawled.states[one["example"]] == "suspended:trap" for one in told)
    lines = run("urls", crawled.directory, "--reason", "trap", "--json").out.splitlines()
    rows = [json.loads(line) for line in lines]
    assert Counter(row["note"] for row in rows) == notes(crawled)
    explained = run("explain", crawled.directory, rows[0]["url"], "--json").json
    assert explained["note"] == rows[0]["note"]


def test_those_that_are_released_are_fetched_and_not_convicted_again(
    site: Site, crawl: CrawlSite
) -> None:
    rooms = 400  # it looks like a trap, and has an end

    def room(target: str) -> str:
        n = int(target.rpartition("/")[2])
        return f"A room. {links(*(f'/room/{n + step}' for step in (1, 2) if n + step < rooms))}"

    site.page("/", links(GOOD[0], "/room/0", "/dir/"))
    site.route("/good/*", served(good_page))
    site.route("/room/*", served(room))
    site.page("/dir/*", links("/a/a/a/a", "/dir/?phpsessid=12345678", "/dir/?phpsessid=87654321"))
    site.page("/a/a/a/a", "odd, but a page")
    crawled = crawl(site.url())
    assert 0 < Counter(crawled.ends(site).values())["suspended:trap"] < rooms
    assert crawled.ends(site)["/a/a/a/a"] == "suspended:trap"
    before = len(site.paths)
    assert retry(crawled) == Counter(crawled.ends(site).values())["suspended:trap"]
    again = crawl(site.url(), directory=crawled.directory)
    ends = again.ends(site)
    assert set(ends.values()) == {"done"}
    assert {f"/room/{n}" for n in range(rooms)} <= ends.keys()
    asked = Counter(site.paths[before:])
    assert asked["/a/a/a/a"] == 1
    assert asked["/dir/?phpsessid=87654321"] == 1
    assert set(asked.values()) == {1}


def test_a_crawl_that_goes_on_knows_its_traps(site: Site, crawl: CrawlSite) -> None:
    lay(site, *TRAPS)
    first = crawl(site.url(), limit=1200)
    assert first.summary.stopped == "limit"
    known = first.query("frontier.db", "SELECT family FROM traps")
    assert len(known) >= 2
    families = {row["family"] for row in known}
    before = len(site.paths)
    again = crawl(site.url(), directory=first.directory)
    check_caught(site, again, *TRAPS)
    asked = {family(site.url(path)) for path in site.paths[before:]}
    assert not asked & families


@pytest.mark.parametrize("engine", ENGINES)
def test_so_many_urls_of_a_host_and_no_more(site: Site, crawl: CrawlSite, engine: str) -> None:
    site.page("/*", links(*(f"/{n}" for n in range(300))))
    crawled = crawl(site.url(), max_per_host=120, engine=engine, processes=1)
    ends = Counter(crawled.ends(site).values())
    assert ends == {"done": 120, "suspended:trap": 181}
    assert set(notes(crawled)) == {"more than 120 URLs (--max-per-host)"}
    again = crawl(site.url(), directory=crawled.directory, max_per_host=120)
    assert again.ends(site) == crawled.ends(site)


def test_a_crawl_that_goes_on_counts_on(site: Site, crawl: CrawlSite) -> None:
    """But for the first hundred: of hosts that have fewer nothing is remembered."""

    def page(target: str) -> str:
        n = int(target[1:] or 0)
        return links(
            *(f"/{m}" for m in (range(1, 111) if n == 0 else [n + 200] if n < 200 else []))
        )

    for n in range(400):
        site.page(f"/{n or ''}", page(f"/{n or ''}"))
    first = crawl(site.url(), max_per_host=150, limit=30)
    assert 111 < len(first.states) < 150
    again = crawl(site.url(), directory=first.directory, max_per_host=150)
    assert Counter(again.ends(site).values()) == {"done": 150, "suspended:trap": 71}


def test_what_was_born_as_a_trap_does_not_count(site: Site, crawl: CrawlSite) -> None:
    odd = [f"/a/a/a/a/{n}" for n in range(200)]
    site.page("/", links(*odd, *GOOD))
    site.route("/good/*", served(good_page))
    first = crawl(site.url(), max_per_host=60, limit=1)
    again = crawl(site.url(), directory=first.directory, max_per_host=60)
    assert Counter(again.ends(site).values()) == {"done": 51, "suspended:trap": 200}


def test_session_ids_that_were_seen_are_still_known(site: Site, crawl: CrawlSite) -> None:
    lay(site, "sessions")
    first = crawl(site.url(), limit=30)
    assert first.summary.stopped == "limit"
    again = crawl(site.url(), directory=first.directory)
    check_caught(site, again, "sessions")
    rooms = [path for path in site.paths if path.startswith("/session/") and "?" in path]
    fetched = Counter(path.partition("?")[0] for path in rooms)
    assert len(fetched) == 20
    assert set(fetched.values()) == {1}


# Sites that are no traps


def product(target: str) -> str:
    n = int(target.rpartition("/")[2])
    words = " ".join(WORDS[n // 10**i % 10] for i in range(4))
    return f"<title>Product {n}</title><h1>{words}</h1><p>Price: {n * 31 % 997}.99 Buy now"


def test_three_thousand_products_of_one_template(site: Site, crawl: CrawlSite) -> None:
    paths = [f"/product/{n}" for n in range(3000)]
    site.page("/", links(*paths))
    site.route("/product/*", served(product))
    assert crawl(site.url()).ends(site) == dict.fromkeys(["/", *paths], "done")


def test_four_hundred_lists_one_after_the_other(site: Site, crawl: CrawlSite) -> None:
    def page(target: str) -> str:
        n = int(target.rpartition("=")[2])
        names = (product(f"/{n * 10 + i}").partition("<h1>")[2] for i in range(3))
        return " ".join(names) + (links(f"/list?page={n + 1}") if n < 399 else "")

    paths = [f"/list?page={n}" for n in range(400)]
    site.page("/", links(paths[0]))
    site.route("/list", served(page))
    assert crawl(site.url()).ends(site) == dict.fromkeys(["/", *paths], "done")


def test_a_wiki(site: Site, crawl: CrawlSite) -> None:
    def page(target: str) -> str:
        n = int(target.rpartition("-")[2])
        near = [f"/wiki/{WORDS[m % 10]}-{m}" for m in (n * 2 + 1, n * 2 + 2, n // 2) if m < 500]
        text = " ".join(WORDS[(n * k) % 10] for k in range(3, 20)) + f" since {1000 + n * 7}"
        return f"<h1>{WORDS[n % 10]}</h1>{text}{links(*near, f'/edit?page=x-{n}', '/wiki/amber-0')}"

    site.page("/", links("/wiki/amber-0"))
    site.route("/wiki/*", served(page))
    site.page("/edit", "You must log in to edit.")
    ends = crawl(site.url()).ends(site)
    assert set(ends.values()) == {"done"}
    assert len(ends) == 1001


def test_leaves_with_one_and_the_same_body(site: Site, crawl: CrawlSite) -> None:
    paths = [f"/leaf/{n}" for n in range(500)]
    site.page("/", links(*paths))
    site.page("/leaf/*", "ok")
    assert crawl(site.url()).ends(site) == dict.fromkeys(["/", *paths], "done")


def test_a_site_of_many_folders(site: Site, crawl: CrawlSite) -> None:
    """Of which most say nothing: who has very many users has many of these."""
    paths = [f"/user{chr(97 + n // 26)}{chr(97 + n % 26)}/" for n in range(300)]
    site.page("/", links(*paths))
    site.page("/*", "No posts yet.")
    for path in paths[::3]:
        site.page(path, f"posts of {path} {WORDS[len(path) % 10]}")
    assert crawl(site.url()).ends(site) == dict.fromkeys(["/", *paths], "done")


def retry(crawled: Crawled) -> int:
    return int(run("retry", crawled.directory, "--reason", "trap", "--json").json["queued"])
