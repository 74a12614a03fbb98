"""Which outcomes are tried again, and when."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.model import Reason, Request, Response
from asyncmultispider.retry import (
    FIRST_DELAY,
    MAX_DELAY,
    MAX_RETRY_AFTER,
    retry_after,
    retry_delay,
    shows_strain,
)
from asyncmultispider.testing import reply, trouble

PASSING = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524]
FINAL = [400, 401, 403, 404, 405, 410, 418, 451, 501, 505]
PASSING_REASONS = {
    Reason.TIMEOUT,
    Reason.DNS,
    Reason.CONNECT,
    Reason.RESET,
    Reason.PROTOCOL,
    Reason.TRUNCATED,
    Reason.PROXY,
}
STRAIN_REASONS = {Reason.TIMEOUT, Reason.DNS, Reason.CONNECT, Reason.RESET}


def request(attempt: int = 1, url: str = "http://a.example/") -> Request:
    return Request(id=1, url=url, host="a.example", attempt=attempt)


def answer(status: int, retry_after: str | None = None, at: float = 0.0) -> Response:
    headers = () if retry_after is None else (("retry-after", retry_after),)
    return Response(status=status, headers=headers, body=b"", at=at, elapsed=0.0)


@pytest.mark.parametrize("status", PASSING)
def test_statuses_that_pass_are_tried_again(status: int) -> None:
    assert retry_delay(request(), reply("", status=status), 3) is not None


def test_a_lost_try_is_no_try_of_the_server() -> None:
    asked = Request(id=1, url="http://a.example/", host="a.example", attempt=5, lost=4)
    first = retry_delay(asked, trouble(Reason.RESET), 1)
    assert first is not None
    assert 0.5 * FIRST_DELAY <= first <= 1.5 * FIRST_DELAY
    assert retry_delay(asked, trouble(Reason.RESET), 0) is None


@pytest.mark.parametrize("status", FINAL)
def test_other_statuses_are_final(status: int) -> None:
    assert retry_delay(request(), reply("", status=status), 3) is None


@pytest.mark.parametrize("reason", list(Reason))
def test_troubles_that_pass_are_tried_again(reason: Reason) -> None:
    again = retry_delay(request(), trouble(reason), 3) is not None
    assert again == (reason in PASSING_REASONS)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_there_are_as_many_retries_as_asked_for(retries: int) -> None:
    last = retries + 1
    for attempt in range(1, last):
        assert retry_delay(request(attempt), answer(503), retries) is not None
    assert retry_delay(request(last), answer(503), retries) is None


@given(st.integers(1, 40), st.text(min_size=1).map(lambda text: f"http://a.example/{text!r}"))
def test_the_delay_doubles_with_jitter_up_to_a_bound(attempt: int, url: str) -> None:
    delay = retry_delay(request(attempt, url), trouble(Reason.RESET), 50)
    backoff = min(FIRST_DELAY * 2 ** (attempt - 1), MAX_DELAY)
    assert delay is not None
    assert 0.5 * backoff <= delay <= 1.5 * backoff


def test_the_jitter_is_the_urls_own() -> None:
    delays = {
        retry_delay(request(1, f"http://a.example/{n}"), trouble(Reason.RESET), 3)
        for n in range(500)
    }
    assert len(delays) > 490
    assert min(delays) < 0.6 * FIRST_DELAY
    assert max(delays) > 1.4 * FIRST_DELAY
    one = [retry_delay(request(2), trouble(Reason.RESET), 3) for _ in range(5)]
    assert len(set(one)) == 1


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("١٢", 0),  # digits, but not ASCII
        ("Fri, 31 Dec 9999 23:59:59 GMT", 0),
        ("86400", MAX_RETRY_AFTER),
        ("99999999999999999999", 0),  # nobody means that
        ("9" * 5000, 0),
        ("Thu, 01 Jan 1970 00:03:20 GMT", 100),
        ("Thu, 01 Jan 1970 00:03:20 -0000", 100),
        ("Thursday, 01-Jan-70 00:03:20 GMT", 100),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        ("Thu, 99 Jan 1970 00:00:10 GMT", 0),
        ("Thu, 01 Jan 99999 00:00:10 GMT", 0),
    ],
)
def test_retry_after_in_both_forms(field: str, seconds: float) -> None:
    assert retry_after(answer(503, field, at=100.0)) == seconds


@given(st.integers(-10_000, 10_000))
def test_a_date_is_so_many_seconds_away(seconds: int) -> None:
    now = 1_750_000_000
    field = format_datetime(datetime.fromtimestamp(now + seconds, UTC), usegmt=True)
    assert retry_after(answer(429, field, at=now)) == min(max(0, seconds), MAX_RETRY_AFTER)


@given(st.text())
def test_no_field_breaks_it(field: str) -> None:
    assert 0 <= retry_after(answer(503, field)) <= MAX_RETRY_AFTER


@pytest.mark.parametrize("status", [429, 503, 500])
def test_the_retry_waits_as_long_as_it_is_asked_to(status: int) -> None:
    assert retry_delay(request(), answer(status, "60"), 3) == 60
    short = retry_delay(request(4), answer(status, "1"), 5)
    assert short is not None
    assert short >= 4, "the backoff is the longer one"


def test_retry_after_counts_only_where_there_is_a_retry() -> None:
    assert retry_after(answer(200, "60")) == 0
    assert retry_after(answer(404, "60")) == 0
    assert retry_after(answer(301, "60")) == 0
    assert retry_after(trouble(Reason.TIMEOUT)) == 0


@pytest.mark.parametrize("status", [*PASSING, *FINAL, 200, 301])
def test_which_statuses_show_strain(status: int) -> None:
    assert shows_strain(answer(status)) == (status in (429, 503))


@pytest.mark.parametrize("reason", list(Reason))
def test_which_troubles_show_strain(reason: Reason) -> None:
    assert shows_strain(trouble(reason)) == (reason in STRAIN_REASONS)
