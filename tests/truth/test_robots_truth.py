"""robots.txt against outside truths: Google's compliance cases and crawler-commons' files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from asyncmultispider.robots import Robots

DATA = Path(__file__).parents[2] / "../shared/data/robots"
NAMES = sorted(path.name for path in DATA.glob("correctness/*.textproto"))
HERE = "http://domain.com"

# -- Google's compliance cases

FIELD = re.compile(r'(\w+)\s*:\s*((?:"(?:[^"\\]|\\.)*"\s*)+|\w+)')
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{1,2}|.)")
CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class Case(NamedTuple):
    robots: bytes
    url: str
    agent: str
    allowed: bool


def unescape(literal: str) -> bytes:
    def char(match: re.Match[bytes]) -> bytes:
        code = match[1]
        if code.startswith(b"x"):
            return bytes([int(code[1:], 16)])
        return CONTROLS.get(code, code)

    return ESCAPE.sub(char, literal.encode())


def cases(name: str) -> Iterator[Case]:
    text = re.sub(r"(?m)^\s*#.*$", "", (DATA / "correctness" / name).read_text("utf-8"))
    fields: dict[str, bytes] = {}
    for key, value in FIELD.findall(text):
        if value.startswith('"'):
            fields[key] = b"".join(unescape(part) for part in STRING.findall(value))
        elif key == "expected_outcome":
            url, agent = fields["testurl"].decode(), fields["useragent"].decode()
            yield Case(fields["robotstxt"], url, agent, value == "ALLOWED")


@pytest.mark.skipif(not NAMES, reason=f"no robots.txt compliance cases in {DATA}")
@pytest.mark.parametrize("name", NAMES)
def test_compliance(name: str) -> None:
    every = list(cases(name))
    wrong = [case for case in every if Robots.parse(case[0]).allows(*case[1:3]) != case.allowed]
    print(f"{name}: {len(every) - len(wrong)}/{len(every)}")
    assert every
    assert wrong == []


@pytest.mark.skipif(not NAMES, reason=f"no robots.txt compliance cases in {DATA}")
def test_no_case_is_overlooked() -> None:
    texts = [(DATA / "correctness" / name).read_text("utf-8") for name in NAMES]
    written = sum(len(re.findall(r"(?m)^\s*expected_outcome:", text)) for text in texts)
    assert sum(1 for name in NAMES for _ in cases(name)) == written >= 140


# -- crawler-commons' files


def robots(name: str, base: str | None = None) -> Robots:
    path = DATA / "crawler-commons" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return Robots.parse(path.read_bytes(), base=base)


def allowed(rules: Robots, agent: str, *paths: str) -> list[bool]:
    return [rules.allows(HERE + path, agent) for path in paths]


def test_every_file_has_an_assertion_here() -> None:
    names = {path.name for path in DATA.glob("crawler-commons/*.txt")}
    if not names:
        pytest.skip(f"no robots.txt files in {DATA}/crawler-commons")
    assert {name for name in names if f'"{name}"' not in Path(__file__).read_text()} == set()


def test_astore_is_delayed_by_five_seconds() -> None:
    rules = robots("astore.amazon.com-robots.txt")
    assert rules.crawl_delay("any") == 5.0
    assert rules.allows(HERE + "/x", "any")


def test_delays_are_per_agent_and_rules_per_group() -> None:
    rules = robots("crawl-delay-group-merging.txt")
    assert rules.crawl_delay("mybot") == 10.0
    assert rules.crawl_delay("yourbot") is None
    assert rules.crawl_delay("other") == 30.0
    assert allowed(rules, "mybot", "/private/", "/login/", "/") == [False, True, True]
    assert allowed(rules, "yourbot", "/private/", "/login/", "/") == [False, False, True]
    assert allowed(rules, "other", "/private/", "/login/", "/") == [True, True, True]


def test_typos() -> None:
    rules = robots("directive-typos-robots.txt")
    assert allowed(rules, "bot1", "/desallow/", "/dissalow/", "/x") == [False, False, True]
    assert allowed(rules, "bot2", "/useragent/", "/desallow/") == [False, True]
    assert allowed(rules, "bot3", "/useg-agent/", "/useragent/") == [False, True]
    assert allowed(rules, "bot4", "/useragent-no-colon/", "/useg-agent/") == [False, True]


def test_dos_line_endings() -> None:
    rules = robots("dos-line-endings.txt")
    assert rules.crawl_delay("any") == 1.0
    assert rules.allows("http://ford.com/", "any")


@pytest.mark.parametrize("agent", ["bot1", "bot2", "bot3", "bot4", "any"])
def test_extended_standard_allows_all(agent: str) -> None:
    rules = robots("extended-standard-robots.txt")
    assert rules.allows(HERE + "/x", agent)
    assert rules.crawl_delay(agent) is None


def test_extensions_change_no_rules() -> None:
    rules = robots("extension-robots.txt", base=HERE + "/robots.txt")
    assert rules.sitemaps == (HERE + "/sitemap.xml",)
    assert allowed(rules, "mybot", "/private/", "/secret/", "/admin/") == [False, True, True]
    assert allowed(rules, "otherbot", "/private/", "/admin/") == [True, False]
    assert allowed(rules, "any", "/private/", "/admin/") == [True, True]


def test_extensions_do_not_end_a_group() -> None:
    rules = robots("extensions-group-merging.txt")
    for agent in ("mybot", "yourbot"):  # "applies to mybot and yourbot", twice
        assert allowed(rules, agent, "/private/", "/login/", "/x") == [False, False, True]
    assert allowed(rules, "any", "/llms.txt", "/private/", "/x") == [True, False, False]


def test_format_errors() -> None:
    rules = robots("format-errors-robots.txt", base=HERE)
    assert allowed(rules, "bot1", "/whitespace-before-colon/", "/no-colon/") == [False, False]
    assert allowed(rules, "bot2", "/no-colon-useragent/", "/no-colon/") == [False, True]
    assert allowed(rules, "bot3", "/whitespace-before-colon/", "/x") == [True, False]
    assert rules.sitemaps == (HERE + "/sitemap.xml",)


def test_malformed_path() -> None:
    rules = robots("malformed-path.txt")
    talk = "/wiki/Wikipedia_talk"
    forms = (f"{talk}:Mediation_Committee/", f"{talk}%3Mediation_Committee/", "/wiki/")
    assert allowed(rules, "bot1", *forms) == [False, False, True]


@pytest.mark.parametrize(
    "agent", ["wget", "WGET/1.21", "OutfoxBot/0.5", "GetRight", "moget/2.1", "Sqworm", "larbin"]
)
def test_many_agents_share_a_group(agent: str) -> None:
    assert not robots("many-user-agents.txt").allows(HERE + "/", agent)


def test_an_agent_that_many_agents_do_not_name() -> None:
    rules = robots("many-user-agents.txt")
    assert allowed(rules, "mysuperlongbotname", "/", "/bot-trap/", "/g/") == [True, False, False]


def test_groups_of_an_agent_are_merged() -> None:
    rules = robots("merge-rules.txt")
    paths = ("/foo/bar", "/tmp/bar", "/ckh/bar", "/x")
    assert allowed(rules, "wget", *paths) == [True, False, True, True]
    assert allowed(rules, "any", *paths) == [False, False, True, True]
    assert allowed(rules, "testy", *paths) == allowed(rules, "curl", *paths) == [False] * 4


def test_precedence() -> None:
    rules = robots("precedence-of-rules.txt")
    testy = ("/foo", "/foo/bar", "/foo/bar/baz", "/foo/box", "/x")
    assert allowed(rules, "testy", *testy) == [False, True, True, False, True]
    assert allowed(rules, "wget", "/foo", "/index.html", "/x") == [True, True, False]


def test_relative_sitemap_needs_a_base() -> None:
    name = "relative-sitemap-robots.txt"
    assert robots(name).sitemaps == ()
    assert robots(name, base=HERE + "/robots.txt").sitemaps == (HERE + "/sitemap.xml",)
    assert allowed(robots(name), "any", "/cache/", "/files/x", "/x") == [False, False, True]


def test_rfc_longest_match() -> None:
    rules = robots("rfc9309-example-longest-match-robots.txt")
    paths = ("/example/page/", "/example/page/disallowed.gif", "/example/page/x.gif")
    assert allowed(rules, "foobot", *paths) == [True, False, True]


def test_rfc_group_merging() -> None:
    rules = robots("rfc9309-example-rule-group-merging.txt")
    assert allowed(rules, "ExampleBot", "/foo", "/bar", "/baz") == [False, False, False]
    assert allowed(rules, "BazBot", "/foo", "/bar", "/baz") == [True, True, False]
    assert allowed(rules, "any", "/foo", "/bar", "/baz") == [False, False, True]


def test_rfc_simple_example() -> None:
    rules = robots("rfc9309-example-simple-robots.txt")
    paths = ("/a.gif", "/example/", "/publications/", "/example/page.html", "/example/allowed.gif")
    assert allowed(rules, "any", *paths) == [False, False, True, False, False]
    assert allowed(rules, "foobot", *paths) == [False, False, False, True, True]
    assert allowed(rules, "barbot", *paths) == [True, True, True, False, True]
    assert allowed(rules, "bazbot", *paths) == [True, True, True, False, True]
    assert allowed(rules, "quxbot", *paths) == [True] * 5


@pytest.mark.parametrize(
    "name",
    ["robots-with-utf8-bom.txt", "robots-with-utf16le-bom.txt", "robots-with-utf16be-bom.txt"],
)
def test_byte_order_marks(name: str) -> None:
    rules = robots(name)
    paths = ("/login.aspx", "/profile", "/a/output/print", "/search.aspx", "/output/print", "/x")
    for agent in ("foobot", "Googlebot/2.1"):
        assert allowed(rules, agent, *paths) == [False, False, False, False, True, True]
    assert rules.sitemaps == ("http://www.newsweek.com/sitemap_index.xml",)


def test_sitemaps_once_each() -> None:
    assert robots("sitemap-robots-dedup.txt").sitemaps == ("http://example.org/sitemap.xml",)


def test_sitemaps_anywhere_with_their_case() -> None:
    rules = robots("sitemap-robots.txt")
    assert rules.sitemaps == (
        "http://domain.com/sitemap.xml",
        "http://domain.com/dir/my-sitemap.xml",  # a bare URL: the directive was forgotten
        "http://domain.com/dir/MixedCased-sitemap.xml",
    )
    assert rules.allows(HERE + "/", "any")


def test_twitter() -> None:
    rules = robots("twitter.com-robots.txt")
    delays = [rules.crawl_delay(agent) for agent in ("Googlebot", "Slurp", "msnbot", "any")]
    assert delays == [None, 1.0, 10.0, None]
    for agent in ("Googlebot", "any"):
        assert allowed(rules, agent, "/x?y", "/x/with_friends", "/x") == [False, False, True]


def test_wildcards() -> None:
    rules = robots("wildcards.txt")
    paths = ("/wishlist/bogus", "/wishlist/universal/page", "/anydir/gcrnsts", "/a/sim/B001132UEE")
    assert allowed(rules, "any", *paths) == [False, True, False, True]
    assert allowed(rules, "Googlebot", *paths) == [False, True, False, False]
    assert allowed(rules, "EtaoSpider", "/", "/x") == [False, False]
    assert allowed(rules, "any", "/gp/registry/wishlist/1/reserve", "/gp/x") == [False, True]
    assert len(rules.sitemaps) == 8


def test_flot() -> None:
    rules = robots("www.flot.com-robots.txt")
    assert allowed(rules, "any", "/img/", "/bitrix/x", "/x") == [False, False, True]
    assert rules.sitemaps == ("http://flot.com/sitemap_index.xml",)
