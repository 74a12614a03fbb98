"""JSON lines: an object for each page, or for each item."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import DecodeError, Raw, Struct, json

from asyncmultispider.outputs.base import About, Exported, Job
from asyncmultispider.outputs.files import BLOCK, Hashed, write_file
from asyncmultispider.outputs.harmless import harmless
from asyncmultispider.outputs.rows import SOURCE, fields_of, text_and_base64
from asyncmultispider.store.reader import Facts, StoreReader, reading_store


class PageLine(Struct, frozen=True, omit_defaults=True, gc=False):
    """A page. `body` is its text, decoded; what is not text is in `body_base64`.

    `unverified` is there, and true, where the server's certificate was not verified.
    """

    url: str
    status: int
    content_type: str | None
    charset: str | None
    title: str | None
    depth: int
    referrer: str | None
    fetched_at: str
    elapsed_ms: float
    size: int
    headers: Raw
    digest: str
    canonical: str | None
    unverified: bool = False
    body: str | None = None
    body_base64: str | None = None


def write_jsonl(job: Job) -> list[Exported]:
    """Write the items, or the pages where there are none. See `Writer`."""

    def fill(file: Hashed) -> int:
        return export_jsonl(job.pages_db, file, bodies=job.bodies)

    return [write_file(job.target, fill)]


def export_jsonl(pages_db: Path, file: BinaryIO | Hashed, *, bodies: bool = False) -> int:
    """The same into an open file; how many lines there were."""
    with reading_store(pages_db) as store:
        return write_lines(all_lines(store, pages_db, items=store.has_items(), bodies=bodies), file)


def write_lines(lines: Iterator[bytes], file: BinaryIO | Hashed) -> int:
    """Write them in large pieces; how many there were."""
    count, size = 0, 0
    piece: list[bytes] = []
    for line in lines:
        count += 1
        size += len(line)
        piece.append(line)
        if size >= BLOCK:
            file.write(b"".join(piece))
            piece.clear()
            size = 0
    file.write(b"".join(piece))
    return count


def all_lines(
    store: StoreReader,
    path: Path,
    *,
    items: bool,
    bodies: bool,
    urls: Sequence[str] | None = None,
) -> Iterator[bytes]:
    """The lines of all items or pages of the store at `path`, or of those of these URLs."""
    if items:
        for url, data in store.items(urls):
            yield _item_line(url, data, path)
    elif bodies:
        for facts, body in store.pages_with_bodies(urls):
            yield _page_line(facts, *text_and_base64(facts, body))
    else:
        for facts in store.pages(urls):
            yield _page_line(facts)


def read_urls(file: BinaryIO) -> Iterator[About | None]:
    """Of each line the URL it is about, and whether it is an item; None where there is none."""
    for line in file:
        try:
            fields = _FIELDS.decode(line)
            item = SOURCE in fields
            yield json.decode(fields[SOURCE if item else "url"], type=str), item
        except (DecodeError, KeyError, RecursionError, UnicodeDecodeError):
            yield None


def _page_line(facts: Facts, *bodies: str | None) -> bytes:
    *some, headers, digest, canonical, unverified = facts
    values = (*some, Raw(headers.encode()), digest, canonical, bool(unverified), *bodies)
    return harmless(_ENCODER.encode(PageLine(*values))) + b"\n"


def _item_line(url: str, data: str, path: Path) -> bytes:
    whole = isinstance(data, str) and data.startswith("{") and data.endswith("}")
    if not whole or f'"{SOURCE}"' in data:
        fields: dict[str, Raw] = fields_of(data, path)
        fields.pop(SOURCE, None)
        data = _ENCODER.encode(fields).decode()
    source = _ENCODER.encode(url).decode()
    comma = "" if data == "{}" else ","
    return harmless(f'{data[:-1]}{comma}"{SOURCE}":{source}}}'.encode()) + b"\n"


_ENCODER = json.Encoder()
_FIELDS = json.Decoder(dict[str, Raw])  # what is in them need not be what Python can hold
