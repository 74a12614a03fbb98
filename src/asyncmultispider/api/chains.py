"""What URLs came to in the end, where redirects lead from one to another."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from asyncmultispider.model import PageRow, Reason


class Refused(Struct, frozen=True, kw_only=True):
    """No page, and why."""

    reason: str
    detail: str | None = None
    status: int | None = None


End = PageRow | str | Refused
"""A page, in memory or by its URL in `pages.db`, or none."""


class Chains:
    """Follows redirects from URL to URL. All are canonical, and each ends or redirects once.

    Methods tell which URLs have come to an end with this, and to which.
    """

    def __init__(self) -> None:
        self._ends: dict[str, str | Refused] = {}
        self._targets: dict[str, str] = {}
        self._waiting: dict[str, list[str]] = {}

    def ended(self, url: str, end: End) -> Iterator[tuple[str, End]]:
        """The URL led to a page, or to none."""
        kept = end.url if isinstance(end, PageRow) else end
        urls = [url]  # no recursion: of listed URLs each may redirect to the next
        for url in urls:
            if url not in self._ends:
                self._ends[url] = kept
                yield url, end
                urls += self._waiting.pop(url, ())

    def redirected(self, url: str, target: str) -> Iterator[tuple[str, End]]:
        """The URL leads to another one."""
        if target in self._ends:
            yield from self.ended(url, self._ends[target])
        elif self._leads_to(target, url):
            why = f"it redirects to {target}, and from there back to itself"
            yield from self.ended(url, Refused(reason=Reason.TOO_MANY_REDIRECTS, detail=why))
        else:
            self._targets[url] = target
            self._waiting.setdefault(target, []).append(url)

    def open(self, urls: Iterable[str]) -> set[str]:
        """Those of the URLs that have no end yet, and what they wait for."""
        found = {url for url in urls if url not in self._ends}
        return found | {target for target in self._waiting if target not in self._ends}

    def _leads_to(self, url: str, other: str) -> bool:
        while url != other:
            if url not in self._targets:
                return False
            url = self._targets[url]
        return True
