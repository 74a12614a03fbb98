"""Sitemaps: what is read of them, well-formed or not, and what can't hurt."""

import codecs
import gzip
import random
import zlib
from datetime import UTC, datetime, timedelta, timezone
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.errors import CrawlError
from asyncmultispider.sitemaps import Entry, Kind, Sitemap, SitemapError
from asyncmultispider.urls import canonicalize

HOME = "http://h.example/sitemap.xml"
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def parse(body: str | bytes, url: str = HOME, **options) -> Sitemap:
    return Sitemap.parse(body.encode() if isinstance(body, str) else body, url, **options)


def urlset(*urls: str) -> str:
    records = "".join(f"<url>{inside}</url>\n" for inside in urls)
    return f'<?xml version="1.0"?>\n<urlset xmlns="{NAMESPACE}">\n{records}</urlset>\n'


def locs(body: str | bytes, **options) -> list[str]:
    return [entry.url for entry in parse(body, **options).urls]


def loc(url: str) -> str:
    return f"<loc>{url}</loc>"


A = "http://h.example/a"
B = "http://h.example/b"
TWO = urlset(loc(A), loc(B))

# -- what the protocol says


def test_a_sitemap() -> None:
    everything = (
        f"{loc(A)}<lastmod>2024-05-06T07:08:09+02:00</lastmod>"
        "<changefreq>weekly</changefreq><priority>0.8</priority>"
    )
    sitemap = parse(urlset(everything, loc(B)))
    changed = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone(timedelta(hours=2)))
    assert sitemap == Sitemap(
        kind=Kind.URLSET,
        urls=(
            Entry(url=A, lastmod=changed, changefreq="weekly", priority=0.8),
            Entry(url=B, lastmod=None, changefreq=None, priority=0.5),
        ),
    )


def test_an_index() -> None:
    sitemap = parse(
        "<sitemapindex><sitemap><loc>http://h.example/1.xml.gz</loc>"
        "<lastmod><![CDATA[2004-10-01T18:23:17+00:00]]></lastmod></sitemap>"
        "<sitemap><loc>http://h.example/dyn?x=1&amp;y=2</loc></sitemap>"
        "<sitemap><loc>http://h.example/dyn<![CDATA[?x=3&y=4]]></loc></sitemap></sitemapindex>"
    )
    assert (sitemap.kind, sitemap.urls, sitemap.problems) == (Kind.INDEX, (), ())
    assert [entry.url.rpartition("/")[2] for entry in sitemap.sitemaps] == [
        *("1.xml.gz", "dyn?x=1&y=2", "dyn?x=3&y=4"),
    ]
    assert sitemap.sitemaps[0].lastmod == datetime(2004, 10, 1, 18, 23, 17, tzinfo=UTC)


def test_an_index_does_not_list_itself() -> None:
    sitemap = parse(f"<sitemapindex><sitemap><loc>{HOME}</loc></sitemap></sitemapindex>")
    assert (sitemap.sitemaps, sitemap.problems) == ((), ("it lists itself",))


def test_text() -> None:
    sitemap = parse(f"{A}\n{B}?x=y&z\r\n\r\n  {A}  \rhttp://h.example/ü")
    assert sitemap.kind == Kind.TEXT
    assert [entry.url for entry in sitemap.urls] == [A, B + "?x=y&z", "http://h.example/%C3%BC"]
    assert sitemap.problems == ()


def test_lines_that_are_no_urls_are_left_out_and_told() -> None:
    sitemap = parse(f"# my pages\n{A}\n/b\nwww.example.com\nftp://h.example/\nhttp://[\n")
    assert [entry.url for entry in sitemap.urls] == [A]
    assert [problem.rpartition(": ")[2] for problem in sitemap.problems] == [
        *("'# my pages'", "'/b'", "'www.example.com'", "'ftp://h.example/'", "'http://['"),
    ]


