import codecs
import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.robots import ALLOW_ALL, DISALLOW_ALL, MAX_BYTES, Robots, product_token


def allowed(body: str | bytes, path: str, agent: str = "FooBot") -> bool:
    text = body.encode() if isinstance(body, str) else body
    return Robots.parse(text).allows("http://foo.bar" + path, agent)


def group(*rules: str, agent: str = "*") -> str:
    return "\n".join((f"User-agent: {agent}", *rules)) + "\n"


def only(*patterns: str) -> str:
    """A file that allows these patterns and nothing else."""
    return group("Disallow: /", *(f"Allow: {pattern}" for pattern in patterns))


# -- constants


def test_allow_all() -> None:
    assert ALLOW_ALL.allows("http://x/", "any")
    assert ALLOW_ALL.crawl_delay("any") is None
    assert ALLOW_ALL.sitemaps == ()


def test_disallow_all_but_robots_txt() -> None:
    assert not DISALLOW_ALL.allows("http://x/", "any")
    assert not DISALLOW_ALL.allows("http://x/robots.txt2", "any")
    assert DISALLOW_ALL.allows("http://x/robots.txt", "any")


# -- agents


@pytest.mark.parametrize(
    ("agent", "token"),
    [
        ("MyBot/1.0 (+http://x)", "MyBot"),
        ("MyBot", "MyBot"),
        ("my-bot_x/2", "my-bot_x"),
        ("MJ12bot/v1.4.8", "MJ12bot"),
        ("Mozilla/5.0 (compatible; FooBot/2.1; +http://foo)", "FooBot"),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0)", "bingbot"),
        ("Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) FooBot/1.0", "FooBot"),
        ("Mozilla/5.0 (X11; Linux) Gecko/20100101 Firefox/120.0", "Mozilla"),
        ("(compatible; FooBot/1.0)", "FooBot"),
        ("FooBot/1.0 (compatible; Other)", "FooBot"),
        ("  ", ""),
        ("(+http://x)", ""),
    ],
)
def test_product_token(agent: str, token: str) -> None:
    assert product_token(agent) == token


@pytest.mark.parametrize(
    "agent",
    [
        *("FooBot", "foobot", " FOOBOT ", "FooBot/1.2 (+http://x)"),
        "Mozilla/5.0 (compatible; FooBot/2.1; +http://foo)",
    ],
)
@pytest.mark.parametrize("named", ["FooBot", "foobot/1.0", "FOOBOT (x)", "FooBot*", "Bar, FooBot"])
def test_agents_match_by_product_token(named: str, agent: str) -> None:
    body = group("Disallow: /", agent=named) + group("Allow: /")
    assert not allowed(body, "/x", agent)


@pytest.mark.parametrize("agent", ["Foo", "FooBotX", "Bar FooBot", "", "*", "Bot", "Foo Bot"])
def test_other_agents_get_the_star_group(agent: str) -> None:
    body = group("Allow: /", agent="FooBot") + group("Disallow: /")
    assert not allowed(body, "/x", agent)


@pytest.mark.parametrize("star", ["*", " * ", "* # all", "* all", "*, x"])
def test_star(star: str) -> None:
    assert not allowed(group("Disallow: /", agent=star), "/x")


@pytest.mark.parametrize("named", ["", "/", "*x", "**"])
def test_no_agent_is_named(named: str) -> None:
    assert allowed(group("Disallow: /", agent=named), "/x", "")
    assert allowed(group("Disallow: /", agent=named), "/x", "x")


def test_agents_outside_ascii() -> None:
    body = group("Disallow: /", agent="Львів-bot") + group("Allow: /")
    assert not allowed(body, "/x", "Mozilla/5.0 (compatible; Львів-bot/1.1)")


# -- groups


def test_own_groups_are_merged_and_the_star_is_not() -> None:
    body = (
        group("Disallow: /a", agent="foobot")
        + group("Disallow: /star")
        + group("Disallow: /b", agent="FOOBOT/2")
    )
    assert [allowed(body, path) for path in ("/a", "/b", "/star")] == [False, False, True]


def test_star_groups_are_merged() -> None:
    body = group("Disallow: /a") + group("Disallow: /b")
    assert [allowed(body, path) for path in ("/a", "/b", "/c")] == [False, False, True]


