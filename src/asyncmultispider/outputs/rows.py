"""What a row is, in the formats of rows: a page, or an item of one."""

from base64 import b64encode
from pathlib import Path

from msgspec import MsgspecError, Raw, json

from asyncmultispider.errors import DamageError, UsageError
from asyncmultispider.page.content import decode_text
from asyncmultispider.store.reader import FACTS, Facts

SOURCE = "_url"
"""The column of an item that says which page it came from. A field of that name gives way."""
MOST_COLUMNS = 16_384
"""What spreadsheets hold; whoever has more uses the keys of an object for data."""
CONTENT_TYPE, CHARSET = FACTS.index("content_type"), FACTS.index("charset")


def is_text(facts: Facts) -> bool:
    """Whether a page's body can be read as text."""
    return bool(facts[CHARSET]) or (facts[CONTENT_TYPE] or "").startswith("text/")


def text_of(facts: Facts, body: bytes) -> str:
    """A page's body, decoded."""
    return decode_text(body, facts[CHARSET])[0]


def text_and_base64(facts: Facts, body: bytes) -> tuple[str | None, str | None]:
    """A page's body as its two columns: decoded, or in base64 where it is no text."""
    if is_text(facts):
        return text_of(facts, body), None
    return None, b64encode(body).decode()


def fields_of(data: str, path: Path) -> dict[str, Raw]:
    """The fields of an item, each as JSON. Raises `DamageError` when it is no object."""
    try:
        return _FIELDS.decode(data)
    except (MsgspecError, RecursionError, TypeError):
        raise _damaged(data, path) from None


def too_many() -> UsageError:
    """What to say of items with more than `MOST_COLUMNS` fields."""
    return UsageError(
        f"items have more than {MOST_COLUMNS} different fields: too many for columns; use .jsonl"
    )


def _damaged(data: str, path: Path) -> DamageError:
    return DamageError(f"{str(path)!r} is damaged: an item is no JSON object: {str(data)[:100]!r}")


# Each value as it stands: there are numbers that Python can't hold.
_FIELDS = json.Decoder(dict[str, Raw])
