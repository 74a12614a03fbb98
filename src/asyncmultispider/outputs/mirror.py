"""A mirror to browse without a net: each stored page as a file, with links that lead to files.

What the links of a page mean is asked of all that is stored, also through redirects; what is not
stored stays a link to the web. How pages are made harmless is in `offline`.
"""

from collections.abc import Iterator
from itertools import islice

from asyncmultispider.model import REDIRECTS, parse_fields
from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.folder import Folder, exported, replacing_folder
from asyncmultispider.outputs.names import PAGE, ending_of, reference
from asyncmultispider.outputs.offline import (
    Known,
    Local,
    front_page,
    is_inert,
    notice,
    offline_page,
    offline_sheet,
)
from asyncmultispider.outputs.stored import as_page, is_page, is_too_complex
from asyncmultispider.page.content import redirect_target
from asyncmultispider.store.reader import FACTS, StoredPage, StoreReader, reading_store
from asyncmultispider.urls import without_login

FRONT = "index.html"
LISTED = 1000
"""Pages that the front page lists."""
SVG = "image/svg+xml"
HEADERS = FACTS.index("headers")
TOO_COMPLEX = "This page is too complex to be rewritten. It is in pages.db as it came, and here:"


def write_mirror(job: Job) -> list[Exported]:
    """Write each page that was had (2xx), and a front page. See `Writer`."""
    with replacing_folder(job.target, FRONT) as folder, reading_store(job.pages_db) as store:
        _expect_all(folder, store)
        folder.name_all()
        mirror = _Mirror(folder)
        for stored in store.whole():
            if stored.status // 100 == 2:
                mirror.add(stored)
        mirror.close()
        return [exported(job.target, folder, mirror.count)]


class _Mirror:
    """Pages on their way into the folder."""

    def __init__(self, folder: Folder) -> None:
        self.count = 0
        self._folder = folder
        self._links = Known()
        self._starts: dict[str, tuple[str, str]] = {}
        self._more = False

    def add(self, stored: StoredPage) -> None:
        """Write a page."""
        name = self._folder.find(stored.url)
        assert name is not None  # noqa: S101 - it was expected
        self._folder.write(name, self._content(stored, name))
        self._note_start(stored, name)
        self.count += 1

    def close(self) -> None:
        """Write the front page."""
        # The seeds first; then the first page of each host.
        entries = [entry for _, entry in sorted(self._starts.items())]
        self._folder.write(FRONT, front_page("Mirror", entries, more=self._more))

    def _content(self, stored: StoredPage, name: str) -> bytes:
        local = Local(name, self._find)
        if is_page(stored.content_type, stored.charset):
            if is_too_complex(stored.body):
                return notice(stored.url, stored.title or stored.url, TOO_COMPLEX)
            return offline_page(as_page(stored), local, self._links)
        if stored.content_type == "text/css":
            return offline_sheet(as_page(stored), local, self._links)
        return stored.body

    def _find(self, url: str) -> str | None:
        return self._folder.find(without_login(url))

    def _note_start(self, stored: StoredPage, name: str) -> None:
        host = name.partition("/")[0]
        if not name.endswith(f".{PAGE}") or (stored.depth and f"1{host}" in self._starts):
            return
        if len(self._starts) >= LISTED:
            self._more = True
            return
        key = f"1{host}" if stored.depth else f"0{stored.url}"
        text = f"{stored.title} ({stored.url})" if stored.title else stored.url
        self._starts[key] = (reference(name, FRONT), text)


def _expect_all(folder: Folder, store: StoreReader) -> None:
    for facts in store.pages():
        url, status, kind, charset, *_ = facts
        if status in REDIRECTS:
            leads = redirect_target(url, parse_fields(facts[HEADERS]))
            if leads is not None:
                folder.redirect(url, leads)
        elif status // 100 == 2:
            ending = PAGE if is_page(kind, charset) else ending_of(url, kind)
            folder.expect(url, ending)
    for batch in _batches(facts[0] for facts in store.pages() if facts[2] == SVG):
        for facts, body in store.pages_with_bodies(batch):
            if facts[1] // 100 == 2 and is_inert(body):
                folder.expect(facts[0], "svg")


def _batches(urls: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(urls, 100)):
        yield batch
