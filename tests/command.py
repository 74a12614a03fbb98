"""The command line as its users have it: real processes, with a deadline on every wait.

    ended = run("status", directory)
    with start("crawl", url, "-d", directory, terminal=True) as crawl:
        crawl.wait_for("pages")
        crawl.type("\\x03")
        assert crawl.end().code == 130

What always holds: standard input is empty unless given, and no process outlives its `with` block.
"""

import contextlib
import fcntl
import json
import os
import pty
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncmultispider

DEADLINE = 60.0
"""Seconds after which a wait fails."""

_SOURCES = str(Path(asyncmultispider.__file__).parents[1])
_COMMAND = (sys.executable, "-m", "asyncmultispider")
# Run before the command, in its process: make the terminal on stdin its controlling one.
_IN_SESSION = (
    "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
_WITH_FILE_LIMIT = (
    "import os, resource as r, sys; n = int(sys.argv[1]); r.setrlimit(r.RLIMIT_FSIZE, (n, n)); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


@dataclass(frozen=True)
class Ended:
    """What a process left: exit code, standard output and standard error (or the terminal)."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be one line with one JSON object."""
        assert self.out.count("\n") == 1, self.out
        value = json.loads(self.out)
        assert isinstance(value, dict), value
        return value


class _Stream:
    """Reads a file descriptor to its end, in a thread."""

    def __init__(self, descriptor: int, changed: threading.Condition) -> None:
        self._descriptor = descriptor
        self._changed = changed
        self._data = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # a terminal whose other end is closed says EIO
            while chunk := os.read(self._descriptor, 65536):
                with self._changed:
                    self._data += chunk
                    self._changed.notify_all()

    @property
    def text(self) -> str:
        return self._data.decode(errors="surrogateescape")

    def all(self) -> str:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "somebody still holds the process's output"
        return self.text


class Running:
    """A process at work."""

    def __init__(self, process: "subprocess.Popen[bytes]", err: int, terminal: bool) -> None:
        assert process.stdout is not None
        self._process = process
        self._terminal = err if terminal else None
        self._changed = threading.Condition()
        self._out = _Stream(process.stdout.fileno(), self._changed)
        self._err = _Stream(err, self._changed)

    def wait_for(self, text: str, deadline: float = DEADLINE) -> None:
        """Wait until standard error holds this text."""
        with self._changed:
            if self._changed.wait_for(lambda: text in self._err.text, deadline):
                return
        raise AssertionError(f"no {text!r} within {deadline} s: {self._err.text!r}")

    def type(self, keys: str) -> None:
        """Press keys at the terminal."""
        assert self._terminal is not None
        os.write(self._terminal, keys.encode())

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self, deadline: float = DEADLINE) -> Ended:
        """Wait for its end."""
        code = self._process.wait(deadline)
        return Ended(code, self._out.all(), self._err.all())

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it now (SIGKILL), if it has not ended."""
        self._process.kill()
        self.end()


@contextlib.contextmanager
def start(
    *args: object,
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
    terminal: bool = False,
    file_limit: int | None = None,
    program: Path | None = None,
) -> Iterator[Running]:
    """Start a command. With `terminal`, stdin and stderr are one, 100 columns wide.

    `file_limit` is the size in bytes beyond which it can't write a file; `program` is a script
    that runs the command line in some special way.
    """
    launch = _COMMAND if program is None else [sys.executable, str(program)]
    command = [*launch, *(os.fspath(a) if isinstance(a, Path) else str(a) for a in args)]
    if file_limit is not None:
        command = [sys.executable, "-c", _WITH_FILE_LIMIT, str(file_limit), *command]
    if terminal:
        command = [sys.executable, "-c", _IN_SESSION, *command]
    path = os.pathsep.join(filter(None, [_SOURCES, os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path, "TERM": "xterm-256color"} | (env or {})
    with contextlib.ExitStack() as stack:
        master, slave = pty.openpty() if terminal else (-1, -1)
        if terminal:
            stack.callback(os.close, master)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=slave if terminal else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=slave if terminal else subprocess.PIPE,
            start_new_session=terminal,
        )
        stack.callback(_close, process)
        if terminal:
            os.close(slave)
        else:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                pipe.write(stdin)
        running = Running(process, master if terminal else process.stderr.fileno(), terminal)
        stack.callback(running.kill)
        yield running


def run(*args: object, **how: Any) -> Ended:
    """Run a command to its end; the options are those of `start`."""
    with start(*args, **how) as process:
        return process.end()


def python(code: str, *args: str, keep: tuple[int, ...] = ()) -> Ended:
    """Run a piece of Python that can import the package, with these descriptors open."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *args],
        env=os.environ | {"PYTHONPATH": _SOURCES},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        pass_fds=keep,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def complaint(*args: object, code: int = 2, **how: Any) -> str:
    """Run a command that must fail: nothing on stdout, one line on stderr, which is returned."""
    ended = run(*args, **how)
    assert "Traceback" not in ended.err, ended.err
    assert ended.code == code, ended
    assert ended.out == "", ended
    lines = ended.err.splitlines()
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("asyncmultispider: "), ended.err
    assert lines[0].isprintable(), ended.err
    return lines[0]


def ledger(directory: Path, *options: str) -> dict[str, tuple[str, str]]:
    """What `urls` prints: URL -> (state, reason)."""
    ended = run("urls", directory, *options)
    assert ended.code == 0, ended
    rows = [line.split("\t") for line in ended.out.splitlines()]
    found = {url: (state, reason) for state, reason, url in rows}
    assert len(found) == len(rows), "a URL came twice"
    return found


def query(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask pages.db, as anyone with SQLite can."""
    with contextlib.closing(sqlite3.connect(directory / "pages.db")) as db:
        return db.execute(sql).fetchall()


def snapshot(folder: Path, keep: Callable[[Path], bool] = lambda _: True) -> dict[str, bytes]:
    """The files of a folder and their bytes."""
    files = [path for path in folder.rglob("*") if path.is_file() and keep(path)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _close(process: "subprocess.Popen[bytes]") -> None:
    for file in (process.stdout, process.stderr):
        if file is not None:
            file.close()
