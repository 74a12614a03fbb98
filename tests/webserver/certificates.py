"""Certificates, good and bad."""

import ssl
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import trustme


class Certificates:
    """A certificate authority for tests; clients trust the PEM file at `ca_path`.

    The contexts are for `Site(tls=...)`.
    """

    NAMES = ("127.0.0.1", "localhost")

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.ca_path = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_path))

    @cached_property
    def leaf(self) -> trustme.LeafCert:
        """The valid certificate and its key."""
        return self._ca.issue_cert(*self.NAMES)

    @property
    def valid(self) -> ssl.SSLContext:
        """For 127.0.0.1 and localhost, from the trusted authority."""
        return _context(self.leaf)

    @property
    def expired(self) -> ssl.SSLContext:
        """Right in all but its date."""
        end = datetime(2020, 1, 1, tzinfo=UTC)
        return _context(self._ca.issue_cert(*self.NAMES, not_after=end))

    @property
    def untrusted(self) -> ssl.SSLContext:
        """From an authority nobody knows."""
        return _context(trustme.CA().issue_cert(*self.NAMES))

    @property
    def wrong_host(self) -> ssl.SSLContext:
        """From the trusted authority, for another host."""
        return _context(self._ca.issue_cert("elsewhere.test"))


def _context(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    leaf.configure_cert(context)
    return context
