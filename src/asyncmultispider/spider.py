"""A spider: where a crawl starts, and what is done with its pages.

    spider = Spider("https://books.example/")

    @spider.on("/catalogue/*/index.html")
    def book(page):
        yield {"title": page.title}

A handler is a function of a page, `def` or `async def`. It yields or returns items (whatever
encodes to a JSON object: dict, dataclass, msgspec Struct) and `page.follow(...)`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, Protocol, TypeVar

from msgspec import Struct, ValidationError, convert, to_builtins
from msgspec.structs import replace

from asyncmultispider.errors import UsageError
from asyncmultispider.model import Extra, Request
from asyncmultispider.page import Page
from asyncmultispider.urls.scope import matcher

Handler = Callable[[Page], Any]
H = TypeVar("H", bound=Handler)


class File(Protocol):
    """A file of URLs, one a line: a `pathlib.Path`. Blank lines and those of a `#` are left out."""

    def read_text(self, encoding: str) -> str:
        """What is in it."""


Seeds = str | File | Iterable[str] | Callable[[], Iterable[str]]
"""A URL, a file of URLs, several URLs, or a function that gives them."""


class Outgoing(Struct, frozen=True, kw_only=True):
    """A request that is about to be sent, for hooks. `headers` are those of this request alone.

    `attempt` is 1 for the first try. `data` is what the page that asked for it sent along.
    """

    url: str
    attempt: int
    headers: Mapping[str, str]
    data: Any = None


Hook = Callable[[Outgoing], Mapping[str, str] | None]
K = TypeVar("K", bound=Hook)


class Rule(Struct, frozen=True, kw_only=True):
    """Which pages a handler is for, and what its items must be."""

    handler: Handler
    glob: str
    types: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    item: Any = None

    @property
    def rank(self) -> tuple[int, int]:
        """Of several rules for a page the one of the highest rank holds."""
        literal = sum(char not in "*?" for char in self.glob)
        return bool(self.types) + bool(self.statuses), literal

    def holds(self, page: Page) -> bool:
        """Whether the page is of these types and statuses."""
        if page.status not in self.statuses if self.statuses else page.status // 100 != 2:
            return False
        kind = page.content_type or ""
        return not self.types or any(fnmatchcase(kind, each) for each in self.types)

    def checked(self, item: object) -> object:
        """The item as the declared type has it. Raises `msgspec.ValidationError`."""
        return item if self.item is None else convert(to_builtins(item), self.item)


def handler_name(handler: Handler) -> str:
    """What a person calls it."""
    return getattr(handler, "__qualname__", None) or repr(handler)


class Spider:
    """Seeds and handlers. A page that no handler is for has its links followed.

    `seeds` are URLs, files of URLs (`pathlib.Path`), several URLs, or functions that give URLs;
    `sitemaps` are URLs of sitemaps to start from. Worker processes get a copy, without seeds: what
    a handler changes in a module is changed in its own process.
    """

    def __init__(self, *seeds: Seeds, sitemaps: Iterable[str] = ()) -> None:
        self._seeds = seeds
        self.sitemaps = (sitemaps,) if isinstance(sitemaps, str) else tuple(sitemaps)
        self._rules: list[tuple[Callable[[str], bool], Rule]] = []
        self._hooks: list[Hook] = []

    @property
    def seeds(self) -> tuple[str, ...]:
        """All URLs to start from, in order. Reads files and calls functions.

        Raises `UsageError` for a file that can't be read.
        """
        return tuple(chain.from_iterable(map(_urls, self._seeds)))

    @property
    def has_handlers(self) -> bool:
        """Whether any page has a handler."""
        return bool(self._rules)

    def on(
        self,
        glob: str = "*",
        *,
        type: str | Iterable[str] = (),
        status: int | Iterable[int] = (),
        item: Any = None,
    ) -> Callable[[H], H]:
        """Handle pages whose path and query match the glob; of several, the most specific wins.

        That is one which asks for a `type` (a media type, or a glob of such: `image/*`) or a
        `status`, and then the one with the most characters that are no wildcards; the first of
        equals. Without `status`, pages have a status of 2xx; one of any other that a handler asks
        for is stored like a page, when it has had its retries. Redirects are followed always.
        With `item` each item must be of this type (msgspec Struct, dataclass, TypedDict): what is
        not fails the page. Globs are those of `Scope`. Raises `UsageError` for an empty one.
        """
        if not isinstance(glob, str):
            raise UsageError(f"on() takes a glob, such as '*': write @spider.on(), not {glob!r}")
        matches = matcher("on", [glob])
        types = (type,) if isinstance(type, str) else tuple(type)
        statuses = (status,) if isinstance(status, int | str) else tuple(status)
        _check(types, statuses, item)

        def register(handler: H) -> H:
            rule = Rule(handler=handler, glob=glob, types=types, statuses=statuses, item=item)
            self._rules.append((matches, rule))
            self._rules.sort(key=lambda entry: entry[1].rank, reverse=True)
            return handler

        return register

    def before_request(self, hook: K) -> K:
        """Have the hook called before a page is asked for: it gives header fields to add, or None.

        They take the place of others of their name. Hooks run in the order in which they were
        declared, block everything else on their loop, and are not called for robots.txt. The URL
        is what the crawl decided upon, and stays. An exception fails the page as in a handler.
        """
        self._hooks.append(hook)
        return hook

    def rule(self, page: Page, name: str | None = None) -> Rule | None:
        """The rule for a page; with `name`, the handler of that name, whatever the page is.

        Raises `UsageError` when there is none of that name.
        """
        if name is not None:
            return self._named(name)
        for matches, rule in self._rules:
            if matches(page.url) and rule.holds(page):
                return rule
        return None

    def handler(self, page: Page) -> Handler | None:
        """The handler for a page."""
        rule = self.rule(page)
        return rule.handler if rule else None

    def outgoing(self, request: Request) -> Request:
        """The request as the hooks want it sent. Raises what they raise."""
        if not self._hooks or request.aside:
            return request
        extra = Extra.of(request.extra)
        for hook in self._hooks:
            headers = dict(extra.headers)
            before = Outgoing(
                url=request.url, attempt=request.attempt, headers=headers, data=extra.data
            )
            added = hook(before) or {}
            names = {name.lower() for name in added}
            kept = [(name, v) for name, v in extra.headers if name.lower() not in names]
            extra = replace(extra, headers=(*kept, *added.items()))
        return replace(request, extra=extra.as_text())

    def _named(self, name: str) -> Rule:
        for _, rule in self._rules:
            if handler_name(rule.handler) == name:
                return rule
        raise UsageError(f"the spider has no handler called {name!r}")

    def __reduce__(self) -> tuple[Callable[..., "Spider"], tuple[object, ...]]:
        return _rebuilt, (tuple(rule for _, rule in self._rules), tuple(self._hooks))


def _check(types: tuple[Any, ...], statuses: tuple[Any, ...], item: Any) -> None:
    for kind in types:
        if not isinstance(kind, str) or not ("/" in kind or "*" in kind):
            raise UsageError(f"on(type=...) takes media types such as 'text/html', not {kind!r}")
    for status in statuses:
        if not isinstance(status, int) or not 200 <= status < 600:
            raise UsageError(f"on(status=...) takes numbers such as 404, not {status!r}")
    try:
        convert({}, item if item is not None else dict)
    except ValidationError:  # an empty item is none of that type, but it is a type
        pass
    except TypeError as error:
        raise UsageError(f"on(item=...) takes a type of items, not {item!r}: {error}") from None


def _rebuilt(rules: Iterable[Rule], hooks: Iterable[Hook]) -> Spider:
    spider = Spider()
    spider._rules = [(matcher("on", [rule.glob]), rule) for rule in rules]
    spider._hooks = list(hooks)
    return spider


def _urls(seeds: Seeds) -> Iterator[str]:
    if isinstance(seeds, str):
        yield seeds
    elif callable(seeds):
        yield from seeds()
    else:
        lines = seeds if isinstance(seeds, Iterable) else _text(seeds).splitlines()
        stripped = (line.strip() for line in lines)
        yield from (line for line in stripped if line and not line.startswith("#"))


def _text(file: File) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"can't read the URLs in {str(file)!r}: {why}") from None
