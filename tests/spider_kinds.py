"""A spider that uses all that a spider can say. Worker processes import this module to make it."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from asyncmultispider.page import Page
from asyncmultispider.spider import Outgoing, Spider


class Book(Struct):
    title: str
    price: float


def of_all() -> Spider:
    """No seeds: the test names the site."""
    spider = Spider()
    spider.on("*")(index)
    spider.on("/book/*", item=Book)(book)
    spider.on("/book/*", type="application/json")(data)
    spider.on(status=(404, 500))(missing)
    spider.on("/never")(by_name)
    spider.before_request(sign)
    return spider


def index(page: Page) -> Iterator[Any]:
    yield page.follow("/book/1", data={"shelf": 7}, headers={"X-Shelf": "seven"})
    yield from page.follow(css="a.chosen", priority=5)
    yield from page.follow("/named", handler=by_name, data=[1, "two", None])
    yield from page.follow("/moved-named", handler="by_name", data="kept")


def book(page: Page) -> Iterator[Any]:
    h1 = page.css_first("h1")
    yield {"title": h1.text if h1 else None, "price": 9, "more": "is dropped"}
    yield from page.follow()


def data(page: Page) -> dict[str, Any]:
    return {"json": page.json()}


def missing(page: Page) -> dict[str, Any]:
    return {"status": page.status, "title": page.title}


def by_name(page: Page) -> dict[str, Any]:
    return {"named": page.data, "title": page.title}


def sign(request: Outgoing) -> Mapping[str, str] | None:
    if "/raises" in request.url:
        raise RuntimeError("no signature")
    return {"X-Signed": f"{request.attempt} {request.data}", "X-Gone": ""}
