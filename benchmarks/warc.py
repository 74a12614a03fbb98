"""What an archive costs: CPU for each page, and bytes, by compressor and as a whole.

    python -m benchmarks.warc [--pages 4000] [--rounds 5] [--folder FOLDER]

The pages of a folder (by default those of Debian's cppreference-doc-en-html) are stored as a crawl
stores them. Then the answers of some of them are packed with each compressor that is installed, and
all are written to an archive. CPU time is that of the process, in user and system, as the median of
the rounds; beside it stands what it takes to read the pages alone and unpack their bodies.
"""

import argparse
import tempfile
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from statistics import median
from time import process_time

from asyncmultispider.outputs.base import Job
from asyncmultispider.outputs.warc import write_warc
from asyncmultispider.outputs.warcpage import page_records
from asyncmultispider.store.captures import reading_captures
from asyncmultispider.store.reader import read_pages
from asyncmultispider.store.sqlite import SqliteStore
from asyncmultispider.testing.stores import page
from benchmarks._common import say, work_folder

HEADERS = (
    ("server", "nginx/1.22.1"),
    ("date", "Mon, 05 Jan 2026 03:04:05 GMT"),
    ("content-type", "text/html"),
    ("content-length", "40123"),
    ("last-modified", "Sat, 01 Jan 2022 00:00:00 GMT"),
    ("connection", "keep-alive"),
    ("etag", '"61cf9980-9cbb"'),
)
SAMPLE = 500
COMPRESSORS = (
    ("zlib", "zlib", (1, 6)),
    ("isal", "isal.isal_zlib", (0, 1, 2, 3)),
    ("zlib-ng", "zlib_ng.zlib_ng", (1, 2, 3, 6)),
)
GZIP = zlib.MAX_WBITS + 16


def store(folder: Path, most: int, path: Path) -> int:
    """Store pages of the folder; how many there were."""
    files = sorted(folder.rglob("*.html"))
    Random(1).shuffle(files)
    chosen = files[:most]
    pages = SqliteStore(path, durable=False)
    for start in range(0, len(chosen), 100):
        pages.write(
            [
                page(
                    f"http://127.0.0.1:8080/{file.relative_to(folder)}",
                    file.read_bytes(),
                    headers=HEADERS,
                    at=1.7e9 + number,
                )
                for number, file in enumerate(chosen[start : start + 100], start)
            ]
        )
    pages.close()
    return len(chosen)


def cpu(act: Callable[[], object], rounds: int) -> float:
    """Seconds of CPU time, as a median."""
    spent = []
    for _ in range(rounds):
        began = process_time()
        act()
        spent.append(process_time() - began)
    return median(spent)


def compare(path: Path, rounds: int) -> None:
    """A line for each compressor and level."""
    with reading_captures(path) as captures:
        some = list(captures.between(0, SAMPLE))
    records = [page_records(capture, "<urn:uuid:0>", "agent/1")[0] for capture in some]
    print(f"{'compressor':12} {'us/page':>8} {'bytes/page':>11}")
    for name, level, pack in _installed():
        spent = cpu(lambda pack=pack: [pack(record) for record in records], rounds)
        size = sum(len(pack(record)) for record in records) / len(records)
        print(f"{name + ' ' + str(level):12} {spent / len(records) * 1e6:8.0f} {size:11.0f}")


def _installed() -> Iterator[tuple[str, int, Callable[[bytes], bytes]]]:
    for name, module, levels in COMPRESSORS:
        try:
            compress = import_module(module).compress
        except ImportError:
            say(f"{name} is not installed")
            continue
        for level in levels:
            yield name, level, lambda data, c=compress, n=level: c(data, n, GZIP)


def whole(path: Path, folder: Path, count: int, rounds: int) -> None:
    """All of an archive with its index, beside reading the pages alone."""
    job = Job(pages_db=path, target=folder / "bench.warc.gz", about={"user_agent": "agent/1"})
    reading = cpu(lambda: [None for _ in read_pages(path)], rounds) / count
    writing = cpu(lambda: write_warc(job), rounds) / count
    size = job.target.stat().st_size / count
    print(f"\n{'reading':12} {reading * 1e6:8.0f}")
    print(f"{'archive':12} {writing * 1e6:8.0f} {size:11.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default="/usr/share/cppreference/doc/html")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=work_folder()) as name:
        path = Path(name) / "pages.db"
        count = store(options.folder, options.pages, path)
        compare(path, options.rounds)
        whole(path, Path(name), count, options.rounds)


if __name__ == "__main__":
    main()
