"""When a frontier lets a request go."""

from asyncmultispider.model import Outcome, Reason, Request, State
from asyncmultispider.testing.frontiers.base import A, B, FrontierBase, easy
from asyncmultispider.testing.outcomes import again, done, failed, link


class MannersTests(FrontierBase):
    """Slots and delays of hosts, and hosts in trouble."""

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
