"""What other suites of these kinds ask for, in our own words.

Robots: Google's unit tests, the 1994 and 1996 drafts, RFC 9309's text, what other parsers test.
Where those disagree, the RFC and Google decide, and of the two the one that allows less. So some
habits of single parsers are not ours: names in user-agent lines with wildcards or of two words,
more than one name parted by blanks, rules for a literal `*` or final `$`.
Hosts: UTS #46 as the URL standard uses it.
"""

from typing import NamedTuple

import pytest
from scoring import score

from asyncmultispider.robots import MAX_BYTES, Robots
from asyncmultispider.urls import canonicalize

HERE = "http://foo.bar"


class Site(NamedTuple):
    """A robots.txt, and for agents what it allows and what it forbids; slashes part the lines."""

    robots: str
    said: tuple[tuple[str, str, str], ...]  # agent, allowed, forbidden: paths, parted by blanks


FISH = (
    "/fish /fish.html /fish/salmon.html /fishheads /fishheads/yummy.html /fish.html?id=anything",
    "/bar /Fish.asp /catfish /?id=fish",
)
DRAFT = "/server.html /services/fast.html /services/slow.html /org/about.html /%7Emak/mak.html"
DRAFT_NOT = "/ /index.html /orgo.gif /org/plans.html /%7Ejim/jim.html"
GROUPS = """allow: /foo/bar/

user-agent: FooBot
disallow: /
allow: /x/
user-agent: BarBot
disallow: /
allow: /y/


allow: /w/
user-agent: BazBot

user-agent: FooBot
allow: /z/
disallow: /
"""
THE_1996_DRAFT = """# /robots.txt for http://www.fict.org/
# comments to webmaster@fict.org

User-agent: unhipbot
Disallow: /

User-agent: webcrawler
User-agent: excite
Disallow:

User-agent: *
Disallow: /org/plans.html
Allow: /org/
Allow: /serv
Allow: /~mak
Disallow: /
"""

