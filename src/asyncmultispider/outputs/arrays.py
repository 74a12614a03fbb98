"""Arrow's arrays from Python's values.

`pyarrow.array` does the same, but it loads pandas wherever that is installed, to look for its kinds
of missing values: 0.4 s of CPU, as much as a thousand pages take.
"""

from array import array
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_CODES = {"int16": "h", "int32": "i", "int64": "q", "double": "d"}


def arrow_array(values: Sequence[Any], type: "pa.DataType") -> "pa.Array":
    """An array of this type; None is null.

    Knows integers, doubles, booleans, text, bytes, timestamps (of ISO 8601 text), lists and structs
    (of dicts). Raises `TypeError`, `OverflowError` or `pyarrow.ArrowException` for what does not
    fit.
    """
    import pyarrow as pa

    name = str(type)
    if name in _CODES:
        numbers = array(_CODES[name], [0 if value is None else value for value in values])
        return _of(type, values, pa.py_buffer(numbers))
    if pa.types.is_boolean(type):
        return _of(type, values, _bits([bool(value) for value in values]))
    if pa.types.is_timestamp(type):
        return arrow_array(values, pa.string()).cast(type)
    if pa.types.is_string(type) or pa.types.is_binary(type):
        data = [_encoded(value) for value in values]
        return _of(type, values, _offsets(data), pa.py_buffer(b"".join(data)))
    if pa.types.is_list(type):
        lists = [() if value is None else value for value in values]
        inner = arrow_array(list(chain.from_iterable(lists)), type.value_type)
        return _of(type, values, _offsets(lists), children=[inner])
    fields = [{} if value is None else value for value in values]
    inners = [arrow_array([each.get(f.name) for each in fields], f.type) for f in type]
    return _of(type, values, children=inners)


def _of(
    type: "pa.DataType", values: Sequence[Any], *buffers: Any, children: Sequence[Any] | None = None
) -> "pa.Array":
    import pyarrow as pa

    valid = [value is not None for value in values]
    bitmap = None if all(valid) else _bits(valid)
    return pa.Array.from_buffers(type, len(values), [bitmap, *buffers], children=children)


def _bits(flags: Sequence[bool]) -> "pa.Buffer":
    import pyarrow as pa

    bytewise = pa.Array.from_buffers(pa.int8(), len(flags), [None, pa.py_buffer(bytes(flags))])
    return bytewise.cast(pa.bool_()).buffers()[1]


def _offsets(parts: Sequence[Any]) -> "pa.Buffer":
    import pyarrow as pa

    return pa.py_buffer(array("i", accumulate(map(len, parts), initial=0)))


def _encoded(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise TypeError(f"{value!r} is no text")
