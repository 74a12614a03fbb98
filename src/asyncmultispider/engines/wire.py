"""What a supervisor and its workers say to each other: msgpack over a pair of sockets.

The pair is unnamed: nobody but the two processes that hold its ends can speak or listen.
A message is its length in four bytes, big-endian, and then itself.
"""

import asyncio
import socket
from contextlib import suppress
from typing import Generic, TypeVar

from msgspec import MsgspecError, Struct, msgpack, structs

from asyncmultispider.model import Outcome, Request

M = TypeVar("M", "Work", "Report")
PULSE = 5.0
"""Seconds between two signs of life of a worker: a byte each, on a pair of sockets of their own."""
NOBODY = Request(id=0, url="", host="")


class Work(Struct, frozen=True, array_like=True):
    """From the supervisor: fetch these; `stop`: finish what was begun, and begin nothing more."""

    requests: list[Request] = []
    stop: bool = False


class Report(Struct, frozen=True, array_like=True):
    """From a worker: what came of these leases. The first one is empty: it is ready.

    Pages and items are in the store, with `more` pages than before. `begun` is the lease of a
    suspect whose answer has come. `trouble` says that the store failed, or with `usage`, what the
    user must change.
    """

    leases: list[int] = []
    outcomes: list[Outcome] = []
    more: int = 0
    begun: int | None = None
    trouble: str | None = None
    usage: bool = False


class Line(Generic[M]):
    """One end of the pair, on an event loop; `M` is what is received."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: type[M]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._encoder = msgpack.Encoder()
        self._decoder: msgpack.Decoder[M] = msgpack.Decoder(kind)

    @classmethod
    async def over(cls, end: socket.socket, kind: type[M]) -> "Line[M]":
        """A line over this end; it owns the socket."""
        return cls(*await asyncio.open_unix_connection(sock=end), kind)

    def send(self, message: Work | Report) -> None:
        """Send without waiting. Nothing happens when the other end is gone."""
        data = self._encoder.encode(message)
        self._writer.write(len(data).to_bytes(4) + data)

    async def receive(self) -> M | None:
        """The next message; None when the other end is gone, or speaks another language."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4))
            return self._decoder.decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except (MsgspecError, UnicodeDecodeError, RecursionError):  # a handler wrote into it?
            return None

    def hang_up(self) -> None:
        """Say nothing more, but go on listening."""
        with suppress(OSError):  # the other end is gone
            self._writer.write_eof()

    async def close(self) -> None:
        """End it when all that was sent is on its way, or the other end is gone."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


def without_page(outcome: Outcome) -> Outcome:
    """An outcome as it is reported: its page and items are stored, its request is known."""
    return structs.replace(outcome, request=NOBODY, page=None, items=())
