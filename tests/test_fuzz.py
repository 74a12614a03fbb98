"""The properties of `fuzzing`, for inputs made of pieces, and for what was found to break them."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmarks.fuzz import caught, main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncmultispider.engines.wire import Report, Work
from asyncmultispider.fetch.headers import parse_headers
from asyncmultispider.links import LinkFilter
from asyncmultispider.page import Page
from fuzzing import (
    SCOPES_BY_NAME,
    SEPARATOR,
    TARGETS,
    Target,
    attempt,
    fields,
    framed,
    received,
    request,
    response,
)

ROOT = Path(__file__).parents[1]
TWO_BYTES = "\u0301\u0316".encode()


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """What the target's inputs are made of, in any order, with a little of anything between."""
    piece = st.sampled_from(target.pieces) | st.binary(max_size=4)
    again = st.builds(lambda part, times: part * times, piece, st.integers(2, 300))
    return st.lists(piece | again, max_size=20).map(b"".join).map(lambda body: target.head + body)


@pytest.mark.parametrize("name", TARGETS)
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_must_hold(name: str, data: st.DataObject) -> None:
    attempt(TARGETS[name], data.draw(inputs(TARGETS[name])))


@pytest.mark.parametrize("name", TARGETS)
def test_what_must_hold_of_the_examples(name: str) -> None:
    for example in TARGETS[name].examples():
        attempt(TARGETS[name], example)


FOUND = {
    "digits that end otherwise": (
        "robots",
        b"x\x1e*\x1eUser-agent: *\n" + (b"crawl-delay: " + b"1" * 16000 + b"x\n") * 4,
    ),
    "accents in a sitemap's host": (
        "robots",
        b"x\x1e*\x1e" + b"".join(b"sitemap: http://%d" % n + TWO_BYTES * 4000 for n in range(8)),
    ),
    "accents in a host": ("urls", b"\x1e\x1ehttp://a" + TWO_BYTES * 15000),
    "accents in a host in pieces": ("urls", b"http://b/\x1e\x1e\n/\n/a" + TWO_BYTES * 15000),
    "accents in a host in escapes": ("urls", b"http://b/\x1e\x1e//a" + b"%CC%81%CC%96" * 4000),
    "a user before a name that is no Punycode": ("urls", b"\x1e\x1ehttp://\x01@xn--"),
    "a mark within a page": ("judge", b"\x32\0\0\0\x1ehttp://a/\x1e\x1e<p>\xef\xbb\xbf caf\xe9"),
    "a blank before a fragment": ("pages", b"text/html\x1e<a href='x \x1f#y'>"),
    "UTF-8 that ends like a blank": ("headers", "location: /voilà".encode()),
    "not UTF-8 in a message": ("wire", b"\x95\x91\x01\x90\x01\x02\xa7troubl\x88"),
    "a message that is too deep": ("wire", b"\x96\x90\x90\x00\xc0\xc0" + b"\x91" * 60000),
    "names without values": ("sitemaps", b"\x1e<urlset>" + (b"<url " + b"a" * 9990 + b"/>") * 6),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_once_did_not_hold(name: str) -> None:
    target, data = FOUND[name]
    attempt(TARGETS[target], data)


# What the properties do not say of these


def page(body: bytes) -> Page:
    return Page(request(), response(body, "text/html"), "ours")


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark_within_a_page_says_nothing_of_it(mark: bytes) -> None:
    it = page(b"<a href=x>caf" + mark + b" \xe9t\xe9</a><a href=y>")
    assert it.links == ["http://a.example/dir/x", "http://a.example/dir/y"]
    assert it.charset is not None
    assert it.charset.startswith("windows-")


def test_a_blank_before_a_fragment_is_part_of_the_path() -> None:
    it = page(b"<a href='x #y'><a href='z#y'>")
    links = LinkFilter(SCOPES_BY_NAME[0]).fresh(it)
    assert [link.url for link in links] == it.links
    assert it.links == ["http://a.example/dir/x%20", "http://a.example/dir/z"]


def test_a_field_keeps_its_last_byte() -> None:
    assert parse_headers([b"A: /voil\xc3\xa0 \r\n"]) == (("a", "/voil\xc3\xa0"),)


def test_thousands_of_folds_are_one_value() -> None:
    headers = parse_headers([b"a: b\r\n", *[b" c\r\n"] * 50_000, b"d: e\r\n"])
    assert headers == (("a", "b" + " c" * 50_000), ("d", "e"))


@pytest.mark.parametrize("garbage", [b"\xc1", b"\x95\x91\x01\x90\x01\x02\xa7troubl\x88", b"\x80"])
@pytest.mark.parametrize("kind", [Work, Report])
def test_one_who_speaks_another_language_is_gone(kind: type, garbage: bytes) -> None:
    assert received(framed(garbage), kind) == []


def test_arguments_are_taken_apart() -> None:
    assert fields(b"a\x1eb\x1ec", 2) == [b"a", b"b\x1ec"]
    assert fields(b"a", 3) == [b"a", b"", b""]
    assert SEPARATOR == b"\x1e"


# The command


def test_an_input_that_breaks_a_property_is_kept_once(tmp_path: Path) -> None:
    def check(data: bytes) -> None:
        assert len(data) != 3

    one = caught(Target("x", check, ()), tmp_path)
    for data in (b"a", b"abc", b"abcd", b"xyz"):
        one(data)
    kept = sorted(tmp_path.iterdir())
    assert [path.suffix for path in kept] == ["", ".txt"]
    assert kept[0].read_bytes() == b"abc"
    assert "AssertionError" in kept[1].read_text()


def test_an_input_is_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "it").write_bytes(b"\x1b[31m")
    assert main(["--target", "text", "--replay", str(tmp_path / "it")]) == 0
    assert capsys.readouterr().out == "it holds\n"


@pytest.mark.skipif(find_spec("atheris") is not None, reason="atheris is here")
def test_without_atheris_it_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "asyncmultispider[fuzz]" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("atheris") is None, reason="needs atheris: the extra `fuzz`")
def test_it_tells_what_it_tried(tmp_path: Path) -> None:
    options = ["--minutes", "0.05", "--target", "text", "--json", "--crashes", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks.fuzz", *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=True)
    (found,) = json.loads(ended.stdout)["targets"]
    assert found["target"] == "text"
    assert found["executions"] > 10
    assert found["crashes"] == []
