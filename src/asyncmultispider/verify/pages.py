"""pages.db, and that it agrees with the ledger: what is done is stored, whole and once."""

from hashlib import sha256
from time import sleep

import zstandard

from asyncmultispider.directory import is_running
from asyncmultispider.model import State
from asyncmultispider.settings import MOST_BODY
from asyncmultispider.verify.books import Books
from asyncmultispider.verify.report import text

LOOKS = 5
"""How often what looks wrong is looked at, while a crawl is running."""
PAUSE = 0.2
"""Seconds between two looks."""
CHUNK = 200
"""Pages whose bodies are read in one go: a longer one would let the write-ahead log grow."""

# For each URL that is done, the row of its page.
MATCH = """
CREATE TEMP TABLE match AS
SELECT u.id AS id, p.rowid AS page FROM main.urls u LEFT JOIN store.pages p ON p.url = u.url
WHERE u.state = 'done'"""
# Pages that are stored though their URL is not done.
STRAY = """
INSERT INTO temp.stray SELECT url FROM store.pages p
WHERE url IS NOT NULL AND NOT EXISTS (SELECT 1 FROM temp.match m WHERE m.page = p.rowid)"""
# The ledger has no index by URL, so it is read once from end to end: hence CROSS JOIN.
KNOWN = """
CREATE TEMP TABLE known AS
SELECT s.rowid AS row, u.state AS state FROM main.urls u CROSS JOIN temp.stray s ON s.url = u.url"""
# Done: the ledger was told meanwhile. Leased: in hand. No page: the try was given up meanwhile.
EXPLAINED = """
DELETE FROM temp.stray
WHERE rowid IN (SELECT row FROM temp.known WHERE state IN ('leased', 'done'))
   OR NOT EXISTS (SELECT 1 FROM store.pages p WHERE p.url = stray.url)"""
UNEXPLAINED = """
SELECT CAST(s.url AS BLOB), CAST(k.state AS BLOB)
FROM temp.stray s LEFT JOIN temp.known k ON k.row = s.rowid"""

WITHOUT_PAGE = """
SELECT CAST(url AS BLOB) FROM main.urls
WHERE id IN (SELECT id FROM temp.match WHERE page IS NULL)"""
PAGES_TWICE = """
SELECT CAST(url AS BLOB), count(*) - 1 AS more FROM store.pages
WHERE url IS NOT NULL GROUP BY url HAVING more > 0"""
DIGESTS = """
INSERT OR IGNORE INTO temp.digests
SELECT digest FROM store.pages WHERE digest IS NOT NULL ORDER BY digest"""
LOOSE_BODIES = """
SELECT lower(hex(digest)) FROM store.bodies b
WHERE NOT EXISTS (SELECT 1 FROM temp.digests d WHERE d.digest = b.digest)"""
LOOSE_ITEMS = """
SELECT CAST(url AS BLOB), count(*) FROM store.items i
WHERE NOT EXISTS (SELECT 1 FROM store.pages p WHERE p.url = i.url) GROUP BY url"""
GAPS = """
SELECT CAST(url AS BLOB) FROM store.items GROUP BY url
HAVING min(n) IS NOT 0 OR max(n) IS NOT count(*) - 1
    OR sum(typeof(n) = 'integer') IS NOT count(*) OR count(DISTINCT n) IS NOT count(*)"""
LOOSE_CANONICALS = """
SELECT CAST(url AS BLOB) FROM store.canonicals c
WHERE NOT EXISTS (SELECT 1 FROM store.pages p WHERE p.url = c.url)"""
LOOSE_MARKS = """
SELECT CAST(url AS BLOB) FROM store.unverified u
WHERE NOT EXISTS (SELECT 1 FROM store.pages p WHERE p.url = u.url)"""
BODIES = """
SELECT p.rowid, CAST(p.url AS BLOB), p.size, CAST(p.digest AS BLOB), CAST(b.encoding AS BLOB),
       CAST(b.body AS BLOB)
FROM store.pages p LEFT JOIN store.bodies b ON b.digest = p.digest
WHERE p.rowid > ? AND p.rowid <= ? ORDER BY p.rowid LIMIT ?"""


def check_pages(books: Books) -> None:
    """That pages.db agrees with the ledger and with itself; the bodies are for `check_bodies`."""
    if not books.attach():  # only now: the crawl may just have begun when the ledger was opened
        done = books.states[State.DONE]
        if done:
            books.findings.add("URLs are done, but there is no pages.db", count=done)
        return
    for message in books.ask("PRAGMA store.integrity_check"):
        if message != ("ok",):
            books.findings.add("pages.db is damaged", message[0])
    books.ask("CREATE TEMP TABLE stray(url TEXT)")
    books.ask("CREATE INDEX temp.stray_url ON stray(url)")
    with books.moment():
        _count(books)
        _match(books)
        _check_rest(books)
        books.counts["in hand"] = _look(books)
    _look_again(books)


