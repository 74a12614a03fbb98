"""A web in memory, first class and public: no sockets, no waiting."""

from collections import Counter
from collections.abc import Callable, Mapping
from time import time

from asyncmultispider.model import Failure, Reason, Request, Response, Result

Answer = str | bytes | Result | Callable[[Request], Result]


class FakeWeb:
    """Pages by URL, as both a `Fetcher` and an `AsyncFetcher`.

    A `str` or `bytes` is a page of HTML; a callable decides for itself. Any other URL is a 404.
    `requests` counts what was asked for.
    """

    def __init__(self, pages: Mapping[str, Answer]) -> None:
        self.pages = dict(pages)
        self.requests: Counter[str] = Counter()
        self.buffered = 0

    def answer(self, request: Request) -> Result:
        """What this web answers."""
        self.requests[request.url] += 1
        answer = self.pages.get(request.url)
        if answer is None:
            return reply("not found", status=404)
        if isinstance(answer, Response | Failure):
            return answer
        if isinstance(answer, str | bytes):
            return reply(answer)
        return answer(request)

    def blocking(self) -> "BlockingFakeWeb":
        """The same web in the other colour."""
        return BlockingFakeWeb(self)

    async def fetch(self, request: Request) -> Result:
        """See `AsyncFetcher.fetch`."""
        return self.answer(request)

    def hold(self, size: int) -> None:
        """See `AsyncFetcher.hold`."""

    async def aclose(self) -> None:
        """See `AsyncFetcher.aclose`."""


class BlockingFakeWeb:
    """A `FakeWeb` as a `Fetcher`."""

    def __init__(self, web: FakeWeb) -> None:
        self.buffered = 0
        self._web = web

    def fetch(self, request: Request) -> Result:
        """See `Fetcher.fetch`."""
        return self._web.answer(request)

    def hold(self, size: int) -> None:
        """See `Fetcher.hold`."""

    def cancel(self) -> None:
        """See `Fetcher.cancel`."""

    def close(self) -> None:
        """See `Fetcher.close`."""


def reply(
    body: str | bytes,
    *,
    status: int = 200,
    content_type: str | None = "text/html; charset=utf-8",
    headers: Mapping[str, str] | None = None,
    elapsed: float = 0.0,
) -> Response:
    """A `Response`, with as little to say as possible."""
    fields = {"content-type": content_type} if content_type else {}
    fields |= {name.lower(): value for name, value in (headers or {}).items()}
    return Response(
        status=status,
        headers=tuple(fields.items()),
        body=body.encode() if isinstance(body, str) else body,
        at=time(),
        elapsed=elapsed,
    )


def trouble(reason: Reason | str, detail: str = "as told") -> Failure:
    """A `Failure`, for a page that can't be had: `timeout`, `dns`, `connect`, `reset`, ..."""
    return Failure(reason=Reason(reason), detail=detail, at=time(), elapsed=0.0)
