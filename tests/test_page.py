"""`Page`: what a response says, without a server."""

import codecs
import json
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncmultispider.model import Extra, PageRow, Request
from asyncmultispider.page import Follow, Page
from asyncmultispider.testing import reply

URL = "http://a.example/dir/page?q=1"
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 5


def page(body: str | bytes, content_type: str | None = "text/html", *, agent: str = "*", **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    response = reply(body, content_type=content_type, headers=fields)
    return Page(
        Request(id=1, url=URL, host="a.example", depth=2, referrer="http://r.example/"),
        response,
        agent,
    )


def test_it_carries_what_was_received() -> None:
    it = page("<p>x", x_thing="y")
    assert (it.url, it.status, it.depth, it.referrer) == (URL, 200, 2, "http://r.example/")
    assert it.body == b"<p>x"
    assert dict(it.headers) == {"content-type": "text/html", "x-thing": "y"}
    assert repr(it) == f"<Page 200 {URL}>"


# What it is


@pytest.mark.parametrize(
    ("content_type", "kind", "html"),
    [
        ("text/html", "text/html", True),
        ("Text/HTML ; charset=utf-8", "text/html", True),
        ("application/xhtml+xml", "application/xhtml+xml", True),
        ("text/plain", "text/plain", False),
        ("image/png", "image/png", False),
        ("application/pdf; x=y", "application/pdf", False),
        ("nonsense", "nonsense", False),
    ],
)
def test_content_type(content_type: str, kind: str, html: bool) -> None:
    it = page("<a href=x>", content_type)
    assert (it.content_type, it.is_html) == (kind, html)
    assert bool(it.links) == html


@pytest.mark.parametrize(
    ("body", "html"),
    [
        (b"<!DOCTYPE html><p>", True),
        (b"\n\t <HTML>", True),
        (b"<!-- a comment", True),
        (b"<p>text", True),
        (b"<a href=x>", True),
        (codecs.BOM_UTF8 + b"<html>", True),
        (b"<htmlx>", False),
        (b"hello <p>", False),
        (b"<?xml version='1.0'?>", False),
        (b"%PDF-1.7", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_without_a_content_type_the_first_bytes_decide(body: bytes, html: bool) -> None:
    it = page(body, None)
    assert it.content_type is None
    assert it.is_html == html


def test_content_that_is_not_html_has_no_links_and_no_title() -> None:
    it = page("<title>t</title><a href=x>", "image/svg+xml")
    assert (it.title, it.links, it.document, it.canonical) == (None, [], None, None)


def test_an_empty_page_is_a_page() -> None:
    it = page(b"")
    assert (it.title, it.links, it.text, it.base, it.robots) == (None, [], "", URL, frozenset())


# Charset


@pytest.mark.parametrize(
    ("body", "content_type", "charset"),
    [
        ("<p>é".encode(), "text/html; charset=utf-8", "utf-8"),
        ("<p>é".encode("latin-1"), "text/html; charset=iso-8859-1", "windows-1252"),
        ("<p>é".encode("latin-1"), 'text/html; charset="Latin1"', "windows-1252"),
        ("<p>日本".encode("shift_jis"), "text/html; charset=Shift_JIS", "shift_jis"),
        ("<meta charset=gb2312><p>中文".encode("gbk"), "text/html", "gbk"),
        ("<meta charset=big5><p>中文".encode("big5"), "text/html", "big5"),
        (
            "<meta http-equiv=content-type content='text/html; charset=koi8-r'><p>я".encode(
                "koi8-r"
            ),
            "text/html",
            "koi8-r",
        ),
        (
            "<meta charset=utf-8><p>é".encode("latin-1"),
            "text/html; charset=iso-8859-1",
            "windows-1252",
        ),
        (codecs.BOM_UTF8 + "<p>é".encode(), "text/html; charset=iso-8859-1", "utf-8"),
        (codecs.BOM_UTF16_LE + "<p>é".encode("utf-16-le"), "text/html; charset=utf-8", "utf-16le"),
        (codecs.BOM_UTF16_BE + "<p>é".encode("utf-16-be"), "text/html", "utf-16be"),
        ("<p>é".encode(), "text/html; charset=klingon", "utf-8"),
        ("<meta charset=gbk><p>中文".encode("gbk"), "text/html; charset=klingon", "gbk"),
        (f"<p>{RUSSIAN}".encode("windows-1251"), "text/html", "windows-1251"),
        (f"<p>{RUSSIAN}".encode(), "text/html", "utf-8"),
    ],
)
def test_charset_by_mark_then_header_then_meta_then_the_bytes(body, content_type, charset) -> None:
    it = page(body, content_type)
    assert it.charset == charset
    letters = {"é", "日本", "中文", "я", RUSSIAN.strip()}
    assert any(letter in it.text for letter in letters)


def test_binary_content_has_no_charset() -> None:
    assert page(b"\x89PNG", "image/png").charset is None
    assert page("é", "text/plain; charset=UTF-8").charset == "utf-8"


@given(st.text(max_size=30), st.binary(max_size=200))
@example("undefined", b"x")
@example("idna", b"xn--\xff")
@example("punycode", b"\xff-\xff")
@example("rot13", b"x")
@example("a\0b", b"x")
@example("unicode_escape", b"\\ud800")
def test_no_charset_and_no_bytes_break_it(charset: str, body: bytes) -> None:
    for kind in ("text/html", "text/plain", None):
        it = page(body, kind and f"{kind}; charset={charset}")
        assert isinstance(it.text, str)
        assert isinstance(it.links, list)
        assert it.text.encode("utf-8", "strict") is not None
        assert it.charset is None or it.charset == it.charset.lower()


# Title and text


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("<title>One</title>", "One"),
        ("<title>  a\n\t b </title>", "a b"),
        ("<title>One</title><title>Two</title>", "One"),
        ("<title>&lt;b&gt; &amp; &eacute;</title>", "<b> & é"),
        ("<svg><title>drawn</title></svg><title>Real</title>", "Real"),
        ("<title></title>", ""),
        ("<p>none", None),
        ("<!-- <title>no</title> -->", None),
    ],
)
def test_title(body: str, title: str | None) -> None:
    assert page(body).title == title


def test_text_is_what_a_reader_sees() -> None:
    it = page("<title>T</title><style>p{}</style><h1>Head</h1><p>one <b>two</b><script>3</script>")
    assert "Head" in it.text
    assert "one two" in it.text.replace("**", "")
    assert "{}" not in it.text
    assert "3" not in it.text


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("caf\u00e9".encode(), "text/plain", "café"),
        ("café".encode("latin-1"), "text/plain; charset=latin-1", "café"),
        ("café".encode("latin-1"), "text/plain", "café"),
        (codecs.BOM_UTF8 + b"x", "text/csv; charset=latin-1", "x"),
        ('{"a": "é"}'.encode(), "application/json", '{"a": "é"}'),
        (b"\x00\x01", "application/octet-stream", ""),
        (b"", "text/plain", ""),
    ],
)
def test_text_of_other_types(body: bytes, content_type: str, text: str) -> None:
    assert page(body, content_type).text == text


