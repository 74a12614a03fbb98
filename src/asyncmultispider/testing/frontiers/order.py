"""Which request a frontier lets go first."""

from asyncmultispider.model import State
from asyncmultispider.testing.frontiers.base import A, B, FrontierBase, easy, polite
from asyncmultispider.testing.outcomes import again, done, failed, link, lost, rules


class OrderTests(FrontierBase):
    """Levels, and retries among them."""

    def test_shallow_urls_go_first_then_those_found_first(self) -> None:
        driver = self.drive(easy())
        driver.frontier.add([link(f"{A}/d2", 2), link(f"{A}/d1", 1)])
        driver.frontier.add([link(f"{A}/d1b", 1), link(f"{A}/d0", 0), link(f"{A}/d2b", 2)])
        paths = [url.rpartition("/")[2] for url in driver.urls()]
        assert paths == ["d0", "d1", "d1b", "d2", "d2b"]
        driver.frontier.close()

    def test_a_higher_priority_goes_before_depth(self) -> None:
        driver = self.drive(easy())
        driver.frontier.add([link(f"{A}/plain", 0), link(f"{A}/low", 0, priority=-1)])
        driver.frontier.add([link(f"{A}/high", 9, priority=2), link(f"{A}/mid", 1, priority=1)])
        driver.frontier.add([link(f"{A}/most", 9, priority=10**9), link(f"{A}/late", 1)])
        paths = [url.rpartition("/")[2] for url in driver.urls()]
        assert paths == ["most", "high", "mid", "plain", "late", "low"]
        driver.frontier.close()

    def test_priorities_hold_for_queues_of_any_length(self) -> None:
        driver = self.drive(easy(per_host=1))
        for step in range(5):
            links = [link(f"{A}/{step}-{n}", n % 3, priority=n % 7) for n in range(500)]
            driver.frontier.add(links)
        order = [(-r.priority, r.depth, r.id) for r in driver.run(done, room=1)]
        assert len(order) == 2500
        assert order == sorted(order)
        driver.frontier.close()

    def test_with_a_depth_limit_priorities_hold_within_a_level(self) -> None:
        driver = self.drive(easy(depth=3, per_host=1), f"{A}/1")
        driver.frontier.add([link(f"{A}/2", 0, priority=1), link(f"{A}/deep", 1, priority=99)])
        driver.frontier.add([link(f"{A}/shallow", 1, priority=-(10**9))])
        sent = [r.url.rpartition("/")[2] for r in driver.run(done, room=1)]
        assert sent == ["2", "1", "deep", "shallow"]
        driver.frontier.close()

    def test_what_goes_with_a_request_stays_with_it(self) -> None:
        driver = self.drive(easy())
        extra = '{"data":"\u00e9"}'
        driver.frontier.add([link(f"{A}/1", priority=3, extra=extra), link(f"{A}/2")])
        driver.frontier.add([link(f"{A}/1", extra="{}"), link(f"{A}/2", extra="{}", priority=9)])
        first, second = driver.take()
        assert (first.url, first.priority, first.extra) == (f"{A}/1", 3, extra)
        assert (second.priority, second.extra) == (0, None), "who asks first says how"
        driver.finish(again(first, 10), lost(second))
        driver.clock.advance(10)
        tried = {r.url: (r.priority, r.extra) for r in driver.take()}
        assert tried == {f"{A}/1": (3, extra), f"{A}/2": (0, None)}
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

    def test_a_redirect_raises_what_a_link_put_on_the_next_level(self) -> None:
        for together in (True, False):
            settings = easy(depth=3)
            driver = self.drive(settings, f"{A}/links", f"{A}/redirects", f"{B}/slow")
            pages = {request.url: request for request in driver.take()}
            links = done(pages[f"{A}/links"], link(f"{A}/x", 1), link(f"{B}/x", 1))
            redirect = done(pages[f"{A}/redirects"], link(f"{A}/x", 0, hops=1))
            if together:
                driver.finish(links, redirect)
            else:
                driver.finish(links)
                assert driver.take() == []
                driver.finish(redirect)
            (raised,) = driver.take()
            assert (raised.url, raised.depth, raised.hops) == (f"{A}/x", 0, 1)
            assert raised.referrer == f"{A}/redirects"
            driver.finish(done(raised, link(f"{A}/y", 1)))
            assert driver.take() == []
            driver.finish(done(pages[f"{B}/slow"], link(f"{A}/x", 0, hops=1)))
            assert sorted((r.url, r.depth) for r in driver.run(done)) == [
                (f"{A}/y", 1),
                (f"{B}/x", 1),
            ]
            assert driver.count(State.DONE) == driver.frontier.stats().accepted == 6
            driver.frontier.close()

    def test_what_waits_for_another_try_is_raised_and_waits_on(self) -> None:
        driver = self.drive(easy(depth=3), f"{A}/1")
        (seed,) = driver.take()
        driver.finish(done(seed, link(f"{A}/x", 1), link(f"{B}/y", 1)))
        x, y = sorted(driver.take(), key=lambda request: request.url)
        driver.finish(again(x, 5))
        driver.frontier.add([link(f"{B}/sitemap", 0)])  # named by somebody who was met just now
        (sitemap,) = driver.take()
        driver.finish(done(sitemap, link(f"{A}/x", 0, hops=1)), done(y))
        assert driver.urls() == []
        driver.clock.advance(5)
        assert [(r.id, r.depth, r.attempt) for r in driver.run(done)] == [(x.id, 0, 2)]
        driver.frontier.close()

    def test_hundreds_are_raised(self) -> None:
        driver = self.drive(easy(depth=3, per_host=2000), *(f"{A}/r{n}" for n in range(900)))
        pages = driver.take()
        first, *others = pages
        driver.finish(done(first, *(link(f"{A}/x{n}", 1) for n in range(1_000))))
        driver.finish(*(done(p, link(f"{A}/x{n}", 0, hops=1)) for n, p in enumerate(others)))
        sent = driver.run(done)
        depths = [(request.url, request.depth) for request in sent]
        assert depths[:899] == [(f"{A}/x{n}", 0) for n in range(899)]
        assert depths[899:] == [(f"{A}/x{n}", 1) for n in range(899, 1_000)]
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

    def test_a_lost_try_comes_again_and_is_counted_as_lost(self) -> None:
        driver = self.drive(easy(), f"{A}/1")
        (page,) = driver.take()
        driver.finish(lost(page))
        (page,) = driver.take()
        assert (page.attempt, page.lost) == (2, 1)
        driver.finish(again(page, 1))
        driver.clock.advance(1)
        (page,) = driver.take()
        assert (page.attempt, page.lost) == (3, 1)
        driver.frontier.close()

    def test_a_lost_try_for_robots_comes_again(self) -> None:
        driver = self.drive(polite(), f"{A}/1")
        (asked,) = driver.take()
        driver.finish(lost(asked))
        (asked,) = driver.take()
        assert (asked.robots, asked.attempt, asked.lost) == (True, 2, 1)
        driver.finish(rules(asked))
        assert driver.urls() == [f"{A}/1"]
        driver.frontier.close()
