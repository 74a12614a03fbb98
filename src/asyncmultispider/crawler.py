"""A crawl in its directory: the only place that chooses adapters and wires them together."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from time import monotonic, time

import tomli_w
from msgspec import json, structs

from asyncmultispider.directory import FRONTIER, LOG, PAGES, SETTINGS, Lock, Owner, locked
from asyncmultispider.engines.coroutines import Coroutines
from asyncmultispider.engines.engine import Engine, Hands
from asyncmultispider.engines.exchange import Books
from asyncmultispider.engines.handlers import call_handler, outgoing
from asyncmultispider.engines.processes import Processes, Reported
from asyncmultispider.engines.reins import Reins
from asyncmultispider.engines.threads import Threads
from asyncmultispider.engines.worker import give_up, keep_to_ourselves, show_life, work
from asyncmultispider.errors import CrawlError, StorageError, UsageError
from asyncmultispider.fetch.curl import AsyncCurlFetcher, CurlFetcher, Turns
from asyncmultispider.fetch.guard import Guard
from asyncmultispider.fetch.identity import Identity
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.sqlite import SqliteLedger, decode_meta, read_meta
from asyncmultispider.journal import Journal
from asyncmultispider.judge import Judge
from asyncmultispider.mending import Mended, mend
from asyncmultispider.model import Failure, Outcome, Reason, Request, Response, Result, State
from asyncmultispider.observe import Observer
from asyncmultispider.outputs import OUTPUTS, Exported, Target, listed, listing, write_output
from asyncmultispider.page import Findings
from asyncmultispider.parents import end_with_parent
from asyncmultispider.settings import Settings, without_user
from asyncmultispider.spider import Spider, handler_name
from asyncmultispider.sqlite import check_database
from asyncmultispider.stats import Stopped, Summary, Tally
from asyncmultispider.store.sqlite import FORMAT as PAGES_FORMAT
from asyncmultispider.store.sqlite import SqliteStore, totals
from asyncmultispider.system import (
    FILES_OF_A_THREAD,
    allow_files,
    stopping_on_signals,
    tune_gc,
    usable_cores,
)
from asyncmultispider.urls import host_of, login_of, parse_seed, without_login


class Crawl:
    """A crawl in its directory: `with Crawl(settings, directory).open() as crawl: crawl.run()`.

    `continued` says that the directory held this crawl already. `frontier` and `tally` may be
    read from other threads, for a display. `trouble` is what made a run fail. `lowered` is the
    concurrency that the system allows, where that is less than was asked for. `killed` was at work
    here before and did not end by itself; `mended` is what was out of step. `reins` stop a run from
    any thread.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        make_spider: Callable[[], Spider] | None = None,
    ) -> None:
        self.settings = settings
        self.directory = directory
        self._make_spider = make_spider
        self.tally = Tally()
        self.reins = Reins()
        self.continued = False
        self._public = _without_secrets(settings)
        self.trouble: StorageError | None = None
        self.lowered: int | None = None
        self.killed: Owner | None = None
        self.mended = Mended()

    @contextmanager
    def open(self) -> Iterator["Crawl"]:
        """Lock and open the directory. Raises `UsageError` when it can't be this crawl's."""
        each = FILES_OF_A_THREAD if self.settings.engine == "threads" else 1
        allowed = allow_files(self.settings.concurrency, each)
        if allowed < self.settings.concurrency:
            self.lowered = allowed
            self.settings = structs.replace(self.settings, concurrency=allowed)
        with ExitStack() as stack:
            self._lock = stack.enter_context(locked(self.directory))
            self.killed = self._lock.killed
            _refuse_orphans(self.directory)
            self._ledger = ledger = SqliteLedger(self.directory / FRONTIER)
            stack.callback(ledger.close)
            self.continued = _claim(ledger, self.settings, self.directory)
            ledger.set_meta("settings", json.encode(self._public).decode())
            self.store = SqliteStore(self.directory / PAGES, durable=self.settings.sync == "full")
            stack.callback(self.store.close)
            self.mended = mend(ledger, self.store)
            if self.mended.requeued:  # the outputs have pages that are not done any more
                self._note_outputs([])
            self.frontier = LocalFrontier(
                ledger,
                self.settings,
                now=monotonic(),
                wall=time(),
                crashed=self.killed is not None,
            )
            self._lock.settle()
            stack.callback(self.frontier.close)
            self._journal = Journal(self.directory / LOG)
            stack.callback(self._journal.close)
            _write_settings(self.directory / SETTINGS, self._public)
            yield self

    def run(
        self, observers: Sequence[Observer] = (), may_take: Callable[[], bool] | None = None
    ) -> Summary:
        """Crawl until it ends, the limit is reached, the user interrupts or the books fail.

        While `may_take` says no, no requests are taken; `reins.wake()` when it says yes again.
        """
        began = monotonic()
        pages = self.frontier.stats().states[State.DONE]  # `mend` saw to it that they are stored
        stopped: Stopped = "failed"
        try:
            self._journal.note("start", continued=self.continued, seeds=self._public["seeds"])
            watching = [self.tally, self._journal, *observers]
            ended = asyncio.run(self._run(pages, watching, may_take))
            self.store.flush()
            self._ledger.flush()
            stopped = ended
        except StorageError as error:
            self.trouble = error
        except BaseException:
            # Cut off anywhere: pages may be stored that the ledger was not told of. Its leases
            # stay as they are, so that the next run looks what is stored of them.
            self._ledger.close()
            raise
        with suppress(StorageError):
            pages = self.store.count()
        summary = self.tally.summary(
            self.frontier.stats(),
            pages=pages,
            seconds=monotonic() - began,
            stopped=stopped,
            dir=str(self.directory),
        )
        with suppress(StorageError):
            self._journal.note("stop", **structs.asdict(summary))
        return summary

    def write_outputs(self, targets: Sequence[Target], *, bodies: bool = False) -> list[Exported]:
        """Write what is stored to files and folders, and note that for `verify`; what was written.

        Where one can't be written, the others are. Raises `UsageError`, `StorageError`.
        """
        before: list[Exported] = []
        if self.mended == Mended():  # else pages may be gone that they hold
            with suppress(ValueError):  # somebody's hand was in it; `verify` tells
                before = listed(self._ledger.meta(OUTPUTS) or "[]")
        # Until all are written the list is empty: a crash leaves none on it that has changed since.
        self._note_outputs([])
        written: list[Exported] = []
        trouble: CrawlError | None = None
        for target in {target.path: target for target in targets}.values():
            if target.stdout:  # that was written as pages came
                continue
            try:
                written += write_output(
                    target,
                    self.directory / PAGES,
                    bodies=bodies,
                    about=self._public,
                    before=before,
                )
            except (UsageError, StorageError) as error:
                trouble = trouble or error
        self._note_outputs(written)
        if trouble is not None:
            raise trouble
        return written

    def _note_outputs(self, outputs: Sequence[Exported]) -> None:
        self._ledger.set_meta(OUTPUTS, listing(outputs), durable=True)

    async def _run(
        self, stored: int, observers: Sequence[Observer], may_take: Callable[[], bool] | None
    ) -> Stopped:
        settings = self.settings
        judge = Judge(settings, self._make_spider() if self._make_spider else None)
        self.frontier.add(judge.seeds())
        reported = Reported(self.store)
        store = reported if settings.engine == "processes" else self.store
        owner = f"{socket.gethostname()}:{os.getpid()}"
        books = Books(
            self.frontier,
            store,
            observers,
            stored=stored,
            limit=settings.limit,
            owner=owner,
            may_take=may_take,
        )
        engine = Engine(books, self._hands(judge, books, reported))
        with stopping_on_signals(engine.stop), self.reins.on(engine):
            await engine.run(settings.max_time)
        if books.limit_reached or engine.out_of_time:
            return "limit"
        return "interrupted" if engine.stopped else "finished"

    def _hands(self, judge: Judge, books: Books, reported: Reported) -> Hands:
        settings = self.settings
        match settings.engine:
            case "async":
                fetcher = AsyncCurlFetcher(settings)
                return Coroutines(fetcher, judge, settings.concurrency, books.tell_blocked)
            case "threads":
                guard, turns, identity = Guard.of(settings), Turns(), Identity(settings)
                return Threads(
                    lambda: CurlFetcher(settings, guard, turns, identity),
                    judge,
                    settings.concurrency,
                )
            case "processes":
                target = partial(
                    work_for, settings, self.directory / PAGES, self._make_spider, self._lock
                )
                number = settings.processes or usable_cores()
                return Processes(
                    target, number, settings.concurrency, reported, keep_hosts=settings.cookies
                )


