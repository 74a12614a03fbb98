"""Rows of a ledger as JSON."""

import json
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from asyncmultispider.frontier.reader import Entry
from asyncmultispider.outputs.base import Exported
from asyncmultispider.text import one_line, size


def as_line(entry: Entry, referrer: str | None) -> dict[str, Any]:
    """What is told of a row: names instead of numbers, instants as ISO 8601."""
    line = structs.asdict(entry)
    del line["id"], line["due"]
    return line | {"at": iso(entry.at), "referrer": referrer}


def as_sentence(output: Exported) -> str:
    """What was written, for people."""
    return f"{output.lines} records ({size(output.bytes)}) in {one_line(output.path)}"


def iso(at: float | None) -> str | None:
    """A Unix time as ISO 8601, in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def ascii_json(value: object) -> str:
    """JSON on one line, for programs; a terminal that gets it takes no harm."""
    return json.dumps(value)
