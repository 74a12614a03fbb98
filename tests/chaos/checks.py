"""What must hold when a crawl has ended, whatever was done to it on its way.

Nothing of the crawler is asked: the databases are read with the standard library and zstandard,
and compared with the walk and the files that nginx served.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from chaos.sites import Truth

MOST_SHOWN = 5


@dataclass
class Findings:
    """What is not as it must be, a line each; all empty is good.

    `lost` are URLs missing where they must be, `doubled` those that are there twice, `wrong` the
    rest: states, contents, what nobody links to, lines that can't be read.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def compare(self, where: str, urls: Iterable[str], expected: set[str]) -> None:
        """Each of the expected URLs must be among these exactly once, and no other."""
        found = Counter(urls)
        self.lost += [f"{where}: {url}" for url in sorted(expected - found.keys())]
        self.doubled += [f"{where}: {url} x {n}" for url, n in found.items() if n > 1]
        self.wrong += [f"{where}: nobody asked for {url}" for url in found.keys() - expected]

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        return "\n".join(
            f"{len(lines)} {name}: {line}"
            for name, lines in vars(self).items()
            for line in lines[:MOST_SHOWN]
        )


def examine(truth: Truth, directory: Path, output: Path, *, spider: bool) -> Findings:
    """Check a crawl directory and its output; a `spider` gave one item for each page."""
    findings = Findings()
    _check_ledger(findings, truth, directory / "frontier.db")
    with closing(_open(directory / "pages.db")) as db:
        _check_pages(findings, truth, db)
        _check_items(findings, truth.html if spider else set(), db)
    _check_output(findings, truth, output, spider=spider)
    return findings


def _check_ledger(findings: Findings, truth: Truth, path: Path) -> None:
    with closing(_open(path)) as db:
        rows = db.execute("SELECT url, state, reason FROM urls").fetchall()
    away = [row for row in rows if not row[0].startswith(f"{truth.root}/")]
    here = [row for row in rows if row[0].startswith(f"{truth.root}/")]
    findings.compare("ledger", [url for url, _, _ in here], set(truth.ends))
    findings.doubled += [
        f"ledger: {url}" for url, n in Counter(r[0] for r in away).items() if n > 1
    ]
    expected = truth.ends | {url: ("skipped", "scope") for url, _, _ in away}
    findings.wrong += [
        f"ledger: {url} is {state}: {reason}, not {expected[url][0]}: {expected[url][1]}"
        for url, state, reason in rows
        if url in expected and (state, reason) != expected[url]
    ]


def _check_pages(findings: Findings, truth: Truth, db: sqlite3.Connection) -> None:
    rows = db.execute(
        "SELECT url, status, size, encoding, body FROM pages LEFT JOIN bodies USING (digest)"
    ).fetchall()
    findings.compare("pages.db", [url for url, *_ in rows], truth.pages)
    unpack = zstandard.ZstdDecompressor().decompress
    for url, status, size, encoding, packed in rows:
        body = unpack(packed) if encoding == "zstd" else packed
        if body is None or len(body) != size:
            findings.wrong.append(f"pages.db: the body of {url} is gone")
        elif status == 200 and url in truth.html and body != truth.body(url):
            findings.wrong.append(f"pages.db: the body of {url} is not what was served")
    used = "SELECT digest FROM pages"
    spare = db.execute(f"SELECT count(*) FROM bodies WHERE digest NOT IN ({used})").fetchone()[0]
    if spare:
        findings.wrong.append(f"pages.db: {spare} bodies belong to no page")


def _check_items(findings: Findings, expected: set[str], db: sqlite3.Connection) -> None:
    rows = db.execute("SELECT url, data FROM items").fetchall()
    findings.compare("items", [url for url, _ in rows], expected)
    findings.wrong += [
        f"items: that of {url} tells of another" for url, data in rows if _url(data) != url
    ]


def _check_output(findings: Findings, truth: Truth, path: Path, *, spider: bool) -> None:
    urls = []
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        url = _url(line) if line.endswith(b"\n") else None
        if url is None:
            findings.wrong.append(f"{path.name}: torn: {line[:80]!r}")
        else:
            urls.append(url)
    findings.compare(path.name, urls, truth.html if spider else truth.pages)


def _url(text: str | bytes) -> str | None:
    try:
        value: Any = json.loads(text)
        return str(value["url"])
    except (ValueError, KeyError, TypeError):
        return None


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
