"""Files of others where ours should be, and ours when they are damaged."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli_crawls import FAST, check_complete, numbered
from command import complaint, python, run, snapshot
from webserver import Site

LEDGER = ("status", "verify", "crawl", "fresh")
PAGES = ("status", "export", "verify", "crawl", "fresh")  # `urls` and `explain` read no pages


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Path]]:
    """A crawl that has ended, to copy from."""
    with Site() as site:
        numbered(site, 5)
        site.page("/3", "<title>Three</title>" + "x" * 1000)
        directory = tmp_path_factory.mktemp("crawled") / "dir"
        assert run("crawl", site.url(), "-d", directory, "-q", *FAST).code == 0
        yield site, directory


@pytest.fixture
def site(crawled: tuple[Site, Path]) -> Site:
    return crawled[0]


@pytest.fixture
def directory(crawled: tuple[Site, Path], tmp_path: Path) -> Path:
    """A copy."""
    directory = tmp_path / "dir"
    directory.mkdir()
    for path in crawled[1].iterdir():
        (directory / path.name).write_bytes(path.read_bytes())
    return directory


def command(name: str, site: Site, directory: Path) -> tuple[object, ...]:
    crawl = ("crawl", site.url(), "-d", directory, "-q", *FAST)
    return {
        "status": ("status", directory),
        "urls": ("urls", directory),
        "explain": ("explain", directory, site.url("/3")),
        "export": ("export", directory, "--to", directory.parent / "x.jsonl", "--bodies"),
        "verify": ("verify", directory),
        "crawl": crawl,
        "fresh": (*crawl, "--fresh", "--yes"),
    }[name]


# Of others


def killed(path: Path, *statements: str) -> None:
    """Somebody else's database, as a crash of its owner leaves it."""
    code = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    db.execute(statement)
os._exit(0)
"""
    assert python(code, str(path), *statements).code == 0


def in_its_log(path: Path) -> None:
    table = ("CREATE TABLE t(x)", "PRAGMA wal_checkpoint(TRUNCATE)")
    killed(path, "PRAGMA journal_mode=wal", *table, "INSERT INTO t VALUES(1)")
    assert path.with_name(f"{path.name}-wal").stat().st_size


def all_in_its_log(path: Path) -> None:
    killed(path, "PRAGMA journal_mode=wal", "CREATE TABLE t(x)")
    assert path.with_name(f"{path.name}-wal").stat().st_size


def half_written(path: Path) -> None:
    table = ("CREATE TABLE t(x)", "INSERT INTO t VALUES(zeroblob(100000))")
    half = ("BEGIN", "UPDATE t SET x=randomblob(100000)", "INSERT INTO t SELECT x FROM t")
    killed(path, *table, "PRAGMA cache_size=2", *half)
    assert path.with_name(f"{path.name}-journal").stat().st_size


def one_byte(path: Path) -> None:
    path.write_bytes(b"x")  # SQLite takes this for a new file


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "mine").touch()


def a_link(path: Path) -> None:
    target = path.parent.parent / "mine.db"
    with contextlib.closing(sqlite3.connect(target)) as db:
        db.execute("CREATE TABLE t(x)")
    path.symlink_to(target)


FOREIGN = [in_its_log, all_in_its_log, half_written, one_byte, a_pipe, a_folder, a_link]


@pytest.mark.parametrize("name", ["frontier.db", "pages.db"])
@pytest.mark.parametrize("make", FOREIGN)
def test_what_is_not_ours_is_not_touched(
    site: Site, directory: Path, name: str, make: Callable[[Path], None]
) -> None:
    path = directory / name
    path.unlink()
    make(path)

    def others() -> dict[str, bytes]:
        # SQLite's shared memory holds nothing that counts.
        return snapshot(directory.parent, lambda file: not file.name.endswith(("-shm", "lock")))

    before, seen = others(), len(site.requests)
    for each in LEDGER if name == "frontier.db" else PAGES:
        line = complaint(*command(each, site, directory))
        assert name in line
        assert "safe" not in line
        assert others() == before, each
    assert len(site.requests) == seen


@pytest.mark.parametrize("name", ["frontier.db", "pages.db"])
def test_a_newer_format(site: Site, directory: Path, name: str) -> None:
    with contextlib.closing(sqlite3.connect(directory / name)) as db:
        db.execute("PRAGMA user_version=99")
    before = (directory / name).read_bytes()
    for each in (LEDGER if name == "frontier.db" else PAGES)[:-1]:
        assert "format 99" in complaint(*command(each, site, directory))
        assert (directory / name).read_bytes() == before


# Ours, damaged


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def one_page(path: Path) -> None:
    os.truncate(path, 512)


def random_bytes_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 if path.name == "frontier.db" else 32768)
        file.write(bytes(range(256)) * 1000)


def another_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(16)
        file.write(b"\xff" * 8)


@pytest.mark.parametrize("name", ["frontier.db", "pages.db"])
@pytest.mark.parametrize("damage", [half, one_page, random_bytes_in_the_middle, another_head])
def test_a_damaged_file(
    site: Site, directory: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(directory / name)
    before = (directory / name).read_bytes()
    commands = ("status", "urls", "explain") if name == "frontier.db" else ("status", "export")
    for each in (*commands, "crawl"):
        ended = run(*command(each, site, directory))
        assert ended.code in (2, 3), ended
        assert ended.out == ""
        (line,) = ended.err.splitlines()
        assert f"{name}' is damaged" in line
        assert "safe" not in line
        # Only the ledger is looked through before it is opened for writing.
        if (name, each, damage) != ("pages.db", "crawl", random_bytes_in_the_middle):
            assert (directory / name).read_bytes() == before, each
    assert run(*command("fresh", site, directory)).code == 0
    check_complete(site, directory, ["/", *map("/{}".format, range(5))])


BAD_TEXT = "CAST(x'ff41' AS TEXT)"
CELLS = [
    ("urls", "frontier.db", f"UPDATE urls SET url = {BAD_TEXT} WHERE id = 3"),
    ("status", "frontier.db", "UPDATE urls SET state = 'quexed' WHERE id = 3"),
    ("crawl", "frontier.db", "UPDATE urls SET state = 'quexed' WHERE id = 3"),
    ("crawl", "frontier.db", "UPDATE urls SET fingerprint = 'x' WHERE id = 3"),
    ("crawl", "frontier.db", "UPDATE meta SET value = '{' WHERE key = 'identity'"),
    ("explain", "frontier.db", "UPDATE meta SET value = '[]' WHERE key = 'settings'"),
    ("explain", "frontier.db", f"UPDATE meta SET value = {BAD_TEXT} WHERE key = 'settings'"),
    ("export", "pages.db", f"UPDATE pages SET title = {BAD_TEXT}"),
    ("export", "pages.db", "UPDATE bodies SET body = zeroblob(9), encoding = 'zstd'"),
]


@pytest.mark.parametrize(("each", "name", "damage"), CELLS)
def test_a_damaged_cell(site: Site, directory: Path, each: str, name: str, damage: str) -> None:
    with contextlib.closing(sqlite3.connect(directory / name)) as db, db:
        assert db.execute(damage).rowcount
    ended = run(*command(each, site, directory))
    assert ended.code in (2, 3), ended
    (line,) = ended.err.splitlines()
    assert f"{name}' is damaged" in line
