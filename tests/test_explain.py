"""`explain`: how a URL was found, what was tried, and why it ended so."""

import contextlib
import io
import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncmultispider.cli.explain import explain_command
from asyncmultispider.page import Page
from asyncmultispider.robots import Robots
from asyncmultispider.spider import Spider
from cli_crawls import FAST
from command import complaint, run, start
from crawling import Crawled, crawl_site, links
from webserver import Reply, Site

EVIL = "\x1b]0;pwned\x07\x1b[31m\u202e\x9b5m"
ROBOTS = """
User-agent: *
Disallow: /priv
Disallow: /private/
Allow: /private/open
Disallow: /evil\u202e\x1b[31m
User-agent: other
Disallow: /
"""

CrawlSite = Callable[..., Crawled]


def make_spider() -> Spider:
    spider = Spider("http://127.0.0.1/")

    @spider.on("/items")
    def items(page: Page) -> Iterator[object]:
        yield {"n": 1}
        yield {"n": 2}

    @spider.on("/breaks")
    def breaks(page: Page) -> Iterator[object]:
        raise RuntimeError(f"no luck {EVIL}")

    return spider


def explained(directory: Path, url: str, *, as_json: bool = False) -> str:
    """What is said of a URL that is known, which must be harmless to a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = explain_command(str(directory), url, as_json)
    text = out.getvalue()
    assert (code, err.getvalue()) == (0, "")
    assert all(char.isprintable() for char in text.replace("\n", "")), ascii(text)
    return text


def unknown(directory: Path, url: str) -> str:
    """What is said of a URL that is not."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert explain_command(str(directory), url, False) == 1
    assert out.getvalue() == ""
    assert err.getvalue().removesuffix("\n").isprintable()
    return err.getvalue()


def lines(text: str, word: str) -> list[str]:
    """The lines that begin with a word, without it."""
    found = [line.partition(" ") for line in text.splitlines()]
    return [rest.strip() for first, _, rest in found if first == word]


def tries(text: str) -> list[str]:
    """What came of each try, in order."""
    section = text.partition("\ntries ")[2].partition("\nfound\n")[0]
    return [line.split("Z  ")[1] for line in section.splitlines()[1:] if "Z  " in line]


def found(text: str) -> list[str]:
    """The way from a seed."""
    return [line.strip() for line in text.partition("\nfound\n")[2].splitlines()]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Path]]:
    """A crawl that has ended, and its site."""
    with Site() as site:
        site.robots(ROBOTS)
        site.page(
            "/",
            links(
                *("/old", "/off", "/a", "/slow", "/items", "/breaks", "/private/x", "/never/x"),
                *("/evil%E2%80%AE%1B[31m/x", "/type", "/noindex", "http://elsewhere.invalid/"),
            ),
        )
        site.redirect("/old", "/older?a b")
        site.redirect("/older?a%20b", "/new")
        site.page("/new", links("/below", "/old"))
        site.page("/below", "below")
        site.redirect("/off", "http://away.invalid/")
        site.redirect("/a", "/")
        site.sequence("/slow", Reply(503), Reply(200, "at last"))
        site.page("/items", "two items")
        site.page("/breaks", "x")
        site.page("/type", "x", content_type="text/\x1b[31m\x9b5m")
        site.page("/noindex", "<meta name=robots content=noindex>")
        crawled = crawl_site(
            tmp_path_factory.mktemp("explain"),
            site.url(),
            make_spider=make_spider,
            retries=1,
            exclude=("*.pdf", "/never/*"),
        )
        yield site, crawled.directory


# How it was found


def test_the_way_from_a_seed(read: tuple[Site, Path]) -> None:
    site, directory = read
    text = explained(directory, site.url("/below"))
    assert found(text) == [
        f"seed {site.url()}",
        f"link {site.url('/old')}",
        f"redirect {site.url('/older?a%20b')}",
        f"redirect {site.url('/new')}",
        f"link {site.url('/below')}",
    ]
    assert lines(text, "depth") == ["2"]
    assert lines(explained(directory, site.url("/new")), "depth") == ["1, after 2 redirects"]


