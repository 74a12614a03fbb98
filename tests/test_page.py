"""`Page`: what a response says, without a server."""

import codecs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncmultispider.model import Request
from asyncmultispider.page import Page
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