def work_for(
    settings: Settings,
    pages: Path,
    make_spider: Callable[[], Spider] | None,
    _lock: Lock,
    end: socket.socket,
    pulse: socket.socket,
) -> None:
    """What a worker process of a crawl runs. While it lives the directory is locked."""
    end_with_parent()
    keep_to_ourselves(end, pulse)
    show_life(pulse)
    for number in (signal.SIGINT, signal.SIGTERM):  # the supervisor decides when to stop
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    tune_gc()

    async def run() -> int:
        try:
            judge = Judge(settings, make_spider() if make_spider else None)
            store = SqliteStore(pages, durable=settings.sync == "full")
        except CrawlError as error:
            return await give_up(end, error)
        hands = Coroutines(AsyncCurlFetcher(settings), judge, settings.concurrency)
        try:
            return await work(end, store, hands)
        finally:
            store.close()

    sys.exit(asyncio.run(run()))


def fetch_once(settings: Settings, spider: Spider | None = None) -> tuple[Request, Result]:
    """Fetch the first seed, as a crawl would, and with the hooks of a spider."""
    url = without_login(settings.seeds[0])
    asked = Request(id=0, url=url, host=host_of(url))
    request = outgoing(Judge(settings, spider), asked)
    if isinstance(request, Failure):
        return asked, request

    async def fetch() -> Result:  # on a loop, so that Ctrl-C is heard while a server is silent
        fetcher = AsyncCurlFetcher(settings)
        try:
            return await fetcher.fetch(request)
        finally:
            await fetcher.aclose()

    return request, asyncio.run(fetch())


