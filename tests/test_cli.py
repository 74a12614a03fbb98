"""The command line: help, bad use, and reading what a crawl left."""

import base64
import contextlib
import json
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

import asyncmultispider
from command import Ended, complaint, ledger, python, run, snapshot, start
from webserver import Reply, Site, no_answer

URL = "http://127.0.0.1:9/"
"""A valid URL; no test of bad use gets as far as asking for it."""

COMMANDS = {
    "crawl": [
        *("-d", "--dir", "-o", "--output", "--engine", "-c", "--concurrency", "--per-host"),
        *("--delay", "--delay-factor", "--scope", "--include", "--exclude", "--depth", "--limit"),
        *("--timeout", "--max-body", "--retries", "--user-agent", "--header", "--proxy"),
        *("--ignore-robots", "--allow-private", "--fresh", "--yes", "--json"),
        *("-q", "--quiet", "-v"),
    ],
    "fetch": ["URL", "--css", "--xpath", "--markdown", "--links", "--json", "--handler"],
    "status": ["DIR"],
    "urls": ["DIR", "--state", "--reason", "--host", "--json"],
    "explain": ["DIR", "URL", "--json"],
    "retry": ["DIR", "--state", "--reason", "--host", "--json"],
    "export": ["DIR", "--to"],
    "verify": ["DIR", "--json"],
}
HEAVY = {"apsw", "can_ada", "publicsuffixlist", "pycurl", "rich", "turbohtml", "zstandard"}

EVIL = "\x1b]0;pwned\x07\x1b[31m\u202e\x9b5m"
"""What a terminal must never get: ESC, BEL, a C1 control, a direction override."""


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_mentions_every_option(command: str) -> None:
    ended = run(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    words = ended.out.replace(",", " ").replace("[", " ").split()
    assert [option for option in COMMANDS[command] if option not in words] == []


def test_the_command_alone_shows_its_help() -> None:
    ended = run()
    assert (ended.code, ended.out, ended.err) == (2, "", run("--help").out)


def test_help_lists_the_commands() -> None:
    ended = run("--help")
    assert (ended.code, ended.err) == (0, "")
    assert [command for command in COMMANDS if f"\n  {command} " not in ended.out] == []


def test_version() -> None:
    ended = run("--version")
    assert (ended.code, ended.err) == (0, "")
    assert asyncmultispider.__version__ in ended.out


@pytest.mark.parametrize("argument", ["", "--help"])
def test_import_and_help_load_nothing_heavy(argument: str) -> None:
    code = """
import contextlib, io, sys
import asyncmultispider
if len(sys.argv) > 1:
    from asyncmultispider.cli import main
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()
print(*sys.modules)
"""
    ended = python(code, *filter(None, [argument]))
    assert ended.code == 0, ended
    assert HEAVY.intersection(ended.out.split()) == set()


# Bad use: one clear line, the right exit code, and nothing touched


def refuse(folder: Path, *args: object, stdin: bytes = b"", code: int = 2) -> str:
    """The complaint of a command that may leave nothing in its working directory."""
    before = snapshot(folder)
    line = complaint(*args, cwd=folder, stdin=stdin, code=code)
    assert snapshot(folder) == before
    return line


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        "http://",
        "http://[",
        "http://a b/",
        "http://127.0.0.1:99999/",
        "http://256.256.256.256/",
        "http://exa\x1b[31mmple.com/",
        "/etc/passwd",
        "ftp://127.0.0.1/",
        "file:/etc/passwd",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:a@example.com",
    ],
)
def test_what_is_no_web_address_is_refused(tmp_path: Path, url: str) -> None:
    refuse(tmp_path, "crawl", url)
    refuse(tmp_path, "fetch", url)


@pytest.mark.parametrize(
    "stdin", [b"", b"\n \n", b"http://127.0.0.1:9/\nftp://x/\n", b"\xff\xfe\n"]
)
def test_bad_standard_input_is_refused(tmp_path: Path, stdin: bytes) -> None:
    refuse(tmp_path, "crawl", "-", stdin=stdin)


