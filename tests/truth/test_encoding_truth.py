"""The charset of a page against html5lib's encoding tests (https://github.com/html5lib/html5lib-tests)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scoring import score

from asyncmultispider.model import Request
from asyncmultispider.page import Page
from asyncmultispider.testing import reply

DATA = Path(__file__).parents[2] / "../shared/data/html/encoding"
FILES = ["tests1.dat", "tests2.dat", "test-yahoo-jp.dat"]


def read(name: str) -> bytes:
    if not (path := DATA / name).exists():
        pytest.skip(f"html5lib's {name} is not here: {path}")
    return path.read_bytes()


def cases(name: str) -> Iterator[tuple[bytes, str]]:
    for block in (b"\n" + read(name)).split(b"\n#data\n")[1:]:
        data, _, encoding = block.partition(b"\n#encoding\n")
        yield data, encoding.split()[0].decode().lower()


def charset(body: bytes) -> str | None:
    request = Request(id=1, url="http://a.example/", host="a.example")
    return Page(request, reply(body, content_type="text/html")).charset


@pytest.mark.parametrize("name", FILES)
def test_charset_is_what_the_prescan_finds(name: str) -> None:
    assert not score(
        "html5lib encoding", cases(name), lambda case: charset(case[0]) == case[1], name
    )


def test_charset_is_guessed_where_nothing_tells_it() -> None:
    name = "chardet/test_big5.txt"
    known = [(read(name), "big5")]
    assert not score("html5lib encoding", known, lambda case: charset(case[0]) == case[1], name)
