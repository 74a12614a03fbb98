"""What stays bounded in memory however many hosts there are, and is right all the same."""

import tracemalloc
from pathlib import Path

import pytest

import test_frontier
from asyncmultispider.errors import StorageError
from asyncmultispider.frontier import gate, workbench
from asyncmultispider.frontier.gate import Gate
from asyncmultispider.frontier.host import Host
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.memory import MemoryLedger
from asyncmultispider.frontier.sqlite import SqliteLedger
from asyncmultispider.model import Outcome, Request, State
from asyncmultispider.robots import SILENT, Policy, Robots
from asyncmultispider.settings import Settings
from asyncmultispider.testing import Driver, FakeClock, done, link, rules, rules_at, rules_lost

A = "http://a.example"
DAY = 24 * 3600.0
HOSTS = [f"http://h{n}.example" for n in range(60)]


class TestNoRoom(test_frontier.TestSqliteFrontier):
    """The frontier's suite where nothing is held in memory that can be read again."""

    @pytest.fixture(autouse=True)
    def no_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workbench, "ALL_HEADS", 0)
        monkeypatch.setattr(gate, "ALL_RULES", 0)


class TestLittleRoom(test_frontier.TestSqliteFrontier):
    """And where a few hosts have a short queue there, and the others none."""

    @pytest.fixture(autouse=True)
    def little_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workbench, "HEADS", 4)
        monkeypatch.setattr(workbench, "ALL_HEADS", 3)


def polite(**options) -> Settings:
    return test_frontier.easy(ignore_robots=False, **options)


def drive(ledger, settings: Settings, clock: FakeClock) -> Driver:
    return Driver(test_frontier.opened(ledger, settings, clock), clock)


def strict(request: Request) -> Outcome:
    """A long robots.txt for each host, that forbids what has its name."""
    if not request.robots:
        return done(request)
    lines = [f"Disallow: /{request.host}/{n}/" for n in range(50)]
    return rules(request, "\n".join(["User-agent: *", f"Disallow: /no/{request.host}", *lines]))


def hosts_of(frontier: LocalFrontier) -> list[Host]:
    return list(frontier._bench._hosts.values())


def gates_of(frontier: LocalFrontier) -> list[Gate]:
    return [gate for host in hosts_of(frontier) for gate in host.gates]


def test_rules_that_are_read_again_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gate, "ALL_RULES", 50_000)
    driver = drive(SqliteLedger(tmp_path / "frontier.db"), polite(), FakeClock())
    for turn in range(3):
        found = [f"{at}/no/{at[7:]}/{turn}" for at in HOSTS]
        driver.frontier.add(map(link, [*found, *(f"{at}/yes/{turn}" for at in HOSTS)]))
        sent = [request.url for request in driver.run(strict)]
        asked = [f"{at}/robots.txt" for at in HOSTS if not turn]
        assert sorted(sent) == sorted(asked + [f"{at}/yes/{turn}" for at in HOSTS])
        assert driver.count(State.SKIPPED) == (turn + 1) * len(HOSTS)
        held = [one.rules.size for one in gates_of(driver.frontier) if one.rules]
        assert 0 < sum(held) <= 50_000
        assert len(held) < len(HOSTS)
    driver.frontier.close()


def test_the_rules_used_last_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "ALL_RULES", 50_000)
    driver = drive(MemoryLedger(), polite(per_host=1, delay=1.0), FakeClock())
    driver.frontier.add(link(f"{at}/{n}") for at in HOSTS for n in range(2))
    driver.run(strict)
    driver.clock.advance(1)
    driver.frontier.add([link(f"{HOSTS[0]}/more")])
    driver.run(strict)
    driver.frontier.add(link(f"{at}/last") for at in HOSTS[1:9])
    driver.run(strict)
    rules_of = {gate.host: gate.rules for gate in gates_of(driver.frontier)}
    assert all(rules_of[at[7:]] for at in HOSTS[:9])
    driver.frontier.close()


def test_a_file_larger_than_all_that_may_be_held_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "ALL_RULES", 10)
    driver = drive(MemoryLedger(), polite(), FakeClock())
    driver.frontier.add(link(f"{at}/{n}") for at in HOSTS[:2] for n in ("no/h0.example", "yes"))
    sent = [request.url for request in driver.run(strict) if not request.robots]
    assert sorted(sent) == [f"{HOSTS[0]}/yes", f"{HOSTS[1]}/no/h0.example", f"{HOSTS[1]}/yes"]
    driver.frontier.close()


def forget_rules(driver: Driver) -> None:
    """As when those of others had pushed them out of memory."""
    shelf = driver.frontier._bench._shelf
    for one in gates_of(driver.frontier):
        shelf._drop(one)


