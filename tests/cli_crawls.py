"""Crawls by the command line, and what must hold in their directories."""

import json
from pathlib import Path

from command import Ended, Running, ledger, query, run
from webserver import Site

ENGINES = ("async", "threads", "processes")
FAST = ("--delay-factor", "0", "--retries", "0")
STATES = ("queued", "leased", "done", "failed", "skipped", "suspended")


def linked(site: Site, *paths: str) -> list[str]:
    """Serve pages at these paths, all linked from `/`; the paths with `/`."""
    site.page("/", "<title>Home</title>" + "".join(f"<a href={path}>x</a>" for path in paths))
    for path in paths:
        site.page(path, f"<title>{path}</title>")
    return ["/", *paths]


def numbered(site: Site, n: int) -> list[str]:
    """Serve `/` and n pages it links to."""
    return linked(site, *(f"/{i}" for i in range(n)))


def crawl(site: Site, directory: Path, *options: object) -> Ended:
    """A crawl of the site that prints its summary as JSON."""
    ended = run("crawl", site.url(), "-d", directory, "--json", *FAST, *options)
    assert "Traceback" not in ended.err, ended.err
    return ended


def interrupt_twice(process: Running, seconds: float) -> Ended:
    """Ctrl-C, and again when it was heard: how the crawl ended, within so many seconds."""
    process.type("\x03")
    process.wait_for("stopping")
    process.type("\x03")
    ended = process.end(seconds)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    return ended


def check_books(directory: Path, urls: int) -> None:
    """accepted = the sum of the states, nothing is under way, pages.db agrees with the ledger."""
    ended = run("status", directory, "--json")
    assert (ended.code, ended.err) == (0, "")
    status = ended.json
    assert sum(status[state] for state in STATES) == status["accepted"] == urls
    assert status["leased"] == 0
    done = ledger(directory, "--state", "done")
    stored = [url for (url,) in query(directory, "SELECT url FROM pages")]
    assert len(stored) == len(set(stored))
    assert set(stored) == done.keys()
    assert query(directory, "PRAGMA integrity_check") == [("ok",)]


def check_complete(site: Site, directory: Path, paths: list[str]) -> None:
    """Every page is done, and stored exactly once."""
    assert ledger(directory) == {site.url(path): ("done", "") for path in paths}
    check_books(directory, len(paths))


def check_log(directory: Path) -> list[dict[str, object]]:
    """The lines of log.jsonl, each of which must be a JSON object."""
    text = (directory / "log.jsonl").read_text(encoding="utf-8")
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines
