"""Mirrors: every link leads to a file or to the web, and nothing in them runs or calls home."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turbohtml import parse

from asyncmultispider.model import Outcome, Request, Response
from asyncmultispider.outputs import mirror
from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.files import MANIFEST, read_manifest
from asyncmultispider.outputs.mirror import write_mirror
from asyncmultispider.outputs.offline import (
    MOST_CHARACTERS,
    NOWHERE,
    Known,
    Local,
    is_inert,
    offline_page,
)
from asyncmultispider.page import Page
from asyncmultispider.page.requisites import urls_in_css
from asyncmultispider.urls import canonicalize
from crawling import Crawled
from stored_pages import make_store, redirect, stored
from webserver import Site

HERE = "https://a.example"
ROOT = "file:///mirror/"
KEPT = ("http:", "https:", "mailto:", "tel:", "data:", "javascript:", NOWHERE)


class Mirror(NamedTuple):
    """A mirror, and how to look at it."""

    folder: Path
    written: Exported

    def text(self, name: str) -> str:
        """A file below the folder of `a.example`."""
        return (self.folder / "a.example" / name).read_text()

    def links(self, name: str = "index.html") -> list[str]:
        """The links of a page, as written."""
        return [link.url for link in parse(self.text(name)).links()]


Make = Callable[..., Mirror]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A mirror of these pages. What has to hold for any is checked."""

    def make(*pages: Outcome) -> Mirror:
        store = make_store(tmp_path / "pages.db", pages)
        target = tmp_path / "mirror.html"
        [written] = write_mirror(Job(pages_db=store, target=target))
        check(target)
        return Mirror(target, written)

    return make


