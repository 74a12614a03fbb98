"""Another process that has the books of a crawl open, for as long as a program may look into them.

A program that crawls may open `pages.db` with another copy of SQLite, such as Python's own. The two
do not see each other's locks, as these belong to the process: whoever closes the file takes itself
for the last one, and removes the log that the crawl is writing. The lock of another process keeps
it from that. See https://www.sqlite.org/howtocorrupt.html, section 2.2.1.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import sys, apsw
held = [apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY) for path in sys.argv[1:]]
for db in held:
    db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def held_open(paths: Sequence[Path]) -> Iterator[None]:
    """Have these databases open elsewhere while the block runs. They are in use here, too."""
    holder = _start(paths)
    if holder is None:
        yield
        return
    assert holder.stdout is not None  # noqa: S101
    with holder:
        try:
            holder.stdout.readline()  # it has them, or could not: nothing is worse than without
            yield
        finally:
            holder.kill()  # the end of its input it may never see: forks of ours keep that open


def _start(paths: Sequence[Path]) -> "subprocess.Popen[bytes] | None":
    """The process; None where there is no Python to run, or none can be started."""
    if not sys.executable or getattr(sys, "frozen", False):  # a frozen program would begin again
        return None
    try:
        return subprocess.Popen(  # noqa: S603 - our own words, and paths as arguments
            [sys.executable, "-P", "-c", _HOLD, *map(str, paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is meant for us
        )
    except OSError:
        return None
