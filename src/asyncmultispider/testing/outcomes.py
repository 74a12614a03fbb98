"""Outcomes as a judge would make them, with as little to say as possible.

`elapsed` is in seconds; the time of an outcome is 0 unless `at` says otherwise (Unix time).
"""

from asyncmultispider.frontier import base as frontier
from asyncmultispider.model import Link, Outcome, Reason, Request, RobotsAnswer, State
from asyncmultispider.urls import host_of


def link(
    url: str,
    depth: int = 0,
    *,
    hops: int = 0,
    skip: Reason | None = None,
    priority: int = 0,
    extra: str | None = None,
) -> Link:
    """A link to a canonical URL."""
    return Link(
        url=url,
        host=host_of(url),
        depth=depth,
        hops=hops,
        skip=skip,
        priority=priority,
        extra=extra,
    )


def done(request: Request, *links: Link, at: float = 0.0, elapsed: float = 0.0) -> Outcome:
    """A page that was had, and its links."""
    return Outcome(
        request=request,
        state=State.DONE,
        reason=None,
        at=at,
        elapsed=elapsed,
        status=200,
        links=links,
    )


def failed(request: Request, reason: str = Reason.RESET, *, overloaded: bool = False) -> Outcome:
    """A page that can't be had."""
    return Outcome(
        request=request,
        state=State.FAILED,
        reason=reason,
        at=0.0,
        elapsed=0.0,
        overloaded=overloaded,
    )


def lost(request: Request) -> Outcome:
    """A try of which nothing is known, because the process that made it died."""
    return frontier.lost(request, "", 0.0)


def again(
    request: Request,
    seconds: float,
    *,
    at: float = 0.0,
    overloaded: bool = False,
    wait: float = 0.0,
) -> Outcome:
    """A try that is to be repeated in so many seconds; of a page or of a robots.txt."""
    return Outcome(
        request=request,
        state=State.QUEUED,
        reason=Reason.TIMEOUT,
        at=at,
        elapsed=0.0,
        retry_in=seconds,
        overloaded=overloaded,
        wait=wait,
        robots=RobotsAnswer(reason=Reason.TIMEOUT) if request.robots else None,
    )


def rules(request: Request, text: str = "", *, at: float = 0.0) -> Outcome:
    """A robots.txt that was read; an empty one allows all."""
    return _asked(request, RobotsAnswer(text=text.encode()), at)


def rules_at(request: Request, target: str) -> Outcome:
    """A robots.txt that is to be asked for elsewhere."""
    return _asked(request, RobotsAnswer(redirect=target))


def rules_lost(request: Request, reason: Reason | None = None) -> Outcome:
    """A robots.txt that can't be had: for a reason, or (None) because the server had an error."""
    return _asked(request, RobotsAnswer(reason=reason))


def _asked(request: Request, answer: RobotsAnswer, at: float = 0.0) -> Outcome:
    return Outcome(
        request=request, state=State.DONE, reason=None, at=at, elapsed=0.0, robots=answer
    )
