"""What became of a list of URLs: the results of `fetch_all`."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from asyncmultispider.api.chains import Chains, End, Refused
from asyncmultispider.api.delivery import HEAVIEST, Parcel
from asyncmultispider.api.feeds import Feed
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import FRONTIER
from asyncmultispider.errors import UsageError
from asyncmultispider.frontier.reader import reading
from asyncmultispider.model import FINAL, Batch, Outcome, PageRow, State
from asyncmultispider.page import Page
from asyncmultispider.urls import parse_seed, without_login

BAD_URL = "bad-url"
"""Reason of what is no http or https URL."""
STOPPED = "stopped"
"""Reason of a URL that was not fetched because the crawl was stopped before."""


class Failed(Struct, frozen=True, kw_only=True):
    """A URL that gave no page. `url` is as it was given, `reason` one of those in the ledger.

    Two more reasons: `bad-url`, and `stopped` for what was not asked for when it ended early.
    `status` is that of the answer, if there was one.
    """

    url: str
    reason: str
    detail: str | None = None
    status: int | None = None


class Wanted:
    """The URLs as they were given, `seeds` to get them, and `bad` ones with their place.

    `places` tells for the URL of a request where in the list it is wanted.
    """

    def __init__(self, urls: Iterable[str]) -> None:
        self.given = list(urls)
        self.places: dict[str, list[int]] = {}
        self.bad: list[tuple[int, Refused]] = []
        seeds: dict[str, None] = {}
        for place, text in enumerate(self.given):
            try:
                seed, _ = parse_seed(text)
            except (UsageError, AttributeError, TypeError) as error:
                why = str(error) if isinstance(error, UsageError) else f"{text!r} is no text"
                self.bad.append((place, Refused(reason=BAD_URL, detail=why)))
            else:
                seeds[seed] = None
                self.places.setdefault(without_login(seed), []).append(place)
        self.seeds = tuple(seeds)


class Answers(Feed[tuple[int, End], Page | Failed]):
    """Feeds a result for each URL that was given: in their order, or as they come.

    Those that come before their turn wait in memory, and when they are too heavy, in `pages.db`.
    """

    def __init__(self, wanted: Wanted, *, ordered: bool) -> None:
        super().__init__()
        self._wanted = wanted
        self._ordered = ordered
        self._chains = Chains()
        self._early: dict[int, Parcel[tuple[int, End]]] = {}
        self._held = 0
        self._turn = 0
        self._put(wanted.bad)

    def opened(self, crawl: Crawl) -> None:
        """See `Consumer.opened`."""
        super().opened(crawl)
        self._crawl = crawl

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        self._put(self._placed(e for o in outcomes if not o.request.aside for e in self._ends(o)))

    def taken(self, batch: Batch, in_flight: int) -> None:
        """See `Observer.taken`."""
        for end in batch.closed:
            refused = Refused(reason=end.reason, detail=end.detail)
            self._put(self._placed(self._chains.ended(end.request.url, refused)))

    def ending(self) -> None:
        """See `Consumer.ending`. What nobody was told of is in the ledger."""
        if self._crawl.trouble is None:
            self._sweep(self._chains.open(self._wanted.places))
        super().ending()

    def unpack(self, thing: tuple[int, End]) -> Sequence[Page | Failed]:
        """See `Feed.unpack`."""
        place, end = thing
        if not isinstance(end, Refused):
            return (self.page(end),)
        url = str(self._wanted.given[place])
        return (Failed(url=url, reason=str(end.reason), detail=end.detail, status=end.status),)

    def _ends(self, outcome: Outcome) -> Iterator[tuple[str, End]]:
        url = outcome.request.url
        if outcome.state not in FINAL:
            return
        if outcome.state is not State.DONE:
            refused = Refused(
                reason=outcome.reason or outcome.state,
                detail=outcome.detail,
                status=outcome.status,
            )
            yield from self._chains.ended(url, refused)
        elif outcome.links:  # links of pages are not followed: it is where the URL redirects to
            link = outcome.links[-1]
            yield from self._chains.redirected(url, link.url)
            if link.skip is not None:  # nobody will ask for it
                refused = Refused(reason=link.skip, detail=link.note)
                yield from self._chains.ended(link.url, refused)
        else:
            yield from self._chains.ended(url, outcome.page or url)

    def _placed(self, ends: Iterable[tuple[str, End]]) -> Iterator[tuple[int, End]]:
        for url, end in ends:
            for place in self._wanted.places.get(url, ()):
                yield place, end

    def _put(self, ends: Iterable[tuple[int, End]]) -> None:
        parcels = [Parcel(end, _weight(end[1])) for end in ends]
        if self._ordered:
            for parcel in parcels:
                self._keep(parcel)
            parcels = list(self._due())
        if parcels:
            self.delivery.put(parcels)

    def _keep(self, parcel: Parcel[tuple[int, End]]) -> None:
        place, end = parcel.thing
        if isinstance(end, PageRow) and self._held + parcel.weight > HEAVIEST:
            parcel = Parcel((place, end.url))
        self._held += parcel.weight
        self._early[place] = parcel

    def _due(self) -> Iterator[Parcel[tuple[int, End]]]:
        while (parcel := self._early.pop(self._turn, None)) is not None:
            self._held -= parcel.weight
            self._turn += 1
            yield parcel

    def _sweep(self, urls: set[str]) -> None:
        if not urls:
            return
        with reading(self._crawl.directory / FRONTIER) as ledger:
            found = {entry.url: entry for entry, _ in ledger.entries() if entry.url in urls}
        for url in urls:
            entry = found.get(url)
            end: End = Refused(reason=STOPPED, detail="it was not fetched before the end")
            if entry is not None and entry.state in FINAL:
                end = Refused(
                    reason=entry.reason or entry.state, detail=entry.note, status=entry.status
                )
            self._put(self._placed(self._chains.ended(url, end)))


def _weight(end: End) -> int:
    return len(end.body) if isinstance(end, PageRow) else 0
