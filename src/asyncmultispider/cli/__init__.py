"""The command line: `asyncmultispider`, or `ams` for short."""

from asyncmultispider.cli.main import main

__all__ = ["main"]
