"""Our command line without its safety, to see what that costs: `python -m benchmarks._unsafe`.

Leases are in memory only, so a crash forgets what was in hand; `--sync normal` is to be given.
"""

from asyncmultispider.cli import main
from asyncmultispider.frontier.base import Changes
from asyncmultispider.frontier.sqlite import SqliteLedger

_apply = SqliteLedger.apply


def apply(ledger: SqliteLedger, changes: Changes) -> None:
    changes.leased.clear()
    changes.released.clear()
    if changes:
        _apply(ledger, changes)


if __name__ == "__main__":
    SqliteLedger.apply = apply  # type: ignore[method-assign]
    main()
