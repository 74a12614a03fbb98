"""What every frontier does: the conformance suite of the port `Frontier`."""

from collections import Counter
from random import Random
from typing import Any

from asyncmultispider.frontier.base import Frontier
from asyncmultispider.model import Outcome, Reason, Request, State
from asyncmultispider.settings import Settings
from asyncmultispider.testing.clock import FakeClock
from asyncmultispider.testing.driver import Driver
from asyncmultispider.testing.outcomes import (
    again,
    done,
    failed,
    link,
    rules,
    rules_at,
    rules_lost,
)

A = "http://a.example"
B = "http://b.example"
DAY = 24 * 3600.0


def easy(**options: Any) -> Settings:
    """Settings without any manners but those that are asked for."""
    plain: dict[str, Any] = {"ignore_robots": True, "delay_factor": 0.0, "per_host": 1000}
    return Settings(seeds=(f"{A}/",), scope="any", **{**plain, **options})


def polite(**options: Any) -> Settings:
    """The same, but robots.txt is asked for."""
    return easy(ignore_robots=False, **options)


class FrontierSuite:
    """Subclass it, and give it a `make_frontier`. The tests close what they made."""

    def make_frontier(self, settings: Settings, clock: FakeClock) -> Frontier:
        """A new frontier that knows no URL and goes by this clock."""
        raise NotImplementedError

    def drive(self, settings: Settings, *urls: str) -> Driver:
        """Somebody who works for a new frontier, which knows these URLs."""
        clock = FakeClock()
        driver = Driver(self.make_frontier(settings, clock), clock)
        driver.frontier.add(map(link, urls))
        return driver

    # Admission

    def test_an_empty_frontier_has_ended(self) -> None:
        driver = self.drive(easy())
        batch = driver.offer()
        assert (batch.requests, batch.wait, batch.ended) == ([], None, True)
        assert driver.frontier.stats().accepted == 0
        assert set(driver.frontier.stats().states) == set(State)
        driver.frontier.close()

    def test_a_url_is_accepted_once(self) -> None:
        driver = self.drive(easy())
        one, two = link(f"{A}/1"), link(f"{A}/2")
        assert driver.frontier.add([one, two, one]) == 2
        assert driver.frontier.add([two, link(f"{A}/1", 7)]) == 0
        first, second = driver.take()
        driver.finish(done(first, one, link(f"{A}/3", 1), link(f"{A}/3", 1)), done(second, two))
        assert driver.urls() == [f"{A}/3"]
        assert driver.frontier.stats().accepted == 3
        driver.frontier.close()

    def test_what_a_link_says_reaches_the_request(self) -> None:
        driver = self.drive(easy(), f"{A}/")
        (page,) = driver.take()
        assert (page.url, page.host, page.depth, page.hops) == (f"{A}/", "a.example", 0, 0)
        assert (page.attempt, page.referrer, page.robots) == (1, None, False)
        driver.finish(done(page, link(f"{B}/x", 3, hops=2)))
        (found,) = driver.take()
        assert (found.url, found.host, found.depth, found.hops) == (f"{B}/x", "b.example", 3, 2)
        assert found.referrer == f"{A}/"
        assert found.id != page.id
        driver.frontier.close()

    def test_links_closed_at_birth_are_recorded_and_never_handed_out(self) -> None:
        driver = self.drive(easy(), f"{A}/")
        driver.frontier.add([link(f"{B}/", skip=Reason.SCOPE)])
        (page,) = driver.take()
        driver.finish(done(page, link(f"{A}/no", 1, skip=Reason.EXCLUDED)))
        assert driver.offer().ended
        assert driver.count(State.SKIPPED) == 2
        assert driver.frontier.add([link(f"{A}/no"), link(f"{B}/")]) == 0
        driver.frontier.close()

    # The end, and the books

    def test_it_has_ended_exactly_when_nothing_is_queued_or_leased(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2")
        first, second = driver.take()
        assert not driver.offer().ended
        driver.finish(done(first), again(second, 5))
        assert not driver.offer().ended
        driver.clock.advance(5)
        (second,) = driver.take()
        driver.finish(failed(second))
        assert driver.offer().ended
        driver.frontier.add([link(f"{A}/3")])
        assert not driver.offer().ended
        driver.frontier.close()

    def test_each_outcome_ends_in_its_state(self) -> None:
        driver = self.drive(easy(), *(f"{A}/{n}" for n in range(5)))
        one, two, three, *_ = driver.take(4)
        skipped = Outcome(
            request=three, state=State.SKIPPED, reason=Reason.NOINDEX, at=0.0, elapsed=0.0
        )
        driver.finish(done(one), failed(two), skipped)
        stats = driver.frontier.stats()
        assert stats.accepted == 5
        assert stats.hosts == 1
        counts = dict.fromkeys(State, 1) | {State.SUSPENDED: 0}
        assert stats.states == counts
        driver.frontier.close()

    def test_a_page_is_closed_and_its_links_are_queued_in_one_step(self) -> None:
        driver = self.drive(easy(depth=5), f"{A}/")
        (page,) = driver.take()
        driver.finish(done(page, link(f"{A}/x", 1)))
        assert (driver.count(State.DONE), driver.count(State.QUEUED)) == (1, 1)
        assert driver.urls() == [f"{A}/x"]
        driver.frontier.close()

    # Manners

    def test_no_more_than_there_is_room_for(self) -> None:
        driver = self.drive(easy(), *(f"{A}/{n}" for n in range(5)))
        assert driver.urls(0) == []
        assert driver.urls(2) == [f"{A}/0", f"{A}/1"]
        assert len(driver.urls(100)) == 3
        driver.frontier.close()

    def test_a_host_has_so_many_slots(self) -> None:
        driver = self.drive(easy(per_host=2), f"{A}/1", f"{A}/2", f"{A}/3", f"{B}/1")
        first = min(driver.take(), key=lambda request: request.url)
        assert sorted(r.url for r in driver.leased) == [f"{A}/1", f"{A}/2", f"{B}/1"]
        assert driver.offer().wait is None
        driver.clock.advance(1000)
        assert driver.urls() == []
        driver.finish(done(first))
        assert driver.urls() == [f"{A}/3"]
        driver.frontier.close()

    def test_delay_is_between_the_starts_to_one_host(self) -> None:
        driver = self.drive(easy(delay=5), f"{A}/1", f"{A}/2", f"{B}/1")
        assert sorted(driver.urls()) == [f"{A}/1", f"{B}/1"]
        assert driver.offer().wait == 5
        driver.clock.advance(4)
        batch = driver.offer()
        assert (batch.requests, batch.wait) == ([], 1)
        driver.clock.advance(1)
        assert driver.urls() == [f"{A}/2"]
        driver.frontier.close()

    def test_a_host_rests_as_long_as_it_took_to_answer(self) -> None:
        driver = self.drive(easy(per_host=1, delay_factor=2.0), f"{A}/1", f"{A}/2")
        (page,) = driver.take()
        driver.clock.advance(3)
        driver.finish(done(page, elapsed=3.0))
        assert driver.offer().wait == 6
        driver.clock.advance(5)
        assert driver.urls() == []
        driver.clock.advance(1)
        assert driver.urls() == [f"{A}/2"]
        driver.frontier.close()

    def test_a_slow_answer_puts_off_a_visit_that_was_due(self) -> None:
        driver = self.drive(easy(per_host=2, delay_factor=1.0), f"{A}/1", f"{A}/2")
        (page,) = driver.take(1)
        driver.finish(done(page, elapsed=3.0))
        batch = driver.offer()
        assert (batch.requests, batch.wait) == ([], 3)
        driver.frontier.close()

    def test_a_queue_that_empties_does_not_forget_the_delay(self) -> None:
        driver = self.drive(easy(delay=5), f"{A}/1")
        (page,) = driver.take()
        driver.finish(done(page, link(f"{A}/2", 1)))
        assert driver.urls() == []
        assert driver.pause() == 5
        assert driver.urls() == [f"{A}/2"]
        driver.frontier.close()

    def test_a_host_under_strain_gets_the_rest_it_asks_for(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2", f"{A}/3", f"{B}/1")
        page, *others = (r for r in driver.take(4) if r.host == "a.example")
        driver.finish(*map(done, others), again(page, 1, overloaded=True, wait=60))
        driver.frontier.add([link(f"{A}/4"), link(f"{A}/5"), link(f"{B}/2")])
        assert driver.urls() == [f"{B}/2"]
        assert driver.offer().wait == 60
        driver.clock.advance(60)
        assert len(driver.urls()) == 1, "it gets one request at a time until it recovers"
        driver.frontier.close()

    def test_a_host_that_always_fails_is_given_up(self) -> None:
        driver = self.drive(easy(per_host=1), *(f"{A}/{n}" for n in range(50)), f"{B}/")

        def answer(request: Request) -> Outcome:
            driver.clock.advance(1)
            if request.host == "b.example":
                return done(request)
            return failed(request, Reason.TIMEOUT, overloaded=True)

        sent = driver.run(answer)
        assert 3 <= len(sent) < 50
        assert driver.count(State.DONE) == 1
        assert driver.count(State.FAILED) == len(sent) - 1
        assert driver.count(State.SUSPENDED) == 51 - len(sent)
        assert {end.reason for end in driver.closed} == {Reason.UNREACHABLE}
        driver.frontier.add([link(f"{A}/late")])
        assert all(r.host != "a.example" for r in driver.run(answer))
        driver.frontier.close()

    def test_a_host_given_up_takes_those_that_wait_for_a_retry_along(self) -> None:
        driver = self.drive(easy(per_host=1), *(f"{A}/{n}" for n in range(20)))

        def answer(request: Request) -> Outcome:
            driver.clock.advance(1)
            return again(request, 1000, overloaded=True)

        driver.run(answer)
        assert driver.count(State.SUSPENDED) == 20
        driver.frontier.close()

    # Order

    def test_shallow_urls_go_first_then_those_found_first(self) -> None:
        driver = self.drive(easy())
        driver.frontier.add([link(f"{A}/d2", 2), link(f"{A}/d1", 1)])
        driver.frontier.add([link(f"{A}/d1b", 1), link(f"{A}/d0", 0), link(f"{A}/d2b", 2)])
        paths = [url.rpartition("/")[2] for url in driver.urls()]
        assert paths == ["d0", "d1", "d1b", "d2", "d2b"]
        driver.frontier.close()

    def test_with_a_depth_limit_a_level_is_finished_before_the_next(self) -> None:
        driver = self.drive(easy(depth=3), f"{A}/1", f"{B}/1", f"{B}/2")
        pages = {request.url: request for request in driver.take()}
        driver.finish(done(pages[f"{A}/1"], link(f"{A}/next", 1), link(f"{B}/next", 1)))
        assert driver.urls() == []
        driver.finish(again(pages[f"{B}/1"], 10), done(pages[f"{B}/2"]))
        assert driver.offer().wait == 10
        driver.clock.advance(10)
        (retried,) = driver.take()
        assert retried.url == f"{B}/1"
        driver.finish(failed(retried))
        assert sorted(driver.urls()) == [f"{A}/next", f"{B}/next"]
        driver.frontier.close()

    def test_with_a_depth_limit_levels_may_be_empty(self) -> None:
        driver = self.drive(easy(depth=9))
        driver.frontier.add([link(f"{A}/deep", 4), link(f"{B}/deeper", 7)])
        assert [r.url for r in driver.run(done)] == [f"{A}/deep", f"{B}/deeper"]
        driver.frontier.add([link(f"{A}/top", 0)])
        assert [r.url for r in driver.run(done)] == [f"{A}/top"]
        driver.frontier.close()

    def test_a_retry_comes_not_before_it_is_due(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2")
        page, other = driver.take()
        driver.finish(again(page, 30), again(other, 10))
        assert driver.offer().wait == 10
        driver.clock.advance(10)
        (second,) = driver.take()
        assert (second.url, second.attempt) == (f"{A}/2", 2)
        driver.clock.advance(19)
        assert driver.urls() == []
        driver.clock.advance(1)
        (first,) = driver.take()
        assert (first.url, first.id, first.attempt) == (page.url, page.id, 2)
        driver.finish(again(first, 1), done(second))
        driver.clock.advance(1)
        assert driver.take()[0].attempt == 3
        driver.frontier.close()

    # robots.txt

    def test_robots_txt_is_asked_first_and_alone(self) -> None:
        driver = self.drive(polite(), f"{A}/1", f"{A}/2")
        (asked,) = driver.take()
        assert (asked.url, asked.robots, asked.host) == (f"{A}/robots.txt", True, "a.example")
        assert driver.offer().wait is None
        driver.finish(rules(asked))
        assert driver.urls() == [f"{A}/1", f"{A}/2"]
        driver.frontier.close()

    def test_robots_txt_is_asked_once_for_each_host_and_scheme(self) -> None:
        secure = "https://a.example"
        driver = self.drive(polite(), f"{A}/1", f"{secure}/1", f"{A}/2", f"{secure}/2", f"{B}/1")
        sent = [r.url for r in driver.run(lambda r: rules(r) if r.robots else done(r))]
        assert Counter(sent) == Counter(
            [f"{base}/robots.txt" for base in (A, secure, B)]
            + [f"{A}/1", f"{A}/2", f"{secure}/1", f"{secure}/2", f"{B}/1"]
        )
        assert driver.frontier.stats().accepted == 5, "a robots.txt is no URL of the ledger"
        driver.frontier.close()

    def test_robots_txt_is_a_page_when_it_is_linked_to(self) -> None:
        driver = self.drive(polite(), f"{A}/robots.txt")
        (asked,) = driver.take()
        driver.finish(rules(asked, "User-agent: *\nDisallow: /"))
        (page,) = driver.take()
        assert (page.url, page.robots) == (f"{A}/robots.txt", False)
        driver.frontier.close()

    def test_forbidden_urls_are_closed_and_never_handed_out(self) -> None:
        driver = self.drive(polite(), f"{A}/private/1", f"{A}/open", f"{A}/private/2")
        (asked,) = driver.take()
        driver.finish(rules(asked, "User-agent: *\nDisallow: /private/"))
        assert [r.url for r in driver.run(done)] == [f"{A}/open"]
        assert driver.count(State.SKIPPED) == 2
        ends = [(end.request.url, end.state, end.reason) for end in driver.closed]
        assert ends == [(f"{A}/private/{n}", State.SKIPPED, Reason.ROBOTS) for n in (1, 2)]
        driver.frontier.close()

    def test_thousands_of_forbidden_urls_are_closed(self) -> None:
        driver = self.drive(polite(depth=2), *(f"{A}/{n}" for n in range(6_000)))
        driver.frontier.add([link(f"{B}/", 1)])
        sent = driver.run(
            lambda r: (
                done(r)
                if not r.robots
                else rules(r, "User-agent: *\nDisallow: /0123456789")
                if r.host == "b.example"
                else rules(r, "User-agent: *\nDisallow: /")
            )
        )
        assert [r.url for r in sent if not r.robots] == [f"{B}/"]
        assert driver.count(State.SKIPPED) == 6_000
        driver.frontier.close()

    def test_crawl_delay_is_kept(self) -> None:
        driver = self.drive(polite(), f"{A}/1", f"{A}/2")
        (asked,) = driver.take()
        driver.finish(rules(asked, "User-agent: *\nCrawl-delay: 7"))
        assert driver.pause() == 7
        assert driver.urls() == [f"{A}/1"]
        assert driver.pause() == 7
        assert driver.urls() == [f"{A}/2"]
        driver.frontier.close()

    def test_robots_txt_is_asked_again_when_it_failed(self) -> None:
        driver = self.drive(polite(), f"{A}/1")
        (asked,) = driver.take()
        assert asked.attempt == 1
        driver.finish(again(asked, 8))
        assert driver.offer().wait == 8
        driver.clock.advance(8)
        (asked,) = driver.take()
        assert (asked.robots, asked.attempt) == (True, 2)
        driver.finish(rules(asked))
        assert driver.urls() == [f"{A}/1"]
        driver.frontier.close()

    def test_without_rules_to_read_the_urls_of_a_host_are_suspended(self) -> None:
        driver = self.drive(polite(), f"{A}/1", f"{A}/2", f"{B}/1")
        driver.run(
            lambda r: (
                done(r) if not r.robots else rules(r) if r.host == "b.example" else rules_lost(r)
            )
        )
        assert (driver.count(State.SUSPENDED), driver.count(State.DONE)) == (2, 1)
        assert {end.reason for end in driver.closed} == {Reason.ROBOTS_UNAVAILABLE}
        driver.frontier.close()

    def test_urls_of_a_host_that_can_not_be_reached_fail(self) -> None:
        driver = self.drive(polite(), f"{A}/1", f"{A}/2")
        sent = driver.run(lambda r: rules_lost(r, Reason.DNS))
        assert [r.url for r in sent] == [f"{A}/robots.txt"]
        assert driver.count(State.FAILED) == 2
        assert [end.reason for end in driver.closed] == [Reason.DNS, Reason.DNS]
        driver.frontier.close()

    def test_redirects_of_robots_txt_are_followed_up_to_a_bound(self) -> None:
        driver = self.drive(polite(), f"{A}/no", f"{A}/yes", f"{B}/1")
        asked = []

        def answer(request: Request) -> Outcome:
            if not request.robots:
                return done(request)
            asked.append(request.url)
            if request.host == "b.example":
                return rules_at(request, f"{B}/{request.hops}")  # for ever: as if there were none
            if request.hops < 5:
                return rules_at(request, f"https://c.example/{request.hops}")
            return rules(request, "User-agent: *\nDisallow: /no")

        sent = [r.url for r in driver.run(answer) if not r.robots]
        assert sorted(sent) == [f"{A}/yes", f"{B}/1"]
        of_a = [f"{A}/robots.txt", *(f"https://c.example/{n}" for n in range(5))]
        assert [url for url in asked if not url.startswith(B)] == of_a
        assert [url for url in asked if url.startswith(B)] == [
            f"{B}/robots.txt",
            *(f"{B}/{n}" for n in range(5)),
        ]
        driver.frontier.close()

    def test_robots_txt_is_good_for_a_day(self) -> None:
        driver = self.drive(polite(), f"{A}/1")
        (asked,) = driver.take()
        driver.finish(rules(asked))
        (page,) = driver.take()
        driver.clock.advance(DAY - 1)
        driver.finish(done(page, link(f"{A}/2", 1)))
        (page,) = driver.take()
        assert page.url == f"{A}/2"
        driver.clock.advance(2)
        driver.finish(done(page, link(f"{A}/3", 1)))
        (asked,) = driver.take()
        assert asked.robots
        driver.finish(rules(asked, "User-agent: *\nDisallow: /3"))
        assert driver.offer().ended
        driver.frontier.close()

    def test_robots_txt_that_moved_is_asked_for_at_its_own_place_after_a_day(self) -> None:
        driver = self.drive(polite(), f"{A}/1")
        (asked,) = driver.take()
        driver.finish(rules_at(asked, f"{B}/elsewhere"))
        (asked,) = driver.take()
        assert asked.url == f"{B}/elsewhere"
        driver.finish(rules(asked))
        (page,) = driver.take()
        driver.clock.advance(DAY + 1)
        driver.finish(done(page, link(f"{A}/2", 1)))
        assert driver.urls() == [f"{A}/robots.txt"]
        driver.frontier.close()

    # Size

    def test_thousands_of_urls_of_one_host_come_out_once_and_in_order(self) -> None:
        driver = self.drive(easy(per_host=7))
        for start in range(0, 3_000, 100):
            driver.frontier.add(link(f"{A}/{n}", n % 3) for n in range(start, start + 100))
        sent = [request.url for request in driver.run(done, room=10)]
        wanted = [f"{A}/{n}" for level in range(3) for n in range(level, 3_000, 3)]
        assert sent == wanted
        driver.frontier.close()

    def test_thousands_of_urls_with_retries_and_late_shallow_links_come_out_once(self) -> None:
        draw = Random(7)
        driver = self.drive(easy(per_host=9))
        driver.frontier.add(link(f"{A}/{n}", 5) for n in range(1_000))
        late = iter(range(1_000, 3_000))
        answers: Counter[str] = Counter()

        def answer(request: Request) -> Outcome:
            answers[request.url] += 1
            if draw.random() < 0.15 and request.attempt < 4:
                return again(request, draw.choice([0.5, 3, 40]))
            found = [next(late, None) for _ in range(draw.choice([0, 0, 0, 40, 300]))]
            depth = draw.choice([0, 1, 4, 6])
            return done(request, *(link(f"{A}/{n}", depth) for n in found if n is not None))

        sent = driver.run(answer)
        finals = Counter(request.url for request in sent)
        assert finals == answers
        assert set(finals) == {f"{A}/{n}" for n in range(3_000)}
        tries = {url: sorted(r.attempt for r in sent if r.url == url) for url in list(finals)[:200]}
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in tries.values())
        assert driver.count(State.DONE) == 3_000
        driver.frontier.close()

    def test_a_retry_behind_late_shallow_links_comes_once_and_in_its_turn(self) -> None:
        driver = self.drive(easy())
        driver.frontier.add(link(f"{A}/deep/{n}", 5) for n in range(600))
        pages = driver.take(300)
        shallow = [link(f"{A}/top/{n}", 1) for n in range(400)]
        driver.finish(
            *(again(page, 10) for page in pages[200:203]),
            *map(done, pages[:200] + pages[203:-1]),
            done(pages[-1], *shallow),
        )
        driver.clock.advance(10)
        sent = driver.run(done)
        assert [r.url for r in sent[:400]] == [found.url for found in shallow]
        assert len(sent) == len({r.id for r in sent}) == 400 + 300 + 3
        driver.frontier.close()

    def test_a_host_given_up_closes_each_url_once(self) -> None:
        driver = self.drive(easy(per_host=400))
        driver.frontier.add(link(f"{A}/deep/{n}", 5) for n in range(600))
        pages = driver.take(300)
        driver.finish(*(again(page, 1000) for page in pages[100:300]))
        driver.finish(done(pages[0], *(link(f"{A}/top/{n}", 1) for n in range(400))))

        def answer(request: Request) -> Outcome:
            driver.clock.advance(1)
            return failed(request, overloaded=True)

        driver.finish(*map(answer, pages[1:100]))
        assert len(driver.run(answer)) < 100
        stats = driver.frontier.stats()
        assert stats.accepted == sum(stats.states.values()) == 1_000
        assert min(stats.states.values()) >= 0
        assert driver.count(State.SUSPENDED) + driver.count(State.FAILED) == 999
        driver.frontier.close()

    def test_many_hosts_take_their_turns(self) -> None:
        hosts = [f"http://h{n}.example" for n in range(300)]
        driver = self.drive(
            easy(per_host=1, delay=1), *(f"{host}/{n}" for n in range(3) for host in hosts)
        )
        first = driver.take(300)
        assert len({request.host for request in first}) == 300
        assert driver.frontier.stats().hosts == 300
        assert len(driver.run(done)) + 300 == 900
        driver.frontier.close()

    def test_whatever_happens_it_comes_to_an_end(self) -> None:
        for seed in range(8):
            self._run_wild(Random(seed))

    def _run_wild(self, draw: Random) -> None:
        options: dict[str, Any] = {
            "per_host": draw.choice([1, 2, 5]),
            "delay": draw.choice([0.0, 0.3]),
            "delay_factor": draw.choice([0.0, 1.0]),
            "depth": draw.choice([None, 4]),
            "ignore_robots": draw.random() < 0.3,
        }
        driver = self.drive(easy(**options), *(f"http://h{n}.example/" for n in range(5)))
        closing: list[int] = []

        def answer(request: Request) -> Outcome:
            driver.clock.advance(draw.choice([0, 0.01, 1]))
            outcome = _wild(draw, request)
            if not request.robots and outcome.state is not State.QUEUED:
                closing.append(request.id)
            return outcome

        driver.run(answer, room=draw.choice([1, 4, 1000]))
        assert len(closing) == len(set(closing))
        stats = driver.frontier.stats()
        assert stats.states[State.QUEUED] == stats.states[State.LEASED] == 0
        assert len(closing) <= stats.accepted
        driver.frontier.close()

    def test_closing_twice_is_fine(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        driver.take()
        driver.frontier.close()
        driver.frontier.close()


class DurableFrontierSuite(FrontierSuite):
    """The same for a frontier that outlives its process."""

    def reopen_frontier(self, settings: Settings, clock: FakeClock) -> Frontier:
        """The frontier made last in this test, opened again after it was closed."""
        raise NotImplementedError

    def reopen(self, driver: Driver, settings: Settings, away: float = 0.0) -> Driver:
        """Close it, let it lie for so many seconds, open it; the steady clock begins anew."""
        driver.frontier.close()
        clock = FakeClock(steady=5.0, wall=driver.clock.time() + away)
        return Driver(self.reopen_frontier(settings, clock), clock)

    def test_what_was_queued_or_leased_is_queued(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2", f"{B}/1")
        page, _leased = driver.take(2)
        driver.finish(done(page, link(f"{A}/3", 1)))
        before = driver.frontier.stats()
        driver = self.reopen(driver, easy())
        after = driver.frontier.stats()
        assert after.accepted == before.accepted == 4
        assert (after.states[State.DONE], after.states[State.QUEUED]) == (1, 3)
        assert after.states[State.LEASED] == 0
        requests = driver.take()
        left = {f"{A}/1", f"{A}/2", f"{A}/3", f"{B}/1"} - {page.url}
        assert {r.url for r in requests} == left
        assert all(r.attempt == 1 for r in requests), "a lease given back is no try"
        found = next(r for r in requests if r.url == f"{A}/3")
        assert (found.depth, found.referrer) == (1, page.url)
        driver.frontier.close()

    def test_known_urls_are_still_known(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2")
        driver.frontier.add([link(f"{B}/", skip=Reason.SCOPE)])
        (page,) = driver.take(1)
        driver.finish(done(page, link(f"{A}/3", 1)))
        driver = self.reopen(driver, easy())
        urls = (f"{A}/1", f"{A}/2", f"{A}/3", f"{B}/", f"{A}/4")
        assert driver.frontier.add(map(link, urls)) == 1
        driver.frontier.close()

    def test_a_crawl_that_ended_has_ended(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        driver.run(done)
        driver = self.reopen(driver, easy())
        assert driver.offer().ended
        assert driver.count(State.DONE) == 1
        driver.frontier.close()

    def test_a_retry_is_still_not_before_it_is_due(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2")
        page, other = driver.take()
        driver.finish(again(page, 60, at=driver.clock.time()), done(other))
        driver = self.reopen(driver, easy(), away=20)
        batch = driver.offer()
        assert (batch.requests, batch.wait) == ([], 40)
        driver.clock.advance(40)
        (page,) = driver.take()
        assert (page.url, page.attempt) == (f"{A}/1", 2)
        driver.frontier.close()

    def test_a_retry_that_came_due_meanwhile_goes_at_once(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        (page,) = driver.take()
        driver.finish(again(page, 60, at=driver.clock.time()))
        driver = self.reopen(driver, easy(), away=60)
        assert driver.urls() == [f"{A}/1"]
        driver.frontier.close()

    def test_robots_txt_is_remembered_for_its_day(self) -> None:
        driver = self.drive(polite(), f"{A}/1", f"{A}/no")
        (asked,) = driver.take()
        text = "User-agent: *\nDisallow: /no\nCrawl-delay: 3"
        driver.finish(rules(asked, text, at=driver.clock.time()))
        driver = self.reopen(driver, polite(), away=DAY / 2)
        assert driver.urls() == [f"{A}/1"]
        driver.frontier.add([link(f"{A}/2"), link(f"{A}/3")])
        assert driver.pause() == 3
        assert driver.urls() == [f"{A}/2"]
        driver = self.reopen(driver, polite(), away=DAY / 2 + 1)
        (asked,) = driver.take()
        assert asked.robots
        driver.frontier.close()

    def test_the_day_of_a_robots_txt_goes_on_while_nobody_looks(self) -> None:
        driver = self.drive(polite(), f"{A}/1")
        (asked,) = driver.take()
        driver.finish(rules(asked, at=driver.clock.time()))
        driver = self.reopen(driver, polite(), away=DAY / 2)
        (page,) = driver.take()
        driver.clock.advance(DAY / 2 + 1)
        driver.finish(done(page, link(f"{A}/2", 1)))
        assert driver.urls() == [f"{A}/robots.txt"]
        driver.frontier.close()

    def test_with_a_depth_limit_it_goes_on_at_its_level(self) -> None:
        settings = easy(depth=5)
        driver = self.drive(settings, f"{A}/")
        (page,) = driver.take()
        driver.finish(done(page, link(f"{A}/1", 1), link(f"{B}/1", 1)))
        driver = self.reopen(driver, settings)
        assert driver.frontier.add([link(f"{A}/")]) == 0
        batch = driver.offer()
        assert sorted(r.url for r in batch.requests) == [f"{A}/1", f"{B}/1"]
        one, two = batch.requests
        driver.finish(done(one, link(f"{A}/2", 2)))
        assert driver.urls() == []
        driver.finish(done(two))
        assert driver.urls() == [f"{A}/2"]
        driver.frontier.close()

    def test_thousands_of_urls_and_many_stops_come_out_once(self) -> None:
        driver = self.drive(easy(per_host=9), *(f"{A}/{n}" for n in range(2_000)))
        ended: Counter[str] = Counter()
        for _ in range(5):
            for _ in range(40):
                requests = driver.take(20)
                kept = requests[:-1]
                ended.update(r.url for r in kept)
                driver.finish(*map(done, kept))
            driver = self.reopen(driver, easy(per_host=9))
        ended.update(r.url for r in driver.run(done))
        assert set(ended.values()) == {1}
        assert len(ended) == 2_000
        driver.frontier.close()


def _wild(draw: Random, request: Request) -> Outcome:
    if request.robots:
        return draw.choice(
            [
                rules(request),
                rules(request, "User-agent: *\nDisallow: /1\nCrawl-delay: 2"),
                rules_at(request, "http://h0.example/else"),
                rules_lost(request),
                rules_lost(request, Reason.CONNECT),
                again(request, 1.5) if request.attempt < 3 else rules(request),
            ]
        )
    if request.attempt < 4 and draw.random() < 0.2:
        return again(request, draw.choice([0, 1, 20]), overloaded=draw.random() < 0.5)
    if draw.random() < 0.1:
        return failed(request, overloaded=draw.random() < 0.5)
    if request.depth >= 4:
        return done(request, elapsed=draw.random())
    urls = [f"http://h{draw.randrange(6)}.example/{draw.randrange(60)}" for _ in range(8)]
    return done(request, *(link(url, request.depth + 1) for url in urls), elapsed=draw.random())
