"""Spiders: which handler gets a page, and what becomes of what it yields."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import Struct

import asyncmultispider
from asyncmultispider.engines import handlers
from asyncmultispider.engines.handlers import Watch, await_handler, call_handler
from asyncmultispider.errors import UsageError
from asyncmultispider.judge import Judge, Visit
from asyncmultispider.model import Outcome, Reason, Request, State
from asyncmultispider.page import Page
from asyncmultispider.settings import Settings
from asyncmultispider.spider import Handler, Spider
from asyncmultispider.spiderfile import load_spider
from asyncmultispider.testing import reply
from asyncmultispider.urls import host_of

SEED = "http://a.example/"
URL = "http://a.example/dir/page?x=1"
BODY = "<title>T</title><a href=one>1</a><a href=/two>2</a><a href=mailto:x>m</a>"


def page_at(url: str, *, status: int = 200, content_type: str | None = "text/html") -> Page:
    return Page(
        Request(id=1, url=url, host=host_of(url)),
        reply("", status=status, content_type=content_type),
    )


# Which handler


def test_the_package_has_spider() -> None:
    assert asyncmultispider.Spider is Spider
    with pytest.raises(AttributeError, match="nothing"):
        asyncmultispider.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("path", "winner"),
    [
        ("/", "any"),
        ("/other", "any"),
        ("/blog/x", "blog"),
        ("/blog/2024/x", "year"),
        ("/blog/2024/x.pdf", "year"),
        ("/files/x.pdf", "pdf"),
        ("/blog/?page=2", "pages"),
    ],
)
def test_the_most_specific_glob_wins(path: str, winner: str) -> None:
    spider = Spider(SEED)
    for glob, name in [
        ("*", "any"),
        ("/blog/*", "blog"),
        ("/blog/2024/*", "year"),
        ("*.pdf", "pdf"),
        ("/blog/?page=*", "pages"),
    ]:
        spider.on(glob)(lambda page, name=name: name)
    handler = spider.handler(page_at(f"http://a.example{path}"))
    assert handler is not None
    assert handler(None) == winner


def test_of_equally_specific_globs_the_first_wins() -> None:
    spider = Spider(SEED)
    first = spider.on("/a/*")(lambda page: None)
    spider.on("*/a/")(lambda page: None)
    assert spider.handler(page_at("http://a.example/a/")) is first


def test_without_a_glob_for_it_a_page_has_no_handler() -> None:
    spider = Spider(SEED)
    spider.on("/a/*")(lambda page: None)
    assert spider.handler(page_at(SEED)) is None


def test_an_empty_glob_is_refused() -> None:
    with pytest.raises(UsageError, match=r"on\(\) needs a glob"):
        Spider(SEED).on("")


def test_a_handler_stays_callable() -> None:
    spider = Spider(SEED)

    @spider.on("*")
    def handler(page: Page) -> str:
        return "called"

    assert handler(None) == "called"


# What becomes of it


class Point(Struct):
    x: int


@dataclass
class Row:
    y: str


def judge(handler: Handler, **options: object) -> Judge:
    spider = Spider(SEED)
    spider.on("*")(handler)
    return Judge(Settings(seeds=(SEED,), **options), spider)


def visit(handler: Handler, *, at: int = 0, **options: object) -> Outcome:
    """A page with such a handler, judged in both colours: they must agree."""
    outcomes = []
    for colour in ("plain", "async"):
        decide = judge(handler, **options)
        asked = Request(id=7, url=URL, host="a.example", depth=at)
        waiting = decide(asked, reply(BODY))
        assert isinstance(waiting, Visit)
        if colour == "async":
            outcomes.append(asyncio.run(await_handler(decide, waiting)))
        else:
            runner = asyncio.Runner()
            outcomes.append(call_handler(decide, waiting, runner))
            runner.close()
    one, other = outcomes
    assert (one.state, one.reason, one.items, one.links) == (
        other.state,
        other.reason,
        other.items,
        other.links,
    )
    return one


def urls(outcome: Outcome) -> list[tuple[str, int]]:
    return [(link.url, link.depth) for link in outcome.links]


def gives_nothing(page: Page) -> None:
    pass


def gives_one(page: Page) -> dict[str, object]:
    return {"title": page.title}


def gives_list(page: Page) -> list[object]:
    return [{"title": page.title}, Row(y="é"), Point(x=1)]


def generates(page: Page) -> Iterator[object]:
    yield from gives_list(page)


async def gives_later(page: Page) -> list[object]:
    await asyncio.sleep(0)
    return gives_list(page)


async def generates_later(page: Page) -> AsyncIterator[object]:
    for product in gives_list(page):
        await asyncio.sleep(0)
        yield product


@pytest.mark.parametrize("handler", [gives_list, generates, gives_later, generates_later])
def test_items_come_from_handlers_of_every_kind(handler: Handler) -> None:
    outcome = visit(handler)
    assert (outcome.state, outcome.reason) == (State.DONE, None)
    assert [json.loads(item) for item in outcome.items] == [{"title": "T"}, {"y": "é"}, {"x": 1}]
    assert outcome.page is not None
    assert outcome.page.url == URL
    assert outcome.size == len(BODY)
    assert outcome.links == (), "a handler decides what is followed"


@pytest.mark.parametrize(("handler", "items"), [(gives_nothing, 0), (gives_one, 1)])
def test_nothing_or_one_item_may_be_returned(handler: Handler, items: int) -> None:
    outcome = visit(handler)
    assert outcome.state is State.DONE
    assert len(outcome.items) == items


def test_links_are_followed_as_without_a_handler() -> None:
    followed = visit(lambda page: page.follow())
    assert urls(followed) == [("http://a.example/dir/one", 1), ("http://a.example/two", 1)]
    plain = Judge(Settings(seeds=(SEED,)))(Request(id=7, url=URL, host="a.example"), reply(BODY))
    assert isinstance(plain, Outcome)
    assert followed.links == plain.links


def test_chosen_links_are_followed() -> None:
    chosen = visit(lambda page: page.follow(["one", "one#x", "/y?z=1", "mailto:x", "http://[bad"]))
    assert urls(chosen) == [("http://a.example/dir/one", 1), ("http://a.example/y?z=1", 1)]
    single = visit(lambda page: page.follow("../up"))
    assert urls(single) == [("http://a.example/up", 1)]


def test_links_out_of_scope_are_closed_at_birth() -> None:
    outcome = visit(lambda page: page.follow(["http://other.example/", "/in"]))
    assert [(link.url, link.skip) for link in outcome.links] == [
        ("http://other.example/", Reason.SCOPE),
        ("http://a.example/in", None),
    ]


def test_no_handler_leads_beyond_the_depth() -> None:
    def follows(page: Page) -> Iterator[object]:
        yield from page.follow()
        yield from page.follow("/z")

    assert len(visit(follows, at=1, depth=2).links) == 3
    assert visit(follows, at=2, depth=2).links == ()


def raises(page: Page) -> Iterator[object]:
    yield {"kept": "no"}
    raise LookupError("nothing there")


async def raises_later(page: Page) -> None:
    await asyncio.sleep(0)
    raise LookupError("nothing there")


def exits(page: Page) -> None:
    raise SystemExit(1)


async def waits_for_what_is_cancelled(page: Page) -> None:
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel("nothing there")
    await waiting


@pytest.mark.parametrize("handler", [raises, raises_later, waits_for_what_is_cancelled])
def test_an_exception_fails_that_page_with_its_traceback(handler: Handler) -> None:
    outcome = visit(handler)
    assert (outcome.state, outcome.reason) == (State.FAILED, Reason.HANDLER)
    assert (outcome.page, outcome.items, outcome.links) == (None, (), ())
    assert outcome.detail is not None
    assert "nothing there" in outcome.detail
    assert handler.__name__ in outcome.detail


def test_a_message_that_is_no_text_can_be_kept() -> None:
    def raises_bytes(page: Page) -> None:
        raise OSError("no file \udce9.txt")

    detail = visit(raises_bytes).detail
    assert detail is not None
    assert "no file \\udce9.txt" in detail
    detail.encode()


def test_a_handler_can_not_end_the_crawl() -> None:
    assert visit(exits).reason is Reason.HANDLER


@pytest.mark.parametrize("product", ["text", 3, [1], {1}, b"x", object(), {"x": object()}])
def test_what_is_no_item_fails_that_page(product: object) -> None:
    outcome = visit(lambda page: [product])
    assert (outcome.state, outcome.reason) == (State.FAILED, Reason.HANDLER)
    assert outcome.detail is not None
    assert "Error" in outcome.detail
    assert "<lambda>() yielded" in outcome.detail


def test_pages_that_ask_not_to_be_kept_have_no_handler() -> None:
    decide = judge(gives_one)
    asked = Request(id=7, url=URL, host="a.example")
    outcome = decide(asked, reply(BODY, headers={"x-robots-tag": "noindex"}))
    assert isinstance(outcome, Outcome)
    assert outcome.reason is Reason.NOINDEX


# Handlers that keep the loop to themselves


@pytest.mark.parametrize("kind", ["plain", "generator", "async", "async generator"])
def test_a_handler_that_blocks_is_told_of_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "BLOCKING", -1.0)  # whatever it takes is too long
    told: list[str] = []
    made = {
        "plain": gives_list,
        "generator": generates,
        "async": gives_later,
        "async generator": generates_later,
    }[kind]
    decide = judge(made)
    watch = Watch(lambda name, seconds: told.append(name))
    for _ in range(3):
        waiting = decide(Request(id=7, url=URL, host="a.example"), reply(BODY))
        assert isinstance(waiting, Visit)
        asyncio.run(await_handler(decide, waiting, watch))
    watch.close()
    assert told == [made.__name__]


def test_only_the_time_between_two_awaits_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(handlers, "perf_counter", lambda: clock[0])

    def pass_time(seconds: float) -> None:
        clock[0] += seconds

    async def busy(page: Page) -> None:
        asyncio.get_running_loop().call_soon(pass_time, 100.0)  # while it waits
        await asyncio.sleep(0)
        pass_time(2.0)
        await asyncio.sleep(0)
        pass_time(3.0)

    told: list[tuple[str, float]] = []
    watch = Watch(lambda name, seconds: told.append((name.rpartition(".")[2], seconds)))
    monkeypatch.setattr(handlers, "BLOCKING", 2.5)
    decide = judge(busy)
    waiting = decide(Request(id=7, url=URL, host="a.example"), reply(BODY))
    assert isinstance(waiting, Visit)
    asyncio.run(await_handler(decide, waiting, watch))
    watch.close()
    assert told == [("busy", 3.0)]


def test_a_handler_is_told_of_while_it_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "BLOCKING", 0.0)
    monkeypatch.setattr(handlers, "LOOK", 0.001)
    told = threading.Event()

    def blocks(page: Page) -> dict[str, bool]:
        return {"told": told.wait(30)}

    decide = judge(blocks)
    waiting = decide(Request(id=7, url=URL, host="a.example"), reply(BODY))
    assert isinstance(waiting, Visit)
    watch = Watch(lambda name, seconds: told.set())
    outcome = asyncio.run(await_handler(decide, waiting, watch))
    watch.close()
    assert outcome.items == ('{"told":true}',)


def test_a_handler_is_cancelled_like_any_coroutine() -> None:
    ended: list[str] = []

    async def waits(page: Page) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    async def play() -> None:
        decide = judge(waits)
        waiting = decide(Request(id=7, url=URL, host="a.example"), reply(BODY))
        assert isinstance(waiting, Visit)
        task = asyncio.create_task(await_handler(decide, waiting))
        await started.wait()
        task.cancel()
        await asyncio.wait([task], timeout=10)
        assert task.done()

    started = asyncio.Event()
    asyncio.run(play())
    assert ended == ["cleaned up"]


# Loading one from a file


def written(tmp_path: Path, text: str, name: str = "mine.py") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


IMPORT = "from asyncmultispider import Spider\n"


def test_a_spider_is_loaded_from_a_file(tmp_path: Path) -> None:
    written(tmp_path, "SEED = 'http://b.example/'", "beside.py")
    text = f"{IMPORT}from beside import SEED\nany_name = Spider(SEED)\n"
    assert load_spider(written(tmp_path, text)).seeds == ("http://b.example/",)


def test_the_one_called_spider_is_taken(tmp_path: Path) -> None:
    path = written(tmp_path, f"{IMPORT}a = Spider('a')\nspider = Spider('b')\n")
    assert load_spider(path).seeds == ("b",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "no Spider"),
        (f"{IMPORT}a = Spider('a')\nb = Spider('b')", "more than one Spider"),
        ("x = 1\n1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("x = 1\nif\n", "line 2: SyntaxError"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
    ],
)
def test_a_file_without_a_spider_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        load_spider(written(tmp_path, text))


def test_what_is_no_python_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_spider(tmp_path / "absent.py")
    with pytest.raises(UsageError, match=r"must end in \.py"):
        load_spider(written(tmp_path, IMPORT, "mine.txt"))
