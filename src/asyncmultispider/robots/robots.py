"""One robots.txt: what it says to an agent."""

from asyncmultispider.robots.agents import group_name
from asyncmultispider.robots.paths import google_path, path_of, plain_path, rfc_path, rfc_pattern
from asyncmultispider.robots.reader import Line, Reader, lines_of
from asyncmultispider.robots.rules import Rules, readings_of

_MAX_AGENTS = 16  # merged groups kept per file: a crawl asks for one or two agents


class Policy:
    """What one robots.txt says to one agent, without the rest of the file. See `Robots.policy`."""

    __slots__ = ("_readings", "crawl_delay", "size")

    crawl_delay: float | None
    """See `Robots.crawl_delay`."""
    size: int
    """About the bytes that it takes, 0 when it has no rules."""

    def __init__(self, readings: tuple[Rules, ...], crawl_delay: float | None) -> None:
        self._readings = readings
        self.crawl_delay = crawl_delay
        self.size = sum(rules.size for rules in readings)

    def allows(self, url: str) -> bool:
        """See `Robots.allows`."""
        readings = self._readings
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


SILENT = Policy((), None)
"""Of a robots.txt that says nothing to us."""


class Robots:
    """The rules of one robots.txt. Make it with `parse`; it does not change afterwards."""

    __slots__ = ("_delays", "_groups", "_policies", "sitemaps")

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
        self._policies: dict[str, Policy] = {}
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
        return self.policy(agent).allows(url)

    def crawl_delay(self, agent: str) -> float | None:
        """Seconds between requests that the group of `agent` asks for, or None.

        Crawl-delay is no part of RFC 9309. The largest wins where merged groups differ.
        """
        return self.policy(agent).crawl_delay

    def policy(self, agent: str) -> Policy:
        """All that it says to `agent`: a crawl that knows its name need not keep the file."""
        policy = self._policies.get(agent)
        if policy is None:
            if len(self._policies) >= _MAX_AGENTS:
                self._policies.clear()
            policy = self._policies[agent] = self._policy_for(group_name(agent))
        return policy

    def ban(self, url: str, agent: str) -> str | None:
        """The rule that forbids `agent` a URL, as `Disallow: /x (User-agent: *)`, for people.

        None when it is allowed. In time linear in the rules: not for every URL of a crawl.
        """
        if self.allows(url, agent):
            return None
        group = self._group(group_name(agent))
        rules = {value for block in self._groups[group] for value, allow in block if not allow}
        matching = [v for v in rules if not Policy(readings_of([(v, False)]), None).allows(url)]
        if not matching:  # see `rules.MAX_WORK`
            return f"its wildcards (User-agent: {group})"
        decisive = max(matching, key=lambda value: (len(rfc_pattern(value)), value))
        return f"Disallow: {decisive.decode('utf-8', 'replace')} (User-agent: {group})"

    def _group(self, name: str) -> str:
        return name if name in self._groups else "*"

    def _policy_for(self, name: str) -> Policy:
        group = self._group(name)
        blocks = self._groups.get(group, ())
        readings = readings_of(line for block in blocks for line in block)
        delay = self._delays.get(group)
        return Policy(readings, delay) if readings or delay is not None else SILENT


ALLOW_ALL = Robots.parse(b"")
"""What holds without a robots.txt (RFC 9309, section 2.3.1.3)."""

DISALLOW_ALL = Robots.parse(b"User-agent: *\nDisallow: /")
"""What holds while robots.txt can't be had (RFC 9309, section 2.3.1.4); /robots.txt is allowed."""
