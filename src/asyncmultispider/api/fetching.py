"""`fetch_all`: a list of URLs, and nothing else."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Unpack

from asyncmultispider.api.answers import Answers, Failed, Wanted
from asyncmultispider.api.background import Task
from asyncmultispider.api.calls import with_engine
from asyncmultispider.api.options import FetchOptions, check_names, in_python, plain
from asyncmultispider.api.run import Once
from asyncmultispider.options import make_plan
from asyncmultispider.page import Page
from asyncmultispider.system import end_if_imported_by_worker

NO_MATTER = 1_000_000_000
"""URLs of a host that are no sign of a trap: a person has listed them."""


class FetchAll(Once):
    """Results of a list of URLs: iterable once, in plain and in async code. See `fetch_all`."""

    def __init__(self, task: Task | None, answers: Answers) -> None:
        super().__init__(task)
        self._answers = answers

    def __iter__(self) -> Iterator[Page | Failed]:
        return iter(self._both(self._answers))

    def __aiter__(self) -> AsyncIterator[Page | Failed]:
        return aiter(self._both(self._answers))


def fetch_all(
    urls: Iterable[str], *, ordered: bool = True, **options: Unpack[FetchOptions]
) -> FetchAll:
    """Fetch these URLs: a `Page` or a `Failed` for each, in their order or as they complete.

    All of the list is read first. Redirects are followed to their end, links are not. A URL without
    a scheme means https. Hosts are treated as in a crawl: robots.txt is obeyed, each is asked at
    a pace it can bear; the options change that, and are those of `crawl`. Raises `TypeError` for an
    unknown option, `UsageError` for a value that makes no sense.
    """
    end_if_imported_by_worker()
    check_names("fetch_all", FetchOptions, options)
    if isinstance(urls, str):
        raise TypeError("fetch_all() takes several URLs: for one, [url]")
    wanted = Wanted(urls)
    with in_python():
        task = _task(wanted, plain(options)) if wanted.seeds else None
    return FetchAll(task, Answers(wanted, ordered=ordered))


def _task(wanted: Wanted, values: dict[str, Any]) -> Task:
    plan = make_plan(
        wanted.seeds,
        scope="any",
        depth=0,
        sync="normal",
        max_per_host=NO_MATTER,
        **with_engine(values),
    )
    return Task(plan=plan, temporary=True)
