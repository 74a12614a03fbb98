"""Fetching with libcurl. One place sets the options, for both colours."""

import asyncio
import os
import socket
from contextlib import suppress
from functools import lru_cache
from threading import Condition
from time import perf_counter, time

import pycurl

from asyncmultispider.fetch.guard import Guard
from asyncmultispider.fetch.multi import make_multi
from asyncmultispider.model import Failure, Headers, Reason, Request, Response, Result
from asyncmultispider.robots import MAX_BYTES as MAX_ROBOTS
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of

CONNECT_TIMEOUT = 10.0
"""Most seconds for a connection, TLS included."""
STALL_TIMEOUT = 30.0
"""Most seconds without a first byte, or below `LOWEST_SPEED`."""
LOWEST_SPEED = 1024
"""Bytes a second below which a transfer counts as stalled."""
BUFFER = 128 * 1024
MEMORABLE = 256
"""Header lines shorter than this are parsed once for many answers."""
MAX_BUFFERED = 48 * 2**20
"""Body bytes in unfinished transfers above which all but one that receives have to wait."""

REASONS = {
    pycurl.E_COULDNT_RESOLVE_HOST: Reason.DNS,
    pycurl.E_COULDNT_RESOLVE_PROXY: Reason.PROXY,
    97: Reason.PROXY,  # CURLE_PROXY
    pycurl.E_COULDNT_CONNECT: Reason.CONNECT,
    pycurl.E_INTERFACE_FAILED: Reason.CONNECT,
    pycurl.E_OPERATION_TIMEDOUT: Reason.TIMEOUT,
    pycurl.E_SSL_CONNECT_ERROR: Reason.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: Reason.TLS,
    pycurl.E_SSL_CERTPROBLEM: Reason.TLS,
    pycurl.E_SSL_CIPHER: Reason.TLS,
    pycurl.E_SSL_CACERT_BADFILE: Reason.TLS,
    pycurl.E_SSL_CRL_BADFILE: Reason.TLS,
    pycurl.E_SSL_ISSUER_ERROR: Reason.TLS,
    pycurl.E_SSL_INVALIDCERTSTATUS: Reason.TLS,
    pycurl.E_SSL_ENGINE_INITFAILED: Reason.TLS,
    pycurl.E_GOT_NOTHING: Reason.RESET,
    pycurl.E_SEND_ERROR: Reason.RESET,
    pycurl.E_RECV_ERROR: Reason.RESET,
    pycurl.E_PARTIAL_FILE: Reason.TRUNCATED,
    pycurl.E_BAD_CONTENT_ENCODING: Reason.BAD_ENCODING,
    pycurl.E_WRITE_ERROR: Reason.BAD_ENCODING,  # brotli's; our own refusal is known by the size
    pycurl.E_FILESIZE_EXCEEDED: Reason.TOO_LARGE,
    100: Reason.TOO_LARGE,  # CURLE_TOO_LARGE
}
"""libcurl's errors in our words (pycurl lacks names for some). The rest is `protocol`: not HTTP."""


class HandedSocket(socket.socket):
    """A socket that libcurl duplicates and then leaves to us: it goes without a warning."""

    def __del__(self) -> None:
        with suppress(AttributeError):  # it was never opened
            self.close()


class RequestFields:
    """The header fields that requests carry: `common` ones, and the user's `own` in place of them.

    The own ones may be secrets: they go to the seeds' hosts, and not over http where https was
    named.
    """

    def __init__(self, settings: Settings) -> None:
        self.common = _field_lines(())
        self.own = _field_lines(settings.headers) if settings.headers else []
        seeds = settings.seeds if self.own else ()
        self._hosts = {host_of(seed) for seed in seeds}
        self._plain_hosts = {host_of(seed) for seed in seeds if seed.startswith("http://")}

    def of(self, url: str, host: str) -> list[str]:
        """The lines for a request."""
        secure = url.startswith("https:")
        return self.own if host in (self._hosts if secure else self._plain_hosts) else self.common


