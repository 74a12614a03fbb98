"""`crawl()`: pages and items as they come, in plain and async code, and leaving early."""

import asyncio
import json
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asyncmultispider import Page, Run, Spider, StorageError, UsageError, crawl
from asyncmultispider.store.sqlite import SqliteStore
from command import python, run
from python_api import ENGINES, QUICK, leaving_nothing, numbered, quick, urls
from webserver import Site


@pytest.fixture(autouse=True)
def _leaving_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with leaving_nothing(tmp_path / "temporary", monkeypatch):
        yield


def book(page: Page) -> Iterator[Any]:
    yield {"title": page.title, "path": page.url.rpartition("/")[2]}


def home(page: Page) -> Iterator[Any]:
    yield from page.follow(page.links)


def spider(site: Site) -> Spider:
    spider = Spider(site.url())
    spider.on("/")(home)
    spider.on("/*")(book)
    return spider


def stored(directory: Path) -> set[str]:
    with closing(sqlite3.connect(directory / "pages.db")) as db:
        return {url for (url,) in db.execute("SELECT url FROM pages")}


def verified(directory: Path) -> bool:
    ended = run("verify", directory)
    assert ended.code == 0, ended.out
    return True


@pytest.mark.parametrize("engine", ENGINES)
def test_pages_come_as_they_complete(site: Site, engine: str) -> None:
    expected = numbered(site, 30)
    site.page("/", "<a href=/r>r</a>" + "".join(f"<a href=/{i}>x</a>" for i in range(30)))
    site.redirect("/r", "/0")
    pages = list(crawl(site.url(), **quick(engine)))
    assert urls(pages) == sorted({*expected, site.url("/r")})
    [redirect] = [page for page in pages if page.url == site.url("/r")]
    assert (redirect.status, dict(redirect.headers)["location"]) == (302, "/0")
    [page] = [page for page in pages if page.url == site.url("/7")]
    assert (page.status, page.title, page.depth, page.referrer) == (200, "/7", 1, site.url())
    assert page.body.endswith(b"x" * 100)
    assert page.content_type == "text/html"
    assert dict(page.headers)["content-type"].startswith("text/html")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_object_in_async_code(site: Site, engine: str) -> None:
    expected = numbered(site, 30)

    async def main() -> list[Page]:
        return [page async for page in crawl(site.url(), **quick(engine))]

    assert urls(asyncio.run(main())) == sorted(expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_items(site: Site, engine: str) -> None:
    numbered(site, 20)

    async def main() -> list[Any]:
        return [item async for item in crawl(spider(site), **quick(engine)).items()]

    expected = [{"title": f"/{i}", "path": str(i)} for i in range(20)]
    for items in (list(crawl(spider(site), **quick(engine)).items()), asyncio.run(main())):
        assert sorted(items, key=lambda item: int(item["path"])) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_a_spider_gives_pages_too(site: Site, engine: str) -> None:
    expected = numbered(site, 5)
    assert urls(list(crawl(spider(site), **quick(engine)))) == sorted(expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_seen_is_in_the_books(site: Site, directory: Path, engine: str) -> None:
    numbered(site, 20)
    for page in crawl(site.url(), dir=directory, **quick(engine)):
        assert page.url in stored(directory)


@pytest.mark.parametrize("engine", ENGINES)
def test_another_sqlite_in_this_process_may_look_into_the_books(
    site: Site, directory: Path, engine: str
) -> None:
    """Python's own closes a file after each page, and must not take the log away."""
    numbered(site, 60)
    for page in crawl(site.url(), dir=directory, **quick(engine)):
        assert page.url in stored(directory)
        with closing(sqlite3.connect(directory / "frontier.db")) as db:
            assert db.execute("SELECT count(*) FROM urls").fetchone() > (0,)
    assert len(stored(directory)) == 61
    assert verified(directory)


def test_limit_and_summary(site: Site) -> None:
    numbered(site, 30)
    run = crawl(site.url(), limit=10, **QUICK)
    assert run.summary is None
    assert len(list(run)) == 10
    assert run.summary is not None
    assert (run.summary.pages, run.summary.stopped) == (10, "limit")


def test_just_to_the_end(site: Site, directory: Path) -> None:
    expected = numbered(site, 10)
    assert crawl(site.url(), dir=directory, **QUICK).run().pages == 11
    assert stored(directory) == expected

    async def main() -> int:
        return (await crawl(site.url(), **QUICK)).pages

    assert asyncio.run(main()) == 11


# Leaving early


@pytest.mark.parametrize("engine", ENGINES)
def test_a_break_stops_it_and_it_can_go_on(site: Site, directory: Path, engine: str) -> None:
    expected = numbered(site, 300)
    run = crawl(site.url(), dir=directory, **quick(engine))
    for page in run:
        if page.title == "/20":
            break
    assert run.summary is not None  # it has ended before the next line of the program
    assert run.summary.stopped == "interrupted"
    assert run.summary.queued > 0
    assert verified(directory)
    before = stored(directory)
    rest = urls(list(crawl(site.url(), dir=directory, **quick(engine))))
    assert set(rest) == expected - before
    assert len(rest) == len(expected) - len(before)
    assert stored(directory) == expected
    assert verified(directory)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_break_in_async_code(site: Site, directory: Path, engine: str) -> None:
    expected = numbered(site, 300)

    async def main() -> None:
        async with crawl(site.url(), dir=directory, **quick(engine)) as run:
            async for page in run:
                if page.title == "/20":
                    break
        assert run.summary is not None
        assert run.summary.stopped == "interrupted"
        async for _ in crawl(site.url(), dir=directory, **quick(engine)):
            break  # and the next waits for its end
        async for _ in crawl(site.url(), dir=directory, **quick(engine)):
            pass

    asyncio.run(main())
    assert stored(directory) == expected


def test_a_break_with_no_loop_left(site: Site) -> None:
    numbered(site, 300)

    async def main() -> None:
        async for _ in crawl(site.url(), **QUICK):
            break

    asyncio.run(main())


def test_a_break_among_items(site: Site) -> None:
    numbered(site, 300)
    run = crawl(spider(site), **QUICK)
    for item in run.items():
        if item["path"] == "5":
            break
    assert run.summary is not None
    assert run.summary.queued > 0


def test_what_is_in_flight_is_given_up(site: Site, directory: Path) -> None:
    numbered(site, 3)
    held = site.hold("/0")
    for page in crawl(site.url(), dir=directory, **QUICK):
        if page.title == "/1":
            break
    held.release()
    assert urls(list(crawl(site.url(), dir=directory, **QUICK)))[0] == site.url("/0")


def test_an_exception_in_the_loop(site: Site) -> None:
    numbered(site, 300)
    run = crawl(site.url(), **QUICK)

    def look() -> None:
        for _ in run:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        look()
    assert run.summary is not None
    assert run.summary.stopped == "interrupted"


@pytest.mark.parametrize("waiting", [False, True])
def test_ctrl_c(site: Site, directory: Path, waiting: bool) -> None:
    numbered(site, 50)
    if waiting:
        site.page("/", "<a href=/held>x</a>")
        held = site.hold("/held")

        def press() -> None:
            site.wait_until(lambda: site.hits("/held"))
            os.kill(os.getpid(), signal.SIGINT)

        finger = threading.Thread(target=press)
        finger.start()
    run = crawl(site.url(), dir=directory, **QUICK)

    def look() -> None:
        for _ in run:
            if not waiting:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        look()
    if waiting:
        finger.join()
        held.release()
    assert run.summary is not None
    assert run.summary.stopped == "interrupted"
    assert verified(directory)


def test_cancelled(site: Site) -> None:
    site.hold("/")

    async def main() -> None:
        async def consume() -> None:
            async for _ in crawl(site.url(), **QUICK):
                pass

        task = asyncio.create_task(consume())
        await asyncio.to_thread(site.wait_until, lambda: site.hits("/"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_stop_lets_what_is_in_flight_come(site: Site) -> None:
    numbered(site, 300)
    held = site.hold("/0")
    run = crawl(site.url(), **QUICK)
    seen = []
    for page in run:
        seen.append(page.url)
        if len(seen) == 2:
            site.wait_until(lambda: site.hits("/0"))
            threading.Thread(target=run.stop).start()
            held.release()
    assert site.url("/0") in seen
    assert len(seen) < 200
    assert run.summary is not None
    assert run.summary.stopped == "interrupted"
    assert len(seen) == run.summary.pages


def test_stopped_before_it_began(site: Site) -> None:
    numbered(site, 300)
    run = crawl(site.url(), **QUICK)
    run.stop()
    assert len(list(run)) < 300


def test_closing(site: Site) -> None:
    numbered(site, 300)
    with crawl(site.url(), **QUICK) as run:
        pages = iter(run)
        next(pages)
    assert run.summary is not None
    run.close()
    with crawl(site.url(), **QUICK) as unused:
        pass
    with pytest.raises(RuntimeError, match="runs once"):
        list(unused)
    assert site.hits("/robots.txt") == 1


def test_a_run_is_for_once(site: Site) -> None:
    numbered(site, 3)
    run = crawl(site.url(), **QUICK)
    list(run)
    for again in (iter, Run.run, aiter, lambda run: iter(run.items())):
        with pytest.raises(RuntimeError, match="runs once"):
            again(run)


# A consumer that takes its time


def lags(site: Site, run: Run, *, least: int, most: int, pages: int) -> None:
    """The crawl goes on by `least` pages without its consumer, and by no more than `most`."""
    most += 2 * QUICK["concurrency"]  # what is in flight when the valve shuts, and robots.txt
    for taken, _ in enumerate(run, 1):
        wanted = min(taken + least - 1, pages)
        site.wait_until(lambda wanted=wanted: len(site.requests) >= wanted)
        assert len(site.requests) <= taken + most
    assert taken == pages


def test_few_pages_wait_for_a_slow_consumer(site: Site) -> None:
    numbered(site, 299)
    lags(site, crawl(site.url(), **QUICK), least=32, most=64, pages=300)


def test_few_bytes_wait_for_a_slow_consumer(site: Site) -> None:
    numbered(site, 59, size=2 * 2**20)
    lags(site, crawl(site.url(), **QUICK), least=8, most=16, pages=60)


def test_others_on_the_loop_have_their_turn(site: Site) -> None:
    numbered(site, 300)

    async def main() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.create_task(count())
        async for _ in crawl(site.url(), **QUICK):
            pass
        counting.cancel()
        return turns

    assert asyncio.run(main()) > 10


# Anywhere


def test_in_a_running_loop(site: Site) -> None:
    expected = numbered(site, 20)

    async def cell() -> list[Page]:  # as in a notebook
        return list(crawl(site.url(), **QUICK))

    assert urls(asyncio.run(cell())) == sorted(expected)


def test_in_a_server_of_the_same_loop(site: Site) -> None:
    expected = numbered(site, 20)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        n = 0
        async for _ in crawl(site.url(), **QUICK):
            n += 1
        writer.write(str(n).encode())
        writer.close()

    async def main() -> list[bytes]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

        async with server:
            return await asyncio.gather(ask(), ask())

    assert asyncio.run(main()) == [str(len(expected)).encode()] * 2


def test_in_a_thread(site: Site) -> None:
    expected = numbered(site, 20)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(urls(list(crawl(site.url(), **QUICK)))))
    thread.start()
    thread.join()
    assert found == sorted(expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_at_once(site: Site, other: Site, engine: str) -> None:
    expected = numbered(site, 20), numbered(other, 20)
    pairs = list(zip(*(crawl(s.url(), **quick(engine)) for s in (site, other)), strict=True))
    for pages, known in zip(zip(*pairs, strict=True), expected, strict=True):
        assert urls(list(pages)) == sorted(known)


# What it is given, and what goes wrong


def test_options_reach_the_crawl(site: Site) -> None:
    site.page("/", "<a href=/in/a>a</a><a href=/in/b.pdf>b</a><a href=/out>c</a>")
    site.page("/in/a", "")
    run = crawl(
        site.url(),
        include="/in/*",
        exclude=["*.pdf"],
        header={"X-Mine": "1"},
        user_agents=["Tester/1"],
        **QUICK,
    )
    assert [page.url for page in run] == [site.url("/"), site.url("/in/a")]
    headers = site.requests[-1].headers
    assert (headers["x-mine"], headers["user-agent"]) == ("1", "Tester/1")


@pytest.mark.parametrize("header", ["X-Mine: 1", ["X-Mine: 1", "X-Other: 2"], {"X-Mine": "1"}])
def test_header(site: Site, header: Any) -> None:
    site.page("/", "")
    list(crawl(site.url(), header=header, **QUICK))
    assert site.requests[-1].headers["x-mine"] == "1"


def test_an_option_that_is_none_was_not_said(site: Site) -> None:
    site.page("/", "")
    options: dict[str, Any] = {"dir": None, "limit": None, "header": None, "engine": None}
    assert len(list(crawl(site.url(), **options, **QUICK))) == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"concurrency": 0}, "concurrency must be at least 1, not 0"),
        ({"concurrency": "8"}, "concurrency: expected int, got str"),
        ({"max_body": -1}, "max_body must be at least 1, not -1"),
        ({"scope": "all"}, "scope must be one of host, domain, prefix, any, not 'all'"),
        ({"include": 5}, "include: expected array, got int"),
        ({"include": ""}, "include needs a glob"),
        ({"header": "X-Mine"}, "header needs 'Name: value': one has no colon"),
        ({"header": 5}, "header must be 'Name: value', several of these, or a mapping"),
        ({"proxy": "nothing"}, "proxy needs a URL"),
        ({"user_agents": "no/such/file"}, "user_agents 'no/such/file'"),
        ({"output": "pages.txt"}, "can't tell the format of 'pages.txt'"),
        ({"output": "-"}, "output '-' is for the command line"),
        ({"output": 5}, "output must be a path, or several, not 5"),
        ({"dir": 5}, "dir must be a path, not 5"),
        ({"sitemap": "ftp://x/"}, "only http and https"),
    ],
)
def test_a_bad_value_is_told_at_the_call(options: Any, complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        crawl("http://127.0.0.1/", **options)
    assert complaint in str(caught.value)
    assert "--" not in str(caught.value)


def test_bad_starts() -> None:
    for start in ((), ("",), ("mailto:x",), (5,), (Spider("http://a/"), "http://b/"), (Spider(),)):
        with pytest.raises(UsageError):
            crawl(*start)  # type: ignore[arg-type]


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"crawl\(\) has no option 'max_bodies'.*'max_body'"):
        crawl("http://127.0.0.1/", max_bodies=5)  # type: ignore[call-arg]


