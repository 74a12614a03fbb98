"""The URLs in a `srcset` attribute, found and replaced.

Read as in https://html.spec.whatwg.org/multipage/images.html#parsing-a-srcset-attribute: candidates
with descriptors that mean nothing are none. Time is linear in the text.
"""

import re
from collections.abc import Callable, Iterator

_URL = re.compile(r"[ \t\n\f\r,]*+([^ \t\n\f\r]++)")
_DESCRIPTORS = re.compile(r"((?:[^(,]|\([^)]*+\)?)*+),?")
_DENSITY = r"(?:\d++(?:\.\d++)?|\.\d++)(?:[eE][+-]?\d++)?x"
_WIDTH, _HEIGHT = "0*[1-9][0-9]*w", "0*[1-9][0-9]*h"
_VALID = re.compile(rf"(?:{_DENSITY}|{_WIDTH}(?: {_HEIGHT})?|{_HEIGHT} {_WIDTH})?", re.ASCII)
_BLANK = re.compile(r"[ \t\n\f\r]")


def urls_in_srcset(value: str) -> Iterator[str]:
    """The URLs of the images to choose from, as written, in their order."""
    return (value[start:end] for start, end in _places(value))


def rewrite_srcset(value: str, replace: Callable[[str], str]) -> str:
    """The attribute with its URLs replaced. It is asked for those of `urls_in_srcset`.

    Blanks in a new URL are percent-encoded, and commas where one is at an end: they would end it.
    """
    pieces: list[str] = []
    done = 0
    for start, end in _places(value):
        new = replace(value[start:end])
        pieces += (value[done:start], _safe(new))
        done = end
    return "".join((*pieces, value[done:]))


def _places(value: str) -> Iterator[tuple[int, int]]:
    at = 0
    while (found := _URL.match(value, at)) is not None:
        start, at = found.span(1)
        end = start + len(found[1].rstrip(","))
        if end < at:  # a comma at its end: nothing is said of it
            yield start, end
            continue
        described = _DESCRIPTORS.match(value, at)
        words = described[1].split() if described else []
        at = described.end() if described else at
        if _VALID.fullmatch(" ".join(words)):
            yield start, end


def _safe(url: str) -> str:
    url = _BLANK.sub(lambda found: f"%{ord(found[0]):02X}", url)
    return url.replace(",", "%2C") if url.startswith(",") or url.endswith(",") else url
