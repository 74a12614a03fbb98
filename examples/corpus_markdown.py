r"""A manual as a corpus of text: each section in Markdown, with its chapter and its length.

Serve the manual of PostgreSQL (Debian: `apt install postgresql-doc-15`), and crawl it:

    python3 -m http.server -b 127.0.0.1 -d /usr/share/doc/postgresql-doc-15/html 8003
    SITE=http://127.0.0.1:8003/ \
        ams run corpus_markdown.py -d corpus.crawl --delay-factor 0 -o corpus.jsonl
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from asyncmultispider import Page, Spider

SITE = os.environ.get("SITE", "http://127.0.0.1:8003/")
spider = Spider(SITE)


class Section(Struct):
    """A page of the manual. `words` are those of a reader: no code, no tables of contents."""

    url: str
    title: str
    chapter: str | None
    words: int
    markdown: str


@spider.on("*", type="*html*", item=Section)
def section(page: Page) -> Iterator[Any]:
    """What a page says, if it is one to be read."""
    yield from page.follow()
    if page.css_first(".sect1, .refentry") is None:
        return  # a title page, the index, ...
    above = page.css_first(".navheader th[width='60%']")
    markdown = page.markdown
    yield Section(
        url=page.url,
        title=page.title or "",
        chapter=" ".join(above.text.split()) if above else None,
        words=len(re.findall(r"\w+", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL))),
        markdown=markdown,
    )