def check_bodies(books: Books) -> None:
    """That each page has its body, and that it is the one that was fetched."""
    if not books.has_store:
        return
    last, top = 0, books.ask("SELECT coalesce(max(rowid), 0) FROM store.pages").get
    unpacker = zstandard.ZstdDecompressor()
    while last < top:
        reached = top
        for row, url, *body in books.ask(BODIES, last, top, CHUNK):
            fault = body_fault(unpacker, *body)
            if fault is not None:
                books.findings.add(fault, url)
            reached = row
        last = reached
        books.beat(f"checking bodies: {last} of {top} pages")


def body_fault(
    unpacker: zstandard.ZstdDecompressor,
    size: object,
    digest: bytes | None,
    encoding: bytes | None,
    packed: bytes | None,
) -> str | None:
    """What is wrong with the body of a page that says to have this size and digest."""
    if packed is None:
        return "pages without a body"
    if not (isinstance(size, int) and 0 <= size <= MOST_BODY):
        return "pages whose size makes no sense"
    try:
        body = _unpack(unpacker, size, encoding, packed)
    except (zstandard.ZstdError, ValueError):
        return "bodies that can't be unpacked"
    if len(body) != size:
        return "bodies of another size than their page says"
    if sha256(body).digest() != digest:
        return "bodies that are not what was fetched: their digest differs"
    return None


def _unpack(
    unpacker: zstandard.ZstdDecompressor, size: int, encoding: bytes | None, packed: bytes
) -> bytes:
    if encoding == b"identity":
        return packed
    if encoding != b"zstd":
        raise ValueError("no encoding of ours")
    # What is larger than it should be is not unpacked: it may not fit into memory.
    if zstandard.frame_content_size(packed) > size:
        return b""
    return unpacker.decompress(packed, max_output_size=size, allow_extra_data=False)


def _count(books: Books) -> None:
    for table in ("pages", "bodies", "items"):
        books.counts[table] = books.ask(f"SELECT count(*) FROM store.{table}").get  # noqa: S608


def _match(books: Books) -> None:
    books.ask(MATCH)
    books.ask("CREATE INDEX temp.match_page ON match(page)")
    for (url,) in books.ask(WITHOUT_PAGE):
        books.findings.add("URLs that are done, but have no page", url)
    matched = books.ask("SELECT count(DISTINCT page) FROM temp.match").get
    if matched < books.counts["pages"]:
        books.ask(STRAY)


def _check_rest(books: Books) -> None:
    add, ask = books.findings.add, books.ask
    for url, more in ask(PAGES_TWICE):
        add("URLs with more than one page", url, more)
    nameless = ask("SELECT count(*) FROM store.pages WHERE url IS NULL").get
    if nameless:
        add("pages without a URL", count=nameless)
    ask("CREATE TEMP TABLE digests(digest BLOB PRIMARY KEY) WITHOUT ROWID")
    ask(DIGESTS)
    for (digest,) in ask(LOOSE_BODIES):
        add("bodies that no page has", digest)
    for url, items in ask(LOOSE_ITEMS):
        add("items of a URL that has no page", url, items)
    for (url,) in ask(GAPS):
        add("URLs whose items are not numbered from 0 on", url)
    for (url,) in ask(LOOSE_CANONICALS):
        add("canonical URLs of a URL that has no page", url)
    for (url,) in ask(LOOSE_MARKS):
        add("URLs marked as unverified that have no page", url)


def _look(books: Books) -> int:
    """Forget the strays that have an explanation; how many are in hand."""
    if not books.ask("SELECT count(*) FROM temp.stray").get:
        return 0
    books.ask("DROP TABLE IF EXISTS temp.known")
    books.ask(KNOWN)
    books.ask(EXPLAINED)
    return int(books.ask("SELECT count(*) FROM temp.known WHERE state = 'leased'").get)


def _look_again(books: Books) -> None:
    """A page may have been stored between the two moments, and leased after the first."""
    for _ in range(LOOKS):
        if not books.ask("SELECT count(*) FROM temp.stray").get:
            return
        running = is_running(books.directory)  # asked first: what it did before it ended is seen
        with books.moment():
            _look(books)
        if not running:
            break
        sleep(PAUSE)
    for url, state in books.ask(UNEXPLAINED):
        how = "that are not in the ledger" if state is None else f"that are {text(state)}, not done"
        books.findings.add(f"pages of URLs {how}", url)
