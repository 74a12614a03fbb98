"""Crawls by the Python API, and what they must not leave behind."""

import multiprocessing
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from asyncmultispider import Page
from command import Ended, run
from crawling import deadline
from webserver import Site

ENGINES = ("async", "threads", "processes")
QUICK: dict[str, Any] = {
    "delay_factor": 0.0,
    "per_host": 8,
    "concurrency": 8,
    "retries": 0,
    "timeout": 20.0,
}


def quick(engine: str = "async") -> dict[str, Any]:
    """Options of the tests for an engine."""
    return {**QUICK, "engine": engine, **({"processes": 1} if engine == "processes" else {})}


def numbered(site: Site, n: int, size: int = 100) -> set[str]:
    """Serve `/` and the n pages it links to; the URLs of all."""
    paths = [f"/{i}" for i in range(n)]
    site.page("/", "<title>Home</title>" + "".join(f"<a href={path}>x</a>" for path in paths))
    for path in paths:
        site.page(path, f"<title>{path}</title>" + "x" * size)
    return {site.url(path) for path in ("/", *paths)}


@contextmanager
def leaving_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the block temporary directories are below `folder`. After it no thread, worker or file."""
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = set(threading.enumerate())
    with deadline():
        yield
        # What is left without waiting ends by itself; that it does is what is asserted here.
        for thread in set(threading.enumerate()) - before:
            if thread.name == "asyncmultispider":
                thread.join()
    left = {
        thread.name
        for thread in set(threading.enumerate()) - before
        if not thread.name.startswith(("webserver", "asyncio_"))
    }
    assert not left
    assert not multiprocessing.active_children()
    assert not list(folder.iterdir())


def urls(pages: list[Page]) -> list[str]:
    """Their URLs, sorted."""
    return sorted(page.url for page in pages)


def script(tmp_path: Path, code: str, *flags: str) -> Ended:
    """Run a program; warnings are errors in it, and nothing is imported from the tests."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code))
    launcher = tmp_path / "launch.py"
    launcher.write_text(
        "import os, sys\n"
        f"os.execv(sys.executable, [sys.executable, *{['-W', 'error', *flags]!r}, "
        f"{str(program)!r}])\n"
    )
    return run(program=launcher, cwd=tmp_path)