def test_where_a_redirect_leads_and_comes_from(read: tuple[Site, Path]) -> None:
    site, directory = read
    middle = explained(directory, site.url("/older?a%20b"))
    assert lines(middle, "redirect") == [
        f"from {site.url('/old')}",
        f"to {site.url('/new')} (done)",
    ]
    assert lines(explained(directory, site.url("/a")), "redirect") == [f"to {site.url()} (done)"]
    away = explained(directory, site.url("/off"))
    assert lines(away, "redirect") == ["to http://away.invalid/ (skipped: scope)"]
    assert lines(explained(directory, site.url()), "redirect") == []


# What was tried


def test_every_try_with_its_result(read: tuple[Site, Path]) -> None:
    site, directory = read
    text = explained(directory, site.url("/slow"))
    assert lines(text, "state") == ["done"]
    assert lines(text, "tries") == ["2"]
    assert [line.partition(" (")[0] for line in tries(text)] == ["http-503", "status 200"]
    assert all(line.endswith(" ms)") for line in tries(text))


def test_the_traceback_of_a_handler(read: tuple[Site, Path]) -> None:
    site, directory = read
    text = explained(directory, site.url("/breaks"))
    assert lines(text, "state") == ["failed: handler"]
    [attempt] = tries(text)
    assert attempt.startswith("handler, status 200: Traceback (most recent call last):")
    assert "in breaks" in text
    assert r"RuntimeError: no luck \x1b]0;pwned\x07" in text


def test_where_the_page_is(read: tuple[Site, Path]) -> None:
    site, directory = read
    text = explained(directory, site.url("/items"))
    [page], [digest] = lines(text, "page"), lines(text, "SHA-256")
    with contextlib.closing(sqlite3.connect(directory / "pages.db")) as db:
        query = "SELECT hex(digest), fetched_at FROM pages WHERE url=?"
        stored, at = db.execute(query, (site.url("/items"),)).fetchone()
    assert page == f"9 B text/html, 2 items, in pages.db since {at}"
    assert digest == stored.lower()
    assert lines(explained(directory, site.url("/breaks")), "page") == []
    assert r"\x1b" in explained(directory, site.url("/type"))


def test_a_page_that_is_missing(site: Site, crawl: CrawlSite) -> None:
    site.page("/", "x")
    crawled = crawl(site.url())
    (crawled.directory / "pages.db").unlink()
    [page] = lines(explained(crawled.directory, site.url()), "page")
    assert "not in pages.db" in page


# Which rule said no


@pytest.mark.parametrize(
    ("path", "state", "rule"),
    [
        ("/private/x", "robots", "Disallow: /private/ (User-agent: *)"),
        ("/evil%E2%80%AE%1B[31m/x", "robots", r"Disallow: /evil\u202e\x1b[31m (User-agent: *)"),
        ("/never/x", "excluded", "--exclude '/never/*' keeps it out"),
        ("/noindex", "noindex", "noindex"),
    ],
)
def test_the_rule_of_a_url_that_was_skipped(
    read: tuple[Site, Path], path: str, state: str, rule: str
) -> None:
    site, directory = read
    text = explained(directory, site.url(path))
    assert lines(text, "state") == [f"skipped: {state}"]
    assert rule in lines(text, "rule")[0]


def test_the_seeds_of_a_scope(read: tuple[Site, Path]) -> None:
    site, directory = read
    rule = [f"outside --scope host of {site.url()}"]
    assert lines(explained(directory, "http://elsewhere.invalid/"), "rule") == rule
    assert rule[0] in unknown(directory, "http://another.invalid/")


@pytest.mark.parametrize(
    ("options", "path", "rule"),
    [
        ({"include": ("/a/*", "/b/*")}, "/c", "not in --include '/a/*', '/b/*'"),
        ({"exclude": ("*.pdf", "*?page=*")}, "/x?page=2", "--exclude '*?page=*' keeps it out"),
        ({"scope": "prefix"}, "/c", "outside --scope prefix of "),
    ],
)
def test_the_option_that_refuses(
    site: Site, crawl: CrawlSite, options: dict[str, Any], path: str, rule: str
) -> None:
    site.page("/docs/", links(path))
    crawled = crawl(site.url("/docs/"), **options)
    assert rule in lines(explained(crawled.directory, site.url(path)), "rule")[0]
    assert rule in unknown(crawled.directory, site.url(f"/other{path}"))