# Links


@pytest.mark.parametrize(
    ("body", "links"),
    [
        ("<a href=x>", ["http://a.example/dir/x"]),
        ("<a href=/x>", ["http://a.example/x"]),
        ("<a href=//b.example/x>", ["http://b.example/x"]),
        ("<a href='?q=2'>", ["http://a.example/dir/page?q=2"]),
        ("<a href=''>", [URL]),
        ("<a href='#top'>", [URL]),
        ("<a href=' x\n'>", ["http://a.example/dir/x"]),
        ("<a href=x#a><a href=x#b><a href=./x>", ["http://a.example/dir/x"]),
        (
            "<area href=x><iframe src=y></iframe>",
            ["http://a.example/dir/x", "http://a.example/dir/y"],
        ),
        ("<frameset><frame src=x></frameset>", ["http://a.example/dir/x"]),
        ("<link rel=next href=x>", ["http://a.example/dir/x"]),
        ("<link rel='alternate stylesheet' href=x.css>", []),
        ("<link rel=alternate type=application/rss+xml href=feed>", []),
        ("<link rel=stylesheet href=x.css><img src=x.png><script src=x.js></script>", []),
        ("<a>", []),
        ("<a href=mailto:x@y><a href=javascript:x><a href=ftp://a.example/><a href=data:,x>", []),
        ("<a href=http://[bad/><a href='http://x:99999/'><a href=http://>", []),
        ("<a href=x&amp;y>", ["http://a.example/dir/x&y"]),
        ("<a rel=nofollow href=x>", ["http://a.example/dir/x"]),
        ("<!-- <a href=x> --><script>'<a href=y>'</script>", []),
        ("<a href=é?é=1>", ["http://a.example/dir/%C3%A9?%C3%A9=1"]),
        ("<A HREF=x>", ["http://a.example/dir/x"]),
        ("<a href=x href=y>", ["http://a.example/dir/x"]),
    ],
)
def test_links(body: str, links: list[str]) -> None:
    assert page(body, "text/html; charset=utf-8").links == links