def test_rules_before_any_group_are_ignored() -> None:
    assert allowed("Disallow: /\nCrawl-delay: 3\n" + group("Disallow: /x"), "/y")
    assert Robots.parse(b"Crawl-delay: 3\n").crawl_delay("FooBot") is None


@pytest.mark.parametrize("line", ["Sitemap: http://x/s.xml", "Unknown: x", "", "# x", "garbage"])
def test_other_lines_do_not_end_a_group(line: str) -> None:
    body = f"User-agent: BarBot\n{line}\nUser-agent: FooBot\n{line}\nDisallow: /a\n{line}\n"
    body += "Disallow: /b\n"
    for agent in ("FooBot", "BarBot"):
        assert [allowed(body, path, agent) for path in ("/a", "/b")] == [False, False]


def test_an_empty_rule_ends_the_user_agent_lines() -> None:
    body = "User-agent: FooBot\nDisallow:\nUser-agent: BarBot\nDisallow: /\n"
    assert allowed(body, "/x", "FooBot")
    assert not allowed(body, "/x", "BarBot")


def test_an_own_group_without_rules_allows_all() -> None:
    assert allowed(group("Disallow: /") + "User-agent: FooBot\n", "/x")


# -- lines


@pytest.mark.parametrize(
    "line",
    [
        *("disallow:/x", "DISALLOW : /x", "  disallow\t:\t/x  ", "disallow /x", "disallow\t/x"),
        *("dissallow: /x", "dissalow: /x", "disalow: /x", "diasllow: /x", "disallaw: /x"),
        *("disallow: /x # why", "disallow: /x#why", "Disallow:/x\v"),
    ],
)
def test_ways_to_disallow(line: str) -> None:
    assert not allowed(group(line), "/x")
    assert allowed(group(line), "/y")


@pytest.mark.parametrize("line", ["disallow", "disallow /x y", "disallow:", "disallow: # /", ":/"])
def test_no_rule(line: str) -> None:
    assert allowed(group(line), "/x")


@pytest.mark.parametrize("key", ["useragent:", "user agent:", "User-Agent", "user_agent :"])
def test_ways_to_name_an_agent(key: str) -> None:
    assert not allowed(f"{key} FooBot\nDisallow: /", "/x")


def test_blanks_for_the_colon_before_a_path_with_one() -> None:
    assert not allowed(group("Disallow /wiki/Special:Search"), "/wiki/Special:Search")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\r\n", "\r\r"])
def test_line_endings(end: str) -> None:
    body = end.join(("User-agent: a", "User-agent: FooBot", "Disallow: /x", "Allow: /x/y"))
    assert [allowed(body, path) for path in ("/x", "/x/y")] == [False, True]


def test_only_cr_and_lf_end_a_line() -> None:
    assert not allowed(group("Disallow: /a\x85/b"), "/a%C2%85/b")
    assert not allowed(group("Disallow: /voilà"), "/voil%C3%A0")


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: codecs.BOM_UTF8[:2] + text.encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: codecs.BOM_UTF32_LE + text.encode("utf-32-le"),
        lambda text: b"\0" + b"\0".join(text.encode()[i : i + 1] for i in range(len(text) + 9)),
    ],
)
def test_encodings(encode) -> None:
    body = encode(group("Disallow: /x"))
    assert not allowed(body, "/x")
    assert allowed(body, "/y")


def test_wide_encodings_keep_their_letters() -> None:
    body = codecs.BOM_UTF16_BE + group("Disallow: /ツ").encode("utf-16-be")
    assert not allowed(body, "/%E3%83%84")


def test_html() -> None:
    page = b"<!DOCTYPE html>\n<html><head><title>Not found</title>\n<body>User-agent: x: /</html>"
    assert allowed(page, "/x")
    body = "<html><body>\nUser-agent: *<BR>\nDisallow: /x<BR>\nCrawl-Delay: 10<BR>\n</html>"
    assert [allowed(body, path) for path in ("/x", "/y")] == [False, True]
    assert Robots.parse(body.encode()).crawl_delay("FooBot") == 10.0


