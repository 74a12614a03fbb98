"""What must hold for any bytes: a property for each place where the net's text comes in.

A target takes bytes apart at `SEPARATOR` into the arguments of what it tries, and raises
`AssertionError`, or whatever else, when a property does not hold. `test_fuzz` gives them bytes made
of pieces; `benchmarks/fuzz.py` looks for them by coverage, beginning with files of the same kind.
"""

import math
import unicodedata
from asyncio import StreamReader
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import Any, get_args

from msgspec import msgpack

from asyncmultispider.engines.wire import Line, Report, Work, without_page
from asyncmultispider.errors import UsageError
from asyncmultispider.fetch.decoding import DecodeError, codings_of, decode
from asyncmultispider.fetch.headers import parse_headers
from asyncmultispider.judge import Judge, Visit
from asyncmultispider.links import LinkFilter
from asyncmultispider.model import Failure, Outcome, Reason, Request, Response, Result, State
from asyncmultispider.page import Page
from asyncmultispider.page.content import decode_text, parse_content_type, robots_directives
from asyncmultispider.retry import MAX_RETRY_AFTER, retry_after
from asyncmultispider.robots import Robots
from asyncmultispider.settings import ScopeName, Settings, without_user
from asyncmultispider.sitemaps import Sitemap, SitemapError
from asyncmultispider.text import one_line, printable
from asyncmultispider.urls import (
    Scope,
    canonicalize,
    encode_href,
    fingerprint,
    host_of,
    is_web,
    parse_seed,
    registrable_domain,
    without_login,
)
from fuzz_pieces import CODINGS, FIELDS, HTML, ROBOTS, SITEMAPS, TEXT, URLS

DATA = Path(__file__).parents[1] / "../shared/data"
SEPARATOR = b"\x1e"
LONGEST = 64 * 1024
"""Bytes of an input."""
PATIENCE = 2.0
"""Seconds of CPU that an input may take."""

HERE = "http://a.example/dir/page?q=1"
SEEDS = ("http://a.example/dir/", "https://www.b.example:8443/")
SETTINGS = Settings(seeds=SEEDS, depth=10, exclude=("*/x*",))
SCOPES_BY_NAME = [Scope(name, SEEDS, (), ["*/x*"]) for name in get_args(ScopeName)]
INCLUDED, EXCLUDED = ("/dir/*", "*://*.example/*"), ("*[0-9]?*.pdf", "?x=*")
SCOPES_WITH_GLOBS = [Scope(name, SEEDS, INCLUDED, EXCLUDED) for name in get_args(ScopeName)]


@dataclass(frozen=True, slots=True)
class Target:
    """A place to try: inputs are made of `pieces`, or files (`seeds` in `DATA`), after `head`."""

    name: str
    check: Callable[[bytes], None]
    pieces: tuple[bytes, ...]
    seeds: str = ""
    head: bytes = b""

    def examples(self) -> Iterator[bytes]:
        """Inputs to begin with."""
        yield self.head
        yield from (self.head + piece for piece in self.pieces)
        for path in sorted(DATA.glob(self.seeds)) if self.seeds else ():
            if path.is_file() and path.stat().st_size <= LONGEST:
                yield self.head + path.read_bytes()


class Stalled(Exception):
    """An input took too long."""


def attempt(target: Target, data: bytes) -> None:
    """Try an input. Raises what the target raises, and `Stalled`."""
    began = process_time()
    target.check(data)
    seconds = process_time() - began
    if seconds > PATIENCE:
        raise Stalled(f"{seconds:.1f} s for {len(data)} bytes")


def fields(data: bytes, count: int) -> list[bytes]:
    """The arguments in an input. Missing ones are empty, the last one is all the rest."""
    found = data.split(SEPARATOR, count - 1)
    return found + [b""] * (count - len(found))


def lines_of(data: bytes) -> list[bytes]:
    """Header lines, as libcurl hands them out."""
    return [line + b"\r\n" for line in data.split(b"\n")]