@pytest.mark.parametrize(
    ("body", "base"),
    [
        ("<base href=/other/>", "http://a.example/other/"),
        ("<base href=http://b.example/x/y>", "http://b.example/x/y"),
        ("<base target=_top><base href=/one/><base href=/two/>", "http://a.example/one/"),
        ("<base href=http://[bad/>", URL),
        ("<base>", URL),
    ],
)
def test_base(body: str, base: str) -> None:
    it = page(f"{body}<a href=z>")
    assert it.base == base
    assert it.links == [base.rpartition("/")[0] + "/z"]


def test_a_legacy_query_is_encoded_as_the_page_is() -> None:
    it = page("<a href='/é?q=é'>".encode("latin-1"), "text/html; charset=iso-8859-1")
    assert it.links == ["http://a.example/%C3%A9?q=%E9"]


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        ("<link rel=canonical href=/real>", "http://a.example/real"),
        ("<link rel='Canonical' href=real#x>", "http://a.example/dir/real"),
        ("<link rel=canonical href=/1><link rel=canonical href=/2>", "http://a.example/1"),
        ("<link rel=canonical>", None),
        ("<link rel=canonical href=http://[>", None),
        ("<p>", None),
    ],
)
def test_canonical_is_recorded_and_not_followed(body: str, canonical: str | None) -> None:
    it = page(body)
    assert it.canonical == canonical
    assert it.links == []


# Directives for robots


@pytest.mark.parametrize(
    ("body", "tag", "robots"),
    [
        ("<meta name=robots content='noindex, nofollow'>", None, {"noindex", "nofollow"}),
        ("<meta name=ROBOTS content=NOINDEX>", None, {"noindex"}),
        ("<meta name=robots content=none>", None, {"noindex", "nofollow"}),
        (
            "<meta name=robots content=noindex><meta name=robots content=nofollow>",
            None,
            {"noindex", "nofollow"},
        ),
        ("<meta name=ours content=noindex>", None, {"noindex"}),
        ("<meta name=otherbot content=noindex>", None, set()),
        ("<meta name=description content=noindex>", None, set()),
        ("", "noindex", {"noindex"}),
        ("", "None", {"noindex", "nofollow"}),
        ("", "ours: nofollow", {"nofollow"}),
        ("", "otherbot: noindex, nofollow", set()),
        ("<meta name=robots content=nofollow>", "noindex", {"noindex", "nofollow"}),
        ("", "unavailable_after: 25 Jun 2010 15:00:00 PST", set()),
        ("<p>", None, set()),
    ],
)
def test_robots(body: str, tag: str | None, robots: set[str]) -> None:
    headers = {"x_robots_tag": tag} if tag else {}
    found = page(f"<!doctype html>{body}", agent="ours", **headers).robots
    assert found & {"noindex", "nofollow"} == robots


@pytest.mark.parametrize(
    ("contents", "kept"),
    [
        ([",".join(f"x{n}" for n in range(1000))], set()),
        ([f"x{n}" for n in range(1000)], set()),
        (["noarchive, NoIndex, max-snippet:20", "nofollow, noimageindex"], {"noindex", "nofollow"}),
        (["index, follow", "none"], {"noindex", "nofollow"}),
        ([], set()),
    ],
)
def test_of_its_directives_a_page_keeps_those_that_count(
    contents: list[str], kept: set[str]
) -> None:
    it = page("".join(f'<meta name="robots" content="{content}">' for content in contents))
    assert it.facts.robots == kept
    assert it.robots == kept


# Selecting


