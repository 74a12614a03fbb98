"""Who has what, until when: owners, deadlines and tokens."""

from collections.abc import Sequence

from asyncmultispider.frontier.base import LEASE, begun
from asyncmultispider.model import Outcome, Reason, Request, State
from asyncmultispider.retry import HOPELESS, POISON, SUSPECT
from asyncmultispider.testing.driver import Driver
from asyncmultispider.testing.frontiers.base import A, B, FrontierBase, easy, polite
from asyncmultispider.testing.outcomes import again, done, failed, link, lost, rules


class LeaseTests(FrontierBase):
    """A request is somebody's, for a time; only its holder can settle it, and only once."""

    def take(self, driver: Driver, owner: str, room: int = 1000) -> list[Request]:
        """What the owner gets now."""
        return driver.frontier.take(room, driver.clock.monotonic(), owner).requests

    def finish(self, driver: Driver, *outcomes: Outcome) -> Sequence[Outcome]:
        """What was refused of these."""
        return driver.frontier.finish(outcomes, driver.clock.monotonic())

    def test_each_lease_has_a_token_of_its_own(self) -> None:
        driver = self.drive(polite(), *(f"http://h{n}.example/" for n in range(20)), f"{A}/1")
        asked = self.take(driver, "one", 7) + self.take(driver, "two")
        self.finish(driver, *map(rules, asked))
        pages = self.take(driver, "one")
        self.finish(driver, *(again(page, 0) for page in pages))
        leased = [*asked, *pages, *self.take(driver, "one")]
        assert len({request.lease for request in leased}) == len(leased)
        assert 0 not in {request.lease for request in leased}
        driver.frontier.close()

    def test_two_owners_never_have_the_same_url(self) -> None:
        driver = self.drive(easy(), *(f"{A}/{n}" for n in range(10)))
        mine, theirs = self.take(driver, "one", 4), self.take(driver, "two")
        assert sorted(r.url for r in (*mine, *theirs)) == sorted(f"{A}/{n}" for n in range(10))
        assert not self.finish(driver, *map(done, theirs), *map(done, mine))
        assert driver.count(State.DONE) == 10
        driver.frontier.close()

    def test_leases_of_an_owner_that_takes_hold_on(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        (page,) = self.take(driver, "one")
        for _ in range(5):
            driver.clock.advance(LEASE - 1)
            assert self.take(driver, "one", 0) == []  # all it says is that it lives
            assert self.take(driver, "two") == []
        assert not self.finish(driver, done(page))
        assert driver.offer().ended
        driver.frontier.close()

    def test_a_silent_owner_loses_its_leases_and_nothing_else(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/2")
        (mine,) = self.take(driver, "one", 1)
        (theirs,) = self.take(driver, "two")
        driver.clock.advance(LEASE - 1)
        assert self.take(driver, "two") == []
        driver.clock.advance(1)
        (page,) = self.take(driver, "two")
        assert (page.url, page.attempt, page.lost) == (mine.url, 2, 1)
        assert driver.count(State.LEASED) == 2
        assert not self.finish(driver, done(theirs), done(page))
        driver.frontier.close()

    def test_a_late_outcome_is_refused_and_harms_nothing(self) -> None:
        driver = self.drive(easy(per_host=1), f"{A}/1")
        (late,) = self.take(driver, "one")
        driver.clock.advance(LEASE)
        (page,) = self.take(driver, "two")
        told = done(late, link(f"{A}/late", 1))
        assert self.finish(driver, told) == [told]
        stats = driver.frontier.stats()
        assert (stats.accepted, stats.states[State.LEASED]) == (1, 1)
        assert self.take(driver, "two") == [], "the slot of the host is taken"
        assert not self.finish(driver, done(page, link(f"{A}/2", 1)))
        assert self.finish(driver, told) == [told]
        assert [r.url for r in self.take(driver, "one")] == [f"{A}/2"]
        driver.frontier.close()

    def test_an_outcome_that_comes_while_the_lease_is_not_given_away_counts(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        (page,) = self.take(driver, "one")
        driver.clock.advance(10 * LEASE)
        assert not self.finish(driver, done(page))
        assert self.take(driver, "two") == []
        assert driver.count(State.DONE) == 1
        driver.frontier.close()

    def test_what_is_told_twice_or_was_never_leased_is_refused(self) -> None:
        driver = self.drive(polite(), f"{A}/1", f"{A}/2")
        (asked,) = self.take(driver, "one")
        assert not self.finish(driver, rules(asked))
        forbidden = rules(asked, "User-agent: *\nDisallow: /")
        assert self.finish(driver, forbidden) == [forbidden]
        one, two = self.take(driver, "one")
        foreign = Request(id=two.id, url=two.url, host=two.host, lease=two.lease + 999)
        told = [done(one), done(foreign, link(f"{B}/", 1)), done(one)]
        assert self.finish(driver, *told) == told[1:]
        assert (driver.count(State.DONE), driver.count(State.LEASED)) == (1, 1)
        assert not self.finish(driver, failed(two))
        assert driver.offer().ended
        assert driver.frontier.stats().accepted == 2
        driver.frontier.close()

    def test_a_robots_txt_is_asked_for_again_when_its_owner_is_silent(self) -> None:
        driver = self.drive(polite(), f"{A}/1")
        (late,) = self.take(driver, "one")
        driver.clock.advance(LEASE)
        (asked,) = self.take(driver, "two")
        assert (asked.url, asked.robots, asked.lost) == (late.url, True, 1)
        told = rules(late, "User-agent: *\nDisallow: /")
        assert self.finish(driver, told) == [told]
        assert not self.finish(driver, rules(asked))
        assert [r.url for r in self.take(driver, "two")] == [f"{A}/1"]
        driver.frontier.close()

    # Suspects

    def lose(self, driver: Driver, times: int, *urls: str) -> None:
        """Have the tries of these, which must be on offer, lost so often."""
        for _ in range(times):
            pages = {page.url: page for page in driver.take()}
            driver.finish(
                *(
                    lost(page) if url in urls else again(page, 0, at=driver.clock.time())
                    for url, page in pages.items()
                )
            )

    def test_a_suspect_goes_alone_and_after_the_others(self) -> None:
        driver = self.drive(easy(), *(f"{A}/{n}" for n in range(4)), f"{B}/1")
        self.lose(driver, SUSPECT, f"{A}/0", f"{A}/2")
        others = driver.take()
        assert sorted(r.url for r in others) == [f"{A}/1", f"{A}/3", f"{B}/1"]
        assert driver.offer().wait is None
        driver.finish(*map(done, others[:2]))
        assert driver.take() == []
        driver.finish(done(others[2]))
        (first,) = driver.take()
        assert first.lost == SUSPECT
        driver.frontier.add([link(f"{B}/2")])
        assert driver.take() == [], "nobody may be near a suspect"
        driver.finish(done(first))
        sent = driver.run(done)
        assert {r.url for r in sent} == {f"{A}/0", f"{A}/2", f"{B}/2"} - {first.url}
        driver.frontier.close()

    def test_what_is_lost_whenever_it_is_alone_is_poison(self) -> None:
        driver = self.drive(easy(), f"{A}/1", f"{A}/bad", f"{B}/1")
        tries = 0

        def answer(request: Request) -> Outcome:
            nonlocal tries
            if request.lost >= SUSPECT:
                driver.finish(begun(request))
            bad = any(r.url == f"{A}/bad" for r in driver.leased)  # it takes all others along
            tries += request.url == f"{A}/bad"
            return lost(request) if bad else done(request)

        driver.run(answer)
        assert tries == SUSPECT + POISON
        assert (driver.count(State.DONE), driver.count(State.FAILED)) == (2, 1)
        ends = [(end.request.url, end.state, end.reason) for end in driver.closed]
        assert ends == [(f"{A}/bad", State.FAILED, Reason.POISON)]
        driver.frontier.close()

    def test_what_is_lost_while_it_waits_for_the_server_is_not_poison(self) -> None:
        driver = self.drive(easy(), f"{A}/slow", f"{A}/1")
        for _ in range(HOPELESS - 1):
            for page in driver.take():
                driver.finish(lost(page) if page.url == f"{A}/slow" else done(page))
        (page,) = driver.take()
        assert (page.lost, page.deaths) == (HOPELESS - 1, 0)
        driver.finish(lost(page))
        assert driver.offer().ended
        assert [(end.request.url, end.reason) for end in driver.closed] == [
            (f"{A}/slow", Reason.POISON)
        ]
        driver.frontier.close()

    def test_what_lives_through_it_is_no_suspect_of_that(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        self.lose(driver, SUSPECT, f"{A}/1")
        for _ in range(POISON + 2):
            (page,) = driver.take()
            driver.finish(begun(page))
            driver.finish(lost(page))
            (page,) = driver.take()
            assert page.deaths == 1
            driver.finish(begun(page))
            assert driver.count(State.LEASED) == 1
            driver.finish(again(page, 0, at=driver.clock.time()))
        (page,) = driver.take()
        assert page.deaths == 0
        driver.finish(done(page))
        driver.frontier.close()

    def test_a_robots_txt_can_be_poison(self) -> None:
        driver = self.drive(polite(), f"{A}/1", f"{A}/2", f"{B}/1")
        asked: list[Request] = []

        def answer(request: Request) -> Outcome:
            if request.robots and request.host == "a.example":
                asked.append(request)
                if request.lost >= SUSPECT:
                    driver.finish(begun(request))
                return lost(request)
            return rules(request) if request.robots else done(request)

        driver.run(answer)
        assert [request.lost for request in asked] == list(range(SUSPECT + POISON))
        assert (driver.count(State.DONE), driver.count(State.FAILED)) == (1, 2)
        assert {end.reason for end in driver.closed} == {Reason.POISON}
        driver.frontier.close()

    def test_a_suspect_of_a_level_comes_before_the_next_level(self) -> None:
        driver = self.drive(easy(depth=5), f"{A}/1", f"{A}/2")
        self.lose(driver, SUSPECT, f"{A}/1")
        (page,) = driver.take()
        driver.finish(done(page, link(f"{A}/deep", 1)))
        assert driver.urls() == [f"{A}/1"]
        driver.finish(done(driver.leased[0]))
        assert driver.urls() == [f"{A}/deep"]
        driver.frontier.close()

    def test_suspects_wait_their_turn_by_the_pace_of_their_host(self) -> None:
        driver = self.drive(easy(delay=5, per_host=1), f"{A}/1", f"{B}/1")
        for _ in range(SUSPECT):
            for page in driver.take():
                driver.finish(lost(page))
            driver.clock.advance(5)
        sent: list[tuple[str, float]] = []
        self._watch(driver, sent)
        assert sorted(url for url, _ in sent) == [f"{A}/1", f"{B}/1"]
        driver.frontier.close()

    def _watch(self, driver: Driver, sent: list[tuple[str, float]]) -> None:
        def answer(request: Request) -> Outcome:
            sent.append((request.url, driver.clock.monotonic()))
            return done(request)

        driver.run(answer)

    def test_many_suspects_of_many_hosts_come_out_once(self) -> None:
        driver = self.drive(easy(), *(f"http://h{n % 9}.example/{n}" for n in range(300)))
        bad = {f"http://h{n % 9}.example/{n}" for n in range(0, 300, 3)}
        self.lose(driver, SUSPECT, *bad)
        alone: list[str] = []

        def answer(request: Request) -> Outcome:
            if request.lost >= SUSPECT:
                assert len(driver.leased) == 1
                alone.append(request.url)
            return done(request)

        driver.run(answer)
        assert sorted(alone) == sorted(bad)
        assert driver.count(State.DONE) == 300
        driver.frontier.close()

    def test_suspects_of_a_host_that_is_gone_are_closed(self) -> None:
        driver = self.drive(easy(), *(f"{A}/{n}" for n in range(30)))
        self.lose(driver, SUSPECT, f"{A}/0", f"{A}/1")

        def answer(request: Request) -> Outcome:
            driver.clock.advance(1)
            return failed(request, overloaded=True)

        driver.finish(*map(answer, driver.take()))
        driver.run(answer)
        assert driver.count(State.SUSPENDED) + driver.count(State.FAILED) == 30
        driver.frontier.close()
