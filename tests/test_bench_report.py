"""What `bench` says of its runs: advice, table, and that a picture can be drawn."""

import sys
from pathlib import Path
from typing import Any

import pytest

from asyncmultispider.bench.advice import advise
from asyncmultispider.bench.plan import Plan, Site
from asyncmultispider.bench.plot import check_picture
from asyncmultispider.bench.run import Run
from asyncmultispider.bench.table import bar, header, table
from asyncmultispider.errors import UsageError


def made(name: str, count: int, rate: float, cpu_us: float = 400.0, **more: Any) -> Run:
    values: dict[str, Any] = {
        "name": name,
        "engine": "threads" if name == "sequential" else name,
        "concurrency": count,
        "processes": 2 if name == "processes" else 1,
        "pages": 100,
        "failed": 0,
        "wall": 100 / rate if rate else 1.0,
        "pages_per_second": rate,
        "speedup": rate / 10,
        "cpu_per_page_us": cpu_us,
        "memory_bytes": 50_000_000,
        "stopped": "finished",
    }
    return Run(**values | more)


SEQUENTIAL = made("sequential", 1, 10)


def advice(*runs: Run, pages: int = 200, per_host: int = 1000) -> str:
    return advise([SEQUENTIAL, *runs], pages=pages, per_host=per_host)


def test_waiting_wants_coroutines() -> None:
    said = advice(
        made("threads", 64, 118),
        made("async", 16, 100),
        made("async", 64, 118),
        made("async", 256, 120),
        made("processes", 64, 119),
    )
    assert said == (
        "For this site: --engine async -c 64 (11.8 x sequential, 400 us of CPU a page); "
        "more in flight gains nothing."
    )


def test_work_wants_processes() -> None:
    said = advice(
        made("threads", 64, 47, 21_000),
        made("async", 64, 48, 20_500),
        made("processes", 64, 90, 21_500),
    )
    assert said == (
        "For this site: --engine processes -j 2 -c 64 (9.0 x sequential, 21.5 ms of CPU a page); "
        "work on the page is the bottleneck (21.5 ms each)."
    )


def test_many_in_flight_want_processes() -> None:
    said = advice(made("async", 64, 64), made("processes", 64, 120))
    assert "-j 2" in said
    assert said.endswith("one process could not have as much in flight.")


def test_threads_where_they_are_faster() -> None:
    assert "--engine threads -c 16 " in advice(
        made("threads", 16, 90), made("async", 16, 45), made("processes", 64, 95)
    )


def test_the_simplest_of_those_that_are_close() -> None:
    said = advice(made("threads", 4, 99), made("async", 4, 95), made("async", 16, 100))
    assert "--engine async -c 4 " in said


def test_a_single_process_at_its_end() -> None:
    runs = made("async", 4, 50, 20_000), made("async", 16, 50, 20_000)
    said = "the CPU is the bottleneck, more in flight gains nothing"
    assert advice(*runs).endswith(f"{said}.")
    assert advice(*runs, made("processes", 64, 50, wall=9.0)).endswith(f"{said}.")
    short = advice(*runs, made("processes", 64, 40, wall=0.5))
    assert short.endswith(f"{said} (it takes more --pages to tell what processes gain).")


def test_what_bounds_the_runs() -> None:
    runs = made("async", 4, 40), made("async", 16, 150)
    assert advice(*runs, pages=16).endswith("a bench of more --pages would tell more.")
    assert advice(*runs, per_host=16).endswith("--per-host 16 allows no more.")
    assert advice(*runs).endswith("no more in flight was tried.")


def test_what_no_manners_bound_takes_its_options_to_repeat() -> None:
    runs = [SEQUENTIAL, made("async", 64, 20), made("processes", 32, 100)]
    said = advise(runs, pages=200, per_host=1000, polite=False)
    assert "--engine processes -j 2 -c 32 --per-host 64 --delay-factor 0 (" in said


def test_ways_that_lose_pages_are_out() -> None:
    said = advice(made("async", 64, 100), made("async", 256, 200, failed=3, pages=97))
    assert "-c 64 " in said


def test_nothing_to_advise() -> None:
    none = made("async", 4, 0, pages=0, cpu_per_page_us=None)
    assert "nothing can be said" in advice(none)


# The table

RUNS = [SEQUENTIAL, made("async", 64, 118, 1234.0), made("processes", 64, 59)]


def test_table() -> None:
    assert table(RUNS, 80) == [
        "engine      in flight     wall  speed-up  pages/s  CPU/page  memory",
        "sequential          1  10.00 s     1.0 x     10.0    400 us   50 MB  ▉",
        "async              64   0.85 s    11.8 x      118    1.2 ms   50 MB  ███████████",
        "processes      2 x 64   1.69 s     5.9 x     59.0    400 us   50 MB  █████▌",
    ]


def test_table_in_plain_characters() -> None:
    lines = table(RUNS, 80, blocks=False)
    assert [line.count("#") for line in lines] == [0, 1, 11, 6]
    assert all(line.isascii() for line in lines)


@pytest.mark.parametrize("width", [0, 60, 80, 132, 500])
def test_table_of_any_width(width: int) -> None:
    assert max(map(len, table(RUNS, width))) <= max(width, 80)


def test_what_went_wrong_is_told() -> None:
    odd = [
        made("threads", 4, 5, pages=7, stopped="time-limit"),
        made("async", 4, 0, pages=0, cpu_per_page_us=None, stopped="failed", trouble="no\ndisk"),
        made("processes", 64, 9, failed=2),
    ]
    lines = table([SEQUENTIAL, *odd], 100)
    assert " - " in lines[3]
    assert lines[5:] == [
        "threads, 4 in flight: stopped by --time-limit after 7 pages",
        r"async, 4 in flight: no\ndisk",
        "processes, 2 x 64 in flight: 2 URLs failed",
    ]


def test_bar() -> None:
    assert [bar(value, 8, 2) for value in (0, 1, 4, 7, 8)] == ["▏", "▎", "█", "█▊", "██"]
    assert bar(0, 0, 10, blocks=False) == "#"


def test_header() -> None:
    machine = {"implementation": "CPython", "python": "3.14.1", "gil": False, "cores": 1}
    built = Plan(site=Site(pages=2, latency=(2.0, 3.0)), pages=2, processes=1, cpu_ms=1.5)
    assert header(built, machine) == (
        "2 pages of 20.0 kB with 20 links, latency 2.0 s, 3.0 s in turn, 1.5 ms of work a page; "
        "CPython 3.14.1, GIL off, 1 core"
    )
    real = Plan(site="http://a/", pages=9, processes=1, per_host=2, delay_factor=1.0)
    assert header(real, machine).startswith(
        "http://a/, up to 9 pages, 2 at once, delay factor 1, 0 ms of work a page; "
    )


# The picture


def test_a_picture_needs_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r'pip install "asyncmultispider\[plot\]"'):
        check_picture(str(tmp_path / "x.svg"))


def test_where_a_picture_can_be(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert check_picture(str(tmp_path / "x.svg")) == tmp_path / "x.svg"
    (tmp_path / "folder.png").mkdir()
    for name in ("folder.png", "no/x.svg"):
        with pytest.raises(UsageError, match=name):
            check_picture(str(tmp_path / name))