def test_css_and_xpath_select() -> None:
    it = page("<h1>One <b>two</b></h1><p class=x>a<p>b<a href=y>c</a>")
    assert [element.text for element in it.css("p")] == ["a", "bc"]
    assert it.css_first("h1").text == "One two"
    assert it.css_first(".no") is None
    assert it.css(".no") == []
    assert [element.text for element in it.xpath("//p[@class]")] == ["a"]
    assert it.xpath("//a/@href") == ["y"]
    assert it.xpath("count(//p)") == 2.0
    assert it.xpath("string(//h1)") == "One two"
    assert it.xpath("boolean(//h2)") is False


@pytest.mark.parametrize(("body", "kind"), [("<h1>x", "text/plain"), ("", "text/html")])
def test_nothing_is_selected_from_what_is_no_html(body: str, kind: str) -> None:
    it = page(body, kind)
    assert (it.css("h1"), it.css_first("h1"), it.xpath("//h1")) == ([], None, [])


@pytest.mark.parametrize("selector", ["a[", "", ":::", "p::no-such"])
def test_a_bad_selector_is_named(selector: str) -> None:
    for select in (page("<p>").css, page("<p>").css_first):
        with pytest.raises(ValueError, match="selector") as raised:
            select(selector)
        assert f'"{selector}"' in str(raised.value)


@pytest.mark.parametrize("expression", ["//a[", "no-such()", "", "$unset"])
def test_a_bad_xpath_is_named(expression: str) -> None:
    with pytest.raises(ValueError, match="invalid XPath") as raised:
        page("<p>").xpath(expression)
    assert repr(expression) in str(raised.value)


# Following


def urls(follows: list[Follow]) -> list[str | None]:
    return [follow.url for follow in follows]


LINKS = (
    "<a href=1>a</a><a href=//b.example/2>b</a><a href=mailto:x>c</a><a>d</a><img src=3>"
    "<a href=1#x>e</a>"
)


def test_without_anything_it_stands_for_all_links() -> None:
    assert page(LINKS).follow() == [Follow(None)]


def test_what_can_be_followed() -> None:
    it = page(LINKS)
    one, two, three = "http://a.example/dir/1", "http://b.example/2", "http://a.example/dir/3"
    assert urls(it.follow("1")) == [one]
    assert urls(it.follow(it.css_first("a"))) == [one]
    assert urls(it.follow(it.css_first("img"))) == [three]
    assert urls(it.follow(it.css("a"))) == [one, two]
    assert urls(it.follow(["1", it.css_first("img"), "1#y", "ftp://x/"])) == [one, three]
    assert urls(it.follow(link for link in it.links)) == [one, two]
    assert urls(it.follow(css="a, img")) == [one, two, three]
    assert urls(it.follow(xpath="//img")) == [three]
    assert urls(it.follow(xpath="//a/@href")) == [one, two]
    assert urls(it.follow(xpath="string(//img/@src)")) == [three]
    assert urls(it.follow("3", css="a:first-child", xpath="//a[2]")) == [three, one, two]
    assert urls(it.follow([])) == []
    assert urls(it.follow(css="h1")) == []
    assert urls(it.follow(priority=1)) == it.links


def some_handler(it: Page) -> None:
    """Does nothing."""


@dataclass
class Book:
    title: str


def test_what_goes_with_a_request() -> None:
    data = {"page": [1]}
    [follow] = page("").follow(
        "x", headers={"X-A": " b "}, priority=-3, handler=some_handler, data=data
    )
    data["page"].append(2)
    assert follow == Follow(
        "http://a.example/dir/x",
        -3,
        Extra(headers=(("X-A", "b"),), handler="some_handler", data={"page": [1]}),
    )
    [follow] = page("").follow("x", handler="book", data=Book("t"))
    assert follow.extra == Extra(handler="book", data={"title": "t"})
    assert page("").follow("x", headers={}) == [Follow("http://a.example/dir/x")]


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"a b": "c"}},
        {"headers": {"": "c"}},
        {"headers": {"X-É": "c"}},
        {"headers": {"X": "a\r\nHost: b"}},
        {"headers": {"X": "a\0"}},
        {"headers": {"X": "é"}},
        {"priority": 10**9},
        {"css": "a["},
        {"xpath": "a["},
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"header|priority|selector|XPath") as raised:
        page("<p>").follow(
            "x" if "css" not in options and "xpath" not in options else None, **options
        )
    assert "Host: b" not in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 1.5},
        {"priority": True},
        {"handler": 3},
        {"data": object()},
        {"data": "\ud800"},
        {"targets": 3},
        {"targets": [None]},
        {"xpath": "count(//p)"},
    ],
    ids=str,
)
def test_options_of_a_wrong_kind_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        page("<p>").follow(**options)


