"""Bans: hosts that refuse us, or answer all with one page, and those that only seem to."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings as limits
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from asyncmultispider import politeness
from asyncmultispider.bans import (
    ALIKE,
    MOST_PATIENCE,
    OUTAGE,
    PARKED,
    REFUSED,
    Reception,
    refusal_of,
)
from asyncmultispider.engines.exchange import Books
from asyncmultispider.frontier.base import LEASE
from asyncmultispider.frontier.local import LocalFrontier
from asyncmultispider.frontier.memory import MemoryLedger, Row
from asyncmultispider.judge import Judge
from asyncmultispider.model import Outcome, Reason, Request, Response, State
from asyncmultispider.settings import ENGINES, Settings
from asyncmultispider.store.memory import MemoryStore
from asyncmultispider.testing import Driver, FakeClock, lost, reply
from asyncmultispider.testing.outcomes import link
from crawling import Crawled, links
from webserver import Recorded, Reply, Site

CrawlSite = Callable[..., Crawled]
A, B = "http://a.example/", "http://b.example/"
WALL = "<title>Just a moment...</title><script>window._cf_chl_opt={}</script>"


# Receptions


def outcome(url: str = A, *, probe: bool = False, **what: Any) -> Outcome:
    request = Request(id=1, url=url, host="a.example", probe=probe)
    rest = {"state": State.DONE, "reason": None, "at": 0.0, "elapsed": 0.0, **what}
    return Outcome(request=request, **rest)


def page(mark: int, url: str = A) -> Outcome:
    return outcome(url, status=200, mark=mark, size=100)


def refused() -> Outcome:
    return outcome(status=403, refusal="status 403")


def hear(reception: Reception, *outcomes: Outcome) -> Reception:
    for each in outcomes:
        reception.hear(each)
    return reception


@pytest.mark.parametrize("status", [403, 429, 503])
def test_statuses_of_refusal(status: int) -> None:
    assert refusal_of(reply("", status=status)) == f"status {status}"


@pytest.mark.parametrize("status", [200, 301, 401, 404, 410, 451, 500, 502])
def test_other_statuses(status: int) -> None:
    assert refusal_of(reply("", status=status)) is None


def test_a_row_of_refusals_raises_the_suspicion() -> None:
    reception = hear(Reception(), page(1, f"{A}good"), *[refused()] * (REFUSED - 1))
    assert reception.probe is None
    reception.hear(refused())
    assert (reception.probe, reception.cold) == (f"{A}good", False)
    assert reception.why == f"{REFUSED} answers in a row were refusals (status 403)"


@pytest.mark.parametrize("between", [page(2), outcome(status=404), outcome(status=301)])
def test_any_other_answer_ends_the_row(between: Outcome) -> None:
    row = [refused()] * (REFUSED - 1)
    assert hear(Reception(), page(1), *row, between, *row).probe is None


def test_what_is_no_answer_does_not_end_it() -> None:
    timeout = outcome(state=State.FAILED, reason=Reason.TIMEOUT)
    row = [refused(), timeout] * REFUSED
    assert hear(Reception(), page(1), *row).probe == A


def test_one_body_for_many_urls_raises_the_suspicion() -> None:
    reception = hear(Reception(), page(1, f"{A}good"), *[page(2)] * (ALIKE - 1))
    assert reception.probe is None
    reception.hear(page(2))
    assert (reception.probe, reception.cold) == (f"{A}good", False)
    assert reception.why == f"{ALIKE} URLs in a row gave one and the same page"


def test_a_host_that_never_had_another_page_is_not_suspected() -> None:
    reception = hear(Reception(), *[page(1)] * 10 * ALIKE)
    assert (reception.probe, reception.cold) == (None, False)


def test_where_nothing_good_came_the_front_page_is_asked_for() -> None:
    no = outcome(f"{A}shut/1", status=403, refusal="status 403")
    assert hear(Reception(), *[no] * REFUSED).probe == f"{A}"
    late = hear(Reception(), no, page(1, f"{A}good"), *[no] * REFUSED)
    assert late.probe == f"{A}good"


@pytest.mark.parametrize(
    ("row", "answer", "cold"),
    [
        ([refused()] * REFUSED, {"refusal": "status 403", "status": 403}, True),
        ([refused()] * REFUSED, {"mark": 1, "status": 200}, False),
        ([refused()] * REFUSED, {"mark": 3, "status": 200}, False),
        ([refused()] * REFUSED, {"status": 404}, False),
        ([refused()] * REFUSED, {}, False),
        ([page(2)] * ALIKE, {"mark": 2, "status": 200}, True),
        ([page(2)] * ALIKE, {"mark": 1, "status": 200}, False),
        ([page(2)] * ALIKE, {"mark": 3, "status": 200}, False),
        ([page(2)] * ALIKE, {"refusal": "captcha", "status": 200}, True),
    ],
)
def test_the_page_asked_for_again_decides(
    row: list[Outcome], answer: dict[str, Any], cold: bool
) -> None:
    reception = hear(Reception(), page(1), *row)
    reception.asking = True
    assert reception.probe is None, "once at a time"
    reception.probed(outcome(probe=True, **answer))
    assert (reception.cold, reception.asking, reception.probe) == (cold, False, None)


def test_a_ban_that_is_lifted() -> None:
    reception = hear(Reception(), page(1), *[refused()] * REFUSED)
    reception.probed(outcome(probe=True, status=403, refusal="status 403"))
    assert hear(reception, refused()).cold
    assert not hear(reception, page(5)).cold


rows = st.sampled_from([1, 1, REFUSED - 1, REFUSED, ALIKE, 3 * ALIKE])
answers = st.sampled_from(["same", "refusal", "last", "new", "error", "silence"])


class Host(RuleBasedStateMachine):
    """A host that answers as it likes. What we make of it follows from rows, counted here anew."""

    def __init__(self) -> None:
        super().__init__()
        self.reception = Reception()
        self.refused = self.alike = self.trusted = self.pages = 0
        self.first: int | None = None
        self.last: int | None = None
        self.banned = False

    @rule()
    def give_another_page(self) -> None:
        self.pages += 1
        self.give(self.pages)

    @rule(times=rows)
    def give_one_page(self, times: int) -> None:
        for _ in range(times):
            self.give(-1)

    def give(self, mark: int) -> None:
        self.first = self.first or mark
        self.alike = self.alike + 1 if mark == self.last else 1
        self.last, self.refused = mark, 0
        self.reception.hear(page(mark))

    @rule(times=rows)
    def refuse(self, times: int) -> None:
        for _ in range(times):
            self.refused += 1
            self.reception.hear(refused())

    @rule()
    def not_found(self) -> None:
        self.refused = 0
        self.reception.hear(outcome(status=404))

    @rule()
    def fall_silent(self) -> None:
        self.reception.hear(outcome(state=State.FAILED, reason=Reason.TIMEOUT))

    @precondition(lambda self: self.reception.probe)
    @rule(answer=answers)
    def ask_again(self, answer: str) -> None:
        self.reception.asking = True
        assert self.reception.probe is None
        self.pages += 1
        told: dict[str, Any] = {
            "same": {"status": 200, "mark": self.first or 1},
            "refusal": {"status": 403, "refusal": "status 403"},
            "last": {"status": 200, "mark": self.last},
            "new": {"status": 200, "mark": self.pages},
            "error": {"status": 500},
            "silence": {},
        }[answer]
        self.reception.probed(outcome(probe=True, **told))
        self.banned = answer == "refusal" or (
            answer == "last" and self.alike >= ALIKE and self.first != self.last
        )
        if not self.banned:
            self.trusted += 1
            self.refused = self.alike = 0

    @property
    def suspicious(self) -> bool:
        alike = self.alike >= ALIKE and self.last != self.first
        return self.refused >= REFUSED or alike

    @invariant()
    def rows_are_counted(self) -> None:
        assert self.reception.refused == self.refused
        assert self.reception.alike == self.alike

    @invariant()
    def it_is_cold_only_when_it_was_asked(self) -> None:
        self.banned = self.banned and self.suspicious
        assert not self.reception.cold or self.banned

    @invariant()
    def it_is_asked_ever_more_seldom(self) -> None:
        if self.reception.probe is not None:
            rows = self.refused / REFUSED, self.alike / ALIKE
            assert max(rows) >= min(2**self.trusted, MOST_PATIENCE)


Host.TestCase.settings = limits(max_examples=100, stateful_step_count=40, deadline=None)
TestHost = Host.TestCase


# Hosts, by a clock that only a test moves


class Crowd:
    """A crawl of hosts that answer as `web` says: a status, a page, or a whole response."""

    def __init__(self, *urls: str, **options: Any) -> None:
        plain = {"ignore_robots": True, "delay_factor": 0.0, "per_host": 1, "scope": "any"}
        self.settings = Settings(seeds=(A,), **{**plain, **options})
        self.clock = FakeClock()
        self.ledger = MemoryLedger(clock=lambda: self.clock.time())
        self.judge = Judge(self.settings)
        self.began = self.clock.monotonic()
        self.open()
        self.driver.frontier.add(map(link, urls))
        self.sent: list[Request] = []

    def open(self) -> None:
        """A new frontier over the same ledger."""
        now, wall = self.clock.monotonic(), self.clock.time()
        frontier = LocalFrontier(self.ledger, self.settings, now=now, wall=wall, crashed=False)
        self.driver = Driver(frontier, self.clock)

    def run(self, web: Callable[[Request], int | str | Response]) -> "Crowd":
        def answer(request: Request) -> Outcome:
            self.sent.append(request)
            return self.answer(request, web(request))

        self.driver.run(answer)
        return self

    def answer(self, request: Request, said: int | str | Response) -> Outcome:
        said = reply(f"no: {said}", status=said) if isinstance(said, int) else said
        said = reply(said) if isinstance(said, str) else said
        judged = self.judge(request, replace(said, at=self.clock.time()))
        assert isinstance(judged, Outcome)
        return judged

    @property
    def ends(self) -> Counter[str]:
        rows = self.ledger.rows.values()
        return Counter(f"{row.state}:{row.reason}" if row.reason else row.state for row in rows)

    @property
    def note(self) -> str:
        """What is said of the host that was parked."""
        (note,) = {row.note for row in self.ledger.rows.values() if "in a row" in (row.note or "")}
        return note or ""

    def rows(self, host: str) -> list[Row]:
        return [row for row in self.ledger.rows.values() if row.born.link.host == host]

    def visits(self, host: str) -> list[Request]:
        return [request for request in self.sent if request.host == host]

    @property
    def took(self) -> float:
        return self.clock.monotonic() - self.began

    @property
    def probes(self) -> list[str]:
        return [request.url for request in self.sent if request.probe]


def urls(base: str, number: int) -> list[str]:
    return [f"{base}{n}" for n in range(number)]


def text(request: Request) -> str:
    """A page like no other, for it says more than its address."""
    return f"page {hash(request.url)}"


def after(pages: int, then: int | str | Response) -> Callable[[Request], int | str | Response]:
    """A web of which each host gives so many pages, and from then on only this."""
    given: Counter[str] = Counter()

    def web(request: Request) -> int | str | Response:
        given[request.host] += 1
        return text(request) if given[request.host] <= pages else then

    return web


BANS: dict[str, int | str | Response] = {
    "status 403": 403,
    "status 429": 429,
    "status 503": 503,
    "Cloudflare": reply(WALL),
    "(Cloudflare)": reply(WALL, status=403),
    "one and the same page": "You are blocked, and so is everybody else.",
}
"""By what the note says of them."""


@pytest.mark.parametrize("depth", [None, 0])
@pytest.mark.parametrize("kind", BANS)
@pytest.mark.parametrize("pages", [0, 30])
def test_a_host_that_bans_us_is_asked_ever_more_slowly_and_parked(
    kind: str, pages: int, depth: int | None
) -> None:
    if not pages and isinstance(BANS[kind], str):
        pytest.skip("it is all that this host has")
    crowd = Crowd(*urls(A, 100), *urls(B, 100), depth=depth)
    web = after(pages, BANS[kind])
    crowd.run(lambda request: text(request) if request.host == "b.example" else web(request))
    rows = crowd.rows("a.example")
    assert sum(row.reason == Reason.BANNED for row in rows) > 40
    assert all(row.state is not State.QUEUED for row in rows)
    assert kind in crowd.note
    assert len(crowd.probes) == 1
    strikes = OUTAGE if kind == "status 503" else PARKED
    assert len(crowd.visits("a.example")) < pages + ALIKE + strikes + 2
    assert crowd.took == sum(2**n for n in range(strikes - 1)), "and not a second longer"
    assert all(row.state is State.DONE for row in crowd.rows("b.example"))


@pytest.mark.parametrize("depth", [None, 0])
@pytest.mark.parametrize("start", [0, 20, 200])
def test_a_closed_corner_of_a_site_is_no_ban(start: int, depth: int | None) -> None:
    shut = set(urls(A, start + 100)[start:])
    crowd = Crowd(*urls(A, 300), depth=depth)
    crowd.run(lambda request: 403 if request.url in shut else text(request))
    assert crowd.ends == {"done": 200, "failed:http-403": 100}
    assert crowd.took == 0
    assert len(crowd.probes) <= 5


@pytest.mark.parametrize("status", [429, 503])
def test_a_corner_that_is_out_of_order_is_no_ban(status: int) -> None:
    shut = set(urls(A, 150)[50:])
    crowd = Crowd(*urls(A, 200))
    crowd.run(lambda request: status if request.url in shut else text(request))
    assert crowd.ends == {"done": 100, f"failed:http-{status}": 100}
    assert crowd.took < 600


def test_a_site_whose_leaves_are_all_alike_is_no_ban() -> None:
    crowd = Crowd(A, *urls(f"{A}leaf", 1000))
    leaf = "There is nothing on this page, nor on any other."
    crowd.run(lambda request: leaf if "leaf" in request.url else text(request))
    assert (crowd.ends["done"], crowd.took) == (1001 - crowd.ends["suspended:trap"], 0)
    assert set(crowd.probes) == {A}
    assert len(crowd.probes) <= 6


def test_pages_of_a_word_are_not_compared() -> None:
    crowd = Crowd(A, *urls(f"{A}leaf", 100))
    crowd.run(lambda request: "leaf" if "leaf" in request.url else text(request))
    assert (crowd.ends, crowd.took, crowd.probes) == ({"done": 101}, 0, [])


def test_a_front_page_that_is_never_the_same_and_leaves_that_are_alike() -> None:
    crowd = Crowd(A, *urls(f"{A}leaf", 100))
    leaf = "There is nothing on this page, nor on any other."
    crowd.run(lambda r: leaf if "leaf" in r.url else f"{text(r)} {len(crowd.sent)}")
    assert (crowd.ends, crowd.took) == ({"done": 101}, 0)


def test_a_host_that_asks_for_a_rest_has_it_each_time() -> None:
    crowd = Crowd(*urls(A, 100))
    crowd.run(after(30, reply("busy", status=429, headers={"retry-after": "100"})))
    assert crowd.ends["suspended:banned"] == 69
    assert crowd.took == 100 * (PARKED - 1)
    assert "status 429" in crowd.note


@pytest.mark.parametrize("kind", BANS)
def test_a_ban_that_is_lifted_in_time_leaves_no_trace(kind: str) -> None:
    crowd = Crowd(*urls(A, 200), retries=9)
    row = {"one and the same page": ALIKE + 4, "status 403": REFUSED + 4}.get(kind, REFUSED)

    def web(request: Request) -> int | str | Response:
        return BANS[kind] if 30 < len(crowd.sent) <= 30 + row else text(request)

    crowd.run(web)
    assert crowd.took >= 1
    refused = row if kind == "status 403" else 0
    assert crowd.ends["done"] == 200 - crowd.ends["failed:http-403"] >= 200 - refused


def test_what_waits_for_another_try_is_parked_too() -> None:
    crowd = Crowd(*urls(A, 100), per_host=3, retries=9)
    crowd.run(after(30, 429))
    assert crowd.ends == {"done": 30, "suspended:banned": 70}


@pytest.mark.parametrize("wait", ["0", "3600"])
def test_links_to_a_parked_host_are_closed_at_once(wait: str) -> None:
    crowd = Crowd(*urls(A, 10))
    crowd.run(after(0, reply("", status=429, headers={"retry-after": wait})))
    took = crowd.took
    crowd.driver.frontier.add(map(link, urls(f"{A}late/", 5)))
    assert crowd.driver.offer().requests == []
    assert crowd.driver.offer().ended
    assert crowd.ends["suspended:banned"] > 10
    assert crowd.took == took


def test_nobody_can_make_us_park_another_host() -> None:
    crowd = Crowd(A, *urls(f"{B}shut/", 50))

    def web(request: Request) -> int | str:
        if "/shut/" in request.url:
            return 403
        return links(*urls(f"{B}good/", 20)) if request.url == f"{B}19" else text(request)

    crowd.run(web)
    crowd.driver.frontier.add(map(link, urls(f"{B}good/", 20)))
    crowd.run(web)
    assert crowd.ends == {"done": 21, "failed:http-403": 50}
    assert (crowd.probes[0], crowd.took) == (B, 0)


def test_what_robots_txt_forbids_is_not_asked_for_again() -> None:
    crowd = Crowd(*urls(f"{A}open/", 50), ignore_robots=False)
    robots = reply("User-agent: *\nDisallow: /\nAllow: /open", content_type="text/plain")
    crowd.run(lambda request: robots if request.robots else 403)
    assert crowd.probes == []
    assert crowd.ends["suspended:banned"] > 30


def test_a_host_that_was_released_is_asked_again() -> None:
    crowd = Crowd(*urls(A, 100)).run(after(30, 403))
    parked = crowd.ends["suspended:banned"]
    for row in crowd.ledger.rows.values():
        if row.reason == Reason.BANNED:
            row.state, row.reason, row.attempts = State.QUEUED, None, 0
    crowd.open()
    crowd.run(text)
    assert crowd.ends == {"done": 30 + parked, "failed:http-403": 70 - parked}


@pytest.mark.parametrize("steps", range(30, 46, 3))
def test_a_run_that_is_killed_in_the_middle_loses_nothing(steps: int) -> None:
    crowd = Crowd(*urls(A, 100))
    web = after(30, 403)
    while len(crowd.sent) < steps:
        for request in crowd.driver.take():
            crowd.sent.append(request)
            crowd.driver.finish(crowd.answer(request, web(request)))
        if crowd.driver.pause() is None:
            break
    crowd.driver.offer()  # what it hands out now is lost
    crowd.open()
    crowd.run(web)
    assert crowd.ends.total() == 100
    assert set(crowd.ends) == {"done", "failed:http-403", "suspended:banned"}


def test_a_closed_corner_is_none_after_a_restart_either() -> None:
    shut = set(urls(A, 200)[20:])
    crowd = Crowd(*urls(A, 200), A, depth=0)

    def web(request: Request) -> int | str:
        return 403 if request.url in shut else text(request)

    for _ in range(23):
        for request in crowd.driver.take(1):
            crowd.driver.finish(crowd.answer(request, web(request)))
    crowd.open()
    crowd.run(web)
    assert crowd.ends == {"done": 21, "failed:http-403": 180}


def suspected() -> tuple[Crowd, Request]:
    """A crawl whose host is suspected, and the request that is to tell."""
    crowd = Crowd(*urls(A, 100))
    web = after(30, 403)
    while True:
        for request in crowd.driver.take(1):
            if request.probe:
                return crowd, request
            crowd.driver.finish(crowd.answer(request, web(request)))


def test_a_page_that_is_asked_for_again_and_lost_stops_nobody() -> None:
    crowd, probe = suspected()
    crowd.driver.finish(lost(probe))
    crowd.run(lambda _: 403)
    assert crowd.ends["suspended:banned"] > 40
    assert crowd.ends.total() == 100


def test_nor_does_one_whose_answer_never_comes() -> None:
    crowd, probe = suspected()
    taken = crowd.driver.frontier.take(0, crowd.clock.monotonic(), "other")
    assert not taken.ended
    crowd.clock.advance(LEASE + 1)
    crowd.driver.frontier.take(0, crowd.clock.monotonic(), "other")  # the first owner is gone
    crowd.driver.leased.remove(probe)
    crowd.run(lambda _: 403)
    assert crowd.ends["suspended:banned"] > 40
    late = crowd.answer(probe, 403)
    assert crowd.driver.frontier.finish([late], crowd.clock.monotonic()) == [late]


def test_a_limit_is_kept_also_while_a_page_is_asked_for_again() -> None:
    crowd = Crowd(*urls(A, 100))
    store = MemoryStore()
    books = Books(
        crowd.driver.frontier, store, [], limit=12, owner="me", clock=crowd.clock.monotonic
    )
    shut = set(urls(A, 20)[10:])
    for _ in range(1000):
        batch = books.take(10, 0)
        if batch.ended:
            break
        answers = [crowd.answer(r, 403 if r.url in shut else text(r)) for r in batch.requests]
        crowd.sent += batch.requests
        books.commit(answers)
        crowd.clock.advance(batch.wait or 0)
    assert len(store.pages) == 12
    assert crowd.probes


# Real crawls


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow-downs of a hundredth of a second, doubled as ever, and retries as soon."""
    monkeypatch.setattr(politeness, "FIRST_BACKOFF", 0.01)


