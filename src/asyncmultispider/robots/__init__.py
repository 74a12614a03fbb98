"""robots.txt by RFC 9309: which URLs an agent may fetch, how slowly, and where the sitemaps are.

What always holds: no bytes make `Robots.parse` raise, no text makes `Robots.allows` raise; parsing
is linear in the body, matching one rule is linear in the URL, and matching all of them is bounded.

Where Google's published parser and the RFC differ (Google leaves encoded letters and digits in
rules, and raw non-ASCII in URLs, as they are; the RFC decodes and encodes them) a group is read
both ways, and a URL must be allowed by both readings.
"""

from asyncmultispider.robots.agents import product_token
from asyncmultispider.robots.reader import MAX_BYTES
from asyncmultispider.robots.robots import ALLOW_ALL, DISALLOW_ALL, SILENT, Policy, Robots

__all__ = [
    "ALLOW_ALL",
    "DISALLOW_ALL",
    "MAX_BYTES",
    "SILENT",
    "Policy",
    "Robots",
    "product_token",
]
