"""What a frontier still knows when it is opened again."""

from collections import Counter

from asyncmultispider.frontier.base import Frontier, begun
from asyncmultispider.model import Reason, State
from asyncmultispider.retry import MAX_RETRY_AFTER, SUSPECT
from asyncmultispider.settings import Settings
from asyncmultispider.testing.clock import FakeClock
from asyncmultispider.testing.driver import Driver
from asyncmultispider.testing.frontiers.base import DAY, A, B, FrontierBase, easy, polite
from asyncmultispider.testing.outcomes import again, done, link, lost, rules


class DurableTests(FrontierBase):
    """What was queued, known, promised and read outlives the process."""

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

    def test_priorities_and_what_goes_with_requests_outlive_it(self) -> None:
        for options in ({}, {"depth": 9}):
            driver = self.drive(easy(**options))
            extra = '{"handler":"h"}'
            driver.frontier.add([link(f"{A}/low"), link(f"{A}/high", priority=5, extra=extra)])
            driver.frontier.add([link(f"{A}/raised", 1, priority=7, extra=extra)])
            if options:
                (raiser, *_) = driver.take(1)
                assert raiser.url == f"{A}/high"
                driver.finish(done(raiser, link(f"{A}/raised", 0, hops=1)))
            driver = self.reopen(driver, easy(**options))
            found = [(r.url, r.priority, r.extra) for r in driver.take()]
            rest = [(f"{A}/high", 5, extra)] if not options else []
            assert found == [(f"{A}/raised", 7, extra), *rest, (f"{A}/low", 0, None)]
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

    def test_a_host_that_asked_for_a_rest_has_it(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2", f"{B}/1")
        pages = {page.url: page for page in driver.take()}
        asked = again(pages[f"{A}/1"], 60, at=driver.clock.time(), wait=60)
        driver.finish(asked, done(pages[f"{B}/1"], link(f"{B}/2", 1)))
        driver = self.reopen(driver, easy(), away=20)
        assert driver.urls() == [f"{B}/2"]
        assert driver.pause() == 40
        assert driver.urls() == [f"{A}/1", f"{A}/2"]
        driver = self.reopen(driver, easy(), away=20)
        assert len(driver.take()) == 3, "a rest that is over"
        driver.frontier.close()

    def test_a_clock_that_was_set_back_makes_nobody_wait_for_days(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        (page,) = driver.take()
        driver.finish(again(page, 60, at=driver.clock.time(), wait=60))
        driver = self.reopen(driver, easy(), away=-30 * DAY)
        began = driver.clock.monotonic()
        assert [page.url for page in driver.run(done)] == [f"{A}/1"]
        assert driver.clock.monotonic() - began <= 2 * MAX_RETRY_AFTER
        driver.frontier.close()

    def test_lost_tries_are_remembered(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        driver.finish(lost(driver.take()[0]))
        driver.finish(again(driver.take()[0], 1, at=driver.clock.time()))
        driver = self.reopen(driver, easy(), away=60)
        (page,) = driver.take()
        assert (page.attempt, page.lost) == (3, 1)
        driver.frontier.close()

    def test_deaths_are_remembered(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        for _ in range(SUSPECT):
            driver.finish(lost(driver.take()[0]))
        (page,) = driver.take()
        driver.finish(begun(page))
        driver.finish(lost(page))
        driver = self.reopen(driver, easy())
        (page,) = driver.take()
        assert (page.lost, page.deaths) == (SUSPECT + 1, 1)
        driver.finish(begun(page))
        driver = self.reopen(driver, easy())  # stopped in good order: no death
        (page,) = driver.take()
        assert (page.lost, page.deaths) == (SUSPECT + 1, 1)
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

    def test_what_was_raised_stays_on_its_level(self) -> None:
        settings = easy(depth=5)
        driver = self.drive(settings, f"{A}/links", f"{A}/redirects", f"{B}/slow")
        pages = {request.url: request for request in driver.take()}
        driver.finish(done(pages[f"{A}/links"], link(f"{A}/x", 1)))
        driver.finish(done(pages[f"{A}/redirects"], link(f"{A}/x", 0, hops=1)))
        driver = self.reopen(driver, settings)
        requests = {request.url: request for request in driver.take()}
        assert set(requests) == {f"{A}/x", f"{B}/slow"}
        found = requests[f"{A}/x"]
        assert (found.depth, found.hops, found.referrer) == (0, 1, f"{A}/redirects")
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
