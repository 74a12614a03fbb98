"""The judge: one pure function `(request, result) -> Outcome` that decides everything.

What it knows besides its arguments are the settings, and which links it gave out already. It may
be called from several threads. A page that a spider's handler is for takes two steps: the judge
answers with a `Visit`, the engine calls the handler (it may block, or be a coroutine), and
`conclude` makes an outcome of what the handler gave.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from traceback import format_exc

from msgspec import Struct, json
from msgspec.structs import replace

from asyncmultispider.bans import REFUSALS, refusal_of
from asyncmultispider.challenges import LARGEST, challenge
from asyncmultispider.errors import UsageError
from asyncmultispider.links import LinkFilter, are_cut
from asyncmultispider.model import (
    NO_EXTRA,
    REDIRECTS,
    Extra,
    Failure,
    Link,
    Outcome,
    PageRow,
    Reason,
    Request,
    Response,
    Result,
    RobotsAnswer,
    State,
    http_reason,
)
from asyncmultispider.page import Findings, Follow, Page, is_outlier
from asyncmultispider.page.content import is_part, redirect_target
from asyncmultispider.page.gist import gist
from asyncmultispider.retry import backoff, retry_after, retry_delay, shows_strain
from asyncmultispider.robots import Robots, product_token
from asyncmultispider.settings import Settings
from asyncmultispider.sitemaps import Sitemap, SitemapError
from asyncmultispider.spider import Handler, Rule, Spider, handler_name
from asyncmultispider.urls import canonicalize, origin_of, without_login
from asyncmultispider.urls.scope import Scope

MAX_HOPS = 10
"""Redirects in a row that are followed."""
NOTHING_FOUND = Findings(
    anchors=[], held=[], base=None, title=None, canonical=None, robots=[], charset=None
)
MOST_SITEMAPS = 1000
"""Sitemaps of a robots.txt that are read."""
MOST_STEPS = 5
"""Parts of parts in a row that are fetched: a style sheet may load another one, and so on.

