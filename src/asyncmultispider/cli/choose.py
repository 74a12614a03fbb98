"""Which URLs of a ledger are meant: the checks of --state, --reason and --host."""

import re

from asyncmultispider.errors import UsageError
from asyncmultispider.model import Reason, State
from asyncmultispider.urls import host_of, parse_seed


def known_state(state: str | None) -> str | None:
    """The state, if there is one of that name."""
    if state is not None and state not in set(State):
        raise UsageError(f"--state must be one of {', '.join(State)}, not {state!r}")
    return state


def known_reason(reason: str | None) -> str | None:
    """The reason, if there can be one of that name."""
    if reason is None or reason in set(Reason) or re.fullmatch("http-[1-9][0-9]{2}", reason):
        return reason
    raise UsageError(f"--reason must be http-NNN or one of {', '.join(Reason)}, not {reason!r}")


def canonical_host(host: str | None) -> str | None:
    """The host (and port) as the ledger has it, of a host or URL as typed."""
    return None if host is None else host_of(parse_seed(host)[0])
