"""asyncmultispider: a polite, crash-safe web crawler that is fast per CPU-second."""

from typing import TYPE_CHECKING, Any

from asyncmultispider.version import __version__

if TYPE_CHECKING:
    from asyncmultispider.spider import Spider

__all__ = ["Spider", "__version__"]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: the command's --help needs none of it.
    if name == "Spider":
        from asyncmultispider.spider import Spider

        return Spider
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
