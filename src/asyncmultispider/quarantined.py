"""The process in which pages are read that may be too much: see `quarantine`.

It imports little, as it is started in the middle of a crawl, and takes the limits upon itself.
"""

import os
import resource
import signal
import sys
from pathlib import Path
from typing import IO

from msgspec import Struct, msgpack

from asyncmultispider.model import Headers, Request, Response
from asyncmultispider.page import Page

SECONDS = 10.0
"""CPU time that a page may take."""
BASE_MEMORY = 40 * 2**20
GROWTH = 20
"""Bytes of memory for each byte of a page; ordinary ones take some 16."""
MOST_MEMORY = 512 * 2**20
OUT_OF_MEMORY = 3
"""Exit code when there is no more memory."""


class Case(Struct, array_like=True):
    """A page to read. `agent` is our product token."""

    url: str
    headers: Headers
    body: bytes
    agent: str


def serve() -> None:
    """Read pages until standard input ends."""
    while (message := receive(sys.stdin.buffer)) is not None:
        _limit(allowance(len(message)))
        try:
            answer = _read(message)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        send(sys.stdout.buffer, answer)
        _lift()


def allowance(size: int) -> int:
    """Bytes of memory that a message of so many bytes may take."""
    return min(BASE_MEMORY + GROWTH * size, MOST_MEMORY)


def send(pipe: IO[bytes], message: bytes) -> None:
    """Write a message: its length in eight bytes, big-endian, and itself."""
    pipe.write(len(message).to_bytes(8))
    pipe.write(message)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes | None:
    """The next message; None when the other end is gone."""
    size = int.from_bytes(pipe.read(8))
    message = pipe.read(size)
    return message if message and len(message) == size else None


def _read(message: bytes) -> bytes:
    case = msgpack.decode(message, type=Case)
    request = Request(id=0, url=case.url, host="")
    response = Response(status=200, headers=case.headers, body=case.body, at=0.0, elapsed=0.0)
    return msgpack.encode(Page(request, response, case.agent).findings())


def _limit(memory: int) -> None:
    """Allocations fail beyond so many bytes more, and SIGPROF ends it when its time is over.

    How large it is already is known on Linux only: elsewhere all of it is counted.
    """
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        memory += pages * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _lift() -> None:
    """The next message may be larger than what this page was allowed."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