def test_rss() -> None:
    sitemap = parse(
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
        "<link>http://h.example/</link><atom:link rel='self' href='http://h.example/feed'/>"
        f"<item><title>a</title><atom:link href='http://h.example/not'/><link>{A}</link>"
        "<guid>http://h.example/no</guid><pubDate>Thu, 05 Jan 2017 13:34:51 +0100</pubDate></item>"
        f"<item><guid>{B}</guid></item>"
        "<item><guid isPermaLink='false'>http://h.example/id</guid></item>"
        "<item><guid>7bd204c6-1655-4c27-aeee-53f933c5395f</guid></item>"
        "</channel></rss>"
    )
    assert sitemap.kind == Kind.RSS
    assert [entry.url for entry in sitemap.urls] == [A, B, "http://h.example/id"]
    assert sitemap.urls[0].lastmod == datetime(2017, 1, 5, 12, 34, 51, tzinfo=UTC)
    assert len(sitemap.problems) == 1


def test_rss_1() -> None:
    sitemap = parse(
        '<rdf:RDF xmlns="http://purl.org/rss/1.0/"><channel rdf:about="http://h.example/f">'
        "<link>http://h.example/</link><items><rdf:Seq><rdf:li rdf:resource='x'/></rdf:Seq></items>"
        f"</channel><image><link>http://h.example/i</link></image><item rdf:about='{B}'>"
        f"<link>{A}</link><dc:date>2020-01-02</dc:date></item><item rdf:about='{B}'/>"
        f"<item rdf:about='{B}'><title>t</title></item></rdf:RDF>"
    )
    assert [entry.url for entry in sitemap.urls] == [A, B]
    assert sitemap.urls[0].lastmod == datetime(2020, 1, 2, tzinfo=UTC)


def test_atom() -> None:
    sitemap = parse(
        '<feed xmlns="http://www.w3.org/2005/Atom"><link href="http://h.example/"/>'
        '<entry><link rel="edit" href="http://h.example/edit"/><id>http://h.example/id</id>'
        f'<link rel="alternate" type="text/html" href="{A}?x=1&amp;y"/><link href="{B}"/>'
        "<published>2001-01-01T00:00:00Z</published><updated>2003-12-13T18:30:02Z</updated>"
        '<content type="xhtml"><div><link href="http://h.example/no"/></div></content></entry>'
        "</feed>"
    )
    assert sitemap.kind == Kind.ATOM
    changed = datetime(2003, 12, 13, 18, 30, 2, tzinfo=UTC)
    assert sitemap.urls == (Entry(url=A + "?x=1&y", lastmod=changed),)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2014", datetime(2014, 1, 1, tzinfo=UTC)),
        ("2014-06", datetime(2014, 6, 1, tzinfo=UTC)),
        ("2014-06-03", datetime(2014, 6, 3, tzinfo=UTC)),
        ("2014-06-03T10:30Z", datetime(2014, 6, 3, 10, 30, tzinfo=UTC)),
        ("2014-06-03T10:30:45-05:00", datetime(2014, 6, 3, 15, 30, 45, tzinfo=UTC)),
        ("2014-06-03T10:30:45.82+00:00", datetime(2014, 6, 3, 10, 30, 45, 820_000, tzinfo=UTC)),
        ("2014-06-03T10:30:45", datetime(2014, 6, 3, 10, 30, 45, tzinfo=UTC)),
        ("2014-06-03 10:30", datetime(2014, 6, 3, 10, 30, tzinfo=UTC)),
        ("Tue, 03 Jun 14 10:30:45 GMT", datetime(2014, 6, 3, 10, 30, 45, tzinfo=UTC)),
        ("3 Jun 2014 10:30:45 +0100", datetime(2014, 6, 3, 9, 30, 45, tzinfo=UTC)),
        ("3 Jun 2014 10:30:45 -0000", datetime(2014, 6, 3, 10, 30, 45, tzinfo=UTC)),
        *(("3 Jun 2014 10:30:45", None), ("", None), ("blah", None), ("2014-13", None)),
        *(("2014-02-30", None), ("0000", None), ("99999", None), ("\ud83d", None)),
    ],
)
def test_dates(written: str, meant: datetime | None) -> None:
    body = urlset(f"{loc(A)}<lastmod> {written} </lastmod>").encode(errors="replace")
    assert parse(body).urls[0].lastmod == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("1", 1.0), ("1.0", 1.0), ("0", 0.0), (".3", 0.3), ("0.75", 0.75)),
        *(("1.1", 0.5), ("-1", 0.5), ("nan", 0.5), ("high", 0.5), ("", 0.5), ("1e-1", 0.5)),
    ],
)
def test_priorities(written: str, meant: float) -> None:
    assert parse(urlset(f"{loc(A)}<priority>{written}</priority>")).urls[0].priority == meant


