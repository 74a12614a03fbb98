"""Parts of a page for `fetch`: what was asked for, as lines for people and values for programs."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, to_builtins
from turbohtml import Element, Node, parse

from asyncmultispider.errors import UsageError
from asyncmultispider.model import Headers
from asyncmultispider.page import Page
from asyncmultispider.text import one_line, printable


class Asked(Struct, frozen=True, kw_only=True):
    """Which parts of a page are wanted."""

    css: str | None = None
    xpath: str | None = None
    markdown: bool = False
    links: bool = False
    headers: bool = False

    def check(self) -> None:
        """Raise `UsageError` for selectors that are none, before anything is fetched."""
        nothing = parse("")
        for option, selector, select in (
            ("--css", self.css, nothing.select),
            ("--xpath", self.xpath, nothing.xpath),
        ):
            try:
                if selector is not None:
                    select(selector)
            except ValueError as error:
                raise UsageError(f"{option} {selector!r}: {error}") from None


class Part(Struct, frozen=True, kw_only=True):
    """A part of a page. `lines` are what it prints as, escaped; without any there is no match."""

    name: str
    lines: list[str]
    value: Any


def parts_of(page: Page, asked: Asked) -> Iterator[Part]:
    """The parts that are asked for, in a fixed order."""
    if asked.css is not None:
        yield _matches(f"css {asked.css}", page.css(asked.css))
    if asked.xpath is not None:
        try:
            yield _matches(f"xpath {asked.xpath}", page.xpath(asked.xpath))
        except ValueError as error:
            raise UsageError(f"--xpath: {error}") from None
    if asked.headers:
        lines = [one_line(f"{name}: {value}") for name, value in page.headers]
        yield Part(name="headers", lines=lines, value=as_object(page.headers))
    if asked.links:
        yield Part(name="links", lines=list(map(one_line, page.links)), value=page.links)
    if asked.markdown:
        yield Part(
            name="markdown", lines=printable(page.markdown).splitlines(), value=page.markdown
        )


def as_object(headers: Headers) -> dict[str, str | list[str]]:
    """Header fields by name; the values of one that came more than once are a list."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def everything(page: Page) -> dict[str, Any]:
    """All that there is to say of a page, for programs."""
    return {
        "headers": as_object(page.headers),
        "content_type": page.content_type,
        "charset": page.charset,
        "size": len(page.body),
        "title": page.title,
        "refresh": page.refresh,
        "robots": sorted(page.robots),
        "meta": to_builtins(page.meta),
        "links": page.links,
        "text": page.text,
        "markdown": page.markdown,
    }


def _matches(name: str, found: list[Element] | list[Node | str] | str | float | bool) -> Part:
    if not isinstance(found, list):
        shown = [] if found == "" and isinstance(found, str) else [_scalar(found)]
        return Part(name=name, lines=shown, value=found)
    return Part(name=name, lines=list(map(_line, found)), value=list(map(_told, found)))


def _scalar(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return one_line(value) if isinstance(value, str) else f"{value:.15g}"


def _line(match: Node | str) -> str:
    """The text of a match, or its HTML where it has none: an image."""
    text = match if isinstance(match, str) else match.text
    if not text.strip() and isinstance(match, Node):
        text = match.html
    return one_line(" ".join(text.split()))


def _told(match: Node | str) -> dict[str, Any]:
    if isinstance(match, str):
        return {"text": match}
    told: dict[str, Any] = {"text": match.text, "html": match.html}
    if isinstance(match, Element):
        told["attrs"] = {name: match.attr(name) or "" for name in match.attrs}
    return told