def test_data_comes_with_the_request() -> None:
    extra = Extra(data={"n": 1}).as_text()
    it = Page(Request(id=1, url=URL, host="a.example", extra=extra), reply("x"))
    assert it.data == {"n": 1}
    assert page("x").data is None


# JSON and Markdown


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a": ["é", 1.5, null]}', {"a": ["é", 1.5, None]}),
        ("\ufeff[1]", [1]),
        ('["é"]'.encode("utf-16"), ["é"]),
        ("7", 7),
    ],
)
def test_json(body: str | bytes, value: object) -> None:
    assert page(body, "application/json").json() == value
    assert page(body, None).json() == value


@pytest.mark.parametrize("body", ["", "<p>", "{", "[" * 100_000, "{'a': 1}"])
def test_what_is_no_json_is_named(body: str) -> None:
    with pytest.raises(ValueError, match="no JSON") as raised:
        page(body, "application/json").json()
    assert URL in str(raised.value)


def test_markdown_is_the_main_content_with_absolute_links() -> None:
    words = "Words that make some sense, and more of them. " * 10
    it = page(
        f"<nav><a href=1>menu</a></nav><main><h1>Head</h1><p>{words}<a href='../x?y#z w'>link</a>"
        "<p><img alt=pic src=i.png> <a href='javascript:x()'>no</a> <a href=' mailto:a@b'>m</a>"
        f"<ul><li>one<li>two</ul><p>{words}</main><footer>foot</footer>"
    )
    assert it.markdown.startswith("# Head\n\nWords that")
    assert "[link](http://a.example/x?y#z%20w)" in it.markdown
    assert "![pic](http://a.example/dir/i.png) no [m](mailto:a@b)" in it.markdown
    assert "- one\n- two" in it.markdown
    assert "menu" not in it.markdown
    assert "foot" not in it.markdown
    assert it.links[0] == "http://a.example/dir/1"  # the document itself is as it was


def test_markdown_is_all_sections_of_a_chapter() -> None:
    words = "Words that say something about this, at some length. " * 12
    sections = "".join(f"<div><h2>Part {n}</h2><p>{words}</p><p>{words}</p></div>" for n in "123")
    menu = "".join(f"<a href=/{n}>Another chapter, number {n}</a> " for n in range(30))
    it = page(f"<div>{menu}</div><div><h1>Chapter</h1>{sections}</div><div>{menu}</div>")
    assert it.markdown.startswith("# Chapter\n\n## Part 1")
    assert "## Part 3" in it.markdown
    assert "number 3" not in it.markdown


def test_markdown_is_what_the_page_calls_its_main_part() -> None:
    words = "<p>Words that say something about this, at some length." * 20
    for opening in ("<main>", "<div role=main>"):
        it = page(f"<div>{words}</div>{opening}<h1>Short</h1></div></main>")
        assert it.markdown == "# Short"


def test_markdown_of_a_page_without_main_content() -> None:
    assert page("<p>a <b>b</b>").markdown == "a **b**"
    assert page("<p>a", "text/plain").markdown == "<p>a"
    assert page(b"\x89PNG", "image/png").markdown == ""
    assert page("").markdown == ""


def test_no_html_gets_into_markdown() -> None:
    cells = "<tr><td colspan=2 onclick=x><p>a<ul><li>b</ul><table><tr><td onclick=x>c</table>"
    it = page(f"<table>{cells}</table><p>&lt;b&gt;<script>x</script>")
    assert "onclick" not in it.markdown
    assert "script" not in it.markdown
    assert "\\<b>" in it.markdown
    assert "| a * b c |" in it.markdown


def test_a_wide_table_is_no_trap() -> None:
    rows = "<tr><td>a<td>b" * 2000
    it = page(f"<table><tr><td>{'x' * 20_000}<td>y{rows}</table>")
    assert len(it.markdown) < 100_000