@pytest.mark.usefixtures("brisk")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", BANS)
def test_a_site_that_bans_us_after_30_pages(
    site: Site, other: Site, crawl: CrawlSite, engine: str, kind: str
) -> None:
    then = BANS[kind]
    served: set[str] = set()

    async def answer(request: Recorded, _: object) -> Reply:
        if len(served) < 30:
            served.add(request.path)
            return Reply(200, f"page {hash(request.path)} {links('/x', *paths)}")
        if isinstance(then, Response):
            return Reply(then.status, then.body)
        return Reply(200, then) if isinstance(then, str) else Reply(then, "go away")

    paths = [f"/{n}" for n in range(100)]
    for each in (site, other):
        each.robots("User-agent: *\nAllow: /")
        each.route("/*", answer)
    other.page("/", links(*paths[:30]))
    other.page("/*", "fine")
    crawled = crawl(site.url("/0"), other.url(), engine=engine, processes=2, per_host=2)
    assert set(crawled.ends(other).values()) == {"done"}
    ends = Counter(crawled.ends(site).values())
    assert ends.total() == 101
    assert ends["done"] >= 50 if isinstance(then, str) else ends["done"] == 30
    assert ends["suspended:banned"] >= 10
    assert ends["suspended:unreachable"] == 0
    notes = crawled.query("frontier.db", "SELECT DISTINCT note FROM urls WHERE reason='banned'")
    assert any(kind in note["note"] and "in a row" in note["note"] for note in notes)
    assert len(site.requests) < 110


@pytest.mark.usefixtures("brisk")
def test_a_site_that_shows_its_front_page_alone_is_asked_to_its_end(
    site: Site, crawl: CrawlSite
) -> None:
    paths = [f"/{n}" for n in range(60)]
    site.page("/", links(*paths))
    for path in paths:
        site.route(path, Reply(403))
    crawled = crawl(site.url())
    assert crawled.ends(site) == {"/": "done"} | dict.fromkeys(paths, "failed:http-403")
