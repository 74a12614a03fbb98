"""Pages that may take far more time or memory to parse than others, known by their bytes.

Parsing is linear in most of a page, but for two things that HTML itself asks for: formatting
elements that were left open are opened again in each block (memory grows with the square of their
number), and attributes of further body and html tags are merged into the first. Up to `SMALL`
bytes the worst that was found takes some 0.2 s and 300 MB, for a moment.
"""

import re

SMALL = 48 * 1024
LARGE = 2**20
MANY = 8000
"""Tags in a page; one in a hundred real pages has more."""
_MERGED = re.compile(rb"<[bBhH][oOtT][dDmM][yYlL]")
_MERGES = 8
"""Tags of body and html, with their ends."""


def is_outlier(html: bytes) -> bool:
    """Whether to parse these bytes apart from everything else."""
    return len(html) > SMALL and (
        len(html) > LARGE
        or html.count(b"<") > MANY
        or len(_MERGED.findall(html)) > _MERGES
        or b"\0" in html[:256]  # UTF-16, where these are not seen
    )
