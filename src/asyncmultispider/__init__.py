"""asyncmultispider: a polite, crash-safe web crawler that is fast per CPU-second."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asyncmultispider.version import __version__

if TYPE_CHECKING:
    from asyncmultispider.api import Failed, FetchAll, Run, crawl, fetch_all
    from asyncmultispider.errors import CrawlError, StorageError, UsageError
    from asyncmultispider.page import Page
    from asyncmultispider.spider import Spider
    from asyncmultispider.stats import Summary

__all__ = [
    "CrawlError",
    "Failed",
    "FetchAll",
    "Page",
    "Run",
    "Spider",
    "StorageError",
    "Summary",
    "UsageError",
    "__version__",
    "crawl",
    "fetch_all",
]

_HOMES = {
    "CrawlError": "errors",
    "Failed": "api",
    "FetchAll": "api",
    "Page": "page",
    "Run": "api",
    "Spider": "spider",
    "StorageError": "errors",
    "Summary": "stats",
    "UsageError": "errors",
    "crawl": "api",
    "fetch_all": "api",
}


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: the command's --help needs none of it.
    if name in _HOMES:
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
