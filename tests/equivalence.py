"""One crawl by every engine, and what must come out the same of each."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from crawling import Crawled

ENGINES: dict[str, dict[str, Any]] = {
    "async": {},
    "one thread": {"engine": "threads", "concurrency": 1},
    "threads": {"engine": "threads", "concurrency": 8},
    "two processes": {"engine": "processes", "processes": 2},
    "three processes": {"engine": "processes", "processes": 3, "concurrency": 4},
}
COUNTS = ("pages", "failed", "skipped", "suspended", "queued", "fetched", "bytes", "stopped")

Facts = dict[tuple[str, ...], object]


def in_every_engine(
    crawl: Callable[..., Crawled],
    *urls: str,
    prepare: Callable[[], None] = lambda: None,
    same: Callable[[Crawled], Facts] | None = None,
    **how: Any,
) -> Crawled:
    """Crawl with each engine; `same` tells what must not differ. What the first one came to.

    `prepare` makes the site ready for each of them.
    """
    same = same or everything
    first: tuple[Crawled, Facts] | None = None
    for name, engine in ENGINES.items():
        prepare()
        crawled = crawl(*urls, **{**how, **engine})
        facts = same(crawled)
        first = first or (crawled, facts)
        _compare(name, facts, first[1])
    assert first is not None
    return first[0]


def everything(crawled: Crawled) -> Facts:
    """All that the files tell of a crawl, but for times, and what depends on the order of answers.

    That is which of several pages linked to a URL first, and how deep that one was.
    """
    counts = {("count", name): getattr(crawled.summary, name) for name in COUNTS}
    return ends(crawled) | pages(crawled) | items(crawled) | _tries(crawled) | counts


def ends(crawled: Crawled) -> Facts:
    """State, reason and status of each URL."""
    rows = crawled.query("frontier.db", "SELECT url, state, reason, status FROM urls")
    return {("end", row["url"]): tuple(row)[1:] for row in rows}


def pages(crawled: Crawled) -> Facts:
    """Status and digest of each page, and what was read in it."""
    told = "url, status, digest, size, content_type, charset, title"
    rows = crawled.query("pages.db", f"SELECT {told} FROM pages")
    canonicals = crawled.query("pages.db", "SELECT url, canonical FROM canonicals")
    return {("page", row["url"]): tuple(row)[1:] for row in rows} | {
        ("canonical", row["url"]): row["canonical"] for row in canonicals
    }


def items(crawled: Crawled) -> Facts:
    """The items of each page, in their order."""
    rows = crawled.query("pages.db", "SELECT url, n, data FROM items")
    return {("item", row["url"], str(row["n"])): row["data"] for row in rows}


def _tries(crawled: Crawled) -> Facts:
    """How often each URL was tried in vain, and why."""
    rows = crawled.query(
        "frontier.db",
        "SELECT url, attempts, t.reason, t.status FROM tries t JOIN urls ON id = url_id",
    )
    return {("tries", *map(str, row)): n for row, n in Counter(map(tuple, rows)).items()}


def _compare(engine: str, facts: Facts, expected: Facts) -> None:
    other = {key for key in facts | expected if facts.get(key) != expected.get(key)}
    lines = [f"{key}: {facts.get(key)}, not {expected.get(key)}" for key in sorted(other)[:20]]
    assert not other, "\n".join([f"{engine} came to something else in {len(other)} facts", *lines])
