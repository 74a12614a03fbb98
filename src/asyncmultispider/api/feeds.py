"""What of a crawl is put on the shelf for its consumer: its pages, or its items."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from msgspec import json

from asyncmultispider.api.background import Consumer
from asyncmultispider.api.delivery import MOST, Delivery, Parcel
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import PAGES
from asyncmultispider.model import Outcome, PageRow, State
from asyncmultispider.page import Page
from asyncmultispider.store.readback import ReadBack
from asyncmultispider.system import usable_cores

T = TypeVar("T")
V = TypeVar("V")


class Feed(Consumer, Generic[T, V]):
    """Puts what it `picks` of outcomes on the shelf, where the consumer has it `opened`.

    What engine processes found is not in our memory: its URL is put there, and it is read back.
    """

    def __init__(self) -> None:
        self.delivery: Delivery[T] = Delivery()
        self._back: ReadBack | None = None

    def opened(self, crawl: Crawl) -> None:
        """See `Consumer.opened`."""
        self._back = ReadBack(crawl.directory / PAGES)
        settings = crawl.settings
        workers = settings.processes or usable_cores() if settings.engine == "processes" else 1
        self.delivery.most = max(MOST, settings.concurrency * workers)  # as many as are in flight
        self.delivery.on_room = crawl.reins.wake

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        done = (o for o in outcomes if o.state is State.DONE and not o.request.aside)
        parcels = [parcel for outcome in done for parcel in self.pick(outcome)]
        if parcels:
            self.delivery.put(parcels)

    def may_take(self) -> bool:
        """See `Consumer.may_take`."""
        return self.delivery.may_take()

    def ending(self) -> None:
        """See `Consumer.ending`."""
        self.delivery.end()
        self.delivery.wait_until_drained()

    def ended(self) -> None:
        """See `Consumer.ended`."""
        self.delivery.end()

    def leave(self) -> None:
        """See `Consumer.leave`."""
        self.delivery.leave()

    def pick(self, outcome: Outcome) -> Iterator[Parcel[T]]:
        """What of the outcome of a page is for the consumer. In the crawl's thread."""
        raise NotImplementedError

    def unpack(self, thing: T) -> Sequence[V]:
        """What the consumer gets of it. In the consumer's thread."""
        raise NotImplementedError

    @property
    def back(self) -> ReadBack:
        """Where it reads back what is not in memory."""
        assert self._back is not None  # noqa: S101 - opened before anything is put
        return self._back

    def page(self, row: PageRow | str) -> Page:
        """The page of a row in memory, or of a URL."""
        return Page.stored(self.back.page(row) if isinstance(row, str) else row)

    def close(self) -> None:
        """Let go of files. In the consumer's thread."""
        if self._back is not None:
            self._back.close()


class Nobody(Consumer):
    """No consumer: the crawl runs to its end by itself."""


class Pages(Feed[PageRow | str, Page]):
    """Feeds pages."""

    def pick(self, outcome: Outcome) -> Iterator[Parcel[PageRow | str]]:
        """See `Feed.pick`."""
        if outcome.page is None:
            yield Parcel(outcome.request.url)
        else:
            yield Parcel(outcome.page, len(outcome.page.body))

    def unpack(self, thing: PageRow | str) -> Sequence[Page]:
        """See `Feed.unpack`."""
        return (self.page(thing),)


class Items(Feed[tuple[str, ...] | str, Any]):
    """Feeds items, as they are decoded from JSON."""

    def pick(self, outcome: Outcome) -> Iterator[Parcel[tuple[str, ...] | str]]:
        """See `Feed.pick`."""
        if outcome.page is None:
            yield Parcel(outcome.request.url)
        elif outcome.items:
            yield Parcel(outcome.items, sum(map(len, outcome.items)))

    def unpack(self, thing: tuple[str, ...] | str) -> Sequence[Any]:
        """See `Feed.unpack`."""
        texts = self.back.items(thing) if isinstance(thing, str) else thing
        return [json.decode(text) for text in texts]
