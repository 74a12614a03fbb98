"""asyncmultispider: a polite, crash-safe web crawler that is fast per CPU-second."""

from asyncmultispider.version import __version__

__all__ = ["__version__"]
