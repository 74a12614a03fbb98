"""TLS servers that are not what they should be: nothing is asked of them, and nothing is taken.

With `insecure` their pages come, where they have pages.
"""

import asyncio
import contextlib
import ipaddress
import json
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asyncmultispider.fetch.curl import AsyncCurlFetcher, CurlFetcher
from asyncmultispider.model import Failure, Reason, Request, Response, Result
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of
from crawling import crawl_site, links
from exporting import export
from webserver import Certificates, Reply, Site

DEADLINE = 10
HERE = "127.0.0.1"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def blocking(settings: Settings) -> Result:
    fetcher = CurlFetcher(settings)
    try:
        return fetcher.fetch(request(settings))
    finally:
        fetcher.close()


def on_a_loop(settings: Settings) -> Result:
    async def fetch() -> Result:
        fetcher = AsyncCurlFetcher(settings)
        try:
            return await fetcher.fetch(request(settings))
        finally:
            await fetcher.aclose()

    return asyncio.run(fetch())


def request(settings: Settings) -> Request:
    url = settings.seeds[0]
    return Request(id=0, url=url, host=host_of(url))


Fetch = Callable[[Settings], Result]
both = pytest.mark.parametrize("fetch", [blocking, on_a_loop])


# Certificates


def self_signed(folder: Path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HERE)])
    address = x509.IPAddress(ipaddress.ip_address(HERE))
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    pem = folder / "self-signed.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


Faulty = Callable[[str], ssl.SSLContext]


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Faulty:
    """Makes servers' contexts whose certificates are wrong in one way only, and "valid" ones.

    The authority is trusted.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    def issue(fault: str) -> ssl.SSLContext:
        if fault == "self-signed":
            return self_signed(tmp_path)
        issuer = trustme.CA() if fault == "unknown authority" else authority
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names, since, until = CERTIFICATES.get(fault, ((HERE,), -DAY, DAY))
        leaf = issuer.issue_cert(*names, not_before=NOW + since, not_after=NOW + until)
        leaf.configure_cert(context)
        return context

    return issue


CERTIFICATES = {
    "expired": ((HERE,), -3 * DAY, -DAY),
    "not yet valid": ((HERE,), DAY, 3 * DAY),
    "wrong host": (("elsewhere.test", "127.0.0.2"), -DAY, DAY),
    "wrong kind of name": (("localhost",), -DAY, DAY),
}
FAULTS = {
    "expired": "expired",
    "not yet valid": "not yet valid",
    "wrong host": "match",
    "wrong kind of name": "match",
    "unknown authority": "local issuer",
    "self-signed": "self-signed",
}
"""What is wrong, and a word that tells the user so."""


@both
def test_a_valid_certificate_is_trusted(fetch: Fetch, faulty: Faulty) -> None:
    with Site(tls=faulty("valid")) as site:
        site.page("/", "welcome")
        assert isinstance(fetch(Settings(seeds=(site.url(),))), Response)


@both
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_asked_under_a_bad_certificate(fetch: Fetch, fault: str, faulty: Faulty) -> None:
    with Site(tls=faulty(fault)) as site:
        site.page("/", "welcome")
        result = fetch(Settings(seeds=(site.url(),)))
        assert isinstance(result, Failure)
        assert result.reason is Reason.TLS
        assert "certificate" in result.detail.lower(), "`choose_seeds` goes by this"
        assert FAULTS[fault] in result.detail
    assert site.connections == 1
    assert site.requests == []


@both
@pytest.mark.parametrize("fault", FAULTS)
def test_an_insecure_crawl_takes_any_certificate(fetch: Fetch, fault: str, faulty: Faulty) -> None:
    with Site(tls=faulty(fault)) as site:
        site.page("/", "welcome")
        result = fetch(Settings(seeds=(site.url(),), insecure=True))
        assert isinstance(result, Response)
        assert result.body == b"welcome"


# Protocols


@pytest.fixture
def old(faulty: Faulty) -> Iterator[Site]:
    """A server that speaks TLS 1.0 and 1.1 only, which RFC 8996 has abolished.

    Its certificate is good: but for the protocol it would be trusted.
    """
    with Site(tls=grown_old(faulty("valid"))) as site:
        if not speaks_old(site):
            pytest.skip("this OpenSSL can't serve TLS 1.1")
        site.page("/", "welcome")
        yield site


def grown_old(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def speaks_old(site: Site) -> bool:
    context = grown_old(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError):
        with socket.create_connection((HERE, site.port), DEADLINE) as connection:
            with context.wrap_socket(connection) as secured:
                return secured.version() == "TLSv1.1"
    return False


@both
def test_an_abolished_protocol_is_not_spoken(fetch: Fetch, old: Site) -> None:
    for insecure in (False, True):
        result = fetch(Settings(seeds=(old.url(),), insecure=insecure))
        assert isinstance(result, Failure)
        assert result.reason is Reason.TLS
    assert old.requests == []


# Handshakes


class Listener:
    """A server that is not even TLS: `answer` gets each connection, and what came first on it."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._answer = answer
        self._socket = socket.create_server((HERE, 0))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.url = f"https://127.0.0.1:{self._socket.getsockname()[1]}/"
        self.received = b""

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        self._socket.close()
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection:
                    connection.settimeout(DEADLINE)
                    self.received += connection.recv(65536)
                    self._answer(connection)
                    self._read_on(connection)

    def _read_on(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while more := connection.recv(65536):
                self.received += more


def plain_http(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def another_protocol(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n")


def close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def alert(connection: socket.socket) -> None:
    connection.sendall(bytes([21, 3, 3, 0, 2, 2, 40]))  # fatal: handshake_failure


def stall(connection: socket.socket) -> None:
    connection.sendall(bytes([22, 3, 3, 0, 100]))  # the beginning of a record


@both
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (plain_http, Reason.TLS),
        (another_protocol, Reason.TLS),
        (close, Reason.TLS),
        (reset, Reason.TLS),
        (alert, Reason.TLS),
        (stall, Reason.TIMEOUT),
    ],
)
def test_a_handshake_that_fails(
    fetch: Fetch, answer: Callable[[socket.socket], None], reason: Reason
) -> None:
    for insecure in (False, True):
        with Listener(answer) as server:
            timeout = 0.3 if reason is Reason.TIMEOUT else DEADLINE
            settings = Settings(seeds=(server.url,), timeout=timeout, insecure=insecure)
            result = fetch(settings)
        assert isinstance(result, Failure)
        assert result.reason is reason, result.detail
        assert server.received.startswith(b"\x16\x03"), "a ClientHello"
        assert b"GET " not in server.received
        assert b"HTTP/1.1\r\n" not in server.received


def test_pages_that_came_unverified_are_marked(tmp_path: Path) -> None:
    """In pages.db and in exports; plain http has nothing to verify."""
    with Site(tls=Certificates(tmp_path).valid) as site:
        site.page("/", links("/1", "/gone", "/moved"))
        site.page("/1", "x")
        site.route("/moved", Reply(302, headers=(("Location", "/1"),)))
        crawled = crawl_site(tmp_path, site.url(), insecure=True)
        marked = {row["url"] for row in crawled.query("pages.db", "SELECT * FROM unverified")}
        assert marked == {site.url(path) for path in ("/", "/1", "/moved")}
        out = tmp_path / "out.jsonl"
        export(crawled.directory / "pages.db", out)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        assert [line["unverified"] for line in lines] == [True] * 3
    with Site() as plain:
        plain.page("/", "x")
        crawled = crawl_site(tmp_path, plain.url(), insecure=True)
        assert list(crawled.query("pages.db", "SELECT * FROM unverified")) == []
