"""The built-in site of `bench`, over real sockets."""

import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection

import pytest

from asyncmultispider.bench.pages import Pages
from asyncmultispider.bench.plan import Plan, Site, cases
from asyncmultispider.bench.run import run_case
from asyncmultispider.bench.site import serving
from asyncmultispider.bench.work import burn, busy_spider
from asyncmultispider.model import Request
from asyncmultispider.page import Page
from asyncmultispider.testing import reply

SITE = Site(pages=9, size=3000, links=4, latency=(0.0, 25.0, 0.0))
HREF = re.compile(r'<a href="(/\d+)">')


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(SITE) as url:
        yield url


@pytest.fixture
def connection(url: str) -> Iterator[HTTPConnection]:
    with closing(visit(url)) as connection:
        yield connection


def visit(url: str) -> HTTPConnection:
    return HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=20)


def get(connection: HTTPConnection, path: str) -> tuple[int, str]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_all_pages_are_linked_from_the_start(connection: HTTPConnection) -> None:
    status, start = get(connection, "/")
    assert status == 200
    assert HREF.findall(start) == [f"/{n:06}" for n in range(9)]


def test_pages_on_one_connection(connection: HTTPConnection) -> None:
    pages = {n: get(connection, f"/{n:06}") for n in (0, 2, 3, 5, 6, 8)}
    assert {status for status, _ in pages.values()} == {200}
    assert {len(html) for _, html in pages.values()} == {3000}
    assert len({html for _, html in pages.values()}) == 6
    assert HREF.findall(pages[8][1]) == ["/000000", "/000001", "/000002", "/000003"]
    assert HREF.findall(pages[6][1]) == ["/000007", "/000008", "/000000", "/000001"]


@pytest.mark.parametrize("path", ["/robots.txt", "/000009", "/1", "/x", "//", "/000000?x"])
def test_all_else_is_not_found(connection: HTTPConnection, path: str) -> None:
    assert get(connection, path)[0] == 404


def test_a_slow_page_keeps_nobody_else_waiting(url: str) -> None:
    with closing(visit(url)) as slow, closing(visit(url)) as quick:
        slow.request("GET", "/000001")
        assert get(quick, "/000002")[0] == 200
        assert get(quick, "/")[0] == 200
        assert select.select([slow.sock], [], [], 0)[0] == []


def test_latencies_are_given_in_turn() -> None:
    pages = Pages(Site(pages=5, latency=(2.0, 3.0)))
    assert [pages.answer(f"/{n:06}")[0] for n in range(5)] == [2.0, 3.0, 2.0, 3.0, 2.0]
    assert pages.answer("/")[0] == pages.answer("/robots.txt")[0] == 0


@pytest.mark.parametrize("size", [0, 1, 99, 5000, 250_000])
@pytest.mark.parametrize("pages", [1, 2, 30])
def test_any_size(size: int, pages: int) -> None:
    site = Site(pages=pages, size=size, links=3)
    html = Pages(site).answer("/000000")[1].partition(b"\r\n\r\n")[2]
    assert len(HREF.findall(html.decode())) == min(3, pages - 1)
    assert len(html) == max(size, len(html) if size < 200 else 0)


def test_the_server_ends_with_the_bench() -> None:
    code = (
        "import time\n"
        "from asyncmultispider.bench.site import Site, serving\n"
        "with serving(Site(pages=1)) as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as bench:
        assert bench.stdout is not None
        url = bench.stdout.readline().decode().strip()
        port = int(url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as visitor:
            bench.send_signal(signal.SIGKILL)
            with suppress(ConnectionResetError):  # it had no time to say hello
                assert visitor.recv(1) == b""


def test_a_run_is_stopped_in_time() -> None:
    site = Site(pages=3, latency=(0.0, 25.0, 0.0))
    plan = Plan(site=site, pages=3, processes=2, time_limit=0.7)
    with serving(site) as url:
        for case in (cases(plan)[1], cases(plan)[-1]):
            run = run_case(plan, case, url, base=0.5)
            assert run.stopped == "time-limit", run
            assert (run.pages <= 2, run.failed) == (True, 0), run  # the third takes too long
            assert run.speedup == pytest.approx(run.pages_per_second / 0.5, abs=0.01)


def test_a_run_that_gets_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    plan = Plan(site=Site(pages=1), pages=1, processes=1, time_limit=0.1)
    run = run_case(plan, cases(plan)[0], f"http://127.0.0.1:{port}/")
    assert (run.pages, run.cpu_per_page_us, run.speedup) == (0, None, 0)


def test_runs_that_can_be_told_apart() -> None:
    def counts(pages: int, per_host: int = 1000) -> list[str]:
        plan = Plan(site=Site(pages=pages), pages=pages, processes=3, per_host=per_host)
        return [f"{case.name} {case.in_flight}" for case in cases(plan)]

    assert counts(1000) == [
        "sequential 1",
        *(f"threads {n}" for n in (4, 16, 64)),
        *(f"async {n}" for n in (4, 16, 64, 256)),
        *(f"processes 3 x {n}" for n in (16, 64)),
    ]
    two = ["sequential 1", "threads 2", "async 2", "processes 3 x 1"]
    assert counts(2) == counts(500, per_host=2) == two
    assert counts(16) == [
        "sequential 1",
        *("threads 4", "threads 16", "async 4", "async 16"),
        "processes 3 x 6",
    ]


def test_the_work_on_a_page() -> None:
    spider = busy_spider(0)
    pages = [Page(Request(id=1, url=f"http://a/{path}", host="a"), reply("")) for path in ("", "b")]
    one, other = pages
    assert spider.handler(one) is spider.handler(other)
    burn(0.001)
