r"""Which version of Python brought which name? All that the manual documents, as a table.

Serve the manual (Debian: `apt install python3.11-doc`), and crawl it:

    python3 -m http.server -b 127.0.0.1 -d /usr/share/doc/python3.11/html 8001
    SITE=http://127.0.0.1:8001/ \
        ams run since_versions.py -d names.crawl --delay-factor 0 -o names.parquet
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from turbohtml import Element

from asyncmultispider import Page, Spider

SITE = os.environ.get("SITE", "http://127.0.0.1:8001/")
spider = Spider(SITE)


class Name(Struct):
    """A function, class, method, ... of the library. Versions are None where none is said."""

    name: str
    kind: str
    since: str | None
    deprecated: str | None
    url: str


@spider.on("*/library/*", item=Name)
def library(page: Page) -> Iterator[Any]:
    """The names that a page of the library describes."""
    for entry in page.css("dl.py"):
        body = entry.select_one(":scope > dd")
        notes = body.select(":scope > div > p > .versionmodified") if body else []
        said = [note.text for note in notes]
        for term in entry.select(":scope > dt[id]"):  # several where they share a description
            yield Name(
                name=whole_name(term),
                kind=str(entry.attr("class")).removeprefix("py "),
                since=version(said, "New in"),
                deprecated=version(said, "Deprecated since"),
                url=f"{page.url}#{term.attr('id')}",
            )
    yield from page.follow()


def whole_name(term: Element) -> str:
    """`module.Class.method`: as its id says it, which has lost the underscore of `_thread`."""
    shown = "".join(part.text for part in term.select(".sig-prename, .sig-name")).lstrip("@")
    known = str(term.attr("id"))
    return known if known.endswith(shown) else shown


def version(notes: list[str], words: str) -> str | None:
    """The first version that a note of these words tells."""
    for note in notes:
        found = re.match(rf"{words} version (\d+(\.\d+)*)", note)
        if found:
            return found[1]
    return None
