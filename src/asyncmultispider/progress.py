"""What a person sees while a crawl runs: a live display, or a line every few seconds."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from asyncmultispider import remarks
from asyncmultispider.model import Batch, Closed, Outcome, Reason, State
from asyncmultispider.observe import Observer
from asyncmultispider.settings import without_user
from asyncmultispider.text import complain, duration, one_line, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from asyncmultispider.crawler import Crawl

EVERY = 5.0
"""Seconds between two lines where there is no terminal."""
LONGEST = 300
"""Characters of a detail that `--verbose` shows."""

STOPPING = "stopping: finishing what is in flight (Ctrl-C again to stop at once)"


class Watcher(Observer):
    """Remembers what a display needs besides the counts."""

    def __init__(self, crawl: "Crawl", *, live: bool) -> None:
        self.live = live
        self._crawl = crawl
        self._began = monotonic()
        self._last = (self._began, 0)
        self._rate = 0.0
        self._until: float | None = None
        self._host: str | None = None
        self._stopping = False

    def taken(self, batch: Batch, in_flight: int) -> None:
        """See `Observer.taken`."""
        self._until = monotonic() + batch.wait if batch.wait and not in_flight else None
        self._host = batch.host

    def stopping(self) -> None:
        """See `Observer.stopping`."""
        self._stopping = True
        if not self.live:
            print(STOPPING, file=sys.stderr, flush=True)

    def facts(self) -> dict[str, str]:
        """The figures by name, as a person reads them."""
        tally = self._crawl.tally
        stats = self._crawl.frontier.stats()
        now = monotonic()
        self._measure(now, tally.fetched)
        facts = {
            "pages": f"{tally.pages}",
            "pages/s": f"{self._rate:.1f}",
            "in flight": f"{tally.in_flight}",
            "queued": f"{stats.states[State.QUEUED]}",
            "hosts": f"{stats.hosts}",
            "bytes": size(tally.bytes),
            "time": duration(now - self._began),
        }
        counts = tally.trouble.copy()  # in one step: the crawl goes on in its own thread
        trouble = ", ".join(f"{one_line(reason)} {n}" for reason, n in counts.most_common(4))
        if trouble:
            facts["trouble"] = trouble
        note = self._note(now)
        if note:
            facts["now"] = note
        return facts

    def _measure(self, now: float, fetched: int) -> None:
        then, before = self._last
        if now - then >= 1.0:
            self._rate = (fetched - before) / (now - then)
            self._last = (now, fetched)
        elif then == self._began and now > then:
            self._rate = fetched / (now - then)

    def _note(self, now: float) -> str | None:
        if self._stopping:
            return STOPPING
        if self._until is not None and self._until - now > 1.0:
            host = one_line(self._host or "")
            return f"waiting {duration(self._until - now)} for {host}: no host may be asked before"
        return None


class Warner(Observer):
    """Warns of what a person should change, or wonder about."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str | None]] = set()

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        lost = [outcome for outcome in outcomes if outcome.reason == Reason.LOST]
        if lost:
            complain(f"{lost[0].detail}: fetching again what it had in hand ({len(lost)})")

    def taken(self, batch: Batch, in_flight: int) -> None:
        """See `Observer.taken`."""
        for end in batch.closed:
            if end.reason == Reason.POISON:
                complain(f"{without_user(end.request.url)} is given up as poison: {end.detail}")
            elif end.reason in (Reason.BANNED, Reason.TRAP):
                self._tell_of(end)

    def _tell_of(self, end: Closed) -> None:
        about = end.request.host, end.detail
        if about in self._told:
            return
        self._told.add(about)
        what = "seems to ban us" if end.reason == Reason.BANNED else "has a trap"
        complain(
            f"{end.request.host} {what}: {end.detail}; such URLs are suspended, "
            f"'retry --reason {end.reason}' releases them"
        )

    def blocked(self, handler: str, seconds: float) -> None:
        """See `Observer.blocked`."""
        complain(remarks.blocked(handler, seconds))


class Complainer(Observer):
    """`--verbose`: a line for each page that fails or is tried again."""

    def taken(self, batch: Batch, in_flight: int) -> None:
        """See `Observer.taken`."""
        for end in batch.closed:
            if end.state is not State.SKIPPED:
                _tell(end.reason, end.request.url, end.detail)

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        for outcome in outcomes:
            if outcome.state in (State.FAILED, State.QUEUED) and outcome.reason:
                again = f", again in {duration(outcome.retry_in)}" if outcome.retry_in else ""
                _tell(outcome.reason, outcome.request.url, outcome.detail, again)


def _tell(reason: str, url: str, detail: str | None, again: str = "") -> None:
    lines = (detail or "").strip().splitlines()  # of a traceback the last says what it is
    brief = lines[-1] if lines else ""
    brief = brief if len(brief) <= LONGEST else f"{brief[:LONGEST]}..."
    told = f" ({brief})" if brief else ""
    print(one_line(f"{reason}: {without_user(url)}{told}{again}"), file=sys.stderr)


@contextmanager
def progress(crawl: "Crawl", *, quiet: bool, verbose: bool) -> Iterator[list[Observer]]:
    """Show progress on stderr while the block runs; the observers it needs."""
    observers: list[Observer] = [Warner(), *([Complainer()] if verbose else [])]
    if quiet:
        yield observers
        return
    watcher = Watcher(crawl, live=sys.stderr.isatty())
    show = _live if watcher.live else _lines
    with show(watcher):
        yield [*observers, watcher]


@contextmanager
def _lines(watcher: Watcher) -> Iterator[None]:
    ended = Event()

    def run() -> None:
        while not ended.wait(EVERY):
            print(
                "; ".join(f"{k} {v}" for k, v in watcher.facts().items()),
                file=sys.stderr,
                flush=True,
            )

    thread = Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _live(watcher: Watcher) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live

    with Live(
        get_renderable=lambda: _table(watcher),
        console=Console(stderr=True),
        refresh_per_second=4,
        transient=True,
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),  # else it is data
    ):
        yield


def _table(watcher: Watcher) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    facts = watcher.facts()
    notes = [facts.pop(name) for name in ("trouble", "now") if name in facts]
    table = Table.grid(padding=(0, 3))
    table.add_row(*(Text(name, style="dim") for name in facts))
    table.add_row(*(Text(value, style="bold") for value in facts.values()))
    return Group(table, *(Text(note, style="yellow", overflow="ellipsis") for note in notes))
