"""The two drivers of libcurl's multi handle do the same."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pycurl
import pytest

from asyncmultispider.fetch import curl, multi
from asyncmultispider.fetch.curl import AsyncCurlFetcher
from asyncmultispider.fetch.multi import EpollMulti
from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.settings import Settings
from webserver import Site, no_answer

T = TypeVar("T")
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(params=[EpollMulti, pycurl.AsyncCurlMulti], autouse=True)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curl, "make_multi", request.param)


def with_fetcher(site: Site, act: Callable[[AsyncCurlFetcher], Awaitable[T]]) -> T:
    async def run() -> T:
        fetcher = AsyncCurlFetcher(Settings(seeds=(site.url("/"),)))
        try:
            async with asyncio.timeout(20):
                return await act(fetcher)
        finally:
            await fetcher.aclose()

    return asyncio.run(run())


def fetch(fetcher: AsyncCurlFetcher, site: Site, path: str) -> Awaitable[Result]:
    host = site.url("/").split("/")[2]
    return fetcher.fetch(Request(id=0, url=site.url(path), host=host))


def test_many_at_once_on_few_connections(site: Site) -> None:
    for n in range(40):
        site.page(f"/{n}", f"page {n}")

    async def act(fetcher: AsyncCurlFetcher) -> list[Result]:
        found = []
        for _ in range(3):
            found += await asyncio.gather(*(fetch(fetcher, site, f"/{n}") for n in range(40)))
        return found

    bodies = [result.body for result in with_fetcher(site, act) if isinstance(result, Response)]
    assert bodies == [b"page %d" % n for n in range(40)] * 3
    assert site.connections <= 40


def test_a_crowd_gets_its_turns_while_it_begins(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multi, "MAX_BEGUN", 3)
    for n in range(50):
        site.page(f"/{n}", f"page {n}")

    def refused(fetcher: AsyncCurlFetcher) -> Awaitable[Result]:  # ends where it begins
        return fetcher.fetch(Request(id=0, url="http://127.0.0.9/", host="127.0.0.9"))

    async def act(fetcher: AsyncCurlFetcher) -> list[Result]:
        pages = [fetch(fetcher, site, f"/{n}") for n in range(50)]
        return await asyncio.gather(*pages, *(refused(fetcher) for _ in range(5)))

    results = with_fetcher(site, act)
    bodies = [result.body for result in results if isinstance(result, Response)]
    assert bodies == [b"page %d" % n for n in range(50)]
    reasons = [result.reason for result in results if isinstance(result, Failure)]
    assert reasons == [Reason.PRIVATE_ADDRESS] * 5


def test_a_connection_that_the_server_closed_is_replaced(site: Site) -> None:
    site.page("/", "here")
    site.route("/cut", no_answer())

    async def act(fetcher: AsyncCurlFetcher) -> list[Result]:
        return [await fetch(fetcher, site, path) for path in ("/", "/cut", "/", "/cut", "/")]

    results = with_fetcher(site, act)
    assert [isinstance(result, Response) for result in results] == [True, False, True, False, True]
    assert isinstance(results[1], Failure)
    assert results[1].reason is Reason.RESET


def test_a_cancelled_fetch_leaves_the_others_alone(site: Site) -> None:
    site.page("/", "here")
    hold = site.hold("/slow")

    async def act(fetcher: AsyncCurlFetcher) -> Result:
        slow = asyncio.ensure_future(fetch(fetcher, site, "/slow"))
        while not site.hits("/slow"):
            await fetch(fetcher, site, "/")
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert fetcher.buffered == 0
        return await fetch(fetcher, site, "/")

    assert isinstance(with_fetcher(site, act), Response)
    hold.release()


def test_large_bodies_take_turns_and_all_arrive(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl, "MAX_BUFFERED", 100_000)
    body = bytes(range(256)) * 4000
    for n in range(12):
        site.page(f"/{n}", body)
    most = 0

    async def act(fetcher: AsyncCurlFetcher) -> list[Result]:
        nonlocal most
        tasks = [asyncio.ensure_future(fetch(fetcher, site, f"/{n}")) for n in range(12)]
        while not all(task.done() for task in tasks):
            most = max(most, fetcher.buffered)
            await asyncio.wait(tasks, timeout=0.01)
        assert fetcher.buffered == 0
        return [task.result() for task in tasks]

    results = with_fetcher(site, act)
    assert [len(r.body) for r in results if isinstance(r, Response)] == [len(body)] * 12
    assert most < 3 * len(body)


def test_a_silent_server_does_not_hold_up_large_bodies(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl, "MAX_BUFFERED", 100_000)
    body = bytes(range(256)) * 4000
    hold = site.hold("/silent")
    for n in range(6):
        site.page(f"/{n}", body)

    async def act(fetcher: AsyncCurlFetcher) -> list[Result]:
        silent = asyncio.ensure_future(fetch(fetcher, site, "/silent"))
        while not site.hits("/silent"):
            await asyncio.wait([silent], timeout=0.01)
        large = await asyncio.gather(*(fetch(fetcher, site, f"/{n}") for n in range(6)))
        assert not silent.done()
        assert fetcher.buffered == 0
        hold.release()
        return [*large, await silent]

    results = with_fetcher(site, act)
    sizes = [len(result.body) for result in results if isinstance(result, Response)]
    assert sizes == [len(body)] * 6 + [0]


def test_an_idle_connection_that_both_sides_close_at_once() -> None:
    """Needs the answer on one connection and the end of the other to be seen in one round."""
    asked: list[socket.socket] = []
    troubles: list[dict[str, Any]] = []

    async def ask(fetcher: AsyncCurlFetcher, listener: socket.socket) -> "asyncio.Task[Result]":
        url = "http://{}:{}/".format(*listener.getsockname())
        request = Request(id=0, url=url, host=url.split("/")[2])
        task = asyncio.create_task(fetcher.fetch(request))
        connection, _ = await asyncio.to_thread(listener.accept)
        asked.append(connection)
        assert await asyncio.to_thread(connection.recv, 65536)
        return task

    async def run(one: socket.socket, two: socket.socket) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: troubles.append(told))
        seeds = ("http://a.example/",)
        fetcher = AsyncCurlFetcher(Settings(seeds=seeds, allow_private=("all",)))
        fetcher._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        async with asyncio.timeout(20):
            first = await ask(fetcher, one)
            asked[0].sendall(EMPTY)
            assert isinstance(await first, Response)
            second = await ask(fetcher, two)
            # No await between these two. The second answer leaves one idle connection too many.
            asked[1].sendall(EMPTY)
            asked[0].close()
            assert isinstance(await second, Response)
            third = await ask(fetcher, one)
            asked[2].sendall(EMPTY)
            assert isinstance(await third, Response)
        await fetcher.aclose()

    address = ("127.0.0.1", 0)
    with socket.create_server(address) as one, socket.create_server(address) as two:
        for listener in (one, two):
            listener.settimeout(20)
        try:
            asyncio.run(run(one, two))
        finally:
            for connection in asked:
                connection.close()
    assert troubles == []


def test_closing_with_transfers_under_way(site: Site) -> None:
    hold = site.hold("/slow")

    async def run() -> None:
        fetcher = AsyncCurlFetcher(Settings(seeds=(site.url("/"),)))
        slow = asyncio.ensure_future(fetch(fetcher, site, "/slow"))
        async with asyncio.timeout(20):
            while not site.hits("/slow"):
                await asyncio.wait([slow], timeout=0.01)
            await fetcher.aclose()
            await fetcher.aclose()
            assert (await asyncio.gather(slow, return_exceptions=True)) != []

    asyncio.run(run())
    hold.release()
