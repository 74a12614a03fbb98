"""The Python API: `crawl` and `fetch_all`."""

from asyncmultispider.api.answers import Failed
from asyncmultispider.api.calls import crawl
from asyncmultispider.api.fetching import FetchAll, fetch_all
from asyncmultispider.api.options import CrawlOptions, FetchOptions
from asyncmultispider.api.run import Run

__all__ = ["CrawlOptions", "Failed", "FetchAll", "FetchOptions", "Run", "crawl", "fetch_all"]
