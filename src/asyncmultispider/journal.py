"""`log.jsonl`: a line for each thing a person may want to look up after a crawl.

It is ASCII: what a server said may be shown on a terminal as it stands there.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from os import SEEK_END
from pathlib import Path

from asyncmultispider.errors import StorageError
from asyncmultispider.model import Batch, Closed, Outcome, State
from asyncmultispider.observe import Observer
from asyncmultispider.settings import without_user

BLOCK = 65536
"""Bytes that are read at once to find the end of the last line."""


class Journal(Observer):
    """Appends JSON lines: starts and stops, and every try that gave no page, or not all of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("a+b")
            self._drop_half_line()
        except OSError as error:
            raise StorageError(f"{str(path)!r}: {error.strerror}") from error

    def _drop_half_line(self) -> None:
        # A full disk or a power cut may have left one.
        size = end = self._file.seek(0, SEEK_END)
        while end > 0:
            start = max(0, end - BLOCK)
            self._file.seek(start)
            whole = self._file.read(end - start).rfind(b"\n") + 1
            end = start + whole
            if whole:
                break
        if end < size:
            self._file.truncate(end)

    def note(self, event: str, **facts: object) -> None:
        """Write one line now."""
        self._write([{"at": _now(), "event": event, **facts}])

    def taken(self, batch: Batch, in_flight: int) -> None:
        """See `Observer.taken`."""
        self._write([_closing(end) for end in batch.closed if end.state is not State.SKIPPED])

    def committed(self, outcomes: Sequence[Outcome]) -> None:
        """See `Observer.committed`."""
        self._write(
            [_line(o) for o in outcomes if o.state is not State.DONE or o.detail is not None]
        )

    def blocked(self, handler: str, seconds: float) -> None:
        """See `Observer.blocked`."""
        self.note("blocked", handler=handler, seconds=round(seconds, 3))

    def close(self) -> None:
        """Close the file. Every line was flushed when it was written."""
        with suppress(OSError):
            self._file.close()

    def _write(self, lines: Sequence[dict[str, object]]) -> None:
        if not lines:
            return
        try:
            self._file.write("".join(f"{json.dumps(line)}\n" for line in lines).encode())
            self._file.flush()
        except OSError as error:
            raise StorageError(f"{str(self._path)!r}: {error.strerror}") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _closing(end: Closed) -> dict[str, object]:
    line: dict[str, object] = {
        "at": _now(),
        "event": end.state,
        "url": without_user(end.request.url),
    }
    return line | {"reason": end.reason} | ({"detail": end.detail} if end.detail else {})


def _line(outcome: Outcome) -> dict[str, object]:
    request = outcome.request
    event = "retry" if outcome.state is State.QUEUED else outcome.state.value
    line = {
        "at": _now(),
        "event": event,
        "url": without_user(request.url),
        "reason": outcome.reason,
        "try": request.attempt,
        "retry_in": round(outcome.retry_in, 3) or None,
        "detail": outcome.detail,
    }
    if outcome.robots is not None:
        line["reason"] = outcome.robots.reason or "robots-unavailable"
    return {key: value for key, value in line.items() if value is not None}
