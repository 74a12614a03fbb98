"""A spider: where a crawl starts, and what is done with its pages.

    spider = Spider("https://books.example/")

    @spider.on("/catalogue/*/index.html")
    def book(page):
        yield {"title": page.title}

A handler is a function of a page, `def` or `async def`. It yields or returns items (whatever
encodes to a JSON object: dict, dataclass, msgspec Struct) and `page.follow(...)`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from asyncmultispider.page import Page
from asyncmultispider.urls.scope import matcher

Handler = Callable[[Page], Any]
H = TypeVar("H", bound=Handler)


def handler_name(handler: Handler) -> str:
    """What a person calls it."""
    return getattr(handler, "__qualname__", None) or repr(handler)


class Spider:
    """Seeds and handlers. A page that no handler is for has its links followed."""

    def __init__(self, *seeds: str) -> None:
        self.seeds = seeds
        self._handlers: list[tuple[int, Callable[[str], bool], Handler]] = []

    def on(self, glob: str = "*") -> Callable[[H], H]:
        """Handle pages whose path and query match the glob; of several, the most specific wins.

        That is the one with the most characters that are no wildcards, and the first of equals.
        Globs are those of `Scope`. Raises `UsageError` for an empty one.
        """
        matches = matcher("on", [glob])

        def register(handler: H) -> H:
            self._handlers.append((sum(c not in "*?" for c in glob), matches, handler))
            self._handlers.sort(key=lambda entry: -entry[0])
            return handler

        return register

    def handler(self, url: str) -> Handler | None:
        """The handler for the page at this canonical URL."""
        for _, matches, handler in self._handlers:
            if matches(url):
                return handler
        return None
