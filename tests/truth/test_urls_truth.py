"""URLs against the web platform tests (https://github.com/web-platform-tests/wpt, url/)."""

import json
from pathlib import Path
from typing import Any

import pytest

from asyncmultispider.urls import canonicalize, encode_href

DATA = Path(__file__).parents[2] / "../shared/data/url"


def cases(name: str) -> list[dict[str, Any]]:
    if not (path := DATA / name).exists():
        pytest.skip(f"the web platform tests' {name} is not here: {path}")
    return [case for case in json.loads(path.read_text()) if isinstance(case, dict)]


def canonical(text: str, base: str | None) -> str | None:
    try:
        return canonicalize(text, base)
    except ValueError:
        return None


def test_canonicalize_is_the_standards_parser() -> None:
    wrong = []
    known = cases("urltestdata.json")
    for case in known:
        url = canonical(case["input"], case["base"])
        wanted = None if case.get("failure") else case["href"].partition("#")[0]
        if url != wanted:
            wrong.append((case["input"], case["base"], wanted, url))
    print(f"urltestdata: {len(known) - len(wrong)}/{len(known)}")
    assert not wrong
    assert len(known) > 800


def test_canonical_urls_are_their_own_canonical_form() -> None:
    for case in cases("urltestdata.json"):
        if (url := canonical(case["input"], case["base"])) is not None:
            assert canonicalize(url) == url


def test_queries_are_in_the_encoding_of_their_page() -> None:
    known = [
        (case["input"], encoding, output)
        for case in cases("percent-encoding.json")
        for encoding, output in case["output"].items()
    ]
    wrong = []
    for text, encoding, wanted in known:
        url = canonicalize(encode_href(f"?{text}#{text}", encoding), "http://example.com/")
        if url != f"http://example.com/?{wanted}":
            wrong.append((text, encoding, wanted, url))
    print(f"percent-encoding: {len(known) - len(wrong)}/{len(known)}")
    assert not wrong
    assert known
