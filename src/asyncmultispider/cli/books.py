"""`status`, `urls`, `export`: reading a crawl directory, also while it is crawled."""

import sys
from pathlib import Path
from time import time
from typing import Any

from msgspec import structs

from asyncmultispider.cli.choose import canonical_host, known_reason, known_state
from asyncmultispider.cli.commands import FINISHED, NO_PAGES
from asyncmultispider.cli.lines import as_line, as_sentence, ascii_json
from asyncmultispider.directory import FRONTIER, PAGES, is_running, owner
from asyncmultispider.errors import UsageError
from asyncmultispider.frontier.reader import reading
from asyncmultispider.model import State
from asyncmultispider.outputs import OUTPUTS, check_target, listed, write_output
from asyncmultispider.store.sqlite import totals
from asyncmultispider.text import complain, duration, one_line, size

NOTES = 20
"""Kinds of suspended URLs that are listed."""
RECENT = 60.0
"""Seconds over which the pace of a running crawl is measured."""


def status_command(directory: str, as_json: bool) -> None:
    """Print how the crawl stands."""
    where = Path(directory)
    with reading(where / FRONTIER) as ledger:
        counts = ledger.counts()
        hosts = ledger.hosts()
        recent = ledger.finished_since(time() - RECENT)
        notes = ledger.notes(NOTES)
        outputs = listed(ledger.meta(OUTPUTS) or "[]")
    states = {state.value: 0 for state in State}
    for state, _, n in counts:
        states[state] += n
    pages, stored = totals(where / PAGES)
    running = is_running(where)
    if as_json:
        reasons = {f"{state}:{reason}": n for state, reason, n in counts if reason}
        print(
            ascii_json(
                {
                    "dir": directory,
                    "running": running,
                    **states,
                    "accepted": sum(states.values()),
                    "reasons": reasons,
                    "suspended_for": [
                        dict(zip(("reason", "host", "note", "urls", "example"), note, strict=True))
                        for note in notes
                    ],
                    "hosts": hosts,
                    "pages": pages,
                    "bytes": stored,
                    "outputs": [structs.asdict(output) for output in outputs],
                }
            )
        )
        return
    for state in State:
        print(f"{state.value:<10} {states[state]:>10}")
        for name, reason, n in counts:
            if name == state and reason:
                print(f"  {one_line(reason):<22} {n:>8}")
        if state is State.SUSPENDED:
            for why, host, note, n, url in notes:
                print(f"    {n:>8} on {one_line(f'{host}: {why}: {note or url}')}")
    print(f"{'accepted':<10} {sum(states.values()):>10}")
    print(f"hosts      {hosts:>10}")
    print(f"pages      {pages:>10}   {size(stored)} in {one_line(str(where / PAGES))}")
    for output in outputs:
        print(f"output     {output.lines:>10}   {size(output.bytes)} in {one_line(output.path)}")
    holder = owner(where)
    if holder is not None:
        print(one_line(f"{holder} {'is at work' if running else 'was killed'}"))
    print(_outlook(running, states[State.QUEUED] + states[State.LEASED], recent))


def urls_command(
    directory: str, state: str | None, reason: str | None, host: str | None, as_json: bool
) -> None:
    """Print the ledger."""
    chosen = (known_state(state), canonical_host(host), known_reason(reason))
    with reading(Path(directory) / FRONTIER) as ledger:
        if as_json:
            for entry, referrer in ledger.entries(*chosen):
                print(ascii_json(as_line(entry, referrer)))
            return
        for name, why, url in ledger.rows(*chosen):
            print(f"{name}\t{one_line(why or '')}\t{one_line(url)}")


def export_command(directory: str, target: str, *, bodies: bool = False) -> int:
    """Write the file or folder; 1 when there was nothing to write."""
    path = check_target(target)
    where = Path(directory)
    if not (where / FRONTIER).is_file():
        raise UsageError(f"no crawl in {directory!r}: it has no {FRONTIER}")
    if not totals(where / PAGES)[0]:
        complain(f"nothing to export: no page is stored in {directory!r}")
        return NO_PAGES
    if path.stdout:
        from asyncmultispider.cli.streaming import standard_output  # they take a parser of HTML
        from asyncmultispider.outputs.jsonl import export_jsonl

        export_jsonl(where / PAGES, standard_output(), bodies=bodies)
        return FINISHED
    for written in write_output(path, where / PAGES, bodies=bodies, about=_settings(where)):
        print(as_sentence(written), file=sys.stderr)
    return FINISHED


def _settings(where: Path) -> dict[str, Any]:
    with reading(where / FRONTIER) as ledger:
        return ledger.note("settings", dict) or {}


def _outlook(running: bool, left: int, recent: int) -> str:
    if not left:
        return "ended: no URL is left to fetch"
    if not running:
        return f"not running: {left} URLs are left; the same crawl command continues"
    if not recent:
        return f"running: {left} URLs are left, none ended in the last minute"
    ahead = duration(left * RECENT / recent)
    return f"running: {left} URLs are left, {ahead} at the pace of the last minute"
