"""`crawl`: from its arguments to a `Run`."""

from collections.abc import Sequence
from typing import Any, Unpack

from asyncmultispider.api.background import Task, logger
from asyncmultispider.api.options import (
    CrawlOptions,
    check_names,
    in_python,
    path,
    paths,
    plain,
    texts,
)
from asyncmultispider.api.run import Run
from asyncmultispider.api.spiders import check_program, spider_maker
from asyncmultispider.errors import UsageError
from asyncmultispider.options import choose_engine, make_plan
from asyncmultispider.outputs import STDOUT
from asyncmultispider.spider import Spider
from asyncmultispider.system import end_if_imported_by_worker

SPIDER = "Spider"
"""What a crawl with a spider of Python is known by in its ledger, for want of a file."""


def crawl(*start: str | Spider, **options: Unpack[CrawlOptions]) -> Run:
    """Crawl from URLs, or with one spider: `for page in crawl("https://example.com", limit=100)`.

    The options are those of the command, with `_` for `-`; `include`, `exclude`, `output`,
    `header`, `allow_private`, `proxy` and `sitemap` are one or several. With `dir` the crawl is
    kept there, and one that was interrupted goes on; with `output` only, in ./HOST.crawl; else in a
    temporary directory that goes when it ends. `fresh` forgets what is in the directory.

    Nothing happens before the first page is asked for. Raises `TypeError` for an unknown option,
    `UsageError` for a value that makes no sense.
    """
    end_if_imported_by_worker()
    check_names("crawl", CrawlOptions, options)
    with in_python():
        return Run(_task(start, plain(options)))


def _task(start: Sequence[str | Spider], values: dict[str, Any]) -> Task:
    spider = start[0] if start and isinstance(start[0], Spider) else None
    outputs = paths("output", values.pop("output", ()))
    if STDOUT in outputs:
        raise UsageError("output '-' is for the command line: iterate over the crawl instead")
    directory = values.pop("dir", None)
    fresh, bodies = values.pop("fresh", False), values.pop("bodies", False)
    plan = make_plan(
        _urls(start) if spider is None else _seeds(start, spider),
        directory=None if directory is None else path("dir", directory),
        outputs=outputs,
        sitemap=_sitemaps(values.pop("sitemap", ()), spider),
        spider=None if spider is None else SPIDER,
        **with_engine(values),
    )
    return Task(
        plan=plan,
        make_spider=None if spider is None else spider_maker(spider, plan.draft.engine),
        temporary=directory is None and not outputs,
        fresh=fresh,
        bodies=bodies,
    )


def with_engine(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the engine chosen. Raises `UsageError` where it can't start."""
    engine = choose_engine(values.get("engine"), values.get("processes"), logger.warning)
    if engine == "processes":
        check_program()
    return values | {"engine": engine}


def _urls(start: Sequence[str | Spider]) -> list[str]:
    urls = [url for url in start if isinstance(url, str)]
    if len(urls) < len(start):
        raise UsageError("crawl() takes URLs, each a string, or one Spider and nothing else")
    return urls


def _seeds(start: Sequence[str | Spider], spider: Spider) -> tuple[str, ...]:
    if len(start) > 1:
        raise UsageError("crawl() takes URLs, each a string, or one Spider and nothing else")
    return spider.seeds


def _sitemaps(given: Any, spider: Spider | None) -> tuple[str, ...]:
    return (*(spider.sitemaps if spider else ()), *texts(given))