@pytest.mark.parametrize(
    "args",
    [
        [],
        [URL, "ftp://127.0.0.1/"],
        [URL, "--no-such-option"],
        [URL, "--depth"],
        [URL, "--depth", "two"],
        [URL, "--limit", "1.5"],
        [URL, "--limit", "0"],
        [URL, "--delay", "nan"],
        [URL, "--timeout", "inf"],
        [URL, "--timeout", "0"],
        [URL, "--engine", "x"],
        [URL, "--scope", "x"],
        [URL, "--allow-private", "10.0.0.0/99"],
        [URL, "--allow-private", "none"],
        [URL, "--header", "no colon"],
        [URL, "--header", ": no name"],
        [URL, "--header", "two words: x"],
        [URL, "--header", "X: a\r\nY: b"],
        [URL, "--header", "X\r\nY: b"],
        [URL, "--header", "X: \x1b[31m"],
        [URL, "--user-agent", "a\r\nX: b"],
        [URL, "-o", "x.xml"],
        [URL, "-o", "x"],
        *(
            [URL, option, "-1"]
            for option in [
                *("-c", "--concurrency", "--per-host", "--delay", "--delay-factor", "--depth"),
                *("--limit", "--timeout", "--max-body", "--retries"),
            ]
        ),
    ],
    ids=lambda args: " ".join(args[1:]) or "no URL",
)
def test_bad_options_of_crawl_are_refused(tmp_path: Path, args: list[str]) -> None:
    line = refuse(tmp_path, "crawl", *args)
    option = next((arg for arg in args if arg.startswith("--")), None)
    assert option in (None, "--no-such-option") or option in line


@pytest.mark.parametrize(
    "args",
    [
        ["no-such-command"],
        ["fetch"],
        ["fetch", URL, URL],
        ["fetch", URL, "--timeout", "-1"],
        ["fetch", URL, "--header", "no colon"],
        ["status"],
        ["status", "nothing-here"],
        ["urls"],
        ["urls", "nothing-here"],
        ["explain", "nothing-here", URL],
        ["explain", "nothing-here"],
        ["retry"],
        ["retry", "nothing-here"],
        ["export", "nothing-here"],
        ["export", "nothing-here", "--to", "x.jsonl"],
        ["export", ".", "--to", "x.jsonl"],
        ["status", "."],
    ],
    ids=" ".join,
)
def test_bad_use_of_the_other_commands_is_refused(tmp_path: Path, args: list[str]) -> None:
    refuse(tmp_path, *args)


def test_a_directory_that_can_not_be_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    for directory in (file, file / "below", Path("/proc/crawl")):
        line = refuse(tmp_path, "crawl", URL, "-d", directory)
        assert str(directory) in line
    for command in ("status", "urls"):
        refuse(tmp_path, command, file)
    refuse(tmp_path, "export", file, "--to", tmp_path / "x.jsonl")


@pytest.mark.parametrize("name", ["frontier.db", "pages.db"])
@pytest.mark.parametrize("kind", ["text", "sqlite"])
@pytest.mark.parametrize("options", [[], ["--fresh", "--yes"]], ids=["", "fresh"])
def test_foreign_files_are_left_untouched(
    tmp_path: Path, name: str, kind: str, options: list[str]
) -> None:
    path = tmp_path / name
    if kind == "text":
        path.write_bytes(b"my own notes\n" * 100)
    else:
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE mine(x)")
            db.execute("INSERT INTO mine VALUES(1)")
    before = path.read_bytes()
    line = complaint("crawl", URL, "-d", tmp_path, "--retries", "0", *options)
    assert name in line
    assert path.read_bytes() == before
    if name == "frontier.db":
        complaint("status", tmp_path)
        complaint("export", tmp_path, "--to", tmp_path / "x.jsonl")
        assert path.read_bytes() == before


def test_fresh_forgets_no_foreign_pages(tmp_path: Path) -> None:
    directory = tmp_path / "dir"
    assert run("crawl", URL, "-d", directory, "-q", "--retries", "0").code == 1
    (directory / "pages.db").write_bytes(b"my own notes\n" * 100)
    before = snapshot(directory)
    complaint("crawl", URL, "-d", directory, "--retries", "0", "--fresh", "--yes")
    assert snapshot(directory) == before