class Transfer:
    """One reusable libcurl handle and what it received. All handles of a crawl are set up alike."""

    def __init__(self, settings: Settings, guard: Guard, fields: "RequestFields") -> None:
        self.curl = curl = pycurl.Curl()
        self._guard = guard
        self._fields = fields
        self._max_body = settings.max_body
        self._direct = not settings.proxy
        self._refused: str | None = None
        self.lines: list[bytes] = []
        self._reset("", settings.max_body)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, False)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.ACCEPT_ENCODING, "gzip, deflate, br")
        curl.setopt(pycurl.USERAGENT, settings.user_agent)
        curl.setopt(pycurl.HTTPHEADER, fields.common)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(1000 * min(CONNECT_TIMEOUT, settings.timeout)))
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(1000 * settings.timeout)))
        curl.setopt(pycurl.LOW_SPEED_LIMIT, LOWEST_SPEED)
        curl.setopt(pycurl.LOW_SPEED_TIME, max(1, int(min(STALL_TIMEOUT, settings.timeout))))
        curl.setopt(pycurl.BUFFERSIZE, BUFFER)
        curl.setopt(pycurl.NOSIGNAL, True)
        curl.setopt(pycurl.PATH_AS_IS, True)
        # Only the settings decide on proxies, not the environment or a .netrc.
        curl.setopt(pycurl.PROXY, settings.proxy or "")
        curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)
        curl.setopt(pycurl.HEADERFUNCTION, self.lines.append)
        bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("CURL_CA_BUNDLE")
        if bundle:
            curl.setopt(pycurl.CAINFO, bundle)
        if self._direct:  # the proxy connects for us, and is the user's own choice
            curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)

    def prepare(self, request: Request) -> None:
        """Get ready to perform this request."""
        # The host that is asked, not the request's: a robots.txt may be redirected elsewhere.
        host = host_of(request.url)
        self._reset(host, MAX_ROBOTS if request.robots else self._max_body)
        self._may_cut = request.robots
        if not self._direct and not self._guard.allows_name(host):
            self._refused = host
            raise pycurl.error(pycurl.E_COULDNT_CONNECT, "not asked of the proxy")
        self.curl.setopt(pycurl.URL, request.url)
        if self._fields.own:
            self.curl.setopt(pycurl.HTTPHEADER, self._fields.of(request.url, host))
        if self._direct:  # libcurl would rewrite escapes: "%d0" to "%D0"
            self.curl.setopt(pycurl.REQUEST_TARGET, "/" + request.url.split("/", 3)[3])

    def response(self) -> Result:
        """What a performed transfer received."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if not status:
            return self._fail(Reason.PROTOCOL, "the answer was not HTTP")
        return Response(
            status=status,
            headers=_parse_headers(self.lines),
            body=b"".join(self.chunks) if len(self.chunks) != 1 else self.chunks[0],
            at=time(),
            elapsed=perf_counter() - self._began,
        )

    def failure(self, error: pycurl.error) -> Result:
        """Why a performed transfer received nothing of use."""
        code, message = error.args
        if self._refused is not None:
            return self._fail(Reason.PRIVATE_ADDRESS, f"{self._refused} is not a public address")
        if self.size > self._cap:
            if self._may_cut:
                return self.response()
            return self._fail(Reason.TOO_LARGE, f"more than {self._cap} bytes")
        if code == pycurl.E_RECV_ERROR and not self.curl.getinfo(pycurl.OS_ERRNO):
            # Not the network: libcurl could not make sense of what it read.
            return self._fail(Reason.PROTOCOL, message)
        return self._fail(REASONS.get(code, Reason.PROTOCOL), message)

    def _fail(self, reason: Reason, detail: str) -> Failure:
        return Failure(
            reason=reason, detail=detail, at=time(), elapsed=perf_counter() - self._began
        )

    def _reset(self, host: str, cap: int) -> None:
        self._host = host
        self._cap = cap
        self._may_cut = False
        self._refused = None
        self._began = perf_counter()
        self.lines.clear()
        self.chunks: list[bytes] = []
        self.size = 0

    def _write(self, chunk: bytes) -> int | None:
        self.size += len(chunk)
        if self.size <= self._cap:
            self.chunks.append(chunk)
            return None
        if self._may_cut:
            self.chunks.append(chunk[: self._cap - self.size])
        return 0

    def _open_socket(
        self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]
    ) -> socket.socket | int:
        family, kind, protocol, target = address
        if not self._guard.allows(self._host, target[0]):
            self._refused = target[0]
            return int(pycurl.SOCKET_BAD)
        try:
            return HandedSocket(family, kind, protocol)
        except OSError:  # no more files, or no such family: it does not connect
            return int(pycurl.SOCKET_BAD)


class Turns:
    """Keeps what the fetchers of many threads hold together within bounds: large bodies take turns.

    As with `AsyncCurlFetcher`, one receives on when all hold too much, so that memory comes back.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._held = 0
        self._favoured: object | None = None

    def hold(self, who: object, size: int) -> None:
        """Account for bytes that were received; returns when there is room for them."""
        with self._changed:
            self._held += size
            self._changed.wait_for(lambda: self._may_go_on(who))

    def release(self, who: object, size: int) -> None:
        """Give back what was held."""
        with self._changed:
            self._held -= size
            if self._favoured is who:
                self._favoured = None
            self._changed.notify_all()

    def _may_go_on(self, who: object) -> bool:
        if self._held <= MAX_BUFFERED or self._favoured is who:
            return True
        if self._favoured is None:
            self._favoured = who
        return self._favoured is who


