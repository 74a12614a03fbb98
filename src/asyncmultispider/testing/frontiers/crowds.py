"""Thousands of URLs, hundreds of hosts, and every kind of outcome."""

from collections import Counter
from random import Random
from typing import Any

from asyncmultispider.model import Outcome, Reason, Request, State
from asyncmultispider.testing.frontiers.base import A, FrontierBase, easy
from asyncmultispider.testing.outcomes import again, done, failed, link, rules, rules_at, rules_lost


class CrowdTests(FrontierBase):
    """Nothing is lost and nothing comes twice, whatever happens."""

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
