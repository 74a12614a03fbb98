"""The frontiers of one machine: their port's suite, a model, and what the ledgers keep."""

from collections import Counter
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import apsw
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from asyncmultispider import bans, traps
from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.frontier import workbench
from asyncmultispider.frontier.again import put_back
from asyncmultispider.frontier.base import LEASE, Changes
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.memory import MemoryLedger
from asyncmultispider.frontier.reader import reading
from asyncmultispider.frontier.sqlite import SqliteLedger
from asyncmultispider.model import FINAL, Link, Outcome, Reason, Request, State
from asyncmultispider.retry import SUSPECT, is_poison
from asyncmultispider.settings import Settings
from asyncmultispider.testing import (
    Driver,
    DurableFrontierSuite,
    FakeClock,
    again,
    begun,
    done,
    failed,
    link,
    lost,
    rules,
    rules_at,
    rules_lost,
)
from asyncmultispider.testing.frontiers.traps import convict

A = "http://a.example"


def easy(**options) -> Settings:
    plain = {"ignore_robots": True, "delay_factor": 0.0, "per_host": 1000}
    return Settings(seeds=(f"{A}/",), scope="any", **{**plain, **options})


def opened(ledger, settings: Settings, clock: FakeClock, *, crashed=False) -> LocalFrontier:
    now, wall = clock.monotonic(), clock.time()
    return LocalFrontier(ledger, settings, now=now, wall=wall, crashed=crashed)


class TestMemoryFrontier(DurableFrontierSuite):
    def make_frontier(self, settings: Settings, clock: FakeClock) -> LocalFrontier:
        self.ledger = MemoryLedger(clock=lambda: self.clock.time())
        return self.reopen_frontier(settings, clock)

    def reopen_frontier(self, settings: Settings, clock: FakeClock) -> LocalFrontier:
        self.clock = clock
        return opened(self.ledger, settings, clock)


class TestSqliteFrontier(DurableFrontierSuite):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.paths = (tmp_path / f"{n}.db" for n in count())

    def make_frontier(self, settings: Settings, clock: FakeClock) -> LocalFrontier:
        self.path = next(self.paths)
        return self.reopen_frontier(settings, clock)

    def reopen_frontier(self, settings: Settings, clock: FakeClock) -> LocalFrontier:
        return opened(SqliteLedger(self.path, clock.time), settings, clock)


class TestFewHeads(TestMemoryFrontier):
    """The same with short queues in memory: all the traffic between them and the ledger."""

    @pytest.fixture(autouse=True)
    def few_heads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workbench, "HEADS", 16)
        monkeypatch.setattr(workbench, "ALL_HEADS", 64)


# Both adapters against each other and a model

HOSTS = ("http://a.example", "http://b.example", "https://b.example", "http://c.example:8080")
RULES = "User-agent: *\nDisallow: /no"
urls = st.builds(
    "{}/{}{}".format, st.sampled_from(HOSTS), st.sampled_from(["", "no", "odd"]), st.integers(0, 60)
)


def found_link(url: str, depth: int, hops: int) -> Link:
    return link(url, depth, hops=hops, skip=Reason.TRAP if "/odd" in url else None)


links = st.lists(
    st.builds(found_link, urls, st.integers(0, 3), st.sampled_from([0, 0, 1])), max_size=30
)
HASTY = {
    bans: {"REFUSED": 2, "ALIKE": 3, "PARKED": 3, "OUTAGE": 3},
    traps: {"UNWATCHED": 2, "SUSPECTED": 2, "ENDLESS": 2},
    workbench: {"HEADS": 16, "ALL_HEADS": 64, "REFUSED": 2},
}
"""Short queues in memory, and quick verdicts on hosts and families."""


def refused(request: Request) -> Outcome:
    return replace(failed(request, "http-403"), status=403, refusal="status 403")


