"""robots.txt by RFC 9309: which URLs an agent may fetch, how slowly, and where the sitemaps are.

What always holds: no bytes make `parse` raise, no text makes `allows` raise; parsing is linear in
the body, and matching one rule is linear in the URL.

Where Google's published parser and the RFC differ (Google leaves encoded letters and digits in
rules, and raw non-ASCII in URLs, as they are; the RFC decodes and encodes them) a group is read
both ways, and a URL must be allowed by both readings.
"""

import codecs
import math
import re
import string
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urljoin, urlsplit

MAX_BYTES = 524288
"""Bytes of a robots.txt that are read (RFC 9309, section 2.5: at least 500 KiB)."""

_MAX_LINE = 8 * 2083 - 1  # as Google's parser: the rest of a longer line is not seen
_MAX_AGENTS = 16  # merged groups kept per file: a crawl asks for one or two agents

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

_Line = tuple[bytes, bool]  # a rule as written: its pattern, and whether it allows


class Robots:
    """The rules of one robots.txt. Make it with `parse`; it does not change afterwards."""

    __slots__ = ("_delays", "_groups", "_readings", "sitemaps")

    sitemaps: tuple[str, ...]
    """Absolute http(s) URLs of the Sitemap lines, in order, each once."""

    def __init__(
        self,
        groups: dict[str, list[list[_Line]]],
        delays: dict[str, float],
        sitemaps: tuple[str, ...],
    ) -> None:
        self._groups = groups
        self._delays = delays
        self._readings: dict[str, tuple[_Rules, ...]] = {}
        self.sitemaps = sitemaps

    @classmethod
    def parse(cls, body: bytes, *, base: str | None = None) -> "Robots":
        """Read a robots.txt; never raises.

        Only the first `MAX_BYTES` are read, and a line cut by that limit is dropped. Relative
        sitemaps are resolved against `base` (the URL of the file) and dropped without one.
        """
        reader = _Reader(base)
        for line in _lines(body):
            reader.read(line)
        return cls(reader.groups, reader.delays, tuple(reader.sitemaps))

    def allows(self, url: str, agent: str) -> bool:
        """Whether `agent` (a User-Agent header or a product token) may fetch `url`.

        The longest matching rule decides, an allow wins a tie, /robots.txt is always allowed
        (RFC 9309, section 2.2.2).
        """
        readings = self._readings.get(agent)
        if readings is None:
            readings = self._read_for(agent)
        if not readings:
            return True
        if plain := _PLAIN_URL(url):
            path: str = plain[1]
            for rules in readings:
                if not rules.allow(path):
                    return path == "/robots.txt"
            return True
        path = _path(url)
        as_written, decoded = _as_google(path), _as_rfc(path)
        allowed = readings[0].allow(as_written) and readings[-1].allow(decoded)
        return allowed or path == "/robots.txt"

    def crawl_delay(self, agent: str) -> float | None:
        """Seconds between requests that the group of `agent` asks for, or None.

        Crawl-delay is no part of RFC 9309. The largest wins where merged groups differ.
        """
        return self._delays.get(self._group_of(agent))

    def _group_of(self, agent: str) -> str:
        key = _key(agent)
        return key if key in self._groups else "*"

    def _read_for(self, agent: str) -> tuple["_Rules", ...]:
        if len(self._readings) >= _MAX_AGENTS:
            self._readings.clear()
        blocks = self._groups.get(self._group_of(agent), ())
        readings = _readings(line for block in blocks for line in block)
        self._readings[agent] = readings
        return readings


class _Reader:
    """Takes a file line by line.

    All agents of a group share one list of rules, so a file of many agents and many rules stays
    linear. Only rules end a group: a user-agent line after one starts the next.
    """

    def __init__(self, base: str | None) -> None:
        self.groups: dict[str, list[list[_Line]]] = {}
        self.delays: dict[str, float] = {}
        self.sitemaps: dict[str, None] = {}
        self._base = base
        self._rules: list[_Line] | None = None
        self._agents: list[str] = []  # whom a crawl-delay line would concern
        self._delayed = False  # they have theirs

    def read(self, line: bytes) -> None:
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
        for name in _names(value):
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
        try:
            if self._base is not None:
                url = urljoin(self._base, url)
            parts = urlsplit(url)
        except ValueError:
            return
        if parts.scheme in ("http", "https") and parts.netloc:
            self.sitemaps[url] = None


