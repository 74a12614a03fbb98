"""One transfer: where all options of libcurl are set, and all that a server sends is weighed."""

import os
import socket
from contextlib import suppress
from time import perf_counter, time
from typing import NoReturn

import pycurl

from asyncmultispider.fetch.cookies import Jar
from asyncmultispider.fetch.decoding import ACCEPTED, DecodeError, codings_of, decode
from asyncmultispider.fetch.guard import Guard
from asyncmultispider.fetch.headers import BLANK, parse_headers
from asyncmultispider.fetch.identity import Identity
from asyncmultispider.fetch.passage import Passage
from asyncmultispider.model import Failure, Reason, Request, Response, Result
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
MAX_HEADER_BYTES = 64 * 1024
"""Bytes of header fields, interim answers and trailers, all together."""
MAX_HEADER_LINES = 512
MAX_INTERIM = 16
"""Interim answers (1xx) before the one that counts."""
STATUS_LINE = (b"HTTP/", b"http/")
"""How an answer begins; libcurl takes both."""
MANY_PIECES = 64
MAX_ASIDE = 64 * 1024
"""Bytes that are read of a body that is no page: of a redirect or an error."""

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
    pycurl.E_FILESIZE_EXCEEDED: Reason.TOO_LARGE,
    100: Reason.TOO_LARGE,  # CURLE_TOO_LARGE
}
"""libcurl's errors in our words (pycurl lacks names for some). The rest is `protocol`: not HTTP."""


class HandedSocket(socket.socket):
    """A socket that libcurl duplicates and then leaves to us: it goes without a warning."""

    def __del__(self) -> None:
        with suppress(AttributeError):  # it was never opened
            self.close()


