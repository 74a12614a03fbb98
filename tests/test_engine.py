"""The engine on the event loop, over a web in memory; and the fetchers' port."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic, time

import pytest

from asyncmultispider.engines import coroutines
from asyncmultispider.engines import engine as engines
from asyncmultispider.engines.coroutines import Coroutines
from asyncmultispider.engines.engine import Engine
from asyncmultispider.engines.exchange import Books
from asyncmultispider.errors import StorageError
from asyncmultispider.fetch.base import AsyncFetcher
from asyncmultispider.fetch.curl import AsyncCurlFetcher, CurlFetcher
from asyncmultispider.fetch.fake import BlockingFakeWeb
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.memory import MemoryLedger
from asyncmultispider.judge import Judge
from asyncmultispider.model import Batch, Outcome, Reason, Request, Response, Result, State
from asyncmultispider.observe import Observer
from asyncmultispider.page import Page
from asyncmultispider.settings import Settings
from asyncmultispider.spider import Spider
from asyncmultispider.store.memory import MemoryStore
from asyncmultispider.testing import AsyncFetcherSuite, FakeWeb, FetcherSuite, reply, trouble
from webserver import Reply, Site

SEED = "http://a.example/"


class Watch(Observer):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.batches: list[int] = []
        self.waits: list[float] = []
        self.stops = 0

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes
        self.batches.append(len(outcomes))

    def taken(self, batch: Batch, in_flight: int) -> None:
        assert len(batch.requests) <= in_flight
        if batch.wait and not in_flight:
            self.waits.append(batch.wait)

    def stopping(self) -> None:
        self.stops += 1


class CountingBooks(Books):
    """Counts how often the engine asks."""

    asked = 0

    def take(self, room: int, in_flight: int) -> Batch:
        self.asked += 1
        assert self.asked < 100_000, "the engine is busy doing nothing"
        return super().take(room, in_flight)


class Gate:
    """A fetcher that answers only when told to, request by request."""

    def __init__(self, web: FakeWeb) -> None:
        self.buffered = 0
        self._web = web
        self._held: dict[str, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self.peak = 0

    async def fetch(self, request: Request) -> Result:
        self._held[request.url] = event = asyncio.Event()
        self.peak = max(self.peak, len(self._held))
        self._changed.set()
        try:
            await event.wait()
        finally:
            del self._held[request.url]
        return self._web.answer(request)

    async def aclose(self) -> None:
        pass

    @property
    def held(self) -> set[str]:
        return set(self._held)

    async def wait_for(self, count: int) -> None:
        """Until so many requests are held."""
        while len(self._held) < count:
            self._changed.clear()
            await self._changed.wait()

    def release(self, *urls: str) -> None:
        for url in urls or list(self._held):
            self._held[url].set()


class Crawl:
    """An engine with all its parts; `run` it once."""

    def __init__(self, pages: Mapping[str, object], *, store: object = None, **options) -> None:
        plain = {"ignore_robots": True, "delay_factor": 0.0, "per_host": 64, "concurrency": 8}
        self.settings = Settings(seeds=(SEED,), **{"scope": "any", **plain, **options})
        self.web = FakeWeb(pages)
        self.store = store or MemoryStore()
        self.watch = Watch()
        self.ledger = MemoryLedger()
        self.frontier = LocalFrontier(self.ledger, self.settings, now=monotonic(), wall=time())
        self.books = CountingBooks(
            self.frontier, self.store, [self.watch], limit=self.settings.limit
        )

    def engine(self, fetcher: AsyncFetcher | None = None) -> Engine:
        judge = Judge(self.settings)
        self.frontier.add(judge.seeds())
        hands = Coroutines(fetcher or self.web, judge, self.settings.concurrency)
        return Engine(self.books, hands)

    def run(self) -> "Crawl":
        asyncio.run(self._run(self.engine()))
        return self

    async def _run(self, engine: Engine) -> None:
        async with asyncio.timeout(30):
            await engine.run()

    @property
    def states(self) -> dict[str, int]:
        return {state: n for state, n in self.frontier.stats().states.items() if n}


def chain(length: int, width: int = 3) -> dict[str, str]:
    """Pages that each link to the next few."""
    return {
        f"{SEED}{n or ''}": "".join(
            f"<a href=/{m}>" for m in range(n + 1, min(n + 1 + width, length))
        )
        for n in range(length)
    }


def star(leaves: int) -> dict[str, str]:
    """A page that links to all others."""
    urls = [f"{SEED}{n}" for n in range(1, leaves + 1)]
    return {SEED: "".join(f"<a href={url}>" for url in urls)} | dict.fromkeys(urls, "<p>leaf")


# To the end


@pytest.mark.parametrize("concurrency", [1, 3, 64])
def test_everything_is_fetched_once(concurrency: int) -> None:
    pages = chain(200)
    crawl = Crawl(pages, concurrency=concurrency).run()
    assert crawl.web.requests == Counter(dict.fromkeys(pages, 1))
    assert set(crawl.store.pages) == set(pages)
    assert crawl.states == {State.DONE: 200}
    assert sorted(o.request.url for o in crawl.watch.outcomes) == sorted(pages)


def test_robots_txt_is_obeyed_on_the_way() -> None:
    pages = star(20) | {
        f"{SEED}robots.txt": lambda _: reply(
            "User-agent: *\nDisallow: /1", content_type="text/plain"
        )
    }
    crawl = Crawl(pages, ignore_robots=False).run()
    assert crawl.web.requests[f"{SEED}robots.txt"] == 1
    assert not any(url.startswith(f"{SEED}1") for url in crawl.web.requests)
    assert crawl.states == {State.DONE: 10, State.SKIPPED: 11}


def test_trouble_ends_in_the_books() -> None:
    pages = star(5) | {
        f"{SEED}1": reply("", status=404),
        f"{SEED}2": trouble(Reason.TLS),
        f"{SEED}3": reply("", status=302, headers={"location": "/4"}),
    }
    crawl = Crawl(pages).run()
    assert crawl.states == {State.DONE: 4, State.FAILED: 2}
    reasons = {row.born.link.url: row.reason for row in crawl.ledger.rows.values() if row.reason}
    assert reasons == {f"{SEED}1": "http-404", f"{SEED}2": "tls"}


def test_a_retry_is_made_and_waited_for() -> None:
    answers = iter([reply("", status=500), reply("<p>at last")])
    crawl = Crawl({SEED: lambda _: next(answers)}, retries=1).run()
    assert crawl.web.requests[SEED] == 2
    assert crawl.states == {State.DONE: 1}
    assert crawl.watch.waits
    assert 0 < max(crawl.watch.waits) <= 1.5


def test_a_crawl_with_nothing_to_do_ends() -> None:
    crawl = Crawl({SEED: "<p>alone"}).run()
    again = Engine(crawl.books, Coroutines(crawl.web, Judge(crawl.settings), 4))
    asyncio.run(crawl._run(again))
    assert crawl.web.requests[SEED] == 1


# Limits


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
@pytest.mark.parametrize("concurrency", [1, 16])
def test_the_limit_is_exact(limit: int, concurrency: int) -> None:
    crawl = Crawl(star(100), limit=limit, concurrency=concurrency).run()
    assert len(crawl.store.pages) == limit
    assert crawl.books.limit_reached
    assert len(crawl.web.requests) == limit, "the first page may be asked for again: all are alike"
    assert crawl.states == {State.DONE: limit, State.QUEUED: 101 - limit}


def test_what_is_no_page_does_not_count_for_the_limit() -> None:
    pages = star(60) | {f"{SEED}{n}": reply("", status=404) for n in range(1, 31)}
    crawl = Crawl(pages, limit=20, concurrency=8).run()
    assert len(crawl.store.pages) == 20
    assert crawl.states[State.FAILED] == 30


def test_a_limit_that_is_not_reached_does_not_keep_it_from_ending() -> None:
    crawl = Crawl(star(5), limit=100).run()
    assert len(crawl.store.pages) == 6
    assert not crawl.books.limit_reached


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_in_flight_than_asked_for(concurrency: int) -> None:
    crawl = Crawl(star(30), concurrency=concurrency)

    async def play() -> None:
        gate = Gate(crawl.web)
        run = asyncio.create_task(crawl.engine(gate).run())
        while not run.done():
            held = asyncio.create_task(gate.wait_for(1))
            await asyncio.wait([held, run], return_when=asyncio.FIRST_COMPLETED)
            held.cancel()
            gate.release(*sorted(gate.held)[:1])
        await run
        assert gate.peak == concurrency

    bounded(play)
    assert crawl.states == {State.DONE: 31}


# Waiting


def test_waiting_for_an_answer_is_not_busy() -> None:
    crawl = Crawl(star(50), concurrency=1)

    async def play() -> None:
        gate = Gate(crawl.web)
        run = asyncio.create_task(crawl.engine(gate).run())
        await gate.wait_for(1)
        gate.release(SEED)
        await gate.wait_for(1)
        before = crawl.books.asked
        for _ in range(1000):  # turns of the loop in which nothing happens
            await asyncio.sleep(0)
        assert crawl.books.asked - before < 10
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    bounded(play)


def test_waiting_at_the_limit_is_not_busy() -> None:
    crawl = Crawl(star(50), concurrency=10, limit=4)

    async def play() -> None:
        gate = Gate(crawl.web)
        run = asyncio.create_task(crawl.engine(gate).run())
        await gate.wait_for(1)
        gate.release(SEED)
        await gate.wait_for(3)
        before = crawl.books.asked
        for _ in range(1000):
            await asyncio.sleep(0)
        assert crawl.books.asked - before < 10
        gate.release()
        await run

    bounded(play)
    assert len(crawl.store.pages) == 4


def test_the_books_are_asked_a_few_times_for_each_page_at_most() -> None:
    crawl = Crawl(chain(300), concurrency=16).run()
    assert crawl.books.asked < 4 * 300


def test_a_slow_page_does_not_keep_the_others_from_the_books() -> None:
    crawl = Crawl(star(20), concurrency=8)

    async def play() -> None:
        gate = Gate(crawl.web)
        run = asyncio.create_task(crawl.engine(gate).run())
        await gate.wait_for(1)
        gate.release(SEED)
        slow = f"{SEED}1"
        while len(crawl.watch.outcomes) < 20:
            gate.release(*(gate.held - {slow}))
            await asyncio.sleep(0.001)
        assert gate.held == {slow}
        gate.release(slow)
        await run

    bounded(play)
    assert crawl.states == {State.DONE: 21}


def test_outcomes_are_committed_in_batches() -> None:
    crawl = Crawl(star(2_000), concurrency=64).run()
    assert len(crawl.watch.batches) < 400


def test_nothing_new_is_started_while_too_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coroutines, "START_BELOW", 1000)
    crawl = Crawl(star(50), concurrency=4)

    async def play() -> None:
        gate = Gate(crawl.web)
        run = asyncio.create_task(crawl.engine(gate).run())
        await gate.wait_for(1)
        gate.release(SEED)
        await gate.wait_for(4)
        gate.buffered = 2000
        one, *others = sorted(gate.held)
        gate.release(one)
        await until(lambda: len(crawl.watch.outcomes) == 2)
        for _ in range(20):  # turns of the loop, for whatever was started
            await asyncio.sleep(0)
        assert gate.held == set(others)
        gate.buffered = 0
        while not run.done():
            gate.release()
            await asyncio.sleep(0.001)
        await run

    bounded(play)
    assert crawl.states == {State.DONE: 51}


# Stopping


def test_stop_finishes_what_is_in_flight() -> None:
    crawl = Crawl(star(50), concurrency=4)

    async def play() -> None:
        gate = Gate(crawl.web)
        engine = crawl.engine(gate)
        run = asyncio.create_task(engine.run())
        await gate.wait_for(1)
        gate.release(SEED)
        await gate.wait_for(4)
        assert not engine.stopped
        engine.stop()
        await asyncio.sleep(0)
        assert not run.done()
        assert crawl.watch.stops == 1
        gate.release()
        await run
        assert engine.stopped

    bounded(play)
    crawl.frontier.close()
    assert crawl.states[State.DONE] == 5
    assert len(crawl.store.pages) == 5
    assert left_in(crawl.ledger) == {State.DONE: 5, State.QUEUED: 46}


def test_stop_gives_back_what_was_taken_and_not_begun() -> None:
    crawl = Crawl(star(50), concurrency=4)

    async def play() -> None:
        gate = Gate(crawl.web)
        engine = crawl.engine(gate)
        run = asyncio.create_task(engine.run())
        await gate.wait_for(1)
        gate.release(SEED)
        await until(lambda: crawl.frontier.stats().states[State.LEASED] == 4)
        engine.stop()
        while not run.done():
            gate.release()
            await asyncio.sleep(0)
        await run

    bounded(play)
    crawl.frontier.close()
    assert set(left_in(crawl.ledger)) == {State.DONE, State.QUEUED}
    assert sum(left_in(crawl.ledger).values()) == 51


def test_stop_twice_stops_now() -> None:
    crawl = Crawl(star(50), concurrency=4)

    async def play() -> None:
        gate = Gate(crawl.web)
        engine = crawl.engine(gate)
        run = asyncio.create_task(engine.run())
        await gate.wait_for(1)
        gate.release(SEED)
        await gate.wait_for(4)
        engine.stop()
        engine.stop()
        await run
        assert gate.held == set()
        assert crawl.watch.stops == 1

    bounded(play)
    crawl.frontier.close()
    assert left_in(crawl.ledger) == {State.DONE: 1, State.QUEUED: 50}


def test_stop_while_it_waits_for_a_host() -> None:
    crawl = Crawl(star(5), delay=1000.0)

    async def play() -> None:
        engine = crawl.engine()
        run = asyncio.create_task(engine.run())
        await until(lambda: crawl.watch.waits)
        assert 990 < crawl.watch.waits[-1] <= 1000
        engine.stop()
        await run

    bounded(play)
    assert crawl.states == {State.DONE: 1, State.QUEUED: 5}


def test_a_stop_that_takes_too_long_becomes_a_stop_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "GRACE", 0.01)
    crawl = Crawl(star(5))

    async def play() -> None:
        gate = Gate(crawl.web)
        engine = crawl.engine(gate)
        run = asyncio.create_task(engine.run())
        await gate.wait_for(1)
        engine.stop()
        await run

    bounded(play)
    crawl.frontier.close()
    assert left_in(crawl.ledger) == {State.QUEUED: 1}


def test_what_a_handler_was_at_when_all_stops_is_queued_again() -> None:
    """Also when it takes the end of its coroutine for the end of what it waited for."""
    entered = []

    async def swallows(page: Page) -> list[dict[str, str]]:
        entered.append(page.url)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return [{"cut": "off"}]

    spider = Spider()
    spider.on("*")(swallows)
    crawl = Crawl({SEED: "<p>alone"})
    judge = Judge(crawl.settings, spider)
    crawl.frontier.add(judge.seeds())

    async def play() -> None:
        engine = Engine(crawl.books, Coroutines(crawl.web, judge, 4))
        run = asyncio.create_task(engine.run())
        await until(lambda: entered)
        engine.stop()
        engine.stop()
        await run

    bounded(play)
    crawl.frontier.close()
    assert left_in(crawl.ledger) == {State.QUEUED: 1}
    assert not crawl.store.items


# Trouble with the books


class FailingStore(MemoryStore):
    """A disk that is full after so many pages."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, outcomes: Sequence[Outcome]) -> int:
        if len(self.pages) + len(outcomes) > self.room:
            raise StorageError("the disk is full")
        return super().write(outcomes)


