"""One robots.txt: what it says to an agent."""

from asyncmultispider.robots.agents import group_name
from asyncmultispider.robots.paths import google_path, path_of, plain_path, rfc_path
from asyncmultispider.robots.reader import Line, Reader, lines_of
from asyncmultispider.robots.rules import Rules, readings_of

_MAX_AGENTS = 16  # merged groups kept per file: a crawl asks for one or two agents


class Robots:
    """The rules of one robots.txt. Make it with `parse`; it does not change afterwards."""

    __slots__ = ("_delays", "_groups", "_readings", "sitemaps")

    sitemaps: tuple[str, ...]
    """Absolute http(s) URLs of the Sitemap lines, in order, each once."""

    def __init__(
        self,
        groups: dict[str, list[list[Line]]],
        delays: dict[str, float],
        sitemaps: tuple[str, ...],
    ) -> None:
        self._groups = groups
        self._delays = delays
        self._readings: dict[str, tuple[Rules, ...]] = {}
        self.sitemaps = sitemaps

    @classmethod
    def parse(cls, body: bytes, *, base: str | None = None) -> "Robots":
        """Read a robots.txt; never raises.

        Only the first `MAX_BYTES` are read, and a line cut by that limit is dropped. Relative
        sitemaps are resolved against `base` (the URL of the file) and dropped without one.
        """
        reader = Reader(base)
        for line in lines_of(body):
            reader.read(line)
        return cls(reader.groups, reader.delays, tuple(reader.sitemaps))

    def allows(self, url: str, agent: str) -> bool:
        """Whether `agent` (a User-Agent header or a product token) may fetch `url`.

        The longest matching rule decides, an allow wins a tie, /robots.txt is always allowed
        (RFC 9309, section 2.2.2). Where a very long URL meets a great many wildcards, less may
        be allowed than the rules say, never more: see `rules.MAX_WORK`.
        """
        readings = self._readings.get(agent)
        if readings is None:
            readings = self._read_for(agent)
        if not readings:
            return True
        if path := plain_path(url):
            for rules in readings:
                if not rules.allow(path):
                    return path == "/robots.txt"
            return True
        path = path_of(url)
        as_written, decoded = google_path(path), rfc_path(path)
        allowed = readings[0].allow(as_written) and readings[-1].allow(decoded)
        return allowed or path == "/robots.txt"

    def crawl_delay(self, agent: str) -> float | None:
        """Seconds between requests that the group of `agent` asks for, or None.

        Crawl-delay is no part of RFC 9309. The largest wins where merged groups differ.
        """
        return self._delays.get(self._group_of(agent))

    def _group_of(self, agent: str) -> str:
        name = group_name(agent)
        return name if name in self._groups else "*"

    def _read_for(self, agent: str) -> tuple[Rules, ...]:
        if len(self._readings) >= _MAX_AGENTS:
            self._readings.clear()
        blocks = self._groups.get(self._group_of(agent), ())
        readings = readings_of(line for block in blocks for line in block)
        self._readings[agent] = readings
        return readings


ALLOW_ALL = Robots.parse(b"")
"""What holds without a robots.txt (RFC 9309, section 2.3.1.3)."""

DISALLOW_ALL = Robots.parse(b"User-agent: *\nDisallow: /")
"""What holds while robots.txt can't be had (RFC 9309, section 2.3.1.4); /robots.txt is allowed."""
