"""`retry`: URLs that ended without a page are queued again."""

from pathlib import Path

from msgspec import json

from asyncmultispider.cli.choose import canonical_host, known_reason, known_state
from asyncmultispider.cli.commands import FINISHED, NO_PAGES
from asyncmultispider.directory import FRONTIER, locked
from asyncmultispider.errors import UsageError
from asyncmultispider.frontier.again import put_back
from asyncmultispider.model import Reason, State
from asyncmultispider.text import complain

ENDED = (State.FAILED, State.SUSPENDED, State.SKIPPED)
"""States whose URLs may come back."""
STATE_OF: dict[str, State] = {
    Reason.ROBOTS: State.SKIPPED,
    Reason.NOINDEX: State.SKIPPED,
    Reason.ROBOTS_UNAVAILABLE: State.SUSPENDED,
    Reason.UNREACHABLE: State.SUSPENDED,
    Reason.BANNED: State.SUSPENDED,
    Reason.TRAP: State.SUSPENDED,
}
"""The state that a reason belongs to, where it is not `failed`."""
SKIPS = frozenset(reason for reason, state in STATE_OF.items() if state is State.SKIPPED)
"""Rules that a site may have changed. The others are the crawl's own."""


def retry_command(
    directory: str, state: str | None, reason: str | None, host: str | None, as_json: bool
) -> int:
    """Queue them; 1 when there were none."""
    where = Path(directory)
    reason = known_reason(reason)
    chosen = _state(known_state(state), reason)
    host = canonical_host(host)
    reasons = {reason} if reason else SKIPS if chosen is State.SKIPPED else None
    if not (where / FRONTIER).is_file():
        raise UsageError(f"no crawl in {directory!r}: it has no {FRONTIER}")
    with locked(where):
        queued = put_back(where / FRONTIER, chosen, reasons, host)
    if as_json:
        print(json.encode({"queued": queued}).decode())
    elif queued:
        urls, them = ("URL is", "it") if queued == 1 else ("URLs are", "them")
        print(f"{queued} {urls} queued again: run the same crawl command to fetch {them}")
    else:
        what = chosen + (f": {reason}" if reason else "") + (f" on {host}" if host else "")
        complain(f"nothing to retry: no URL in {directory!r} is {what}")
    return FINISHED if queued else NO_PAGES


def _state(state: str | None, reason: str | None) -> State:
    if reason in (Reason.SCOPE, Reason.EXCLUDED):
        raise UsageError(
            f"{reason} is a rule of the crawl itself: crawl with other rules "
            "(--scope, --include, --exclude, --depth) into another --dir"
        )
    if state == State.DONE:
        raise UsageError("pages that are done are stored: to fetch them again, crawl with --fresh")
    if reason == Reason.LOST or state in (State.QUEUED, State.LEASED):
        raise UsageError("URLs that are not final need no retry: the same crawl command goes on")
    natural = STATE_OF.get(reason or "", State.FAILED)
    if reason and state not in (None, natural):
        raise UsageError(f"--reason {reason} is of URLs that are {natural}, not {state}")
    return State(state) if state else natural