def check(folder: Path) -> None:
    """No link is broken, none leads out of the folder, and each page is kept from running."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for name in sorted(names):
        if name.endswith(".html"):
            text = (folder / name).read_bytes()
            check_links(names, name, [link.url for link in parse(text).links()])
            check_head(text)
        elif name.endswith(".css"):
            check_links(names, name, urls_in_css((folder / name).read_text()))


def check_links(names: set[str], name: str, links: Iterator[str] | list[str]) -> None:
    for link in links:
        if link.startswith(KEPT) or not link or link.startswith("#"):
            continue
        url = canonicalize(link, ROOT + name.replace("%", "%25"))
        assert url.startswith(ROOT), (name, link)
        assert unquote(url.removeprefix(ROOT)) in names, (name, link)


def check_head(html: bytes) -> None:
    head = parse(html).select_one("head")
    assert head is not None
    charset, policy = [child for child in head.children if hasattr(child, "tag")][:2]
    assert charset.attr("charset") == "utf-8"
    assert policy.attr("http-equiv") == "Content-Security-Policy"
    assert "script-src 'none'" in (policy.attr("content") or "")
    assert html[:1024].count(b"charset") or html.startswith(b"\xef\xbb\xbf")


# Links


def test_links_lead_to_files_or_to_the_web(make: Make) -> None:
    page = """<a href="/b">b</a><a href="b#part">b</a><a href="//a.example/dir/">d</a>
    <a href="#top"></a><a href="/nowhere?x=1#y"></a><a href="https://other.example/"></a>
    <a href="mailto:a@b.example"></a><a href="./">self</a><a href="/b/#frag(1)"></a>
    <a href=" /b "></a><a href="?q"></a>"""
    made = make(stored(f"{HERE}/", page), stored(f"{HERE}/b"), stored(f"{HERE}/dir/"))
    assert made.links() == [
        *("b.html", "b.html#part", "dir/index.html", "#top", f"{HERE}/nowhere?x=1#y"),
        *("https://other.example/", "mailto:a@b.example", "index.html"),
        *(f"{HERE}/b/#frag%281%29", "b.html", f"{HERE}/?q"),
    ]
    assert made.written.lines == 3


def test_from_folder_to_folder_and_host_to_host(make: Make) -> None:
    made = make(
        stored(
            f"{HERE}/x/y/z", '<a href="../../a/b">1</a><a href="http://b.example:81/c?d=e">2</a>'
        ),
        stored(f"{HERE}/a/b", '<a href="/x/y/z">1</a>'),
        stored("http://b.example:81/c?d=e", f'<a href="{HERE}/x/y/z">1</a>'),
    )
    to_b, to_c = made.links("x/y/z.html")
    assert to_b == "../../a/b.html"
    assert re.fullmatch(r"\.\./\.\./\.\./b\.example_http_81/c_d=e~[0-9a-f]{16}\.html", to_c)
    assert made.links("a/b.html") == ["../x/y/z.html"]


@pytest.mark.parametrize(
    "to",
    ["https://evil.example/", "//evil.example", "\\\\evil\\share", "file:x", "/etc/passwd", "../x"],
)
def test_a_page_can_not_lead_elsewhere_by_itself(make: Make, to: str) -> None:
    made = make(stored(f"{HERE}/", f"<meta http-equiv=refresh content='0; {to}'><p>here"))
    assert "refresh" not in made.text("index.html")


def test_redirects_are_followed_to_the_file(make: Make) -> None:
    made = make(
        stored(f"{HERE}/", "<a href=/1><a href=/loop><a href=/away><a href=/odd#f>"),
        redirect(f"{HERE}/1", "/2", 302),
        redirect(f"{HERE}/2", "./end#x", 308),
        redirect(f"{HERE}/loop", "/loop"),
        redirect(f"{HERE}/away", "https://other.example/"),
        redirect(f"{HERE}/odd", "/%C3%A9nd"),
        stored(f"{HERE}/end"),
        stored(f"{HERE}/%C3%A9nd"),
    )
    assert made.links() == ["end.html", f"{HERE}/loop", f"{HERE}/away", "%25C3%25A9nd.html#f"]


def test_a_base_is_heeded_and_taken_out(make: Make) -> None:
    page = "<base href=/dir/ target=_blank><a href=x>x</a><a href=#y>y</a>"
    made = make(stored(f"{HERE}/", page), stored(f"{HERE}/dir/x"), stored(f"{HERE}/dir/"))
    assert made.links() == ["dir/x.html", "dir/index.html#y"]
    assert "<base" not in made.text("index.html")


def test_what_a_page_is_shown_with(make: Make) -> None:
    page = """<link rel=stylesheet href=/s.css integrity=sha384-x crossorigin><img src=/i.png
    srcset="/i.png 1x, /j.png 2x"><style>a{background:url(/i.png)} @import "s.css";</style>
    <p style="background:u\\72l('/i.png')">x<script src=/app.js></script>
    <img src="data:image/png,x">    <link rel=preload href=/i.png as=image>"""
    made = make(
        stored(f"{HERE}/", page),
        stored(f"{HERE}/s.css", "b{c:url(/i.png)}", kind="text/css"),
        stored(f"{HERE}/i.png", b"\x89PNG\0", kind="image/png", charset=None),
        stored(f"{HERE}/app.js", "alert(1)", kind="text/javascript"),
    )
    text = made.text("index.html")
    assert '<link rel="stylesheet" href="s.css">' in text
    assert f'<img src="i.png" srcset="i.png 1x, {HERE}/j.png 2x">' in text
    assert '<style>a{background:url(i.png)} @import "s.css";</style>' in text
    assert '''style="background:url('i.png')"''' in text
    assert '<script src="app.js.txt">' in text
    assert made.text("s.css") == 'b{c:url("i.png")}'
    assert (made.folder / "a.example" / "i.png").read_bytes() == b"\x89PNG\0"


def test_a_style_sheet_becomes_utf_8(make: Make) -> None:
    css = '@charset "iso-8859-1";a::after{content:"é";background:url(/b.png)}'.encode("latin-1")
    made = make(stored(f"{HERE}/s.css", css, kind="text/css", charset="iso-8859-1"))
    assert made.text("s.css") == f'a::after{{content:"é";background:url("{HERE}/b.png")}}'


def test_a_page_of_another_encoding_becomes_utf_8(make: Make) -> None:
    page = "<meta charset=koi8-r><meta http-equiv=content-type content='text/html; charset=koi8-r'>"
    body = f"{page}<a href='/?q=ж'>жук</a>".encode("koi8-r")
    made = make(stored(f"{HERE}/", body, charset="koi8-r"), stored(f"{HERE}/?q=%D6"))
    text = made.text("index.html")
    assert "жук" in text
    assert "koi8" not in text
    assert re.fullmatch(r"index_q=%25D6~[0-9a-f]{16}\.html", made.links()[0])


@pytest.mark.parametrize("before", ["<!--" + "x" * 2000 + "-->", f"<html class='{'x' * 2000}'>"])
def test_a_charset_that_comes_late_has_a_mark_before_it(make: Make, before: str) -> None:
    made = make(stored(f"{HERE}/", f"{before}<p>é"))
    assert made.text("index.html")[0] == "\ufeff"


def test_frames_and_refreshes(make: Make) -> None:
    made = make(
        stored(f"{HERE}/", "<frameset><frame src=/a><frame src=/b></frameset>"),
        stored(f"{HERE}/a", "<meta http-equiv=Refresh content='3; url=/b'>"),
        stored(f"{HERE}/b", "<meta http-equiv=refresh content='0; url=https://evil.example/'>"),
    )
    assert made.links() == ["a.html", "b.html"]
    assert made.links("a.html") == ["b.html"]
    assert "refresh" not in made.text("b.html")


# Names


def test_hostile_urls_are_linked_all_the_same(make: Make) -> None:
    paths = [
        "/a",
        "/A",
        "/a/b",
        "/a.html",
        "/a.html/b",
        "/con",
        "/%2e%2e%2fetc",
        "/x%00y",
        "/é",
        "//",
    ]
    paths += [
        f"/{'x' * 500}",
        "/d" * 100,
        "/.git/config",
        "/a?b",
        "/a?B",
        "/'\"<>&|*:",
        "/(a)",
        "/~x",
    ]
    urls = [canonicalize(HERE + path) for path in paths]
    page = "".join(f'<a href="{url.replace(chr(34), "&quot;")}">x</a>' for url in urls)
    made = make(stored(f"{HERE}/", page), *[stored(url, f"<title>{url}") for url in urls])
    links = made.links()
    assert len(set(links)) == len(urls) == len({link.casefold() for link in links})
    for url, link in zip(urls, links, strict=True):
        title = parse(made.text(unquote(link))).select_one("title")
        assert title is not None
        assert title.text == url
    assert read_manifest(made.folder).files == len(urls) + 2


def test_hosts_named_like_our_files_do_not_clash(make: Make) -> None:
    made = make(stored("https://index.html/x"), stored("https://asyncmultispider.sha256/x"))
    names = {path.name for path in made.folder.iterdir()}
    assert names == {"index.html", MANIFEST, "index.html_", f"{MANIFEST}_"}


# Safety


def test_hostile_pages_are_tamed(make: Make) -> None:
    page = """<html manifest=/m><meta http-equiv=Content-Security-Policy content="img-src *"><base
    href="file:///etc/"><link rel=dns-prefetch href=//evil.example><link rel="preconnect"
    href=//evil.example><meta http-equiv=set-cookie content=a=b><iframe srcdoc="<script>1</script>">
    </iframe><a href="file:///etc/passwd">1</a><img src="file://evil.example/share/x.png"><svg
    fill="url(//evil.example/x#y)"><rect fill="url(#own)"/></svg><p style="a:Image-Set('//e/x' 1x)">
    <style>a{b:\\69mage-set("//evil.example/x" 1x)} c{d:URL(file://e/x)}</style>"""
    made = make(stored(f"{HERE}/", page))
    text = made.text("index.html")
    for gone in (
        "manifest",
        "img-src *",
        "<base",
        "evil",
        "cookie",
        "srcdoc",
        "image-set(",
        "file:/",
    ):
        assert gone not in text.replace('not-here("//evil.example/x"', ""), gone
    assert 'fill="url(#own)"' in text
    assert text.count(NOWHERE) == 3


def test_no_animation_sets_a_link(make: Make) -> None:
    """Chromium loads what it says, and of //host/share Windows tells who asks for it."""
    page = """<svg><image><set attributeName=href to="/etc/x"/></image>
    <use><animate attributename=" xlink:HREF" values="//evil.example/x"/></use>
    <rect><animate attributeName=fill values=red /></rect></svg>"""
    text = make(stored(f"{HERE}/", page)).text("index.html")
    assert "href" not in text
    assert "evil" not in text
    assert '<animate attributeName="fill" values="red">' in text


def test_what_stands_in_for_scripts_is_shown(make: Make) -> None:
    page = "<noscript><style>a{}</style></noscript><p><noscript><img src=/i.png></noscript>"
    made = make(stored(f"{HERE}/", page))
    assert f'<style>a{{}}</style></head><body><p><img src="{HERE}/i.png"></p>' in made.text(
        "index.html"
    )


PIECES = st.sampled_from(
    [
        *(
            "<html",
            "<head>",
            "</head>",
            "<body>",
            "<title>",
            "</title>",
            "<!--",
            "-->",
            "--!>",
            "<p>",
        ),
        *("<noscript>", "</noscript>", "<template>", "</template>", "<svg>", "</svg>", "<math>"),
        *("<style>", "</style>", "<script>", "</script>", "<textarea>", "<select>", "<plaintext>"),
        *("<meta charset=utf-7>", "<meta http-equiv=refresh content='0;\\\\evil\\x'>", "<table>"),
        *(
            "<base href=file:///>",
            "<frameset>",
            "<xmp>",
            "<iframe>",
            "</iframe>",
            "<foreignObject>",
        ),
        *(
            " a='",
            '"',
            "'",
            ">",
            "<a href=",
            "file://evil/x",
            "//evil/x",
            "/x",
            "javascript:x",
            "\0",
        ),
        *("<img src=", "<img srcset='", " style='a:url(", ")", "@import '", "\\", "&quot;", "&#0;"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_no_page_gets_before_the_policy_or_to_files_elsewhere(html: str) -> None:
    answer = Response(
        status=200,
        headers=(("content-type", "text/html; charset=utf-8"),),
        body=html.encode(),
        at=0.0,
        elapsed=0.0,
    )
    page = Page(Request(id=0, url=f"{HERE}/", host="a.example"), answer)
    local = Local("a.example/index.html", {f"{HERE}/x": "a.example/x.html"}.get)
    shown = offline_page(page, local, Known())
    check_head(shown)
    links = [link.url for link in parse(shown).links()]
    check_links({"a.example/x.html"}, "a.example/index.html", links)


def test_titles_are_text_on_the_front_page(make: Make) -> None:
    made = make(
        stored(f"{HERE}/", title="</li><script>alert(1)</script>"),
        stored(f"{HERE}/?\"'<x>".replace('"', "%22").replace("<x>", "%3Cx%3E"), title=None),
        stored("https://b.example/x/y", title="B & C", depth=2),
        stored("https://b.example/z", title="not shown", depth=3),
    )
    front = parse((made.folder / "index.html").read_text())
    assert front.select("script") == []
    texts = [link.text for link in front.select("a")]
    assert texts == [
        f"</li><script>alert(1)</script> ({HERE}/)",
        f"{HERE}/?%22'%3Cx%3E",
        "B & C (https://b.example/x/y)",
    ]


def test_the_front_page_is_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "LISTED", 3)
    made = make(*[stored(f"{HERE}/{n}") for n in range(5)])
    front = parse((made.folder / "index.html").read_text())
    assert len(front.select("a")) == 3
    assert "and more" in front.text


def test_what_may_be_too_much_is_not_parsed(make: Make) -> None:
    made = make(stored(f"{HERE}/<x>".replace("<x>", "%3Cx%3E"), "<b><i>" * 20_000, title="<i>T"))
    text = made.text("%3Cx%3E.html")
    assert "too complex" in text
    assert f'href="{HERE}/%3Cx%3E"' in text
    assert "&lt;i&gt;T" in text


def test_a_long_base_does_not_make_much_of_a_page(make: Make) -> None:
    count = MOST_CHARACTERS // 3500
    links = "".join(f"<a href={n}>" + "</a>" for n in range(count))
    made = make(stored(f"{HERE}/", f"<base href=/{'x' * 4000}/>{links}"))
    assert len(made.text("index.html")) < MOST_CHARACTERS + 100 * count
    assert made.links()[-1] == NOWHERE


def test_an_empty_page(make: Make) -> None:
    assert make(stored(f"{HERE}/", "")).text("index.html").startswith("<!DOCTYPE html>")


INERT = '<svg xmlns="http://www.w3.org/2000/svg"><g fill="url(#a)"/><use href="#b"/>{}</svg>'
ALIVE = [
    "<script>1</script>",
    "<x:script xmlns:x='http://www.w3.org/2000/svg'/>",
    "<g onload='x'/>",
    "<g\nonload\n=\n'x'/>",
    "<a href='javascript:x'/>",
    "<a xlink:href='//evil.example'/>",
    "<image href='https://evil.example/x.png'/>",
    "<image href='data:image/svg+xml,x'/>",
    "<set attributeName='href' to='x'/>",
    "<foreignObject/>",
    "<style>@import 'x';</style>",
    "<style>a{b:u\\72l(x)}</style>",
    "<g fill='url(//evil.example/#x)'/>",
    "&#106;",
]


def test_images_that_do_nothing_stay_images(make: Make) -> None:
    fine = INERT.format("<rdf:Description/><image href='data:image/png;base64,x'/>")
    made = make(
        stored(f"{HERE}/", "<img src=/a.svg><img src=/b.svg>"),
        stored(f"{HERE}/a.svg", fine, kind="image/svg+xml"),
        stored(f"{HERE}/b.svg", INERT.format(ALIVE[0]), kind="image/svg+xml"),
    )
    assert made.links() == ["a.svg", "b.svg.txt"]


@pytest.mark.parametrize("part", ALIVE)
def test_images_that_may_do_something_are_text(part: str) -> None:
    assert is_inert(INERT.format("").encode())
    assert not is_inert(INERT.format(part).encode())


@pytest.mark.parametrize(
    "svg",
    [
        INERT.encode("utf-16"),
        b"\xff" + INERT.encode(),
        b'<?xml version="1.0" encoding="utf-7"?>' + INERT.encode(),
        b'<!DOCTYPE svg [<!ENTITY x "y">]>' + INERT.encode(),
        b'<!DOCTYPE svg [<!ATTLIST svg onload CDATA "x">]>' + INERT.encode(),
        b'<?xml-stylesheet href="x"?>' + INERT.encode(),
    ],
)
def test_so_are_images_that_hide_what_they_are(svg: bytes) -> None:
    assert not is_inert(svg)


# As a whole


def test_a_mirror_can_be_crawled(site: Site, other: Site, crawl: Callable[..., Crawled]) -> None:
    site.page(
        "/", "<a href=/a>a</a><a href=/moved>m</a><a href='/a/b?c=d'>q</a><a href=/gone>g</a>"
    )
    site.page("/a", "<a href='a/b?c=d#x'>b</a><a href=/caf%C3%A9>c</a>")
    site.page("/a/b?c=d", "<a href=../>up</a>")
    site.page("/caf%C3%A9", "<a href=/A>A</a>")
    site.page("/A", "<a href=/>home</a>")
    site.redirect("/moved", "/a")
    first = crawl(site.url())
    target = first.directory / "mirror.html"
    [written] = write_mirror(Job(pages_db=first.directory / "pages.db", target=target))
    check(target)
    for path in target.rglob("*.html"):
        name = str(path.relative_to(target)).replace("%", "%25")
        other.page(f"/{name}", path.read_text())
    again = crawl(other.url("/index.html"))
    assert set(again.ends(other).values()) == {"done"}
    assert len(again.pages) == written.lines + 1
