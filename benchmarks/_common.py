"""What the benchmarks share: where they work, and how they say how far they are."""

import os
import sys
import tempfile
from pathlib import Path


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


def work_folder() -> Path:
    """A RAM disk where there is one that we may use, else the folder for temporary files."""
    ram = Path("/dev/shm")
    return ram if ram.is_dir() and os.access(ram, os.W_OK) else Path(tempfile.gettempdir())
