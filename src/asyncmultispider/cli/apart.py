"""Standard output for data alone: what a spider prints goes to standard error meanwhile."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import TextIO

_data: list[TextIO] = []


def data_output() -> TextIO | None:
    """Where data goes: standard output, also while the rest is kept from it; None: closed."""
    return _data[-1] if _data else sys.stdout


@contextmanager
def data_apart(wanted: bool) -> Iterator[None]:
    """In the block only `data_output` leads to standard output, in worker processes as well."""
    out = sys.stdout
    if not wanted or not isinstance(out, TextIOWrapper) or out is not sys.__stdout__:
        yield  # it is closed already, or a test's
        return
    out.flush()
    number = os.dup(1)
    with os.fdopen(number, "w", encoding=out.encoding, errors=out.errors) as data:
        _data.append(data)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            sys.stdout = out
            _data.remove(data)
            try:
                data.flush()
            finally:
                os.dup2(number, 1)
