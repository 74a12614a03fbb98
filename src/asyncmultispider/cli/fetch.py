"""`fetch`: one URL, as the crawler sees it."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from asyncmultispider.cli.apart import data_apart, data_output
from asyncmultispider.cli.commands import FINISHED, NO_PAGES
from asyncmultispider.cli.lines import ascii_json
from asyncmultispider.cli.parts import Asked, Part, everything, parts_of
from asyncmultispider.crawler import choose_seeds, fetch_once, visit_once
from asyncmultispider.errors import UsageError
from asyncmultispider.model import (
    REDIRECTS,
    Failure,
    Link,
    Outcome,
    Reason,
    Request,
    Response,
    Result,
    State,
)
from asyncmultispider.options import parse_headers
from asyncmultispider.page import Findings, Page, is_outlier
from asyncmultispider.page.content import redirect_target
from asyncmultispider.quarantine import Quarantine
from asyncmultispider.robots import product_token
from asyncmultispider.settings import Settings
from asyncmultispider.spider import Spider
from asyncmultispider.spiderfile import load_spider
from asyncmultispider.text import complain, duration, one_line, printable, size

TEXT_SHOWN = 2000
"""Characters of text that are shown."""


def fetch_command(*, handler: str | None, **options: Any) -> int:
    """Print it; 0 when the server answered, 1 when it did not, or has not what is asked for."""
    with data_apart(handler is not None):
        return _fetch(handler=handler, **options)


def _fetch(
    *,
    url: str,
    timeout: float,
    user_agent: str,
    headers: tuple[str, ...],
    proxy: tuple[str, ...],
    insecure: bool,
    css: str | None,
    xpath: str | None,
    markdown: bool,
    links: bool,
    show_headers: bool,
    as_json: bool,
    handler: str | None,
) -> int:
    asked = Asked(css=css, xpath=xpath, markdown=markdown, links=links, headers=show_headers)
    asked.check()
    if handler is not None and (as_json or asked != Asked()):
        raise UsageError("--handler shows what a spider yields: it goes without other parts")
    spider = None if handler is None else load_spider(Path(handler).absolute())
    seeds = choose_seeds([url], None, proxy, secret=bool(headers))
    settings = Settings(
        seeds=tuple(seeds),
        timeout=timeout,
        user_agent=user_agent,
        headers=parse_headers(headers),
        proxies=proxy,
        insecure=insecure,
        scope="any",
        retries=0,
    )
    request, result = fetch_once(settings, spider)
    result, findings = _examined(request, result, product_token(user_agent))
    if isinstance(result, Failure):
        return _tell_of_failure(request, result)
    if spider is not None:
        return _show_yield(settings, spider, request, result, findings)
    page = Page(request, result, product_token(user_agent))
    if findings is not None:
        page.know(findings)
    if not as_json and asked == Asked():
        _show_overview(page, result)
        return FINISHED
    parts = list(parts_of(page, asked))
    if as_json:
        _show_json(page, parts)
    else:
        _show(parts)
    return _tell_of_missing(page, parts)


def _examined(request: Request, result: Result, agent: str) -> tuple[Result, Findings | None]:
    """What may be too much is read in a process of its own first, also an error's body."""
    if not isinstance(result, Response) or not is_outlier(result.body):
        return result, None
    with closing(Quarantine(agent)) as quarantine:
        return quarantine.read(request, result)


def _tell_of_failure(request: Request, failure: Failure) -> int:
    if failure.reason is Reason.HANDLER:
        print(printable(failure.detail), end="", file=sys.stderr)
    else:
        complain(f"{request.url}: {failure.reason}: {failure.detail}")
    return NO_PAGES


# -- All of a page


def _show_overview(page: Page, response: Response) -> None:
    print(one_line(page.url))
    print(f"status   {page.status}, {size(len(page.body))} in {duration(response.elapsed)}")
    target = _target(page)
    if target is not None:
        print(f"redirects to {one_line(target[:TEXT_SHOWN])}")
    kind, charset = page.content_type or "not said", page.charset or "-"
    print(f"type     {one_line(kind)}, charset {one_line(charset)}")
    if page.title:
        print(f"title    {one_line(page.title[:TEXT_SHOWN])}")
    _list("headers", [f"{name}: {value}" for name, value in page.headers])
    _list("links", page.links)
    if page.text.strip():
        print("\ntext")
        print(printable(page.text.strip()[:TEXT_SHOWN]))


def _list(title: str, lines: list[str]) -> None:
    if lines:
        print(f"\n{title} ({len(lines)})")
        for line in lines:
            print(f"  {one_line(line[:TEXT_SHOWN])}")


def _target(page: Page) -> str | None:
    """Where a redirect leads; it is not followed."""
    return redirect_target(page.url, page.headers) if page.status in REDIRECTS else None


# -- Parts of it


def _show(parts: list[Part]) -> None:
    if len(parts) == 1:
        for line in parts[0].lines:
            print(line)
        return
    print("\n\n".join("\n".join((one_line(p.name), *(f"  {it}" for it in p.lines))) for p in parts))


def _show_json(page: Page, parts: list[Part]) -> None:
    told = {"url": page.url, "status": page.status, "redirect": _target(page)}
    wanted = {part.name.partition(" ")[0]: part.value for part in parts} or everything(page)
    print(ascii_json(told | wanted))


def _tell_of_missing(page: Page, parts: list[Part]) -> int:
    missing = [part.name for part in parts if not part.lines]
    target = _target(page)
    why = f" ({page.status}, redirects to {target})" if target else f" ({page.status})"
    for name in missing:
        complain(f"{page.url}: nothing for {name}{why}")
    return NO_PAGES if missing else FINISHED


# -- What a spider makes of it


def _show_yield(
    settings: Settings,
    spider: Spider,
    request: Request,
    response: Response,
    findings: Findings | None,
) -> int:
    name, outcome = visit_once(settings, spider, request, response, findings)
    if name is None:
        complain(f"{request.url}: no handler is called: {_why(outcome)}")
        return NO_PAGES
    print(f"handler {one_line(name)}", file=sys.stderr)
    if outcome.state is State.FAILED:
        print(printable(outcome.detail or ""), end="", file=sys.stderr)
        return NO_PAGES
    for item in outcome.items:
        print(ascii_json(json.loads(item)), file=data_output())
    for link in outcome.links:
        print(_followed(link), file=sys.stderr)
    return FINISHED


def _why(outcome: Outcome) -> str:
    if outcome.status in REDIRECTS and outcome.links:
        return f"it redirects to {outcome.links[0].url}"
    if outcome.state is State.DONE:
        return "none is for this page; its links would be followed"
    return " ".join(filter(None, (str(outcome.reason), outcome.detail)))


def _followed(link: Link) -> str:
    what = f" priority {link.priority}" if link.priority else ""
    extra = f" {ascii_json(json.loads(link.extra))}" if link.extra else ""
    skipped = f" ({link.note or link.skip})" if link.skip else ""
    return one_line(f"follow {link.url}{what}{extra}{skipped}")
