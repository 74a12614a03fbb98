"""`-o -`: lines as pages come, and what happens when nobody reads them any more."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from asyncmultispider.cli import pipe as pipe_module
from asyncmultispider.cli.pipe import Pipe
from cli_crawls import ENGINES, FAST, check_complete, numbered
from command import DEADLINE, complaint, run
from webserver import Reply, Site

SPIDER = """
from asyncmultispider import Spider

spider = Spider({seed!r})

@spider.on("/?*")
def page(page):
    yield {{"title": page.title}}
    yield {{"n": 2}}
"""


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("engine", ENGINES)
def test_pages_are_those_of_the_file(site: Site, tmp_path: Path, engine: str) -> None:
    numbered(site, 20)
    target = tmp_path / "o.jsonl"
    options = ("-d", tmp_path / "d", "-o", "-", "-o", target, "--engine", engine, *FAST)
    ended = run("crawl", site.url(), *options)
    assert ended.code == 0, ended.err
    assert sorted(ended.out.splitlines()) == sorted(target.read_text().splitlines())
    assert len(lines(ended.out)) == 21
    assert "21 pages" in ended.err
    again = run("crawl", site.url(), *options)  # there is nothing left to do
    assert (again.code, again.out) == (0, "")
    exported = run("export", tmp_path / "d", "--to", "-")
    assert (exported.code, exported.out, exported.err) == (0, target.read_text(), "")


def test_bodies(site: Site, tmp_path: Path) -> None:
    site.page("/", "<title>T</title>ü")
    ended = run("crawl", site.url(), "-d", tmp_path / "d", "-q", "-o", "-", "--bodies", *FAST)
    (page,) = lines(ended.out)
    assert page["body"] == "<title>T</title>ü"
    exported = run("export", tmp_path / "d", "--to", "-", "--bodies")
    assert exported.out == ended.out


@pytest.mark.parametrize("engine", ENGINES)
def test_of_a_spider_the_items(site: Site, tmp_path: Path, engine: str) -> None:
    numbered(site, 5)
    (tmp_path / "spider.py").write_text(SPIDER.format(seed=site.url()))
    options = ("-d", tmp_path / "d", "-q", "-o", "-", "--engine", engine, *FAST)
    ended = run("run", tmp_path / "spider.py", *options)
    assert ended.code == 0, ended.err
    found = lines(ended.out)
    assert len(found) == 10
    assert {"title": "/1", "_url": site.url("/1")} in found
    assert ended.out == run("export", tmp_path / "d", "--to", "-").out


def test_of_a_spider_without_handlers_the_pages(site: Site, tmp_path: Path) -> None:
    numbered(site, 2)
    (tmp_path / "spider.py").write_text(
        f"from asyncmultispider import Spider\nspider = Spider({site.url()!r})\n"
    )
    ended = run("run", tmp_path / "spider.py", "-d", tmp_path / "d", "-q", "-o", "-", *FAST)
    assert len(lines(ended.out)) == 3


def piped(site: Site, folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    """A crawl whose output is read here."""
    command = [sys.executable, "-m", "asyncmultispider", "crawl", site.url()]
    where = ["-d", str(folder / "d"), "-q", "-o", "-", *FAST, *options]
    return subprocess.Popen([*command, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_they_come_while_it_goes_on(site: Site, tmp_path: Path) -> None:
    site.page("/", "<a href=/1>x</a>")
    hold = site.hold("/1", Reply(200, "late"))
    with piped(site, tmp_path) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["url"] == site.url()
        hold.release()
        (late,) = lines(process.stdout.read().decode())
        assert late["url"] == site.url("/1")
        process.communicate(timeout=DEADLINE)
    assert process.returncode == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reader_that_has_enough(site: Site, tmp_path: Path, engine: str) -> None:
    """The crawl stops, writes its other outputs, and goes on when it is asked to."""
    paths = numbered(site, 20)
    target = tmp_path / "o.jsonl"
    hold = site.hold("/5", Reply(200, "x"))  # so that it can't have ended before
    with piped(site, tmp_path, "--engine", engine, "-o", str(target)) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.stdout.close()
        hold.release()
        assert process.stderr is not None
        told = process.stderr.read().decode()
        assert process.wait(DEADLINE) == 0
    assert "Traceback" not in told
    assert "BrokenPipe" not in told
    assert first in target.read_bytes()
    assert run("verify", tmp_path / "d").code == 0
    ended = run("crawl", site.url(), "-d", tmp_path / "d", "-q", "-o", "-", *FAST)
    assert ended.code == 0
    streamed = {str(line["url"]) for line in lines(ended.out)}
    assert streamed | {str(line["url"]) for line in lines(target.read_text())} == {
        site.url(path) for path in paths
    }
    check_complete(site, tmp_path / "d", paths)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["crawl", "export"])
def test_a_full_disk(site: Site, tmp_path: Path, command: str) -> None:
    numbered(site, 3)
    directory = tmp_path / "d"
    args = ["crawl", site.url(), "-d", str(directory), "-q", "-o", "-", *FAST]
    if command == "export":
        assert run(*args).code == 0
        args = ["export", str(directory), "--to", "-"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "asyncmultispider", *args],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
        )
    assert ended.returncode == 3
    assert b"can't write the output: No space left on device" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert run("verify", directory).code == 0


@pytest.mark.parametrize("more", [["--json"], ["-o", "-"]])
def test_only_one_thing_goes_to_standard_output(
    site: Site, tmp_path: Path, more: list[str]
) -> None:
    site.page("/", "x")
    line = complaint("crawl", site.url(), "-d", tmp_path / "d", "-o", "-", *more)
    assert "standard output" in line
    assert not (tmp_path / "d").exists()


LINES = [b"x" * 2**20 + b"\n"] * 3  # more than any pipe holds


def test_nobody_waits_for_a_reader_that_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who puts lines in goes on, and hears a Ctrl-C; but no more pages are asked for."""
    monkeypatch.setattr(pipe_module, "ENOUGH", 2**20)
    reader, writer = os.pipe()
    opened = Event()
    with os.fdopen(reader, "rb") as late, os.fdopen(writer, "wb", buffering=0) as out:
        pipe = Pipe(out, pytest.fail, opened.set)
        assert pipe.may_take()
        for line in LINES:
            pipe.put(line)
        assert not pipe.may_take()
        assert not pipe.end(0.01)
        assert not opened.is_set()
        assert [late.readline() for _ in LINES] == LINES  # it may come back all the same
        assert opened.wait(DEADLINE)
        assert pipe.may_take()
        assert pipe.end(DEADLINE)


