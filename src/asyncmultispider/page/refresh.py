"""`<meta http-equiv=refresh>`: where a page sends its reader on."""

import re

from turbohtml import Element

_SPACE = r"[ \t\n\f\r]*+"
_TIME = re.compile(rf"{_SPACE}[0-9.][0-9.]*+(?:\Z|(?=[;, \t\n\f\r]){_SPACE}[;,]?{_SPACE})")
_URL = re.compile(rf"(?:[uU][rR][lL]{_SPACE}={_SPACE})?+(?:\"([^\"]*+)|'([^']*+)|(.*+))", re.DOTALL)


def refresh_of(element: Element) -> str | None:
    """Where a meta element sends its reader on, as written; "" is to the same page again.

    None when it is no refresh, or one that browsers don't heed: with no time, or in a template.
    Source: https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
    """
    if (element.attr("http-equiv") or "").lower() != "refresh":
        return None
    url = parse_refresh(element.attr("content") or "")
    return None if url is None or element.closest("template") else url


def parse_refresh(content: str) -> str | None:
    """The URL in the content of a refresh, as written; "" when it has none, None: it is invalid."""
    time = _TIME.match(content)
    if time is None:
        return None
    url = _URL.match(content, time.end())
    return next((part for part in url.groups() if part), "") if url else ""
