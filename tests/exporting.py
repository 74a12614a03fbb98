"""Writing what a crawl stored to a file, as `export` does."""

from pathlib import Path

from asyncmultispider.outputs import Exported, check_target, write_output


def export(pages_db: Path, target: Path, *, bodies: bool = False) -> Exported:
    """Write one file."""
    (written,) = write_output(check_target(str(target)), pages_db, bodies=bodies)
    return written
