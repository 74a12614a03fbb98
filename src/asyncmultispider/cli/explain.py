"""`explain`: everything known of one URL, gathered first, then told."""

from datetime import UTC, datetime
from pathlib import Path
from time import time

from msgspec import Struct, structs

from asyncmultispider.cli.commands import FINISHED, NO_PAGES
from asyncmultispider.cli.lines import as_line, ascii_json, iso
from asyncmultispider.cli.rules import rule_of, why_unknown
from asyncmultispider.directory import FRONTIER, PAGES, is_running, owner
from asyncmultispider.errors import UsageError
from asyncmultispider.frontier.reader import Entry, LedgerReader, Try, reading
from asyncmultispider.judge import Judge
from asyncmultispider.model import REDIRECTS, Outcome, Request, Response, State, http_reason
from asyncmultispider.robots import Robots, product_token
from asyncmultispider.settings import Settings, without_user
from asyncmultispider.store.reader import StoredAs, find_page
from asyncmultispider.text import complain, duration, one_line, printable, size
from asyncmultispider.urls import parse_seed, without_login


class Step(Struct, frozen=True):
    """A page on the way to the URL, and how the crawl came to it: seed, link or redirect."""

    how: str
    url: str


class Known(Struct, frozen=True, kw_only=True):
    """All that is known of a URL of the ledger.

    `found` leads from a seed to the URL itself, `target` is where it redirects to and how that
    URL stands, `wait` says what a URL waits for that is not final.
    """

    entry: Entry
    found: list[Step]
    tries: list[Try]
    rule: str | None
    target: tuple[str, str] | None
    page: StoredAs | None
    wait: str | None

    @property
    def source(self) -> str | None:
        """The URL that redirected to it, if that is how it was found."""
        return self.found[-2].url if self.entry.hops and len(self.found) > 1 else None


def explain_command(directory: str, url: str, as_json: bool) -> int:
    """Print what is known of a URL; 1 when it is not known."""
    where = Path(directory)
    with reading(where / FRONTIER) as ledger:
        settings = _settings(ledger)
        candidates = _candidates(url)
        for candidate in candidates:
            entry = ledger.find(candidate)
            if entry is not None:
                known = _gather(ledger, entry, settings, where)
                print(ascii_json(_as_object(known)) if as_json else _told(known))
                return FINISHED
        why = why_unknown(ledger, candidates[0], settings)
    name = candidates[0]
    if as_json:
        print(ascii_json({"url": name, "state": None, "why": why}))
    else:
        complain(f"{name} is not known to this crawl: {why}")
    return NO_PAGES


def _settings(ledger: LedgerReader) -> Settings:
    settings = ledger.note("settings", Settings)
    if settings is None:
        raise UsageError("no crawl yet: it ended before it began")
    return settings


def _candidates(typed: str) -> list[str]:
    url, guessed = parse_seed(typed)
    url = without_login(url)
    return [url, f"http{url.removeprefix('https')}"] if guessed else [url]


# What is known


def _gather(ledger: LedgerReader, entry: Entry, settings: Settings, where: Path) -> Known:
    page = find_page(where / PAGES, entry.url) if entry.state == State.DONE else None
    return Known(
        entry=entry,
        found=[_step(step) for step in (*ledger.chain(entry), entry)],
        tries=ledger.tries(entry),
        rule=rule_of(ledger, entry, settings),
        target=_target(ledger, entry, settings, page) if page else None,
        page=page,
        wait=_wait(ledger, entry, settings, where),
    )


def _step(entry: Entry) -> Step:
    return Step("seed" if not entry.referrer else "redirect" if entry.hops else "link", entry.url)


def _target(
    ledger: LedgerReader, entry: Entry, settings: Settings, page: StoredAs
) -> tuple[str, str] | None:
    """Where a redirect leads, as it was judged."""
    if page.status not in REDIRECTS:
        return None
    request = Request(id=entry.id, url=entry.url, host=entry.host)
    answer = Response(status=page.status, headers=page.fields, body=b"", at=0.0, elapsed=0.0)
    outcome = Judge(settings)(request, answer)
    if not isinstance(outcome, Outcome) or not outcome.links:
        return None
    target = ledger.find(outcome.links[0].url)
    return outcome.links[0].url, _standing(target) if target else "not known to this crawl"


def _standing(entry: Entry) -> str:
    return f"{entry.state}: {entry.reason}" if entry.reason else entry.state