# Refresh


@pytest.mark.parametrize(
    ("content", "url"),
    [
        ("0; url=x", "http://a.example/dir/x"),
        ("0;URL='x'", "http://a.example/dir/x"),
        ('  5.5 ,  Url = "x" junk', "http://a.example/dir/x"),
        ("0 x", "http://a.example/dir/x"),
        ("0;x", "http://a.example/dir/x"),
        (".5; url=x", "http://a.example/dir/x"),
        ("0; url=//b.example/é", "http://b.example/%C3%A9"),
        ("0; 'x'y", "http://a.example/dir/x"),
        ("0; url x", "http://a.example/dir/url%20x"),
        ("0; url='x", "http://a.example/dir/x"),
        ("5", None),
        ("5;", None),
        ("0; url=''", None),
        ("0; url=page?q=1#x", None),
        ("0; url=javascript:x", None),
        ("0; url=http://[", None),
        ("url=x", None),
        ("-1; url=x", None),
        ("0url=x", None),
        ("", None),
    ],
)
def test_refresh(content: str, url: str | None) -> None:
    it = page(f'<meta http-equiv=Refresh content="{content.replace(chr(34), "&quot;")}">')
    assert it.refresh == url


def test_the_first_refresh_that_is_valid_counts() -> None:
    def refresh(content: str) -> str:
        return f'<meta http-equiv=refresh content="{content}">'

    assert page(refresh("url=x") + refresh("0; y")).refresh == "http://a.example/dir/y"
    assert page(refresh("9") + refresh("0; y")).refresh is None
    assert page(f"<noscript>{refresh('0; y')}</noscript>").refresh == "http://a.example/dir/y"
    assert page(f"<template>{refresh('0; y')}</template>").refresh is None
    assert page(f"<!-- {refresh('0; y')} -->").refresh is None
    assert page(f"<base href=/b/>{refresh('0; y')}").refresh == "http://a.example/b/y"
    assert (
        page("<meta name=refresh content='0; y'><meta http-equiv=x content='0; y'>").refresh is None
    )


def test_what_another_process_found_is_taken_over() -> None:
    there = page("<meta http-equiv=refresh content='0; x'><img src=y><a href=z>")
    here = page("<p>")
    here.know(there.findings())
    assert here.refresh == "http://a.example/dir/x"
    assert here.requisites == ["http://a.example/dir/y"]
    assert here.links == ["http://a.example/dir/z"]


# Pages of a store


def stored_row(**fields: object) -> PageRow:
    usual = {
        "url": URL,
        "status": 200,
        "content_type": "text/html",
        "charset": "utf-8",
        "title": "Known",
        "depth": 2,
        "referrer": None,
        "at": 1.0,
        "elapsed": 0.1,
        "headers": (("content-type", "text/html"),),
        "digest": b"",
        "body": b"<title>T</title><a href=x>",
    }
    return PageRow(**(usual | fields))


def test_a_page_can_be_made_from_a_row() -> None:
    it = Page.stored(stored_row(), data={"n": 1})
    assert (it.url, it.status, it.depth, it.referrer, it.data) == (URL, 200, 2, None, {"n": 1})
    assert (it.title, it.charset, it.content_type) == ("Known", "utf-8", "text/html")
    assert it.links == ["http://a.example/dir/x"]


def test_a_row_may_have_its_headers_as_json() -> None:
    @dataclass(frozen=True)
    class Read:
        url: str = URL
        status: int = 200
        headers: str = json.dumps({"content-type": "text/plain", "set-cookie": ["a", "b"]})
        body: bytes = b"x"
        charset: str | None = None
        title: str | None = None
        depth: int = 0
        referrer: str | None = None

    it = Page.stored(Read())
    assert it.headers == (("content-type", "text/plain"), ("set-cookie", "a"), ("set-cookie", "b"))
    assert it.text == "x"
    assert it.data is None


def test_the_body_of_a_redirect_that_nobody_read_is_not_parsed() -> None:
    body = b"<b><p>" * 2000
    assert Page.stored(stored_row(status=302, body=body)).css("b") == []
    assert Page.stored(stored_row(status=302)).links == ["http://a.example/dir/x"]
