"""How `crawl` begins: open files, the scheme that was not typed, secrets, seeds that lead away."""

import contextlib
import sqlite3
import tomllib
from pathlib import Path

import pytest

from cli_crawls import FAST, check_log, crawl
from command import Ended, ledger, python, run
from webserver import Certificates, Site

# Open files


LIMITED = """
import os, resource, sys
soft, hard = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""
OPENED = """
import resource, sys
from pathlib import Path
from asyncmultispider.crawler import Crawl
from asyncmultispider.settings import Settings
settings = Settings(seeds=("http://a.example/",), concurrency=int(sys.argv[2]))
with Crawl(settings, Path(sys.argv[1])).open():
    print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limited(soft: int, hard: int, *args: object) -> Ended:
    """Python with these arguments, in a process that may have so many files open."""
    return python(LIMITED, str(soft), str(hard), *map(str, args))


@pytest.mark.parametrize(("engine", "most"), [("async", 64), ("threads", 10), ("processes", 64)])
def test_more_transfers_than_open_files_are_lowered(
    site: Site, directory: Path, engine: str, most: int
) -> None:
    site.page("/", "x")
    args = ("-m", "asyncmultispider", "crawl", site.url(), "-d", directory, "-q", *FAST)
    ended = limited(128, 128, *args, "-c", "200", "--engine", engine)
    assert (ended.code, ended.out) == (0, "")
    (line,) = ended.err.splitlines()
    for word in ("--concurrency", f"lowered to {most}:", "ulimit -n"):
        assert word in line
    assert limited(128, 128, *args, "-c", str(most), "--engine", engine).err == ""


def test_hardly_any_open_files_are_refused(site: Site, directory: Path) -> None:
    args = ("-m", "asyncmultispider", "crawl", site.url(), "-d", directory, "-q")
    ended = limited(64, 64, *args)
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert "ulimit -n" in ended.err
    assert site.requests == []
    assert not directory.exists()


@pytest.mark.parametrize(
    ("soft", "hard", "least", "most"),
    [(100, 2000, 600, 2000), (100, 700, 600, 700), (1500, 2000, 1500, 1500)],
)
def test_a_low_soft_limit_is_raised(
    directory: Path, soft: int, hard: int, least: int, most: int
) -> None:
    ended = limited(soft, hard, "-c", OPENED, directory, 500)
    assert (ended.code, ended.err) == (0, "")
    now, still = map(int, ended.out.split())
    assert least <= now <= most
    assert still == hard


# The scheme that was not typed


def test_to_find_the_scheme_only_robots_txt_is_asked_for(
    certificates: Certificates, directory: Path
) -> None:
    env = {"SSL_CERT_FILE": str(certificates.ca_path)}
    with Site(tls=certificates.valid) as site:
        site.robots("User-agent: *\nDisallow: /private")
        typed = f"127.0.0.1:{site.port}/private?key=1"
        ended = run("crawl", typed, "-d", directory, *FAST, env=env)
        assert ended.code == 1
        assert set(site.paths) == {"/robots.txt"}
        assert ledger(directory) == {site.url("/private?key=1"): ("skipped", "robots")}


def test_a_page_whose_scheme_was_guessed_is_fetched_once(
    certificates: Certificates, directory: Path
) -> None:
    env = {"SSL_CERT_FILE": str(certificates.ca_path)}
    with Site(tls=certificates.valid) as site:
        site.page("/page", "x")
        ended = run("crawl", f"127.0.0.1:{site.port}/page", "-d", directory, *FAST, env=env)
        assert ended.code == 0
        assert site.hits("/page") == 1


@pytest.mark.parametrize("user", ["", "me@"])
def test_a_crawl_keeps_the_scheme_it_chose(
    certificates: Certificates, directory: Path, user: str
) -> None:
    env = {"SSL_CERT_FILE": str(certificates.ca_path)}
    with Site(tls=certificates.valid) as site:
        site.page("/", "x")
        args = ("crawl", f"{user}127.0.0.1:{site.port}", "-d", directory, *FAST)
        assert run(*args, env=env).code == 0
        seen = len(site.paths)
        assert run(*args, env=env).code == 0
        assert site.paths[seen:] == []
    assert run(*args, env=env).code == 0, "the server is gone, and nothing is left to do"


# Secrets


def test_no_note_of_ours_holds_the_password_of_a_seed(site: Site, directory: Path) -> None:
    site.page("/", "x")
    seed = site.url().replace("//", "//me:s3cret@")
    for fetched in (1, 0):
        ended = run("crawl", seed, "-d", directory, "--json", *FAST)
        assert ended.code == 0
        assert ended.json["fetched"] == fetched
    assert "authorization" in site.requests[-1].headers
    settings = (directory / "settings.toml").read_text(encoding="utf-8")
    assert tomllib.loads(settings)["seeds"] == [site.url().replace("//", "//***@")]
    with contextlib.closing(sqlite3.connect(directory / "frontier.db")) as db:
        notes = dict(db.execute("SELECT key, value FROM meta"))
    assert {"settings", "identity"} <= notes.keys()
    starts = [line for line in check_log(directory) if line["event"] == "start"]
    assert len(starts) == 2
    for written in (settings, *map(str, notes.values()), *map(str, starts)):
        assert "s3cret" not in written
    assert run("explain", directory, seed).code == 0


# Seeds that lead away


def hints(ended: Ended) -> list[str]:
    return [line for line in ended.err.splitlines() if "out of scope" in line]


@pytest.mark.parametrize("options", [[], ["-q"]])
def test_a_seed_that_redirects_out_of_scope_is_pointed_out(
    site: Site, other: Site, directory: Path, options: list[str]
) -> None:
    target = other.url("/elsewhere")
    site.redirect("/", target, 301)
    ended = crawl(site, directory, *options)
    assert ended.code == 0
    assert ended.json["pages"] == 1
    assert ended.json["skipped"] == 1
    (hint,) = hints(ended)
    assert target in hint
    assert site.url() in hint
    assert hint.isprintable()
    assert other.requests == []


def test_what_pages_do_is_not_pointed_out(site: Site, other: Site, directory: Path) -> None:
    site.redirect("/", "/home")
    site.page("/home", f"<a href={other.url()}>x</a><a href=/away>x</a>")
    site.redirect("/away", other.url())
    ended = crawl(site, directory)
    assert ended.code == 0
    assert ended.json["skipped"] == 1
    assert hints(ended) == []
