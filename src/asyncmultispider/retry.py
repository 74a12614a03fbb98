"""Which outcomes are worth another try, and when: `(request, result) -> seconds or None`.

Exponential with jitter. The jitter is drawn from the URL, so the rule stays a pure function.
"""

from datetime import UTC

from xxhash import xxh32_intdigest

from asyncmultispider.model import Failure, Reason, Request, Response, Result

FIRST_DELAY = 1.0
MAX_DELAY = 300.0
MAX_RETRY_AFTER = 3600.0
"""Most seconds of a `Retry-After` that are waited; a site that asks for more is tried then."""
ABSURD = 7 * 86400.0
"""Seconds from which a `Retry-After` is no serious answer: as if none were given."""

SUSPECT = 2
"""Lost tries after which a URL is handed out only while nothing else is."""
POISON = 2
"""Deaths of a process, at work on nothing but one page, after which that is given up."""
HOPELESS = 50
"""Lost tries after which any is given up: then it kills while it is fetched."""

TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses that often pass: RFC 9110, 6585 and 8470, and the 52x of a CDN whose origin failed."""

TRANSIENT_REASONS = frozenset(
    {
        Reason.TIMEOUT,
        Reason.DNS,
        Reason.CONNECT,
        Reason.RESET,
        Reason.PROTOCOL,
        Reason.TRUNCATED,
        Reason.PROXY,
    }
)

STRAIN_STATUS = frozenset({429, 503})
STRAIN_REASONS = frozenset({Reason.TIMEOUT, Reason.DNS, Reason.CONNECT, Reason.RESET})


def is_poison(lost: int, deaths: int) -> bool:
    """Whether what was lost so often is not to be tried again.

    Of the lost tries, `deaths` ended when the page had come and was being parsed or handled, alone;
    the others may have been killed by anybody while they waited for the server.
    """
    return deaths >= POISON or lost >= HOPELESS


def retry_delay(request: Request, result: Result, retries: int) -> float | None:
    """Seconds until the next try of this request, or None when that would be of no use."""
    return backoff(request, result, retries) if _transient(result) else None


def backoff(request: Request, result: Result, retries: int) -> float | None:
    """Seconds until the next try of this request, or None when it has had its tries."""
    heard = request.attempt - request.lost  # what killed a process tells nothing of the server
    if heard > retries:
        return None
    pause = min(FIRST_DELAY * 2.0 ** min(heard - 1, 64), MAX_DELAY)
    jitter = xxh32_intdigest(request.url.encode(), request.attempt) / 2**32
    return max(pause * (0.5 + jitter), retry_after(result))


def shows_strain(result: Result) -> bool:
    """Whether the host should be given a rest."""
    if isinstance(result, Failure):
        return result.reason in STRAIN_REASONS
    return result.status in STRAIN_STATUS


def retry_after(result: Result) -> float:
    """Seconds that a `Retry-After` field asks for, 0 without one (RFC 9110 section 10.2.3)."""
    if isinstance(result, Failure) or result.status not in TRANSIENT_STATUS:
        return 0.0
    seconds = _parse_retry_after(result)
    return 0.0 if seconds >= ABSURD else min(max(0.0, seconds), MAX_RETRY_AFTER)


def _transient(result: Result) -> bool:
    if isinstance(result, Failure):
        return result.reason in TRANSIENT_REASONS
    return result.status in TRANSIENT_STATUS


def _parse_retry_after(response: Response) -> float:
    value = (response.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    if not value:
        return 0.0
    from email.utils import parsedate_to_datetime  # rarely needed, and slow to import

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:  # "-0000": the time is UTC all the same
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - response.at
