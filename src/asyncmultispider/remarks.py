"""What a user should hear of a crawl, a line each: when it begins, and when it has ended."""

from collections.abc import Iterator

from asyncmultispider.crawler import Crawl
from asyncmultispider.settings import without_user
from asyncmultispider.text import duration


def at_start(crawl: Crawl) -> Iterator[str]:
    """Of a crawl that is open."""
    if crawl.lowered is not None:
        yield (
            f"--concurrency lowered to {crawl.lowered}: the system allows this process no "
            "more open files (see 'ulimit -n')"
        )
    if crawl.killed is not None:
        yield f"the last crawl here ({crawl.killed}) was killed: taking over"
    mended = crawl.mended
    if mended.dropped or mended.requeued:
        yield (
            f"pages.db and frontier.db were out of step: {mended.requeued} pages were missing, "
            f"{mended.dropped} were not known as done; they are fetched again"
        )


def at_end(crawl: Crawl) -> Iterator[str]:
    """Of a crawl that was run."""
    for seed, target in crawl.tally.strays.items():
        yield (
            f"{without_user(seed)} redirects to {target}, which is out of scope: crawl that URL, "
            "or use --scope domain"
        )


def blocked(handler: str, seconds: float) -> str:
    """Of a handler that kept the event loop to itself for so long."""
    return (
        f"handler {handler}() kept the event loop busy for {duration(seconds)}, and no other "
        "page could go on: await what it waits for, or use --engine threads where it blocks, "
        "--engine processes where it computes"
    )