@pytest.mark.parametrize(("written", "meant"), [("Daily", "daily"), ("often", None)])
def test_frequencies(written: str, meant: str | None) -> None:
    body = urlset(f"{loc(A)}<changefreq>\n{written}\n</changefreq>")
    assert parse(body).urls[0].changefreq == meant


# -- where a sitemap may be, and what it may list


def listed(home: str, *urls: str, vouching: tuple[str, ...] | None) -> list[str]:
    return locs(urlset(*map(loc, urls)), url=home, vouching=vouching)


def test_without_a_word_on_who_vouches_all_is_listed() -> None:
    assert listed("http://a/x/s.xml", "http://a/", "http://b/", vouching=None) == [
        *("http://a/", "http://b/"),
    ]


def test_a_sitemap_lists_its_own_folder() -> None:
    home = "http://a/shop/sitemap.xml?x=/y/z"
    inside = ["http://a/shop/", "http://a/shop/deep/1?q"]
    outside = ["http://a/", "http://a/shop", "https://a/shop/", "http://a:81/shop/", "http://b/"]
    sitemap = parse(urlset(*map(loc, inside + outside)), url=home, vouching=())
    assert [entry.url for entry in sitemap.urls] == inside
    assert len(sitemap.problems) == len(outside)


def test_and_all_of_the_hosts_that_vouch_for_it() -> None:
    urls = ["http://a/", "http://b/x", "https://b/y", "http://b:8080/", "http://c/"]
    assert listed("http://a/shop/s.xml", *urls, vouching=("a", "b")) == urls[:3]
    assert listed("http://a/shop/s.xml", *urls, vouching=("b:8080",)) == urls[3:4]


def test_an_index_lists_sitemaps_of_its_host_and_of_those_that_vouch() -> None:
    urls = ["http://a/s.xml", "https://a/deep/s.xml", "http://b/s.xml", "http://c/s.xml"]
    records = "".join(f"<sitemap>{loc(url)}</sitemap>" for url in urls)
    body = f"<sitemapindex>{records}</sitemapindex>"
    sitemap = parse(body, url="http://a/x/index.xml", vouching=("b",))
    assert [entry.url for entry in sitemap.sitemaps] == urls[:3]


# -- as they are written


@pytest.mark.parametrize(
    "inside",
    [
        f"<loc>\n  {A}\n</loc>",
        f"<loc><![CDATA[{A}]]></loc>",
        f"<loc><url><![CDATA[{A}]]></url></loc>",
        f"<loc><!-- here --> {A}<!----></loc>",
        "<loc>/a</loc>",
        "<loc>a</loc>",
        "<loc>HTTP://H.EXAMPLE:80/x/../a#top</loc>",
        "<loc>http://h.example/&#97;</loc>",
        f"<loc><![CDATA[\u00a0{A} ]]> \u2000\n</loc>",
        "<loc>http://h.example/&#x61;</loc>",
        f"<LOC>{A}</LOC>",
        f"<loc />{loc(A)}",
        f"<loc></loc>{loc(A)}",
        f"<lastmod>2020-01-01{loc(A)}",
        f"<image:image><image:loc>http://h.example/no</image:loc></image:image>{loc(A)}",
        f"<image:loc>http://h.example/no</image:loc>{loc(A)}",
        f"<PageMap><DataObject><loc>http://h.example/no</loc></DataObject></PageMap>{loc(A)}",
        f"<mobile:mobile/>{loc(A)}",
        f"<mobile:mobile>{loc(A)}</mobile:mobile>{loc(A)}",
        f"<xhtml:link rel='alternate' href='http://h.example/no'/>{loc(A)}",
        f"<?php echo '<loc>x</loc>' ?>{loc(A)}",
        f"<!-- <loc>http://h.example/no</loc> -->{loc(A)}",
        f"<x a='>' b=\"'>/\"/>{loc(A)}",
        A,
    ],
)
def test_ways_to_write_a_url(inside: str) -> None:
    assert locs(urlset(inside, loc(B))) == [A, B]


