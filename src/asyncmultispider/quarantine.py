"""Pages that may be too much are read in another process, which has little memory and time.

It dies of them, and nobody else does. It is started when the first such page comes: on ordinary
sites one page in five hundred is read there, at the cost of telling what was found.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from time import perf_counter

from msgspec import msgpack

from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.page import Findings, Page, is_outlier
from asyncmultispider.quarantined import OUT_OF_MEMORY, SECONDS, Case, allowance, receive, send

PATIENCE = 60.0
"""Seconds after which nothing is expected any more of a process that may have been stopped."""


class Quarantine:
    """Reads pages one at a time; more threads wait. `agent` is our product token."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._lock = Lock()
        self._reader: subprocess.Popen[bytes] | None = None
        self._closed = False

    @staticmethod
    def case_in(request: Request, result: Result) -> Response | None:
        """The answer, if it is a page that should be read here."""
        if not isinstance(result, Response) or request.aside or result.status // 100 != 2:
            return None
        return result if is_outlier(result.body) and Page(request, result).is_html else None

    def read(self, request: Request, response: Response) -> tuple[Result, Findings | None]:
        """Read a page: it and what was found, or a `Failure` with reason `too-complex`."""
        began = perf_counter()
        case = Case(request.url, response.headers, response.body, self._agent)
        with self._lock:
            told = self._ask(msgpack.encode(case))
        if isinstance(told, Findings):
            return response, told
        elapsed = response.elapsed + perf_counter() - began
        detail = f"parsing it {told}"
        return Failure(
            reason=Reason.TOO_COMPLEX, detail=detail, at=response.at, elapsed=elapsed
        ), None

    def close(self) -> None:
        """End it. Who waits for it hears that it ended."""
        self._closed = True
        reader = self._reader  # who waits for it may bury it meanwhile
        if reader is not None:
            reader.kill()
            with self._lock:
                self._bury()

    def _ask(self, message: bytes) -> Findings | str:
        """What was found, or what became of the reader."""
        if self._closed:
            return "was not begun"
        if self._reader is not None and self._reader.poll() is not None:
            self._bury()  # it died while it had nothing to do: no page is to blame
        try:
            reader = self._reader = self._reader or _start()
        except OSError as error:
            return f"could not begin ({error.strerror})"
        if self._closed:  # while it was started
            reader.kill()
        assert reader.stdin is not None and reader.stdout is not None  # noqa: S101, PT018
        with suppress(BrokenPipeError), _patience_with(reader):
            send(reader.stdin, message)
            if (answer := receive(reader.stdout)) is not None:
                return msgpack.decode(answer, type=Findings)
        reader.kill()
        code = reader.wait()
        self._bury()
        return _how(code, len(message))

    def _bury(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.wait()
            for pipe in (reader.stdin, reader.stdout):
                with suppress(BrokenPipeError):
                    assert pipe is not None  # noqa: S101
                    pipe.close()


def _start() -> "subprocess.Popen[bytes]":
    # As we were started, but never with what lies in the working directory.
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", "from asyncmultispider.quarantined import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        process_group=0,  # Ctrl-C is meant for us
    )


@contextmanager
def _patience_with(reader: "subprocess.Popen[bytes]") -> Iterator[None]:
    """It is killed when the block takes too long."""
    alarm = Timer(PATIENCE, reader.kill)
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()


def _how(code: int, size: int) -> str:
    if code == OUT_OF_MEMORY:
        return f"takes more than {allowance(size) // 2**20} MB of memory"
    if code == -signal.SIGPROF:
        return f"takes more than {SECONDS:g} s of CPU"
    return f"killed the process ({code})" if code != -signal.SIGKILL else "did not end"
