"""What a frontier does not hand out, because it looks like a trap."""

from itertools import count
from unittest import mock

from msgspec.structs import replace

from asyncmultispider import traps
from asyncmultispider.frontier import host
from asyncmultispider.model import Link, Outcome, Reason, Request, State
from asyncmultispider.testing.driver import Driver
from asyncmultispider.testing.frontiers.base import A, B, FrontierBase, easy
from asyncmultispider.testing.frontiers.durable import DurableTests
from asyncmultispider.testing.outcomes import again, done, link

SOON = mock.patch.multiple(traps, UNWATCHED=3, SUSPECTED=6, ENDLESS=5)
"""Less evidence is enough, for the sake of time."""
MOST = 20_000
"""Pages of a family within which it should be found out."""
ODD = "/x repeated 4 times"


def odd(url: str, depth: int = 0) -> Link:
    """A link that was born as a trap."""
    return replace(link(url, depth, skip=Reason.TRAP), note=ODD)


def session(n: int) -> str:
    """The parameter of a session."""
    return f"phpsessid=abcdef{n:06d}"


def convict(driver: Driver, base: str = f"{A}/cal/") -> None:
    """Let a family say the same and lead on for ever, until one of its URLs is closed."""
    driver.frontier.add([link(f"{base}0")])
    numbers = count(1)
    for _ in range(MOST):
        for request in driver.take(10):
            more = [link(f"{base}{next(numbers)}", request.depth) for _ in range(2)]
            driver.finish(replace(done(request, *more), gist=7))
        if driver.closed:
            return
    raise AssertionError("it was not found out")


class TrapTests(FrontierBase):
    """Odd URLs, families that say nothing new, session ids, and too much of a host."""

    def test_links_born_as_traps_are_suspended_and_never_handed_out(self) -> None:
        driver = self.drive(easy(depth=5), f"{A}/")
        driver.frontier.add([odd(f"{A}/x/x/x/x")])
        (page,) = driver.take()
        driver.finish(done(page, odd(f"{A}/x/x/x/x/x", 1), link(f"{A}/1", 1)))
        assert driver.urls() == [f"{A}/1"]
        assert driver.frontier.add([link(f"{A}/x/x/x/x"), odd(f"{A}/x/x/x/x/x")]) == 0
        assert driver.frontier.stats().states[State.SUSPENDED] == 2
        driver.frontier.close()

    @SOON
    def test_a_family_that_says_nothing_new_is_closed(self) -> None:
        driver = self.drive(easy(per_host=2))
        convict(driver)
        driver.frontier.add([link(f"{A}/cal/late"), link(f"{A}/shop/1"), link(f"{B}/cal/1")])
        sent = driver.run(done)
        assert [r.url for r in sent if r.host == "a.example" and "/cal/" in r.url] == []
        assert {f"{A}/shop/1", f"{B}/cal/1"} <= {request.url for request in sent}
        assert {(end.state, end.reason) for end in driver.closed} == {
            (State.SUSPENDED, Reason.TRAP)
        }
        (note,) = {end.detail for end in driver.closed}
        assert note is not None
        assert note.startswith("/cal/*: ")
        assert f"{A}/cal/late" in {end.request.url for end in driver.closed}
        assert driver.count(State.SUSPENDED) == len(driver.closed)
        driver.frontier.close()

    @SOON
    def test_what_waits_for_another_try_is_closed_with_its_family(self) -> None:
        driver = self.drive(easy(), f"{A}/cal/waits")
        driver.finish(again(driver.take()[0], 1000))
        convict(driver)
        assert f"{A}/cal/waits" not in [request.url for request in driver.run(done)]
        assert f"{A}/cal/waits" in [end.request.url for end in driver.closed]
        driver.frontier.close()

    @SOON
    def test_a_family_that_goes_on_to_say_something_new_is_none(self) -> None:
        driver = self.drive(easy(per_host=3), f"{A}/list/0")
        numbers, gists = count(1), count()

        def answer(request: Request) -> Outcome:
            n = next(numbers)
            more = [link(f"{A}/list/{n}")] if n < 500 else []
            return replace(done(request, *more), gist=next(gists) if request.look else None)

        assert len(driver.run(answer)) == 500
        assert driver.closed == []
        assert 5 < next(gists) < 200
        driver.frontier.close()

    @SOON
    def test_with_a_depth_limit_what_is_closed_keeps_nobody_waiting(self) -> None:
        driver = self.drive(easy(depth=9, per_host=2), f"{B}/")
        convict(driver)
        driver.frontier.add(link(f"{A}/cal/{n}", n % 9) for n in range(10_000, 10_050))
        driver.frontier.add(link(f"{B}/{n}", n) for n in range(9))
        sent = [request.url for request in driver.run(done)]
        assert [url for url in sent if url.startswith(B)] == [f"{B}/{n}" for n in range(9)]
        driver.frontier.close()

    def test_a_page_with_another_session_id_is_the_same_page(self) -> None:
        driver = self.drive(easy(), f"{A}/1?{session(1)}", f"{A}/2?{session(1)}")
        driver.frontier.add([link(f"{A}/1?{session(2)}"), link(f"{A}/3?{session(2)}")])
        urls = [f"{A}/1?{session(1)}", f"{A}/2?{session(1)}", f"{A}/3?{session(2)}"]
        assert driver.urls() == urls
        assert driver.count(State.SUSPENDED) == 1
        driver.frontier.close()

    def test_so_many_urls_of_a_host_and_no_more(self) -> None:
        settings = easy(max_per_host=5)
        driver = self.drive(settings, *(f"{A}/{n}" for n in range(8)), f"{B}/1")
        driver.frontier.add([link(f"{A}/no", skip=Reason.EXCLUDED)])
        assert len(driver.run(done)) == 6
        assert (driver.count(State.SUSPENDED), driver.count(State.SKIPPED)) == (3, 1)
        driver.frontier.close()