def test_records_that_nobody_ends() -> None:
    dates = ["<lastmod>2001</lastmod>", "", "<lastmod>2003</lastmod>"]
    inside = "".join(f"<loc>/{n}</loc>{date}" for n, date in enumerate(dates))
    for record in ("url", "sitemap"):
        sitemap = parse(f"<urlset><{record}>{inside}</{record}></urlset>")
        entries = sitemap.urls + sitemap.sitemaps
        assert [entry.url for entry in entries] == [f"http://h.example/{n}" for n in range(3)]
        years = [entry.lastmod.year if entry.lastmod else None for entry in entries]
        assert years == [2001, None, 2003]


@pytest.mark.parametrize(
    "start",
    [
        *("<urlset>", "<URLSET>", '<urlset xmlns="http://www.google.com/schemas/sitemap/0.84">'),
        *('<?xml version="1.0" encoding="no-such"?><urlset>', "\n\n <!-- x --> <urlset>"),
        *("\ufeff\n \t\r\n<?xml version='1.0'?>\n<urlset>", "<urlset\n\txmlns = 'x'\n>"),
        '<?xml-stylesheet href="x.xsl"?>\n<urlset>',
    ],
)
def test_ways_to_begin(start: str) -> None:
    assert locs(f"{start}<url>{loc(A)}</url></urlset>") == [A]


def test_a_namespace_may_have_any_prefix() -> None:
    body = f"<s:urlset xmlns:s='{NAMESPACE}'><s:url><s:loc>{A}</s:loc></s:url></s:urlset>"
    assert parse(body).problems == ()
    assert locs(body) == [A]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("/?a=1&b=2", "/?a=1&b=2"), ("/?a=1&amp;b=2", "/?a=1&b=2"), ("/?&", "/?&")),
        *(("/?a&copy=1", "/?a&copy=1"), ("/?&lol;&#0;", "/?&lol;%EF%BF%BD")),
        *(("/&#xD800;&#x110000;", "/%EF%BF%BD%EF%BF%BD"), ("/a b", "/a%20b")),
    ],
)
def test_ampersands(written: str, meant: str) -> None:
    assert locs(urlset(loc(written))) == ["http://h.example" + meant]


@pytest.mark.parametrize(
    ("encoding", "mark", "declared"),
    [
        *(("utf-8", codecs.BOM_UTF8, "UTF-8"), ("utf-16-le", codecs.BOM_UTF16_LE, "UTF-16")),
        *(("utf-16-be", codecs.BOM_UTF16_BE, "UTF-16"), ("utf-16-le", b"", "UTF-16")),
        *(("utf-16-be", b"", "UTF-16"), ("latin-1", b"", "ISO-8859-1")),
        *(("shift_jis", b"", "Shift_JIS"), ("utf-8", b"", "UTF-16"), ("utf-8", b"", "utf-8")),
    ],
)
def test_encodings(encoding: str, mark: bytes, declared: str) -> None:
    name = "ツ" if encoding != "latin-1" else "ü"
    body = f"<?xml version='1.0' encoding='{declared}'?><urlset><url>{loc('/' + name)}</url>"
    assert locs(mark + body.encode(encoding)) == [canonicalize("/" + name, HOME)]


def test_the_content_type_tells_the_encoding_where_the_document_does_not() -> None:
    body = f"<urlset><url>{loc('/ü')}</url></urlset>".encode("latin-1")
    assert locs(body, content_type="text/xml; charset=latin1") == ["http://h.example/%C3%BC"]
    assert locs(body, content_type="text/xml") == ["http://h.example/%EF%BF%BD"]


def test_text_in_utf_16() -> None:
    assert locs(f"{A}\n{B}".encode("utf-16")) == [A, B]


