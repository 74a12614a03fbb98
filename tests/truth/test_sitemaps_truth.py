"""Sitemaps against crawler-commons' files (https://github.com/crawler-commons/crawler-commons).

The values are what is written in the files; where a reader has a choice (an Atom entry with many
links, an index without <loc>), what crawler-commons' own tests ask for.
"""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from scoring import score

from asyncmultispider.sitemaps import Entry, Kind, Sitemap

DATA = Path(__file__).parents[2] / "../shared/data/sitemaps"
NAMES = sorted(str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file())
SUITE = "crawler-commons sitemaps"

pytestmark = pytest.mark.skipif(not NAMES, reason=f"no sitemaps in {DATA}")

EXAMPLE = "http://www.example.com"
CATALOG = f"{EXAMPLE}/catalog?item="
BLOG = "https://shinpaideshou.wordpress.com/2017/04"
PORTALS = (
    *(10260, 2, 10080, 10140, 10340, 10400, 10430, 10440, 10450, 10460, 10470, 10480, 10490, 10550),
    10570,
)

# For each file: where it would be, what it is written as, and what it lists.
EXPECTED: dict[str, tuple[str, Kind, tuple[str, ...]]] = {
    "atom.xml": (
        "http://example.org/atom.xml",
        Kind.ATOM,
        ("http://example.org/2003/12/13/atom03",),
    ),
    "do-not-visit.txt": (f"{EXAMPLE}/s.txt", Kind.TEXT, (f"{EXAMPLE}/do-not-visit-here",)),
    "sitemap-with-bom.txt": (
        "http://www.domain.com/sitemap.txt",
        Kind.TEXT,
        ("http://www.domain.com/page1.html", "http://www.domain.com/page2.html"),
    ),
    "sitemap.txt": (
        "http://www.domain.com/sitemap.txt",
        Kind.TEXT,
        ("http://www.domain.com/page1.html", "http://www.domain.com/page2.html"),
    ),
    "sitemap.badns.xml": (f"{EXAMPLE}/s.xml", Kind.URLSET, (f"{EXAMPLE}/1", f"{EXAMPLE}/2")),
    "sitemap.ns.xml": (f"{EXAMPLE}/s.xml", Kind.URLSET, (f"{EXAMPLE}/1", f"{EXAMPLE}/2")),
    "sitemap.index.xml": (
        "https://example.com/sitemap.index.xml",
        Kind.INDEX,
        tuple(f"https://example.com/sitemap.jss?portalCode={n}&lang=en" for n in PORTALS),
    ),
    "sitemap.txt.gz": (
        f"{EXAMPLE}/sitemap.txt.gz",
        Kind.TEXT,
        (
            f"{EXAMPLE}/",
            f"{CATALOG}12&desc=vacation_hawaii",
            f"{CATALOG}73&desc=vacation_new_zealand",
            f"{CATALOG}74&desc=vacation_newfoundland",
            f"{CATALOG}83&desc=vacation_usa",
        ),
    ),
    "xmlSitemap.gz": (
        f"{EXAMPLE}/sitemap.xml.gz",
        Kind.URLSET,
        (
            f"{EXAMPLE}/",
            f"{CATALOG}12&desc=vacation_hawaii",
            f"{CATALOG}73&desc=vacation_new_zealand",
            f"{CATALOG}74&desc=vacation_newfoundland",
            f"{CATALOG}83&desc=vacation_usa",
        ),
    ),
    "extension/pagemaps-sitemap.xml": (
        f"{EXAMPLE}/s.xml",
        Kind.URLSET,
        (f"{EXAMPLE}/foo", f"{EXAMPLE}/bar"),
    ),
    "extension/shinpaideshou-news-sitemap.xml": (
        "https://shinpaideshou.wordpress.com/news-sitemap.xml",
        Kind.URLSET,
        (
            f"{BLOG}/25/job-opening-reischauer-policy-research-fellow/",
            f"{BLOG}/24/call-for-papers-nation-gender-and-history-asian-cinemas-in-perspective-2/",
            f"{BLOG}/24/job-opening-lecturer-in-japanese-studies-university-of-leeds/",
        ),
    ),
    "extension/sitemap-images.xml": (
        f"{EXAMPLE}/s.xml",
        Kind.URLSET,
        (f"{EXAMPLE}/images/some_image_landing_page.html",),
    ),
    "extension/sitemap-links.xml": (
        f"{EXAMPLE}/s.xml",
        Kind.URLSET,
        (f"{EXAMPLE}/english/", f"{EXAMPLE}/deutsch/", f"{EXAMPLE}/schweiz-deutsch/"),
    ),
    "extension/sitemap-mobile.xml": (
        f"{EXAMPLE}/s.xml",
        Kind.URLSET,
        (
            f"{EXAMPLE}/mobile-friendly-1/",
            f"{EXAMPLE}/mobile-friendly-2/",
            f"{EXAMPLE}/no-mobile/",
        ),
    ),
    "extension/sitemap-news.xml": (
        "http://www.example.org/s.xml",
        Kind.URLSET,
        (
            "http://www.example.org/business/article55.html",
            "http://www.example.org/empty_news_name.html",
        ),
    ),
    "extension/sitemap-videos-tvshow.xml": (
        "https://example.org/s.xml",
        Kind.URLSET,
        ("https://example.org/my-tv-show/23/13/",),
    ),
    "extension/sitemap-videos.xml": (
        f"{EXAMPLE}/s.xml",
        Kind.URLSET,
        tuple(f"{EXAMPLE}/videos/some_video_landing_page{n}.html" for n in ("", "-2", "-3")),
    ),
}
HEBDEN = "extension/hebdenbridgetimes-articles-sitemap.xml"
AT_HEBDEN = "http://www.hebdenbridgetimes.co.uk"