def _lines(body: bytes) -> Iterator[bytes]:
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


def _names(value: bytes) -> Iterator[str]:
    """The lower-case product tokens that a user-agent line names; `*` stands for all agents."""
    for part in value.decode("utf-8", "replace").split(","):
        word = (part.split(maxsplit=1) or [""])[0]
        if word == "*":
            yield word
        elif token := _TOKEN.match(word):
            yield token[0].lower()


def _seconds(value: bytes) -> float | None:
    if not _NUMBER.fullmatch(value):
        return None
    seconds = float(value)
    return seconds if math.isfinite(seconds) else None


_NUMBER = re.compile(rb"\d+\.?\d*|\.\d+")


# -- agents


# RFC 9309 has letters, "_" and "-" only; real crawlers have digits, too (MJ12bot).
_TOKEN = re.compile(r"[\w-]+")
_COMPATIBLE = re.compile(r"\bcompatible;\s*([\w-]+)", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)?")
_BROWSER = frozenset(
    {
        *("mozilla", "applewebkit", "chrome", "chromium", "safari", "gecko"),
        *("firefox", "version", "mobile", "edg", "opr", "like"),
    }
)


def product_token(user_agent: str) -> str:
    """The product token of a User-Agent header (RFC 9309, section 2.2.1).

    "MyBot/1.0 (+http://x)" gives "MyBot". In a header that poses as a browser it is the name
    after "compatible;", else the first product that is no part of a browser, else the first
    product. "" when there is none.
    """
    products = [
        token[0]
        for word in _COMMENT.sub(" ", user_agent).split()
        if (token := _TOKEN.match(word)) is not None
    ]
    if not products or products[0].lower() == "mozilla":
        if compatible := _COMPATIBLE.search(user_agent):
            return compatible[1]
        products = [name for name in products if name.lower() not in _BROWSER] or products
    return products[0] if products else ""


def _key(agent: str) -> str:
    """The name of the agent's group.

    Words that are neither a token nor a header are no agent that a file can name (Google).
    """
    if "/" in agent or "(" in agent or not re.search(r"\s", agent.strip()):
        return product_token(agent).lower()
    return agent.strip().lower()


# -- paths and patterns in a form to compare (RFC 9309, section 2.2.2)

_PUNCTUATION = "-._~"
_UNRESERVED = string.ascii_letters + string.digits + _PUNCTUATION
# "'" is left out because URL parsers encode it in queries: the two can't be told apart
_RESERVED = ":/?#[]@!$&()*+,;="

_KNOWN = re.escape(_UNRESERVED + _RESERVED) + "%"
_FOREIGN = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_KNOWN}]")
_FOREIGN_ASCII = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{_KNOWN}\x80-\U0010ffff]")

# An absolute URL with nothing to normalise in its path and query: nearly every URL of a crawl.
_PLAIN = "[" + re.escape((_UNRESERVED + _RESERVED).translate(str.maketrans("", "", "#$*"))) + "]*"
_STAYS = "%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|[46]0|5[B-E]|7[BCDF])"  # not unreserved
_PLAIN_URL = re.compile(rf"https?://[^/?;#]+(/{_PLAIN}(?:{_STAYS}{_PLAIN})*)").fullmatch
_ANY_URL = re.compile(r"(?://)?(?:[^/?;#]*://)?[^/?;#]*([/?;][^#]*)?")


def _octets(decode: str) -> Callable[[re.Match[str]], str]:
    """A replacement for octets: those in `decode` are decoded, all others become %XX."""
    decoded = {f"%{ord(char):02X}": char for char in decode}

    def form(match: re.Match[str]) -> str:
        octet = match[0]
        if len(octet) == 1:
            return f"%{ord(octet):02X}"
        code = octet.upper()
        return decoded.get(code, code)

    return form


_google_octets = _octets(_PUNCTUATION)
_rfc_octets = _octets(_UNRESERVED)


def _path(url: str) -> str:
    """Path and query of any text taken for a URL, by Google's rules; "/" when it has none."""
    match = _ANY_URL.match(url)
    path = match[1] if match else None
    if not path:
        return "/"
    return path if path.startswith("/") else "/" + path


def _as_google(path: str) -> str:
    return _literal(_FOREIGN_ASCII.sub(_google_octets, path))