SITES = [
    Site("", (("FooBot", "/ /x", ""), ("", "/", ""))),
    Site("user-agent: FooBot\ndisallow: /\n", (("FooBot", "", "/ /x"), ("", "/", ""))),
    Site("foo: FooBot\nbar: /\n", (("FooBot", "/x/y", ""),)),
    Site("user-agent FooBot\ndisallow /\n", (("FooBot", "", "/x/y"),)),
    Site(
        GROUPS,
        (
            ("FooBot", "/x/b /z/d", "/y/c /foo/bar/"),
            ("BarBot", "/y/c /w/a", "/z/d /foo/bar/"),
            ("BazBot", "/z/d", "/foo/bar/ /y/c"),
            ("QuxBot", "/foo/bar/ /", ""),
        ),
    ),
    *(
        Site(
            f"User-agent: {agent}\n{line}\nUser-agent: *\nDisallow: /\n",
            (("FooBot", "", "/"), ("BarBot", "", "/")),
        )
        for agent in ("BarBot", "FooBot")
        for line in ("Sitemap: https://foo.bar/sitemap", "Invalid-Unknown-Line: unknown")
    ),
    *(
        Site(f"{name}: FooBot\n{allow}: /x/\n{disallow}: /\n", (("fOObOT", "/x/y", "/a/b"),))
        for name, allow, disallow in (
            ("USER-AGENT", "ALLOW", "DISALLOW"),
            ("uSeR-aGeNt", "AlLoW", "dIsAlLoW"),
        )
    ),
    *(
        Site(
            f"User-Agent: {name}\nAllow: /x/\nDisallow: /\n",
            (("Foo", "/x/y", "/a/b"), ("foo", "/x/y", "/a/b")),
        )
        for name in ("FOO BAR", "foo bar", "FoO bAr")
    ),
    Site(
        "User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n",
        (("Foo", "/x/y", "/a"), ("Foo Bar", "", "/x/y")),
    ),
    Site(
        "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n",
        (("FooBot", "", "/x/y"), ("BarBot", "/x/y", "")),
    ),
    Site("user-agent: FooBot\ndisallow: /x/\n", (("FooBot", "/X/y", "/x/y"),)),
    Site(
        "user-agent: FooBot\ndisallow: /x/page.html\nallow: /x/\n",
        (("FooBot", "/x/", "/x/page.html"),),
    ),
    Site(
        "user-agent: FooBot\nallow: /x/page.html\ndisallow: /x/\n",
        (("FooBot", "/x/page.html", "/x/"),),
    ),
    Site("user-agent: FooBot\ndisallow: \nallow: \n", (("FooBot", "/x/page.html", ""),)),
    Site("user-agent: FooBot\ndisallow: /\nallow: /\n", (("FooBot", "/x/page.html", ""),)),
    Site("user-agent: FooBot\ndisallow: /x\nallow: /x/\n", (("FooBot", "/x/", "/x"),)),
    Site(
        "user-agent: FooBot\nallow: /page\ndisallow: /*.html\n",
        (("FooBot", "/page", "/page.html"),),
    ),
    Site(
        "user-agent: FooBot\nallow: /x/page.\ndisallow: /*.html\n",
        (("FooBot", "/x/page.html", "/x/y.html"),),
    ),
    Site(
        "User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n",
        (("FooBot", "/x/page", "/y/page"),),
    ),
    Site(
        "User-agent: FooBot\nDisallow: /\nAllow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par\n",
        (("FooBot", "/foo/bar?qux=taz&baz=http://foo.bar?tar&par", "/foo/bar?qux"),),
    ),
    *(
        Site(
            f"User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/{name}\n",
            (("FooBot", "/foo/bar/%E3%83%84 /foo/bar/%e3%83%84", "/foo/bar/%E3%83%85"),),
        )
        for name in ("ツ", "%E3%83%84", "%e3%83%84")
    ),
    Site(
        "User-agent: FooBot\nDisallow: /\nAllow: /foo/bar/%62%61%7A\n",
        (("FooBot", "/foo/bar/%62%61%7A", "/foo/bar/baz"),),  # the RFC alone would allow the last
    ),
    Site(
        "User-agent: FooBot\nDisallow: /foo/bar/quz\nAllow: /foo/*/qux\n",
        (("FooBot", "/foo/quz /foo//quz /foo/bax/quz", "/foo/bar/quz"),),
    ),
    Site(
        "User-agent: FooBot\nDisallow: /foo/bar$\nAllow: /foo/bar/qux\n",
        (("FooBot", "/foo/bar/qux /foo/bar/ /foo/bar/baz", "/foo/bar"),),
    ),
    Site(
        "User-agent: FooBot\n# Disallow: /\nDisallow: /foo/quz#qux\nAllow: /\n",
        (("FooBot", "/foo/bar", "/foo/quz"),),
    ),
    Site(
        "User-Agent: *\nAllow: /slash/index.html\nDisallow: /\n",
        (("foobot", "/slash/ /slash/index.html", "/slash/index.htm /other"),),
    ),
    Site("user-agent: FooBot\ndisallow: /\nallow: /fish\n", (("FooBot", *FISH),)),
    Site("user-agent: FooBot\ndisallow: /\nallow: /fish*\n", (("FooBot", *FISH),)),
    Site(
        "user-agent: FooBot\ndisallow: /\nallow: /fish/\n",
        (
            (
                "FooBot",
                "/fish/ /fish/salmon /fish/?salmon /fish/salmon.html /fish/?id=anything",
                "/fish /fish.html /Fish/Salmon.html",
            ),
        ),
    ),
    Site(
        "user-agent: FooBot\ndisallow: /\nallow: /*.php\n",
        (
            (
                "FooBot",
                "/filename.php /folder/filename.php?parameters //folder/any.php.file.html"
                " /filename.php/ /index?f=filename.php/",
                "/bar /php/ /index?php /windows.PHP",
            ),
        ),
    ),
    Site(
        "user-agent: FooBot\ndisallow: /\nallow: /*.php$\n",
        (
            (
                "FooBot",
                "/filename.php /folder/filename.php",
                "/filename.php?parameters /filename.php/ /filename.php5 /php/ /filename?php",
            ),
        ),
    ),
    Site(
        "user-agent: FooBot\ndisallow: /\nallow: /fish*.php\n",
        (("FooBot", "/fish.php /fishheads/catfish.php?parameters", "/Fish.PHP"),),
    ),
    Site("user-agent: FooBot\nallow: /$\ndisallow: /\n", (("FooBot", "/", "/page.html"),)),
    *(
        Site(
            end.join(
                ("User-Agent: foo", "Allow: /some/path", "User-Agent: bar", "", "", "Disallow: /")
            ),
            (("foo", "/some/path /x", ""), ("bar", "", "/some/path")),
        )
        for end in ("\n", "\r", "\r\n", "\n\r\n")
    ),
    *(
        Site(
            f"{mark}User-Agent: foo\nDisallow: /AnyValue\n",
            (("foo", "/" if read else "/ /AnyValue", "/AnyValue" if read else ""),),
        )
        for mark, read in (
            *(("\xef\xbb\xbf", True), ("\xef\xbb", True), ("\xef", True)),
            ("\xef\x11\xbf", False),
        )
    ),
    Site("User-Agent: foo\n\xef\xbb\xbfDisallow: /AnyValue\n", (("foo", "/AnyValue", ""),)),
    Site(
        THE_1996_DRAFT,
        (
            ("UnhipBot/0.1", "/robots.txt", f"{DRAFT} {DRAFT_NOT}"),
            ("WebCrawler/3.0", f"{DRAFT} {DRAFT_NOT} /robots.txt", ""),
            ("Excite/1.0", f"{DRAFT} {DRAFT_NOT}", ""),
            ("Unknown/1.0", f"{DRAFT} /robots.txt", DRAFT_NOT),
        ),
    ),
    *(
        Site(f"User-agent: *\nAllow: {rule}\nDisallow: /\n", (("x", allowed, forbidden),))
        for rule, allowed, forbidden in (
            ("/tmp", "/tmp /tmp.html /tmp/a.html", "/"),
            ("/tmp/", "/tmp/ /tmp/a.html", "/tmp"),
            ("/a%3cd.html", "/a%3cd.html /a%3Cd.html /a<d.html", "/a/d.html"),
            ("/a%3Cd.html", "/a%3cd.html /a%3Cd.html", "/a"),
            ("/a%2fb.html", "/a%2fb.html /a%2Fb.html", "/a/b.html"),
            ("/a/b.html", "/a/b.html", "/a%2fb.html"),
            ("/%7ejoe/index.html", "/~joe/index.html /%7Ejoe/index.html", "/joe"),
            ("/~joe/index.html", "/~joe/index.html /%7Ejoe/index.html /%7ejoe/index.html", "/joe"),
            ("*/p", "/page /a/p", "/a"),
            ("/a%2A", "/a*", "/ab"),
        )
    ),
    Site(
        "User-agent: *\nDisallow: /cyberworld/map/ # endless\nDisallow: /tmp/ # soon gone\n"
        "Disallow: /foo.html\n",
        (("any", "/ /foo.htm /foo.shtml /cyberworld/index.html", "/foo.html /foo.htmlx /tmp/x"),),
    ),
    Site(
        "User-agent: a\nDisallow: /foo*\n\nUser-agent: b\nDisallow: /foo*/bar.html\n\n"
        "User-agent: c\nDisallow: *m\n\nUser-agent: d\nAllow: /foo/bar.html\nDisallow: *\n\n"
        "User-agent: e\nDisallow: /foo*/*bar.html\n\nUser-agent: f\nAllow: /foo$\nDisallow: /foo\n"
        "\nUser-agent: g\nAllow: *****************/****.js\n",
        (
            ("a", "/fo.html", "/foo.html /food /foo/bar.html"),
            ("b", "/fo.html /food/xyz.html", "/foo/bar.html /food/bar.html /foo/a/b/c/bar.html"),
            ("c", "/foo /foo/bar.txt", "/foo.htm /foom /moo /foo/bar.html"),
            ("d", "/foo/bar.html", "/fo.html /foo /foo/bar.txt"),
            ("e", "/food/rebarf.html", "/foo/bar.html /food/rebar.html /foo/a/b/rebar.html"),
            ("f", "/foo", "/foo/ /foo/bar.html /fooey"),
            ("g", "/xyz/foo.js /x/", ""),
        ),
    ),
    Site(
        "User-Agent: *\nDisallow: /wiki/K%C3%A4ytt%C3%A4j%C3%A4:\n"
        "Disallow: /wiki/Keskustelu_käyttäjästä:\n",
        (
            (
                "x",
                "/wiki/",
                "/wiki/K%C3%A4ytt%C3%A4j%C3%A4: /wiki/Keskustelu_k%C3%A4ytt%C3%A4j%C3%A4st%C3%A4:",
            ),
        ),
    ),
    Site(
        "User-agent: *\nDisallow: /path;params?query\n", (("x", "/path", "/path;params?query#f"),)
    ),
    Site("User-agent: *\nDisallow: /?\nDisallow: /;\n", (("x", "/ /a?", "/?query /;params"),)),
    Site(
        "User-agent: *\nDisallow: //folder/*\n", (("x", "/folder/page //folder", "//folder/page"),)
    ),
    Site("User-agent: *\nDisallow: /*s=\n", (("x", "/ /s/", "/?s=asd"),)),
    Site(
        "User-agent: *\nDisallow: /x$/abc\nDisallow: /y/abc$\nDisallow: /x*x$/abc\n",
        (("x", "/y/abcdef", "/x$/abcdef /x%24/abcdef /y/abc /xabcx$/abcdef"),),
    ),
    Site(
        "Disallow: /a\nCrawl-delay: 5.2\nUser-agent: b\nDisallow: /c\n",
        (("b", "/a", "/c"), ("x", "/c", "")),
    ),
    Site("User-agent: a\nDisallow: /\nUser-agent: b\n", (("b", "/", ""), ("a", "", "/"))),
    Site(
        "User-agent: One, Two, Three\nDisallow: /\n\nUser-agent: *\nAllow: /\n",
        (("one", "", "/x"), ("two", "", "/x"), ("three", "", "/x"), ("four", "/x", "")),
    ),
]

