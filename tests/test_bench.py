"""`bench` from the command line: small ones, whole."""

import os
import re
import signal
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from asyncmultispider.cli.commands import cli
from asyncmultispider.errors import UsageError
from cli_crawls import numbered
from command import Running, complaint, run, start
from webserver import Site

QUICK = ("--pages", "12", "--latency", "0.05")
RUN = {
    "name",
    "engine",
    "concurrency",
    "processes",
    "pages",
    "failed",
    "wall",
    "pages_per_second",
    "speedup",
    "cpu_per_page_us",
    "memory_bytes",
    "stopped",
    "trouble",
}


def ways(runs: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(r["name"], r["engine"], r["concurrency"], r["processes"]) for r in runs]


def test_json() -> None:
    ended = run("bench", *QUICK, "--size", "5000", "-j", "2", "--cpu-ms", "1", "--json")
    assert ended.code == 0, ended
    whole = ended.json
    assert whole.keys() == {"settings", "machine", "runs", "advice"}
    assert whole["settings"] == {
        "site": None,
        "pages": 12,
        "size": 5000,
        "links": 20,
        "latency": [0.05],
        "cpu_ms": 1.0,
        "processes": 2,
        "per_host": None,
        "delay_factor": 0.0,
        "time_limit": 120.0,
    }
    assert whole["machine"]["cores"] >= 1
    assert isinstance(whole["machine"]["gil"], bool)
    runs = whole["runs"]
    assert ways(runs) == [
        ("sequential", "threads", 1, 1),
        ("threads", "threads", 4, 1),
        ("threads", "threads", 12, 1),
        ("async", "async", 4, 1),
        ("async", "async", 12, 1),
        ("processes", "processes", 6, 2),
    ]
    for each in runs:
        assert each.keys() == RUN
        assert (each["pages"], each["failed"], each["stopped"]) == (12, 0, "finished"), each
        assert each["cpu_per_page_us"] >= 1000  # the work is there
        assert 10e6 < each["memory_bytes"] < 1e9
    assert runs[0]["speedup"] == 1
    assert runs[-1]["memory_bytes"] > 2 * runs[0]["memory_bytes"]  # workers count
    assert whole["advice"].startswith("For this site: --engine ")
    assert [line.split(":")[0] for line in ended.err.splitlines()] == [
        f"run {n} of 6" for n in range(1, 7)
    ]


def test_a_real_site_is_treated_with_manners(site: Site, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    numbered(site, 5)
    picture = tmp_path / "bench.svg"
    ended = run("bench", "--site", site.url(), "--pages", "4", "-j", "1", "--plot", picture)
    assert ended.code == 0, ended
    assert "2 transfers at once" in ended.err
    head, _, columns, *rows = ended.out.splitlines()
    assert site.url() in head
    assert columns.split()[:1] == ["engine"]
    shown = [row.split()[:2] for row in rows[:4]]
    assert shown == [["sequential", "1"], ["threads", "2"], ["async", "2"], ["processes", "1"]]
    assert rows[4] == ""
    assert "--per-host 2 allows no more" in rows[5]
    assert (site.hits("/robots.txt"), site.hits("/")) == (4, 4)
    assert len(site.paths) == 4 * 5  # robots.txt, and four pages
    assert ElementTree.parse(picture).getroot().tag.endswith("}svg")


def test_a_picture_in_pixels(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "bench.png"
    ended = run("bench", "--pages", "1", "--latency", "0", "-j", "1", "--plot", picture)
    assert ended.code == 0, ended
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > height > 100


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--pages", "0"), "--pages"),
        (("--size", "-1"), "--size"),
        (("--links", "-1"), "--links"),
        (("--latency", "x"), "--latency"),
        (("--latency", "1,-1"), "--latency"),
        (("--latency", "nan"), "--latency"),
        (("--latency", "26"), "25"),
        (("--cpu-ms", "-1"), "--cpu-ms"),
        (("--time-limit", "0"), "--time-limit"),
        (("-j", "0"), "--processes"),
        (("--per-host", "0"), "--per-host"),
        (("--delay-factor", "-1"), "--delay-factor"),
        (("--site", "ftp://x/"), "ftp"),
        (("--site", "http://x/", "--latency", "1"), "built-in"),
        (("--plot", "x.gif"), ".svg"),
        (("--plot", "/nowhere/x.svg"), "/nowhere"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], word: str) -> None:
    with pytest.raises(UsageError, match=re.escape(word)):
        cli(["bench", *options], standalone_mode=False)


def test_a_complaint_is_one_line() -> None:
    assert "--pages must be from 1" in complaint("bench", "--pages", "0")


def test_nothing_to_compare(site: Site) -> None:
    site.page("/", "no", status=404)
    ended = run("bench", "--site", site.url())
    assert (ended.code, ended.out) == (1, "")
    assert "Traceback" not in ended.err
    assert "no page (1 URLs failed)" in ended.err.splitlines()[-1]


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM"])
def test_interrupted_in_the_first_run(tmp_path: Path, how: str) -> None:
    env = {"TMPDIR": str(tmp_path)}
    with start("bench", "--latency", "20", terminal=True, env=env) as process:
        process.wait_for("run 1 of")
        check_interrupted(process, how, tmp_path)


def test_interrupted_while_workers_are_busy(site: Site, tmp_path: Path) -> None:
    numbered(site, 2)
    options = ("--site", site.url(), "--cpu-ms", "1", "-j", "2")
    with start("bench", *options, terminal=True, env={"TMPDIR": str(tmp_path)}) as process:
        process.wait_for("run 4 of 4")
        site.hold("/1")
        site.wait_until(lambda: site.hits("/1") == 4)
        check_interrupted(process, "Ctrl-C", tmp_path)


def check_interrupted(process: Running, how: str, folder: Path) -> None:
    if how == "Ctrl-C":
        process.type("\x03")
        process.type("\x03")  # as impatient people do
    else:
        process.send(signal.SIGTERM)
    ended = process.end()
    assert (ended.code, ended.out) == (130, ""), ended
    assert "Traceback" not in ended.err
    assert "interrupted" in ended.err
    assert list(folder.iterdir()) == []
    assert left_with(str(folder)) == []


def left_with(word: str) -> list[str]:
    """Processes with this in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if word.encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue
    return [pid for pid in found if pid != str(os.getpid())]