def _as_rfc(path: str) -> str:
    octets = path.encode("utf-8", "surrogatepass").decode("latin-1")
    return _literal(_FOREIGN.sub(_rfc_octets, octets))


def _literal(path: str) -> str:
    """Encode what would be special in a rule: there %2A and %24 stand for the characters."""
    return path.replace("*", "%2A").replace("$", "%24")


# -- rules


class _Rules:
    """One agent's rules in one reading, the longest first."""

    __slots__ = ("_base", "_exact", "_gate", "_prefixes", "_wild")

    def __init__(self, patterns: dict[str, bool]) -> None:
        base = (0, True)  # of the rules that match every path
        exact: dict[str, tuple[int, bool]] = {}
        prefixes: list[tuple[int, bool, str]] = []
        wild: list[tuple[int, bool, str, list[str], str | None]] = []
        for pattern, allow in patterns.items():
            rank = (len(pattern), allow)
            anchored = pattern.endswith("$")
            head, *rest = pattern.removesuffix("$").replace("$", "%24").split("*")
            tail = rest.pop() if anchored and rest else None
            middle = [part for part in rest if part]
            if anchored and tail is None:
                exact[head] = max(rank, exact.get(head, rank))
            elif middle or tail:
                wild.append((*rank, head, middle, tail))
            elif head in ("", "/"):
                base = max(base, rank)
            else:
                prefixes.append((*rank, head))
        prefixes.sort(key=_rank, reverse=True)
        wild.sort(key=_rank, reverse=True)
        self._base = base
        self._exact = {path: max(rank, base) for path, rank in exact.items()}
        self._prefixes = prefixes
        self._gate = tuple(head for _, _, head in prefixes)
        self._wild = wild

    def allow(self, path: str) -> bool:
        best, verdict = self._exact.get(path, self._base)
        if path.startswith(self._gate):
            for length, allow, head in self._prefixes:
                if path.startswith(head):
                    if length > best or (length == best and allow):
                        best, verdict = length, allow
                    break
        for length, allow, head, middle, tail in self._wild:
            if length < best or (length == best and verdict):
                break
            if path.startswith(head) and _rest_matches(path, len(head), middle, tail):
                return allow
        return verdict


def _rank(rule: tuple[int, bool, *tuple[object, ...]]) -> tuple[int, bool]:
    return rule[0], rule[1]


def _rest_matches(path: str, at: int, middle: list[str], tail: str | None) -> bool:
    # The leftmost place of each part leaves the most room to the next ones: no backtracking.
    for part in middle:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return tail is None or (path.endswith(tail) and len(path) - len(tail) >= at)


def _readings(lines: Iterable[_Line]) -> tuple[_Rules, ...]:
    """The rules in Google's reading and the RFC's; one when they agree, none without a "no"."""
    merged: dict[bytes, bool] = {}
    for value, allow in lines:
        if value:
            merged[value] = allow or merged.get(value, False)
    if all(merged.values()):
        return ()
    google = _patterns(merged, _google_octets)
    rfc = _patterns(merged, _rfc_octets)
    return (_Rules(google),) if google == rfc else (_Rules(google), _Rules(rfc))


def _patterns(merged: dict[bytes, bool], octets: Callable[[re.Match[str]], str]) -> dict[str, bool]:
    patterns: dict[str, bool] = {}
    for value, allow in merged.items():
        for pattern in _aliases(_FOREIGN.sub(octets, value.decode("latin-1")), allow):
            patterns[pattern] = allow or patterns.get(pattern, False)
    return patterns


def _aliases(pattern: str, allow: bool) -> Iterator[str]:
    yield pattern
    folder, slash, name = pattern.rpartition("/")
    if allow and name.startswith("index.htm"):  # Google: it allows the folder, too
        yield f"{folder}{slash}$"
    path, mark, query = pattern.partition("?")
    if ":" in query or "/" in query:  # the table in RFC 9309, section 2.2.2
        yield path + mark + query.replace(":", "%3A").replace("/", "%2F")


ALLOW_ALL = Robots.parse(b"")
"""What holds without a robots.txt (RFC 9309, section 2.3.1.3)."""

DISALLOW_ALL = Robots.parse(b"User-agent: *\nDisallow: /")
"""What holds while robots.txt can't be had (RFC 9309, section 2.3.1.4); /robots.txt is allowed."""
