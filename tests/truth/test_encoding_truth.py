"""The charset of a page against html5lib's encoding tests (https://github.com/html5lib/html5lib-tests)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncmultispider.model import Request
from asyncmultispider.page import Page
from asyncmultispider.testing import reply

DATA = Path(__file__).parents[2] / "../shared/data/html/encoding"
FILES = ["tests1.dat", "tests2.dat", "test-yahoo-jp.dat"]


def cases(name: str) -> Iterator[tuple[bytes, str]]:
    if not (path := DATA / name).exists():
        pytest.skip(f"html5lib's {name} is not here: {path}")
    for block in (b"\n" + path.read_bytes()).split(b"\n#data\n")[1:]:
        data, _, encoding = block.partition(b"\n#encoding\n")
        yield data, encoding.split()[0].decode().lower()


@pytest.mark.parametrize("name", FILES)
def test_charset_is_what_the_prescan_finds(name: str) -> None:
    wrong = []
    known = list(cases(name))
    for data, wanted in known:
        request = Request(id=1, url="http://a.example/", host="a.example")
        found = Page(request, reply(data, content_type="text/html")).charset
        if found != wanted:
            wrong.append((data, wanted, found))
    print(f"{name}: {len(known) - len(wrong)}/{len(known)}")
    assert not wrong
    assert known