IN_ROW = (
    "User-agent: bixo\rCrawl-delay: 10\rUser-agent: foobot\rCrawl-delay: 20\r"
    "User-agent: *\rDisallow:/baz\r"
)
KRUGLE = (
    "User-agent: *\nDisallow: /perl/\nCrawl-delay: 3\n\nUser-agent: googlebot\nCrawl-delay: 1\n"
)
TWO = "User-agent: *\nDisallow: /a\nCrawl-delay: 10\nUser-agent: testbot\nCrawl-delay: 15"
DELAYS = [
    (IN_ROW, "bixo", 10.0),
    (IN_ROW, "foobot", 20.0),
    (IN_ROW, "other", None),
    ("User-agent: *\rCrawl-delay: 0.5\rDisallow:\r", "bixo", 0.5),
    ("User-agent: *\nCrawl-delay: random_word", "x", None),
    (TWO, "testbot", 15.0),
    (TWO, "x", 10.0),
    (KRUGLE, "googlebot/2.1", 1.0),
    (KRUGLE, "x", 3.0),
]
ONE, OTHER = "http://foo.bar/sitemap.xml", "https://wwwfoocom/sitemapxml"
SITEMAPS = [
    (f"User-Agent: foo\nAllow: /p\nUser-Agent: bar\n\nSitemap: {ONE}\n", (ONE,)),
    (f"Sitemap: {ONE}\nUser-Agent: foo\nAllow: /p\n", (ONE,)),
    (f"User-agent: a\r\nDisallow: /d/\r\n\r\n\r\nSitemap: {OTHER}", (OTHER,)),
    (f"User-agent: *\nDisallow: /d\nSitemap: {ONE} \nAllow: /b\nSITEMAP:{OTHER}", (ONE, OTHER)),
]


