"""`hosts`: every host that the crawl has seen, also those that it never asked."""

import re
from pathlib import Path

from msgspec import structs

from asyncmultispider.cli.choose import canonical_host
from asyncmultispider.cli.lines import ascii_json
from asyncmultispider.directory import FRONTIER
from asyncmultispider.frontier.reader import SeenHost, reading
from asyncmultispider.text import one_line


def hosts_command(directory: str, domain: str | None, as_json: bool) -> None:
    """Print a line for each host, those with the most URLs first."""
    wanted = _name(canonical_host(domain) or "")
    with reading(Path(directory) / FRONTIER) as ledger:
        for seen in ledger.seen_hosts():
            if not wanted or _is_below(_name(seen.host), wanted):
                print(ascii_json(structs.asdict(seen)) if as_json else _line(seen))


def _line(seen: SeenHost) -> str:
    where = "in scope" if seen.in_scope else "out of scope"
    return f"{seen.urls}\t{seen.done}\t{where}\t{one_line(seen.host)}\t{one_line(seen.example)}"


def _name(host: str) -> str:
    return re.sub(r":[0-9]+$", "", host)


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")
