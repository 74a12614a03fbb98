"""The crawl command as a process group of its own, to stop and kill in part or whole.

What always holds: the first process, the supervisor, is not reaped before `close`, so that its id,
which is the group's, can't have become somebody else's. Nothing of the group outlives `close`.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGKILL, Signals

import asyncmultispider

DEADLINE = 60.0
"""Seconds after which a wait fails."""
_SOURCES = str(Path(asyncmultispider.__file__).parents[1])
_PAUSE = 0.001
_HELPER = b"resource_tracker"
"""In the command line of a process of multiprocessing that is no worker."""


class Hung(AssertionError):
    """What must happen did not happen within `DEADLINE`."""


def wait(what: str, condition: Callable[[], bool]) -> None:
    """Wait until the condition holds. Raises `Hung`, which says what it was, after `DEADLINE`."""
    if not holds_within(DEADLINE, condition):
        raise Hung(f"not within {DEADLINE:.0f} s: {what}")


def holds_within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait until the condition holds, or the time is over; whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


class Group:
    """A running command. Its standard output and standard error go to `log`."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        path = os.pathsep.join(filter(None, [_SOURCES, os.environ.get("PYTHONPATH")]))
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "asyncmultispider", *arguments],
                env=os.environ | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def code(self) -> int | None:
        """The supervisor's exit code, or minus the signal that ended it; None while it runs."""
        if self._process.returncode is not None:
            return self._process.returncode
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    @property
    def ended(self) -> bool:
        """Whether the supervisor has ended."""
        return self.code is not None

    @property
    def said(self) -> str:
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-2000:]

    def members(self) -> list[int]:
        """Who is alive in the group."""
        return [pid for pid, _ in self._alive()]

    def workers(self) -> list[int]:
        """The worker processes of a supervisor that is alive."""
        return [pid for pid, parent in self._alive() if parent == self.pid and not _helps(pid)]

    def kill(self, pid: int) -> None:
        """SIGKILL one of the group, and wait until it is dead."""
        self.signal(pid, SIGKILL)
        wait(f"the death of process {pid}", lambda: self._is_dead(pid))

    def kill_all(self) -> None:
        """SIGKILL all of the group at once, and wait until they are dead."""
        self.signal_all(SIGKILL)
        wait(f"the death of {self.pid} and its group", lambda: self.ended and not self.members())

    def signal(self, pid: int, number: Signals) -> None:
        """Send a signal to one of the group, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def signal_all(self, number: Signals) -> None:
        """Send a signal to all of the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        """End it all."""
        if self._process.returncode is None:
            self.kill_all()
            self._process.wait()

    def _is_dead(self, pid: int) -> bool:
        # While its other threads are ending, it looks dead already.
        return pid not in self.members() and (pid != self.pid or self.ended)

    def _alive(self) -> Iterator[tuple[int, int]]:
        """Process ids, each with its parent's."""
        for entry in os.scandir("/proc"):
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):  # it may go at any moment
                    stat = Path(entry.path, "stat").read_text(errors="replace")
                    state, parent, group = stat.rpartition(")")[2].split()[:3]
                    if int(group) == self.pid and state not in "ZX":
                        yield int(entry.name), int(parent)


def _helps(pid: int) -> bool:
    try:
        return _HELPER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True  # it is gone