def test_only_the_first_bytes_are_read() -> None:
    start = group("Disallow: /a").encode()
    filled = start + b"#" * (MAX_BYTES - len(start) - len(b"\nDisallow: /b")) + b"\nDisallow: /b"
    assert len(filled) == MAX_BYTES
    for more, b_allowed in ((b"", False), (b"\nDisallow: /c", False), (b"c\nDisallow: /c", True)):
        paths = [allowed(filled + more, path) for path in ("/a", "/b", "/c")]
        assert paths == [False, b_allowed, True]


@pytest.mark.parametrize("rule", ["disallow", "allow"])
def test_long_lines_are_cut(rule: str) -> None:
    long = "/x/" + "a" * (8 * 2083 - len(f"{rule}: /x/") - 2)  # one octet of the rest is seen
    body = group("disallow: /" * (rule == "allow"), f"{rule}: {long}/qux")
    assert allowed(body, "/fux") == (rule == "disallow")
    assert allowed(body, f"{long}/fux") == (rule == "allow")


# -- rules


@pytest.mark.parametrize(
    ("url", "path"),
    [
        *(("", "/"), ("http://www.example.com", "/"), ("example.com", "/"), ("a", "/")),
        *(("http://www.example.com/a", "/a"), ("example.com/a", "/a"), ("/a", "/a")),
        ("http://www.example.com/a/b?c=http://d.e/", "/a/b?c=http://d.e/"),
        ("http://www.example.com/a/b?c=d&e=f#fragment", "/a/b?c=d&e=f"),
        ("http://user@www.example.com:10/a;b?c#d", "/a;b?c"),
        *(("a/b", "/b"), ("//a/b/c", "/b/c"), ("example.com?a", "/?a")),
        *(("example.com/a;b#c", "/a;b"), ("http://h?q", "/?q"), ("http://h#/a", "/")),
    ],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    body = group(f"Disallow: {path}$").encode()
    assert not Robots.parse(body).allows(url, "FooBot")


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        (("Allow: /p", "Disallow: /"), "/page", True),
        (("Disallow: /folder", "Allow: /folder"), "/folder/page", True),
        (("Allow: /page", "Disallow: /*.htm"), "/page.htm", False),
        (("Allow: /page", "Disallow: /*.ph"), "/page.php5", True),
        (("Allow: /$", "Disallow: /"), "/", True),
        (("Allow: /$", "Disallow: /"), "/page", False),
        (("Disallow: /fish*", "Allow: /fish"), "/fish", False),
        (("Disallow: /*", "Allow: /$"), "/", True),
        (("Disallow: /$", "Allow: /*"), "/", True),
        (("Disallow: /a$", "Allow: /*a"), "/a", True),
        (("Disallow: *", "Allow: /"), "/x", True),
        (("Disallow: **", "Allow: /"), "/x", False),
        (("Disallow: $",), "/", True),
        (("Disallow: x",), "/x", True),
        (("Disallow: /*a*a$",), "/a", True),
        (("Disallow: /*a*a$",), "/aa", False),
        (("Disallow: /a$b",), "/a$bc", False),
        (("Disallow: /a$b",), "/a", True),
        (("Allow: /d/index.html", "Disallow: /"), "/d/", True),
        (("Allow: /d/index.html", "Disallow: /"), "/d/x", False),
        (("Disallow: /d/index.html",), "/d/", True),
    ],
)
def test_rules(rules: tuple[str, ...], path: str, expected: bool) -> None:
    assert allowed(group(*rules), path) is expected


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/foo/bar?baz=quz", "/foo/bar?baz=quz"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"),
        ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https://foo.bar"),
        ("/foo/bar/ツ", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84"),
        ("/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84"),
        ("/a%3cd", "/a%3Cd"),
        ("/a<d", "/a%3Cd"),
        ("/a%3cd", "/a<d"),
        ("/~joe", "/%7ejoe"),
        ("/%7Ejoe", "/~joe"),
        ("/a%2Ab", "/a*b"),
        ("/a%24", "/a$"),
        ("/a%24", "/a%24b"),
        ("/a b", "/a%20b"),
        ("/a'b", "/a%27b"),
        ("/a%2fb", "/a%2Fb"),
    ],
)
def test_same_octets(pattern: str, path: str) -> None:
    assert allowed(only(pattern), path)
    assert not allowed(group(f"Disallow: {pattern}"), path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("/a%2fb", "/a/b"), ("/a/b", "/a%2fb"), ("/a%2Ab", "/axb"), ("/a%24", "/a"), ("/%3", "/3")],
)
def test_other_octets(pattern: str, path: str) -> None:
    assert not allowed(only(pattern), path)
    assert allowed(group(f"Disallow: {pattern}"), path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("/%62%61%7A", "/baz"), ("/baz", "/%62%61%7A"), ("/ツ", "/ツ"), ("/%E3%83%84", "/ツ")],
)
def test_where_google_and_the_rfc_differ_both_must_allow(pattern: str, path: str) -> None:
    assert not allowed(only(pattern), path)
    assert not allowed(group(f"Disallow: {pattern}"), path)