class Books(RuleBasedStateMachine):
    """Two frontiers over two ledgers live the same life; a plain dict says what must hold."""

    @initialize(
        slots=st.integers(1, 4),
        delay=st.sampled_from([0.0, 0.0, 2.0]),
        depth=st.sampled_from([None, 3]),
        robots=st.booleans(),
    )
    def set_up(self, slots: int, delay: float, depth: int | None, robots: bool) -> None:
        self.hasty = ExitStack()
        for module, values in HASTY.items():
            self.hasty.enter_context(mock.patch.multiple(module, **values))
        self.folder = TemporaryDirectory()
        self.settings = easy(per_host=slots, delay=delay, depth=depth, ignore_robots=not robots)
        self.slots, self.delay = slots, delay
        self.clock = FakeClock()
        self.memory = MemoryLedger(clock=lambda: self.clock.time())
        self.memory._seed = 0
        self.path = Path(self.folder.name) / "frontier.db"
        SqliteLedger(self.path).close()
        self.mood = "any"
        self.fresh = count(1000)
        self.waiting: dict[str, float] = {}
        self.ended: dict[str, State] = {}
        self.accepted: set[str] = set()
        self.lost: Counter[str] = Counter()
        self.depth: dict[str, int] = {}
        self.deaths: Counter[str] = Counter()
        self.begun: set[int] = set()
        self.ruled: dict[tuple[str, str], bool] = {}
        self.open()

    def open(self, *, crashed: bool = False) -> None:
        ledger = SqliteLedger(self.path, self.clock.time)
        self.durable = opened(ledger, self.settings, self.clock, crashed=crashed)
        self.fleeting = opened(self.memory, self.settings, self.clock, crashed=crashed)
        self.durable._tokens, self.fleeting._tokens = count(1), count(1)
        self.leased: list[Request] = []
        self.owners: dict[int, str] = {}
        self.ends: dict[str, float] = {}
        self.late: list[Request] = []
        self.started: dict[str, float] = {}

    def teardown(self) -> None:
        if not hasattr(self, "hasty"):
            return
        try:
            self.finish_all()
        finally:
            self.durable.close()
            self.fleeting.close()
            self.hasty.close()
            self.folder.cleanup()

    @rule(found=links)
    def add(self, found: list[Link]) -> None:
        new = {found.url for found in found} - self.accepted
        assert self.durable.add(found) == self.fleeting.add(found) == len(new)
        self.accept(found)

    def accept(self, found) -> None:
        for one in found:
            if one.url not in self.accepted:
                self.accepted.add(one.url)
                if one.skip is not None:
                    self.ended[one.url] = State.SUSPENDED
                    continue
                self.waiting[one.url] = 0.0
                self.depth[one.url] = one.depth
            elif self.settings.depth is not None and one.hops and one.url in self.waiting:
                self.depth[one.url] = min(self.depth[one.url], one.depth)

    @rule(room=st.sampled_from([0, 1, 3, 50]), owner=st.sampled_from(["one", "one", "two"]))
    def take(self, room: int, owner: str = "one") -> None:
        now = self.clock.monotonic()
        self.expire(now, owner)
        batch = self.durable.take(room, now, owner)
        other = self.fleeting.take(room, now, owner)
        assert batch == other
        assert len(batch.requests) <= room
        for request in batch.requests:
            self.owners[request.lease] = owner
            self.check_request(request)
        assert batch.wait is None or batch.wait >= 0
        states = self.durable.stats().states
        assert batch.ended == (not states[State.QUEUED] and not states[State.LEASED])

    def expire(self, now: float, taker: str) -> None:
        self.ends[taker] = now + LEASE
        for owner in [owner for owner, end in self.ends.items() if end <= now]:
            del self.ends[owner]
            for request in [r for r in self.leased if self.owners[r.lease] == owner]:
                self.leased.remove(request)
                self.late.append(request)
                self.lose(request)

    def lose(self, request: Request) -> None:
        if not request.aside:
            self.lost[request.url] += 1
            self.waiting[request.url] = 0.0

    def check_request(self, request: Request) -> None:
        assert not any(r.lost >= SUSPECT for r in self.leased), "a suspect is not alone"
        assert not self.leased or request.lost < SUSPECT, "a suspect is not alone"
        assert not is_poison(request.lost, request.deaths)
        assert request.aside or request.lost == self.lost[request.url]
        assert request.aside or request.deaths == self.deaths[request.url]
        now = self.clock.monotonic()
        if self.delay and request.host in self.started:
            assert now >= self.started[request.host] + self.delay
        self.started[request.host] = now
        self.leased.append(request)
        assert sum(r.host == request.host for r in self.leased) <= self.slots
        if request.aside:
            aside = [r for r in self.leased if r.aside and r.host == request.host]
            assert len(aside) == len({r.robots for r in aside}), "one of a kind at a time"
            return
        assert self.waiting.pop(request.url) <= self.clock.time() + 1e-6
        assert request.depth == self.depth[request.url]
        if not self.settings.ignore_robots:
            scheme = request.url.partition(":")[0]
            assert not (self.ruled[request.host, scheme] and "/no" in request.url)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), elapsed=st.sampled_from([0.0, 1.0]))
    def finish(self, data: st.DataObject, elapsed: float) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.leased), min_size=1, unique_by=id))
        self.settle([self.draw_outcome(data, request) for request in chosen])

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def begin_work(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.leased))
        if request.lease in self.begun:
            return
        self.begun.add(request.lease)
        told = [begun(request)]
        assert self.durable.finish(told, self.clock.monotonic()) == []
        assert self.fleeting.finish(told, self.clock.monotonic()) == []
        if not request.aside:
            self.deaths[request.url] += 1

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def finish_late(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.late))
        late = [self.draw_outcome(data, request)]
        before = self.durable.stats()
        assert self.durable.finish(late, self.clock.monotonic()) == late
        assert self.fleeting.finish(late, self.clock.monotonic()) == late
        assert self.durable.stats() == before

    def draw_outcome(self, data: st.DataObject, request: Request) -> Outcome:
        at, delay = self.clock.time(), data.draw(st.sampled_from([0.0, 1.0, 30.0]))
        overloaded = data.draw(st.integers(0, 5)) == 0
        retry = again(request, delay, at=at, overloaded=overloaded, wait=delay)
        if data.draw(st.integers(0, 3)) == 0:
            return lost(request)
        if request.robots:
            answers = [rules(request, at=at), rules(request, RULES, at=at), retry]
            answers += [rules_at(request, "http://d.example/x"), rules_lost(request)]
            return data.draw(st.sampled_from([*answers, rules_lost(request, Reason.DNS)]))
        said = 1 if self.mood == "same" else data.draw(st.integers(1, 4))
        page = replace(done(request, at=at), mark=said, gist=said if request.look else None)
        banned = refused(request)
        if self.mood == "banned":
            return banned
        if request.probe:
            return data.draw(st.sampled_from([page, banned, failed(request)]))
        found = data.draw(links) if data.draw(st.booleans()) else []
        deeper = tuple(replace(f, depth=request.depth + 1 - f.hops) for f in found)
        bad = failed(request, overloaded=overloaded)
        return data.draw(st.sampled_from([replace(page, links=deeper)] * 2 + [bad, banned, retry]))

    def settle(self, outcomes: list[Outcome]) -> None:
        assert self.durable.finish(outcomes, self.clock.monotonic()) == []
        assert self.fleeting.finish(outcomes, self.clock.monotonic()) == []
        for outcome in outcomes:
            request = outcome.request
            self.leased.remove(request)
            if outcome.reason == Reason.LOST:
                self.lose(request)
                continue
            if request.robots and outcome.robots.text is not None:
                text = outcome.robots.text.decode()
                # Whose rules they are, not where they were read.
                self.note_rules(request, bool(text))
            if request.aside:
                continue
            self.deaths[request.url] = 0
            if outcome.state is State.QUEUED:
                self.waiting[request.url] = outcome.at + outcome.retry_in
            else:
                assert request.url not in self.ended
                self.ended[request.url] = outcome.state
            self.accept(outcome.links)

    def note_rules(self, request: Request, strict: bool) -> None:
        robots = {(row.host, row.scheme): row.text for row in self.memory.robots.values()}
        for (host, scheme), text in robots.items():
            if host == request.host:
                self.ruled[host, scheme] = bool(text)

    @rule(mood=st.sampled_from(["any", "any", "banned", "same"]))
    def turn(self, mood: str) -> None:
        self.mood = mood

    @rule(seconds=st.sampled_from([0.5, 2.0, 31.0, 400.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(crash=st.booleans())
    def reopen(self, crash: bool) -> None:
        if crash:  # the leases are still in the ledgers
            self.durable._ledger.close()
        else:
            self.durable.close()
            self.fleeting.close()
        for request in self.leased:
            if crash:
                self.lose(request)
            elif not request.aside:
                self.waiting[request.url] = 0.0
                self.deaths[request.url] = max(0, self.deaths[request.url] - 1)
        self.begun.clear()
        self.open(crashed=crash)

    @invariant()
    def books_balance(self) -> None:
        if not hasattr(self, "durable"):
            return
        stats = self.durable.stats()
        assert stats == self.fleeting.stats()
        assert stats.accepted == len(self.accepted)
        assert stats.states[State.LEASED] == sum(not r.aside for r in self.leased)
        assert all(number >= 0 for number in stats.states.values())
        assert stats.states[State.DONE] == sum(s is State.DONE for s in self.ended.values())
        born = sum(s is State.SUSPENDED for s in self.ended.values())
        assert stats.states[State.SUSPENDED] >= born

    def finish_all(self) -> None:
        for _ in range(10_000):
            self.take(100)
            if self.leased:
                self.settle(list(map(self.last_answer, self.leased)))
                continue
            batch = self.durable.take(0, self.clock.monotonic(), "one")
            self.fleeting.take(0, self.clock.monotonic(), "one")
            if batch.ended:
                break
            assert batch.wait is not None, "stuck"
            self.clock.advance(batch.wait)
        else:
            raise AssertionError("no end in sight")
        self.books_balance()
        self.compare_rows()

    def last_answer(self, request: Request) -> Outcome:
        now = self.clock.time()
        if request.robots:
            return rules(request, at=now)
        if self.mood == "banned":
            return refused(request)
        if self.mood == "any" or request.probe:
            return done(request, at=now)
        more = f"{request.url.rpartition('/')[0]}/{next(self.fresh)}"
        found = [link(more, request.depth + 1)] if len(self.accepted) < 300 else []
        return replace(done(request, *found, at=now), mark=1, gist=1 if request.look else None)

    def compare_rows(self) -> None:
        with reading(self.path) as ledger:
            kept = {url: (state, reason) for state, reason, url in ledger.rows(None, None)}
        rows = {r.born.link.url: (r.state, r.reason) for r in self.memory.rows.values()}
        assert kept == rows
        assert set(rows) == self.accepted
        assert {url: rows[url][0] for url in self.ended} == self.ended
        for url in self.accepted - set(self.ended):  # those the frontier closed by itself
            assert rows[url] in (
                (State.SKIPPED, Reason.ROBOTS),
                (State.SUSPENDED, Reason.ROBOTS_UNAVAILABLE),
                (State.SUSPENDED, Reason.UNREACHABLE),
                (State.SUSPENDED, Reason.BANNED),
                (State.SUSPENDED, Reason.TRAP),
                (State.FAILED, Reason.DNS),
                (State.FAILED, Reason.POISON),
            )
            poison = rows[url][1] == Reason.POISON and self.settings.ignore_robots
            assert not poison or is_poison(self.lost[url], self.deaths[url])


Books.TestCase.settings = limits(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestBooks = Books.TestCase


# What the ledgers keep


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "frontier.db"


def sqlite_driver(path: Path, settings: Settings, *urls: str) -> Driver:
    clock = FakeClock()
    driver = Driver(opened(SqliteLedger(path, clock.time), settings, clock), clock)
    driver.frontier.add(map(link, urls))
    return driver


def entries(path: Path) -> dict[str, tuple[str, str | None]]:
    with reading(path) as ledger:
        return {url: (state, reason) for state, reason, url in ledger.rows(None, None)}


def test_final_states_have_their_reasons(path: Path) -> None:
    urls = [f"{A}/{n}" for n in range(4)]
    driver = sqlite_driver(path, easy(ignore_robots=False), *urls, f"{A}/no")
    driver.frontier.add([link(f"{A}/out", skip=Reason.SCOPE)])
    driver.finish(rules(driver.take()[0], RULES))
    one, two, *_ = driver.take(3)
    driver.finish(done(one), failed(two, "http-404"))
    assert entries(path) == {
        urls[0]: ("done", None),
        urls[1]: ("failed", "http-404"),
        urls[2]: ("leased", None),
        urls[3]: ("queued", None),
        f"{A}/no": ("queued", None),  # nobody has come to it yet
        f"{A}/out": ("skipped", "scope"),
    }
    driver.take()
    assert entries(path)[f"{A}/no"] == ("skipped", "robots")
    driver.frontier.close()


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (rules_lost, ("suspended", "robots-unavailable")),
        (lambda r: rules_lost(r, Reason.TLS), ("failed", "tls")),
    ],
)
def test_urls_without_rules_say_why(path: Path, answer, end) -> None:
    driver = sqlite_driver(path, easy(ignore_robots=False), f"{A}/1")
    driver.run(answer)
    assert entries(path) == {f"{A}/1": end}
    driver.frontier.close()


def test_urls_of_a_host_given_up_are_unreachable(path: Path) -> None:
    driver = sqlite_driver(path, easy(per_host=1), *(f"{A}/{n}" for n in range(40)))

    def answer(request: Request) -> Outcome:
        driver.clock.advance(1)
        return failed(request, Reason.CONNECT, overloaded=True)

    driver.run(answer)
    ends = Counter(entries(path).values())
    assert set(ends) == {("failed", "connect"), ("suspended", "unreachable")}
    driver.frontier.close()


def test_what_is_suspended_says_why(path: Path) -> None:
    driver = sqlite_driver(path, easy(per_host=1), *(f"{A}/{n}" for n in range(30)))
    driver.frontier.add([replace(link(f"{A}/x/x/x/x", skip=Reason.TRAP), note="/x, again")])
    driver.run(refused)
    with reading(path) as ledger:
        notes = {(e.reason, e.note) for e, _ in ledger.entries("suspended")}
        assert notes == {
            ("trap", "/x, again"),
            ("banned", "12 answers in a row were refusals (status 403)"),
        }
        assert all(entry.note is None for entry, _ in ledger.entries("failed"))
    driver.frontier.close()


def test_what_was_released_is_handed_out_and_not_convicted_again(path: Path) -> None:
    with mock.patch.multiple(traps, UNWATCHED=3, SUSPECTED=6, ENDLESS=5):
        driver = sqlite_driver(path, easy(per_host=2))
        convict(driver)
        driver.frontier.add([replace(link(f"{A}/x/x/x/x", skip=Reason.TRAP), note="/x, again")])
        driver.run(done)
        closed = driver.count(State.SUSPENDED)
        driver.frontier.close()
        assert put_back(path, State.SUSPENDED, [Reason.TRAP]) == closed > 1
        driver = sqlite_driver(path, easy(per_host=2))
        numbers = iter(range(10_000, 10_300))

        def answer(request: Request) -> Outcome:
            more = [link(f"{A}/cal/{n}") for n in [next(numbers, None)] if n is not None]
            return replace(done(request, *more), gist=7)

        sent = driver.run(answer)
        assert len(sent) == closed + 300
        driver.frontier.close()
        driver = sqlite_driver(path, easy(per_host=2), f"{A}/cal/late")  # once more, with no URL
        assert driver.urls() == [f"{A}/cal/late"]
        driver.frontier.close()
    assert set(entries(path).values()) == {("done", None), ("queued", None)}


def test_a_ban_that_was_released_is_over(path: Path) -> None:
    driver = sqlite_driver(path, easy(per_host=1), *(f"{A}/{n}" for n in range(30)))
    driver.run(refused)
    parked = driver.count(State.SUSPENDED)
    driver.frontier.close()
    assert put_back(path, State.SUSPENDED, [Reason.BANNED], "a.example") == parked
    driver = sqlite_driver(path, easy(per_host=1))
    assert len(driver.run(done)) == parked
    driver.frontier.close()


def test_each_try_that_failed_is_kept(path: Path) -> None:
    driver = sqlite_driver(path, easy(), f"{A}/1")
    (page,) = driver.take()
    driver.finish(again(page, 5, at=driver.clock.time()))
    driver.clock.advance(5)
    (page,) = driver.take()
    driver.finish(failed(page, "http-500"))
    with reading(path) as ledger:
        entry = ledger.find(f"{A}/1")
        assert entry is not None
        assert (entry.state, entry.attempts, entry.reason) == ("failed", 2, "http-500")
        assert sorted(str(t.reason) for t in ledger.tries(entry)) == ["http-500", "timeout"]
    driver.frontier.close()


def test_a_crash_repeats_what_was_leased(path: Path) -> None:
    driver = sqlite_driver(path, easy(), f"{A}/1", f"{A}/2")
    one, _ = driver.take()
    driver.finish(done(one, link(f"{A}/3", 1)))
    # No close: the process is gone, its file handle with it.
    clock = FakeClock()
    frontier = opened(SqliteLedger(path, clock.time), easy(), clock)
    requests = Driver(frontier, clock).take()
    assert [r.url for r in requests] == [f"{A}/2", f"{A}/3"]
    frontier.close()
    driver.frontier._ledger.close()


class FullDisk(SqliteLedger):
    full = False

    def apply(self, changes: Changes) -> None:
        if self.full and changes.settled:
            changes.settled.append(changes.settled[0])
            changes.born.append(changes.born[0])  # breaks the transaction at its second half
        super().apply(changes)


def test_a_step_is_written_whole_or_not_at_all(path: Path) -> None:
    ledger = FullDisk(path)
    clock = FakeClock()
    driver = Driver(opened(ledger, easy(), clock), clock)
    driver.frontier.add([link(f"{A}/1")])
    (page,) = driver.take()
    ledger.full = True
    with pytest.raises(StorageError, match=r"frontier\.db"):
        driver.frontier.finish([done(page, link(f"{A}/2", 1))], clock.monotonic())
    driver.frontier.close()
    assert entries(path) == {f"{A}/1": ("leased", None)}  # who opens it looks what is stored
    frontier = opened(SqliteLedger(path), easy(), clock)
    (page,) = Driver(frontier, clock).take()
    assert (page.url, page.attempt, page.lost) == (f"{A}/1", 1, 0)
    frontier.close()


def test_files_that_are_not_ours_are_left_alone(path: Path) -> None:
    path.write_bytes(b"my diary, not a database" * 100)
    with pytest.raises(UsageError, match="not a file of this program"):
        SqliteLedger(path)
    assert path.read_bytes().startswith(b"my diary")


def test_databases_of_others_are_left_alone(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE diary(day TEXT)")
    db.close()
    with pytest.raises(UsageError, match="not a file of this program"):
        SqliteLedger(path)


def test_a_file_that_can_not_be_made_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"frontier\.db"):
        SqliteLedger(tmp_path / "missing" / "frontier.db")


def test_all_hosts_together_hold_about_as_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "ALL_HEADS", 2_000)
    ledger = MemoryLedger()
    frontier = opened(ledger, easy(), FakeClock())
    hosts = [f"http://h{n}.example" for n in range(200)]
    for round in range(100):
        frontier.add(link(f"{host}/{round}") for host in hosts)
    held = sum(len(host.heads) for host in frontier._bench._hosts.values())
    assert held <= 2 * 2_000
    assert frontier.stats().states[State.QUEUED] == 20_000


def test_final_states_are_final() -> None:
    assert {State.DONE, State.FAILED, State.SKIPPED, State.SUSPENDED} == FINAL
