"""`-o -`: JSON lines on standard output, as pages come."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from asyncmultispider.model import Outcome, State
from asyncmultispider.observe import Observer
from asyncmultispider.outputs.jsonl import all_lines
from asyncmultispider.sqlite import read_database, storage_errors
from asyncmultispider.store.reader import StoreReader
from asyncmultispider.store.sqlite import FORMAT


class Stream(Observer):
    """Writes a line for each page that is done, or for each item of it: those of `write_jsonl`.

    They are read back from `pages_db`, where they are in every engine. `put` gets them, and must
    not wait: the crawl would not hear a Ctrl-C. Use it in a `with` block.
    """

    def __init__(
        self,
        pages_db: Path,
        put: Callable[[bytes], None],
        *,
        items: bool = False,
        bodies: bool = False,
    ) -> None:
        self._path = pages_db
        self._put = put
        self._items = items
        self._bodies = bodies
        self._db = read_database(pages_db, FORMAT)
        self._store = StoreReader(self._db, pages_db)

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        urls = [
            outcome.request.url
            for outcome in outcomes
            if outcome.state is State.DONE and not outcome.request.aside
        ]
        if urls:
            self._put(b"".join(self._lines(urls)))

    def _lines(self, urls: Sequence[str]) -> list[bytes]:
        with storage_errors(self._path):  # and all of it now: an open query holds up the log
            return list(
                all_lines(
                    self._store, self._path, items=self._items, bodies=self._bodies, urls=urls
                )
            )

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()