class Transfer:
    """One reusable libcurl handle and what it received. All handles of a crawl are set up alike.

    `size` counts the bytes of the body as they come, with their content coding.
    """

    _fault: tuple[Reason, str] | None

    def __init__(self, settings: Settings, guard: Guard, identity: Identity) -> None:
        self.curl = curl = pycurl.Curl()
        self._guard = guard
        self._fields = identity.fields
        self._jar = identity.jar
        self._url = ""
        self._passage = Passage(curl, identity.proxies) if identity.proxies else None
        self._max_body = settings.max_body
        self._lines = identity.fields.common
        self._vary = identity.fields.vary or identity.jar is not None
        self._special = self._vary  # or the last request had lines of its own
        self._cookie: bytes | None = None
        self._trusting = settings.insecure
        self.lines: list[bytes] = []
        self._reset("", settings.max_body, may_cut=False)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, False)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.ACCEPT_ENCODING, ACCEPTED)
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, False)
        curl.setopt(pycurl.USERAGENT, settings.user_agent)
        curl.setopt(pycurl.HTTPHEADER, self._lines)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(1000 * min(CONNECT_TIMEOUT, settings.timeout)))
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(1000 * settings.timeout)))
        curl.setopt(pycurl.LOW_SPEED_LIMIT, LOWEST_SPEED)
        curl.setopt(pycurl.LOW_SPEED_TIME, max(1, int(min(STALL_TIMEOUT, settings.timeout))))
        curl.setopt(pycurl.BUFFERSIZE, BUFFER)
        curl.setopt(pycurl.NOSIGNAL, True)
        curl.setopt(pycurl.PATH_AS_IS, True)
        # Only the settings decide on proxies, not the environment or a .netrc.
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.NOPROXY, "")
        curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)
        curl.setopt(pycurl.HEADERFUNCTION, self._read_header)
        curl.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)  # RFC 8996: no older ones
        if settings.insecure:
            curl.setopt(pycurl.SSL_VERIFYPEER, 0)
            curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("CURL_CA_BUNDLE")
        if bundle:
            curl.setopt(pycurl.CAINFO, bundle)
            curl.setopt(pycurl.PROXY_CAINFO, bundle)
        if self._passage is None:  # the proxy connects for us, and is the user's own choice
            curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)

    def prepare(self, request: Request) -> None:
        """Get ready to perform this request."""
        # The host that is asked, not the request's: a robots.txt may be redirected elsewhere.
        host = host_of(request.url)
        cap = MAX_ROBOTS if request.robots else self._max_body
        self._reset(host, cap, may_cut=request.robots)
        self._unverified = self._trusting and request.url.startswith("https:")
        if not self._guard.allows_port(host):
            self._refuse(Reason.BAD_PORT, f"{host} has a port of another protocol")
        if self._passage is not None and not self._guard.allows_name(host):
            self._refuse(Reason.PRIVATE_ADDRESS, f"{host} is not a public address")
        self.curl.setopt(pycurl.URL, request.url)
        if self._special or request.extra is not None:
            self._dress(request)
        if self._passage is None:  # libcurl would rewrite escapes: "%d0" to "%D0"
            self.curl.setopt(pycurl.REQUEST_TARGET, "/" + request.url.split("/", 3)[3])
        else:
            self._passage.choose(host)

    def response(self) -> Result:
        """What a performed transfer received."""
        status: int = self.curl.getinfo(pycurl.RESPONSE_CODE)
        self._status = status  # libcurl is more lenient than `_read_header`
        if not status:
            return self._fail(Reason.PROTOCOL, "the answer was not HTTP")
        if not self._ended:  # libcurl takes the end of the connection for that of the fields
            return self._fail(Reason.TRUNCATED, "the header fields end early")
        if self._passage is not None and self._passage.is_refused(status):
            return self._fail(Reason.PROXY, f"the proxy asks for another login ({status})")
        headers = parse_headers(self.lines)
        if self._jar is not None:
            self._jar.store(self._url, headers, time())
        body = bytes(self.chunks[0]) if len(self.chunks) == 1 else b"".join(self.chunks)
        codings = codings_of(headers)
        if codings:
            try:
                body = decode(body, codings, self._cap, cut=self._may_cut)
            except DecodeError as error:
                if self._is_page():
                    return self._fail(error.reason, error.detail)
                body = b""  # what matters is that it was refused, or redirected
        return Response(
            status=status,
            headers=headers,
            body=body,
            at=time(),
            elapsed=perf_counter() - self._began,
            unverified=self._unverified,
        )

    def failure(self, error: pycurl.error) -> Result:
        """Why a performed transfer received nothing of use."""
        code, message = error.args
        if self._fault is not None:
            return self._fail(*self._fault)
        if self._has_answer():
            return self.response()
        if self._passage is not None:
            reason = self._passage.blame(code, answered=self._answered)
            if reason is not None:
                return self._fail(reason, message)
        if code == pycurl.E_RECV_ERROR and not self.curl.getinfo(pycurl.OS_ERRNO):
            # Not the network: libcurl could not make sense of what it read.
            return self._fail(Reason.PROTOCOL, message)
        return self._fail(REASONS.get(code, Reason.PROTOCOL), message)

    def _has_answer(self) -> bool:
        # A proxy's answer to CONNECT is none.
        if not (self._answered and self.curl.getinfo(pycurl.RESPONSE_CODE)):
            return False
        return not self._is_page() or (self._may_cut and self.size > self._cap)

    def _is_page(self) -> bool:
        return 200 <= self._status < 300

    def _fail(self, reason: Reason, detail: str) -> Failure:
        # libcurl quotes what a server said, which need not be text, and the proxy's whole URL.
        if self._passage is not None:
            detail = self._passage.hide_login(detail)
        detail = detail.encode(errors="backslashreplace").decode()
        return Failure(
            reason=reason, detail=detail, at=time(), elapsed=perf_counter() - self._began
        )

    def _refuse(self, reason: Reason, detail: str) -> NoReturn:
        self._fault = reason, detail
        raise pycurl.error(pycurl.E_COULDNT_CONNECT, detail)

    def _dress(self, request: Request) -> None:
        """Set what differs from request to request, and only if it does."""
        lines = self._lines_of(request)
        if lines is not self._lines:
            self._lines = lines
            self.curl.setopt(pycurl.HTTPHEADER, lines)
        if self._jar is not None:
            self._offer_cookies(self._jar, request.url)
        self._special = self._vary or lines is not self._fields.common

    def _lines_of(self, request: Request) -> list[str]:
        try:
            return self._fields.of(request.url, request.extra)
        except ValueError as error:
            self._refuse(Reason.HANDLER, str(error))

    def _offer_cookies(self, jar: Jar, url: str) -> None:
        self._url = url
        cookie = jar.cookie(url, time())
        if cookie is not None:  # libcurl leaves it out when the lines have a Cookie field
            self.curl.setopt(pycurl.COOKIE, cookie)
        elif self._cookie is not None:
            self.curl.unsetopt(pycurl.COOKIE)
        self._cookie = cookie

    def _reset(self, host: str, cap: int, *, may_cut: bool) -> None:
        self._host = host
        self._cap = cap
        self._may_cut = may_cut
        self._fault = None
        self._unverified = False
        self._began = perf_counter()
        self._status = 0
        self._answered = False
        self._ended = False
        self._interim = 0
        self._header_size = 0
        self.lines.clear()
        self.chunks: list[bytes | bytearray] = []
        self.size = 0

    def _read_header(self, line: bytes) -> int | None:
        self._header_size += len(line)
        if self._header_size > MAX_HEADER_BYTES or len(self.lines) >= MAX_HEADER_LINES:
            self._fault = (
                Reason.TOO_LARGE,
                f"more than {MAX_HEADER_BYTES} bytes or {MAX_HEADER_LINES} lines of header fields",
            )
            return 0
        self.lines.append(line)
        if len(line) <= 2 and line in BLANK:
            return self._end_header()
        if line.startswith(STATUS_LINE):
            code = [*line.split(maxsplit=2), b"", b""][1]
            self._status = int(code) if code.isdigit() and len(code) == 3 else 0
            self._ended = False
            self._fault = None  # of another address of this host
        return None

    def _end_header(self) -> int | None:
        self._ended = True
        if self._status >= 200:
            self._answered = True
            if not self._is_page():
                self._cap, self._may_cut = min(self._cap, MAX_ASIDE), True
            return None
        self._interim += 1
        if self._interim <= MAX_INTERIM:
            return None
        self._fault = Reason.PROTOCOL, f"more than {MAX_INTERIM} interim answers (1xx)"
        return 0

    def _write(self, chunk: bytes) -> int | None:
        self.size += len(chunk)
        if self.size <= self._cap:
            self._keep(chunk)
            return None
        if self._may_cut:
            self._keep(chunk[: self._cap - self.size])
        else:
            self._fault = Reason.TOO_LARGE, f"more than {self._cap} bytes"
        return 0

    def _keep(self, chunk: bytes) -> None:
        # A few pieces are joined at the end. Of very many, each would take more than its bytes.
        if len(self.chunks) == MANY_PIECES:
            self.chunks = [bytearray().join(self.chunks)]
        last = self.chunks[-1] if self.chunks else None
        if isinstance(last, bytearray):
            last += chunk
        else:
            self.chunks.append(chunk)

    def _open_socket(
        self, _purpose: int, address: tuple[int, int, int, tuple[str, int]]
    ) -> socket.socket | int:
        family, kind, protocol, target = address
        if not self._guard.allows(self._host, target[0]):
            self._fault = Reason.PRIVATE_ADDRESS, f"{target[0]} is not a public address"
            return int(pycurl.SOCKET_BAD)
        self._fault = None  # of another address that the name has
        try:
            return HandedSocket(family, kind, protocol)
        except OSError:  # no more files, or no such family: it does not connect
            return int(pycurl.SOCKET_BAD)
