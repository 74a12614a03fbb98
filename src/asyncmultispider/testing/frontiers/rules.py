"""What a frontier makes of robots.txt."""

from collections import Counter
from itertools import pairwise

from asyncmultispider.model import Outcome, Reason, Request, State
from asyncmultispider.testing.frontiers.base import DAY, A, B, FrontierBase, polite
from asyncmultispider.testing.outcomes import again, done, link, rules, rules_at, rules_lost


class RobotsTests(FrontierBase):
    """Asked first, once and for a day; its rules are kept."""

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

    def test_the_longer_crawl_delay_of_two_schemes_holds(self) -> None:
        for first, second in ((10, 1), (1, 10), (10, 0)):
            starts = self._starts({"http": first, "https": second})
            assert [url for url, _ in starts].count("https://a.example/robots.txt") == 1
            times = [at for _, at in starts[-5:]]  # both robots.txt are known by then
            assert all(later - earlier == 10 for earlier, later in pairwise(times))

    def _starts(self, delays: dict[str, int]) -> list[tuple[str, float]]:
        urls = [f"{scheme}://a.example/{n}" for n in range(4) for scheme in delays]
        driver = self.drive(polite(), *urls)
        starts: list[tuple[str, float]] = []

        def answer(request: Request) -> Outcome:
            starts.append((request.url, driver.clock.monotonic()))
            if not request.robots:
                return done(request)
            delay = delays[request.url.partition(":")[0]]
            return rules(request, f"User-agent: *\nCrawl-delay: {delay}" if delay else "")

        driver.run(answer, room=1)
        driver.frontier.close()
        return starts

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

    def test_rules_that_can_not_be_renewed_hold_on(self) -> None:
        for reason in (None, Reason.CONNECT, Reason.TIMEOUT):
            driver = self.drive(polite(), f"{A}/1")
            (asked,) = driver.take()
            driver.finish(rules(asked, "User-agent: *\nDisallow: /no"))
            (page,) = driver.take()
            driver.clock.advance(DAY + 1)
            driver.finish(done(page, link(f"{A}/2", 1), link(f"{A}/no/1", 1)))
            (asked,) = driver.take()
            assert asked.robots
            driver.finish(again(asked, 4))
            driver.clock.advance(4)
            (asked,) = driver.take()
            assert (asked.robots, asked.attempt) == (True, 2)
            driver.finish(rules_lost(asked, reason))
            (page,) = driver.take()
            assert page.url == f"{A}/2"
            driver.finish(done(page, link(f"{A}/3", 2)))
            (page,) = driver.take()
            assert page.url == f"{A}/3"
            ends = [(end.request.url, end.reason) for end in driver.closed]
            assert ends == [(f"{A}/no/1", Reason.ROBOTS)]
            driver.frontier.close()

    def test_rules_that_could_not_be_renewed_are_asked_for_again_in_time(self) -> None:
        driver = self.drive(polite(), f"{A}/1")
        (asked,) = driver.take()
        driver.finish(rules(asked))
        (page,) = driver.take()
        driver.clock.advance(DAY + 1)
        driver.finish(done(page, link(f"{A}/2", 1)))
        (asked,) = driver.take()
        driver.finish(rules_lost(asked, Reason.DNS))
        (page,) = driver.take()
        driver.clock.advance(DAY / 2)
        driver.finish(done(page, link(f"{A}/no", 1)))
        (asked,) = driver.take()
        assert (asked.url, asked.robots, asked.attempt) == (f"{A}/robots.txt", True, 1)
        driver.finish(rules(asked, "User-agent: *\nDisallow: /no"))
        assert driver.offer().ended
        assert driver.count(State.SKIPPED) == 1
        driver.frontier.close()
