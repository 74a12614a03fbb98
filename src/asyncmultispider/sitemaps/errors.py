"""How the reading of a sitemap fails."""

from asyncmultispider.errors import CrawlError


class SitemapError(CrawlError, ValueError):
    """The document is refused as a whole: it is no sitemap, or has a DTD."""
