"""A host's pace."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.politeness import (
    FIRST_BACKOFF,
    MAX_BACKOFF,
    MAX_CRAWL_DELAY,
    MAX_RESPONSE_WAIT,
    STRIKES,
    Manners,
    Pace,
)
from asyncmultispider.settings import Settings


def pace(slots: int = 2, delay: float = 0.0, factor: float = 0.0) -> Pace:
    return Pace(Manners(slots=slots, delay=delay, factor=factor))


def strained(times: int, **manners: float) -> tuple[Pace, float]:
    """A pace after so many transfers, one after the other, that showed strain; and the time."""
    strained, now = pace(**manners), 100.0
    for _ in range(times):
        strained.start(now)
        strained.finish(now, 0.0, overloaded=True)
        now = strained.next_at
    return strained, now


def test_manners_are_those_of_the_settings() -> None:
    settings = Settings(seeds=("http://a.example/",), per_host=7, delay=1.5, delay_factor=0.5)
    assert Manners.of(settings) == Manners(slots=7, delay=1.5, factor=0.5)


def test_a_new_host_may_be_visited_at_once() -> None:
    fresh = pace()
    assert fresh.free
    assert fresh.next_at <= 0
    assert not fresh.gone


def test_slots_are_taken_and_given_back() -> None:
    two = pace(slots=2)
    two.start(1.0)
    assert two.free
    two.start(1.0)
    assert not two.free
    two.finish(2.0, 1.0)
    assert two.free
    assert two.in_flight == 1


def test_delay_counts_from_the_start() -> None:
    slow = pace(delay=5)
    slow.start(100.0)
    assert slow.next_at == 105
    slow.finish(101.0, 1.0)
    assert slow.next_at == 105


def test_the_factor_counts_from_the_end() -> None:
    rest = pace(factor=2.0)
    rest.start(100.0)
    assert rest.next_at == 100
    rest.finish(103.0, 3.0)
    assert rest.next_at == 109


def test_the_longer_of_delay_and_factor_counts() -> None:
    both = pace(delay=5, factor=1.0)
    both.start(100.0)
    both.finish(110.0, 10.0)
    assert both.next_at == 120


def test_a_quick_answer_does_not_shorten_the_rest_after_a_slow_one() -> None:
    rest = pace(factor=1.0)
    rest.start(100.0)
    rest.start(100.0)
    rest.finish(110.0, 10.0)
    rest.finish(110.5, 0.5)
    assert rest.next_at == 120


def test_the_rest_after_a_slow_answer_is_bounded() -> None:
    rest = pace(factor=1.0)
    rest.start(0.0)
    rest.finish(1000.0, 1000.0)
    assert rest.next_at == 1000 + MAX_RESPONSE_WAIT


def test_crawl_delay_counts_at_once_and_up_to_a_bound() -> None:
    asked = pace(delay=1)
    asked.start(100.0)
    asked.finish(100.5, 0.5)
    asked.ask_for(10)
    assert asked.next_at == 110
    assert asked.gap == 10
    asked.ask_for(86_400)
    assert asked.gap == MAX_CRAWL_DELAY
    asked.ask_for(None)
    assert asked.gap == 1


def test_a_crawl_delay_below_the_delay_changes_nothing() -> None:
    asked = pace(delay=5)
    asked.ask_for(2)
    assert asked.gap == 5


def test_strain_leaves_one_slot_and_a_rest_that_doubles() -> None:
    waits = []
    tired, now = pace(slots=4), 100.0
    for _ in range(4):
        assert tired.free
        tired.start(now)
        tired.finish(now, 0.0, overloaded=True)
        waits.append(tired.next_at - now)
        now = tired.next_at
    assert waits == [FIRST_BACKOFF * 2**n for n in range(4)]
    tired.start(now)
    assert not tired.free


def test_the_rest_is_bounded() -> None:
    tired, now = strained(30)
    tired.start(now)
    tired.finish(now, 0.0, overloaded=True)
    assert tired.next_at - now == MAX_BACKOFF


def test_the_host_gets_the_rest_that_it_asks_for() -> None:
    asked = pace()
    asked.start(100.0)
    asked.finish(101.0, 1.0, overloaded=True, wait=900.0)
    assert asked.next_at == 1001


def test_a_host_that_asks_for_rest_without_strain_gets_it_and_keeps_its_slots() -> None:
    asked = pace(slots=2)
    asked.start(100.0)
    asked.finish(101.0, 1.0, wait=60.0)
    assert (asked.next_at, asked.strikes, asked.gap) == (161, 0, 0)
    asked.start(161.0)
    assert asked.free


def test_the_longer_of_a_rest_asked_for_and_a_slow_answer_counts() -> None:
    slow = pace(factor=1.0)
    slow.start(100.0)
    slow.finish(120.0, 20.0, wait=5.0)
    assert slow.next_at == 140


def test_transfers_that_fail_together_count_once() -> None:
    burst = pace(slots=4)
    for _ in range(4):
        burst.start(100.0)
    for n in range(4):
        burst.finish(101.0 + n, 1.0 + n, overloaded=True)
    assert burst.strikes == 1
    assert burst.gap == FIRST_BACKOFF
    assert burst.next_at == 104 + FIRST_BACKOFF
    burst.start(110.0)
    burst.finish(111.0, 1.0, overloaded=True)
    assert burst.strikes == 2
    assert burst.gap == 2 * FIRST_BACKOFF


def test_it_recovers_step_by_step() -> None:
    tired, now = strained(4)
    gaps = []
    while tired.gap:
        gaps.append(tired.gap)
        tired.start(now)
        assert not tired.free
        tired.finish(now, 0.0)
        now = max(now, tired.next_at)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] == 8 * FIRST_BACKOFF
    assert 3 <= len(gaps) <= 6
    tired.start(now)
    assert tired.free, "all slots are there again"


def test_a_host_is_gone_after_so_many_strikes_in_a_row() -> None:
    assert not strained(STRIKES - 1)[0].gone
    assert strained(STRIKES)[0].gone


def test_one_success_forgives_all_strikes() -> None:
    tired, now = strained(STRIKES - 1)
    tired.start(now)
    tired.finish(now, 0.0)
    assert tired.strikes == 0
    tired.start(now)
    tired.finish(now, 0.0, overloaded=True)
    assert not tired.gone


@given(
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5, 3.0]),
    st.sampled_from([0.0, 1.0]),
    st.lists(
        st.tuples(st.sampled_from(["start", "fine", "strain", "asked"]), st.floats(0, 100)),
        max_size=60,
    ),
)
def test_no_start_is_too_early_and_no_slot_too_many(slots, delay, factor, events) -> None:
    host, now, starts = pace(slots, delay, factor), 0.0, []
    for event, seconds in events:
        now += seconds
        if event == "start" and host.free and host.next_at <= now:
            host.start(now)
            starts.append(now)
        elif event == "asked":
            host.ask_for(seconds)
        elif event in ("fine", "strain") and host.in_flight:
            before = host.next_at
            host.finish(now, min(seconds, now), overloaded=event == "strain")
            assert host.next_at >= before
        assert 0 <= host.in_flight <= slots
        assert host.next_at < now + MAX_BACKOFF + 1
    assert all(later - earlier >= delay for earlier, later in pairwise(starts))


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_without_manners_a_host_may_be_visited_at_any_time(factor: float) -> None:
    free = pace(slots=64, factor=factor)
    for n in range(64):
        assert free.free
        assert free.next_at <= n
        free.start(float(n))
