"""For tests: a web and a clock in memory, and the conformance suites of the ports.

A spider is tested with a `FakeWeb`:

    crawled = run_spider(spider, FakeWeb({"https://example.com/": "<title>Hello</title>"}))
    assert crawled.items == [{"title": "Hello"}]

pytest finds the fixture `fake_web`, a web without pages. An adapter is tested by its port's suite.
A suite is a class of test methods for pytest; a subclass says how to make what is tested:

    class TestMyStore(StoreSuite):
        def make_store(self): ...
        def read_pages(self): ...
        def read_items(self): ...

The suites use plain `assert`; for readable failures call
`pytest.register_assert_rewrite("asyncmultispider.testing")` in a conftest.py.
"""

from asyncmultispider.fetch.fake import FakeWeb, reply, trouble
from asyncmultispider.frontier.base import begun
from asyncmultispider.testing.clock import FakeClock
from asyncmultispider.testing.crawls import FakeCrawl, run_spider
from asyncmultispider.testing.driver import Driver
from asyncmultispider.testing.fetchers import AsyncFetcherSuite, FetcherSuite
from asyncmultispider.testing.frontiers import DurableFrontierSuite, FrontierSuite
from asyncmultispider.testing.outcomes import (
    again,
    done,
    failed,
    link,
    lost,
    rules,
    rules_at,
    rules_lost,
)
from asyncmultispider.testing.stores import StoreSuite

__all__ = [
    "AsyncFetcherSuite",
    "Driver",
    "DurableFrontierSuite",
    "FakeClock",
    "FakeCrawl",
    "FakeWeb",
    "FetcherSuite",
    "FrontierSuite",
    "StoreSuite",
    "again",
    "begun",
    "done",
    "failed",
    "link",
    "lost",
    "reply",
    "rules",
    "rules_at",
    "rules_lost",
    "run_spider",
    "trouble",
]
