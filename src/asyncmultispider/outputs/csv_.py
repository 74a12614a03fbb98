"""CSV: RFC 4180 in UTF-8, a header line, `\\n` between rows.

Not the `\\r\\n` of the RFC: all that read CSV take both, and tools of Unix would find the `\\r` in
the last column. Nothing is quoted that need not be, and an empty text is like none. Rows are put
together here: `csv.writer` looks at each character, and takes a millisecond for a page's body.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Raw, json

from asyncmultispider.outputs.base import About, Exported, Job
from asyncmultispider.outputs.files import BLOCK, Hashed, write_file
from asyncmultispider.outputs.harmless import plain
from asyncmultispider.outputs.rows import MOST_COLUMNS, SOURCE, fields_of, text_and_base64, too_many
from asyncmultispider.store.reader import FACTS, Facts, StoreReader, reading_store

BODIES = ("body", "body_base64")
# Where a cell begins so, a spreadsheet runs it: OWASP, "CSV Injection". Numbers are let be.
_FORMULA = re.compile(r"[\s\ufeff]*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r\n]")
_SPECIAL = re.compile('[",\r\n]')
_NUMBER = re.compile(r"[+-]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?%?\Z")


def write_csv(job: Job) -> list[Exported]:
    """Write the items, or the pages where there are none. See `Writer`."""

    def fill(file: Hashed) -> int:
        with reading_store(job.pages_db) as store:
            if store.has_items():
                columns = item_columns(store, job.pages_db)
                return _write([*columns, SOURCE], _items(store, job.pages_db, columns), file)
            if job.bodies:
                return _write([*FACTS, *BODIES], _pages_with_bodies(store), file)
            return _write(FACTS, _pages(store), file)

    return [write_file(job.target, fill)]


def item_columns(store: StoreReader, path: Path) -> list[str]:
    """The fields of all items, in the order in which they appear first.

    Raises `UsageError` for more than `MOST_COLUMNS`.
    """
    found: dict[str, None] = {}
    for _, data in store.items():  # noqa: PERF102 - it is no dict
        found.update(dict.fromkeys(fields_of(data, path)))
        if len(found) > MOST_COLUMNS:
            raise too_many()
    found.pop(SOURCE, None)
    return list(found)


def cell(text: str) -> str:
    """A text as a cell: what would be a formula gets an apostrophe before it.

    See `plain` for what else becomes of it.
    """
    if _FORMULA.match(text) and not _NUMBER.match(text):
        text = f"'{text}"
    return plain(text)


def read_urls(file: BinaryIO) -> Iterator[About | None]:
    """Of each row the URL it is about, and whether it is an item; None where there is none."""
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(line.decode() for line in file)
    head = next(rows, [])
    item = head[-1:] == [SOURCE]
    place = len(head) - 1 if item else 0
    for row in rows:
        url = row[place] if len(row) == len(head) else ""
        yield (url, item) if url else None


def _write(columns: Iterable[str], rows: Iterable[Sequence[str]], file: Hashed) -> int:
    count, size = 0, 0
    lines = [_line([cell(column) for column in columns])]
    for row in rows:
        count += 1
        lines.append(_line(row))
        size += len(lines[-1])
        if size >= BLOCK:
            file.write("".join(lines).encode())
            lines.clear()
            size = 0
    file.write("".join(lines).encode())
    return count


def _line(cells: Sequence[str]) -> str:
    return ",".join(map(_quoted, cells)) + "\n"


def _quoted(text: str) -> str:
    if _SPECIAL.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _pages(store: StoreReader) -> Iterator[Sequence[str]]:
    for facts in store.pages():
        yield _facts(facts)


def _pages_with_bodies(store: StoreReader) -> Iterator[Sequence[str]]:
    for facts, body in store.pages_with_bodies():
        text, base64 = text_and_base64(facts, body)
        yield [*_facts(facts), cell(text or ""), base64 or ""]


def _facts(facts: Facts) -> list[str]:
    *values, unverified = facts
    return [*map(_fact, values), "true" if unverified else "false"]


def _fact(value: object) -> str:
    if isinstance(value, str):
        return cell(value)
    return "" if value is None else str(value)


def _items(store: StoreReader, path: Path, columns: Sequence[str]) -> Iterator[Sequence[str]]:
    for url, data in store.items():
        fields = fields_of(data, path)
        yield [*(_value(fields.get(column)) for column in columns), cell(url)]


def _value(raw: Raw | None) -> str:
    """A field of an item: text decoded, numbers and nested values as they stand in JSON."""
    text = b"null" if raw is None else bytes(raw)
    if text[:1] == b'"':
        return cell(json.decode(text, type=str))
    return "" if text == b"null" else plain(text.decode())
