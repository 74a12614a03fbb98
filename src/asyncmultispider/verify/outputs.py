"""The files that the last run wrote beside the books: each as it was written, and of done URLs."""

from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from asyncmultispider.outputs import OUTPUTS, Exported, listed, url_reader
from asyncmultispider.outputs.base import About
from asyncmultispider.outputs.files import read_manifest, sum_file
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
    path = Path(output.path)
    try:
        if not (_same_folder if output.folder else _same_file)(path, output):
            findings.add("outputs that were changed", output.path)
            return
        _check_urls(books, output, findings)
    except (FileNotFoundError, NotADirectoryError):
        findings.add("outputs that are gone", output.path)
    except (OSError, ValueError) as error:
        findings.add("outputs that can't be read", f"{output.path}: {error}")


def _same_file(path: Path, output: Exported) -> bool:
    found = path.stat()
    if not S_ISREG(found.st_mode) or found.st_size != output.bytes:
        return False
    return sum_file(path) == (output.sha256, output.bytes)


def _same_folder(path: Path, output: Exported) -> bool:
    if not S_ISDIR(path.stat().st_mode):
        return False
    found = read_manifest(path)
    return (found.sha256, found.bytes) == (output.sha256, output.bytes)


def _check_urls(books: Books, output: Exported, findings: Findings) -> None:
    read_urls = url_reader(output)
    if read_urls is None:
        return
    books.ask("DROP TABLE IF EXISTS temp.said")
    books.ask("CREATE TEMP TABLE said(url TEXT, item INTEGER)")
    with Path(output.path).open("rb") as file:
        said = _Said(read_urls(file))
        books.fill("INSERT INTO temp.said VALUES(?, ?)", iter(said))
    for number in said.odd:
        findings.add("records of outputs that have no URL", f"{output.path}, record {number}")
    if said.count != output.lines:
        findings.add("outputs that have not as many records as were written", output.path)
    for url, more in books.ask(TWICE):
        findings.add("pages that an output has twice", url, more)
    books.ask("CREATE INDEX temp.said_url ON said(url)")
    books.ask(KNOWN)
    for (url,) in books.ask("SELECT DISTINCT url FROM temp.said"):
        findings.add("URLs in an output that are not done", url)


class _Said:
    """What the records of an output are about. `odd` are the numbers of those without a URL."""

    def __init__(self, records: Iterator[About | None]) -> None:
        self.count = 0
        self.odd: list[int] = []
        self._records = records

    def __iter__(self) -> Iterator[About]:
        for record in self._records:
            self.count += 1
            if record is not None:
                yield record
            else:
                self.odd.append(self.count)