@pytest.mark.parametrize("answer", [rules_lost, lambda r: rules_at(r, f"{A}/for/ever")])
def test_after_a_day_rules_that_were_forgotten_give_way_or_hold(answer) -> None:
    driver = drive(MemoryLedger(), polite(), FakeClock())
    driver.frontier.add([link(f"{A}/1")])
    driver.run(lambda r: rules(r, "User-agent: *\nDisallow: /no") if r.robots else done(r))
    forget_rules(driver)
    driver.clock.advance(DAY + 1)
    driver.frontier.add([link(f"{A}/no/1"), link(f"{A}/2")])
    sent = [r.url for r in driver.run(lambda r: answer(r) if r.robots else done(r))]
    # It can't be had: what was read holds. It moves for ever: that is as if there were none.
    assert (f"{A}/no/1" in sent) == (answer is not rules_lost)
    assert f"{A}/2" in sent
    forget_rules(driver)
    driver.frontier.add([link(f"{A}/no/2"), link(f"{A}/3")])
    sent = [r.url for r in driver.run(done)]
    assert sent == ([f"{A}/3"] if answer is rules_lost else [f"{A}/no/2", f"{A}/3"])
    driver.frontier.close()


def test_a_crawl_delay_is_kept_when_its_rules_are_forgotten() -> None:
    driver = drive(MemoryLedger(), polite(), FakeClock())
    driver.frontier.add(link(f"{A}/{n}") for n in range(3))
    (asked,) = driver.take()
    driver.finish(rules(asked, "User-agent: *\nDisallow: /no\nCrawl-delay: 7"))
    for _ in range(3):
        forget_rules(driver)
        assert driver.pause() == 7
        assert len(driver.take()) == 1
    driver.frontier.close()


def test_rules_that_are_missing_in_the_ledger_are_not_taken_for_none(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "frontier.db")
    with pytest.raises(StorageError, match=r"a\.example"):
        ledger.rules("a.example", "http")
    ledger.close()


def test_with_more_hosts_than_heads_most_queues_are_in_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workbench, "ALL_HEADS", 20)
    driver = drive(MemoryLedger(), polite(per_host=1, delay=1.0), FakeClock())
    driver.frontier.add(link(f"{at}/{n}") for n in range(8) for at in HOSTS)
    sent = 0
    for _ in range(300):
        taken = driver.take(10)
        sent += sum(not request.robots for request in taken)
        held = [len(host.heads) for host in hosts_of(driver.frontier)]
        assert sum(held) <= 2 * 20
        driver.finish(*map(strict, taken))
        driver.clock.advance(0.3)
    assert sent == 8 * len(HOSTS)
    driver.frontier.close()


def test_levels_are_kept_with_no_heads_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "ALL_HEADS", 0)
    driver = drive(MemoryLedger(), polite(depth=3), FakeClock())
    driver.frontier.add(link(at + "/") for at in HOSTS[:5])

    def answer(request: Request) -> Outcome:
        found = [link(f"{at}/{request.depth}/{n}", request.depth + 1) for at in HOSTS for n in "ab"]
        return (
            strict(request) if request.robots else done(request, *found[: 20 - 4 * request.depth])
        )

    depths = [request.depth for request in driver.run(answer, room=3) if not request.robots]
    assert depths == sorted(depths)
    assert max(depths) > 3
    driver.frontier.close()


def test_a_host_with_nothing_left_takes_little_memory() -> None:
    driver = drive(MemoryLedger(), polite(), FakeClock())
    urls = [f"http://host{n}.example/" for n in range(2_000)]
    tracemalloc.start()
    driver.frontier._ledger.apply = lambda changes: None  # memory of the frontier alone
    driver.frontier.add(map(link, urls))
    while requests := driver.frontier.take(100, 0.0, "test").requests:
        driver.frontier.finish([rules(r) if r.robots else done(r) for r in requests], 0.0)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert driver.count(State.DONE) == len(urls)
    assert held / len(urls) < 1_500
    driver.frontier.close()


# What a crawl keeps of a robots.txt


def test_a_policy_says_what_its_file_says() -> None:
    robots = Robots.parse(
        b"User-agent: *\nDisallow: /a\n\nUser-agent: Foo\nAllow: /a/b\nDisallow: /"
    )
    for agent in ("Foo/1.0", "Bar"):
        policy = robots.policy(agent)
        assert policy is robots.policy(agent)
        for path in ("/", "/a", "/a/b", "/%61/c", "/robots.txt"):
            assert policy.allows(A + path) == robots.allows(A + path, agent)


@pytest.mark.parametrize("text", [b"", b"User-agent: *\nAllow: /", b"User-agent: Bar\nDisallow: /"])
def test_files_that_forbid_us_nothing_take_nothing(text: bytes) -> None:
    assert Robots.parse(text).policy("Foo") is SILENT


def test_a_delay_without_rules_is_kept() -> None:
    policy = Robots.parse(b"User-agent: *\nCrawl-delay: 3").policy("Foo")
    assert (policy.crawl_delay, policy.size) == (3.0, 0)


def taken_by(text: bytes) -> tuple[Policy, int]:
    Robots.parse(text).policy("Foo")  # caches fill
    tracemalloc.start()
    policy = Robots.parse(text).policy("Foo")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return policy, held


@pytest.mark.parametrize(
    "line", ["/{}", "/%61{}", "*{}", "/{}*b*cc$", "/{}" + 500 * "long", "/{}$"]
)
def test_a_policy_tells_its_size(line: str) -> None:
    lines = ["User-agent: *", *(f"Disallow: {line.format(n)}" for n in range(1_000))]
    policy, held = taken_by("\n".join(lines).encode())
    assert held / 1.5 < policy.size < 3 * held
