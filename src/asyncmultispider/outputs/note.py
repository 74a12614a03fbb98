"""The note in the ledger that lists what the last run wrote."""

import json
from collections.abc import Sequence

from msgspec import convert, structs

from asyncmultispider.outputs.base import Exported

OUTPUTS = "outputs"
"""Its name in the ledger."""


def listing(outputs: Sequence[Exported]) -> str:
    """The outputs as a note for the ledger."""
    # The name of a file may be no Unicode: this encoder can write it all the same.
    return json.dumps([structs.asdict(output) for output in outputs])


def listed(note: str) -> list[Exported]:
    """The outputs of such a note. Raises `ValueError` when it is none."""
    return convert(json.loads(note), list[Exported])
