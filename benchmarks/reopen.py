"""What it takes to go on with a large crawl: seconds and memory until the first URL is taken.

    python -m benchmarks.reopen [--urls 1000000] [--done 0.2] [--rounds 3] [--json]

A directory is made with so many known URLs of one host, of which a share is done and stored (as
one-byte pages), and a few are leased, as after `kill -9`. Each round opens a copy in a process of
its own, as the same command would: lock, check, mend, restore, take. Seconds are wall time with a
warm page cache; memory is the peak of that process.
"""

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from subprocess import run
from time import monotonic

from asyncmultispider.crawler import Crawl
from asyncmultispider.model import Link
from asyncmultispider.settings import Settings
from benchmarks._common import say, work_folder

HOST = "host.example"
SETTINGS = Settings(seeds=(f"https://{HOST}/0",), ignore_robots=True, concurrency=64)
LEASED = 64
ONE = b"x"


def make(folder: Path, urls: int, done: int) -> None:
    """A crawl directory with so many URLs."""
    with Crawl(SETTINGS, folder).open() as crawl:
        for start in range(0, urls, 10_000):
            numbers = range(start, min(start + 10_000, urls))
            crawl.frontier.add([Link(url=_url(n), host=HOST, depth=n // 1000) for n in numbers])
    db = sqlite3.connect(folder / "frontier.db")
    db.execute("UPDATE urls SET state='done', attempts=1 WHERE id <= ?", (done,))
    db.execute(
        "UPDATE urls SET state='leased', attempts=1 WHERE id > ? AND id <= ?", (done, done + LEASED)
    )
    db.commit()
    db.close()
    db = sqlite3.connect(folder / "pages.db")
    digest = sha256(ONE).digest()
    db.execute("INSERT INTO bodies VALUES(?,?,?)", (digest, "identity", ONE))
    row = (200, "text/html", "utf-8", "A title", 1, None, "2026-01-01T00:00:00.000+00:00", 1.0, 1)
    db.executemany(
        f"INSERT INTO pages VALUES({','.join('?' * 12)})",
        ((_url(n), *row, "{}", digest) for n in range(done)),
    )
    db.commit()
    db.close()
    (folder / "lock").write_text('{"pid":1,"host":"","since":""}')


def _url(number: int) -> str:
    return f"https://{HOST}/section-{number % 997}/page-{number}.html?lang=en"


def reopen(folder: Path) -> dict[str, float]:
    """Open it and take the first URLs."""
    began = monotonic()
    with Crawl(SETTINGS, folder).open() as crawl:
        batch = crawl.frontier.take(64, monotonic(), "bench")
        seconds = monotonic() - began
        assert batch.requests
        assert crawl.killed is not None
        assert crawl.mended.dropped == crawl.mended.requeued == 0
        return {
            "seconds": round(seconds, 3),
            "peak": getrusage(RUSAGE_SELF).ru_maxrss * 1024,
            "accepted": crawl.frontier.stats().accepted,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--urls", type=int, default=1_000_000)
    parser.add_argument("--done", type=float, default=0.2, help="share of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--reopen", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reopen:
        print(json.dumps(reopen(options.reopen)))
        return
    with tempfile.TemporaryDirectory(dir=work_folder()) as home:
        made = Path(home) / "made"
        say(f"making a crawl of {options.urls} URLs")
        make(made, options.urls, int(options.urls * options.done))
        rounds = []
        for _ in range(options.rounds):
            copy = Path(home) / "copy"
            shutil.copytree(made, copy)
            command = [sys.executable, "-m", "benchmarks.reopen", "--reopen", str(copy)]
            ended = run(command, capture_output=True, text=True, check=True, timeout=600)
            rounds.append(json.loads(ended.stdout))
            shutil.rmtree(copy)
    seconds = median(r["seconds"] for r in rounds)
    peak = max(r["peak"] for r in rounds)
    if options.json:
        print(
            json.dumps({"urls": options.urls, "seconds": seconds, "peak": peak, "rounds": rounds})
        )
        return
    print(f"{options.urls} URLs: {seconds:.2f} s (median of {len(rounds)}), {peak / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