class ThreadTransfer(Transfer):
    """A transfer that waits for its turn, and can be cancelled from another thread."""

    def __init__(
        self, settings: Settings, guard: Guard, fields: RequestFields, turns: Turns
    ) -> None:
        self.cancelled = False
        self._turns = turns
        super().__init__(settings, guard, fields)
        self.curl.setopt(pycurl.NOPROGRESS, False)
        self.curl.setopt(pycurl.XFERINFOFUNCTION, self._should_end)

    def _should_end(self, *_: float) -> bool:
        return self.cancelled

    def _write(self, chunk: bytes) -> int | None:
        self._turns.hold(self, len(chunk))
        return super()._write(chunk)


class CurlFetcher:
    """A `Fetcher`: one handle, to be used by one thread. Those of a crawl share guard and turns."""

    def __init__(
        self, settings: Settings, guard: Guard | None = None, turns: Turns | None = None
    ) -> None:
        self._turns = turns or Turns()
        guard = guard or Guard.of(settings)
        self._transfer = ThreadTransfer(settings, guard, RequestFields(settings), self._turns)

    @property
    def buffered(self) -> int:
        """See `Fetcher`."""
        return self._transfer.size

    def fetch(self, request: Request) -> Result:
        """See `Fetcher.fetch`."""
        transfer = self._transfer
        try:
            transfer.prepare(request)
            transfer.curl.perform()
            return transfer.response()
        except pycurl.error as error:
            return transfer.failure(error)
        finally:
            self._turns.release(transfer, transfer.size)
            transfer.size = 0

    def cancel(self) -> None:
        """See `Fetcher.cancel`."""
        self._transfer.cancelled = True

    def close(self) -> None:
        """See `Fetcher.close`."""
        self._transfer.curl.close()


class AsyncTransfer(Transfer):
    """A transfer that tells its fetcher what it holds, and waits when all hold too much."""

    def __init__(
        self,
        settings: Settings,
        guard: Guard,
        fields: RequestFields,
        fetcher: "AsyncCurlFetcher",
    ) -> None:
        self._fetcher = fetcher
        super().__init__(settings, guard, fields)

    def _write(self, chunk: bytes) -> int | None:
        fetcher = self._fetcher
        if fetcher.buffered > MAX_BUFFERED and fetcher.must_wait(self):
            return int(pycurl.WRITEFUNC_PAUSE)
        fetcher.buffered += len(chunk)
        return super()._write(chunk)