@pytest.mark.parametrize("name", ["frontier.db", "pages.db", "log.jsonl", "settings.toml", "lock"])
@pytest.mark.parametrize("options", [[], ["--fresh", "--yes"]], ids=["", "fresh"])
def test_a_folder_in_the_place_of_a_file(tmp_path: Path, name: str, options: list[str]) -> None:
    (tmp_path / name).mkdir()
    ended = run("crawl", URL, "-d", tmp_path, "--retries", "0", *options)
    assert ended.code in (2, 3)
    assert len(ended.err.splitlines()) == 1
    assert str(tmp_path) in ended.err


# A crawl to read


class Crawled(NamedTuple):
    """A crawl that has ended, and the site that it was of."""

    directory: Path
    site: Site

    def url(self, path: str) -> str:
        return self.site.url(path)

    def state(self, path: str) -> tuple[str, str]:
        return ledger(self.directory)[self.url(path)]

    def explain(self, path: str) -> str:
        ended = run("explain", self.directory, self.url(path))
        assert (ended.code, ended.err) == (0, ""), ended
        assert_harmless(ended.out)
        return ended.out


def assert_harmless(text: str) -> None:
    """No character that moves or changes a terminal."""
    rest = text.replace("\n", "").replace("\t", "")
    assert not [char for char in rest if not char.isprintable()], ascii(text)


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    directory = tmp_path_factory.mktemp("crawled") / "dir"
    with Site() as site:
        site.robots("User-agent: *\nDisallow: /private/\n")
        targets = [
            *("/a", "/gbk", "/logo.png", "/old", "/gone", "/broken", "/private/x", "/never/x"),
            *("/noindex", "/evil", "/bad-redirect", "/%1b]0;pwned%07", "/raw\x1b]0;pwned"),
            *("http://elsewhere.invalid/x", "mailto:a@example.com"),
        ]
        links = "".join(f'<a href="{target}">x</a>' for target in targets)
        site.page("/", f"<title>Home</title>{links}")
        site.page("/a", "<title>A</title><a href=/deep>deep</a>")
        site.page("/deep", "<title>Deep</title>")
        site.page(
            "/gbk",
            "<title>中文</title><p>汉字".encode("gbk"),
            content_type="text/html; charset=gbk",
        )
        site.page("/logo.png", bytes(range(256)), content_type="image/png")
        site.redirect("/old", "/new")
        site.page("/new", "<title>New</title>")
        site.route("/gone", Reply(404))
        site.route("/broken", no_answer())
        site.page("/noindex", "<meta name=robots content=noindex>")
        site.page("/evil", f"<title>{EVIL}</title><p>{EVIL}", headers={"X-Evil": EVIL})
        site.redirect("/bad-redirect", f"javascript:{EVIL}")
        ended = run(
            *("crawl", site.url(), "-d", directory, "--retries", "1", "--delay-factor", "0"),
            *("--exclude", "/never/*", "-v", "--json"),
        )
        assert ended.code == 0, ended
        assert_harmless(ended.err)
        yield Crawled(directory, site)


def test_the_states(crawled: Crawled) -> None:
    done = [
        *("/", "/a", "/deep", "/gbk", "/logo.png", "/old", "/new", "/evil"),
    ]
    for path in done:
        assert crawled.state(path) == ("done", ""), path
    assert crawled.state("/gone") == ("failed", "http-404")
    assert crawled.state("/broken") == ("failed", "reset")
    assert crawled.state("/bad-redirect") == ("failed", "bad-redirect")
    assert crawled.state("/private/x") == ("skipped", "robots")
    assert crawled.state("/never/x") == ("skipped", "excluded")
    assert crawled.state("/noindex") == ("skipped", "noindex")
    assert ledger(crawled.directory)["http://elsewhere.invalid/x"] == ("skipped", "scope")


def test_urls_by_state_and_host(crawled: Crawled) -> None:
    everything = ledger(crawled.directory)
    for state in ("queued", "leased", "done", "failed", "skipped", "suspended"):
        some = ledger(crawled.directory, "--state", state)
        assert some == {url: row for url, row in everything.items() if row[0] == state}
    assert list(ledger(crawled.directory, "--host", "elsewhere.invalid")) == [
        "http://elsewhere.invalid/x"
    ]
    host = f"127.0.0.1:{crawled.site.port}"
    assert len(ledger(crawled.directory, "--host", host)) == len(everything) - 1
    failed = ledger(crawled.directory, "--host", host, "--state", "failed")
    assert {reason for _, reason in failed.values()} == {"bad-redirect", "http-404", "reset"}
    assert ledger(crawled.directory, "--host", "nobody.invalid") == {}


