"""The words of the crawl: frozen structs that travel between its parts.

Instants named `at` are Unix times in seconds (wall clock), durations are seconds.
"""

from enum import StrEnum
from typing import Any

from msgspec import Struct, json

Headers = tuple[tuple[str, str], ...]
"""Response header fields in the order received; names are lower case."""


def parse_fields(text: str) -> Headers:
    """The header fields in the JSON of pages.db; those of one name come after each other."""
    found = json.decode(text, type=dict[str, str | list[str]])
    return tuple(
        (name, value)
        for name, values in found.items()
        for value in ([values] if isinstance(values, str) else values)
    )


class State(StrEnum):
    """Where a URL stands in the ledger. Every accepted URL is in exactly one state."""

    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    SUSPENDED = "suspended"


FINAL = frozenset({State.DONE, State.FAILED, State.SKIPPED, State.SUSPENDED})


class Reason(StrEnum):
    """Why a URL ended as it did. HTTP errors have `http-NNN` instead (see `http_reason`)."""

    # skipped: a rule said no
    ROBOTS = "robots"
    SCOPE = "scope"
    EXCLUDED = "excluded"
    NOINDEX = "noindex"
    # failed: the fetch did not give a page
    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    RESET = "reset"
    TLS = "tls"
    PROTOCOL = "protocol"
    TRUNCATED = "truncated"
    BAD_ENCODING = "bad-encoding"
    TOO_LARGE = "too-large"
    TOO_MANY_REDIRECTS = "too-many-redirects"
    BAD_REDIRECT = "bad-redirect"
    PRIVATE_ADDRESS = "private-address"
    BAD_PORT = "bad-port"
    PROXY = "proxy"
    TOO_COMPLEX = "too-complex"
    BAD_SITEMAP = "bad-sitemap"
    HANDLER = "handler"
    POISON = "poison"
    BUG = "bug"
    # suspended: a person should look
    ROBOTS_UNAVAILABLE = "robots-unavailable"
    UNREACHABLE = "unreachable"
    BANNED = "banned"
    TRAP = "trap"
    # queued again: no outcome is known of this try
    LOST = "lost"


def http_reason(status: int) -> str:
    """The reason of a page that the server refused: `http-404`."""
    return f"http-{status}"


REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Statuses whose Location is followed."""


class Extra(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What goes with a request besides its URL, kept in the ledger as JSON.

    `headers` are sent with it, and `handler` names the function that its page is for. `data` is any
    JSON value of the user's own. `sitemap` says that it is one, and lists the hosts that vouch for
    it (`Sitemap.parse`); with an empty list the user does, and None: it is a page. A `part` is what
    another page needs to be shown, so many steps away from it: nothing is followed from there but
    further parts.
    """

    headers: Headers = ()
    handler: str | None = None
    data: Any = None
    sitemap: tuple[str, ...] | None = None
    part: int = 0

    @classmethod
    def of(cls, text: str | None) -> "Extra":
        """What stands in the ledger."""
        return NO_EXTRA if text is None else json.decode(text, type=cls)

    def as_text(self) -> str | None:
        """For the ledger; None when there is nothing to keep."""
        return None if self is NO_EXTRA or self == NO_EXTRA else json.encode(self).decode()


NO_EXTRA = Extra()
MOST_PRIORITY = 500_000
"""Priorities of links are from its negative to it."""


