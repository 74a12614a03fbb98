"""A small bookshop to try a crawler on: `python -m asyncmultispider.demo`, on this machine alone.

The documentation's examples are written for it, and the tests run them on it.
"""

from asyncmultispider.demo.server import PORT, Shop

__all__ = ["PORT", "Shop"]
