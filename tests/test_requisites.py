"""What a page needs to be shown: found, and replaced where it stands."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from turbohtml import parse

from asyncmultispider.model import Request
from asyncmultispider.page import Page
from asyncmultispider.page.requisites import (
    references,
    rewrite_css,
    rewrite_srcset,
    urls_in_css,
    urls_in_srcset,
)
from asyncmultispider.testing import reply

# Style sheets

SHEETS = [
    ("a{b:url(x.png)}", ["x.png"]),
    ("a{b:URL( 'x.png' )} c{d:url(\"y\")}", ["x.png", "y"]),
    ("@import 'a'; @import url(b) screen; @IMPORT/**/\"c\" print;", ["a", "b", "c"]),
    ("@font-face{src:url(a.woff2) format('woff2'),url(b.woff)}", ["a.woff2", "b.woff"]),
    ("a{b:url(a\\)b) url(c\\20 d) url('e\\'f') url('g\\\nh')}", ["a)b", "c d", "e'f", "gh"]),
    ("\\75rl(x) U\\52L(y) @\\69mport 'z';", ["x", "y", "z"]),
    ("\\url(x) ur\\L(y) @i\\mport 'z';", ["x", "y", "z"]),
    ("url('\\75\n;') url('\\75\r\nx')", ["u;", "ux"]),
    ("url('bad\n) url( \n'x')", ["x"]),
    ("url(a(b\\\\)url(x)", ["x"]),
    ("url(http://a/?b=c;d,e)", ["http://a/?b=c;d,e"]),
    ("url(/*x*/y)", ["/*x*/y"]),
    ("url(x", ["x"]),
    ("url( x ", ["x"]),
    ("url('x", ["x"]),
    ("@import 'x", ["x"]),
    ("'broken\nurl(x)", ["x"]),
    ("url(\\0 x\\d800 y)", ["\ufffdx\ufffdy"]),
    # None of these loads anything.
    ("/* url(x) @import 'y'; */ a{content:'url(x)' \"@import 'y'\"}", []),
    ("/* url(x)", []),
    ("xurl(x) -url(x) _url(x) éurl(x) 1url(x) #url(x) @url(x) \\6d url(x) \\url2(x)", []),
    ("@importx 'y'; @import-x 'y'; @import x;", []),
    ("@namespace url(http://www.w3.org/1999/xhtml); @namespace svg 'http://x/';", []),
    ("url() url('') url(#x) url(  )", []),
    ("url(a b) url(a'b) url(a(b)", []),
    ("@import 'x\n", []),
]  # fmt: skip


@pytest.mark.parametrize(("css", "urls"), SHEETS)
def test_urls_of_a_style_sheet(css: str, urls: list[str]) -> None:
    assert list(urls_in_css(css)) == urls
    assert rewrite_css(css, lambda url: url) == css


def test_after_a_bad_url_reading_goes_on() -> None:
    assert list(urls_in_css("a{b:url(x y)} c{d:url(z)}")) == ["z"]
    assert list(urls_in_css("@namespace x 'y'; c{d:url(z)}")) == ["z"]


def test_a_style_sheet_is_rewritten_and_nothing_else_in_it_is_touched() -> None:
    css = "@import 'a.css' print;/* url(a) */ b{c:url( a.png ) , URL(\"k.png\");d:url(#e)}"
    new = rewrite_css(css, lambda url: "new/" + url if url.startswith("a") else url)
    assert new == (
        '@import "new/a.css" print;/* url(a) */ b{c:url( "new/a.png" ) , URL("k.png");d:url(#e)}'
    )


@given(st.text(min_size=1, max_size=30).filter(lambda url: "\0" not in url))
@example("</style><script>")
@example("a\"b'c\\d\ne")
def test_what_is_put_in_stays_in_its_quotes(url: str) -> None:
    new = rewrite_css("a{b:url(x)} c{d:url(after)}", lambda old: url if old == "x" else old)
    if url != "x" and not url.startswith("#"):
        assert list(urls_in_css(new)) == [url, "after"]
    assert "<" not in new


CSS_PIECES = [
    "url(",
    ")",
    "@import",
    "@namespace",
    "/*",
    "*/",
    "'",
    '"',
    "\\",
    "\n",
    " ",
    "x",
    ";",
    "#",
    "7",
]


@given(st.lists(st.sampled_from(CSS_PIECES), max_size=40).map("".join))
def test_any_text_is_a_style_sheet(css: str) -> None:
    urls = list(urls_in_css(css))
    assert rewrite_css(css, lambda url: url) == css
    asked: list[str] = []
    rewrite_css(css, lambda url: (asked.append(url), "new")[1])
    assert asked == urls


# srcset


@pytest.mark.parametrize(
    ("srcset", "urls"),
    [
        ("a.png", ["a.png"]),
        ("a.png 1x, b.png 2x", ["a.png", "b.png"]),
        (" ,, a.png 100w,\n b.png 200w 50h ,c.png", ["a.png", "b.png", "c.png"]),
        ("a.png, b.png", ["a.png", "b.png"]),
        ("a,b.png 1.5x", ["a,b.png"]),
        ("a.png,,, b.png", ["a.png", "b.png"]),
        ("a.png 1e1x, b.png .5x, c.png 5h 10w", ["a.png", "b.png", "c.png"]),
        ("data:image/png;base64,AA== 1x, b.png 2x", ["data:image/png;base64,AA==", "b.png"]),
        ("a.png 1x 2x, b.png 1x 10w, c.png 5h, d.png 0w, e.png -1x, f.png x, g.png", ["g.png"]),
        ("a.png (x, y) 1x, b.png 1x", ["b.png"]),
        ("a.png (x, y, b.png 1x", []),
        ("", []),
        (" , ", []),
    ],
)  # fmt: skip
def test_urls_of_a_srcset(srcset: str, urls: list[str]) -> None:
    assert list(urls_in_srcset(srcset)) == urls
    assert rewrite_srcset(srcset, lambda url: url) == srcset


def test_a_srcset_is_rewritten() -> None:
    new = rewrite_srcset(" a.png 1x,b.png 2x", lambda url: f", {url},")
    assert new == " %2C%20a.png%2C 1x,%2C%20b.png%2C 2x"
    assert list(urls_in_srcset(new)) == ["%2C%20a.png%2C", "%2C%20b.png%2C"]


@given(st.text(" ,()ax1w2h", max_size=40))
def test_any_text_is_a_srcset(srcset: str) -> None:
    urls = list(urls_in_srcset(srcset))
    assert rewrite_srcset(srcset, lambda url: url) == srcset
    assert list(urls_in_srcset(rewrite_srcset(srcset, lambda _: "u"))) == ["u"] * len(urls)


# References of a document


def test_references_can_be_rewritten_where_they_stand() -> None:
    document = parse(
        "<style>a{b:url(1)}</style><link rel=icon href=2><img src=3 srcset='4 1x, 5 2x'>"
        "<p style='a:url(6)'><table background=7></table><a href=8>"
    )
    for reference in references(document):
        new = reference.rewritten(lambda url: "n" + url)
        if reference.attribute is None:
            reference.element.text = new
        else:
            reference.element.attrs[reference.attribute] = new
    found = [url for reference in references(document) for url in reference.urls()]
    assert found == [f"n{n}" for n in range(1, 8)]
    assert 'href="8"' in document.html


# Requisites of a page


def requisites(body: str, content_type: str = "text/html; charset=utf-8") -> list[str]:
    request = Request(id=1, url="http://a.example/d/page", host="a.example")
    found = Page(request, reply(body, content_type=content_type)).requisites
    return [url.removeprefix("http://a.example/d/") for url in found]


@pytest.mark.parametrize(
    ("body", "urls"),
    [
        ("<img src=a srcset='b 1x, c 2x'>", ["a", "b", "c"]),
        ("<picture><source srcset='a, b 2x'><img src=c></picture>", ["a", "b", "c"]),
        ("<video src=a poster=b><source src=c><track src=d></video><audio src=e>", "abcde"),
        ("<embed src=a><object data=b></object><input type=Image src=c>", "abc"),
        ("<script src=a></script><link rel=stylesheet href=b>", "ab"),
        ("<link rel='shortcut icon' href=a><link rel=apple-touch-icon href=b>", "ab"),
        ("<link rel=manifest href=a><link rel=preload href=b>", "ab"),
        ("<link rel=ModulePreload href=a>", "a"),
        ("<link rel=preload as=image imagesrcset='a 1x, b 2x'>", "ab"),
        ("<link rel='alternate STYLESHEET' href=a>", "a"),
        ("<style>@import 'a'; b{c:url(b)}</style><p style='c:url(c)'>", "abc"),
        ("<body background=a><table background=b><td background=c>", "abc"),
        ("<svg><image href=a /><image xlink:href=b /><use href='c#x'/><use href='#d'/>", "abc"),
        ("<svg><style>b{c:url(a)}</style><feImage href=b /><script href=c /></svg>", "abc"),
        ("<noscript><img src=a></noscript>", "a"),
        ("<img src=a><img src=a#x><img src=./a>", "a"),
        ("<img src=//b.example/x>", ["http://b.example/x"]),
        ("<base href=/e/><img src=x><p style='a:url(y)'>", ["http://a.example/e/x", "http://a.example/e/y"]),
        # These bring nothing.
        ("<img src=''><img src='#x'><img src=data:,x><img src='  '><img src=' DATA:,x'>", []),
        ("<a href=a><iframe src=b></iframe><link rel=canonical href=c><link rel=next href=d>", []),
        ("<input src=a><input type=text src=b><script>x</script><img><link rel=icon>", []),
        ("<img src=ftp://x/y><img src='http://['><img src=mailto:x>", []),
    ],
)  # fmt: skip
def test_requisites(body: str, urls: list[str] | str) -> None:
    assert requisites(body) == list(urls)


def test_requisites_of_a_style_sheet() -> None:
    assert requisites("@import '../a'; b{c:url(d)}", "text/css") == ["http://a.example/a", "d"]
    assert requisites("b{c:url(d)}", "text/plain") == []
    assert requisites("", "text/css") == []
    assert requisites("<img src=x>", "text/css") == []


def test_requisites_are_bounded() -> None:
    assert len(requisites("".join(f"<img src={n}>" for n in range(12_000)))) == 10_000
    assert requisites(f"<img src={'x' * 70_000}><img src=y>") == ["y"]
    long = "".join(f"<img src={n}>" for n in range(9_000))
    found = requisites(f"<base href=http://a.example/{'x' * 4_000}/>{long}")
    assert 4_000 < len(found) < 6_000
