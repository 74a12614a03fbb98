"""Both files of a crawl on one connection, for reading only: the ledger `main`, pages.db `store`.

A crawl commits pages first and then the ledger. So a moment of the ledger is looked at before one
of pages.db: what is done in the first has its page in the second.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from asyncmultispider.directory import FRONTIER, PAGES
from asyncmultispider.errors import StorageError
from asyncmultispider.frontier.sqlite import FORMAT as FRONTIER_FORMAT
from asyncmultispider.sqlite import check_database, read_database, storage_errors
from asyncmultispider.store.sqlite import FORMAT as PAGES_FORMAT
from asyncmultispider.verify.report import Findings

BEAT = 10_000_000
"""Steps of SQLite's machine between two signs of life: some tenths of a second."""


class Books:
    """The files in `directory`. `has_store` is false until pages.db is attached.

    `stage` is what is being done; `states` and `counts` are what was counted.
    """

    def __init__(self, directory: Path, findings: Findings, tell: Callable[[str], None]) -> None:
        self.directory = directory
        self.findings = findings
        self.has_store = False
        self.stage = ""
        self.states: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._tell = tell
        self._db = read_database(directory / FRONTIER, FRONTIER_FORMAT)
        self._db.pragma("temp_store", "file")
        self._db.pragma("cache_size", -64_000)  # kilobytes
        # Also where Ctrl-C is heard while a long statement runs.
        self._db.set_progress_handler(self._go_on, BEAT)

    def attach(self) -> bool:
        """Open pages.db too; whether there is one. Raises `UsageError` when it is not ours."""
        path = self.directory / PAGES
        check_database(path, PAGES_FORMAT)
        if path.exists():
            with storage_errors(path):
                self.ask("ATTACH ? AS store", str(path))  # it is opened as `main` is: for reading
                self.has_store = self.ask("SELECT count(*) FROM store.sqlite_schema").get > 0
        if self.has_store:
            read_database(path, PAGES_FORMAT).close()  # is it ours?
        return self.has_store

    def ask(self, sql: str, *values: Any) -> apsw.Cursor:
        """Run a statement."""
        return self._db.execute(sql, values)

    def fill(self, sql: str, rows: Iterator[tuple[Any, ...]]) -> None:
        """Run a statement for each row, in one transaction. Only for temporary tables."""
        with self._db:
            self._db.executemany(sql, rows)

    def beat(self, stage: str | None = None) -> None:
        """A sign of life."""
        self.stage = stage or self.stage
        self._tell(self.stage)

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Both files as they are now, while the block runs; the ledger a little earlier."""
        self.ask("BEGIN")
        try:
            self.ask("SELECT count(*) FROM main.sqlite_schema").fetchall()
            if self.has_store:
                self.ask("SELECT count(*) FROM store.sqlite_schema").fetchall()
            yield
        finally:
            if self._db.in_transaction:
                self.ask("END")

    @contextmanager
    def checking(self, name: str) -> Iterator[None]:
        """A check of the file of that name. That it can't be read is a problem like others."""
        self.beat(f"checking {name}")
        try:
            yield
        except (apsw.Error, StorageError, UnicodeDecodeError) as error:
            self.findings.unreadable(f"{name} can't be read: {error}")

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def _go_on(self) -> bool:
        self.beat()
        return False  # SQLite asks whether to stop
