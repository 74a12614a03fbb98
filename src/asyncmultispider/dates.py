"""When something was made or changed, as pages, sitemaps and feeds write it."""

import re
from datetime import UTC, datetime

_MONTH_OR_YEAR = re.compile(r"\d{4}(-\d\d)?")


def parse_date(text: str) -> datetime | None:
    """The moment that a W3C date or time (ISO 8601) or an RFC 822 date means; None: no date.

    A date is its first moment, and a W3C time without a zone is in UTC. An RFC 822 date without
    one is none.
    """
    if found := _MONTH_OR_YEAR.fullmatch(text):
        text += "-01" if found[1] else "-01-01"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _parse_mail_date(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_mail_date(text: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # slow to import, and only feeds need it

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" says UTC, and comes back without a zone, as a missing zone does.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC) if "-0000" in text else None