@pytest.mark.parametrize("kind", [None, "text/html", "application/gzip", "application/bogus", ""])
@pytest.mark.parametrize("body", [TWO.encode(), f"{A}\n{B}\n".encode()], ids=["xml", "text"])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_gzip_is_known_by_itself(layers: int, body: bytes, kind: str | None) -> None:
    for _ in range(layers):
        body = gzip.compress(body)
    assert locs(body, content_type=kind) == [A, B]


def test_gzip_in_members_and_with_padding() -> None:
    members = b"".join(gzip.compress(TWO[i : i + 1].encode()) for i in range(len(TWO)))
    for body in (members, members + bytes(1000)):
        assert locs(body) == [A, B]
        assert parse(body).problems == ()


def test_too_many_gzip_members() -> None:
    sitemap = parse(gzip.compress(f"{A}\n".encode()) + gzip.compress(b"") * 50_000)
    assert [entry.url for entry in sitemap.urls] == [A]
    assert "gzip members" in sitemap.problems[0]


def test_each_url_once() -> None:
    assert locs(urlset(*map(loc, (A, B, A + "#x", "/a", B)))) == [A, B]


# -- cut and damaged


def test_what_came_before_the_cut() -> None:
    for end in range(TWO.index("<url>") + 1, len(TWO) - 1):
        sitemap = parse(TWO[:end])
        assert [entry.url for entry in sitemap.urls] == [
            url for url in (A, B) if f"{url}<" in TWO[:end]
        ]
        assert bool(sitemap.problems) == ("</urlset>" not in TWO[:end])


def test_a_cut_gzip() -> None:
    packed = gzip.compress(TWO.encode() + b"<!--" + bytes(range(256)) * 200)
    sitemap = parse(packed[:-12])
    assert [entry.url for entry in sitemap.urls] == [A, B]
    assert sitemap.problems == ("gzip that ends too early",)


def test_a_cut_text_may_end_in_a_cut_url() -> None:
    packed = gzip.compress(f"{A}\n{B}".encode())
    assert locs(packed) == [A, B]
    assert locs(packed[:-4]) == [A]


def test_a_damaged_gzip() -> None:
    packed = bytearray(gzip.compress(TWO.encode() + b"<!--" + random.Random(1).randbytes(9000)))
    packed[-1000] ^= 1
    sitemap = parse(bytes(packed))
    assert [entry.url for entry in sitemap.urls] == [A, B]
    assert "damaged gzip" in sitemap.problems[0]
    with pytest.raises(SitemapError, match="damaged gzip"):
        parse(b"\x1f\x8b" + bytes(1000))


@pytest.mark.parametrize(
    "broken",
    [
        f"<urlset><url>{loc(A)}<url>{loc(B)}</url></urlset>",
        f"<urlset><url>{loc(A)}</url></url></urlset><url>{loc(B)}</url></urlset>",
        f"<urlset><url><loc>{A}</url><url>{loc(B)}</url></urlset>",
        f"<urlset><url><news:news>{loc('/n')}</url><url>{loc(A)}</url><url>{loc(B)}</url></urlset>",
        f"<urlset></x></y><url>{loc(A)}</x></url>\0\x0b<url>\x1f{loc(B)}</url></urlset>",
        f"<urlset><url a=b c>{loc(A)}</url><url a='b>{loc('/q')}</url><url>{loc(B)}</url></urlset>",
        f"<urlset><url>{loc(A)} 3 < 4 </url> <! > <<<url>{loc(B)}</url></urlset>",
    ],
)
def test_not_well_formed(broken: str) -> None:
    assert {A, B} & set(locs(broken)) >= {B}


# -- refused


@pytest.mark.parametrize(
    "body",
    [
        *("", " \n", "this is a bogus sitemap", "<html><a href='http://h.example/'>x</a></html>"),
        *("<", "<>", "</urlset>", "<urlsets></urlsets>", '{"urls": []}', "\x89PNG\r\n", "ftp://a/"),
        *("<?xml version='1.0'?>", "<!-- -->", "\0\0\0\0"),
    ],
)
def test_no_sitemap(body: str) -> None:
    with pytest.raises(SitemapError, match="no sitemap"):
        parse(body.encode("latin-1"))


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))