def test_a_store_that_fails_ends_the_run_and_loses_nothing() -> None:
    pages = chain(200)
    crawl = Crawl(pages, store=FailingStore(room=50), concurrency=4)
    with pytest.raises(StorageError, match="the disk is full"):
        crawl.run()
    crawl.frontier.close()
    done = {r.born.link.url for r in crawl.ledger.rows.values() if r.state is State.DONE}
    assert done == set(crawl.store.pages), "done is what was stored, and nothing else"
    assert set(left_in(crawl.ledger)) == {State.DONE, State.QUEUED}

    crawl.store.room = 1000
    after = Crawl(pages, store=crawl.store)
    after.ledger = crawl.ledger
    after.frontier = LocalFrontier(crawl.ledger, crawl.settings, now=monotonic(), wall=time())
    after.books = CountingBooks(after.frontier, after.store, [])
    after.run()
    assert set(after.store.pages) == set(pages)
    assert not set(after.web.requests) & done, "what is stored is not fetched again"


class FailingLedger(MemoryLedger):
    """A ledger that can't be written after so many steps."""

    steps = 10

    def apply(self, changes) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise StorageError("the ledger can't be written")
        super().apply(changes)


def test_a_ledger_that_fails_ends_the_run() -> None:
    crawl = Crawl(chain(200))
    crawl.ledger = FailingLedger()
    crawl.frontier = LocalFrontier(crawl.ledger, crawl.settings, now=monotonic(), wall=time())
    crawl.books = CountingBooks(crawl.frontier, crawl.store, [])
    with pytest.raises(StorageError, match="can't be written"):
        crawl.run()
    crawl.frontier.close()
    crawl.frontier.close()


