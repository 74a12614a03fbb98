"""Pages that are well sent: deep, huge, broken, random, or not what they say."""

import random
from collections.abc import Callable

from hostile.messages import DONE, Kind, html, kind, serve
from hostile.server import Line

MILLION = 1_000_000
HTML = "text/html"
TOO_COMPLEX = "failed:too-complex"


def _page(
    name: str,
    body: Callable[[], bytes] | bytes,
    *ends: str,
    kind_of: str = HTML,
    more: dict[str, str] | None = None,
) -> Kind:
    """A page, made when it is asked for."""

    def speak(line: Line) -> None:
        serve(line, body if isinstance(body, bytes) else body(), kind_of)

    return kind(f"page-{name}", speak, *(ends or (DONE,)), more=more)


def _times(unit: bytes, times: int, before: bytes = b"", after: bytes = b"") -> Callable[[], bytes]:
    return lambda: before + unit * times + after


def _numbered(
    unit: bytes, times: int, before: bytes = b"", after: bytes = b""
) -> Callable[[], bytes]:
    return lambda: before + b"".join(unit % n for n in range(times)) + after


def _random() -> bytes:
    return random.Random(1).randbytes(500_000)


def _tags(seed: int) -> bytes:
    tags = (b"<%b>", b"</%b>", b"<%b a=1>", b"x")
    names = (b"a", b"b", b"p", b"div", b"table", b"tr", b"td", b"svg", b"template", b"select", b"i")
    chance = random.Random(seed)
    chosen = (chance.choice(tags) for _ in range(50_000))
    return b"".join(tag.replace(b"%b", chance.choice(names)) for tag in chosen)


def _long_links() -> bytes:
    return html("Long links", *(f"/long/{n}/" + "x" * 100_000 for n in range(20)))


FEW_FORMATS = b"".join(b"<b id=%d>" % n for n in range(500))