def test_urls_by_reason(crawled: Crawled) -> None:
    everything = ledger(crawled.directory)
    for reason in ("http-404", "scope", "timeout"):
        some = ledger(crawled.directory, "--reason", reason)
        assert some == {url: row for url, row in everything.items() if row[1] == reason}
    assert ledger(crawled.directory, "--reason", "scope", "--state", "failed") == {}


def test_urls_as_json(crawled: Crawled) -> None:
    ended = run("urls", crawled.directory, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.isascii()
    lines = {line["url"]: line for line in map(json.loads, ended.out.splitlines())}
    everything = ledger(crawled.directory)
    assert lines.keys() == everything.keys()
    assert all((li["state"], li["reason"] or "") == everything[url] for url, li in lines.items())
    new = lines[crawled.url("/new")]
    assert datetime.fromisoformat(new.pop("at")).tzinfo is not None
    assert new.pop("elapsed") >= 0
    assert new == {
        "url": crawled.url("/new"),
        "state": "done",
        "reason": None,
        "host": f"127.0.0.1:{crawled.site.port}",
        "depth": 1,
        "hops": 1,
        "attempts": 1,
        "status": 200,
        "referrer": crawled.url("/old"),
        "note": None,
    }
    options = ("--state", "failed", "--reason", "reset", "--host", crawled.url("/"))
    [broken] = run("urls", crawled.directory, "--json", *options).out.splitlines()
    assert json.loads(broken)["url"] == crawled.url("/broken")


def test_urls_of_an_unknown_state_or_reason(crawled: Crawled) -> None:
    assert "--state" in complaint("urls", crawled.directory, "--state", "x")
    assert "--reason" in complaint("urls", crawled.directory, "--reason", "x")


def test_status(crawled: Crawled) -> None:
    everything = ledger(crawled.directory)
    ended = run("status", crawled.directory)
    assert (ended.code, ended.err) == (0, "")
    assert_harmless(ended.out)
    figures = {words[0]: words[1] for words in map(str.split, ended.out.splitlines())}
    for state in ("queued", "leased", "done", "failed", "skipped", "suspended"):
        assert int(figures[state]) == sum(row[0] == state for row in everything.values())
    assert int(figures["accepted"]) == len(everything)
    assert figures["reset"] == "1"
    assert "ended" in ended.out.splitlines()[-1]


def test_status_as_json(crawled: Crawled) -> None:
    everything = ledger(crawled.directory)
    ended = run("status", crawled.directory, "--json")
    assert (ended.code, ended.err) == (0, "")
    status = ended.json
    states = ("queued", "leased", "done", "failed", "skipped", "suspended")
    assert [status[state] for state in states] == [
        sum(row[0] == state for row in everything.values()) for state in states
    ]
    assert status["accepted"] == sum(status[state] for state in states) == len(everything)
    assert status["dir"] == str(crawled.directory)


def test_reading_changes_nothing(crawled: Crawled) -> None:
    before = snapshot(crawled.directory)
    for command in ("status", "urls"):
        assert run(command, crawled.directory).code == 0
    crawled.explain("/a")
    assert snapshot(crawled.directory) == before


def test_explain_a_seed(crawled: Crawled) -> None:
    text = crawled.explain("/")
    assert crawled.url("/") in text
    assert "done" in text
    assert "seed" in text
    assert "200" in text


def test_explain_how_a_page_was_found(crawled: Crawled) -> None:
    chain = crawled.explain("/deep").partition("found")[2]
    places = [chain.index(f"{crawled.url(path)}\n") for path in ("/", "/a", "/deep")]
    assert places == sorted(places)


def test_explain_a_redirect_and_its_target(crawled: Crawled) -> None:
    assert "302" in crawled.explain("/old")
    text = crawled.explain("/new")
    assert "redirect" in text
    assert crawled.url("/old") in text


def test_explain_tells_every_try(crawled: Crawled) -> None:
    text = crawled.explain("/broken")
    assert "failed: reset" in text
    tries = text.partition("tries")[2].partition("found")[0].splitlines()
    assert tries[0].strip() == "2"
    assert len(tries[1:]) == 2
    assert all("reset" in line for line in tries[1:])
    assert "http-404" in crawled.explain("/gone")


def test_explain_which_rule_said_no(crawled: Crawled) -> None:
    assert "robots.txt" in crawled.explain("/private/x")
    assert "--exclude" in crawled.explain("/never/x")
    assert "noindex" in crawled.explain("/noindex")
    ended = run("explain", crawled.directory, "http://elsewhere.invalid/x")
    assert ended.code == 0
    assert "--scope" in ended.out


def test_explain_takes_a_url_as_typed(crawled: Crawled) -> None:
    ended = run("explain", crawled.directory, f"127.0.0.1:{crawled.site.port}/a#part")
    assert ended.code == 0
    assert ended.out == crawled.explain("/a")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("/nowhere", "linked"),
        ("/never/y", "excluded"),
        ("http://another.invalid/", "scope"),
    ],
)
def test_explain_of_an_unknown_url_says_why(crawled: Crawled, url: str, why: str) -> None:
    full = crawled.url(url) if url.startswith("/") else url
    line = complaint("explain", crawled.directory, full, code=1)
    assert full in line
    assert why in line


