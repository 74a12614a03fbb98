"""The files that the last run wrote beside the books: each as it was written, and of done URLs."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from msgspec import DecodeError, json

from asyncmultispider.export import OUTPUTS, Exported, listed
from asyncmultispider.verify.books import Books
from asyncmultispider.verify.report import Findings

LOOKS = 5
"""How often outputs that look wrong are looked at, while runs write them anew."""

TWICE = """
SELECT url, count(*) - 1 AS more FROM temp.said WHERE NOT item GROUP BY url HAVING more > 0"""
# The ledger has no index by URL, so it is read once from end to end: hence CROSS JOIN.
KNOWN = """
DELETE FROM temp.said WHERE rowid IN (
    SELECT s.rowid FROM main.urls u CROSS JOIN temp.said s ON s.url = u.url
    WHERE u.state = 'done')"""

Said = tuple[str, bool]
"""What a line is about: a URL, and whether it is an item of it."""


def check_outputs(books: Books) -> None:
    """That they are there, whole, unchanged, and agree with the ledger."""
    for _ in range(LOOKS):
        note, findings = _note(books), Findings()
        outputs = _listed(note, findings)
        for output in outputs:
            _check(books, output, findings)
        if not findings.problems() or _note(books) == note:
            break  # else a run has written them meanwhile
    books.counts["outputs"] = len(outputs)
    books.findings.extend(findings)


def _note(books: Books) -> object:
    return books.ask("SELECT value FROM main.meta WHERE key = ?", OUTPUTS).get


def _listed(note: object, findings: Findings) -> list[Exported]:
    if note is None:
        return []
    try:
        return listed(str(note))
    except ValueError:
        findings.add("the ledger's list of outputs makes no sense")
        return []


def _check(books: Books, output: Exported, findings: Findings) -> None:
    books.beat(f"checking {output.path}")
    try:
        found = Path(output.path).stat()
        if not S_ISREG(found.st_mode) or found.st_size != output.bytes:
            findings.add("outputs that were changed", output.path)
            return
        with Path(output.path).open("rb") as file:
            _check_lines(books, output, file, findings)
    except (FileNotFoundError, NotADirectoryError):
        findings.add("outputs that are gone", output.path)
    except (OSError, ValueError) as error:
        findings.add("outputs that can't be read", f"{output.path}: {error}")


def _check_lines(books: Books, output: Exported, file: BinaryIO, findings: Findings) -> None:
    own = Findings()
    reader = _Reader(file, own)
    books.ask("DROP TABLE IF EXISTS temp.said")
    books.ask("CREATE TEMP TABLE said(url TEXT, item INTEGER)")
    books.fill("INSERT INTO temp.said VALUES(?, ?)", iter(reader))
    if (reader.lines, reader.digest.hexdigest()) != (output.lines, output.sha256):
        findings.add("outputs that were changed", output.path)
        return
    findings.extend(own)
    for url, more in books.ask(TWICE):
        findings.add("pages that an output has twice", url, more)
    books.ask("CREATE INDEX temp.said_url ON said(url)")
    books.ask(KNOWN)
    for (url,) in books.ask("SELECT DISTINCT url FROM temp.said"):
        findings.add("URLs in an output that are not done", url)


class _Reader:
    """What the lines of a file are about. `lines` and `digest` are of what was read."""

    def __init__(self, file: BinaryIO, findings: Findings) -> None:
        self.lines = 0
        self.digest = sha256()
        self._file = file
        self._findings = findings

    def __iter__(self) -> Iterator[Said]:
        for line in self._file:
            self.lines += 1
            self.digest.update(line)
            try:
                fields = json.decode(line)
            except DecodeError:
                fields = None
            if isinstance(fields, dict) and isinstance(fields.get("url"), str):
                yield fields["url"], "item" in fields
            else:
                self._findings.add(
                    "lines of outputs that are no object with a URL",
                    f"{self._file.name}, line {self.lines}",
                )
