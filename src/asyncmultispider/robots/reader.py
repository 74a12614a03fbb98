"""From the bytes of a robots.txt to the lines of its groups. Matching them is for `rules`."""

import codecs
import math
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from asyncmultispider.robots.agents import named_agents

MAX_BYTES = 524288
"""Bytes of a robots.txt that are read (RFC 9309, section 2.5: at least 500 KiB)."""

Line = tuple[bytes, bool]
"""A rule as written: its pattern, and whether it allows."""

_MAX_SITEMAP = 2048  # as in sitemaps; Python takes quadratic time to check the accents of a host
_MAX_LINE = 8 * 2083 - 1  # as Google's parser: the rest of a longer line is not seen

# A directive is known by how it begins; the misspellings are those that large parsers accept.
_DIRECTIVES = (
    ("disallow", (b"disallow", b"dissallow", b"dissalow", b"disalow", b"diasllow", b"disallaw")),
    ("disallow", (b"desallow", b"dissallaw", b"disllow", b"dsallow")),
    ("allow", (b"allow",)),
    ("agent", (b"user-agent", b"useragent", b"user agent", b"user_agent", b"useg-agent")),
    ("agent", (b"users-agent", b"user-agnet")),
    ("sitemap", (b"sitemap", b"site-map", b"site map")),
    ("delay", (b"crawl-delay", b"crawldelay", b"crawl delay", b"crawl_delay")),
)


class Reader:
    """Takes a file line by line.

    All agents of a group share one list of rules, so a file of many agents and many rules stays
    linear. Only rules end a group: a user-agent line after one starts the next.
    """

    def __init__(self, base: str | None) -> None:
        self.groups: dict[str, list[list[Line]]] = {}
        self.delays: dict[str, float] = {}
        self.sitemaps: dict[str, None] = {}
        self._base = base
        self._rules: list[Line] | None = None
        self._agents: list[str] = []  # whom a crawl-delay line would concern
        self._delayed = False  # they have theirs

    def read(self, line: bytes) -> None:
        """Take the next line, as `lines_of` gives it."""
        directive, value = _fields(line)
        if directive == "agent":
            self._agent(value)
        elif directive == "sitemap":
            self._sitemap(value.decode("utf-8", "replace"))
        elif directive == "delay":
            self._delay(value)
        elif directive and self._rules is not None:
            # an empty pattern is no rule, but it ends the user-agent lines
            self._rules.append((value, directive == "allow"))

    def _agent(self, value: bytes) -> None:
        if self._rules is None or self._rules:
            self._rules, self._agents, self._delayed = [], [], False
        elif self._delayed:  # "a, delay, b, rules": the delay is a's, the rules are of both
            self._agents, self._delayed = [], False
        for name in named_agents(value):
            self._agents.append(name)
            blocks = self.groups.setdefault(name, [])
            if not blocks or blocks[-1] is not self._rules:
                blocks.append(self._rules)

    def _delay(self, value: bytes) -> None:
        seconds = _seconds(value)
        if seconds is None or self._delayed:
            return
        for name in self._agents:
            self.delays[name] = max(seconds, self.delays.get(name, 0.0))
        self._delayed = True

    def _sitemap(self, url: str) -> None:
        if len(url) > _MAX_SITEMAP:
            return
        try:
            if self._base is not None:
                url = urljoin(self._base, url)
            parts = urlsplit(url)
        except ValueError:
            return
        if parts.scheme in ("http", "https") and parts.netloc:
            self.sitemaps[url] = None


def lines_of(body: bytes) -> Iterator[bytes]:
    """The lines to read, without comments and blank ones."""
    text = body[:MAX_BYTES]
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = text.decode("utf-16", "replace").encode()
    text = _BOM.sub(b"", text, count=1).replace(b"\0", b"")
    if text.lstrip().startswith(b"<"):  # HTML: its text may still be a robots.txt
        text = _TAG.sub(b"", text)
    lines = text.replace(b"\r", b"\n").split(b"\n")
    if body[MAX_BYTES : MAX_BYTES + 1] not in (b"", b"\r", b"\n"):
        lines.pop()
    for line in lines:
        if line := line[:_MAX_LINE].partition(b"#")[0].strip():
            yield line


_BOM = re.compile(rb"\A\xef(?:\xbb\xbf?)?")  # Google skips a part of one, too
_TAG = re.compile(rb"<[^<>\r\n]*>")


def _fields(line: bytes) -> tuple[str, bytes]:
    """The directive ("" for an unknown one) and the value of a line.

    Blanks do instead of the colon when there are two words, as in Google's parser. A bare URL of
    an XML file is a sitemap whose directive was forgotten.
    """
    words = line.split()
    if len(words) == 2 and b":" not in words[0] and not words[1].startswith(b":"):
        directive = _directive(words[0])
        if directive:
            return directive, words[1]
    if len(words) == 1 and _BARE_SITEMAP.fullmatch(line):
        return "sitemap", line
    key, colon, value = line.partition(b":")
    return (_directive(key) if colon else ""), value.strip()


_BARE_SITEMAP = re.compile(rb"https?://\S+\.xml(?:\.gz)?", re.IGNORECASE)


def _directive(key: bytes) -> str:
    key = key.lower()
    for directive, spellings in _DIRECTIVES:
        if key.startswith(spellings):
            return directive
    return ""


def _seconds(value: bytes) -> float | None:
    if not _NUMBER.fullmatch(value):
        return None
    seconds = float(value)
    return seconds if math.isfinite(seconds) else None


_NUMBER = re.compile(rb"\d++\.?\d*|\.\d+")  # possessive: else quadratic in the digits