@pytest.mark.parametrize("waits", [True, False])
def test_all_is_written_at_the_end(waits: bool) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, waits)
    found: list[bytes] = []

    def read() -> None:
        with os.fdopen(reader, "rb") as lines:
            found.extend(lines)

    reading = Thread(target=read)
    reading.start()
    with os.fdopen(writer, "wb", buffering=0) as out:
        pipe = Pipe(out, pytest.fail, pytest.fail)
        for line in LINES:
            pipe.put(line)
        assert pipe.end(DEADLINE)
    reading.join(DEADLINE)
    assert found == LINES


def test_an_interrupted_crawl_does_not_wait_for_its_reader(site: Site, tmp_path: Path) -> None:
    site.page("/", "<a href=/1>x</a>" + "x" * 2**20)  # more than the pipe holds
    hold = site.hold("/1", Reply(200, "late"))
    code = "from asyncmultispider.cli import main, streaming; streaming.PATIENCE = 0.01; main()"
    args = ["crawl", site.url(), "-d", str(tmp_path / "d"), "-o", "-", "--bodies", *FAST]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    watchdog = Timer(DEADLINE, process.kill)
    watchdog.start()
    with process:
        site.wait_until(lambda: site.hits("/1"))
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert any(b"stopping" in line for line in process.stderr)
        hold.release()
        assert b"nobody reads the output" in process.stderr.read()
        assert process.wait(DEADLINE) == 130
    watchdog.cancel()
    assert run("verify", tmp_path / "d").code == 0
