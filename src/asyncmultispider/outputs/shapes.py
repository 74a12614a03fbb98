"""What the values of a column have in common, found by looking at all of them."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import MsgspecError, Raw, Struct, json

MOST_FIELDS = 200
"""Fields of an object within an item; one with more uses its keys for data."""
DEEPEST = 16
"""Objects and lists within each other."""
EXACT = 2**53
"""Whole numbers up to here are the same as floating point numbers."""
INT64 = range(-(2**63), 2**63)

Convert = Callable[[Any], Any]


class Odd(Struct, frozen=True):
    """JSON that Python can't hold: a number that is too large, or too much nesting."""

    text: str


def value_of(raw: Raw) -> Any:
    """A field of an item."""
    try:
        return json.decode(raw)
    except (MsgspecError, RecursionError):
        return Odd(bytes(raw).decode())


class Room:
    """How many fields there may be in all columns together: pages may decide on their names."""

    def __init__(self, fields: int) -> None:
        self._left = fields

    def take(self) -> bool:
        """Make room for one more; whether there was any."""
        self._left -= 1
        return self._left >= 0


class Shape:
    """Of the values of a column: their `kinds`, the range of integers, and what is within them.

    `kinds` are Python's types. With `text` they have too little in common, or are too many.
    """

    __slots__ = ("_depth", "_high", "_low", "_room", "element", "fields", "kinds", "text")

    def __init__(self, room: Room, depth: int = 0) -> None:
        self.kinds: set[type] = set()
        self.fields: dict[str, Shape] = {}
        self.element: Shape | None = None
        self.text = depth > DEEPEST
        self._room = room
        self._depth = depth
        self._low = self._high = 0

    def see(self, value: Any) -> None:
        """Take a value into account."""
        if value is None or self.text:
            return
        kind = type(value)
        self.kinds.add(kind)
        if kind is int:
            self._low, self._high = min(self._low, value), max(self._high, value)
        elif kind is list:
            self._see_elements(value)
        elif kind is dict:
            self._see_fields(value)
        if not self._agrees():
            self.text = True
            self.fields, self.element = {}, None

    def _agrees(self) -> bool:
        if self.kinds == {int}:
            return self._low in INT64 and self._high in INT64
        if self.kinds == {int, float}:
            return max(-self._low, self._high) <= EXACT
        return len(self.kinds) == 1 and Odd not in self.kinds and len(self.fields) <= MOST_FIELDS

    def _see_elements(self, values: list[Any]) -> None:
        if self.element is None:
            self.element = Shape(self._room, self._depth + 1)
        for value in values:
            self.element.see(value)

    def _see_fields(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            shape = self.fields.get(name)
            if shape is None:
                if len(self.fields) > MOST_FIELDS or not self._room.take():
                    self.kinds.add(Odd)
                    return
                shape = self.fields[name] = Shape(self._room, self._depth + 1)
            shape.see(value)

    @property
    def kind(self) -> type:
        """What the column is made of: bool, int, float, str, list or dict; of what is odd str."""
        if self.text or not self.kinds or (self.kinds == {dict} and not self.fields):
            return str
        return float if float in self.kinds else next(iter(self.kinds))

    def converter(self) -> Convert | None:
        """What makes a value fit into the column; None where all of them do as they are."""
        if self.kind is str:
            return None if self.kinds <= {str} and not self.text else as_text
        if self.kind is list and self.element is not None:
            inner = self.element.converter()
            return None if inner is None else lambda value: _each(inner, value)
        if self.kind is dict:
            inners = {name: shape.converter() for name, shape in self.fields.items()}
            odd = {name: inner for name, inner in inners.items() if inner is not None}
            return (lambda value: _some(odd, value)) if odd else None
        return None


def as_text(value: Any) -> str | None:
    """A value as JSON."""
    if value is None:
        return None
    return value.text if isinstance(value, Odd) else json.encode(value).decode()


def _each(convert: Convert, values: list[Any] | None) -> list[Any] | None:
    return None if values is None else [convert(value) for value in values]


def _some(odd: Mapping[str, Convert], values: dict[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return values | {name: convert(values.get(name)) for name, convert in odd.items()}
