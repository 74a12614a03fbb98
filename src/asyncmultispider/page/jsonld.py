"""JSON-LD in a document: bounded, and nothing but what JSON has."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from turbohtml import Document

LARGEST = 1_000_000
"""Characters of one script that are read."""
MOST_CHARACTERS = 4_000_000
"""Characters of all scripts of a page."""
DEEPEST = 64
"""Levels of nesting: others who get these values recurse over them."""
MOST = 1000
"""Objects of a page."""
JsonObject = dict[str, Any]


def json_ld(document: Document) -> list[JsonObject]:
    """The objects that a document describes itself with; those of a list each for itself.

    What is no JSON is left out, as is what is too long or too deep. Source:
    https://www.w3.org/TR/json-ld11/#embedding-json-ld-in-html-documents
    """
    found: list[JsonObject] = []
    room = MOST_CHARACTERS
    for script in document.iter_elements("script"):
        if (script.attr("type") or "").partition(";")[0].strip().lower() != "application/ld+json":
            continue
        text = script.text
        room -= len(text)
        if room < 0:
            break
        value = _decode(text) if len(text) <= LARGEST else None
        found += [
            it for it in (value if isinstance(value, list) else [value]) if isinstance(it, dict)
        ]
    return found[:MOST]


def values_of(objects: list[JsonObject], name: str) -> Iterator[Any]:
    """The values of a property: those of the objects themselves, then of those within them."""
    for level in _levels(objects):
        yield from (it[name] for it in level if isinstance(it, dict) and name in it)


def _levels(value: list[Any]) -> Iterator[list[Any]]:
    """What is in a list, what is in that, and so on: objects and lists."""
    level: list[Any] = [value]
    while level:
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        yield level


def _decode(text: str) -> Any:
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        value = _decode_loosely(text)
    return None if _is_deep(value) else value


def _decode_loosely(text: str) -> Any:
    """Many have line ends in their strings. NaN and Infinity, which are no JSON, become None."""
    try:
        value = json.loads(text, strict=False)
        return msgspec.json.decode(msgspec.json.encode(value))
    except (ValueError, RecursionError):
        return None


def _is_deep(value: Any) -> bool:
    return any(islice(_levels([value]), DEEPEST, DEEPEST + 1))