def test_explain_of_what_is_no_url(crawled: Crawled) -> None:
    for url in ("", "ftp://x/", "http://["):
        complaint("explain", crawled.directory, url)


def test_no_escape_reaches_the_terminal(crawled: Crawled) -> None:
    for command in ("urls", "status"):
        ended = run(command, crawled.directory)
        assert_harmless(ended.out + ended.err)
        assert ended.code == 0
    assert crawled.state("/%1b]0;pwned%07") == ("failed", "http-404")
    assert crawled.state("/raw%1B]0;pwned") == ("failed", "http-404")
    assert "pwned" in crawled.explain("/bad-redirect")
    ended = run("explain", crawled.directory, f"http://x.invalid/{EVIL}")
    assert_harmless(ended.out + ended.err)


# Export


def test_export(crawled: Crawled, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    ended = run("export", crawled.directory, "--to", target, "--bodies")
    assert (ended.code, ended.out) == (0, "")
    assert_harmless(ended.err)
    lines = target.read_text(encoding="utf-8").splitlines()
    pages = {page["url"]: page for page in map(json.loads, lines)}
    done = ledger(crawled.directory, "--state", "done")
    assert len(lines) == len(pages)
    assert pages.keys() == done.keys()
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]

    gbk = pages[crawled.url("/gbk")]
    assert gbk["body"] == "<title>中文</title><p>汉字"
    assert (gbk["title"], gbk["charset"], gbk["status"]) == ("中文", "gbk", 200)
    logo = pages[crawled.url("/logo.png")]
    assert base64.b64decode(logo["body_base64"]) == bytes(range(256))
    assert "body" not in logo
    assert pages[crawled.url("/old")]["status"] == 302
    assert pages[crawled.url("/deep")]["referrer"] == crawled.url("/a")
    assert pages[crawled.url("/deep")]["headers"]["content-type"] == "text/html; charset=utf-8"


