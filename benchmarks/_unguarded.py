"""Our command line without its guards, to see what they cost: `python -m benchmarks._unguarded`.

Any address and port will do, nothing is weighed but the body, no page is read apart, and nobody
looks for traps, bans and bot walls.
"""

from asyncmultispider import judge, links
from asyncmultispider.bans import Reception
from asyncmultispider.cli import main
from asyncmultispider.fetch.guard import Guard
from asyncmultispider.fetch.transfer import Transfer
from asyncmultispider.frontier.watch import Watch
from asyncmultispider.quarantine import Quarantine


def read_header(transfer: Transfer, line: bytes) -> None:
    transfer.lines.append(line)
    transfer._status, transfer._answered, transfer._ended = 200, True, True


def nothing(*_: object) -> None: ...


if __name__ == "__main__":
    Guard.allows = Guard.allows_port = lambda *_: True  # type: ignore[assignment]
    Transfer._read_header = read_header  # type: ignore[assignment]
    Transfer._is_page = lambda _: True  # type: ignore[method-assign]
    Quarantine.case_in = staticmethod(nothing)  # type: ignore[assignment]
    Reception.hear = nothing  # type: ignore[assignment]
    Watch.looks_at = Watch.objects_to = nothing  # type: ignore[assignment]
    judge.challenge = links.oddity = nothing
    main()