def test_another_crawl_in_the_directory(site: Site, directory: Path) -> None:
    numbered(site, 3)
    crawl(site.url(), dir=directory, **QUICK).run()
    for begin in (list, lambda run: next(iter(run)), Run.run):
        with pytest.raises(UsageError, match=r"holds another crawl .* or fresh to forget it"):
            begin(crawl(site.url("/1"), dir=directory, **QUICK))
    assert len(list(crawl(site.url("/1"), dir=directory, fresh=True, **QUICK))) == 1


def test_the_directory_is_in_use(site: Site, directory: Path) -> None:
    numbered(site, 300)
    for _ in crawl(site.url(), dir=directory, **QUICK):
        with pytest.raises(UsageError, match="another crawl is running"):
            list(crawl(site.url(), dir=directory, **QUICK))
        break


def test_outputs_are_written_at_the_end(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered(site, 30)
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "pages.jsonl"
    for page in crawl(site.url(), output=output, **QUICK):
        if page.title == "/7":
            break
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert {line["url"] for line in lines} == stored(tmp_path / "127.0.0.1.crawl")


@pytest.mark.parametrize("engine", ["async", "threads"])
def test_a_full_disk_is_raised(site: Site, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered(site, 30)
    write = SqliteStore.write

    def fail(store: SqliteStore, outcomes: Any) -> int:
        if any(outcome.page and outcome.page.title == "/9" for outcome in outcomes):
            raise StorageError("the disk is full")
        return write(store, outcomes)

    monkeypatch.setattr(SqliteStore, "write", fail)
    for end in (list, Run.run):
        with pytest.raises(StorageError, match="the disk is full"):
            end(crawl(site.url(), **quick(engine)))

    async def main() -> None:
        async for _ in crawl(site.url(), **quick(engine)):
            pass

    with pytest.raises(StorageError, match="the disk is full"):
        asyncio.run(main())


def test_a_handler_that_raises_fails_its_page(site: Site, directory: Path) -> None:
    numbered(site, 5)
    broken = spider(site)

    @broken.on("/3")
    def three(page: Page) -> None:
        raise LookupError("not here")

    items = list(crawl(broken, dir=directory, **QUICK).items())
    assert {item["path"] for item in items} == {"0", "1", "2", "4"}
    assert "not here" in run("explain", directory, site.url("/3")).out


def test_what_should_be_heard_is_logged(
    site: Site, other: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    site.redirect("/", other.url())
    list(crawl(site.url(), **QUICK))
    assert f"{site.url()} redirects to {other.url()}, which is out of scope" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_importing_is_light() -> None:
    ended = python(
        "import sys, asyncmultispider as a\n"
        "assert not {'asyncio', 'pycurl', 'turbohtml', 'apsw', 'click'} & set(sys.modules)\n"
        "assert a.crawl and a.Spider and a.Run and 'fetch_all' in dir(a)\n"
        "assert not {'click', 'rich', 'pyarrow', 'warcio'} & set(sys.modules), sys.modules\n"
    )
    assert (ended.code, ended.out) == (0, ""), ended.err
