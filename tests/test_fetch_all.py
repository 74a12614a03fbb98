"""`fetch_all()`: a result for each URL of a list."""

import asyncio
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncmultispider import Failed, FetchAll, Page, StorageError, UsageError, fetch_all
from asyncmultispider.api import answers
from asyncmultispider.api.chains import Chains
from asyncmultispider.store.sqlite import SqliteStore
from python_api import ENGINES, QUICK, leaving_nothing, numbered, quick
from webserver import Certificates, Reply, Site


@pytest.fixture(autouse=True)
def _leaving_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with leaving_nothing(tmp_path / "temporary", monkeypatch):
        yield


def paths(site: Site, results: list[Page | Failed]) -> list[str]:
    return [result.url.removeprefix(site.url("")) for result in results]


def reasons(results: list[Page | Failed]) -> list[str | None]:
    return [result.reason if isinstance(result, Failed) else None for result in results]


@pytest.mark.parametrize("engine", ENGINES)
def test_in_the_order_of_the_list_each_as_often_as_it_is_there(site: Site, engine: str) -> None:
    numbered(site, 50)
    wanted = [f"/{i}" for i in range(50)] * 2
    random.Random(1).shuffle(wanted)
    results = list(fetch_all(map(site.url, wanted), **quick(engine)))
    assert paths(site, results) == wanted
    assert [page.title for page in results if isinstance(page, Page)] == wanted
    assert all(site.hits(path) == 1 for path in wanted)
    assert site.hits("/") == 0, "links of pages are not followed"


@pytest.mark.parametrize("engine", ENGINES)
def test_as_they_come(site: Site, engine: str) -> None:
    numbered(site, 20)
    held = site.hold("/0")
    seen = []
    wanted = [site.url(f"/{i}") for i in range(20)] + ["no:url", site.url("/3")]
    for result in fetch_all(wanted, ordered=False, **quick(engine)):
        seen.append(result.url)
        if len(seen) == 21:
            held.release()
    assert seen[0] == "no:url"
    assert seen[-1] == site.url("/0")
    assert sorted(seen) == sorted(wanted)


def test_the_same_object_in_async_code(site: Site) -> None:
    numbered(site, 20)
    wanted = [f"/{i}" for i in range(20)]

    async def main() -> list[Page | Failed]:
        return [result async for result in fetch_all(map(site.url, wanted), **QUICK)]

    assert paths(site, asyncio.run(main())) == wanted


@pytest.mark.parametrize("engine", ENGINES)
def test_failures_are_values(site: Site, engine: str) -> None:
    site.robots("User-agent: *\nDisallow: /private\n")
    site.page("/good", "<title>Good</title>")
    site.page("/private", "")
    site.page("/noindex", "<meta name=robots content=noindex>")
    site.route("/broken", Reply(503))
    text: Any = None
    wanted = [
        *map(site.url, ("/missing", "/private", "/good", "/noindex", "/broken")),
        *("mailto:x@y", "", "http://127.0.0.1:1/", text),
    ]
    results = list(fetch_all(wanted, **quick(engine)))
    assert reasons(results) == [
        *("http-404", "robots", None, "noindex", "http-503"),
        *("bad-url", "bad-url", "connect", "bad-url"),
    ]
    assert [r.url for r in results] == [*wanted[:-1], "None"]
    missing = results[0]
    assert isinstance(missing, Failed)
    assert (missing.status, type(missing.reason)) == (404, str)
    told = list(fetch_all([site.url("/private")], ignore_robots=True, **quick(engine)))
    assert reasons(told) == [None]


@pytest.mark.parametrize("engine", ENGINES)
def test_redirects_are_followed_to_their_end(site: Site, other: Site, engine: str) -> None:
    other.page("/end", "<title>End</title>")
    site.redirect("/a", "/b", status=301)
    site.redirect("/b", other.url("/end"))
    site.page("/c", f'<meta http-equiv=refresh content="0; url={other.url("/end")}">')
    site.redirect("/gone", "/missing")
    site.redirect("/round", "/around")
    site.redirect("/around", "/round")
    site.redirect("/self", "/self")
    site.redirect("/nowhere", "mailto:x")
    for i in range(12):
        site.redirect(f"/far/{i}", f"/far/{i + 1}")
    wanted = ["/a", "/b", "/c", "/a", "/gone", "/round", "/self", "/nowhere", "/far/0"]
    assert reasons(list(fetch_all([site.url("/a")], **quick(engine)))) == ["private-address"]
    options = {**quick(engine), "allow_private": "127.0.0.0/8"}
    results = list(fetch_all(map(site.url, wanted), **options))
    assert [r.url for r in results[:4]] == [other.url("/end")] * 4
    assert [r.title for r in results[:4] if isinstance(r, Page)] == ["End"] * 4
    assert reasons(results[4:]) == [
        *("http-404", "too-many-redirects", "too-many-redirects", "bad-redirect"),
        "too-many-redirects",
    ]
    assert results[4].url == site.url("/gone")
    assert other.hits("/end") == 1


