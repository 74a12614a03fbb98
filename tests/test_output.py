"""What strangers wrote reaches terminals, logs and files harmlessly: no control character, no line
that they made up, JSON that is JSON, no name or query of theirs.
"""

import html
import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import asyncmultispider.progress as showing
from asyncmultispider.cli.commands import cli
from asyncmultispider.cli.verify import verify_command
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import default_directory
from asyncmultispider.model import Batch
from asyncmultispider.outputs.harmless import harmless
from asyncmultispider.settings import Settings
from asyncmultispider.urls import canonicalize
from command import Ended, complaint, ledger, query, run, start
from webserver import Site, raw

FAST = ("--delay-factor", "0", "--per-host", "8", "--retries", "0")

EVIL = (
    "\x1b]0;pwned\x07",  # sets the title of the window
    "\x1b]52;c;cHduZWQ=\x1b\\",  # fills the clipboard
    "\x1b]8;;http://evil.invalid/\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[31;5mred\x1b[2J\x1b[H\x1b[?1049h",
    "\x9b31mred\x9d0;pwned\x9c",  # the same in one character each
    "back\b\b\b\x7f\x7f",
    "\u202egnp.exe\u2066x\u2067y\u2068z\u2069\u200f\u061c",
    "zero\u200b\u200d\ufeff\u2060width\u00ad",
    "\u2028FORGED\u2029FORGED\x85FORGED",
    "\r\nFORGED\rFORGED\nFORGED\x0bFORGED\x0cFORGED\x1eFORGED",
    "a\0nul",
    '=HYPERLINK("http://evil.invalid/")',
    "+cmd|' /C calc'!A0",
    "'; DROP TABLE pages; --",
    "<script>alert(1)</script>",
    "[red]x[/red][link=http://evil.invalid/]y[/link][/] :boom:",
    '"}\n{"url": "FORGED"}',
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd%0aFORGED%00%1b[31m%e2%80%ae%ff",
    "$(touch forged)`id`${HOME}%s%n{0}{x!r}\\x1b[31m",
)
HOSTS = (
    *("..", "-rf", "=cmd.invalid", "'; drop.invalid", "$(id).invalid", "a..b.invalid"),
    *("%1b]0.invalid", "xn--fiq228c.invalid", "中文\u200b.invalid", "\u202egnp.invalid"),
)
"""In links; some mean no URL."""
RICH = re.compile(r"\x1b\[[0123]m|\x1b\[33m|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh]|\r(?=[\x1b\n])")
"""What our own display sends to a terminal; nothing of EVIL is like it."""
HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def assert_harmless(text: str, but: str = "\n\t") -> None:
    """No character that moves or changes a terminal, and no line that a stranger began."""
    bad = {char for char in text if unicodedata.category(char) in HARMFUL and char not in but}
    assert not bad, ascii(sorted(bad))
    assert not [line for line in text.splitlines() if line.startswith("FORGED")], text


def objects(text: str) -> list[dict[str, object]]:
    """JSON, an object on each line, however somebody tells lines apart."""
    assert_harmless(text)
    lines = text.split("\n")
    assert lines.pop() == ""
    assert lines == text.splitlines()
    values = [json.loads(line) for line in lines]
    assert all(isinstance(value, dict) for value in values)
    return values


def on_one_line(text: str) -> str:
    return re.sub("[\r\n\0]", "", text)


# A site that does its worst


def serve(site: Site) -> None:
    """`/` leads to all of it."""
    site.page("/robots.txt", "User-agent: *\n" + "".join(f"Disallow: {p}\n" for p in forbidden()))
    site.page("/utf16", "<title>\ud800x\udfff</title>".encode("utf-16", "surrogatepass"))
    site.page("/entities", "<title>&#xD800;&#27;[31m&#x9b;1m&#0;&#x202e;</title>")
    site.page("/long", f"<title>{'FORGED ' * 150_000}</title>")
    site.page("/long-href", links(["/l/" + "\x1b[31m" * 1000]))
    site.redirect("/long-to", "javascript:" + "\x1b[31m" * 10_000)
    special = ["/utf16", "/entities", "/long", "/long-href", "/long-to"]
    hosts = [f"http://{host}:{site.port}/" for host in HOSTS]
    paths = [f"/{text}?{text}#{text}" for text in EVIL]
    site.page("/", links([*special, *numbered(site), *forbidden(), *hosts, *paths]))


def forbidden() -> list[str]:
    return [f"/forbidden/{on_one_line(text)}" for text in EVIL]


def links(hrefs: list[str]) -> str:
    anchors = "".join(f'<a href="{html.escape(href)}">x</a>\n' for href in hrefs)
    return f"<!doctype html><title>Links</title>\n{anchors}"


def numbered(site: Site) -> list[str]:
    """Serve a kind of evil at `/kind/n` for each text; their paths."""
    for number, text in enumerate(EVIL):
        shown, line = html.escape(text), on_one_line(text)
        site.page(f"/title/{number}", f"<title>{shown}</title>{shown}", headers={"X-Evil": line})
        site.page(f"/type/{number}", f"type {number}", content_type=f"text/{line}")
        site.page(f"/charset/{number}", f"set {number}", content_type=f"text/html; charset={line}")
        site.redirect(f"/to/{number}", f"javascript:{line}")
        site.redirect(f"/away/{number}", f"http://evil.invalid/{line}")
        for kind, head in heads(text.encode()).items():
            answer = b"HTTP/1.1 " + head + b"\r\n\r\n%d" % number
            site.route(f"/{kind}/{number}", raw(answer))
    kinds = ("title", "type", "charset", "to", "away", *heads(b""))
    return [f"/{kind}/{number}" for kind in kinds for number in range(len(EVIL))]


def heads(text: bytes) -> dict[str, bytes]:
    """Heads of answers with the text somewhere, as it is: where it breaks the head, so be it."""
    return {
        "name": b"200 OK\r\n" + text + b": x",
        "value": b"200 OK\r\nX-Evil: " + text,
        "phrase": b"404 " + text,
        "status": text + b" OK",
        "coding": b"200 OK\r\nContent-Encoding: " + text,
        "transfer": b"200 OK\r\nTransfer-Encoding: " + text,
        "bytes": b"200 OK\r\nTransfer-Encoding: a\xffb" + text,
        "location": b"302 Found\r\nLocation: javascript:\xff\x9b31m" + text,
        "length": b"200 OK\r\nContent-Length: " + text,
        "retry": b"500 Oops\r\nRetry-After: " + text,
    }


class Crawled(NamedTuple):
    """A crawl with -v, what it printed, and the folder that holds its directory."""

    folder: Path
    site: Site
    ended: Ended

    @property
    def directory(self) -> Path:
        """The crawl directory."""
        return self.folder / "dir"


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    folder = tmp_path_factory.mktemp("hostile")
    with Site() as site:
        serve(site)
        ended = run("crawl", site.url(), "-d", "dir", "-v", "--json", *FAST, cwd=folder)
        yield Crawled(folder, site, ended)


def test_a_crawl_goes_through_it_all(crawled: Crawled) -> None:
    assert crawled.ended.code == 0, crawled.ended.err
    assert crawled.ended.json["stopped"] == "finished"
    assert crawled.ended.json["queued"] == 0
    assert_harmless(crawled.ended.err)
    started = r"[a-z]+(-[a-z0-9]+)*: |crawling into |finished: |trouble in this run: "
    for line in crawled.ended.err.splitlines():
        assert len(line) < 30_000
        assert re.match(started, line), ascii(line)
    reasons = {reason for _, reason in ledger(crawled.directory).values()}
    assert {"bad-redirect", "http-404", "protocol", "bad-encoding", "robots"} <= reasons


def test_its_log_can_be_shown_and_read(crawled: Crawled) -> None:
    lines = objects((crawled.directory / "log.jsonl").read_text(encoding="utf-8"))
    assert (lines[0]["event"], lines[-1]["event"]) == ("start", "stop")
    details = {str(line.get("detail")) for line in lines}
    assert any("\x1b]0;pwned" in detail for detail in details), "nothing is lost in it"


def test_nothing_is_written_anywhere_else(crawled: Crawled) -> None:
    assert [path.name for path in crawled.folder.iterdir()] == ["dir"]
    names = {path.name.partition("-")[0] for path in crawled.directory.iterdir()}
    assert names == {"frontier.db", "pages.db", "settings.toml", "log.jsonl", "lock"}


def test_pages_db_holds_what_was_said(crawled: Crawled) -> None:
    titles = dict(query(crawled.directory, "SELECT url, title FROM pages"))
    for number, text in enumerate(EVIL):
        expected = " ".join(text.replace("\0", "\ufffd").split())
        assert titles[crawled.site.url(f"/title/{number}")] == expected
    assert len(titles[crawled.site.url("/long")]) > 1_000_000
    assert titles[crawled.site.url("/utf16")] == "\ufffdx\ufffd"


@pytest.mark.parametrize("name", ["pages.db", "frontier.db"])
def test_all_text_in_the_databases_is_text(crawled: Crawled, name: str) -> None:
    with closing(sqlite3.connect(crawled.directory / name)) as db:
        columns = db.execute(
            "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c"
            " WHERE t.type = 'table'"
        ).fetchall()
        assert len(columns) > 10
        db.text_factory = bytes.decode  # strict
        for table, column in columns:
            found = db.execute(f"SELECT {column} FROM {table} WHERE typeof({column}) = 'text'")
            assert all(isinstance(value, str) for (value,) in found)


def test_headers_in_pages_db_are_json(crawled: Crawled) -> None:
    rows = query(crawled.directory, "SELECT url, headers FROM pages")
    for _, headers in rows:
        assert isinstance(json.loads(headers), dict)


# Every command over it


def ask(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    """What a command prints, in this process."""
    cli.main([str(arg) for arg in args], standalone_mode=False)
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize("command", ["status", "urls", "verify", "retry"])
def test_commands_that_list(
    crawled: Crawled, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    accepted = int(run("status", crawled.directory, "--json").json["accepted"])
    if command != "retry":  # the first would leave nothing for the second
        text = ask(capsys, command, crawled.directory)
        assert_harmless(text)
        if command == "urls":
            assert len(text.splitlines()) == accepted
            assert all(line.count("\t") == 2 for line in text.splitlines())
    values = objects(ask(capsys, command, crawled.directory, "--json"))
    assert len(values) == (accepted if command == "urls" else 1)


def test_explain_each_url(crawled: Crawled, capsys: pytest.CaptureFixture[str]) -> None:
    for url in ledger(crawled.directory):
        text = ask(capsys, "explain", crawled.directory, url)
        assert_harmless(text)
        told = "state|because|depth|waits|rule|redirect|page|SHA-256|tries|found| "
        for line in text.splitlines()[1:]:
            assert re.match(f"({told}) ?", line)
        [value] = objects(ask(capsys, "explain", crawled.directory, url, "--json"))
        assert value["url"] == url


@pytest.mark.parametrize("text", EVIL)
def test_explain_what_is_unknown(crawled: Crawled, text: str) -> None:
    for url in (f"http://x.invalid/{text}", text, f"http://{text}/"):
        if "\0" in url:
            continue  # no argument of a process
        ended = run("explain", crawled.directory, url)
        assert ended.code in (1, 2)
        assert ended.out == ""
        assert_harmless(ended.err)
        assert ended.err.count("\n") == 1


def test_export(crawled: Crawled, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.jsonl"
    assert_harmless(ask(capsys, "export", crawled.directory, "--to", target))
    pages = {page["url"]: page for page in objects(target.read_bytes().decode())}
    stored = query(crawled.directory, "SELECT url, title, headers FROM pages")
    assert len(pages) == len(stored)
    for url, title, headers in stored:
        assert pages[url]["title"] == title
        assert pages[url]["headers"] == json.loads(headers)


PATHS = ("/long", "/utf16", "/entities", "/long-to", *("/name/0", "/type/3", "/charset/4"))


@pytest.mark.parametrize("path", [*PATHS, *(f"/title/{n}" for n in range(len(EVIL)))])
def test_fetch(crawled: Crawled, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = ask(capsys, "fetch", crawled.site.url(path))
    head, _, body = text.partition("\ntext\n")
    assert_harmless(head)
    assert_harmless(body.replace("FORGED", ""))  # the last part: it may have lines of its own
    assert len(text) < 20_000


@pytest.mark.parametrize("name", heads(b""))
def test_fetch_of_broken_heads(crawled: Crawled, name: str) -> None:
    ended = run("fetch", crawled.site.url(f"/{name}/3"))
    assert ended.code in (0, 1)
    assert "Traceback" not in ended.err
    assert_harmless(ended.out + ended.err)


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
@pytest.mark.parametrize("path", ["/bytes", "/robots.txt"])
def test_an_error_that_is_no_text(site: Site, directory: Path, engine: str, path: str) -> None:
    site.page("/", links(["/bytes", "/fine"]))
    site.page("/fine", "fine")
    site.route(path, raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: a\xffb\r\n\r\n"))
    ended = run("crawl", site.url(), "-d", directory, "-v", *FAST, "--engine", engine)
    assert "Traceback" not in ended.err
    assert_harmless(ended.err)
    if path == "/bytes":
        assert ledger(directory)[site.url("/bytes")][0] == "failed"
        assert ledger(directory)[site.url("/fine")] == ("done", "")
    assert objects((directory / "log.jsonl").read_text(encoding="utf-8"))


# A spider, and a terminal

SPIDER = """
from asyncmultispider import Spider
spider = Spider({seed!r})

@spider.on("/title/*")
def title(page):
    yield {{"title": page.title, "headers": dict(page.headers), "text": page.text}}
    yield from page.follow([page.title, "/" + page.title, "http://" + page.title])

@spider.on("/type/*")
def kind(page):
    raise ValueError(page.content_type + "\\n\\nFORGED\\n" + page.title)

@spider.on("/charset/*")
async def charset(page):
    raise ValueError("\\ud800" + page.headers[0][1])

@spider.on("/long")
def long(page):
    raise ValueError(page.title)
"""


@pytest.fixture(scope="module")
def spidered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    """The same with handlers that make items and errors of it, at a terminal."""
    folder = tmp_path_factory.mktemp("spider")
    with Site() as site:
        serve(site)
        for number, text in enumerate(EVIL):
            title = f"<title>{html.escape(text)}</title>"
            site.page(f"/type/{number}", title, content_type="text/html; " + on_one_line(text))
        (folder / "spider.py").write_text(SPIDER.format(seed=site.url()))
        options = ("-d", "dir", "-v", "-o", "items.jsonl", *FAST)
        wide = {"COLUMNS": "9999"}  # a line is a line: terminals break long ones
        with start("run", "spider.py", *options, cwd=folder, terminal=True, env=wide) as process:
            yield Crawled(folder, site, process.end())


def test_a_spider_at_a_terminal(spidered: Crawled) -> None:
    ended = spidered.ended
    assert (ended.code, ended.out) == (0, ""), ended
    assert "handler: " in ended.err
    assert "\x1b[?25l" in ended.err, "there was a live display"
    assert_harmless(RICH.sub("", ended.err))
    assert not re.search("^FORGED", RICH.sub("", ended.err), re.MULTILINE)


def test_its_items(spidered: Crawled, capsys: pytest.CaptureFixture[str]) -> None:
    items = {i["_url"]: i for i in objects((spidered.folder / "items.jsonl").read_text())}
    for number, text in enumerate(EVIL):
        item = items[spidered.site.url(f"/title/{number}")]
        assert item["title"] == " ".join(text.replace("\0", "\ufffd").split())
    assert len(items) == len(EVIL)
    assert "all holds" in ask(capsys, "verify", spidered.directory)


def test_its_errors(spidered: Crawled, capsys: pytest.CaptureFixture[str]) -> None:
    objects((spidered.directory / "log.jsonl").read_text(encoding="utf-8"))
    failed = ledger(spidered.directory, "--reason", "handler")
    assert len(failed) == 2 * len(EVIL) + 1
    for url in failed:
        text = ask(capsys, "explain", spidered.directory, url)
        assert_harmless(text)
        assert len(text) < 300_000
    assert spidered.site.url("/long") in failed


def test_what_handlers_print_goes_where_it_was_sent(site: Site, tmp_path: Path) -> None:
    """A live display is not to swallow it when the output is a file or a pipe."""
    site.page("/", "x")
    spider = f"""
from asyncmultispider import Spider
spider = Spider({site.url()!r})

@spider.on()
def page(page):
    print("[red]printed[/red]")
"""
    (tmp_path / "spider.py").write_text(spider)
    with start("run", "spider.py", "-d", "dir", *FAST, cwd=tmp_path, terminal=True) as process:
        ended = process.end()
    assert ended.out == "[red]printed[/red]\n"


def test_json_of_a_server_is_passed_on_as_one_line_or_not_at_all(
    site: Site, tmp_path: Path
) -> None:
    bodies = {
        "/fine": '{"a": 1,\n "b": [2,\r\n3]}',
        "/forged": '1},\n{"url": "FORGED"',
        "/bad": "{",
    }
    site.page("/", links([*bodies, "/bytes"]))
    for path, body in bodies.items():
        site.page(path, body, content_type="application/json")
    site.page("/bytes", b'"\xff"', content_type="application/json")
    spider = f"""
from asyncmultispider import Spider
from msgspec import Raw
spider = Spider({site.url()!r})

@spider.on("/?*")
def page(page):
    yield {{"raw": Raw(page.body)}}
"""
    (tmp_path / "spider.py").write_text(spider)
    ended = run("run", "spider.py", "-d", "dir", "-o", "o.jsonl", "-q", *FAST, cwd=tmp_path)
    assert ended.code == 0, ended
    lines = objects((tmp_path / "o.jsonl").read_text())
    assert lines == [{"raw": {"a": 1, "b": [2, 3]}, "_url": site.url("/fine")}]
    failed = {site.url(path) for path in ("/forged", "/bad", "/bytes")}
    assert set(ledger(tmp_path / "dir", "--reason", "handler")) == failed


@pytest.mark.parametrize("host", ["[red]x[/red][/].invalid", *map(str, EVIL)])
def test_the_display_shows_a_host_as_it_is(host: str, tmp_path: Path) -> None:
    crawl = Crawl(Settings(seeds=("http://x.invalid/",)), tmp_path / "dir")
    with crawl.open():
        crawl.tally.trouble[host] += 1
        watcher = showing.Watcher(crawl, live=True)
        watcher.taken(Batch(requests=[], closed=[], wait=60.0, ended=False, host=host), 0)
        out = StringIO()
        Console(file=out, force_terminal=True, width=3000).print(showing._table(watcher))
    text = RICH.sub("", out.getvalue())
    assert_harmless(text)
    if host.isprintable():  # markup too
        assert f"for {host}:" in text
        assert f"{host} 1" in text


# Names


@pytest.mark.parametrize(
    ("seed", "name"),
    [
        ("http://example.com/", "example.com.crawl"),
        ("http://example.com:8080/a/../../b", "example.com.crawl"),
        ("http://[::1]:8080/", "::1.crawl"),
        ("http://[::ffff:7f00:1]/", "::ffff:7f00:1.crawl"),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example.crawl"),
        ("https://\u4e2d\u6587.example:1/", "xn--fiq228c.example.crawl"),
        ("http://../", "...crawl"),
        ("http://./", "..crawl"),
        ("http://.../", "....crawl"),
        ("http://..%2e/", "....crawl"),
        ("http://me:..%2f..%2f@example.com/", "example.com.crawl"),
    ],
)
def test_default_directory(seed: str, name: str) -> None:
    path = default_directory(canonicalize(seed))
    assert path.name == str(path) == name


@pytest.mark.parametrize("text", [*EVIL, *HOSTS])
def test_a_directory_is_one_plain_name(text: str) -> None:
    try:
        path = default_directory(canonicalize(f"http://{text}/"))
    except ValueError:
        return  # no URL
    assert path.name == str(path)
    assert path.name.isascii()
    assert path.name.isprintable()
    assert path.name not in (".", "..")


# Files that are not ours, or damaged


def test_verify_tells_of_evil_harmlessly(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.page("/", "x")
    directory = tmp_path / "dir"
    assert run("crawl", site.url(), "-d", directory, "-q", *FAST).code == 0
    with closing(sqlite3.connect(directory / "frontier.db")) as db, db:
        for number, text in enumerate(EVIL):
            state = re.sub("[\0]", "", text)
            row = (number + 2, f"http://x/{text}", state, text, number + 100)
            db.execute(
                "INSERT INTO urls(id, url, host, state, reason, depth, hops, referrer, attempts,"
                "due, fingerprint) VALUES(?1, ?2, 'x', ?3, ?4, 0, 0, 0, 0, 0, ?5)",
                row,
            )
    assert verify_command(str(directory), as_json=False) == 1
    assert_harmless(capsys.readouterr().out)
    assert verify_command(str(directory), as_json=True) == 1
    [value] = objects(capsys.readouterr().out)
    assert value["problems"]


def test_an_owner_is_told_harmlessly(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.page("/", "x")
    directory = tmp_path / "dir"
    assert run("crawl", site.url(), "-d", directory, "-q", *FAST).code == 0
    owner = {"pid": 1, "host": "".join(EVIL), "since": "\x1b[31m\nFORGED"}
    (directory / "lock").write_text(json.dumps(owner))
    assert_harmless(ask(capsys, "status", directory))
    ended = run("crawl", site.url(), "-d", directory, *FAST)
    assert "killed" in ended.err
    assert_harmless(ended.err)


def test_an_output_with_a_name_that_is_no_text(site: Site, tmp_path: Path) -> None:
    site.page("/", "x")
    name = b"\xff\x1b[31m.jsonl".decode(errors="surrogateescape")
    assert run("crawl", site.url(), "-d", "dir", "-q", "-o", name, cwd=tmp_path).code == 0
    for command in ("status", "verify"):
        ended = run(command, tmp_path / "dir")
        assert (ended.code, ended.err) == (0, "")
        assert_harmless(ended.out)
        assert objects(run(command, tmp_path / "dir", "--json").out)


# The rule itself


def test_exported_json_means_the_same() -> None:
    text = "".join(map(chr, range(0xD800))) + "".join(EVIL) + "\U0001f468\u200d\U0001f469"
    line = harmless(json.dumps(text, ensure_ascii=False).encode())
    assert json.loads(line) == text
    bad = [c for c in line.decode() if unicodedata.category(c) in {"Cc", "Zl", "Zp"}]
    assert bad == []
    directions = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    assert set(directions).isdisjoint(line.decode())


# What it was before it was fast.
AS_BEFORE = re.compile(
    rb"\x7f|\xc2[\x80-\x9f\xad]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)
LEADS = (
    "\x7f\x80\x9f\xa0\xad\u061c\u200b\u200f\u2010\u2028\u202e\u202f\u2060\u206f\u2070\ufeff\ufeee"
)


@given(
    st.text(st.sampled_from(LEADS + "aé語\U0001f468"))
    | st.text(st.characters(exclude_categories=["Cs"]))
)
def test_exported_json_is_escaped_where_it_must_be(text: str) -> None:
    line = text.encode()
    slow = AS_BEFORE.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), line)
    assert harmless(line) == slow


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    """They are told of as what they are, in one line."""
    half = b"\xff\x1b".decode(errors="surrogateescape")
    (tmp_path / f"{half}.py").write_text("import asyncmultispider as a\ns = a.Spider('http://x/')")
    for args in (
        *(["crawl", "http://x/", "--include", half], ["crawl", "http://x/", "-d", half]),
        *(["run", f"{half}.py"], ["crawl", f"http://{'a' * 300}/"]),
    ):
        line = complaint(*args, cwd=tmp_path)
        assert "output" not in line