def test_many_agents_may_ask() -> None:
    rules = Robots.parse(group("Disallow: /", agent="bot7").encode())
    answers = [rules.allows("http://x/", f"bot{i}") for i in range(100)]
    assert answers.count(False) == 1
    assert not rules.allows("http://x/", "bot7")


def test_hostile_patterns() -> None:
    stars = Robots.parse(group("Disallow: /" + "*a" * 8000 + "b$", "Disallow: /x").encode())
    assert stars.allows("http://h/" + "a" * 100_000, "FooBot")
    assert not stars.allows("http://h/" + "a" * 100_000 + "b", "FooBot")


def test_long_urls_and_many_wildcards_do_not_meet() -> None:
    traps = [f"Disallow: /trap{n}/*{'a' * 40}b" for n in range(5000)]
    body = group("Disallow: /no", *traps, "Allow: /*yes", "Allow: /no/really").encode()
    rules = Robots.parse(body)
    rest = "/a/yes" + "/x" * 4000
    few, many = ["/trap7/a"], ["/trap7" + rest, "/trap4999" + rest, "/no" + rest]
    assert [rules.allows("http://h" + path, "x") for path in few] == [True]
    assert not any(rules.allows("http://h" + path, "x") for path in many)
    for path in ("/trap", "/other", "/no/really"):  # no wildcard is in question
        assert rules.allows("http://h" + path + rest, "x")


def test_long_urls_meet_some_wildcards() -> None:
    body = group("Disallow: /*?sid=", "Disallow: /*.pdf$", "Allow: /*?sid=0", *["Allow: /*/"] * 99)
    start = "/" + "a/" * 50_000
    ends = {".pdf": False, ".pdf?": True, "?sid=1": False, "?sid=0": True, "": True}
    assert {end: allowed(body, start + end) for end in ends} == ends


def test_many_agents_with_many_rules() -> None:
    names = "".join(f"User-agent: bot{i}\n" for i in range(5000))
    body = names + "Crawl-delay: 2\n" * 5000 + "Disallow: /x\n" * 5000
    rules = Robots.parse(body.encode())
    assert not rules.allows("http://h/x", "bot4999")
    assert rules.crawl_delay("bot4999") == 2.0


# -- delays


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("10", 10.0), ("0.5", 0.5), (".5", 0.5), ("1.", 1.0), ("0", 0.0), ("3 # x", 3.0)],
)
def test_crawl_delay(value: str, seconds: float) -> None:
    assert Robots.parse(group(f"crawl-delay: {value}").encode()).crawl_delay("FooBot") == seconds


@pytest.mark.parametrize(
    "value", ["", "-1", "nan", "inf", "fast", "10s", "1,5", "1_0", "1e3", "٣", "9" * 400]
)
def test_nonsense_is_no_delay(value: str) -> None:
    assert Robots.parse(group(f"Crawl-delay: {value}").encode()).crawl_delay("FooBot") is None


def test_delays_of_consecutive_agents() -> None:
    body = (
        b"User-agent: a\nUser-agent: b\nCrawl-delay: 1\nUser-agent: c\nCrawl-delay: 2\nAllow: /\n"
    )
    rules = Robots.parse(body + b"User-agent: a\nCrawl-delay: 3\nUser-agent: *\nCrawl-delay: 4")
    delays = [rules.crawl_delay(agent) for agent in ("a/1.0", "B", "c", "d", "")]
    assert delays == [3.0, 1.0, 2.0, 4.0, 4.0]


