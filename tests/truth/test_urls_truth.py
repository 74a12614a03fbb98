"""URLs against the web platform tests (https://github.com/web-platform-tests/wpt, url/)."""

import json
from pathlib import Path
from typing import Any

import pytest
from scoring import score

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


def as_the_standard(case: dict[str, Any]) -> bool:
    wanted = None if case.get("failure") else case["href"].partition("#")[0]
    return canonical(case["input"], case["base"]) == wanted


def test_canonicalize_is_the_standards_parser() -> None:
    known = cases("urltestdata.json")
    assert not score("WPT urltestdata.json", known, as_the_standard)
    assert len(known) > 800


def test_canonical_urls_are_their_own_canonical_form() -> None:
    urls = {canonical(case["input"], case["base"]) for case in cases("urltestdata.json")} - {None}
    assert not score("WPT urltestdata.json, again", urls, lambda url: canonical(url, None) == url)


def test_queries_are_in_the_encoding_of_their_page() -> None:
    known = [
        (case["input"], encoding, output)
        for case in cases("percent-encoding.json")
        for encoding, output in case["output"].items()
    ]

    def as_in_browsers(case: tuple[str, str, str]) -> bool:
        text, encoding, wanted = case
        url = canonicalize(encode_href(f"?{text}#{text}", encoding), "http://example.com/")
        return url == f"http://example.com/?{wanted}"

    assert not score("WPT percent-encoding.json", known, as_in_browsers)
