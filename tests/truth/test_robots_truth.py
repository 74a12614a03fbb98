"""robots.txt against outside truths: Google's compliance cases and crawler-commons' files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from scoring import score

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
    def passes(case: Case) -> bool:
        return Robots.parse(case.robots).allows(case.url, case.agent) == case.allowed

    assert not score("Google robots.txt compliance", cases(name), passes, name)


@pytest.mark.skipif(not NAMES, reason=f"no robots.txt compliance cases in {DATA}")
def test_no_case_is_overlooked() -> None:
    texts = [(DATA / "correctness" / name).read_text("utf-8") for name in NAMES]
    written = sum(len(re.findall(r"(?m)^\s*expected_outcome:", text)) for text in texts)
    assert sum(1 for name in NAMES for _ in cases(name)) == written >= 140


# -- crawler-commons' files

FILES = sorted(path.name for path in DATA.glob("crawler-commons/*.txt"))


class Claim(NamedTuple):
    """That these paths are allowed, or forbidden, to an agent, who has this delay."""

    agent: str
    allowed: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    delay: float | None = None


BOMS = tuple(
    Claim(
        agent,
        allowed=("/output/print", "/x"),
        forbidden=("/login.aspx", "/profile", "/a/output/print", "/search.aspx"),
    )
    for agent in ("foobot", "Googlebot/2.1")
)
NEWSWEEK = "http://www.newsweek.com/sitemap_index.xml"
TALK = "/wiki/Wikipedia_talk"
TRAPPED = "wget", "WGET/1.21", "OutfoxBot/0.5", "GetRight", "moget/2.1", "Sqworm", "larbin"
EXAMPLES = ("/a.gif", "/example/", "/publications/", "/example/page.html", "/example/allowed.gif")

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "astore.amazon.com-robots.txt": (Claim("any", ("/x",), delay=5.0),),
    "crawl-delay-group-merging.txt": (
        Claim("mybot", ("/login/", "/"), ("/private/",), 10.0),
        Claim("yourbot", ("/",), ("/private/", "/login/")),
        Claim("other", ("/private/", "/login/", "/"), (), 30.0),
    ),
    "directive-typos-robots.txt": (
        Claim("bot1", ("/x",), ("/desallow/", "/dissalow/")),
        Claim("bot2", ("/desallow/",), ("/useragent/",)),
        Claim("bot3", ("/useragent/",), ("/useg-agent/",)),
        Claim("bot4", ("/useg-agent/",), ("/useragent-no-colon/",)),
    ),
    "dos-line-endings.txt": (Claim("any", ("/",), delay=1.0),),
    "extended-standard-robots.txt": tuple(
        Claim(agent, ("/x",)) for agent in ("bot1", "bot2", "bot3", "bot4", "any")
    ),
    "extension-robots.txt": (
        Claim("mybot", ("/secret/", "/admin/"), ("/private/",)),
        Claim("otherbot", ("/private/",), ("/admin/",)),
        Claim("any", ("/private/", "/admin/")),
    ),
    "extensions-group-merging.txt": (  # "applies to mybot and yourbot", twice
        Claim("mybot", ("/x",), ("/private/", "/login/")),
        Claim("yourbot", ("/x",), ("/private/", "/login/")),
        Claim("any", ("/llms.txt",), ("/private/", "/x")),
    ),
    "format-errors-robots.txt": (
        Claim("bot1", (), ("/whitespace-before-colon/", "/no-colon/")),
        Claim("bot2", ("/no-colon/",), ("/no-colon-useragent/",)),
        Claim("bot3", ("/whitespace-before-colon/",), ("/x",)),
    ),
    "malformed-path.txt": (
        Claim(
            "bot1",
            ("/wiki/",),
            (f"{TALK}:Mediation_Committee/", f"{TALK}%3Mediation_Committee/"),
        ),
    ),
    "many-user-agents.txt": (
        *(Claim(agent, (), ("/",)) for agent in TRAPPED),
        Claim("mysuperlongbotname", ("/",), ("/bot-trap/", "/g/")),
    ),
    "merge-rules.txt": (
        Claim("wget", ("/foo/bar", "/ckh/bar", "/x"), ("/tmp/bar",)),
        Claim("any", ("/ckh/bar", "/x"), ("/foo/bar", "/tmp/bar")),
        Claim("testy", (), ("/foo/bar", "/tmp/bar", "/ckh/bar", "/x")),
        Claim("curl", (), ("/foo/bar", "/tmp/bar", "/ckh/bar", "/x")),
    ),
    "precedence-of-rules.txt": (
        Claim("testy", ("/foo/bar", "/foo/bar/baz", "/x"), ("/foo", "/foo/box")),
        Claim("wget", ("/foo", "/index.html"), ("/x",)),
    ),
    "relative-sitemap-robots.txt": (Claim("any", ("/x",), ("/cache/", "/files/x")),),
    "rfc9309-example-longest-match-robots.txt": (
        Claim(
            "foobot",
            ("/example/page/", "/example/page/x.gif"),
            ("/example/page/disallowed.gif",),
        ),
    ),
    "rfc9309-example-rule-group-merging.txt": (
        Claim("ExampleBot", (), ("/foo", "/bar", "/baz")),
        Claim("BazBot", ("/foo", "/bar"), ("/baz",)),
        Claim("any", ("/baz",), ("/foo", "/bar")),
    ),
    "rfc9309-example-simple-robots.txt": (
        Claim("any", EXAMPLES[2:3], EXAMPLES[:2] + EXAMPLES[3:]),
        Claim("foobot", EXAMPLES[3:], EXAMPLES[:3]),
        Claim("barbot", EXAMPLES[:3] + EXAMPLES[4:], EXAMPLES[3:4]),
        Claim("bazbot", EXAMPLES[:3] + EXAMPLES[4:], EXAMPLES[3:4]),
        Claim("quxbot", EXAMPLES),
    ),
    "robots-with-utf8-bom.txt": BOMS,
    "robots-with-utf16le-bom.txt": BOMS,
    "robots-with-utf16be-bom.txt": BOMS,
    "sitemap-robots-dedup.txt": (Claim("any", ("/",)),),
    "sitemap-robots.txt": (Claim("any", ("/",)),),
    "twitter.com-robots.txt": (
        Claim("Googlebot", ("/x",), ("/x?y", "/x/with_friends")),
        Claim("any", ("/x",), ("/x?y", "/x/with_friends")),
        Claim("Slurp", delay=1.0),
        Claim("msnbot", delay=10.0),
    ),
    "wildcards.txt": (
        Claim(
            "any",
            ("/wishlist/universal/page", "/a/sim/B001132UEE", "/gp/x"),
            ("/wishlist/bogus", "/anydir/gcrnsts", "/gp/registry/wishlist/1/reserve"),
        ),
        Claim(
            "Googlebot",
            ("/wishlist/universal/page",),
            ("/wishlist/bogus", "/anydir/gcrnsts", "/a/sim/B001132UEE"),
        ),
        Claim("EtaoSpider", (), ("/", "/x")),
    ),
    "www.flot.com-robots.txt": (Claim("any", ("/x",), ("/img/", "/bitrix/x")),),
}

SITEMAPS = {
    "extension-robots.txt": (HERE + "/sitemap.xml",),
    "format-errors-robots.txt": (HERE + "/sitemap.xml",),
    "relative-sitemap-robots.txt": (HERE + "/sitemap.xml",),
    "robots-with-utf8-bom.txt": (NEWSWEEK,),
    "robots-with-utf16le-bom.txt": (NEWSWEEK,),
    "robots-with-utf16be-bom.txt": (NEWSWEEK,),
    "sitemap-robots-dedup.txt": ("http://example.org/sitemap.xml",),
    "sitemap-robots.txt": (
        HERE + "/sitemap.xml",
        HERE + "/dir/my-sitemap.xml",  # a bare URL: the directive was forgotten
        HERE + "/dir/MixedCased-sitemap.xml",
    ),
    "www.flot.com-robots.txt": ("http://flot.com/sitemap_index.xml",),
}


def robots(name: str, base: str | None = HERE + "/robots.txt") -> Robots:
    return Robots.parse((DATA / "crawler-commons" / name).read_bytes(), base=base)


def checks(name: str) -> Iterator[tuple[str, object, object]]:
    """What is looked at, what it is, and what it should be."""
    rules = robots(name)
    for claim in CLAIMS[name]:
        yield f"delay of {claim.agent}", rules.crawl_delay(claim.agent), claim.delay
        for path in claim.allowed + claim.forbidden:
            wanted = path in claim.allowed
            yield f"{claim.agent} {path}", rules.allows(HERE + path, claim.agent), wanted
    if name in SITEMAPS:
        yield "sitemaps", rules.sitemaps, SITEMAPS[name]


@pytest.mark.skipif(not FILES, reason=f"no robots.txt files in {DATA}/crawler-commons")
def test_every_file_has_its_claims() -> None:
    assert sorted(CLAIMS) == FILES


@pytest.mark.skipif(not FILES, reason=f"no robots.txt files in {DATA}/crawler-commons")
@pytest.mark.parametrize("name", CLAIMS)
def test_files(name: str) -> None:
    suite = "crawler-commons robots.txt"
    assert not score(suite, checks(name), lambda check: check[1] == check[2], name)


@pytest.mark.skipif(not FILES, reason=f"no robots.txt files in {DATA}/crawler-commons")
def test_sitemaps_of_a_file_without_an_address() -> None:
    assert robots("relative-sitemap-robots.txt", base=None).sitemaps == ()
    assert len(robots("wildcards.txt", base=None).sitemaps) == 8
