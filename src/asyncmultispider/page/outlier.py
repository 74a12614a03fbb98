"""Pages that may take far more time or memory to parse than others, known by their bytes.

Parsing is linear in most of a page, but for two things that HTML itself asks for: formatting
elements that were left open are opened again in each block (memory grows with the square of their
number), and attributes of further body and html tags are merged into the first. And turbohtml 1.15
does not survive some tag soups more than 507 levels deep. What of these a page has at random shows
in tags that are open and near to each other; who knows this rule can get by it (docs/security.md).
"""

import re

SMALL = 64 * 1024
LARGE = 2 * 2**20
MEDIUM = 96 * 1024
MANY = 20_000
"""Tags in a page; one in five hundred real pages has more."""
DEEP = 400
"""Tags that are open at once. To be that deep takes some 2 kB."""
_MERGED = re.compile(rb"<[bBhH][oOtT][dDmM][yYlL]")
_MERGES = 8
"""Tags of body and html, with their ends."""
_SAMPLES, _SAMPLE = 3, 512
_BYTES_A_TAG = 16
"""Fewer, in samples, are dense; one in ten real pages is."""


def is_outlier(html: bytes) -> bool:
    """Whether to parse these bytes apart from everything else: they are odd, or very many."""
    return is_odd(html) or len(html) > LARGE or (len(html) > MEDIUM and html.count(b"<") > MANY)


def is_odd(html: bytes) -> bool:
    """Whether to parse these bytes may take more than their number lets expect."""
    if len(html) > 4 * DEEP and _is_dense(html) and _is_deep(html):
        return True
    return len(html) > SMALL and (
        len(_MERGED.findall(html)) > _MERGES
        or b"\0" in html  # UTF-16, where these are not seen
        or b"\x1b" in html  # ISO-2022-JP: an escape within a tag's name hides it
    )


def _is_dense(html: bytes) -> bool:
    step = len(html) // _SAMPLES
    tags = 0
    for i in range(0, _SAMPLES * step, step):
        tags += html.count(b"<", i, i + _SAMPLE)
    return tags * _BYTES_A_TAG > min(len(html), _SAMPLES * _SAMPLE)


def _is_deep(html: bytes) -> bool:
    """Whether, by the look of it, many tags are open at once somewhere in the page."""
    step = len(html) // 64 + 1
    deep = 0
    for i in range(0, len(html), step):
        # All, less the ends, less what these end.
        deep += html.count(b"<", i, i + step) - 2 * html.count(b"</", i, i + step)
        if deep > DEEP:
            return True
    return False
