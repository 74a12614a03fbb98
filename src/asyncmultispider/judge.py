"""The judge: one pure function `(request, result) -> Outcome` that decides everything.

What it knows besides its arguments are the settings, and which links it gave out already.
"""

from hashlib import sha256
from traceback import format_exc

from asyncmultispider.links import LinkFilter
from asyncmultispider.model import (
    REDIRECTS,
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
from asyncmultispider.page import Page
from asyncmultispider.retry import retry_after, retry_delay, shows_strain
from asyncmultispider.robots import product_token
from asyncmultispider.settings import Settings
from asyncmultispider.urls import canonicalize, is_web
from asyncmultispider.urls.scope import Scope

MAX_HOPS = 10
"""Redirects in a row that are followed."""


class Judge:
    """Called with a request and what came of it. Never raises for what a server sent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._agent = product_token(settings.user_agent)
        self._obedient = not settings.ignore_robots
        self._links = LinkFilter(
            Scope(settings.scope, settings.seeds, settings.include, settings.exclude)
        )

    def __call__(self, request: Request, result: Result) -> Outcome:
        """Decide what this try came to."""
        try:
            return self._decide(request, result)
        except Exception:  # noqa: BLE001 - our own bug on one page must not cost the others
            self._links.forget()  # links of this page may not have reached the frontier
            return Outcome(
                request=request,
                state=State.FAILED,
                reason=Reason.BUG,
                at=result.at,
                elapsed=result.elapsed,
                detail=format_exc(),
                robots=RobotsAnswer(reason=Reason.BUG) if request.robots else None,
            )

    def _decide(self, request: Request, result: Result) -> Outcome:
        if request.robots:
            return self._judge_robots(request, result)
        if isinstance(result, Failure):
            return self._missed(request, result, result.reason, result.detail)
        if result.status in REDIRECTS:
            return self._judge_redirect(request, result)
        if 200 <= result.status < 300:
            return self._judge_page(request, result)
        return self._missed(request, result, http_reason(result.status), None)

    def seeds(self) -> list[Link]:
        """The links that the crawl begins with."""
        return [self._links.link(url, 0) for url in self._settings.seeds]

    def _judge_page(self, request: Request, response: Response) -> Outcome:
        page = Page(request, response, self._agent)
        kept = not (self._obedient and "noindex" in page.robots)
        return Outcome(
            request=request,
            state=State.DONE if kept else State.SKIPPED,
            reason=None if kept else Reason.NOINDEX,
            at=response.at,
            elapsed=response.elapsed,
            status=response.status,
            page=_row(page, response) if kept else None,
            links=self._follow(page),
        )

    def _follow(self, page: Page) -> tuple[Link, ...]:
        depth = self._settings.depth
        if page.document is None or (depth is not None and page.depth >= depth):
            return ()
        if self._obedient and "nofollow" in page.robots:
            return ()
        wanted = page.facts.may_follow if self._obedient else None
        return tuple(self._links.fresh(page, wanted))

    def _judge_redirect(self, request: Request, response: Response) -> Outcome:
        target = _target(request, response)
        if target is None:
            return self._missed(request, response, Reason.BAD_REDIRECT, response.header("location"))
        if request.hops >= MAX_HOPS:
            return self._missed(request, response, Reason.TOO_MANY_REDIRECTS, target)
        link = self._links.link(target, request.depth, request.hops + 1)
        return Outcome(
            request=request,
            state=State.DONE,
            reason=None,
            at=response.at,
            elapsed=response.elapsed,
            status=response.status,
            page=_row(Page(request, response, self._agent), response),
            links=(link,),
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
            detail=detail,
            retry_in=again or 0.0,
            overloaded=shows_strain(result),
            wait=retry_after(result),
        )

    def _judge_robots(self, request: Request, result: Result) -> Outcome:
        answer = _robots_answer(request, result)
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
        )


def _robots_answer(request: Request, result: Result) -> RobotsAnswer:
    """RFC 9309 section 2.3.1: 2xx are rules, 4xx allow all, 5xx and no answer allow nothing."""
    if isinstance(result, Failure):
        return RobotsAnswer(reason=result.reason)
    if 200 <= result.status < 300:
        return RobotsAnswer(text=result.body)
    if result.status in REDIRECTS:
        target = _target(request, result)
        return RobotsAnswer(text=b"") if target is None else RobotsAnswer(redirect=target)
    if 400 <= result.status < 500 and result.status != 429:
        return RobotsAnswer(text=b"")
    return RobotsAnswer()


def _robots_trouble(result: Result) -> str:
    return result.detail if isinstance(result, Failure) else f"status {result.status}"


def _target(request: Request, response: Response) -> str | None:
    try:
        # A server may send the Location in UTF-8; libcurl's lines were read as Latin-1.
        location = (response.header("location") or "").encode("latin-1").decode("utf-8", "replace")
        target = canonicalize(location, request.url) if location else ""
    except ValueError:
        return None
    return target if is_web(target) else None


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
    )