def text_of(data: bytes) -> str:
    """Any text: what is not UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


# robots.txt


def check_robots(data: bytes) -> None:
    """It says yes or no to anybody about anything, and people are told why not."""
    url, agent = map(text_of, fields(data, 3)[:2])
    body = fields(data, 3)[2]
    robots = Robots.parse(body, base="http://a.example/robots.txt")
    allowed = robots.allows(url, agent)
    assert isinstance(allowed, bool)
    assert (robots.ban(url, agent) is None) == allowed
    assert robots.allows("http://a.example/robots.txt", agent)
    delay = robots.crawl_delay(agent)
    assert delay is None or (delay >= 0 and math.isfinite(delay))
    assert all(site.startswith(("http://", "https://")) for site in map(str.lower, robots.sitemaps))
    assert len(set(robots.sitemaps)) == len(robots.sitemaps)


# URLs


def check_urls(data: bytes) -> None:
    """A canonical URL or `ValueError`, of a link as of what a person types."""
    base, encoding, text = map(text_of, fields(data, 3))
    assert isinstance(encode_href(text, encoding), str)
    for given in (text, encode_href(text, encoding)):
        try:
            url = canonicalize(given, base or None)
        except ValueError:
            continue
        canonical_holds(url)
    with suppress(UsageError):
        canonical_holds(parse_seed(text)[0])


def canonical_holds(url: str) -> None:
    """What every canonical URL is."""
    assert url.isascii()
    assert "#" not in url
    assert not any(char < " " or char == "\x7f" for char in url)
    assert canonicalize(url) == url
    assert 0 <= fingerprint(url, seed=7) < 2**64
    assert len(without_user(url)) <= len(url) + len("***")
    if is_web(url):
        assert " " not in url
        host = host_of(url)
        assert host
        assert f"://{host}/" in url or f"@{host}/" in url
        domain = registrable_domain(host)
        assert domain
        assert host.startswith(domain) or f".{domain}" in host
    for scope in SCOPES_WITH_GLOBS:
        refused = scope.refuses(url, host_of(url) if is_web(url) else "")
        assert refused in (None, Reason.SCOPE, Reason.EXCLUDED)


# Pages and their links


def check_pages(data: bytes) -> None:
    """All of a page can be had; its links are canonical, in scope or skipped, and given once."""
    kind, body = fields(data, 2)
    page = Page(request(), response(body, kind.decode("latin-1")), "ours")
    for text in (page.title, page.charset, page.text, page.base, page.canonical, page.content_type):
        assert text is None or text.encode() is not None
    assert page.robots is not None
    assert page.charset is None or page.charset == page.charset.lower()
    assert decode_text(body, page.charset)[0].encode() is not None
    every = {without_login(url) for url in page.links}
    scope = SCOPES_BY_NAME[len(body) % len(SCOPES_BY_NAME)]
    found = LinkFilter(scope)
    links = found.fresh(page, page.facts.may_follow)
    for link in links:
        assert link.url in every
        assert canonicalize(link.url) == link.url
        assert is_web(link.url)
        assert link.host == host_of(link.url)
        assert link.skip in (scope.refuses(link.url, link.host), Reason.TRAP)
    assert len({link.url for link in links}) == len(links)
    assert found.fresh(page, page.facts.may_follow) == []


# Sitemaps


def check_sitemaps(data: bytes) -> None:
    """A list of canonical URLs, each once, or `SitemapError`."""
    kind, body = fields(data, 2)
    for vouching in (None, {"a.example"}):
        try:
            sitemap = Sitemap.parse(body, HERE, kind.decode("latin-1"), vouching=vouching)
        except SitemapError:
            continue
        for entries in (sitemap.urls, sitemap.sitemaps):
            assert len({entry.url for entry in entries}) == len(entries) <= 50_000
            for entry in entries:
                canonical_holds(entry.url)
                assert is_web(entry.url)
                assert vouching is None or host_of(entry.url) in vouching
                assert 0 <= entry.priority <= 1
                assert entry.lastmod is None or entry.lastmod.isoformat()
        assert all(one_line(problem) for problem in sitemap.problems)


# Header fields


def check_headers(data: bytes) -> None:
    """Fields are clean, and what is read from them is within bounds."""
    headers = parse_headers(lines_of(data))
    for name, value in headers:
        assert value.split(" ")[0].encode("latin-1") in data
        assert name == name.strip(" \t\r\n").lower()
        assert ":" not in name
        assert "\n" not in name + value
        assert value == value.strip(" \t\r\n")
        kind, charset = parse_content_type(value)
        assert kind is None or (kind == kind.strip().lower() and ";" not in kind)
        assert charset != ""
        assert "none" not in (words := robots_directives([value], "ours")) or "noindex" in words
        answer = Response(
            status=503, headers=(("retry-after", value),), body=b"", at=1.7e9, elapsed=0.1
        )
        assert 0 <= retry_after(answer) <= MAX_RETRY_AFTER
    codings_of(headers)


def check_decoding(data: bytes) -> None:
    """A body of bounded size, or `DecodeError`."""
    head, body = fields(data, 2)
    codings = codings_of((("content-encoding", head.decode("latin-1")),))
    for cut in (False, True):
        with suppress(DecodeError):
            assert len(decode(body, codings, 2**20, cut=cut)) <= 2**20


# The judge


def check_judge(data: bytes) -> None:
    facts, target, head, body = fields(data, 4)
    status, attempt, hops, flags, *_ = facts.ljust(4, b"\0")
    try:
        url = canonicalize(text_of(target))
    except ValueError:
        url = HERE
    if not is_web(url):
        url = HERE
    robots, missed = bool(flags & 1), bool(flags & 2)
    result: Result = Response(
        status=100 + status * 2 + (flags >> 7),
        headers=parse_headers(lines_of(head)),
        body=body,
        at=1.7e9,
        elapsed=0.1,
    )
    if missed:
        reasons = list(Reason)
        reason = reasons[status % len(reasons)]
        result = Failure(
            reason=reason, detail=head.decode("utf-8", "replace"), at=1.7e9, elapsed=0.1
        )
    judge_holds(
        Request(
            id=0 if robots else 1,
            url=url,
            host=host_of(url),
            depth=hops,
            hops=hops % 16,
            attempt=1 + attempt,
            lost=flags >> 2 & 3,
            robots=robots,
        ),
        result,
    )


def judge_holds(asked: Request, result: Result) -> None:
    """An outcome for everything, with which the books can go on; never a bug of ours."""
    outcome = Judge(SETTINGS)(asked, result)
    assert not isinstance(outcome, Visit)
    meant = isinstance(result, Failure) and result.reason is Reason.BUG
    assert outcome.reason != Reason.BUG or meant, outcome.detail
    assert outcome.request == asked
    assert outcome.retry_in >= 0
    assert outcome.retry_in <= MAX_RETRY_AFTER
    assert 0 <= outcome.wait <= MAX_RETRY_AFTER
    assert outcome.state in (State.DONE, State.FAILED, State.SKIPPED, State.SUSPENDED, State.QUEUED)
    assert (outcome.page is not None) <= (outcome.state is State.DONE)
    assert (outcome.robots is not None) == asked.robots
    for link in outcome.links:
        canonical_holds(link.url)
        assert is_web(link.url)
    travels(outcome)


def travels(outcome: Outcome) -> None:
    """It arrives as it was sent, by the wire and into files."""
    assert msgpack.decode(msgpack.encode(outcome), type=Outcome) == outcome
    report = Report([7], [without_page(outcome)], 1)
    assert received(framed(msgpack.encode(report)), Report) == [report]


# What processes say to each other


def check_wire(data: bytes) -> None:
    """What comes over a line is a message, or the end."""
    for kind in (Work, Report):
        for sent in (data, framed(data)):
            assert all(isinstance(message, kind) for message in received(sent, kind))


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(4) + message


def received(data: bytes, kind: type[Any]) -> list[Any]:
    """All messages that a line finds in these bytes."""
    reader = StreamReader(loop=SimpleNamespace(get_debug=lambda: False))  # it will never wait
    reader.feed_data(data)
    reader.feed_eof()
    line: Line[Any] = Line(reader, None, kind)
    messages = []
    while (message := _at_once(line.receive())) is not None:
        messages.append(message)
    return messages


def _at_once(coroutine: Any) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for more than there is")


# Text for terminals


def check_text(data: bytes) -> None:
    text_holds(text_of(data))
    text_holds(data.decode("utf-16-le", "surrogatepass" if len(data) % 2 == 0 else "replace"))


def text_holds(text: str) -> None:
    """No character that acts rather than shows gets through, and what is harmless stays."""
    for shown, kept in ((printable(text), "\n\t"), (one_line(text), "")):
        acting = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert acting <= set(kept)
        assert not any(unicodedata.bidirectional(c) in DIRECTIONS for c in shown)
        assert shown.encode() is not None
        assert len(shown) <= len(text) * len("\\U00000000")
        assert len(shown) >= len(text)
    assert one_line(text).splitlines() in ([], [one_line(text)])
    assert printable(printable(text)) == printable(text)


DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


# Parts


def request(url: str = HERE) -> Request:
    return Request(id=1, url=url, host=host_of(url), depth=2, referrer="http://r.example/")


def response(body: bytes, content_type: str) -> Response:
    return Response(
        status=200, headers=(("content-type", content_type),), body=body, at=0.0, elapsed=0.1
    )


_MESSAGES = tuple(
    msgpack.encode(message)
    for message in (
        Work([request()], True),
        Report([1], [], 1, 2, "trouble"),
        Report(
            [1], [Outcome(request=request(), state=State.DONE, reason=None, at=0.0, elapsed=1.0)]
        ),
    )
)
_TABLE: tuple[tuple[Callable[[bytes], None], tuple[bytes, ...], str, tuple[bytes, ...]], ...] = (
    (check_robots, ROBOTS, "robots/**/*", (b"http://a.example/a/b?x=1", b"ours", b"")),
    (check_urls, URLS, "", (HERE.encode(), b"gbk", b"")),
    (check_pages, HTML, "html/**/*", (b"text/html", b"")),
    (check_sitemaps, SITEMAPS, "sitemaps/**/*", (b"text/xml", b"")),
    (check_headers, FIELDS, "", ()),
    (check_decoding, CODINGS, "sitemaps/**/*.gz", (b"gzip", b"")),
    (
        check_judge,
        (*HTML, *FIELDS, *URLS),
        "html/**/*",
        (b"\x32\0\0\0", HERE.encode(), b"content-type: text/html", b""),
    ),
    (check_wire, _MESSAGES, "", ()),
    (check_text, TEXT, "", ()),
)
TARGETS = {
    name: Target(name, check, pieces, seeds, SEPARATOR.join(head))
    for check, pieces, seeds, head in _TABLE
    for name in [check.__name__.removeprefix("check_")]
}