def test_an_own_group_hides_the_delay_of_the_star() -> None:
    body = group("Crawl-delay: 9") + group("Disallow: /x", agent="FooBot")
    assert Robots.parse(body.encode()).crawl_delay("FooBot") is None


# -- sitemaps


def test_sitemaps() -> None:
    body = """sitemap: http://a/1.xml
        User-agent: x
        SITEMAP:https://a/2.xml # comment
        Site-map http://a/ツ.xml
        Disallow: /
        Sitemap: http://a/1.xml
        Sitemap: HTTP://a/B.xml
        Sitemap: /relative.xml
        Sitemap: ftp://a/3.xml
        Sitemap: http://[bad/4.xml
        Sitemap: http:
        Sitemap:
        """.encode()
    absolute = ("http://a/1.xml", "https://a/2.xml", "http://a/ツ.xml", "HTTP://a/B.xml")
    assert Robots.parse(body).sitemaps == absolute
    resolved = Robots.parse(body, base="http://b/robots.txt").sitemaps
    assert "http://b/relative.xml" in resolved
    assert not any("bad" in url or url.startswith("ftp") for url in resolved)


# -- properties

LINES = st.sampled_from(
    [
        *(b"User-agent: *", b"disallow: /", b"allow:", b"crawl-delay: 1", b"sitemap: http://["),
        *(codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
        *(b"\r", b"\n", b"\0", b"<", b"#", b"%", b"*"),
    ]
)
TEXTS = st.text(st.characters(codec=None)) | st.text("http:/?#;%2aAé*$ \\@.")


@given(st.binary() | st.lists(LINES | st.binary(max_size=4)).map(b"".join), TEXTS, TEXTS)
def test_nothing_raises(body: bytes, url: str, agent: str) -> None:
    rules = Robots.parse(body, base="http://h/robots.txt")
    assert rules.allows(url, agent) in (True, False)
    assert rules.allows("http://h/robots.txt", agent)
    delay = rules.crawl_delay(agent)
    assert delay is None or delay >= 0
    assert isinstance(product_token(agent), str)


def oracle(rules: list[tuple[bool, str]], path: str) -> bool:
    """The longest match by regular expressions: slow, and plainly right."""
    best = (0, True)
    for allow, pattern in rules:
        body = pattern.removesuffix("$")
        regex = ".*".join(map(re.escape, body.split("*"))) + (r"\Z" if body != pattern else "")
        if re.match(regex, path, re.DOTALL):
            best = max(best, (len(pattern), allow))
    return best[1]


PATTERNS = st.tuples(st.sampled_from("/*"), st.text("ab/*$", max_size=7)).map("".join)
PATHS = st.text("ab/$", max_size=9).map("/".__add__)


@given(st.lists(st.tuples(st.booleans(), PATTERNS), min_size=1, max_size=6), PATHS)
def test_matches_as_regular_expressions_do(rules: list[tuple[bool, str]], path: str) -> None:
    body = group(*(f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules))
    assert allowed(body, path) == oracle(rules, path)


@given(st.lists(st.tuples(st.booleans(), PATTERNS), min_size=1, max_size=6), PATHS)
def test_what_costs_too_much_is_allowed_less_not_more(
    rules: list[tuple[bool, str]], path: str
) -> None:
    body = group(*(f"{'Allow' if allow else 'Disallow'}: {pattern}" for allow, pattern in rules))
    with patch("asyncmultispider.robots.rules.MAX_WORK", 0):
        hurried = allowed(body, path)
    assert allowed(body, path) or not hurried
    if not any("*" in pattern for _, pattern in rules):
        assert allowed(body, path) == hurried


@given(st.text("a%27Ee~/", max_size=8), st.text("a%27Ee~/", max_size=8))
def test_the_short_way_for_plain_urls_changes_nothing(rule: str, path: str) -> None:
    rules = Robots.parse(group(f"Disallow: /{rule}").encode())
    # a fragment sends the URL the long way round
    assert rules.allows(f"http://h/{path}", "x") == rules.allows(f"http://h/{path}#f", "x")
