"""`crawl` as a process: its streams, files and directories."""

import hashlib
import json
import os
import socket
import time
import tomllib
from datetime import datetime
from pathlib import Path

import pytest
import zstandard

from cli_crawls import FAST, STATES, check_books, check_complete, check_log, crawl, linked, numbered
from command import complaint, ledger, query, run, snapshot, start
from servers_nginx import nginx_site
from webserver import Certificates, Reply, Site

SUMMARY = {
    *("pages", "failed", "skipped", "suspended", "queued", "fetched", "bytes", "seconds"),
    *("pages_per_second", "stopped", "dir"),
}
EVIL = "\x1b]0;pwned\x07\x1b[31m"


# Streams and exit codes


def test_summary_is_one_json_object(site: Site, directory: Path) -> None:
    site.page("/", "<a href=/a>a</a><a href=/gone>x</a><a href=http://x.invalid/>x</a>")
    site.page("/a", "a" * 1000)
    site.route("/gone", Reply(404))
    ended = crawl(site, directory)
    assert ended.code == 0
    summary = ended.json
    assert summary.keys() == SUMMARY
    seconds, pace = summary.pop("seconds"), summary.pop("pages_per_second")
    assert seconds > 0
    assert pace == pytest.approx(2 / seconds, rel=0.1, abs=0.1)
    assert summary == {
        "pages": 2,
        "failed": 1,
        "skipped": 1,
        "suspended": 0,
        "queued": 0,
        "fetched": 3,
        "bytes": query(directory, "SELECT sum(size) FROM pages")[0][0],
        "stopped": "finished",
        "dir": str(directory),
    }


def test_stdout_is_for_results_only(site: Site, directory: Path) -> None:
    numbered(site, 3)
    ended = run("crawl", site.url(), "-d", directory, *FAST)
    assert (ended.code, ended.out) == (0, "")
    assert "4 pages" in ended.err
    assert str(directory) in ended.err


def test_quiet_is_quiet(site: Site, directory: Path) -> None:
    numbered(site, 3)
    for _ in range(2):
        ended = run("crawl", site.url(), "-d", directory, *FAST, "-q")
        assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_nothing_could_be_fetched(site: Site, directory: Path) -> None:
    ended = crawl(site, directory)
    assert ended.code == 1
    summary = ended.json
    assert (summary["pages"], summary["failed"], summary["stopped"]) == (0, 1, "finished")


def test_nothing_may_be_fetched(site: Site, directory: Path) -> None:
    site.robots("User-agent: *\nDisallow: /\n")
    site.page("/", "secret")
    ended = crawl(site, directory)
    assert ended.code == 1
    assert ended.json["skipped"] == 1
    assert site.hits("/") == 0


