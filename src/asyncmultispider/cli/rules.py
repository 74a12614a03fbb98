"""Which rule keeps a URL out of a crawl, in words."""

from collections.abc import Sequence

from asyncmultispider.frontier.reader import Entry, LedgerReader
from asyncmultispider.model import Reason
from asyncmultispider.robots import Robots, product_token
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of, without_login
from asyncmultispider.urls.scope import Scope, matcher


def rule_of(ledger: LedgerReader, entry: Entry, settings: Settings) -> str | None:
    """The rule that closed a URL of the ledger."""
    match entry.reason:
        case Reason.SCOPE | Reason.EXCLUDED:
            return scope_rule(entry.url, Reason(entry.reason), settings)
        case Reason.ROBOTS:
            rule = robots_rule(ledger, entry.url, settings)
            return rule or "robots.txt forbade it when its turn came; the one we have now does not"
        case Reason.NOINDEX:
            return "the page asks not to be kept (noindex)"
        case _:
            return None


def scope_rule(url: str, reason: Reason, settings: Settings) -> str:
    """The option that refuses a canonical URL for this reason."""
    if reason is Reason.SCOPE:
        return f"outside --scope {settings.scope} of {_some(settings.starts)}"
    for glob in settings.exclude:
        if matcher("exclude", [glob])(url):
            return f"--exclude {glob!r} keeps it out"
    return f"not in --include {_some([repr(glob) for glob in settings.include])}"


def robots_rule(ledger: LedgerReader, url: str, settings: Settings) -> str | None:
    """What forbids us a canonical URL in its host's robots.txt as it was read last."""
    host = host_of(url)
    text = ledger.robots(host, url.partition(":")[0])
    if text is None:
        return None
    agent = product_token(settings.user_agent)
    ban = Robots.parse(text).ban(url, agent)
    return None if ban is None else f"robots.txt of {host} forbids it to {agent}: {ban}"


def why_unknown(ledger: LedgerReader, url: str, settings: Settings) -> str:
    """Why a canonical URL is not in the ledger, as far as can be known."""
    why = "no fetched page linked to it"
    if settings.depth is not None:
        why += f" (those at depth {settings.depth}, the last, are not followed)"
    left = ledger.left()
    if left:
        why += f"; {left} URLs are left to fetch"
    seeds = map(without_login, settings.starts)
    scope = Scope(settings.scope, seeds, settings.include, settings.exclude)
    reason = scope.refuses(url, host_of(url))
    if reason is not None:
        return f"{why}; it would be skipped ({reason}): {scope_rule(url, reason, settings)}"
    ban = None if settings.ignore_robots else robots_rule(ledger, url, settings)
    return f"{why}; it would be skipped (robots): {ban}" if ban else why


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
