"""Pages in the encodings of the world: their titles, and the links a browser would ask for.

The path of a link goes out in UTF-8, its query in the encoding of the page (WHATWG URL).
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from crawling import Crawled
from webserver import Site

CrawlSite = Callable[..., Crawled]


class Sample(NamedTuple):
    """A page in an encoding. `query` is what a browser sends for `q=TEXT`, by hand or by it."""

    label: str
    codec: str
    charset: str
    text: str
    query: str


SAMPLES = [
    Sample("GBK", "gbk", "gbk", "新闻", "q=%D0%C2%CE%C5"),
    Sample("gb2312", "gb2312", "gbk", "中文", "q=%D6%D0%CE%C4"),
    Sample("gb18030", "gb18030", "gb18030", "中文㐀", "q=%D6%D0%CE%C4%819%EE9"),
    Sample("Big5", "big5", "big5", "新聞", "q=%B7s%BBD"),
    Sample("Shift_JIS", "shift_jis", "shift_jis", "表示ソ", "q=%95\\%8E%A6%83\\"),
    Sample("EUC-JP", "euc_jp", "euc-jp", "日本語", "q=%C6%FC%CB%DC%B8%EC"),
    Sample("ISO-2022-JP", "iso2022_jp", "iso-2022-jp", "日本", "q=%1B$BF|K\\%1B(B"),
    Sample("EUC-KR", "euc_kr", "euc-kr", "한국어", "q=%C7%D1%B1%B9%BE%EE"),
    Sample("windows-1252", "cp1252", "windows-1252", "café €", "q=caf%E9%20%80"),
    Sample("ISO-8859-1", "cp1252", "windows-1252", "naïve“", "q=na%EFve%93"),
    Sample("windows-1251", "cp1251", "windows-1251", "Новости", "q=%CD%EE%E2%EE%F1%F2%E8"),
    Sample("KOI8-R", "koi8_r", "koi8-r", "Новости", "q=%EE%CF%D7%CF%D3%D4%C9"),
    Sample("utf-8", "utf-8", "utf-8", "日本é", "q=%E6%97%A5%E6%9C%AC%C3%A9"),
]
NAMES = [sample.label for sample in SAMPLES]
PATHS = {
    "新闻": "%E6%96%B0%E9%97%BB",
    "中文": "%E4%B8%AD%E6%96%87",
    "中文㐀": "%E4%B8%AD%E6%96%87%E3%90%80",
    "新聞": "%E6%96%B0%E8%81%9E",
    "表示ソ": "%E8%A1%A8%E7%A4%BA%E3%82%BD",
    "日本語": "%E6%97%A5%E6%9C%AC%E8%AA%9E",
    "日本": "%E6%97%A5%E6%9C%AC",
    "한국어": "%ED%95%9C%EA%B5%AD%EC%96%B4",
    "café €": "caf%C3%A9%20%E2%82%AC",
    "naïve“": "na%C3%AFve%E2%80%9C",
    "Новости": "%D0%9D%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8",
    "日本é": "%E6%97%A5%E6%9C%AC%C3%A9",
}


def document(text: str, head: str = "") -> str:
    return (
        f"<!doctype html><html><head>{head}<title>{text}</title></head><body><p>{text}</p>"
        f'<a href="/dir/{text}">path</a><a href="/find?q={text}">query</a>'
        f'<a href="/both/{text}?q={text}#{text}">both</a></body></html>'
    )


def expect(crawled: Crawled, site: Site, sample: Sample) -> None:
    """The title is right, and the server saw what a browser would have sent."""
    path = PATHS[sample.text]
    assert crawled.pages[site.url()]["title"] == sample.text
    assert crawled.pages[site.url()]["charset"] == sample.charset
    found = {f"/dir/{path}", f"/find?{sample.query}", f"/both/{path}?{sample.query}"}
    assert set(site.paths) == {"/robots.txt", "/", *found}
    assert set(crawled.ends(site)) == {"/", *found}


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_charset_in_the_header(site: Site, crawl: CrawlSite, sample: Sample) -> None:
    kind = f"text/html; charset={sample.label}"
    site.page("/", document(sample.text).encode(sample.codec), content_type=kind)
    expect(crawl(site.url()), site, sample)


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=klingon", None])
def test_a_charset_in_the_page(
    site: Site, crawl: CrawlSite, sample: Sample, kind: str | None
) -> None:
    page = document(sample.text, f'<meta charset="{sample.label}">')
    site.page("/", page.encode(sample.codec), content_type=kind)
    expect(crawl(site.url()), site, sample)


def test_a_charset_in_the_old_kind_of_meta(site: Site, crawl: CrawlSite) -> None:
    sample = SAMPLES[0]
    meta = '<meta http-equiv="Content-Type" content="text/html; charset=gbk">'
    page = document(sample.text, meta).encode(sample.codec)
    site.page("/", page, content_type="text/html")
    expect(crawl(site.url()), site, sample)


@pytest.mark.parametrize(
    ("codec", "mark", "label", "charset"),
    [
        ("utf-16-le", "\ufeff", None, "utf-16le"),
        ("utf-16-be", "\ufeff", None, "utf-16be"),
        ("utf-16-le", "", "utf-16", "utf-16le"),
        ("utf-16-be", "", "utf-16be", "utf-16be"),
        ("utf-16-be", "\ufeff", "windows-1252", "utf-16be"),
        ("utf-8", "\ufeff", "windows-1252", "utf-8"),
        ("utf-8", "\ufeff", None, "utf-8"),
    ],
)
def test_unicode_by_mark_or_label(
    site: Site, crawl: CrawlSite, codec: str, mark: str, label: str | None, charset: str
) -> None:
    """The byte order mark overrides all else, and queries are in UTF-8 whichever it is."""
    sample = SAMPLES[-1]._replace(charset=charset)
    kind = f"text/html; charset={label}" if label else "text/html"
    site.page("/", (mark + document(sample.text)).encode(codec), content_type=kind)
    expect(crawl(site.url()), site, sample)


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=none-such", None])
def test_no_charset_at_all_is_sniffed(site: Site, crawl: CrawlSite, kind: str | None) -> None:
    sample = SAMPLES[-1]
    site.page("/", document(sample.text).encode(), content_type=kind)
    expect(crawl(site.url()), site, sample)


def test_a_header_overrules_the_page(site: Site, crawl: CrawlSite) -> None:
    sample = SAMPLES[0]
    page = document(sample.text, '<meta charset="utf-8">').encode(sample.codec)
    site.page("/", page, content_type='text/html; charset="GBK"')
    expect(crawl(site.url()), site, sample)


def test_a_wrong_charset_harms_no_more_than_its_letters(site: Site, crawl: CrawlSite) -> None:
    body = '<title>caf\xe9</title><a href="/plain">1</a><a href="/caf\xe9">2</a>'.encode("latin-1")
    site.page("/", body, content_type="text/html; charset=utf-8")
    site.page("/plain", "x")
    crawled = crawl(site.url())
    assert crawled.pages[site.url()]["title"] == "caf\ufffd"
    assert crawled.ends(site) == {
        "/": "done",
        "/plain": "done",
        "/caf%EF%BF%BD": "failed:http-404",
    }
    assert crawled.body(site.url()) == body


def test_letters_that_the_charset_lacks_go_out_as_references(site: Site, crawl: CrawlSite) -> None:
    page = '<a href="/?q=&#937;&eacute;">1</a><a href="/&#937;">2</a>'
    site.page("/", page, content_type="text/html; charset=windows-1252")
    crawl(site.url())
    assert set(site.paths) == {"/robots.txt", "/", "/?q=%26%23937%3B%E9", "/%CE%A9"}


def test_what_is_escaped_already_stays_as_it_is(site: Site, crawl: CrawlSite) -> None:
    page = '<a href="/%D0%C2?q=%CE%c5&amp;a=%zz">1</a><a href="/a%2Fb%20c?x=+">2</a>'
    site.page("/", page, content_type="text/html; charset=gbk")
    crawl(site.url())
    assert set(site.paths) == {"/robots.txt", "/", "/%D0%C2?q=%CE%c5&a=%zz", "/a%2Fb%20c?x=+"}


def test_escapes_in_small_letters_are_sent_as_they_are(site: Site, crawl: CrawlSite) -> None:
    site.page("/", '<a href="/%d0%c2">1</a>')
    crawl(site.url())
    assert set(site.paths) == {"/robots.txt", "/", "/%d0%c2"}


def test_a_base_query_and_a_form_like_href_in_a_legacy_page(site: Site, crawl: CrawlSite) -> None:
    """A reference of only a query, and one through a base element, are encoded alike."""
    page = '<base href="/dir/"><a href="?k=新闻">1</a><a href=" x?k=新闻 ">2</a>'
    site.page("/", page.encode("gbk"), content_type="text/html; charset=gbk")
    crawl(site.url())
    query = "?k=%D0%C2%CE%C5"
    assert set(site.paths) == {"/robots.txt", "/", f"/dir/{query}", f"/dir/x{query}"}


def test_the_same_link_in_two_charsets_is_two_links(site: Site, crawl: CrawlSite) -> None:
    link = '<a href="/find?q=é">find</a>'
    site.page("/", link + '<a href="/old">old</a>')
    site.page("/old", link.encode("cp1252"), content_type="text/html; charset=windows-1252")
    crawl(site.url())
    assert {p for p in site.paths if "find" in p} == {"/find?q=%C3%A9", "/find?q=%E9"}
