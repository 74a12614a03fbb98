"""The quick version: a short crawl per engine with a few kills. The long one: benchmarks/chaos.py.

The seed is printed; a failed test is repeated with CHAOS_SEED=that.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncmultispider.settings import EngineName
from chaos.monkey import Act, Deed, Monkey, Plan, When, Whom
from chaos.rounds import play
from chaos.sites import Site
from servers_nginx import installed
from test_real_sites import SITES

NAME = "postgresql-doc-15"
KILLS = 3


@pytest.fixture
def site() -> Site:
    folder, start = SITES[NAME]
    return Site(NAME, installed(NAME, Path(folder)), start)


@pytest.fixture
def seed() -> int:
    """New each time: many runs of the tests are a long run, too."""
    return int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(10**6))


def make_plan(engine: EngineName, *, spider: bool) -> Plan:
    return Plan(
        engine=engine,
        processes=2 if engine == "processes" else 1,
        concurrency=8,
        per_host=16,
        delay=0.0,
        spider=spider,
        kills=KILLS,
        kills_at_the_end=1,
        longest_stop=0.2,
    )


def check(site: Site, plan: Plan, seed: int, folder: Path) -> None:
    print(f"CHAOS_SEED={seed}")
    report = play(site, plan, random.Random(seed), folder)
    print(f"{dict(report.deeds)}, {report.restarts} restarts, asked again: {report.again}")
    assert not report.wrong, f"CHAOS_SEED={seed}\n{report.wrong}"
    assert report.looks == report.balanced > 0
    assert report.deeds


@pytest.mark.parametrize(
    ("engine", "spider"), [("async", False), ("threads", True), ("processes", True)]
)
def test_killed_at_random(
    site: Site, engine: EngineName, spider: bool, seed: int, tmp_path: Path
) -> None:
    check(site, make_plan(engine, spider=spider), seed, tmp_path / "round")


def test_stopped_and_continued(
    site: Site, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deeds(_: Monkey) -> Iterator[Deed]:
        for whom in (Whom.WORKER, Whom.SUPERVISOR, Whom.ALL):
            yield Deed(When.REQUESTS, Act.PAUSE, whom, requests=50, stopped=0.3)

    monkeypatch.setattr(Monkey, "deeds", deeds)
    check(site, make_plan("processes", spider=False), seed, tmp_path / "round")