class Link(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A URL on its way into the frontier. `url` is canonical, `host` its host[:port].

    `skip` closes it at birth: it is recorded in the ledger and never fetched. `note` says more.
    `hops` counts the redirects that led here in a row. Of a host's URLs those of a higher
    `priority` come first. `extra` is the JSON of an `Extra`.
    """

    url: str
    host: str
    depth: int
    hops: int = 0
    skip: Reason | None = None
    note: str | None = None
    priority: int = 0
    extra: str | None = None

    @property
    def state(self) -> State:
        """The state it is born in. A trap is only suspected."""
        if self.skip is None:
            return State.QUEUED
        return State.SUSPENDED if self.skip is Reason.TRAP else State.SKIPPED


class Request(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A URL under lease: what a fetcher gets. `id` names the ledger row.

    `attempt` is 1 for the first try. Of the tries before it, `lost` ended with nobody to tell of
    them, because the process that worked on them died, `deaths` of these while it worked on this
    URL alone. A request for a host's robots.txt has `robots` set; it has no ledger row (its `id` is
    0) and `host` says whose rules it asks for. A `probe` has none either: it asks how the host
    receives us, with a page that was had before.
    `lease` is the token under which it was handed out. With `look` the page's gist is wanted.
    Of a host's requests those of a higher `priority` come first. `extra` is the JSON of an `Extra`.
    """

    id: int
    url: str
    host: str
    depth: int = 0
    hops: int = 0
    attempt: int = 1
    lost: int = 0
    deaths: int = 0
    referrer: str | None = None
    robots: bool = False
    lease: int = 0
    look: bool = False
    probe: bool = False
    priority: int = 0
    extra: str | None = None

    @property
    def aside(self) -> bool:
        """Whether it is asked beside the URLs of the ledger."""
        return self.robots or self.probe


class Response(Struct, frozen=True, kw_only=True, gc=False):
    """What a server answered. `body` has its content coding undone. Redirects are answers.

    Of redirects and errors the body may be cut short. `unverified`: by https, from a server whose
    certificate was not asked for.
    """

    status: int
    headers: Headers
    body: bytes
    at: float
    elapsed: float
    unverified: bool = False

    def header(self, name: str) -> str | None:
        """The first value of a header field, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Failure(Struct, frozen=True, kw_only=True, gc=False):
    """Expected trouble, as a value: no usable answer, and why."""

    reason: Reason
    detail: str
    at: float
    elapsed: float


Result = Response | Failure


class PageRow(Struct, frozen=True, kw_only=True, gc=False):
    """A page as the stores get it: one row of `pages` and its body.

    `lastmods` are of a sitemap: URLs, and when each was changed last (ISO 8601).
    """

    url: str
    status: int
    content_type: str | None
    charset: str | None
    title: str | None
    depth: int
    referrer: str | None
    at: float
    elapsed: float
    headers: Headers
    digest: bytes
    body: bytes
    canonical: str | None = None
    unverified: bool = False
    lastmods: tuple[tuple[str, str], ...] = ()


class RobotsAnswer(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """What asking for robots.txt gave. Exactly one of the three is meant:

    `text` (the rules; empty allows all), `redirect` (ask there next), or neither: unavailable,
    and then `reason` is that of a `Failure` or None for a server error.
    """

    text: bytes | None = None
    redirect: str | None = None
    reason: Reason | None = None


class Outcome(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """What a try of one request came to: the judge's whole decision.

    `state` is QUEUED when the URL is to be tried again after `retry_in` seconds, else final; or it
    is LEASED: that its answer has come, and is going to be worked on.
    `size` is the number of bytes of the page's body, also where the page itself is not at hand.
    `overloaded` says that the host showed strain (429, 503, timeout, no connection);
    `wait` is the time it asked for (Retry-After), if it did. `refusal` names what looks like a ban.
    `mark` stands for the body of a page (2xx), `gist` for what it says (`page.gist`), if asked for.
    """

    request: Request
    state: State
    reason: str | None
    at: float
    elapsed: float
    status: int | None = None
    detail: str | None = None
    page: PageRow | None = None
    size: int = 0
    links: tuple[Link, ...] = ()
    items: tuple[str, ...] = ()
    retry_in: float = 0.0
    overloaded: bool = False
    wait: float = 0.0
    robots: RobotsAnswer | None = None
    refusal: str | None = None
    mark: int | None = None
    gist: int | None = None


class Closed(Struct, frozen=True, kw_only=True, gc=False):
    """A URL that became final without being asked for, because of its host or its family.

    `at` and `elapsed` tell of the try for robots.txt, where that is what failed.
    """

    request: Request
    state: State
    reason: Reason
    detail: str | None = None
    at: float | None = None
    elapsed: float | None = None


class Batch(Struct, frozen=True, kw_only=True):
    """An answer of the frontier: requests to fetch now, what it closed, and when to ask again.

    `wait` is the number of seconds after which more may be ready by itself, or None when only
    a `finish` can bring more; `host` is the one that has its turn then. `ended` is true when
    nothing is queued, leased or pending.
    """

    requests: list[Request]
    closed: list[Closed]
    wait: float | None
    ended: bool
    host: str | None = None
