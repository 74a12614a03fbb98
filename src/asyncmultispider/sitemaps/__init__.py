"""Sitemaps: XML, text, RSS and Atom, as servers write them. Pure code, no I/O.

    from asyncmultispider.sitemaps import Sitemap

    sitemap = Sitemap.parse(body, "https://example.com/sitemap.xml")
    [entry.url for entry in sitemap.urls]

What always holds: time and memory are linear in the body, which is read to its first 50 MiB once
unpacked; only a document that is refused as a whole raises, and `SitemapError` is all it raises.
"""

from asyncmultispider.sitemaps.errors import SitemapError
from asyncmultispider.sitemaps.sitemap import Entry, Kind, Sitemap

__all__ = ["Entry", "Kind", "Sitemap", "SitemapError"]
