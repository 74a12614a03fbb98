"""Run a command and measure it: wall time, CPU of its process tree, peak memory. Linux only.

On Linux a process starts its life with its parent's peak memory on its account: a small command
started by a big program looks big. So `measure` runs this file as a script in a bare interpreter,
and that starts the command. Peaks below the interpreter's own (about 14 MB) can't be seen.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a command cost: `wall` and `cpu` (user + system) in seconds, `peak` in bytes.

    `cpu` covers the command and all descendants that were waited for; `peak` is that of the
    largest single process. `code` is the exit code, negative for a signal.
    """

    wall: float
    cpu: float
    peak: int
    code: int
    timed_out: bool


def measure(command: list[str], *, limit: float, env: dict[str, str], folder: Path) -> Usage:
    """Run `command` for at most `limit` seconds; its output goes to `folder`/stdout and stderr.

    Raises `OSError` when it can't be started. Nothing it started in its session stays behind.
    """
    report = folder / "usage.json"
    launcher = [sys.executable, "-I", "-S", __file__, str(report), str(limit), *command]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(
            launcher, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env
        )
        try:
            process.wait()
        finally:
            process.terminate()
            process.wait()
    if not report.exists():
        raise OSError(f"could not run {command[0]}: {tail(folder / 'stderr')}")
    return Usage(**json.loads(report.read_bytes()))


def tail(path: Path, size: int = 500) -> str:
    """The end of a text file, on one line, for messages."""
    return " | ".join(path.read_text(errors="replace")[-size:].split("\n")).strip(" |")


def _run(command: list[str], limit: float) -> Usage:
    """Run `command` in a session of its own and account for it."""
    began = time.perf_counter()
    child = subprocess.Popen(command, start_new_session=True)
    late = []

    def kill(signum: int, _frame: object) -> None:
        late.append(signum)
        _kill_group(child.pid)

    signal.signal(signal.SIGALRM, kill)
    signal.signal(signal.SIGTERM, kill)
    signal.signal(signal.SIGINT, kill)
    signal.setitimer(signal.ITIMER_REAL, limit)
    # Not reaped yet: as long as it is a zombie its group's number can't be given to another.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    wall = time.perf_counter() - began
    signal.setitimer(signal.ITIMER_REAL, 0)
    _kill_group(child.pid)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Usage(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss * 1024,
        code=child.returncode,
        timed_out=bool(late),
    )


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    usage = _run(sys.argv[3:], float(sys.argv[2]))
    Path(sys.argv[1]).write_text(json.dumps(asdict(usage)))
