"""Stored pages as pages: what folders of files are made of."""

from asyncmultispider.model import Request, Response
from asyncmultispider.page import Page
from asyncmultispider.page.content import HTML_TYPES
from asyncmultispider.page.outlier import is_odd
from asyncmultispider.store.reader import StoredPage

LARGEST = 8 * 2**20
"""Bytes of a page that is parsed for an output."""


def is_page(content_type: str | None, charset: str | None) -> bool:
    """Whether what is stored so is HTML. What came without a type has a charset only then."""
    return content_type in HTML_TYPES or (content_type is None and charset is not None)


def is_too_complex(body: bytes) -> bool:
    """Whether a page is not to be parsed here: what it may take is not told by its size.

    Others were parsed in the crawl before, apart where they are large.
    """
    return is_odd(body) or len(body) > LARGEST


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