def test_export_replaces_a_file_whole(crawled: Crawled, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_bytes(b"old" * 100_000)
    assert run("export", crawled.directory, "--to", target).code == 0
    assert b"oldold" not in target.read_bytes()


@pytest.mark.parametrize("target", ["x.xml", "x", "x.jsonl.txt", ""])
def test_export_to_an_unknown_format(crawled: Crawled, tmp_path: Path, target: str) -> None:
    assert ".jsonl" in refuse(tmp_path, "export", crawled.directory, "--to", target)


def test_export_to_where_nothing_can_be_written(crawled: Crawled, tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for target in ("/proc/x.jsonl", "no/such/folder/x.jsonl", "folder.jsonl"):
        assert target in refuse(tmp_path, "export", crawled.directory, "--to", target)


def test_export_without_pages(tmp_path: Path) -> None:
    directory = tmp_path / "dir"
    with Site() as site:
        site.route("/", Reply(404))
        assert run("crawl", site.url(), "-d", directory, "-q").code == 1
    target = tmp_path / "x.jsonl"
    line = complaint("export", directory, "--to", target, code=1)
    assert "nothing to export" in line
    assert not target.exists()


# Odd standard streams


def with_stream(change: str, *args: str, keep: tuple[int, ...] = ()) -> Ended:
    """Run a command after a change to one of its standard streams."""
    code = f"""
import os, sys
os.{change}
os.execv(sys.executable, [sys.executable, "-m", "asyncmultispider", *sys.argv[1:]])
"""
    ended = python(code, *args, keep=keep)
    assert "Traceback" not in ended.err, ended.err
    return ended


def test_a_reader_of_our_output_may_go_away(crawled: Crawled) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        for options in ([], ["--json"]):
            args = ("urls", str(crawled.directory), *options)
            ended = with_stream(f"dup2({writer}, 1)", *args, keep=(writer,))
            assert ended.err == ""
    finally:
        os.close(writer)


def test_output_to_a_full_disk(crawled: Crawled) -> None:
    with Path("/dev/full").open("wb") as full:
        for command in ("urls", "status"):
            args = (command, str(crawled.directory))
            change = f"dup2({full.fileno()}, 1)"
            ended = with_stream(change, *args, keep=(full.fileno(),))
            assert ended.code != 0
            assert len(ended.err.splitlines()) == 1


def test_closed_standard_input(crawled: Crawled) -> None:
    for args in ([URL, "--fresh", "-d", str(crawled.directory)], ["-"]):
        ended = with_stream("close(0)", "crawl", *args)
        assert ended.code == 2
        assert len(ended.err.splitlines()) == 1


# Fetch


def test_fetch_prints_what_the_crawler_sees(crawled: Crawled) -> None:
    ended = run("fetch", crawled.url("/a"))
    assert (ended.code, ended.err) == (0, "")
    for part in (
        "200",
        "content-type: text/html; charset=utf-8",
        crawled.url("/deep"),
        "A",
        "deep",
    ):
        assert part in ended.out


def test_fetch_shows_redirects_and_errors_as_they_are(crawled: Crawled) -> None:
    ended = run("fetch", crawled.url("/old"))
    assert ended.code == 0
    assert "302" in ended.out
    assert "location: /new" in ended.out
    assert "404" in run("fetch", crawled.url("/gone")).out


def test_fetch_decodes(crawled: Crawled) -> None:
    out = run("fetch", crawled.url("/gbk"), env={"PYTHONIOENCODING": "utf-8"}).out
    assert "中文" in out
    assert "汉字" in out


def test_fetch_sends_what_it_is_told(crawled: Crawled) -> None:
    before = len(crawled.site.requests)
    run("fetch", crawled.url("/a"), "--user-agent", "me/1", "--header", "X-Mine: yes")
    sent = crawled.site.requests[before]
    assert sent.headers["user-agent"] == "me/1"
    assert sent.headers["x-mine"] == "yes"


def test_fetch_lets_no_escape_through(crawled: Crawled) -> None:
    ended = run("fetch", crawled.url("/evil"))
    assert (ended.code, ended.err) == (0, "")
    assert "x-evil" in ended.out
    assert "pwned" in ended.out
    assert_harmless(ended.out)
    assert_harmless(run("fetch", crawled.url("/bad-redirect")).out)


def test_fetch_survives_a_poor_terminal(crawled: Crawled) -> None:
    ended = run("fetch", crawled.url("/gbk"), env={"PYTHONIOENCODING": "ascii"})
    assert ended.code == 0
    assert ended.err == ""


def test_fetch_from_a_refused_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ended = run("fetch", f"http://127.0.0.1:{port}/")
    assert ended.code == 1
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert f"127.0.0.1:{port}" in ended.err
    assert "connect" in ended.err


def test_fetch_can_be_interrupted() -> None:
    with Site() as site:
        site.hold("/")
        with start("fetch", site.url()) as fetch:
            site.wait_until(lambda: site.active)
            fetch.send(signal.SIGINT)
            ended = fetch.end(20)
    assert ended.code == 130
    assert "Traceback" not in ended.err