def read(name: str, url: str, content_type: str | None = None) -> Sitemap:
    body = (DATA / name).read_bytes()
    return Sitemap.parse(body, url, content_type, vouching=())


def listed(sitemap: Sitemap) -> tuple[str, ...]:
    return tuple(entry.url for entry in sitemap.urls + sitemap.sitemaps)


def test_every_file_has_its_expectation() -> None:
    assert set(NAMES) == {*EXPECTED, HEBDEN}


@pytest.mark.parametrize("content_type", [None, "text/xml", "text/plain", "application/x-gunzip"])
def test_what_the_files_list(content_type: str | None) -> None:
    def passes(name: str) -> bool:
        url, kind, urls = EXPECTED[name]
        sitemap = read(name, url, content_type)
        return (sitemap.kind, listed(sitemap), sitemap.problems) == (kind, urls, ())

    assert not score(SUITE, EXPECTED, passes, str(content_type))


def test_a_real_one_with_three_extensions() -> None:
    sitemap = read(HEBDEN, f"{AT_HEBDEN}/sitemap-article-2015-18.xml")
    first, *_, last = sitemap.urls
    west = timezone(timedelta(hours=1))
    known = [
        (len(sitemap.urls), 74),
        (sitemap.problems, ()),
        (all(url.startswith(f"{AT_HEBDEN}/") for url in listed(sitemap)), True),
        (any("webimage" in url for url in listed(sitemap)), False),
        ({entry.changefreq for entry in sitemap.urls}, {"daily"}),
        (first.url.rpartition("/")[2], "video-tour-de-yorkshire-in-calderdale-1-7242580"),
        (first.lastmod, datetime(2015, 5, 3, 18, 51, 50, tzinfo=west)),
        (last.lastmod, datetime(2015, 4, 26, 17, 47, 55, tzinfo=west)),
    ]
    assert not score(SUITE, known, lambda pair: pair[0] == pair[1], "hebdenbridgetimes")


def test_what_they_say_of_their_pages() -> None:
    url, _, urls = EXPECTED["xmlSitemap.gz"]
    january, november = datetime(2005, 1, 1, tzinfo=UTC), datetime(2004, 11, 23, tzinfo=UTC)
    december = datetime(2004, 12, 23, tzinfo=UTC)
    evening = datetime(2004, 12, 23, 18, 0, 15, tzinfo=UTC)
    known = [
        *zip(
            read("xmlSitemap.gz", url).urls,
            (
                Entry(url=urls[0], lastmod=january, changefreq="monthly", priority=0.8),
                Entry(url=urls[1], changefreq="weekly"),
                Entry(url=urls[2], lastmod=december, changefreq="weekly"),
                Entry(url=urls[3], lastmod=evening, priority=0.3),
                Entry(url=urls[4], lastmod=november),
            ),
            strict=True,
        ),
        *(
            (entry.changefreq, "daily")
            for name in ("sitemap.ns.xml", "sitemap.badns.xml")
            for entry in read(name, f"{EXAMPLE}/s.xml").urls
        ),
        (
            read("atom.xml", "http://example.org/atom.xml").urls[0].lastmod,
            datetime(2003, 12, 13, 18, 30, 2, tzinfo=UTC),
        ),
    ]
    assert not score(SUITE, known, lambda pair: pair[0] == pair[1], "details")