KINDS = (
    # Deep
    _page("deep-div", _times(b"<div>", MILLION), DONE, TOO_COMPLEX),
    _page("deep-table", _times(b"<table><tr><td>", 50_000)),
    _page("deep-svg", _times(b"<svg><g>", 50_000)),
    _page("deep-template", _times(b"<template>", 50_000)),
    _page("deep-list", _times(b"<ul><li>", 50_000)),
    _page("deep-closed", lambda: b"<p>" + b"<span>" * 50_000 + b"</span>" * 50_000),
    # Bombs for who builds trees (HTML section 13.2.4.3)
    _page("formats", _times(b"<a><b><i>", 100_000)),
    _page("formats-that-differ", _numbered(b"<b id=%d><p>", 20_000), TOO_COMPLEX),
    _page("formats-again-and-again", lambda: b"<p>" + FEW_FORMATS + b"<p>x" * 20_000, TOO_COMPLEX),
    _page("formats-crossed", _numbered(b"<a href=#%d><p><b id=x></a>x", 20_000), DONE, TOO_COMPLEX),
    _page(
        "formats-in-48-kb", lambda: (b"<p>" + FEW_FORMATS + b"<p>x" * 12_000)[:48_000], TOO_COMPLEX
    ),
    _page(
        "formats-at-full-depth",
        lambda: b"<div>" * 507 + b"<table><tr><td></tr><i><p></i>",
        DONE,
        TOO_COMPLEX,
        "failed:poison",
    ),
    _page("bodies", _numbered(b"<body a%d>", 20_000), TOO_COMPLEX),
    _page("fostered", _times(b"x<tr>", 100_000, b"<table>")),
    # Huge
    _page("of-lt", _times(b"<", 5 * MILLION), DONE, TOO_COMPLEX),
    _page("20-mb-of-lt", _times(b"<", 20 * MILLION), "failed:too-large"),
    _page("of-nul", _times(b"\0", MILLION)),
    _page("attributes", _numbered(b" a%d", 500_000, b"<a href=#", b">x</a>"), DONE, TOO_COMPLEX),
    _page("attribute-long", _times(b"x", MILLION, b"<a title='", b"' href=#>x</a>")),
    _page("tag-long", _times(b"x", MILLION, b"<", b">")),
    _page("title-huge", _times(b"word ", 200_000, b"<title>", b"</title>")),
    _page("titles", _times(b"<title>x</title>", 50_000)),
    _page("comment-open", _times(b"x ", 2 * MILLION, b"<!--")),
    _page("script-open", _times(b"<a href=/never>", 50_000, b"<script>")),
    _page("entities", _times(b"&amp;&notit;&#x110000;", 50_000)),
    _page("entity-long", _times(b"9", MILLION, b"&#")),
    _page("cdata", _times(b"]] ", 200_000, b"<svg><![CDATA[")),
    _page("metas", _times(b"<meta name=robots content=a,b>", 50_000)),
    # Links
    _page(
        "links-20000",
        _numbered(b"<a href=/flood/%d>x</a>", 20_000),
        more={"/flood/*": "skipped:excluded"},
    ),
    _page("links-all-alike", _times(b"<a href=#>x</a>", 100_000)),
    _page("links-fragments", _numbered(b"<a href=#%d>x</a>", 50_000)),
    _page("links-long", _long_links, more={"/long/*": "suspended:trap"}),
    _page(
        "links-absurd",
        html(
            "Absurd",
            "http://[",
            "http://%00/",
            "http://a b/",
            "//",
            "http:///",
            "javascript:1",
            "data:,x",
            "\0",
            "http://127.0.0.1:99999/",
        ),
        more={"/bad/%EF%BF%BD": "failed:http-404"},
    ),
    _page(
        "base-javascript",
        b"<base href='javascript:1'>" + html("Base", "/target/base"),
        more={"/target/base": DONE},
    ),
    _page("base-elsewhere", b"<base href='ftp://127.0.0.1/'>" + html("FTP", "never")),
    _page("refresh-itself", b"<meta http-equiv=refresh content='0'>" + html("Refresh")),
    _page("refresh-circle", b"<meta http-equiv=refresh content='0;url=/bad/page-refresh-circle'>"),
    # Not what they say
    _page("empty", b""),
    _page("of-random-bytes", _random),
    _page("of-random-tags", lambda: _tags(3)),
    _page("of-random-tags-too-deep", lambda: _tags(2), DONE, TOO_COMPLEX),
    _page("png-as-html", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100),
    _page("html-as-png", html("No picture", "/never"), kind_of="image/png"),
    _page("html-as-binary", html("No file", "/never"), kind_of="application/octet-stream"),
    _page("html-as-pdf", html("No document", "/never"), kind_of="application/pdf"),
    _page("gzip-as-html", b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + bytes(1000)),
    _page(
        "xml-laughs",
        b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        b'<!ENTITY c SYSTEM "file:///etc/passwd">]><x>&b;&c;</x>',
        kind_of="application/xhtml+xml",
    ),
    # Characters
    _page(
        "charset-unknown",
        html("Charset", "/target/u"),
        kind_of=f"{HTML}; charset=klingon",
        more={"/target/u": DONE},
    ),
    _page("charset-absurd", html("Charset 2"), kind_of=f'{HTML}; charset="\';--\\"'),
    _page("charset-not-text", html("Charset 3"), kind_of=f"{HTML}; charset=base64"),
    _page("charset-long", html("Charset 4"), kind_of=f"{HTML}; charset=" + "x" * 10_000),
    _page("charset-utf-7", b"<title>+ADw-script+AD4-</title>", kind_of=f"{HTML}; charset=utf-7"),
    _page(
        "charset-utf-8-is-not",
        b"\xff\xfe\xfd\xc3(\xed\xa0\x80" * 1000,
        kind_of=f"{HTML}; charset=utf-8",
    ),
    _page(
        "charset-meta-liar",
        b"<meta charset=utf-16le>" + html("Meta", "/target/m"),
        more={"/target/m": DONE},
    ),
    _page("utf-16-without-bom", "<title>Wide</title><a href=/never>x</a>".encode("utf-16-le")),
    _page("utf-16-odd", b"\xff\xfe" + "<title>Odd</title>".encode("utf-16-le") + b"\xd8"),
    _page(
        "title-of-controls",
        b"<title>\x1b]0;owned\x07\x1b[2J\x9b31m\r\n\x08\x7f\xe2\x80\xae</title>",
    ),
    _page("title-formula", b'<title>=HYPERLINK("http://x")</title>'),
    _page("title-surrogate", b"<title>&#xD800;\xed\xa0\x80\xf4\x90\x80\x80</title>"),
)
