"""One site of all that a server can do wrong: it is crawled to its end, and each URL ends right."""

from pathlib import Path

import pytest

from cli_crawls import ENGINES
from command import run
from hostile import GOOD, KINDS, OPTIONS, HostileServer, answers, surprises
from hostile.books import ends, good_pages


def test_kinds_have_names_of_their_own() -> None:
    assert len(KINDS) >= 70
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_site_of_misbehaviours(engine: str, directory: Path) -> None:
    with HostileServer(answers()) as server:
        ended = run(
            "crawl", server.url("/"), "-d", directory, "--engine", engine, "--json", *OPTIONS
        )
    assert ended.code == 0, ended.err[-2000:]
    assert "Traceback" not in ended.err
    assert "\x1b" not in ended.out + ended.err
    assert surprises(ends(directory), server.url("")) == {}
    assert good_pages(directory, server.url("")) == GOOD
    assert run("verify", directory).code == 0
