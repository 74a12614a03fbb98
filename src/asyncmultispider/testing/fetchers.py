"""What every fetcher does: the conformance suites of the ports `Fetcher` and `AsyncFetcher`."""

import asyncio
from collections.abc import Mapping, Sequence
from time import time

from asyncmultispider.fetch.base import AsyncFetcher, Fetcher
from asyncmultispider.model import Request, Response, Result
from asyncmultispider.settings import Settings
from asyncmultispider.testing.outcomes import link

PAGES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/": (200, {"content-type": "text/html"}, b"<p>hello</p>"),
    "/binary": (200, {"content-type": "image/png"}, bytes(range(256)) * 1000),
    "/empty": (200, {"content-type": "text/plain"}, b""),
    "/gone": (410, {"content-type": "text/plain"}, b"it is gone"),
    "/broken": (500, {"content-type": "text/plain"}, b"a bug"),
    "/moved": (302, {"content-type": "text/plain", "location": "/"}, b"see there"),
    "/named": (200, {"content-type": "text/plain", "x-thing": "Some Value"}, b"x"),
}


class _FetcherTests:
    def serve(self, pages: Mapping[str, tuple[int, dict[str, str], bytes]]) -> str:
        """Serve status, header and body of these paths; return the base URL, without a slash."""
        raise NotImplementedError

    def fetch_all(self, settings: Settings, urls: Sequence[str]) -> list[Result]:
        """Fetch these, with one fetcher, and close it."""
        raise NotImplementedError

    def get(self, *paths: str) -> list[Response]:
        """The responses for these paths of a site that serves `PAGES`."""
        base = self.serve(PAGES)
        settings = Settings(seeds=(f"{base}/",), timeout=20)
        results = self.fetch_all(settings, [base + path for path in paths])
        assert all(isinstance(result, Response) for result in results), results
        return [result for result in results if isinstance(result, Response)]

    def test_status_and_body_come_as_they_are(self) -> None:
        paths = ["/", "/binary", "/empty", "/gone", "/broken"]
        wanted = [(PAGES[path][0], PAGES[path][2]) for path in paths]
        assert [(r.status, r.body) for r in self.get(*paths)] == wanted

    def test_redirects_are_not_followed(self) -> None:
        (moved,) = self.get("/moved")
        assert (moved.status, moved.header("location"), moved.body) == (302, "/", b"see there")

    def test_header_names_are_lower_case_and_values_are_kept(self) -> None:
        (named,) = self.get("/named")
        assert named.header("x-thing") == "Some Value"
        assert all(name == name.lower() for name, _ in named.headers)

    def test_each_answer_has_its_time(self) -> None:
        (page,) = self.get("/")
        assert abs(page.at - time()) < 60
        assert 0 <= page.elapsed < 60

    def test_many_answers_are_not_mixed_up(self) -> None:
        paths = [*PAGES] * 20
        assert [r.body for r in self.get(*paths)] == [PAGES[path][2] for path in paths]


class FetcherSuite(_FetcherTests):
    """Subclass it, and give it a `make_fetcher` and a `serve`."""

    def make_fetcher(self, settings: Settings) -> Fetcher:
        """A new fetcher."""
        raise NotImplementedError

    def fetch_all(self, settings: Settings, urls: Sequence[str]) -> list[Result]:
        """Fetch these one after the other."""
        fetcher = self.make_fetcher(settings)
        try:
            return [fetcher.fetch(_request(url)) for url in urls]
        finally:
            fetcher.close()
            fetcher.close()

    def test_a_cancelled_fetcher_is_at_its_end(self) -> None:
        base = self.serve(PAGES)
        fetcher = self.make_fetcher(Settings(seeds=(f"{base}/",)))
        fetcher.cancel()
        fetcher.fetch(_request(f"{base}/"))  # whatever it gives
        assert fetcher.buffered == 0
        fetcher.close()


class AsyncFetcherSuite(_FetcherTests):
    """Subclass it, and give it a `make_fetcher` (called on a running loop) and a `serve`."""

    def make_fetcher(self, settings: Settings) -> AsyncFetcher:
        """A new fetcher."""
        raise NotImplementedError

    def fetch_all(self, settings: Settings, urls: Sequence[str]) -> list[Result]:
        """Fetch these all at once."""
        return asyncio.run(self._fetch_all(settings, urls))

    async def _fetch_all(self, settings: Settings, urls: Sequence[str]) -> list[Result]:
        fetcher = self.make_fetcher(settings)
        try:
            async with asyncio.timeout(60):
                return await asyncio.gather(*(fetcher.fetch(_request(url)) for url in urls))
        finally:
            assert fetcher.buffered == 0
            await fetcher.aclose()
            await fetcher.aclose()

    def test_a_cancelled_fetch_leaves_nothing_behind(self) -> None:
        base = self.serve(PAGES)
        asyncio.run(self._cancel(Settings(seeds=(f"{base}/",)), base))

    async def _cancel(self, settings: Settings, base: str) -> None:
        fetcher = self.make_fetcher(settings)
        async with asyncio.timeout(60):
            tasks = [asyncio.create_task(fetcher.fetch(_request(f"{base}/binary"))) for _ in "123"]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert fetcher.buffered == 0
            result = await fetcher.fetch(_request(f"{base}/"))
            assert isinstance(result, Response)
            assert result.body == PAGES["/"][2]
            await fetcher.aclose()


def _request(url: str) -> Request:
    return Request(id=1, url=url, host=link(url).host)