class DurableTrapTests(DurableTests):
    """What was found out outlives the process."""

    @SOON
    @mock.patch.object(host, "FAMILIES", 8)
    def test_a_trap_is_still_known(self) -> None:
        driver = self.drive(easy(per_host=2))
        convict(driver)
        driver.run(done)
        driver = self.reopen(driver, easy())
        others = [f"{A}/dir{chr(97 + n)}/" for n in range(16)]
        driver.frontier.add(map(link, others))
        assert driver.urls() == others
        driver.frontier.add([link(f"{A}/cal/late")])
        assert driver.urls() == []
        assert [end.reason for end in driver.closed] == [Reason.TRAP]
        driver.frontier.close()

    def test_session_ids_are_still_known(self) -> None:
        driver = self.drive(easy(), f"{A}/1?{session(1)}")
        driver.run(done)
        driver = self.reopen(driver, easy())
        driver.frontier.add([link(f"{A}/1?{session(2)}"), link(f"{A}/2?{session(2)}")])
        assert driver.urls() == [f"{A}/2?{session(2)}"]
        driver.frontier.close()

    def test_of_a_host_with_very_many_urls_their_number_is_remembered(self) -> None:
        settings = easy(max_per_host=150)
        driver = self.drive(settings, *(f"{A}/{n}" for n in range(140)))
        driver.frontier.add(odd(f"{A}/x/x/x/x/{n}") for n in range(50))
        driver = self.reopen(driver, settings)
        driver.frontier.add(link(f"{A}/{n}") for n in range(140, 170))
        assert len(driver.run(done)) == 150
        assert driver.count(State.SUSPENDED) == 50 + 20
        driver.frontier.close()

    def test_a_small_budget_is_remembered_too(self) -> None:
        settings = easy(max_per_host=10)
        driver = self.drive(settings, *(f"{A}/{n}" for n in range(10)))
        driver.run(done)
        driver = self.reopen(driver, settings)
        driver.frontier.add(link(f"{A}/{n}") for n in range(10, 20))
        assert (driver.run(done), driver.count(State.SUSPENDED)) == ([], 10)
        driver.frontier.close()