class AsyncCurlFetcher:
    """An `AsyncFetcher`: one libcurl multi handle on the running event loop."""

    def __init__(self, settings: Settings) -> None:
        self.buffered = 0
        self._settings = settings
        self._guard = Guard.of(settings)
        self._fields = RequestFields(settings)
        self._multi = make_multi()
        # As many idle connections are kept as transfers may be in flight.
        self._multi.setopt(pycurl.M_MAXCONNECTS, max(64, settings.concurrency))
        self._idle: list[AsyncTransfer] = []
        self._paused: list[AsyncTransfer] = []
        self._favoured: AsyncTransfer | None = None

    async def fetch(self, request: Request) -> Result:
        """See `AsyncFetcher.fetch`."""
        transfer = self._idle.pop() if self._idle else self._new()
        try:
            transfer.prepare(request)
            await self._multi.perform(transfer.curl)
            return transfer.response()
        except pycurl.error as error:
            return transfer.failure(error)
        finally:
            self._ended(transfer)

    async def aclose(self) -> None:
        """See `AsyncFetcher.aclose`."""
        await self._multi.aclose()
        for transfer in self._idle:
            transfer.curl.close()
        self._idle.clear()

    def must_wait(self, transfer: AsyncTransfer) -> bool:
        """Whether to pause this transfer. One goes on to its end, so that memory is given back."""
        if self._favoured is None:
            self._favoured = transfer
        if transfer is self._favoured:
            return False
        self._paused.append(transfer)
        return True

    def _new(self) -> AsyncTransfer:
        return AsyncTransfer(self._settings, self._guard, self._fields, self)

    def _ended(self, transfer: AsyncTransfer) -> None:
        self.buffered -= transfer.size
        transfer.chunks = []
        self._idle.append(transfer)
        if transfer is self._favoured:
            self._favoured = None
        if transfer in self._paused:
            self._paused.remove(transfer)
        if self._paused and (self._favoured is None or self.buffered <= MAX_BUFFERED):
            # Not from here: libcurl may be calling us.
            asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        # The first that still finds too much in memory is favoured, the others wait again.
        paused, self._paused = self._paused, []
        for transfer in paused:
            with suppress(pycurl.error):  # it has just ended
                transfer.curl.pause(pycurl.PAUSE_CONT)


def _field_lines(own: Headers) -> list[str]:
    fields = {"accept": "Accept: text/html,application/xhtml+xml,*/*;q=0.8"}
    for name, value in own:
        # libcurl drops a field without a value; with ";" it is sent empty.
        fields[name.lower()] = f"{name}: {value}" if value else f"{name};"
    return list(fields.values())


def _parse_headers(lines: list[bytes]) -> Headers:
    fields: list[tuple[str, str]] = []
    for line in lines:
        field = _known_field(line) if len(line) < MEMORABLE else _parse_field(line)
        if field is not None:
            fields.append(field)
        elif line.startswith(b"HTTP/"):  # what came before belongs to an interim answer (1xx)
            fields.clear()
        elif line[:1] in (b" ", b"\t") and fields:  # obsolete folding, RFC 9112 section 5.2
            name, value = fields[-1]
            fields[-1] = name, f"{value} {line.decode('latin-1').strip()}"
    return tuple(fields)


def _parse_field(line: bytes) -> tuple[str, str] | None:
    """A header field; None: no field begins here."""
    if line[:1] in (b" ", b"\t") or line.startswith(b"HTTP/"):
        return None
    name, colon, value = line.decode("latin-1").partition(":")
    return (name.strip().lower(), value.strip()) if colon else None


# The answers of a server share most of their fields.
_known_field = lru_cache(maxsize=1024)(_parse_field)