def test_a_bug_in_a_fetcher_is_not_swallowed() -> None:
    def bug(_: Request) -> Result:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Crawl(star(3) | {f"{SEED}2": bug}).run()


def bounded(play: Callable) -> None:
    """Run it, for some seconds at most."""

    async def run() -> None:
        async with asyncio.timeout(20):
            await play()

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until it holds; `bounded` ends it when it never does."""
    while True:
        if condition():
            return
        await asyncio.sleep(0)


def left_in(ledger: MemoryLedger) -> dict[State, int]:
    return dict(Counter(row.state for row in ledger.rows.values()))


# The fetchers' port, in both colours


def fake(pages: Mapping[str, tuple[int, dict[str, str], bytes]], base: str) -> FakeWeb:
    return FakeWeb(
        {
            base + path: lambda _, status=status, headers=headers, body=body: Response(
                status=status, headers=tuple(headers.items()), body=body, at=time(), elapsed=0.0
            )
            for path, (status, headers, body) in pages.items()
        }
    )


class InMemory:
    def serve(self, pages) -> str:
        self.web = fake(pages, "http://a.example")
        return "http://a.example"


class TestFakeWeb(InMemory, AsyncFetcherSuite):
    def make_fetcher(self, settings: Settings) -> FakeWeb:
        return self.web


class TestBlockingFakeWeb(InMemory, FetcherSuite):
    def make_fetcher(self, settings: Settings) -> BlockingFakeWeb:
        return self.web.blocking()


class Served:
    @pytest.fixture(autouse=True)
    def site(self) -> Iterator[None]:
        with Site() as self.served:
            yield

    def serve(self, pages) -> str:
        for path, (status, headers, body) in pages.items():
            fields = [(n.title(), v) for n, v in headers.items() if n != "content-type"]
            self.served.route(path, Reply(status, body, headers["content-type"], fields))
        return self.served.url("").rstrip("/")


class TestCurl(Served, FetcherSuite):
    def make_fetcher(self, settings: Settings) -> CurlFetcher:
        return CurlFetcher(settings)


class TestAsyncCurl(Served, AsyncFetcherSuite):
    def make_fetcher(self, settings: Settings) -> AsyncCurlFetcher:
        return AsyncCurlFetcher(settings)


# Time that is bounded


def test_a_crawl_that_ended_by_itself_is_not_out_of_time() -> None:
    """Also when its hands take long to end."""
    crawl = Crawl(star(3))

    class Slow(FakeWeb):
        async def aclose(self) -> None:
            await asyncio.sleep(0.2)

    engine = crawl.engine(Slow(star(3)))

    async def run() -> None:
        async with asyncio.timeout(30):
            await engine.run(0.1)

    asyncio.run(run())
    assert crawl.states == {"done": 4}
    assert (engine.out_of_time, engine.stopped) == (False, False)


def test_who_is_interrupted_first_is_not_out_of_time() -> None:
    crawl = Crawl(star(3))
    gate = Gate(crawl.web)
    engine = crawl.engine(gate)

    async def run() -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(engine.run(0.1))
            await gate.wait_for(1)
            engine.stop()

    asyncio.run(run())
    assert crawl.states == {"leased": 1}
    assert (engine.out_of_time, engine.stopped) == (False, True)


def test_when_its_time_is_over_it_ends_at_once() -> None:
    crawl = Crawl(star(3))
    engine = crawl.engine(Gate(crawl.web))

    async def run() -> None:
        async with asyncio.timeout(30):
            await engine.run(0.1)

    asyncio.run(run())
    assert crawl.states == {"leased": 1}
    assert engine.out_of_time
