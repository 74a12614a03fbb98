"""`status`, `urls`, `explain`, `export`: reading a crawl directory, also while it is crawled."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from time import time

from msgspec import convert, json

from asyncmultispider.cli.commands import FINISHED, NO_PAGES
from asyncmultispider.directory import FRONTIER, PAGES, is_running
from asyncmultispider.errors import UsageError
from asyncmultispider.export import check_target, export_jsonl
from asyncmultispider.frontier.reader import Entry, LedgerReader, reading
from asyncmultispider.model import State
from asyncmultispider.robots import Robots, product_token
from asyncmultispider.settings import Settings
from asyncmultispider.store.sqlite import totals
from asyncmultispider.text import complain, duration, one_line, printable, size
from asyncmultispider.urls import host_of, parse_seed
from asyncmultispider.urls.scope import Scope

RECENT = 60.0
"""Seconds over which the pace of a running crawl is measured."""


def status_command(directory: str, as_json: bool) -> None:
    """Print how the crawl stands."""
    where = Path(directory)
    with reading(where / FRONTIER) as ledger:
        counts = ledger.counts()
        hosts = ledger.hosts()
        recent = ledger.finished_since(time() - RECENT)
    states = {state.value: 0 for state in State}
    for state, _, n in counts:
        states[state] += n
    pages, stored = totals(where / PAGES)
    running = is_running(where)
    if as_json:
        reasons = {f"{state}:{reason}": n for state, reason, n in counts if reason}
        print(
            json.encode(
                {
                    "dir": directory,
                    "running": running,
                    **states,
                    "accepted": sum(states.values()),
                    "reasons": reasons,
                    "hosts": hosts,
                    "pages": pages,
                    "bytes": stored,
                }
            ).decode()
        )
        return
    for state in State:
        print(f"{state.value:<10} {states[state]:>10}")
        for name, reason, n in counts:
            if name == state and reason:
                print(f"  {one_line(reason):<22} {n:>8}")
    print(f"{'accepted':<10} {sum(states.values()):>10}")
    print(f"hosts      {hosts:>10}")
    print(f"pages      {pages:>10}   {size(stored)} in {one_line(str(where / PAGES))}")
    print(_outlook(running, states[State.QUEUED] + states[State.LEASED], recent))


def urls_command(directory: str, state: str | None, host: str | None) -> None:
    """Print the ledger."""
    if state is not None and state not in {s.value for s in State}:
        raise UsageError(f"--state must be one of {', '.join(State)}, not {state!r}")
    with reading(Path(directory) / FRONTIER) as ledger:
        for name, reason, url in ledger.rows(state, host):
            print(f"{name}\t{one_line(reason or '')}\t{one_line(url)}")


def explain_command(directory: str, url: str) -> int:
    """Print what is known of a URL; 1 when it is not known."""
    with reading(Path(directory) / FRONTIER) as ledger:
        settings = _settings(ledger)
        for candidate in _candidates(url):
            entry = ledger.find(candidate)
            if entry is not None:
                _explain(ledger, entry, settings)
                return FINISHED
        complain(_why_unknown(_candidates(url)[0], settings))
    return NO_PAGES


def export_command(directory: str, target: str) -> int:
    """Write the file; 1 when there was nothing to write."""
    path = check_target(target)
    where = Path(directory)
    if not (where / FRONTIER).is_file():
        raise UsageError(f"no crawl in {directory!r}: it has no {FRONTIER}")
    if not totals(where / PAGES)[0]:
        complain(f"nothing to export: no page is stored in {directory!r}")
        return NO_PAGES
    lines = export_jsonl(where / PAGES, path)
    print(f"{lines} lines in {one_line(target)}", file=sys.stderr)
    return FINISHED


def _outlook(running: bool, left: int, recent: int) -> str:
    if not left:
        return "ended: no URL is left to fetch"
    if not running:
        return f"not running: {left} URLs are left; the same crawl command continues"
    if not recent:
        return f"running: {left} URLs are left, none ended in the last minute"
    ahead = duration(left * RECENT / recent)
    return f"running: {left} URLs are left, {ahead} at the pace of the last minute"


def _settings(ledger: LedgerReader) -> Settings:
    text = ledger.meta("settings")
    if text is None:
        raise UsageError("no crawl yet: it ended before it began")
    return convert(json.decode(text), Settings)


def _candidates(typed: str) -> list[str]:
    url, guessed = parse_seed(typed)
    return [url, f"http{url.removeprefix('https')}"] if guessed else [url]


def _explain(ledger: LedgerReader, entry: Entry, settings: Settings) -> None:
    print(one_line(entry.url))
    print(f"state     {entry.state}{f': {one_line(entry.reason)}' if entry.reason else ''}")
    print(f"depth     {entry.depth}" + (f", after {entry.hops} redirects" if entry.hops else ""))
    if entry.at is not None:
        answer = f"status {entry.status}" if entry.status else "no answer"
        print(f"last try  {_moment(entry.at)}, {answer}, {duration(entry.elapsed or 0)}")
    if entry.state == State.QUEUED and entry.due > time():
        print(f"next try  {_moment(entry.due)}")
    rule = _rule(ledger, entry, settings)
    if rule:
        print(f"rule      {rule}")
    print(f"tries     {entry.attempts}")
    for attempt in ledger.tries(entry):
        answer = f"status {attempt.status}" if attempt.status else one_line(attempt.reason or "")
        first, *more = printable(attempt.detail or "").strip().splitlines() or [""]
        detail = f": {first}" if first else ""
        print(f"  {_moment(attempt.at)}  {answer}{detail} ({duration(attempt.elapsed)})")
        for line in more:  # of a traceback
            print(f"    {line}")
    print("found")
    chain = [*ledger.chain(entry), entry]
    for number, step in enumerate(chain):
        how = "seed" if not step.referrer else "redirect" if step.hops else "link"
        print(f"  {'  ' * min(number, 20)}{how} {one_line(step.url)}")


def _rule(ledger: LedgerReader, entry: Entry, settings: Settings) -> str | None:
    match entry.reason:
        case "robots":
            text = ledger.robots(entry.host, entry.url.partition(":")[0])
            agent = product_token(settings.user_agent)
            if text is None or Robots.parse(text).allows(entry.url, agent):
                return "robots.txt forbade it when its turn came"
            return f"the host's robots.txt forbids it to {one_line(agent)}"
        case "scope":
            return f"outside --scope {settings.scope} of the seeds"
        case "excluded":
            return "--include or --exclude keeps it out"
        case "noindex":
            return "the page asks not to be kept (noindex)"
        case _:
            return None


def _why_unknown(url: str, settings: Settings) -> str:
    scope = Scope(settings.scope, settings.seeds, settings.include, settings.exclude)
    refused = scope.refuses(url, host_of(url))
    why = f"it would be refused: {refused}" if refused else "no fetched page linked to it"
    return f"{one_line(url)} is not known to this crawl: {why}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
