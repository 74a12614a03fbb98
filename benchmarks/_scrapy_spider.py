"""The Scrapy side of `benchmarks.peers`: follow every link of one host, store nothing.

Run by `scrapy runspider _scrapy_spider.py -a start=URL`; prints `{"pages": N}` when it is done.
"""

import json
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

import scrapy
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor


class PeerSpider(scrapy.Spider):
    """Crawls the host of `start`, as fast as Scrapy's settings allow."""

    name = "peer"
    custom_settings: ClassVar[dict[str, Any]] = {
        "CONCURRENT_REQUESTS": 64,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 64,
        "DOWNLOAD_DELAY": 0,
        "AUTOTHROTTLE_ENABLED": False,
        "ROBOTSTXT_OBEY": False,
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "ERROR",
    }

    def __init__(self, start: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_urls = [start]
        # By default the extractor leaves out pdf, zip and the like: the others fetch them.
        self.links = LinkExtractor(allow_domains=[urlsplit(start).netloc], deny_extensions=[])
        self.pages = 0

    def parse(self, response: Response) -> Iterator[scrapy.Request]:
        """Count the page; follow its links if it is HTML."""
        self.pages += 1
        if isinstance(response, HtmlResponse):
            for link in self.links.extract_links(response):
                yield scrapy.Request(link.url)

    def closed(self, _reason: str) -> None:
        """Say how many pages there were."""
        print(json.dumps({"pages": self.pages}))
