"""The exact set of known URLs."""

import tracemalloc
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.frontier.known import BUCKET, KnownUrls

marks = st.integers(0, 2**64 - 1)
crowded = st.one_of(st.integers(0, 50), st.integers(2**64 - 50, 2**64 - 1), marks)


@given(st.lists(crowded))
def test_it_is_a_set(fingerprints: list[int]) -> None:
    known, model = KnownUrls(), set()
    for fingerprint in fingerprints:
        assert known.add(fingerprint) == (fingerprint not in model)
        model.add(fingerprint)
        assert fingerprint in known
    assert len(known) == len(model)
    assert all((neighbour in known) == (neighbour in model) for neighbour in range(60))


@given(st.lists(marks), st.lists(marks))
def test_it_can_be_made_of_what_there_is(first: list[int], second: list[int]) -> None:
    known = KnownUrls(iter(first + first))
    assert len(known) == len(set(first))
    assert all(fingerprint in known for fingerprint in first)
    assert all((fingerprint in known) == (fingerprint in first) for fingerprint in second)


def test_it_stays_right_through_many_splits() -> None:
    draw = Random(1)
    model = {draw.getrandbits(64) for _ in range(40 * BUCKET)}
    known = KnownUrls(model)
    assert len(known) == len(model)
    assert all(fingerprint in known for fingerprint in model)
    assert not any(known.add(fingerprint) for fingerprint in model)
    others = [draw.getrandbits(64) for _ in range(10_000)]
    assert [other in known for other in others] == [other in model for other in others]


def test_it_stays_right_when_all_fall_into_one_bucket() -> None:
    known = KnownUrls(range(20 * BUCKET))
    assert len(known) == 20 * BUCKET
    assert all(fingerprint in known for fingerprint in range(20 * BUCKET))
    assert 20 * BUCKET not in known
    assert 2**64 - 1 not in known


def test_it_takes_about_nine_bytes_for_each() -> None:
    draw = Random(2)
    tracemalloc.start()
    known = KnownUrls(draw.getrandbits(64) for _ in range(100_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / len(known) < 12
