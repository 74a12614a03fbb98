"""Fixtures for tests against a real server on this machine."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from crawling import Crawled, crawl_site
from webserver import Certificates, Site

pytest.register_assert_rewrite("cli_crawls", "command")


@pytest.fixture
def site() -> Iterator[Site]:
    """An empty site: all is 404, robots.txt too."""
    with Site() as site:
        yield site


@pytest.fixture
def other() -> Iterator[Site]:
    """Another site: another port is another host."""
    with Site() as site:
        yield site


@pytest.fixture
def crawl(tmp_path: Path) -> Callable[..., Crawled]:
    """`crawl_site`, working below the test's folder."""
    return partial(crawl_site, tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a crawl may be kept; it does not exist yet."""
    return tmp_path / "dir"


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that nobody trusts, until `trusted` makes us."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    """The authority, trusted by every libcurl handle made from now on."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_path))
    return certificates
