r"""Which links of a site are broken, and where are they? A report of each, with its text.

Serve a site (Debian: `apt install apache2-doc`), and crawl it:

    python3 -m http.server -b 127.0.0.1 -d /usr/share/doc/apache2-doc/manual 8002
    SITE=http://127.0.0.1:8002/en/ \
        ams run broken_links.py -d broken.crawl --delay-factor 0 -o broken.csv

A URL is asked for once, so that the report names the page which linked to it first. With
`--scope any` the links to other sites are tried, too; those sites are not crawled.
"""

import os
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from asyncmultispider import Page, Spider

SITE = os.environ.get("SITE", "http://127.0.0.1:8002/en/")
spider = Spider(SITE)


class Broken(Struct):
    """A URL that is no page, and the link to it."""

    url: str
    status: int
    page: str | None
    link: str | None


@spider.on("*", type="text/html")
def links(page: Page) -> Iterator[Any]:
    """Follow each link, and take its text along."""
    if page.url.startswith(SITE):
        for link in page.css("a[href]"):
            yield from page.follow(link, data=" ".join(link.text.split()))


@spider.on("*", status=range(400, 600), item=Broken)
def broken(page: Page) -> Iterator[Broken]:
    """Report it."""
    yield Broken(url=page.url, status=page.status, page=page.referrer, link=page.data)