def test_a_redirect_to_what_came_before(site: Site) -> None:
    site.page("/end", "<title>End</title>")
    held = site.hold("/late", Reply(302, headers=[("Location", "/end")]))
    titles = []
    for page in fetch_all([site.url("/end"), site.url("/late")], **QUICK):
        assert isinstance(page, Page)
        titles.append(page.title)
        held.release()
    assert titles == ["End", "End"]


def test_what_comes_before_its_turn_may_wait_on_disk(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered(site, 30, size=1000)
    monkeypatch.setattr(answers, "HEAVIEST", 5000)
    held = site.hold("/0", Reply(200, "<title>/0</title>"))
    wanted = [f"/{i}" for i in range(30)]

    def release_last() -> None:
        site.wait_until(lambda: site.hits("/29"))
        held.release()

    finger = threading.Thread(target=release_last)
    finger.start()
    found = list(fetch_all(map(site.url, wanted), **QUICK))
    finger.join()
    assert paths(site, found) == wanted
    assert [page.title for page in found if isinstance(page, Page)] == wanted


def test_no_urls_and_none_that_is_good() -> None:
    async def main() -> list[Page | Failed]:
        return [result async for result in fetch_all(["::"])]

    assert list(fetch_all([])) == []
    assert reasons(list(fetch_all(["::", "ftp://x/"]))) == ["bad-url", "bad-url"]
    assert reasons(asyncio.run(main())) == ["bad-url"]


def test_without_a_scheme_it_is_https(trusted: Certificates) -> None:
    with Site(trusted.valid) as site:
        site.page("/", "<title>Safe</title>")
        [page] = fetch_all([site.url("/").removeprefix("https://")], **QUICK)
        assert isinstance(page, Page)
        assert (page.url, page.title) == (site.url("/"), "Safe")


def test_leaving_early(site: Site) -> None:
    numbered(site, 300)
    wanted = [site.url(f"/{i}") for i in range(300)]
    run = fetch_all(wanted, **QUICK)
    for _ in run:
        break
    assert run.summary is not None
    assert run.summary.queued > 0
    with pytest.raises(RuntimeError, match="runs once"):
        iter(run)

    async def main() -> None:
        async with fetch_all(wanted, **QUICK) as run:
            async for _ in run:
                break

    asyncio.run(main())


@pytest.mark.parametrize("ordered", [True, False])
def test_stopped_there_is_still_a_result_for_each(site: Site, ordered: bool) -> None:
    numbered(site, 300)
    wanted = [site.url(f"/{i}") for i in range(300)]
    run = fetch_all(wanted, ordered=ordered, **QUICK)
    results = []
    for result in run:
        results.append(result)
        run.stop()
    assert sorted(r.url for r in results) == sorted(wanted)
    assert ordered is False or [r.url for r in results] == wanted
    assert set(reasons(results)) == {None, "stopped"}


def test_alike_urls_of_a_list_are_no_trap(site: Site) -> None:
    site.page("/item", "<title>All the same</title>")
    wanted = [site.url(f"/item?id={i}") for i in range(700)]
    assert reasons(list(fetch_all(wanted, **QUICK))) == [None] * 700


def test_a_full_disk_is_raised(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(site, 3)

    def fail(*_: object) -> int:
        raise StorageError("the disk is full")

    monkeypatch.setattr(SqliteStore, "write", fail)
    with pytest.raises(StorageError, match="the disk is full"):
        list(fetch_all([site.url("/1")], **QUICK))


def test_wrong_use() -> None:
    with pytest.raises(TypeError, match=r"fetch_all\(\) has no option 'depth'"):
        fetch_all(["http://127.0.0.1/"], depth=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="several URLs"):
        fetch_all("http://127.0.0.1/")
    with pytest.raises(UsageError, match="concurrency must be at least 1"):
        fetch_all(["http://127.0.0.1/"], concurrency=0)
    assert isinstance(fetch_all([]), FetchAll)


def test_redirects_from_each_url_of_the_list_to_the_next() -> None:
    chains = Chains()
    for i in range(5000):
        assert list(chains.redirected(f"/{i}", f"/{i + 1}")) == []
    ends = dict(chains.ended("/5000", "/5000"))
    assert ends == dict.fromkeys((f"/{i}" for i in range(5001)), "/5000")
    assert chains.open(ends) == set()