def test_refused_port(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    ended = run("crawl", url, "-d", directory, "--json", *FAST)
    assert ended.code == 1
    assert ended.json["failed"] == 1
    assert ledger(directory) == {url: ("failed", "connect")}


def test_why_a_host_could_not_be_reached_is_said(directory: Path) -> None:
    url = "http://no-such-host.invalid/"
    ended = run("crawl", url, "-d", directory, *FAST)
    assert ended.code == 1
    assert "dns" in ended.err
    assert "dns" in {line.get("reason") for line in check_log(directory)}
    assert "dns" in run("explain", directory, url).out.partition("tries")[2]


def test_the_same_command_when_all_is_done(site: Site, directory: Path) -> None:
    paths = numbered(site, 3)
    assert crawl(site, directory).code == 0
    ended = crawl(site, directory)
    assert ended.code == 0
    assert ended.json["pages"] == len(paths)
    assert ended.json["fetched"] == 0
    assert "continuing" in ended.err
    assert "--fresh" in ended.err
    assert all(site.hits(path) == 1 for path in paths)


def test_verbose_shows_each_page_that_fails(site: Site, directory: Path) -> None:
    linked(site, "/a")
    site.route("/a", Reply(404))
    ended = crawl(site, directory, "-v")
    assert f"http-404: {site.url('/a')}" in ended.err


def test_urls_from_standard_input(site: Site, tmp_path: Path, directory: Path) -> None:
    site.page("/a", "a")
    site.page("/b", "b")
    stdin = f"{site.url('/a')}\r\n\n  {site.url('/b')}  ".encode()
    ended = run("crawl", "-", "-d", directory, *FAST, stdin=stdin)
    assert ended.code == 0
    assert set(ledger(directory)) == {site.url("/a"), site.url("/b")}
    assert run("crawl", site.url("/a"), site.url("/b"), "-d", directory, *FAST).code == 0


def test_the_default_directory_is_named_after_the_host(site: Site, tmp_path: Path) -> None:
    site.page("/", "x")
    assert run("crawl", site.url(), *FAST, cwd=tmp_path).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["127.0.0.1.crawl"]
    assert run("status", "127.0.0.1.crawl", cwd=tmp_path).code == 0


def test_the_default_directory_of_an_ipv6_host(tmp_path: Path) -> None:
    assert run("crawl", "http://[::1]:9/", *FAST, cwd=tmp_path).code == 1
    (found,) = tmp_path.iterdir()
    assert "::1" in found.name


def test_a_directory_name_with_escapes(site: Site, tmp_path: Path) -> None:
    site.page("/", "x")
    name = "caf\u00e9 \x1b[31m"
    ended = crawl(site, tmp_path / name)
    assert ended.code == 0
    assert ended.json["dir"] == str(tmp_path / name)
    for shown in (ended.err, ended.out, run("status", name, cwd=tmp_path).out):
        assert "\x1b" not in shown


def test_a_directory_name_that_is_not_utf8(site: Site, tmp_path: Path) -> None:
    site.page("/", "x")
    name = os.fsdecode(b"caf\xe9")
    ended = run("crawl", site.url(), "-d", name, "--json", *FAST, cwd=tmp_path)
    assert "Traceback" not in ended.err, ended.err
    assert ended.code in (0, 2)


def test_a_crawl_that_was_killed_before_it_had_tables(site: Site, directory: Path) -> None:
    paths = numbered(site, 1)
    directory.mkdir()
    (directory / "frontier.db").touch()
    complaint("status", directory)
    complaint("explain", directory, site.url())
    assert crawl(site, directory).code == 0
    check_complete(site, directory, paths)


# A URL without a scheme


def test_without_a_scheme_http_is_taken_where_https_can_not_connect(
    tmp_path: Path, directory: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "index.html").write_text("<a href=/b.html>b</a>")
    (root / "b.html").write_text("b")
    with nginx_site(tmp_path, root) as nginx:
        typed = nginx.url.removeprefix("http://")
        for word in ("crawling", "continuing"):
            ended = run("crawl", typed, "-d", directory, *FAST)
            assert ended.code == 0, ended
            assert word in ended.err
        explained = run("explain", directory, f"{typed}/b.html")
        assert run("crawl", nginx.url, "-d", directory, *FAST).code == 0
    assert set(ledger(directory)) == {f"{nginx.url}/", f"{nginx.url}/b.html"}
    assert explained.code == 0


@pytest.mark.parametrize("kind", ["untrusted", "expired", "wrong_host"])
def test_a_bad_certificate_is_no_reason_to_do_without(
    tmp_path: Path, directory: Path, kind: str
) -> None:
    with Site(tls=getattr(Certificates(tmp_path), kind)) as site:
        site.page("/", "x")
        ended = run("crawl", f"127.0.0.1:{site.port}", "-d", directory, "--json", *FAST)
        assert ended.code == 1
        assert ledger(directory) == {site.url(): ("failed", "tls")}
        assert site.requests == []
        fetched = run("fetch", f"127.0.0.1:{site.port}")
    assert fetched.code == 1
    assert len(fetched.err.splitlines()) == 1
    assert "tls" in fetched.err


# Files


def test_the_files_of_a_crawl(site: Site, directory: Path) -> None:
    site.page("/", "<a href=/gone>x</a>")
    secrets = ["s3cret-token", "s3cret-agent", "s3cret-password"]
    options = [
        *("--header", f"Authorization: Bearer {secrets[0]}", "--header", f"X-Key:{secrets[1]}"),
        *("--exclude", "/x", "--depth", "3", "--limit", "7", "--timeout", "9.5"),
    ]
    assert crawl(site, directory, *options).code == 0
    assert site.requests[-1].headers["authorization"] == f"Bearer {secrets[0]}"
    assert {path.name for path in directory.iterdir()} - {"lock"} == {
        *("frontier.db", "pages.db", "settings.toml", "log.jsonl"),
    }
    settings = tomllib.loads((directory / "settings.toml").read_text(encoding="utf-8"))
    assert settings["seeds"] == [site.url()]
    assert settings["scope"] == "host"
    assert settings["exclude"] == ["/x"]
    assert (settings["depth"], settings["limit"], settings["timeout"]) == (3, 7, 9.5)
    check_log(directory)
    for name, data in snapshot(directory).items():
        assert not [secret for secret in secrets if secret.encode() in data], name


def test_no_file_holds_the_password_of_the_proxy(site: Site, directory: Path) -> None:
    site.route("/*", Reply(404))
    proxy = f"http://me:s3cret@127.0.0.1:{site.port}"
    ended = run("crawl", "http://x.invalid/", "-d", directory, "-v", "--proxy", proxy, *FAST)
    assert ended.code == 1
    settings = tomllib.loads((directory / "settings.toml").read_text(encoding="utf-8"))
    assert settings["proxies"][0].endswith(f"127.0.0.1:{site.port}")
    assert "s3cret" not in ended.err
    for name, data in snapshot(directory).items():
        assert b"s3cret" not in data, name


def test_the_log_tells_of_trouble(site: Site, directory: Path) -> None:
    linked(site, "/gone", "/evil")
    site.route("/gone", Reply(404))
    site.redirect("/evil", f"javascript:{EVIL}")
    crawl(site, directory)
    crawl(site, directory)
    lines = check_log(directory)
    assert [line["event"] for line in lines if line["event"] in ("start", "stop")] == [
        *("start", "stop", "start", "stop"),
    ]
    assert site.url("/gone") in {line.get("url") for line in lines if line["event"] == "failed"}


def test_the_tables_of_pages_db(site: Site, directory: Path) -> None:
    site.page("/", "x")
    crawl(site, directory)

    def columns(table: str) -> list[tuple[str, str]]:
        return [
            (name, kind) for _, name, kind, *_ in query(directory, f"PRAGMA table_info({table})")
        ]

    def unique(table: str) -> list[list[str]]:
        indexes = query(directory, f"PRAGMA index_list({table})")
        names = [name for _, name, is_unique, *_ in indexes if is_unique]
        return [[c for *_, c in query(directory, f"PRAGMA index_info({name})")] for name in names]

    assert columns("pages") == [
        ("url", "TEXT"),
        ("status", "INTEGER"),
        ("content_type", "TEXT"),
        ("charset", "TEXT"),
        ("title", "TEXT"),
        ("depth", "INTEGER"),
        ("referrer", "TEXT"),
        ("fetched_at", "TEXT"),
        ("elapsed_ms", "REAL"),
        ("size", "INTEGER"),
        ("headers", "TEXT"),
        ("digest", "BLOB"),
    ]
    assert unique("pages") == [["url"]]
    assert columns("bodies") == [("digest", "BLOB"), ("encoding", "TEXT"), ("body", "BLOB")]
    keys = [row[1] for row in query(directory, "PRAGMA table_info(bodies)") if row[5]]
    assert keys == ["digest"]
    assert columns("items") == [("url", "TEXT"), ("n", "INTEGER"), ("data", "TEXT")]
    assert unique("items") == [["url", "n"]]


def test_the_rows_of_pages_db(site: Site, directory: Path) -> None:
    body = "<title> A \n B </title>" + "<p>the same words" * 100
    site.page("/", "<a href=/a>a</a><a href=/b>b</a><a href=/r>r</a>")
    site.page("/a", body, headers=[("X-Two", "1"), ("X-Two", "2")])
    site.page("/b", body)
    site.redirect("/r", "/a", 301)
    crawl(site, directory)
    row = query(
        directory,
        f"SELECT * FROM pages LEFT JOIN bodies USING(digest) WHERE url = '{site.url('/a')}'",
    )[0]
    url, status, kind, charset, title, depth, referrer, at, elapsed, size, headers, *rest = row
    assert (url, status, kind, charset) == (site.url("/a"), 200, "text/html", "utf-8")
    assert title.split() == ["A", "B"]
    assert (depth, referrer, size) == (1, site.url(), len(body))
    assert abs(datetime.fromisoformat(at).timestamp() - time.time()) < 600
    assert elapsed > 0
    assert json.loads(headers)["x-two"] == ["1", "2"]
    digest, encoding, packed = rest
    assert digest == hashlib.sha256(body.encode()).digest()
    assert encoding == "zstd"
    assert zstandard.ZstdDecompressor().decompress(packed) == body.encode()
    digests = query(directory, "SELECT digest FROM pages WHERE status = 200")
    assert len(digests) == 3
    assert len(set(digests)) == 2
    assert query(directory, f"SELECT status FROM pages WHERE url = '{site.url('/r')}'") == [(301,)]
    orphans = "SELECT count(*) FROM pages WHERE digest NOT IN (SELECT digest FROM bodies)"
    assert query(directory, orphans) == [(0,)]


def test_output_beside_the_directory(site: Site, tmp_path: Path, directory: Path) -> None:
    paths = numbered(site, 3)
    target = tmp_path / "out.jsonl"
    assert crawl(site, directory, "-o", target).code == 0
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert sorted(line["url"] for line in lines) == sorted(map(site.url, paths))


def test_output_that_can_not_be_written_is_refused_at_once(
    site: Site, tmp_path: Path, directory: Path
) -> None:
    numbered(site, 3)
    target = tmp_path / "no" / "folder" / "out.jsonl"
    line = complaint("crawl", site.url(), "-d", directory, *FAST, "-o", target)
    assert str(target) in line
    assert site.paths == []


# Directories that hold a crawl already


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["/other"], "seeds"),
        (["/", "/other"], "seeds"),
        (["/", "--scope", "domain"], "scope"),
        (["/", "--exclude", "/x"], "exclude"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_directory_of_another_crawl_is_refused(
    site: Site, directory: Path, args: list[str], named: str
) -> None:
    numbered(site, 2)
    crawl(site, directory)
    seen = len(site.paths)
    typed = [site.url(arg) if arg.startswith("/") and arg != "/x" else arg for arg in args]
    line = complaint("crawl", *typed, "-d", directory, *FAST)
    assert str(directory) in line
    assert named in line
    assert "--fresh" in line
    assert len(site.paths) == seen
    check_books(directory, 3)
    assert crawl(site, directory).json["fetched"] == 0


def test_other_manners_continue_the_same_crawl(site: Site, directory: Path) -> None:
    numbered(site, 3)
    assert crawl(site, directory, "--limit", "2").code == 0
    options = ["-c", "3", "--per-host", "1", "--header", "X: y", "--timeout", "20"]
    assert crawl(site, directory, *options).json["pages"] == 4


def test_fresh_starts_again(site: Site, directory: Path) -> None:
    paths = numbered(site, 3)
    crawl(site, directory)
    site.page("/0", "<title>changed</title>")
    ended = crawl(site, directory, "--fresh", "--yes")
    assert ended.code == 0
    assert ended.json["fetched"] == 4
    assert "continuing" not in ended.err
    assert all(site.hits(path) == 2 for path in paths)
    title = query(directory, f"SELECT title FROM pages WHERE url = '{site.url('/0')}'")
    assert title == [("changed",)]


def test_fresh_lets_another_crawl_in(site: Site, directory: Path) -> None:
    numbered(site, 3)
    crawl(site, directory)
    ended = run("crawl", site.url("/1"), "-d", directory, "--fresh", "--yes", *FAST)
    assert ended.code == 0
    assert set(ledger(directory)) == {site.url("/1")}


def test_fresh_asks(site: Site, directory: Path) -> None:
    numbered(site, 1)
    crawl(site, directory)
    before = snapshot(directory)
    line = complaint("crawl", site.url(), "-d", directory, "--fresh", *FAST)
    assert "--yes" in line
    args = ("crawl", site.url(), "-d", directory, "--fresh", *FAST)
    with start(*args, terminal=True) as process:
        process.wait_for("?")
        process.type("n\n")
        assert process.end().code != 0
    assert snapshot(directory) == before
    with start(*args, terminal=True) as process:
        process.wait_for("?")
        process.type("y\n")
        assert process.end().code == 0
    assert site.hits("/0") == 2


def test_fresh_forgets_nothing_when_the_rest_is_wrong(site: Site, directory: Path) -> None:
    numbered(site, 1)
    crawl(site, directory)
    before = snapshot(directory)
    args = ("-d", directory, "--fresh", "--yes")
    complaint("crawl", site.url(), "ftp://127.0.0.1/", *args)
    complaint("crawl", site.url(), *args, "--scope", "x")
    complaint("crawl", site.url(), *args, "-o", "x.xml")
    assert snapshot(directory) == before


def test_a_running_crawl_keeps_others_out(site: Site, directory: Path) -> None:
    paths = linked(site, "/held", "/a", "/b")
    hold = site.hold("/held")
    with start("crawl", site.url(), "-d", directory, *FAST) as first:
        site.wait_until(lambda: site.hits("/held") and site.hits("/b"))
        for options in ([], ["--fresh", "--yes"]):
            line = complaint("crawl", site.url(), "-d", directory, *FAST, *options)
            assert "running" in line
            assert str(directory) in line
        # Reading is allowed, and disturbs nobody.
        assert run("status", directory).code == 0
        status = run("status", directory, "--json").json
        assert sum(status[state] for state in STATES) == status["accepted"] == len(paths)
        assert status["leased"] >= 1
        assert ledger(directory)[site.url("/held")] == ("leased", "")
        assert "leased" in run("explain", directory, site.url("/held")).out
        hold.release()
        assert first.end().code == 0
    check_complete(site, directory, paths)