def checks(site: Site) -> list[tuple[Site, str, str, bool]]:
    return [
        (site, agent, path, wanted)
        for agent, *paths in site.said
        for wanted, listed in zip((True, False), paths, strict=True)
        for path in listed.split()
    ]


def test_robots() -> None:
    def passes(check: tuple[Site, str, str, bool]) -> bool:
        site, agent, path, wanted = check
        marked = site.robots.startswith("\xef") or "\n\xef" in site.robots
        rules = Robots.parse(site.robots.encode("latin-1" if marked else "utf-8"))
        return rules.allows(HERE + path, agent) is wanted

    every = [check for site in SITES for check in checks(site)]
    assert not score("robots.txt of other suites", every, passes)


def test_robots_delays_and_sitemaps() -> None:
    suite = "robots.txt of other suites"
    assert not score(
        suite,
        DELAYS,
        lambda case: Robots.parse(case[0].encode()).crawl_delay(case[1]) == case[2],
        "delays",
    )
    assert not score(
        suite, SITEMAPS, lambda case: Robots.parse(case[0].encode()).sitemaps == case[1], "sitemaps"
    )


@pytest.mark.parametrize("rule", ["allow", "disallow"])
def test_robots_bounds(rule: str) -> None:
    """RFC 9309, section 2.5: 500 KiB at least are read; Google: 2083 x 8 bytes of a line."""
    assert MAX_BYTES >= 500 * 1024
    base = "user-agent: x\n" + "disallow: /\n" * (rule == "allow")
    long = "/x/" + "a" * (8 * 2083 - len(rule) - len(": /x/") + 1)
    lines = f"{base}{rule}: {long}/qux\n".encode()
    rules = Robots.parse(lines)
    assert rules.allows(f"{HERE}{long}/fux", "x") is (rule == "allow")
    assert rules.allows(f"{HERE}/fux", "x") is (rule == "disallow")


