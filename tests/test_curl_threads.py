"""The blocking fetchers of many threads: large bodies take turns, and a fetch can be cut off."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from asyncmultispider.fetch import curl, transfer
from asyncmultispider.fetch.curl import CurlFetcher, Turns
from asyncmultispider.model import Failure, Request, Response, Result
from asyncmultispider.settings import Settings
from webserver import Site

BODY = bytes(range(256)) * 4000
DEADLINE = 30


class CountingTurns(Turns):
    """Remembers the most that was held at once."""

    most = 0

    def hold(self, who: object, size: int) -> None:
        super().hold(who, size)
        self.most = max(self.most, self._held)


@contextmanager
def fetchers(site: Site, count: int, turns: Turns) -> Iterator[list[CurlFetcher]]:
    made = [CurlFetcher(Settings(seeds=(site.url("/"),)), turns=turns) for _ in range(count)]
    yield made
    for fetcher in made:
        assert fetcher.buffered == 0
        fetcher.close()


def fetch(fetcher: CurlFetcher, site: Site, path: str) -> Result:
    host = site.url("/").split("/")[2]
    return fetcher.fetch(Request(id=0, url=site.url(path), host=host))


def test_large_bodies_take_turns_and_all_arrive(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl, "MAX_BUFFERED", 100_000)
    for n in range(12):
        site.page(f"/{n}", BODY)
    turns = CountingTurns()
    with fetchers(site, 12, turns) as made, ThreadPoolExecutor(12) as pool:
        tasks = [pool.submit(fetch, made[n], site, f"/{n}") for n in range(12)]
        results = [task.result(DEADLINE) for task in tasks]
    assert [r.body for r in results if isinstance(r, Response)] == [BODY] * 12
    # Each may hold a chunk above the bound, and one its whole body.
    assert turns.most < 100_000 + 12 * transfer.BUFFER + len(BODY)


def test_a_silent_server_does_not_hold_up_large_bodies(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl, "MAX_BUFFERED", 100_000)
    hold = site.hold("/silent")
    for n in range(6):
        site.page(f"/{n}", BODY)
    with fetchers(site, 7, Turns()) as made, ThreadPoolExecutor(7) as pool:
        silent = pool.submit(fetch, made[6], site, "/silent")
        site.wait_until(lambda: site.hits("/silent"))
        tasks = [pool.submit(fetch, made[n], site, f"/{n}") for n in range(6)]
        sizes = [len(r.body) for t in tasks if isinstance(r := t.result(DEADLINE), Response)]
        assert not silent.done()
        hold.release()
        assert isinstance(silent.result(DEADLINE), Response)
    assert sizes == [len(BODY)] * 6


def test_a_fetch_under_way_is_cut_off(site: Site) -> None:
    site.hold("/silent")
    with fetchers(site, 1, Turns()) as [fetcher], ThreadPoolExecutor(1) as pool:
        silent = pool.submit(fetch, fetcher, site, "/silent")
        site.wait_until(lambda: site.hits("/silent"))
        fetcher.cancel()
        assert isinstance(silent.result(DEADLINE), Failure)
