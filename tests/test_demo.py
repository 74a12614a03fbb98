"""The bookshop that the documentation's examples are written for."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from asyncmultispider.demo import Shop
from asyncmultispider.demo.__main__ import main
from asyncmultispider.demo.books import BOOKS, HIDDEN
from asyncmultispider.demo.pages import SESSION
from command import run as ams


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop(0) as shop:
        threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield shop
        shop.shutdown()


def get(shop: Shop, path: str, cookie: str = "") -> tuple[HTTPResponse, bytes]:
    with closing(HTTPConnection("127.0.0.1", shop.server_address[1], timeout=10)) as connection:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        return answer, answer.read()


def test_all_books_are_there(shop: Shop, tmp_path: Path) -> None:
    where = tmp_path / "shop.crawl"
    assert ams("crawl", shop.url, "-d", where, "-q", "--delay-factor", "0", "--sitemaps").code == 0
    entries = [json.loads(line) for line in ams("urls", where, "--json").out.splitlines()]
    states = {entry["url"].removeprefix(shop.url[:-1]): entry["state"] for entry in entries}
    assert {states[book.path] for book in BOOKS} == {"done"}
    [hidden] = [e for e in entries if e["url"].endswith(BOOKS[HIDDEN].path)]
    assert hidden["referrer"].endswith("/sitemap.xml"), "no page links to it"
    assert [path for path, state in states.items() if state == "failed"] == ["/offers/spring.html"]


def test_an_account_takes_a_login(shop: Shop) -> None:
    answer, _ = get(shop, "/account/orders-2025.html")
    assert (answer.status, answer.headers["Location"]) == (
        302,
        "/login?next=/account/orders-2025.html",
    )
    answer, _ = get(shop, "/login?name=reader&word=wrong")
    assert (answer.status, answer.headers["Set-Cookie"]) == (200, None)
    answer, _ = get(shop, "/login?name=reader&word=books")
    assert answer.headers["Set-Cookie"].startswith(SESSION)
    answer, body = get(shop, "/account/orders-2025.html", f"a=b; {SESSION}")
    assert (answer.status, body.count(b'class="order"')) == (200, 2)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/files/terms.pdf", 200, "application/pdf"),
        ("/covers/the-salt-river.svg", 200, "image/svg+xml"),
        ("/api/books.json?page=3", 200, "application/json"),
        ("/api/books.json?page=4", 404, "application/json"),
        ("/api/books.json?page=x", 404, "application/json"),
        ("/nothing", 404, "text/html; charset=utf-8"),
    ],
)
def test_kinds(shop: Shop, path: str, status: int, kind: str) -> None:
    answer, body = get(shop, path)
    assert (answer.status, answer.headers["Content-Type"]) == (status, kind)
    assert int(answer.headers["Content-Length"]) == len(body) > 0


@pytest.mark.parametrize("arguments", [["x"], ["70000"], ["-1"], ["1", "2"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == "usage: python -m asyncmultispider.demo [PORT]\n"


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main([str(taken.getsockname()[1])]) == 2
    assert "can't serve on port" in capsys.readouterr().err


def test_it_says_where_it_is_and_ends_at_ctrl_c() -> None:
    command = [sys.executable, "-m", "asyncmultispider.demo", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as shop:
        assert shop.stderr
        said = shop.stderr.readline()
        shop.send_signal(2)
        assert (shop.wait(30), shop.stderr.read()) == (0, "")
    assert said.startswith("a bookshop on http://127.0.0.1:")
