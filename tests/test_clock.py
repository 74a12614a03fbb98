"""A wall clock that is set, and processes that stand still for a while."""

import os
import signal
from pathlib import Path

import pytest

from cli_crawls import FAST, check_complete, linked, numbered
from command import run, start
from faulty import Clock
from webserver import Reply, Site

ENGINES = pytest.mark.parametrize(
    "engine",
    [("--engine", "async"), ("--engine", "threads"), ("-j", "2")],
    ids=["async", "threads", "processes"],
)


def busy(seconds: int) -> Reply:
    return Reply(503, headers={"Retry-After": str(seconds)})


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


# The clock is set while a crawl runs


@ENGINES
def test_retries_and_pace_go_by_the_steady_clock(
    site: Site, directory: Path, clock: Clock, engine: tuple[str, ...]
) -> None:
    paths = linked(site, "/busy", "/held", "/last")
    site.sequence("/busy", busy(1), Reply())
    hold = site.hold("/held")
    command = ("crawl", site.url(), "-d", directory, "--json", "-q", *engine)
    options = ("--delay-factor", "0", "--delay", "0.01", "--max-time", "1000")
    with start(*command, *options, env=clock.env) as process:
        site.wait_until(lambda: site.hits("/busy") and site.hits("/held"))
        clock.set(-5)
        hold.release()
        site.wait_until(lambda: site.hits("/busy") == 2, 30)
        clock.set(5)
        ended = process.end(30)
    assert (ended.code, ended.json["stopped"]) == (0, "finished"), ended
    first, again = (request.at for request in site.requests if request.path == "/busy")
    assert again - first > 0.9, "it asked for a second"
    check_complete(site, directory, paths)


@pytest.mark.parametrize("days", [-5, 5])
def test_the_time_of_a_crawl_is_that_of_the_steady_clock(
    site: Site, directory: Path, clock: Clock, days: float
) -> None:
    numbered(site, 50)
    command = ("crawl", site.url(), "-d", directory, "--json", "-q", "--delay", "0.2")
    with start(*command, "--max-time", "1", env=clock.env) as process:
        site.wait_until(lambda: site.hits("/"))
        clock.set(days)
        site.wait_until(lambda: len(site.paths) > 3)
        ended = process.end(30)
    assert (ended.code, ended.json["stopped"]) == (0, "limit"), ended
    assert ended.json["queued"]


# The clock is set between two runs


@pytest.mark.parametrize("days", [-5, 0, 5])
def test_a_retry_waits_for_an_hour_at_most(
    site: Site, directory: Path, clock: Clock, days: float
) -> None:
    paths = linked(site, "/busy")
    site.sequence("/busy", busy(3000), Reply())
    command = ("crawl", site.url(), "-d", directory, "--delay-factor", "0")
    with start(*command, env=clock.env, terminal=True) as process:
        process.wait_for("waiting")
        process.send(signal.SIGINT)
        assert process.end().code == 130
    clock.set(days)
    if days > 0:
        assert run(*command, env=clock.env).code == 0
        check_complete(site, directory, paths)
        return
    with start(*command, env=clock.env, terminal=True) as process:
        process.wait_for("waiting")
        process.send(signal.SIGINT)
        ended = process.end()
    waits = ended.err.split("waiting ")[1].split(":")[0]
    assert waits.startswith(("49 min", "50 min", "59 min", "60 min", "1 h 00")), waits


@pytest.mark.parametrize(("days", "asked"), [(-5, 2), (0.5, 1), (1.5, 2)])
def test_a_robots_txt_is_good_for_a_day(
    site: Site, directory: Path, clock: Clock, days: float, asked: int
) -> None:
    numbered(site, 3)
    site.robots("User-agent: *\nDisallow: /none")
    command = ("crawl", site.url(), "-d", directory, "--json", "-q", *FAST)
    assert run(*command, "--limit", "2", env=clock.env).code == 0
    clock.set(days)
    assert run(*command, env=clock.env).json["pages"] == 4
    assert site.hits("/robots.txt") == asked


# Stopped, and continued


def workers(pid: int) -> list[int]:
    """The worker processes of a supervisor."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def chosen(who: str, supervisor: int) -> list[int]:
    return {
        "supervisor": [supervisor],
        "worker": workers(supervisor)[:1],
        "workers": workers(supervisor),
        "all": [supervisor, *workers(supervisor)],
    }[who]


@pytest.mark.parametrize(
    ("engine", "who"),
    [
        (("--engine", "async"), "supervisor"),
        (("--engine", "threads"), "supervisor"),
        (("-j", "2"), "supervisor"),
        (("-j", "2"), "worker"),
        (("-j", "2"), "workers"),
        (("-j", "2"), "all"),
    ],
    ids=str,
)
def test_stopped_with_transfers_in_flight(
    site: Site, directory: Path, engine: tuple[str, ...], who: str
) -> None:
    held = [f"/held/{n}" for n in range(8)]
    paths = linked(site, *held, *(f"/{n}" for n in range(20)))
    holds = [site.hold(path, Reply(200, "x" * 10_000), after=n * 50) for n, path in enumerate(held)]
    command = ("crawl", site.url(), "-d", directory, "--json", "-q", *FAST, *engine)
    with start(*command, "--per-host", "8") as process:
        site.wait_until(lambda: all(site.hits(path) for path in held))
        still = chosen(who, process.pid)
        assert still
        try:
            for pid in still:
                os.kill(pid, signal.SIGSTOP)
            for hold in holds:
                hold.release()
            site.wait_until(lambda: not site.active)  # all is on its way
        finally:
            for pid in reversed(still):
                os.kill(pid, signal.SIGCONT)
        ended = process.end()
    assert (ended.code, ended.err) == (0, ""), ended
    assert all(site.hits(path) == 1 for path in paths)
    check_complete(site, directory, paths)
