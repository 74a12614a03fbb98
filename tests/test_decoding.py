"""Content codings are undone within bounds."""

import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.fetch import decoding
from asyncmultispider.fetch.decoding import DecodeError, codings_of, decode
from asyncmultispider.model import Reason

TEXT = b"<p>What is said in a page is said again. " * 500
MOST = 64 * 2**20


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


def refusal(body: bytes, *codings: str, most: int = MOST) -> Reason:
    with pytest.raises(DecodeError) as caught:
        decode(body, list(codings), most)
    return caught.value.reason


@pytest.mark.parametrize("coding", PACKERS)
def test_each_coding(coding: str) -> None:
    packed = PACKERS[coding](TEXT)
    assert decode(packed, [coding], MOST) == TEXT
    assert decode(packed, [coding], len(TEXT)) == TEXT
    assert decode(b"", [coding], MOST) == b""


@pytest.mark.parametrize("coding", PACKERS)
def test_a_body_that_becomes_too_large(coding: str) -> None:
    packed = PACKERS[coding](TEXT)
    assert refusal(packed, coding, most=len(TEXT) - 1) is Reason.TOO_LARGE
    assert decode(packed, [coding], 100, cut=True) == TEXT[:100]


@pytest.mark.parametrize("coding", PACKERS)
def test_a_body_that_ends_early(coding: str) -> None:
    packed = PACKERS[coding](TEXT)
    for length in range(2, len(packed)):
        assert refusal(packed[:length], coding) is Reason.TRUNCATED
    assert TEXT.startswith(decode(packed[:-1], [coding], MOST, cut=True))


@pytest.mark.parametrize("coding", PACKERS)
def test_what_is_of_another_coding(coding: str) -> None:
    assert refusal(TEXT, coding) is Reason.BAD_ENCODING


def test_servers_that_send_bare_deflate() -> None:
    assert decode(bare_deflate(TEXT), ["deflate"], MOST) == TEXT


def test_codings_one_upon_the_other() -> None:
    twice = gzip.compress(brotli.compress(TEXT))
    assert decode(twice, ["br", "gzip"], MOST) == TEXT
    assert refusal(twice, "br", "gzip", "gzip") is Reason.BAD_ENCODING
    assert refusal(TEXT, "rot13") is Reason.BAD_ENCODING


def test_members_of_gzip(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decode(gzip.compress(TEXT) * 3, ["gzip"], MOST) == TEXT * 3
    assert decode(gzip.compress(TEXT) + b"\0" * 9, ["gzip"], MOST) == TEXT, "padded"
    monkeypatch.setattr(decoding, "MAX_MEMBERS", 50)
    assert decode(gzip.compress(b"x") * 50, ["gzip"], MOST) == b"x" * 50
    assert refusal(gzip.compress(b"x") * 51, "gzip") is Reason.BAD_ENCODING


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_no_bomb_goes_off(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "HARMLESS", 100_000)
    bomb = PACKERS[coding](bytes(10_000_000))
    assert len(bomb) * decoding.MAX_RATIO < 10_000_000
    assert refusal(bomb, coding) is Reason.TOO_LARGE
    assert refusal(gzip.compress(bomb), coding, "gzip") is Reason.TOO_LARGE
    assert decode(PACKERS[coding](bytes(90_000)), [coding], MOST) == bytes(90_000)


def test_names_of_codings() -> None:
    fields = (("content-encoding", "GZIP , br"), ("x", "y"), ("content-encoding", "identity,"))
    assert codings_of(fields) == ["gzip", "br"]


@given(st.binary(), st.lists(st.sampled_from(list(PACKERS)), max_size=3), st.booleans())
def test_no_bytes_break_it(body: bytes, codings: list[str], cut: bool) -> None:
    try:
        size = len(decode(body, codings, 1000, cut=cut))
    except DecodeError:
        return
    assert size <= 1000 or not codings


@given(st.binary(max_size=2000), st.lists(st.sampled_from(list(PACKERS)), max_size=2))
def test_what_is_packed_comes_back(body: bytes, codings: list[str]) -> None:
    packed = body
    for coding in codings:
        packed = PACKERS[coding](packed)
    assert decode(packed, codings, MOST) == body
