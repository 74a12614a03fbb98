"""Stored pages as pages: what folders of files are made of."""

from asyncmultispider.model import Request, Response
from asyncmultispider.page import Page
from asyncmultispider.page.content import HTML_TYPES
from asyncmultispider.store.reader import StoredPage


def is_page(content_type: str | None, charset: str | None) -> bool:
    """Whether what is stored so is HTML. What came without a type has a charset only then."""
    return content_type in HTML_TYPES or (content_type is None and charset is not None)


def as_page(stored: StoredPage) -> Page:
    """The page, in the encoding that was found when it came."""
    kind = stored.content_type or ("text/html" if stored.charset else None)
    field = f"{kind}; charset={stored.charset}" if stored.charset else kind
    headers = (("content-type", field),) if field else ()
    request = Request(id=0, url=stored.url, host="", depth=stored.depth, referrer=stored.referrer)
    response = Response(
        status=stored.status, headers=headers, body=stored.body, at=0.0, elapsed=0.0
    )
    return Page(request, response)