def test_a_robots_txt_that_has_changed_since(site: Site, crawl: CrawlSite) -> None:
    site.robots("User-agent: *\nDisallow: /x")
    site.page("/", links("/x"))
    crawled = crawl(site.url())
    with contextlib.closing(sqlite3.connect(crawled.directory / "frontier.db")) as db, db:
        db.execute("UPDATE robots SET text = x''")
    [rule] = lines(explained(crawled.directory, site.url("/x")), "rule")
    assert "when its turn came" in rule


@pytest.mark.parametrize(
    ("rules", "path", "ban"),
    [
        ("User-agent: *\nDisallow: /a\nDisallow: /a/b\nAllow: /a/b/c", "/a/b/x", "/a/b"),
        ("User-agent: *\nDisallow: /a\nDisallow: /a/b\nAllow: /a/b/c", "/a/x", "/a"),
        ("User-agent: *\nDisallow: /*.pdf$\nDisallow: /*.p", "/x.pdf", "/*.pdf$"),
        ("User-agent: *\nDisallow: /%7Ejoe", "/~joe/x", "/%7Ejoe"),
        ("User-agent: *\nDisallow: /\u00e9", "/%C3%A9", "/\u00e9"),
    ],
)
def test_the_line_of_robots_txt_that_decides(rules: str, path: str, ban: str) -> None:
    robots = Robots.parse(rules.encode())
    assert robots.ban(f"http://x{path}", "me") == f"Disallow: {ban} (User-agent: *)"


def test_the_line_is_of_our_own_group() -> None:
    robots = Robots.parse(b"User-agent: me\nDisallow: /x\n\nUser-agent: *\nDisallow: /")
    assert robots.ban("http://x/x", "Me") == "Disallow: /x (User-agent: me)"
    assert robots.ban("http://x/y", "me") is None


def test_wildcards_that_forbid_only_together_are_told_as_such() -> None:
    path = "/" + "a" * 60_000
    patterns = [f"Disallow: /b*{'a' * 900}{n}" for n in range(20)]
    robots = Robots.parse("\n".join(["User-agent: *", *patterns, "Disallow: /a*b"]).encode())
    assert not robots.allows(f"http://x{path}", "me")
    assert robots.ban(f"http://x{path}", "me") == "its wildcards (User-agent: *)"


# What it waits for


@pytest.fixture
def stopped(site: Site, crawl: CrawlSite) -> Crawled:
    """A crawl that stopped with URLs left."""
    site.robots("User-agent: *\nCrawl-delay: 0.01")
    site.page("/", links("/1", "/2", "/3"))
    return crawl(site.url(), limit=1)


def test_a_url_that_waits_for_its_turn(site: Site, stopped: Crawled) -> None:
    [waits] = lines(explained(stopped.directory, site.url("/3")), "waits")
    assert waits == (
        "for its turn: 2 URLs of its host come before it, 10 ms apart as its robots.txt asks; "
        "no crawl is running: the same command goes on"
    )


def test_a_url_that_waits_for_another_try(site: Site, stopped: Crawled) -> None:
    with contextlib.closing(sqlite3.connect(stopped.directory / "frontier.db")) as db, db:
        db.execute("UPDATE urls SET reason='timeout', attempts=1, due=4e9 WHERE url LIKE '%/2'")
    text = explained(stopped.directory, site.url("/2"))
    assert lines(text, "state") == ["queued: timeout"]
    assert lines(text, "waits")[0].startswith("for another try at 2096-10-02 07:06:40Z, in ")
    assert "after timeout" in lines(text, "waits")[0]
    object = json.loads(explained(stopped.directory, site.url("/2"), as_json=True))
    assert object["next_try"] == "2096-10-02T07:06:40.000+00:00"


