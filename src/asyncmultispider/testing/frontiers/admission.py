"""Which URLs a frontier takes, and its books of them."""

from asyncmultispider.model import Outcome, Reason, State
from asyncmultispider.testing.frontiers.base import A, B, FrontierBase, easy
from asyncmultispider.testing.outcomes import again, done, failed, link


class AdmissionTests(FrontierBase):
    """Each URL once, each in one state, and an end."""

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

    def test_closing_twice_is_fine(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        driver.take()
        driver.frontier.close()
        driver.frontier.close()