def _wait(ledger: LedgerReader, entry: Entry, settings: Settings, where: Path) -> str | None:
    if entry.state == State.LEASED:
        return _holder(where)
    if entry.state != State.QUEUED:
        return None
    left = entry.due - time()
    if left > 0:
        wait = f"for another try at {_moment(entry.due)}, in {duration(left)}, after {entry.reason}"
    else:
        wait = f"for its turn: {ledger.ahead(entry)} URLs of its host come before it"
        wait += _crawl_delay(ledger, entry, settings)
    return wait if is_running(where) else f"{wait}; no crawl is running: the same command goes on"


def _crawl_delay(ledger: LedgerReader, entry: Entry, settings: Settings) -> str:
    text = ledger.robots(entry.host, entry.url.partition(":")[0])
    if text is None or settings.ignore_robots:
        return ""
    seconds = Robots.parse(text).crawl_delay(product_token(settings.user_agent))
    return f", {duration(seconds)} apart as its robots.txt asks" if seconds else ""


def _holder(where: Path) -> str:
    who = owner(where) or "a process"
    if is_running(where):
        return f"for its answer: {who} has it"
    return f"for the next run: {who} had it and was killed"


# How it is told


def _as_object(known: Known) -> dict[str, object]:
    entry, page = known.entry, known.page
    referrer = known.found[-2].url if len(known.found) > 1 else None
    hidden = {"url": without_user(entry.url), "referrer": referrer and without_user(referrer)}
    return (
        as_line(entry, referrer)
        | hidden
        | {
            "next_try": iso(entry.due) if entry.state == State.QUEUED and entry.due else None,
            "waits": known.wait,
            "rule": known.rule,
            "redirected_from": known.source and without_user(known.source),
            "redirects_to": known.target
            and {"url": without_user(known.target[0]), "state": known.target[1]},
            "page": page
            and {
                "digest": page.digest.hex(),
                "size": page.size,
                "content_type": page.content_type,
                "fetched_at": page.fetched_at,
                "items": page.items,
            },
            "tries": [structs.asdict(each) | {"at": iso(each.at)} for each in known.tries],
            "found": [{"how": step.how, "url": without_user(step.url)} for step in known.found],
        }
    )


def _told(known: Known) -> str:
    entry = known.entry
    lines = [
        _shown(entry.url),
        f"state     {one_line(_standing(entry))}",
        f"depth     {entry.depth}" + (f", after {entry.hops} redirects" if entry.hops else ""),
    ]
    if entry.note:
        lines.append(f"because   {one_line(entry.note)}")
    if known.wait:
        lines.append(f"waits     {one_line(known.wait)}")
    if known.rule:
        lines.append(f"rule      {one_line(known.rule)}")
    if known.source:
        lines.append(f"redirect  from {_shown(known.source)}")
    if known.target:
        lines.append(f"redirect  to {_shown(known.target[0])} ({one_line(known.target[1])})")
    if entry.state == State.DONE:
        lines.append(f"page      {_stored(known.page)}")
    if known.page:
        lines.append(f"SHA-256   {known.page.digest.hex()}")
    lines += _tries(known)
    lines.append("found")
    for number, step in enumerate(known.found):
        lines.append(f"  {'  ' * min(number, 20)}{step.how} {_shown(step.url)}")
    return "\n".join(lines)


def _stored(page: StoredAs | None) -> str:
    if page is None:
        return f"not in {PAGES}, though it is done: see 'verify'"
    kind = one_line(page.content_type or "of no type")
    items = f", {page.items} items" if page.items else ""
    return f"{size(page.size)} {kind}{items}, in {PAGES} since {one_line(page.fetched_at)}"


def _tries(known: Known) -> list[str]:
    count = known.entry.attempts
    own = [each for each in known.tries if not (each.detail or "").startswith("robots.txt: ")]
    lines = [f"tries     {count}" + (" since it was put back" if len(own) > count else "")]
    for each in known.tries:
        first, *more = printable(each.detail or "").strip().splitlines() or [""]
        detail = f": {first}" if first else ""
        lines.append(f"  {_moment(each.at)}  {_result(each)}{detail} ({duration(each.elapsed)})")
        lines += [f"    {line}" for line in more]  # of a traceback
    return lines


def _result(attempt: Try) -> str:
    status = attempt.status
    if status is None or attempt.reason == http_reason(status):
        return one_line(attempt.reason or "no answer")
    return f"{one_line(attempt.reason)}, status {status}" if attempt.reason else f"status {status}"


def _shown(url: str) -> str:
    return one_line(without_user(url))


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
