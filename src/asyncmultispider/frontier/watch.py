"""What keeps a crawl out of traps, beyond the shape of single URLs (`traps`)."""

from collections.abc import Iterable

from asyncmultispider.frontier.base import Born, Trap
from asyncmultispider.frontier.host import Host
from asyncmultispider.frontier.known import KnownUrls
from asyncmultispider.model import Link, Request
from asyncmultispider.traps import session_id, without_session
from asyncmultispider.urls import fingerprint


class Watch:
    """Watches hosts for traps. `seed` is that of the fingerprints."""

    def __init__(self, seed: int, max_per_host: int) -> None:
        self._seed = seed
        self._max_per_host = max_per_host
        self._sessions = KnownUrls()
        self._released: set[tuple[str, str]] = set()

    def know(self, urls: Iterable[str]) -> None:
        """These were accepted before; those with session ids are not wanted with others."""
        for url in urls:
            if session_id(url):
                self._sessions.add(fingerprint(without_session(url), self._seed))

    def release(self, trap: Trap) -> None:
        """A person has looked at this family: it is none."""
        self._released.add((trap.host, trap.family))

    def objects_to(self, link: Link, host: Host) -> str | None:
        """Why a new URL is not to be fetched: the pattern of a trap; else None."""
        if host.accepted >= self._max_per_host:
            return f"more than {self._max_per_host} URLs (--max-per-host)"
        session = session_id(link.url)
        if session and not self._sessions.add(fingerprint(without_session(link.url), self._seed)):
            return f"again, with another session id ({session})"
        return None

    def looks_at(self, request: Request, host: Host) -> bool:
        """Whether the gist of this page is wanted. To be asked once for each that is handed out."""
        return host.evidence(host.family_of(request.url)).wants_look()

    def learn(self, request: Request, host: Host, gist: int) -> None:
        """Take in what a page said."""
        host.evidence(host.family_of(request.url)).learn(gist)

    def hear(self, request: Request, host: Host, born: Iterable[Born]) -> Trap | None:
        """Take in what a page led to; a trap, when that was what convicts its family."""
        name = host.family_of(request.url)
        evidence = host.evidence(name)
        if not (evidence.suspected and _are_of(host, name, born)):
            return None
        evidence.breed(request.depth)
        if not evidence.trapped or name in host.traps or (host.name, name) in self._released:
            return None
        note = f"{name}: {evidence.known} of {evidence.looked} pages looked at said nothing new"
        return Trap(host=host.name, family=name, note=note)


def _are_of(host: Host, name: str, born: Iterable[Born]) -> bool:
    return any(
        one.link.skip is None
        and one.link.host == host.name
        and host.family_of(one.link.url) == name
        for one in born
    )