LONG = "0123456789" * 5 + "." + "0123456789." * 25

# Each host and its ASCII form; None: no host. Of UTS #46, as in https://url.spec.whatwg.org/#idna
HOSTS: list[tuple[str, str | None]] = [
    *(("aa--", "aa--"), ("a†--", "xn--a---kp0a"), ("ab--c", "ab--c"), ("-x", "-x")),
    *(("-†", "xn----xhn"), ("-x.xn--zca", "-x.xn--zca"), ("-x.ß", "-x.xn--zca")),
    *(("x-.ß", "x-.xn--zca"), ("x..xn--zca", "x..xn--zca"), ("x..ß", "x..xn--zca")),
    # Since 2026 no ASCII domain fails for its Punycode.
    *(("xn--a", "xn--a"), ("xn--ls8h=", "xn--ls8h="), ("xn--", "xn--"), ("xn--0.pt", "xn--0.pt")),
    *(("xn--a.ß", None), ("xn--tešla", None), ("xn--zca.ß", "xn--zca.xn--zca")),
    *(("ab--c.ß", "ab--c.xn--zca"), ("xn--a-Ä.pt", None), ("U\u0308.XN--Tda", "xn--tda.xn--tda")),
    # joiners
    *(("\u200d.example", None), ("a\u200cb", None), ("a\u200db", None)),
    *(("a\u094d\u200cb", "xn--ab-fsf604u"), ("a\u094d\u200db", "xn--ab-fsf014u")),
    *(("ශ්\u200dරී", "xn--10cl1a0b660p"), ("نامه\u200cای", "xn--mgba3gch31f060k")),
    # right to left
    *(("يa", None), ("\u064a.", "xn--mhb."), ("1.\u064a", "1.xn--mhb"), ("\u064a.1", None)),
    *(("à.א\u0308", "xn--0ca.xn--ssa73l"), ("a\u0300\u0308.א", "xn--0ca81i.xn--4db")),
    # not allowed, ignored, mapped
    *(("\ufffd.com", None), ("a\u2488com", None), ("\u00ad", None), ("%C2%AD", None)),
    *(("a\u00adb", "ab"), ("a%C2%ADb", "ab"), ("≠", "xn--1ch"), ("≮", "xn--gdh"), ("≯", "xn--hdh")),
    *(("¡", "xn--7a"), ("\u19da", "xn--pkf"), ("\uab60", "xn--3y9a"), ("☕", "xn--53h")),
    *(("faß.de", "xn--fa-hia.de"), ("BÜCHER.DE", "xn--bcher-kva.de"), ("ÖBB", "xn--bb-eka")),
    *(("βόλος.com", "xn--nxasmm1c.com"), ("ΒΌΛΟΣ.COM", "xn--nxasmq6b.com")),
    *(("\u3002", "."), ("a.b．c。d｡", "a.b.c.d."), ("日本語。ＪＰ", "xn--wgv71a119e.jp")),
    # as Unicode has it since 15.1 and 16
    *(("Faẞ.de", "xn--fa-hia.de"), ("Ⴀ.com", "xn--rkj.com"), ("ⴀ.com", "xn--rkj.com")),
    *(("\u180ea\u115f\uffa0.com", "a.com"), ("\U0002f868.com", "xn--snl.com"), ("Ⅎ", "xn--73g")),
    # long ones
    ("x" * 64, "x" * 64),
    ("x" * 62 + "†", "xn--" + ("x" * 62 + "†").encode("punycode").decode()),
    (LONG + "x", LONG + "x"),
    (LONG + "ß", LONG + "xn--zca"),
]  # fmt: skip


def host(text: str) -> str | None:
    try:
        return canonicalize(f"https://{text}/x").removeprefix("https://").removesuffix("/x")
    except ValueError:
        return None


def test_hosts() -> None:
    assert not score("hosts by UTS #46", HOSTS, lambda case: host(case[0]) == case[1])