def visit_once(
    settings: Settings,
    spider: Spider,
    request: Request,
    response: Response,
    findings: Findings | None = None,
) -> tuple[str | None, Outcome]:
    """What a spider makes of an answer, and the handler that it called; None: it called none."""
    judge = Judge(settings, spider)
    judged = judge(request, response, findings)
    if isinstance(judged, Outcome):
        return None, judged
    with asyncio.Runner() as runner:
        return handler_name(judged.handler), call_handler(judge, judged, runner)


def choose_seeds(
    typed: Iterable[str],
    directory: Path | None,
    proxies: tuple[str, ...] = (),
    *,
    secret: bool = False,
) -> list[str]:
    """Canonical seeds. Without a scheme it is https, then http if that can't connect.

    A crawl that is in `directory` already keeps the scheme it chose. Whoever can block https must
    not get what is `secret`, or a password, over http.
    """
    before = set(_identity(directory).get("seeds", ())) if directory else set()
    seeds = []
    for text in typed:
        url, guessed = parse_seed(text)
        plain = f"http{url.removeprefix('https')}"
        if guessed and not secret and login_of(url) is None and without_user(url) not in before:
            known = without_user(plain) in before
            url = plain if known or not _connects(url, proxies) else url
        seeds.append(url)
    return list(dict.fromkeys(seeds))


def _refuse_orphans(directory: Path) -> None:
    # Of all that must hold, before anything is made.
    ledger, pages = directory / FRONTIER, directory / PAGES
    check_database(pages, PAGES_FORMAT)
    if not _holds_something(ledger) and _holds_something(pages) and totals(pages)[0]:
        raise UsageError(
            f"{str(pages)!r} holds pages, but there is no {FRONTIER} that knows of them: "
            "put it back, or --fresh to forget them"
        )


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _claim(ledger: SqliteLedger, settings: Settings, directory: Path) -> bool:
    ours = settings.identity()
    text = ledger.meta("identity")
    if text is None:
        ledger.set_meta("identity", json.encode(ours).decode())
        return False
    theirs = decode_meta(directory / FRONTIER, text, dict)
    other = [name for name in ours | theirs if ours.get(name) != theirs.get(name)]
    if other:
        held = ", ".join(f"{name} {_brief(theirs.get(name))}" for name in other)
        raise UsageError(
            f"{str(directory)!r} holds another crawl ({held}): use another --dir, "
            "or --fresh to forget it"
        )
    return True


def _brief(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "none")
    return text if len(text) <= 100 else f"{text[:100]}..."


def _identity(directory: Path) -> dict[str, list[str]]:
    try:
        text = read_meta(directory / FRONTIER, "identity")
        return decode_meta(directory / FRONTIER, text, dict) if text else {}
    except (UsageError, StorageError, OSError):  # none yet, or not ours: opening it will tell
        return {}


def _connects(url: str, proxies: tuple[str, ...]) -> bool:
    # Of all URLs this one may be asked for before robots.txt was read.
    probe = f"https://{host_of(url)}/robots.txt"
    _, result = fetch_once(Settings(seeds=(probe,), proxies=proxies, timeout=15))
    return not (isinstance(result, Failure) and _no_https(result))


def _no_https(failure: Failure) -> bool:
    # A certificate that is wrong is no reason to do without; a server that speaks no TLS is.
    if failure.reason is Reason.TLS:
        return "certificate" not in failure.detail.lower()
    return failure.reason in (Reason.CONNECT, Reason.TIMEOUT, Reason.RESET)


def _without_secrets(settings: Settings) -> dict[str, object]:
    values = {key: value for key, value in structs.asdict(settings).items() if value is not None}
    values["headers"] = [(name, "***") for name, _ in settings.headers]
    values["seeds"] = [without_user(seed) for seed in settings.seeds]
    values["sitemap"] = [without_user(url) for url in settings.sitemap]
    values["header_pool"] = [[(name, "***") for name, _ in each] for each in settings.header_pool]
    values["proxies"] = [without_user(proxy) for proxy in settings.proxies]
    del values["session"]
    return values


def _write_settings(path: Path, values: dict[str, object]) -> None:
    try:
        path.write_text(tomli_w.dumps(values), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{str(path)!r}: {error.strerror}") from error