They need not be in scope: without an end, they could lead anywhere.
"""
LONGEST = 20_000
"""Characters of a detail that are kept: of a Location the first, of a traceback the last."""


class Visit(Struct, frozen=True, kw_only=True):
    """A page whose handler is to be called before it can be judged.

    `row` is the page as it came: what the handler makes of it is not stored.
    """

    request: Request
    response: Response
    page: Page
    row: PageRow
    rule: Rule

    @property
    def handler(self) -> Handler:
        """What is to be called with the page."""
        return self.rule.handler


class Judge:
    """Called with a request and what came of it. Never raises for what a server sent.

    `agent` is our product token: pages address a crawler by it.
    """

    def __init__(self, settings: Settings, spider: Spider | None = None) -> None:
        self._settings = settings
        self._spider = spider
        self.agent = product_token(settings.user_agent)
        self._obedient = not settings.ignore_robots
        starts = [without_login(url) for url in settings.starts]
        self._links = LinkFilter(Scope(settings.scope, starts, settings.include, settings.exclude))

    def __call__(
        self, request: Request, result: Result, findings: Findings | None = None
    ) -> Outcome | Visit:
        """Decide what this try came to. `findings` are of a page that was read elsewhere."""
        try:
            return self._decide(request, result, findings)
        except Exception:  # noqa: BLE001 - our own bug on one page must not cost the others
            self._links.forget()  # links of this page may not have reached the frontier
            return _broken(request, result, Reason.BUG, format_exc())

    def conclude(self, visit: Visit, products: Iterable[object]) -> Outcome:
        """Decide on a page by what its handler yielded."""
        try:
            return self._conclude(visit, products)
        except Exception:  # noqa: BLE001 - what can't be encoded is the handler's fault
            self._links.forget()  # links of this page may not have reached the frontier
            name = handler_name(visit.handler)
            return self.blame(visit, f"{format_exc()}(this is what {name}() yielded)\n")

    def blame(self, visit: Visit, detail: str) -> Outcome:
        """Fail a page whose handler raised an exception; `detail` is its traceback."""
        return _broken(visit.request, visit.response, Reason.HANDLER, detail)

    def _decide(
        self, request: Request, result: Result, findings: Findings | None
    ) -> Outcome | Visit:
        if request.robots:
            return self._judge_robots(request, result)
        if request.probe:
            return self._judge_probe(request, result)
        if isinstance(result, Failure):
            return self._missed(request, result, result.reason, result.detail)
        if result.status in REDIRECTS:
            return self._judge_redirect(request, result)
        if 200 <= result.status < 300:
            return self._judge_page(request, result, findings)
        wall = challenge(result, None) if result.status in REFUSALS else None
        if wall is not None:
            return self._walled(request, result, wall)
        missed = self._missed(request, result, http_reason(result.status), None)
        wanted = self._wanted(request, result) if missed.state is State.FAILED else None
        return wanted or missed

    def seeds(self) -> list[Link]:
        """The links that the crawl begins with."""
        seeds = [self._links.link(url, 0) for url in self._settings.seeds]
        return seeds + self._links.sitemaps(self._settings.sitemap, ())

    def outgoing(self, request: Request) -> Request:
        """The request as it is to be sent. Raises what hooks of the spider raise."""
        return request if self._spider is None else self._spider.outgoing(request)

    def _wanted(self, request: Request, response: Response) -> Outcome | Visit | None:
        """An error that a handler asks for. One that may be too much to parse is none."""
        if self._spider is None or is_outlier(response.body):
            return None
        page = Page(request, response, self.agent)
        return self._visit(request, response, page, Extra.of(request.extra))

    def _visit(
        self, request: Request, response: Response, page: Page, extra: Extra
    ) -> Outcome | Visit | None:
        """The visit of its handler, if there is one.

        Sitemaps and parts of pages from elsewhere have none. Where parts of pages are wanted,
        images, styles and the like are for handlers only that ask for their type.
        """
        if self._spider is None or extra.part or extra.sitemap is not None:
            return None
        try:
            rule = self._spider.rule(page, extra.handler)
        except UsageError as error:
            return _broken(request, response, Reason.HANDLER, str(error))
        if rule is None or (page.status >= 300 and not rule.holds(page)):
            return None
        if self._settings.page_requisites and not rule.types and is_part(page.content_type):
            return None
        row = _row(page, response)
        return Visit(request=request, response=response, page=page, row=row, rule=rule)

    def _judge_page(
        self, request: Request, response: Response, findings: Findings | None
    ) -> Outcome | Visit:
        page = Page(request, response, self.agent)
        if findings is not None:
            page.know(findings)
        extra = Extra.of(request.extra)
        if extra.sitemap is not None:
            return self._judge_sitemap(request, response, page, extra.sitemap)
        wall = challenge(response, page.title)
        if wall is not None:
            return self._walled(request, response, wall)
        if self._obedient and "noindex" in page.robots:
            return Outcome(
                request=request,
                state=State.SKIPPED,
                reason=Reason.NOINDEX,
                at=response.at,
                elapsed=response.elapsed,
                status=response.status,
                links=self._onward(request, page, extra),
            )
        visit = self._visit(request, response, page, extra)
        if visit is not None:
            return visit
        row = _row(page, response)  # first: links that were given out must reach the frontier
        said = gist(page) if request.look else None
        return _done(request, response, row, links=self._onward(request, page, extra), gist=said)

    def _judge_sitemap(
        self, request: Request, response: Response, page: Page, vouching: tuple[str, ...]
    ) -> Outcome:
        try:
            sitemap = Sitemap.parse(
                response.body,
                request.url,
                response.header("content-type"),
                vouching=vouching or None,
            )
        except SitemapError as error:
            return _broken(request, response, Reason.BAD_SITEMAP, str(error))
        listed = (*sitemap.urls, *sitemap.sitemaps)
        lastmods = tuple((e.url, e.lastmod.isoformat()) for e in listed if e.lastmod is not None)
        row = replace(_row(page, response), lastmods=lastmods)
        links = self._links.sitemaps((entry.url for entry in sitemap.sitemaps), vouching)
        # What it lists is where a crawl starts, like a seed: with --depth it matters that it is
        # listed, also where a link to it was given out before.
        if self._settings.depth is None:
            links += self._links.given((entry.url for entry in sitemap.urls), page.depth)
        else:
            links += [self._links.link(entry.url, page.depth) for entry in sitemap.urls]
        outcome = _done(request, response, row, links=tuple(links))
        return replace(outcome, detail="; ".join(sitemap.problems)[:LONGEST] or None)

    def _conclude(self, visit: Visit, products: Iterable[object]) -> Outcome:
        products = list(_flat(products))
        wanted = [product for product in products if isinstance(product, Follow)]
        items = [
            _item(visit.rule.checked(product))
            for product in products
            if not isinstance(product, Follow)
        ]
        page, request, response = visit.page, visit.request, visit.response
        row = visit.row
        links = self._parts(page, NO_EXTRA)
        if self._may_go_on(page):  # what was said of a link counts before all links are given out
            links += tuple(self._links.followed(wanted, page.depth + 1))
        if Follow(None) in wanted:
            links += self._follow(page)
        links += self._refresh(request, page)
        said = gist(page) if request.look and page.status < 300 else None
        outcome = _done(request, response, row, items=tuple(items), links=links, gist=said)
        if page.status < 300:
            return outcome
        return replace(
            outcome,
            overloaded=shows_strain(response),
            wait=retry_after(response),
            refusal=refusal_of(response),
        )

    def _follow(self, page: Page) -> tuple[Link, ...]:
        if not page.facts.anchors or not self._may_go_on(page):
            return ()
        if self._obedient and "nofollow" in page.robots:
            return ()
        wanted = page.facts.may_follow if self._obedient else None
        return tuple(self._links.fresh(page, wanted))

    def _onward(self, request: Request, page: Page, extra: Extra) -> tuple[Link, ...]:
        """Where a page leads that no handler is for."""
        parts = self._parts(page, extra)
        return parts if extra.part else parts + self._follow(page) + self._refresh(request, page)

    def _parts(self, page: Page, extra: Extra) -> tuple[Link, ...]:
        """What the page needs to be shown, if that is wanted: also one step beyond --depth."""
        if not self._settings.page_requisites or extra.part >= MOST_STEPS:
            return ()
        return tuple(self._links.given(page.requisites, page.depth + 1, part=extra.part + 1))

    def _refresh(self, request: Request, page: Page) -> tuple[Link, ...]:
        """Where a page sends its readers on: like a redirect."""
        target = page.refresh
        if target is None or request.hops >= MAX_HOPS or page.status >= 300:
            return ()
        if self._obedient and "nofollow" in page.robots:
            return ()
        return (self._redirect(request, target),)

    def _redirect(self, request: Request, target: str) -> Link:
        # What was said of the URL goes along, but header fields only to the same origin.
        extra = Extra.of(request.extra)
        if extra.headers and origin_of(target) != origin_of(request.url):
            extra = replace(extra, headers=())
        link = self._links.link(target, request.depth, request.hops + 1, extra)
        return replace(link, priority=request.priority) if request.priority else link

    def _may_go_on(self, page: Page) -> bool:
        return self._settings.depth is None or page.depth < self._settings.depth

    def _judge_redirect(self, request: Request, response: Response) -> Outcome:
        target = redirect_target(request.url, response.headers)
        if target is None:
            return self._missed(request, response, Reason.BAD_REDIRECT, response.header("location"))
        if request.hops >= MAX_HOPS:
            return self._missed(request, response, Reason.TOO_MANY_REDIRECTS, target)
        link = self._redirect(request, target)
        page = Page(request, response, self.agent)
        if is_outlier(page.body):  # nobody reads it, and to parse it here may be the end of us
            page.know(NOTHING_FOUND)
        return _done(request, response, _row(page, response), links=(link,))

    def _walled(self, request: Request, response: Response, wall: str) -> Outcome:
        """A wall may open: it is tried again as if it were trouble that passes."""
        again = backoff(request, response, self._settings.retries)
        return Outcome(
            request=request,
            state=State.SUSPENDED if again is None else State.QUEUED,
            reason=Reason.BANNED,
            at=response.at,
            elapsed=response.elapsed,
            status=response.status,
            detail=f"a bot wall answered ({wall})",
            retry_in=again or 0.0,
            overloaded=True,
            wait=retry_after(response),
            refusal=wall,
        )

    def _missed(self, request: Request, result: Result, reason: str, detail: str | None) -> Outcome:
        again = retry_delay(request, result, self._settings.retries)
        return Outcome(
            request=request,
            state=State.FAILED if again is None else State.QUEUED,
            reason=reason,
            at=result.at,
            elapsed=result.elapsed,
            status=None if isinstance(result, Failure) else result.status,
            detail=detail and detail[:LONGEST],
            retry_in=again or 0.0,
            overloaded=shows_strain(result),
            wait=retry_after(result),
            refusal=None if isinstance(result, Failure) else refusal_of(result),
        )

    def _judge_probe(self, request: Request, result: Result) -> Outcome:
        outcome = Outcome(
            request=request,
            state=State.DONE,
            reason=None,
            at=result.at,
            elapsed=result.elapsed,
            overloaded=shows_strain(result),
        )
        if isinstance(result, Failure):
            return outcome
        small = len(result.body) <= LARGEST and not is_outlier(result.body)
        title = Page(request, result, self.agent).title if small else None
        return replace(
            outcome,
            status=result.status,
            wait=retry_after(result),
            refusal=challenge(result, title) or refusal_of(result),
            mark=_mark(result.status, result.body, sha256(result.body).digest()),
        )

    def _judge_robots(self, request: Request, result: Result) -> Outcome:
        answer = _robots_answer(request, result)
        sitemaps: tuple[Link, ...] = ()
        if answer.text and self._settings.sitemaps and self._links.may_lead_on(request.host):
            named = _sitemaps(answer.text, request.url)
            sitemaps = tuple(self._links.sitemaps(named, (request.host,)))
        lost = answer.text is None and answer.redirect is None
        again = retry_delay(request, result, self._settings.retries) if lost else None
        return Outcome(
            request=request,
            state=State.DONE if again is None else State.QUEUED,
            reason=None,
            at=result.at,
            elapsed=result.elapsed,
            detail=_robots_trouble(result) if lost else None,
            retry_in=again or 0.0,
            overloaded=lost and shows_strain(result),
            wait=retry_after(result) if lost else 0.0,
            robots=answer,
            links=sitemaps,
        )


def _done(
    request: Request,
    response: Response,
    page: PageRow,
    *,
    links: tuple[Link, ...],
    items: tuple[str, ...] = (),
    gist: int | None = None,
) -> Outcome:
    return Outcome(
        request=request,
        state=State.DONE,
        reason=None,
        at=response.at,
        elapsed=response.elapsed,
        status=response.status,
        page=page,
        size=len(page.body),
        detail=f"only {len(links)} of its links are followed" if are_cut(links) else None,
        items=items,
        links=links,
        mark=_mark(page.status, page.body, page.digest),
        gist=gist,
    )


def _mark(status: int, body: bytes, digest: bytes) -> int | None:
    return int.from_bytes(digest[:8]) if body and status < 300 else None


def _broken(request: Request, result: Result, reason: Reason, detail: str) -> Outcome:
    return Outcome(
        request=request,
        state=State.FAILED,
        reason=reason,
        at=result.at,
        elapsed=result.elapsed,
        status=None if isinstance(result, Failure) else result.status,
        # A message may hold what no file can: half a character, from a file name or a handler.
        detail=detail[-LONGEST:].encode(errors="backslashreplace").decode(),
        robots=RobotsAnswer(reason=reason) if request.robots else None,
    )


def _flat(products: Iterable[object]) -> Iterator[object]:
    for product in products:
        if isinstance(product, list):  # of `yield page.follow(...)`, without `from`
            yield from product
        else:
            yield product


def _item(product: object) -> str:
    # A `msgspec.Raw` in it may be no JSON, or of many lines.
    text = json.format(json.encode(product), indent=-1).decode()
    if not text.startswith("{"):
        raise TypeError(
            "a handler yields items (dict, dataclass, msgspec Struct) and page.follow(...), "
            f"not {type(product).__name__}"
        )
    return text


def _robots_answer(request: Request, result: Result) -> RobotsAnswer:
    """RFC 9309 section 2.3.1: 2xx are rules, 4xx allow all, 5xx and no answer allow nothing."""
    if isinstance(result, Failure):
        return RobotsAnswer(reason=result.reason)
    if 200 <= result.status < 300:
        return RobotsAnswer(text=result.body)
    if result.status in REDIRECTS:
        target = redirect_target(request.url, result.headers)
        return RobotsAnswer(text=b"") if target is None else RobotsAnswer(redirect=target)
    if 400 <= result.status < 500 and result.status != 429:
        return RobotsAnswer(text=b"")
    return RobotsAnswer()


def _sitemaps(text: bytes, url: str) -> Iterator[str]:
    for named in Robots.parse(text, base=url).sitemaps[:MOST_SITEMAPS]:
        with suppress(ValueError):
            yield canonicalize(named)


def _robots_trouble(result: Result) -> str:
    return result.detail if isinstance(result, Failure) else f"status {result.status}"


def _row(page: Page, response: Response) -> PageRow:
    return PageRow(
        url=page.url,
        status=page.status,
        content_type=page.content_type,
        charset=page.charset,
        title=page.title,
        depth=page.depth,
        referrer=page.referrer,
        at=response.at,
        elapsed=response.elapsed,
        headers=page.headers,
        digest=sha256(page.body).digest(),
        body=page.body,
        canonical=page.canonical,
        unverified=response.unverified,
    )
