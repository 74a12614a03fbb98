"""Programs that crawl: how they end, and what worker processes make of their files."""

from pathlib import Path

import pytest

from python_api import numbered, script
from webserver import Site

QUICK = "delay_factor=0, per_host=8, concurrency=8, retries=0"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs have their temporary directories."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_the_first_example(site: Site, tmp_path: Path) -> None:
    numbered(site, 200)
    ended = script(
        tmp_path,
        f"""
        from asyncmultispider import crawl

        for page in crawl({site.url()!r}, limit=100, delay_factor=0):
            print(page.status, page.url, page.title)
        """,
    )
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.splitlines()) == 100
    assert f"200 {site.url()} Home" in ended.out


def test_no_warning_however_it_is_left(site: Site, tmp_path: Path, temporary: Path) -> None:
    numbered(site, 200)
    ended = script(
        tmp_path,
        f"""
        import asyncio, gc, threading
        from asyncmultispider import crawl, fetch_all

        def some(n=200):
            return crawl({site.url()!r}, {QUICK})

        async def main():
            async for page in some():
                break
            async for page in fetch_all([{site.url()!r}]):
                pass
            await some()
            async with some() as run:
                async for page in run:
                    break
            waiting = asyncio.create_task(anext(aiter(some())))
            await asyncio.sleep(0)
            waiting.cancel()
            async for page in some():
                break

        for page in some():
            break
        try:
            for page in some():
                raise LookupError
        except LookupError:
            pass
        asyncio.run(main())
        gc.collect()
        """,
        "-X",
        "dev",
    )
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
def test_a_program_may_end_with_a_crawl_half_done(
    site: Site, tmp_path: Path, temporary: Path, engine: str
) -> None:
    numbered(site, 300)
    site.hold("/299")
    ended = script(
        tmp_path,
        f"""
        from asyncmultispider import crawl

        if __name__ == "__main__":
            pages = iter(crawl({site.url()!r}, engine={engine!r}, {QUICK}))
            print(next(pages).url)
        """,
    )
    assert (ended.code, ended.out, ended.err) == (0, f"{site.url()}\n", "")
    assert not list(temporary.iterdir())


def test_ctrl_c_ends_a_program(site: Site, tmp_path: Path, temporary: Path) -> None:
    numbered(site, 300)
    ended = script(
        tmp_path,
        f"""
        import signal
        from asyncmultispider import crawl

        for page in crawl({site.url()!r}, {QUICK}):
            signal.raise_signal(signal.SIGINT)
        """,
    )
    assert ended.err.rstrip().endswith("KeyboardInterrupt")
    assert ended.err.count("Traceback") == 1
    assert not list(temporary.iterdir())


SPIDER = """
from asyncmultispider import Spider, crawl

spider = Spider({url!r})

@spider.on("/*")
def page(page):
    yield from page.follow()
    yield {{"title": page.title}}
"""


def test_worker_processes_find_handlers_of_the_program(site: Site, tmp_path: Path) -> None:
    numbered(site, 5)
    ended = script(
        tmp_path,
        SPIDER.format(url=site.url())
        + f"""
if __name__ == "__main__":
    crawled = crawl(spider, engine="processes", processes=1, {QUICK})
    print(sorted(item["title"] for item in crawled.items()))
""",
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{['/0', '/1', '/2', '/3', '/4', 'Home']}\n"


def test_a_program_without_a_guard(site: Site, tmp_path: Path, temporary: Path) -> None:
    numbered(site, 5)
    ended = script(
        tmp_path,
        SPIDER.format(url=site.url())
        + f"""
print("once more")
for page in crawl(spider, engine="processes", processes=2, {QUICK}):
    print(page.url)
""",
    )
    assert ended.code == 1
    assert "UsageError" in ended.err.splitlines()[-1]
    assert "if __name__ == '__main__':" in ended.err.splitlines()[-1]
    assert ended.err.count("Traceback") == 1
    assert "http" not in ended.out
    assert site.requests == []
    assert not list(temporary.iterdir())


def test_handlers_behind_the_guard(site: Site, tmp_path: Path) -> None:
    inside = SPIDER.format(url=site.url()).replace("\n", "\n    ")
    ended = script(
        tmp_path,
        f"""
if __name__ == "__main__":
    {inside}
    list(crawl(spider, engine="processes", processes=1, {QUICK}))
""",
    )
    assert ended.code == 1
    last = ended.err.splitlines()[-1]
    assert "UsageError: a worker process can't load the spider" in last
    assert "define the handlers at the top of a module" in last


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        ("lambda page: None", "worker processes can't have this spider"),
        ("handler", "what was typed into a notebook or at a prompt is in no file"),
    ],
)
def test_handlers_that_are_in_no_file(
    site: Site, tmp_path: Path, handler: str, complaint: str
) -> None:
    notebook = f"""
from asyncmultispider import Spider, UsageError, crawl
def handler(page): pass
spider = Spider({site.url()!r})
spider.on("*")({handler})
try:
    crawl(spider, engine="processes")
except UsageError as error:
    print(error)
"""
    ended = script(tmp_path, f"import sys; del __file__; exec({notebook!r})")
    assert complaint in ended.out, ended.err
    assert site.requests == []


def test_a_program_that_is_in_no_file(site: Site, tmp_path: Path) -> None:
    ended = script(
        tmp_path,
        f"""
        from asyncmultispider import crawl
        __file__ = "<stdin>"
        crawl({site.url()!r}, engine="processes")
        """,
    )
    assert "UsageError: engine 'processes' needs a program that is in a file" in ended.err


def test_what_is_forked_meanwhile_ends_by_itself(site: Site, tmp_path: Path) -> None:
    numbered(site, 20)
    ended = script(
        tmp_path,
        f"""
        import os, sys
        from multiprocessing import get_context
        from asyncmultispider import crawl

        for page in crawl({site.url()!r}, limit=3, {QUICK}):
            child = get_context("fork").Process(target=int)
            child.start()
            child.join(10)
            print(child.exitcode)
            pid = os.fork()
            if pid == 0:
                sys.exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        *("-W", "ignore::DeprecationWarning"),  # Python 3.12: there are threads
    )
    assert (ended.code, ended.out, ended.err) == (0, "0\n7\n" * 3, "")


def test_what_is_forked_meanwhile_keeps_no_crawl_from_ending(site: Site, tmp_path: Path) -> None:
    numbered(site, 20)
    ended = script(
        tmp_path,
        f"""
        from multiprocessing import get_context
        from asyncmultispider import crawl

        pool = None
        for page in crawl({site.url()!r}, dir="kept", limit=10, {QUICK}):
            pool = pool or get_context("fork").Pool(1)
        print(pool.apply(abs, (-1,)))
        pool.close()
        pool.join()
        """,
        *("-W", "ignore::DeprecationWarning"),
    )
    assert (ended.code, ended.out, ended.err) == (0, "1\n", "")


def test_a_crawl_needs_no_other_python(site: Site, tmp_path: Path) -> None:
    numbered(site, 3)
    ended = script(
        tmp_path,
        f"""
        import sys
        from asyncmultispider import crawl

        for sys.executable in ("", "/nowhere/python"):
            print(len(list(crawl({site.url()!r}, dir="kept", fresh=True, {QUICK}))))
        """,
    )
    assert (ended.code, ended.out, ended.err) == (0, "4\n4\n", "")
