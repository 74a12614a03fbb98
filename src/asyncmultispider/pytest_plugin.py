"""The fixtures that pytest finds where this package is installed. It imports nothing before."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from asyncmultispider.testing import FakeWeb


@pytest.fixture
def fake_web() -> "FakeWeb":
    """A web in memory that has no pages yet: `fake_web.pages[url] = html`, then `run_spider`."""
    from asyncmultispider.testing import FakeWeb

    return FakeWeb({})
