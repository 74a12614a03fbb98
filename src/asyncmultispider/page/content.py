"""What a response says it is: media type, charset, and directives for robots."""

import codecs
import re
from collections.abc import Iterable
from functools import lru_cache

from asyncmultispider.model import Headers
from asyncmultispider.urls import canonicalize, is_web, without_login
from asyncmultispider.urls.legacy import encoding_name

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
LONGEST_FIELD = 1024
"""Characters of a Content-Type that are read, and remembered."""
SAMPLE = 8192
"""Bytes that a guess is made from: it takes some 50 us for each kilobyte."""
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,]+)""", re.IGNORECASE)
# The signatures of https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type
_LOOKS_HTML = re.compile(
    rb"[\t\n\f\r ]*<(?:(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b"
    rb"|body|br|p)[\t\n\f\r >]|!--)",
    re.IGNORECASE,
)
_OPTIONS = re.compile(r"^(?:max-snippet|max-image-preview|max-video-preview|unavailable_after)\b")


def parse_content_type(value: str | None) -> tuple[str | None, str | None]:
    """Media type in lower case, and the charset as it stands, of a Content-Type field.

    What is in the field beyond `LONGEST_FIELD` characters is not looked at.
    """
    return _content_type(value[:LONGEST_FIELD]) if value else (None, None)


@lru_cache(maxsize=256)
def _content_type(value: str) -> tuple[str | None, str | None]:
    kind = value.partition(";")[0].strip().lower() or None
    charset = _CHARSET.search(value)
    return kind, charset[1] if charset else None


def is_part(kind: str | None) -> bool:
    """Whether a media type is that of what other pages need to be shown, rather than of a page."""
    return kind is not None and (
        kind.startswith(("image/", "font/", "audio/", "video/"))
        or kind == "text/css"
        or kind.endswith(("javascript", "/ecmascript", "/wasm"))
    )


def redirect_target(url: str, headers: Headers) -> str | None:
    """Where an answer of this URL leads by its Location: canonical, http or https; None: nowhere.

    The logins of others are left out.
    """
    location = next((value for name, value in headers if name == "location"), "")
    try:
        # A server may send it in UTF-8; header fields are read as Latin-1.
        text = location.encode("latin-1").decode("utf-8", "replace")
        target = canonicalize(text, url) if text else ""
    except ValueError:
        return None
    return without_login(target) if is_web(target) else None


def is_html(kind: str | None, body: bytes) -> bool:
    """Whether a body is to be parsed as HTML. Without a media type its first bytes decide."""
    if kind is None:
        return _LOOKS_HTML.match(body.removeprefix(codecs.BOM_UTF8)[:512]) is not None
    return kind in HTML_TYPES


def decode_text(body: bytes, charset: str | None) -> tuple[str, str]:
    """Text that is not HTML, and the encoding it was read in: BOM, then `charset`, then a guess.

    Encodings are those of the WHATWG standard; Python knows others that no server may choose.
    """
    import turbohtml.detect  # noqa: F401 - registers the standard's decoders; rarely needed

    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace"), name
    known = encoding_name(charset) if charset else None
    if known is not None:
        return codecs.decode(body, f"whatwg-{known}", "replace"), known
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return codecs.decode(body, "whatwg-windows-1252", "replace"), "windows-1252"


def guess_encoding(body: bytes) -> str | None:
    """The encoding of HTML that declares none and is not UTF-8, by the frequency of its bytes."""
    from turbohtml.detect import detect  # rarely needed

    found = _NOT_ASCII.search(body)
    # From the character before: a byte order mark within a page, as of a file that was put into
    # it, says nothing of the page.
    start = max(0, found.start() - 1) if found else 0
    sample = body[start : start + SAMPLE]
    # "<" is no part of a longer character in any encoding: a sample must not end inside one.
    return encoding_name(detect(sample[: sample.rfind(b"<") + 1] or sample).encoding or "")


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def robots_directives(values: Iterable[str], agent: str) -> frozenset[str]:
    """The directives of `X-Robots-Tag` fields that are meant for all, or for `agent`.

    A field may begin with a crawler's name: `otherbot: noindex, nofollow`. `none` is both.
    """
    found: set[str] = set()
    for value in values:
        name, colon, rest = value.partition(":")
        if colon and "," not in name and not _OPTIONS.match(name.strip().lower()):
            if name.strip().lower() not in (agent.lower(), "*"):
                continue
            value = rest
        found.update(word.strip() for word in value.lower().split(","))
    return frozenset(found | {"noindex", "nofollow"} if "none" in found else found)
