"""A web server for the built-in site: HTTP/1.1 on this machine, as light as it can be."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

from asyncmultispider.bench.helper import Tell, helping
from asyncmultispider.bench.pages import Pages
from asyncmultispider.bench.plan import Site
from asyncmultispider.errors import WorkerError
from asyncmultispider.settings import MOST_CONCURRENT

START = 30.0
"""Seconds for the server to start."""


@contextmanager
def serving(site: Site) -> Iterator[str]:
    """Serve the site, in a process of its own, while the block runs; its URL."""
    with helping(serve, site) as server:
        try:
            port = server.hear(START)
        except EOFError:
            port = None
        if port is None:
            raise WorkerError("the web server of the built-in site did not start")
        yield f"http://127.0.0.1:{port}/"


def serve(site: Site, tell: Tell) -> None:
    """Tell the port, and serve."""
    asyncio.run(_serve(Pages(site), tell))


async def _serve(pages: Pages, tell: Tell) -> None:
    server = await asyncio.get_running_loop().create_server(
        partial(Visitor, pages), "127.0.0.1", 0, backlog=MOST_CONCURRENT
    )
    tell(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class Visitor(asyncio.Protocol):
    """A connection. A request has no body, and comes when the one before was answered."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            _, path, _ = head.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)
            wait, answer = self._pages.answer(path)
            if wait:
                asyncio.get_running_loop().call_later(wait, self._transport.write, answer)
            else:
                self._transport.write(answer)
