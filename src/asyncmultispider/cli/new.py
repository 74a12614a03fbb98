"""`new`: a spider to begin with, and its test."""

import keyword
import sys
from pathlib import Path
from string import Template

from asyncmultispider.errors import StorageError, UsageError

SPIDER = Template('''\
"""Crawl it:    asyncmultispider run $name.py -o $name.jsonl
Try a page:  asyncmultispider fetch https://example.com/ --handler $name.py
Test it:     pytest test_$name.py
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from asyncmultispider import Page, Spider

spider = Spider("https://example.com/")


class Article(Struct):
    """What is taken from a page. One that does not fit fails: `asyncmultispider explain` tells."""

    url: str
    title: str
    headings: list[str]


@spider.on("/articles/*", item=Article)  # the most specific glob wins
def article(page: Page) -> Iterator[Any]:
    yield {
        "url": page.url,
        "title": page.title,
        "headings": [heading.text for heading in page.css("h2")],
    }
    yield from page.follow()  # the links of the page; or page.follow(css="a.next")


@spider.on("*")
def anything_else(page: Page) -> Iterator[Any]:
    yield from page.follow()
''')

TEST = Template('''\
"""The spider on a web in memory: no network, no waiting."""

from asyncmultispider.testing import FakeWeb, run_spider

from $name import spider

PAGES = {
    "https://example.com/": '<a href="/articles/one">one</a>',
    "https://example.com/articles/one": "<title>One</title><h2>First</h2><h2>Second</h2>",
}


def test_articles() -> None:
    crawled = run_spider(spider, FakeWeb(PAGES))
    assert crawled.items == [
        {
            "url": "https://example.com/articles/one",
            "title": "One",
            "headings": ["First", "Second"],
        }
    ]
    assert set(crawled.ends.values()) == {"done"}, crawled.details
''')


def new_command(name: str) -> None:
    """Write both files, or neither."""
    name = name.removesuffix(".py").replace("-", "_")
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise UsageError(f"{name!r} can't be the name of a Python module: use letters, digits, _")
    if name in sys.stdlib_module_names or name == "asyncmultispider":
        raise UsageError(f"{name!r} is the name of another module, which it would hide: choose one")
    files = {f"{name}.py": SPIDER, f"test_{name}.py": TEST}
    for path in map(Path, files):
        if path.exists():
            raise UsageError(f"{str(path)!r} is there already: it was left as it is")
    try:
        for file, text in files.items():
            Path(file).write_text(text.substitute(name=name), encoding="utf-8")
    except OSError as error:
        for file in files:
            Path(file).unlink(missing_ok=True)
        raise StorageError(f"can't write {file!r}: {error.strerror}") from error
    print(f"wrote {' and '.join(files)}: try 'pytest test_{name}.py'")
