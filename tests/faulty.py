"""The command line in a world where something fails; `faults/` says how it is done.

    fault = Fault(tmp_path, "sync", "pages.db-wal")
    with start("crawl", url, env=fault.env) as crawl:
        fault.strike()

What always holds: nothing fails before the strike.
"""

import os
from pathlib import Path

import asyncmultispider

_FAULTS = str(Path(__file__).parent / "faults")
_SOURCES = str(Path(asyncmultispider.__file__).parents[1])


def faulty(**variables: object) -> dict[str, str]:
    """The environment of a command with these faults."""
    path = [_FAULTS, _SOURCES, os.environ.get("PYTHONPATH")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, path))} | {
        name: str(value) for name, value in variables.items()
    }


ORDINARY = faulty(NO_POWER=1)
"""Of a command for which the permissions of files hold, whoever runs it."""


class Fault:
    """One of SQLite's calls that fails on files of one name, for good or just `once`."""

    def __init__(self, folder: Path, call: str, name: str, *, once: bool = False) -> None:
        self._switch = folder / "switch"
        self.env = faulty(FAULT=f"{call} {name} {self._switch}{' once' * once}")

    def strike(self) -> None:
        """From now on."""
        self._switch.touch()

    def mend(self) -> None:
        """Not any more."""
        self._switch.unlink(missing_ok=True)


class Clock:
    """A wall clock that can be set, while the steady clock goes on."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.set(0)
        self.env = faulty(CLOCK=self._offset)

    def set(self, days: float) -> None:
        """To so many days from the true time, in all running commands."""
        new = self._offset.with_suffix(".new")
        new.write_text(str(days * 86400))
        new.replace(self._offset)
