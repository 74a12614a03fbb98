"""`fetch`: one URL, as the crawler sees it."""

from contextlib import closing

from asyncmultispider.cli.commands import NO_PAGES
from asyncmultispider.cli.crawl import parse_headers
from asyncmultispider.crawler import choose_seeds, fetch_once
from asyncmultispider.model import Failure, Response
from asyncmultispider.page import Page, is_outlier
from asyncmultispider.quarantine import Quarantine
from asyncmultispider.robots import product_token
from asyncmultispider.settings import Settings
from asyncmultispider.text import complain, duration, one_line, printable, size

TEXT_SHOWN = 2000
"""Characters of text that are shown."""


def fetch_command(
    *,
    url: str,
    timeout: float,
    user_agent: str,
    headers: tuple[str, ...],
    proxy: str | None,
    insecure: bool,
) -> int:
    """Print it; 0 when the server answered, 1 when it could not be had."""
    seeds = choose_seeds([url], None, proxy, secret=bool(headers))
    settings = Settings(
        seeds=tuple(seeds),
        timeout=timeout,
        user_agent=user_agent,
        headers=parse_headers(headers),
        proxy=proxy,
        insecure=insecure,
    )
    request, result = fetch_once(settings)
    if isinstance(result, Response) and is_outlier(result.body):  # is it harmless, also an error's?
        with closing(Quarantine(product_token(user_agent))) as quarantine:
            result, _ = quarantine.read(request, result)
    if isinstance(result, Failure):
        complain(f"{request.url}: {result.reason}: {result.detail}")
        return NO_PAGES
    page = Page(request, result)
    print(one_line(page.url))
    print(f"status   {page.status}, {size(len(page.body))} in {duration(result.elapsed)}")
    kind, charset = page.content_type or "not said", page.charset or "-"
    print(f"type     {one_line(kind)}, charset {one_line(charset)}")
    if page.title:
        print(f"title    {one_line(page.title[:TEXT_SHOWN])}")
    _list("headers", [f"{name}: {value}" for name, value in page.headers])
    _list("links", page.links)
    if page.text.strip():
        print("\ntext")
        print(printable(page.text.strip()[:TEXT_SHOWN]))
    return 0


def _list(title: str, lines: list[str]) -> None:
    if lines:
        print(f"\n{title} ({len(lines)})")
        for line in lines:
            print(f"  {one_line(line[:TEXT_SHOWN])}")