def test_a_url_in_hand_and_the_try_that_is_lost_with_the_crawl(site: Site, directory: Path) -> None:
    hold = site.hold("/", Reply(200, "at last"))
    with start("crawl", site.url(), "-d", directory, *FAST) as crawl:
        site.wait_until(lambda: site.hits("/"))
        [waits] = lines(explained(directory, site.url()), "waits")
        assert waits.startswith("for its answer: process ")
        assert "left to fetch" in unknown(directory, site.url("/x"))
        crawl.send(signal.SIGKILL)
        crawl.end()
    text = explained(directory, site.url())
    assert lines(text, "state") == ["leased"]
    assert "was killed" in lines(text, "waits")[0]
    hold.release()
    assert run("crawl", site.url(), "-d", directory, *FAST).code == 0
    text = explained(directory, site.url())
    assert lines(text, "state") == ["done"]
    assert lines(text, "tries") == ["2"]
    assert [line.partition(":")[0].partition(" (")[0] for line in tries(text)] == [
        "lost",
        "status 200",
    ]


# URLs that the crawl never heard of


def test_why_a_url_is_unknown(read: tuple[Site, Path]) -> None:
    site, directory = read
    plain = unknown(directory, site.url("/nowhere"))
    assert "no fetched page linked to it" in plain
    assert "skipped" not in plain
    assert "(robots): " in unknown(directory, site.url("/private/y"))
    assert "Disallow: /private/ (User-agent: *)" in unknown(directory, site.url("/private/y"))
    assert "(robots)" not in unknown(directory, site.url("/private/open"))
    assert "(excluded): --exclude '*.pdf'" in unknown(directory, site.url("/x.pdf"))
    assert "(scope): " in unknown(directory, f"http://x.invalid/{EVIL}")


def test_robots_txt_is_no_reason_where_it_is_ignored(site: Site, crawl: CrawlSite) -> None:
    site.robots("User-agent: *\nDisallow: /x")
    site.page("/", "x")
    crawled = crawl(site.url())
    assert "(robots)" in unknown(crawled.directory, site.url("/x"))
    crawl(site.url(), directory=crawled.directory, ignore_robots=True)
    assert "(robots)" not in unknown(crawled.directory, site.url("/x"))


def test_the_last_level_is_not_followed(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links("/x"))
    crawled = crawl(site.url(), depth=0)
    assert "depth 0, the last" in unknown(crawled.directory, site.url("/x"))


# Secrets, and programs


def test_no_password_is_told(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links("/a"))
    secret = site.url("/").replace("//", "//me:secret@")
    hidden = site.url("/a")
    crawled = crawl(secret)
    for typed in (f"{secret}a", hidden):
        text = explained(crawled.directory, typed) + explained(
            crawled.directory, typed, as_json=True
        )
        assert site.url("/a") in text
        assert "secret" not in text
    assert "secret" not in unknown(crawled.directory, f"{secret}x")


def test_as_json(read: tuple[Site, Path]) -> None:
    site, directory = read
    told = json.loads(explained(directory, site.url("/older?a%20b"), as_json=True))
    assert (told["state"], told["reason"], told["status"]) == ("done", None, 302)
    assert (told["depth"], told["hops"], told["attempts"]) == (1, 1, 1)
    assert told["referrer"] == told["redirected_from"] == site.url("/old")
    assert told["redirects_to"] == {"url": site.url("/new"), "state": "done"}
    assert [step["how"] for step in told["found"]] == ["seed", "link", "redirect"]
    assert [attempt["status"] for attempt in told["tries"]] == [302]
    assert (told["page"]["size"], told["page"]["items"]) == (0, 0)
    broken = json.loads(explained(directory, site.url("/breaks"), as_json=True))
    assert EVIL in broken["tries"][0]["detail"]
    assert (broken["page"], broken["waits"], broken["redirects_to"]) == (None, None, None)


def test_unknown_as_json(read: tuple[Site, Path]) -> None:
    site, directory = read
    ended = run("explain", directory, site.url("/nowhere"), "--json")
    assert (ended.code, ended.err) == (1, "")
    assert ended.json["state"] is None
    assert "linked" in ended.json["why"]


def test_a_folder_that_is_no_crawl(tmp_path: Path) -> None:
    assert "no crawl" in complaint("explain", tmp_path, "http://x/")
    assert list(tmp_path.iterdir()) == []


def test_why_a_url_is_suspended(site: Site, crawl: CrawlSite) -> None:
    site.page("/", links("/a/a/a/a/a"))
    told = explained(crawl(site.url()).directory, site.url("/a/a/a/a/a"))
    assert "suspended: trap" in told
    assert "because   /a repeated 5 times" in told