@pytest.mark.parametrize(
    "doctype",
    [
        f'<!DOCTYPE urlset [<!ENTITY l0 "lol">{LAUGHS}]>',
        '<!DOCTYPE urlset [<!ENTITY l29 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE urlset [<!ENTITY % p SYSTEM "http://127.0.0.1:1/"> %p;]>',
        '<!DOCTYPE urlset SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE urlset PUBLIC "x" "http://127.0.0.1:1/x.dtd">',
        "<!doctype html>",
        '<!ENTITY l29 "x">',
        '<!ATTLIST url loc CDATA "x">',
    ],
)
@pytest.mark.parametrize("where", ["", f"<urlset><url>{loc(A)}</url>"])
def test_no_dtd(doctype: str, where: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(SitemapError, match="DOCTYPE"):
            parse(f"{where}{doctype}<urlset><url>{loc('/&l29;')}</url></urlset>".encode(encoding))


def test_a_refusal_is_an_error_of_ours() -> None:
    assert issubclass(SitemapError, CrawlError)
    assert issubclass(SitemapError, ValueError)


@pytest.mark.parametrize("url", ["", "sitemap.xml", "ftp://h/", "mailto:x", "http://["])
def test_it_has_to_have_an_address(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        parse(TWO, url=url)


# -- bounds


@pytest.mark.parametrize(
    "body",
    [
        "".join(f"<url>{loc(f'/{n}')}</url>" for n in range(25)).join(("<urlset>", "</urlset>")),
        "".join(f"<sitemap>{loc(f'/{n}')}</sitemap>" for n in range(25)).join(
            ("<sitemapindex>", "</sitemapindex>")
        ),
        "\n".join(f"http://h.example/{n}" for n in range(25)),
        "".join(f"<item><link>/{n}</link></item>" for n in range(25)).join(("<rss>", "</rss>")),
        "".join(f"<entry><link href='/{n}'/></entry>" for n in range(25)).join(
            ("<feed>", "</feed>")
        ),
    ],
    ids=["urlset", "index", "text", "rss", "atom"],
)
def test_too_many_urls(body: str) -> None:
    with patch("asyncmultispider.sitemaps.sitemap.MAX_URLS", 10):
        sitemap = parse(body)
    entries = sitemap.urls + sitemap.sitemaps
    assert [entry.url for entry in entries] == [f"http://h.example/{n}" for n in range(10)]
    assert "too many URLs" in sitemap.problems[0]


def test_as_many_urls_as_the_protocol_allows() -> None:
    body = urlset(*(loc(f"/{n}") for n in range(50_000)))
    sitemap = parse(body)
    assert len(sitemap.urls) == 50_000
    assert sitemap.problems == ()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_too_many_bytes(pack) -> None:
    text = "".join(f"http://h.example/{n}.html\n" for n in range(100)).encode()
    records = urlset(*(loc(f"/{n}.html") for n in range(100))).encode()
    for body in (text, records):
        for cap in (len(body), len(body) // 2, len(body) // 2 + 11):
            with patch("asyncmultispider.sitemaps.unpack.MAX_BYTES", cap):
                sitemap = parse(pack(body))
            assert bool(sitemap.problems) == (cap < len(body))
            assert (len(sitemap.urls) == 100) == (cap == len(body))
            assert all(entry.url.endswith(".html") for entry in sitemap.urls)


def test_a_bomb_is_no_sitemap() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join([*(packer.compress(bytes(2**20)) for _ in range(200)), packer.flush()])
    with pytest.raises(SitemapError):
        parse(bomb)
    assert locs(gzip.compress(TWO.encode()) + bomb) == [A, B]


def test_problems_are_told_up_to_a_point() -> None:
    problems = parse(urlset(*(loc("http://[") for _ in range(1000)), loc(A))).problems
    assert len(problems) == 21
    assert problems[-1] == "and more"


@pytest.mark.parametrize("bad", ["http://h.example/" + "x" * 9000, "ftp://h/", "javascript:1", ""])
def test_no_url_to_go_to(bad: str) -> None:
    sitemap = parse(urlset(loc(bad), loc(A)))
    assert [entry.url for entry in sitemap.urls] == [A]
    assert len(sitemap.problems) == 1
    assert len(sitemap.problems[0]) < 200


MANY = 300_000
HOSTILE = [
    *("<a>" * MANY, "<" * MANY, '<a "' * MANY, "<a b='\"" * MANY, "<!--" * MANY),
    *("<![CDATA[" * MANY, "<?" * MANY, "<url>" * MANY, "<url><loc>" * MANY, "<a b='" + "x" * MANY),
    *("<" + "a:" * MANY + ">", "<a " + 'b="c" ' * MANY + ">", "<url " + 'b="c" ' * MANY + ">"),
    *("<url><loc>" + "&" * MANY, "<url><loc>" + "&#1;" * MANY + "</loc>", "</a>" * MANY),
    *("<url><loc>" + "<![CDATA[&]]>" * MANY, "<url><loc>" + "a<!---->" * MANY + "</loc>"),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda text: text[:12])
def test_no_document_takes_long(hostile: str) -> None:
    # Quadratic work on any of these would take minutes.
    assert parse("<urlset>" + hostile).urls == ()


def test_too_many_tags() -> None:
    with patch("asyncmultispider.sitemaps.records.MAX_TAGS", 100):
        sitemap = parse(urlset(loc(A), *["<x/>"] * 100, loc(B)))
    assert [entry.url for entry in sitemap.urls] == [A]
    assert "more than 100 tags" in sitemap.problems[0]


# -- properties

PIECES = st.sampled_from(
    [
        *(
            "<urlset>",
            "</urlset>",
            "<sitemapindex>",
            "<rss>",
            "<feed>",
            "<url>",
            "</url>",
            "<item>",
        ),
        *("<sitemap>", "</sitemap>", "<entry>", "<loc>", "</loc>", "<link href='/x'>", "</link>"),
        *("<lastmod>", "</lastmod>", "2020", "<priority>", "1", "</priority>", "http://b.example/"),
        *("<image:loc>", "<![CDATA[", "]]>", "<!--", "-->", "<?", "?>", "&amp;", "&#55296;", "&"),
        *("/", ">", '"', "'", "\n", " ", "é", "\0", "<guid isPermaLink='false'>", "<!D", "/>"),
    ]
)
DOCUMENTS = st.lists(PIECES).map("".join)


@given(st.binary() | DOCUMENTS.map(str.encode) | DOCUMENTS.map(lambda text: text.encode("utf-16")))
def test_nothing_else_is_raised(body: bytes) -> None:
    for vouching in (None, ("h.example",)):
        try:
            sitemap = Sitemap.parse(body, HOME, vouching=vouching)
        except SitemapError:
            continue
        for entry in sitemap.urls + sitemap.sitemaps:
            assert entry.url.startswith(("http://", "https://"))
            assert canonicalize(entry.url) == entry.url
            assert 0 <= entry.priority <= 1


@given(DOCUMENTS)
def test_a_cut_takes_from_the_end_only(document: str) -> None:
    whole = [entry.url for entry in parse_or_none("<urlset>" + document)]
    half = [entry.url for entry in parse_or_none("<urlset>" + document[: len(document) // 2])]
    assert len(half) <= len(whole) + 1


def parse_or_none(document: str) -> tuple[Entry, ...]:
    try:
        return parse(document).urls
    except SitemapError:
        return ()


URLS = st.lists(st.sampled_from([A, B, "http://c.example/?x=1&y=2", "https://d.example/é"]))


@given(URLS)
def test_all_forms_say_the_same(urls: list[str]) -> None:
    wanted = list(dict.fromkeys(map(canonicalize, urls)))
    escaped = [url.replace("&", "&amp;") for url in urls]
    items = "".join(f"<item><link>{url}</link></item>" for url in escaped)
    entries = "".join(f'<entry><link href="{url}"/></entry>' for url in escaped)
    assert locs(urlset(*map(loc, escaped))) == wanted
    assert locs(f"<rss><channel>{items}</channel></rss>") == wanted
    assert locs(f"<feed>{entries}</feed>") == wanted
    if urls:
        assert locs("\n".join(urls)) == wanted
