"""Archives: any tool reads them, they hold each page once, and their index leads to it."""

import gzip
import os
import re
import zlib
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json, structs
from warcio.archiveiterator import ArchiveIterator as WarcioIterator
from warcio.checker import Checker

from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.fetch.decoding import ACCEPTED
from asyncmultispider.fetch.headers import RequestFields
from asyncmultispider.fetch.transfer import MAX_ASIDE
from asyncmultispider.model import Headers, Outcome
from asyncmultispider.outputs import cdxj, httptext, warc, warcpage
from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.cdxj import search_key
from asyncmultispider.outputs.warc import write_warc
from asyncmultispider.outputs.warcfile import (
    digest_field,
    make_record,
    one_line,
    record_id,
    target_uri,
)
from asyncmultispider.settings import Settings
from asyncmultispider.store.sqlite import SqliteStore
from asyncmultispider.testing.stores import page

HTML: Headers = (("content-type", "text/html; charset=utf-8"), ("x-twice", "1"), ("x-twice", "2"))
PACKED: Headers = (
    ("content-type", "text/html"),
    ("content-encoding", "gzip"),
    ("transfer-encoding", "chunked"),
    ("content-length", "77"),
)
BODY = b"<p>the same words</p>" * 40
SITE = [
    page("http://a.example/", b"<title>home</title>" + BODY, headers=HTML, at=1e9 + 0.25),
    page("http://a.example/one", BODY, headers=PACKED, at=1e9 + 1),
    page("http://a.example/two", BODY, headers=HTML, at=1e9 + 2),
    page("http://a.example/empty", b"", at=1e9 + 3),
    page("http://a.example/void", b"", at=1e9 + 4),
    page("http://a.example/pic", bytes(range(256)) * 9, at=1e9 + 5),
    page("http://a.example/old", b"gone", status=301, headers=(("location", "/two"),), at=1e9 + 6),
    page("http://www.b.example/?b=2&a=1", b"\x1f\x8b\x08 no gzip \xff\r\n\r\n", at=1e9 + 7),
]
KINDS = {"response": 7, "revisit": 1, "request": 8, "metadata": 8}


def store(path: Path, outcomes: Iterable[Outcome]) -> None:
    pages = SqliteStore(path)
    pages.write(list(outcomes))
    pages.close()


@pytest.fixture
def pages_db(tmp_path: Path) -> Path:
    path = tmp_path / "pages.db"
    store(path, SITE)
    return path


@pytest.fixture
def job(pages_db: Path, tmp_path: Path) -> Job:
    (tmp_path / "out").mkdir()
    return Job(pages_db=pages_db, target=tmp_path / "out" / "site.warc.gz")


def archives(outputs: Iterable[Exported]) -> list[Path]:
    return [Path(output.path) for output in outputs if output.path.endswith(".warc.gz")]


def lines(outputs: Iterable[Exported]) -> list[bytes]:
    (index,) = (Path(output.path) for output in outputs if output.path.endswith(".cdxj"))
    return index.read_bytes().splitlines()


def entries(outputs: Iterable[Exported]) -> list[dict[str, str]]:
    return [json.decode(line.split(b" ", 2)[2]) for line in lines(outputs)]


def records(paths: Iterable[Path]) -> Iterator[WarcRecord]:
    """As FastWARC reads them, with each digest checked."""
    for path in paths:
        for record in ArchiveIterator(BytesIO(path.read_bytes()), parse_http=False):
            record.freeze()
            assert record.verify_block_digest(), record.headers
            if "WARC-Payload-Digest" in record.headers and not is_a(record, "revisit"):
                record.parse_http()
                assert record.verify_payload_digest(), record.headers
            yield record


def is_a(record: WarcRecord, kind: str) -> bool:
    return record.record_type == getattr(WarcRecordType, kind)


def of_kind(kind: str, paths: Iterable[Path]) -> dict[str, WarcRecord]:
    """The records of this kind by their URLs."""
    found = [record for record in records(paths) if is_a(record, kind)]
    by_url = {record.headers["WARC-Target-URI"]: record for record in found}
    assert len(by_url) == len(found)
    return by_url


def fields_of(block: bytes) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in block.decode().splitlines())


def check(paths: Iterable[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """What `warcio check` does."""
    inputs = [str(path) for path in paths]
    assert Checker(Namespace(inputs=inputs, verbose=False)).process_all() == 0
    assert capsys.readouterr().out == ""


def written_of(tmp_path: Path, outcome: Outcome, about: dict[str, Any] | None = None) -> Path:
    db = tmp_path / "one.db"
    db.unlink(missing_ok=True)
    store(db, [outcome])
    (path,) = archives(
        write_warc(Job(pages_db=db, target=tmp_path / "one.warc.gz", about=about or {}))
    )
    return path


def test_each_page_is_there_once_with_its_request_and_metadata(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = archives(write_warc(job))
    check(paths, capsys)
    found = Counter(record.headers["WARC-Type"] for record in records(paths))
    assert found == {"warcinfo": 1, **KINDS}
    answers = of_kind("response", paths) | of_kind("revisit", paths)
    urls = {outcome.request.url for outcome in SITE}
    assert set(answers) == set(of_kind("request", paths)) == set(of_kind("metadata", paths)) == urls
    for kind in ("request", "metadata"):
        for url, record in of_kind(kind, paths).items():
            assert record.headers["WARC-Concurrent-To"] == answers[url].record_id
            assert record.headers["WARC-Date"] == answers[url].headers["WARC-Date"]


def test_a_body_is_as_it_was_stored(job: Job) -> None:
    answers = of_kind("response", archives(write_warc(job)))
    for outcome in SITE:
        record = answers.get(outcome.request.url)
        if record is not None and outcome.page is not None:
            assert record.reader.read() == outcome.page.body
            assert record.http_headers is not None
            assert record.http_headers.status_code == outcome.status
            digest = record.headers["WARC-Payload-Digest"]
            assert digest == f"sha256:{outcome.page.digest.hex()}"


def test_what_it_says_of_an_answer(job: Job) -> None:
    paths = archives(write_warc(job))
    with paths[0].open("rb") as file:
        found = next(
            record
            for record in WarcioIterator(file, check_digests="raise")
            if record.rec_type == "response"
            and record.rec_headers.get_header("WARC-Target-URI") == "http://a.example/one"
        )
        assert found.content_stream().read() == BODY
    assert found.rec_headers.protocol == "WARC/1.1"
    assert found.rec_headers.get_header("WARC-Date") == "2001-09-09T01:46:41.000Z"
    assert found.http_headers.statusline == "200 OK"
    assert found.http_headers.headers == [
        ("content-type", "text/html"),
        ("X-Crawl-Content-Encoding", "gzip"),
        ("X-Crawl-Transfer-Encoding", "chunked"),
        ("X-Crawl-Content-Length", "77"),
        ("Content-Length", str(len(BODY))),
    ]


def test_a_body_that_was_written_before_is_referred_to(job: Job) -> None:
    paths = archives(write_warc(job))
    (revisit,) = of_kind("revisit", paths).values()
    first = of_kind("response", paths)["http://a.example/one"]
    refers = revisit.headers
    assert refers["WARC-Target-URI"] == "http://a.example/two"
    assert refers["WARC-Refers-To"] == first.record_id
    assert refers["WARC-Refers-To-Target-URI"] == "http://a.example/one"
    assert refers["WARC-Refers-To-Date"] == first.headers["WARC-Date"]
    assert refers["WARC-Payload-Digest"] == first.headers["WARC-Payload-Digest"]
    assert refers["WARC-Profile"].endswith("/warc/1.1/revisit/identical-payload-digest")
    head = revisit.reader.read()
    assert head.endswith(
        f"x-twice: 1\r\nx-twice: 2\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
    )


def test_a_redirect_and_what_was_asked(tmp_path: Path) -> None:
    url = "http://user@a.example:8080/a%20b?c=d"
    redirect = page(url, b"", status=302, headers=(("location", "/x"),))
    path = written_of(tmp_path, redirect, {"user_agent": "me/1"})
    (record,) = of_kind("response", [path]).values()
    assert record.http_headers is not None
    assert record.http_headers.status_line == "HTTP/1.1 302 Found"
    assert record.http_headers["location"] == "/x"
    (request,) = of_kind("request", [path]).values()
    assert request.reader.read().decode().split("\r\n") == [
        "GET /a%20b?c=d HTTP/1.1",
        "Host: a.example:8080",
        "User-Agent: me/1",
        f"Accept: {httptext.ACCEPT}",
        f"Accept-Encoding: {httptext.ACCEPT_ENCODING}",
        "",
        "",
    ]


def test_what_it_says_was_sent_is_what_is_sent() -> None:
    assert RequestFields(Settings(seeds=("http://a.example/",))).common[0] == (
        f"Accept: {httptext.ACCEPT}"
    )
    assert httptext.ACCEPT_ENCODING == ACCEPTED


def test_metadata(tmp_path: Path) -> None:
    outcome = page("http://a.example/x")
    assert outcome.page is not None
    row = structs.replace(
        outcome.page,
        depth=3,
        referrer="http://a.example/from",
        canonical="http://a.example/canonical\r\nvia: forged",
        unverified=True,
        elapsed=1.2346,
    )
    path = written_of(tmp_path, structs.replace(outcome, page=row))
    (record,) = of_kind("metadata", [path]).values()
    assert fields_of(record.reader.read()) == {
        "via": "http://a.example/from",
        "depth": "3",
        "fetchTimeMs": "1235",
        "charset-detected": "utf-8",
        "canonical": "http://a.example/canonical via: forged",
        "certificate": "not verified",
    }


@pytest.mark.parametrize(("status", "cut"), [(301, True), (200, False)])
def test_a_body_that_was_cut_says_so(tmp_path: Path, status: int, cut: bool) -> None:
    assert warcpage.CUT == MAX_ASIDE
    path = written_of(tmp_path, page("http://a.example/", b"x" * MAX_ASIDE, status=status))
    (record,) = of_kind("response", [path]).values()
    assert ("WARC-Truncated" in record.headers) is cut


def test_warcinfo_has_the_settings_without_secrets(tmp_path: Path) -> None:
    about = {
        "seeds": ["http://user:hunter2@a.example/"],
        "scope": "host",
        "ignore_robots": True,
        "user_agent": "me/1",
        "headers": [["Cookie", "hunter2"]],
        "header_pool": [[["X-Key", "hunter2"]]],
        "proxies": ["http://user:hunter2@proxy.example:8080"],
    }
    path = written_of(tmp_path, page("http://a.example/"), about)
    assert b"hunter2" not in gzip.decompress(path.read_bytes())
    info = next(records([path]))
    assert info.headers["WARC-Filename"] == "one.warc.gz"
    told = fields_of(info.reader.read())
    assert told["software"].startswith("asyncmultispider/")
    assert told["robots"] == "ignored"
    assert told["http-header-user-agent"] == "me/1"
    assert "reconstructed" in told["description"]
    assert json.decode(told["settings"]) == {
        "seeds": ["http://***@a.example/"],
        "scope": "host",
        "ignore_robots": True,
        "user_agent": "me/1",
    }


def test_of_several_user_agents_it_names_none(tmp_path: Path) -> None:
    about = {"user_agent": "me/1", "user_agents": ["a/1", "b/1"], "ignore_robots": False}
    path = written_of(tmp_path, page("http://a.example/"), about)
    info = fields_of(next(records([path])).reader.read())
    assert info["robots"] == "obeyed (RFC 9309)"
    assert "http-header-user-agent" not in info
    (request,) = of_kind("request", [path]).values()
    assert b"User-Agent" not in request.reader.read()


def test_a_crawl_without_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store(tmp_path / "pages.db", [])
    outputs = write_warc(Job(pages_db=tmp_path / "pages.db", target=tmp_path / "x.warc.gz"))
    check(archives(outputs), capsys)
    assert [(Path(output.path).name, output.lines) for output in outputs] == [
        ("x.warc.gz", 1),
        ("x.cdxj", 0),
    ]


def test_it_tells_what_it_wrote(job: Job) -> None:
    outputs = write_warc(job)
    for output in outputs:
        data = Path(output.path).read_bytes()
        assert (output.bytes, output.sha256) == (len(data), sha256(data).hexdigest())
        assert output.upto == len(SITE)
    assert [output.lines for output in outputs] == [1 + sum(KINDS.values()), len(SITE)]
    assert sorted(path.name for path in job.target.parent.iterdir()) == [
        "site.cdxj",
        "site.warc.gz",
    ]


def test_the_same_pages_make_the_same_files(job: Job) -> None:
    assert write_warc(job) == write_warc(job)
    assert len({record.record_id for record in records([job.target])}) == 1 + sum(KINDS.values())


def test_ids_are_uuids_of_version_5() -> None:
    assert record_id("request", "a", "é") == f"<urn:uuid:{uuid5(NAMESPACE_URL, 'request a é')}>"


def member(entry: dict[str, str], folder: Path) -> bytes:
    """The one record that a line of the index leads to; its length must be that of a member."""
    with (folder / entry["filename"]).open("rb") as file:
        file.seek(int(entry["offset"]))
        data = file.read(int(entry["length"]))
    unpacker = zlib.decompressobj(31)
    record = unpacker.decompress(data)
    assert unpacker.eof
    assert unpacker.unused_data == b""
    return record


def test_the_index_leads_to_each_record(job: Job) -> None:
    outputs = write_warc(job)
    found = lines(outputs)
    assert found == sorted(found)
    told = {}
    for entry in entries(outputs):
        record = member(entry, job.target.parent)
        kind = b"revisit" if entry["mime"] == "warc/revisit" else b"response"
        assert record.startswith(b"WARC/1.1\r\nWARC-Type: " + kind)
        assert f"\r\nWARC-Target-URI: {entry['url']}\r\n".encode() in record
        assert f"\r\nWARC-Payload-Digest: {entry['digest']}\r\n".encode() in record
        told[entry["url"]] = entry.get("status")
    assert told == {
        outcome.request.url: None if outcome.request.url.endswith("/two") else str(outcome.status)
        for outcome in SITE
    }
    assert found[-1].startswith(b"example,b)/?a=1&b=2 20010909014647 {")


def test_an_index_larger_than_memory(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lines(write_warc(job))
    monkeypatch.setattr(cdxj, "LINES_IN_MEMORY", 3)
    assert lines(write_warc(job)) == whole
    assert len(list(job.target.parent.iterdir())) == 2


# What the library `surt` 0.3.1 makes of them, which is what pywb looks up.
KEYS = {
    "http://example.com/": "com,example)/",
    "https://www.Example.com:443/A/B/": "com,example)/a/b",
    "http://www2.example.co.uk:8080": "uk,co,example:8080)/",
    "http://127.0.0.1:80/x": "1,0,0,127)/x",
    "https://127.0.0.1:80/x": "1,0,0,127:80)/x",
    "http://[::1]:8080/": "::1:8080)/",
    "http://a.example/f%C3%BC/%41%2541": "example,a)/f%c3%bc/aa",
    "http://a.example/a%20b%23?x=%3F+%26": "example,a)/a%20b%23?&x=?+",
    "http://a.example/?": "example,a)/",
    "http://a.example/x?b=2&A=1&b&=": "example,a)/x?=&a=1&b&b=2",
    "http://a.example/a//b/%2e%2e/%252e/c//": "example,a)/a/c",
    f"http://a.example/x?a=1&PHPSESSID={'0' * 32}&b=2": "example,a)/x?a=1&b=2",
    f"http://a.example/(S({'a' * 24}))/Page.aspx": "example,a)/page.aspx",
    "http://a.example/x?cfid=1&cftoken=2": "example,a)/x",
    "http://a.example./x#fragment": "example,a)/x",
}


def test_keys_are_those_that_pywb_looks_up() -> None:
    assert {url: search_key(url) for url in KEYS} == KEYS


@given(st.text(max_size=60))
@settings(deadline=None)
def test_a_key_is_one_word_and_one_for_both_schemes(text: str) -> None:
    rest = target_uri(text)
    key = search_key(f"http://a.example/{rest}")
    assert re.fullmatch(r"[!-~]+", key)
    assert search_key(f"https://www.a.example:443/{rest}") == key


def test_a_full_file_is_followed_by_another(
    job: Job, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = {entry["url"]: entry["digest"] for entry in entries(write_warc(job))}
    monkeypatch.setattr(warc, "LARGEST", 3000)
    outputs = write_warc(job)
    paths = archives(outputs)
    check(paths, capsys)
    assert [path.name for path in paths] == [
        "site.warc.gz",
        *(f"site-{number:05d}.warc.gz" for number in range(1, len(paths))),
    ]
    assert 2 < len(paths) < len(SITE)
    for path in paths:
        info, *others = records([path])
        assert info.headers["WARC-Filename"] == path.name
        assert {record.headers["WARC-Warcinfo-ID"] for record in others} == {info.record_id}
    for entry in entries(outputs):
        assert entry["url"].encode() in member(entry, job.target.parent)
    assert {entry["url"]: entry["digest"] for entry in entries(outputs)} == alone
    assert [output.upto for output in outputs[:-1]] == sorted({o.upto for o in outputs})
    ids = {record.record_id for record in records(paths)}
    (revisit,) = of_kind("revisit", paths).values()
    assert revisit.headers["WARC-Refers-To"] in ids


def test_the_next_run_writes_what_is_new(
    job: Job, pages_db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write_warc(job)
    kept = job.target.stat()
    store(pages_db, [page("http://c.example/", BODY, at=2e9), page("http://a.example/a", b"new")])
    outputs = write_warc(structs.replace(job, before=tuple(first)))
    assert outputs[0] == first[0]
    assert job.target.stat() == kept
    assert [path.name for path in archives(outputs)] == ["site.warc.gz", "site-00001.warc.gz"]
    check(archives(outputs), capsys)
    (revisit,) = of_kind("revisit", [archives(outputs)[1]]).values()
    assert revisit.headers["WARC-Refers-To-Target-URI"] == "http://a.example/one"
    assert lines(outputs) == sorted(lines(outputs))
    assert len(lines(outputs)) == len(SITE) + 2
    for entry in entries(outputs):
        assert entry["url"].encode() in member(entry, job.target.parent)
    assert write_warc(structs.replace(job, before=tuple(outputs))) == outputs


def test_processes_write_files_of_their_own(
    job: Job, pages_db: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = {entry["url"]: entry["digest"] for entry in entries(write_warc(job))}
    monkeypatch.setattr(warc, "MANY", 2)
    monkeypatch.setattr(warc, "LARGEST", 3000)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    shared = structs.replace(job, about={"engine": "processes", "processes": 2})
    left = job.target.with_name(".site.warc.gz.idx")  # by a run that was killed
    left.mkdir()
    (left / "0").write_bytes(b"com,left)/ 2026 {}\n")
    outputs = write_warc(shared)
    paths = archives(outputs)
    check(paths, capsys)
    assert len(paths) > 2
    assert {path.name for path in job.target.parent.iterdir()} == {
        "site.cdxj",
        *(path.name for path in paths),
    }
    assert lines(outputs) == sorted(lines(outputs))
    assert {entry["url"]: entry["digest"] for entry in entries(outputs)} == alone
    for entry in entries(outputs):
        assert entry["url"].encode() in member(entry, job.target.parent)
    (revisit,) = of_kind("revisit", paths).values()
    assert revisit.headers["WARC-Refers-To"] in {r.record_id for r in records(paths)}
    assert {output.upto for output in outputs[-1:]} == {len(SITE)}
    store(pages_db, [page("http://c.example/", b"new")])
    more = write_warc(structs.replace(shared, before=tuple(outputs)))
    assert more[: len(paths)] == outputs[:-1]
    assert len(more) == len(outputs) + 1
    assert len(lines(more)) == len(SITE) + 1


def test_files_that_were_changed_are_written_anew(
    job: Job, pages_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warc, "LARGEST", 3000)
    outputs = write_warc(job)
    assert len(outputs) > 3
    whole = [path.read_bytes() for path in archives(outputs)]
    for output in outputs:
        path = Path(output.path)
        path.write_bytes(path.read_bytes() + b"x")
        assert write_warc(structs.replace(job, before=tuple(outputs))) == outputs
        path.unlink()
        assert write_warc(structs.replace(job, before=tuple(outputs))) == outputs
    assert [path.read_bytes() for path in archives(outputs)] == whole


@pytest.mark.parametrize("again", ["http://a.example/one", "http://www.b.example/?b=2&a=1"])
def test_a_page_that_was_fetched_again_is_there_once(job: Job, pages_db: Path, again: str) -> None:
    # The row of the last page is used again when it goes.
    first = write_warc(job)
    store(pages_db, [page(again, b"another body", at=3e9, attempt=2)])
    outputs = write_warc(structs.replace(job, before=tuple(first)))
    answers = of_kind("response", archives(outputs)) | of_kind("revisit", archives(outputs))
    assert set(answers) == {outcome.request.url for outcome in SITE}
    assert answers[again].headers["WARC-Date"] == "2065-01-24T05:20:00.000Z"
    assert len(lines(outputs)) == len(SITE)


def test_files_of_a_longer_series_go(
    job: Job, pages_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warc, "LARGEST", 3000)
    before = write_warc(job)
    mine = job.target.with_name("site-mine.warc.gz")
    mine.write_bytes(b"mine")
    pages_db.unlink()
    store(pages_db, SITE[:1])
    strange = [structs.replace(before[0], path=str(mine))]
    outputs = write_warc(structs.replace(job, before=(*before, *strange)))
    assert {path.name for path in job.target.parent.iterdir()} == {
        "site.warc.gz",
        "site.cdxj",
        mine.name,
    }
    assert [output.upto for output in outputs] == [1, 1]


def test_files_that_no_run_noted_go(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed while it writes leaves files, and no list of them."""
    monkeypatch.setattr(warc, "LARGEST", 3000)
    assert len(write_warc(job)) > 3
    folder = job.target.parent
    theirs = {"site-00009.warc.gz": b"theirs", "site-00010.warc.gz": gzip.compress(b"theirs")}
    for name, content in theirs.items():
        (folder / name).write_bytes(content)
    # An archive for itself, though its name is like one of the series.
    another = structs.replace(job, target=folder / "site-00007.warc.gz")
    mine = archives(write_warc(another))
    monkeypatch.setattr(warc, "LARGEST", 10**9)
    outputs = write_warc(job)
    (path,) = archives(outputs)
    assert {each.name for each in folder.iterdir()} == {
        *(path.name, "site.cdxj", "site-00007.cdxj"),
        *(*theirs, *(each.name for each in mine)),
    }
    stale = folder / "site-00001.warc.gz"  # as if killed while it went on
    monkeypatch.setattr(warc, "LARGEST", 3000)
    write_warc(job)
    monkeypatch.setattr(warc, "LARGEST", 10**9)
    left = stale.read_bytes()
    outputs = write_warc(job)
    stale.write_bytes(left)
    assert write_warc(structs.replace(job, before=tuple(outputs))) == outputs
    assert not stale.exists()


def test_it_appears_whole_or_not_at_all(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    job.target.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        write_warc(job)
    assert [(path.name, path.read_bytes()) for path in job.target.parent.iterdir()] == [
        (job.target.name, b"old")
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [("é a".encode(), "é a"), (b"\xff", "\ufffd"), (b"a\nWARC-Type: b", None)],
)
def test_any_name_will_do(job: Job, name: bytes, told: str | None) -> None:
    target = job.target.with_name(os.fsdecode(name + b".warc.gz"))
    outputs = write_warc(structs.replace(job, target=target))
    info = next(records([target]))
    assert is_a(info, "warcinfo")
    shown = f"{told}.warc.gz" if told else "a WARC-Type: b.warc.gz"
    assert info.headers["WARC-Filename"] == shown
    found = {entry["filename"] for entry in entries(outputs)}
    assert found == {f"{told}.warc.gz" if told else target.name}
    assert write_warc(structs.replace(job, target=target, before=tuple(outputs))) == outputs


def test_without_the_extra_it_says_what_to_install(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "isal", None)
    with pytest.raises(UsageError, match=r"asyncmultispider\[warc\]"):
        write_warc(job)
    assert not job.target.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/\r\nWARC-Type: warcinfo\r\n\r\n",
        "http://a.example/é \x00\x7f\u2028",
        "http://a.example/" + "x" * 30_000,
    ],
)
def test_no_url_breaks_a_record(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written_of(tmp_path, page(url))
    check([path], capsys)
    _, *others = records([path])
    assert [record.headers["WARC-Target-URI"] for record in others] == [target_uri(url)] * 3
    (line,) = (tmp_path / "one.cdxj").read_bytes().splitlines()
    assert line.isascii()
    assert len(line.split(b" ", 2)) == 3


LATIN = st.text(st.characters(max_codepoint=255), max_size=30)


@given(st.dictionaries(LATIN, LATIN, max_size=6), st.binary(max_size=50))
@settings(deadline=None)
def test_no_header_field_breaks_a_record(fields: dict[str, str], body: bytes) -> None:
    head = httptext.response_head(200, json.encode(fields).decode(), len(body))
    shown = head.split(b"\r\n")
    assert shown[0] == b"HTTP/1.1 200 OK"
    assert shown[-3:] == [b"Content-Length: %d" % len(body), b"", b""]
    for line, value in zip(shown[1:-3], fields.values(), strict=True):
        name, _, rest = line.partition(b": ")
        assert re.fullmatch(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name)
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", rest)
        assert len(rest) == len(value)
    url = ("WARC-Target-URI", "http://a.example/")
    digest = ("WARC-Payload-Digest", digest_field(sha256(body).digest()))
    kind = "application/http;msgtype=response"
    record = make_record(
        "response", "<urn:a:b>", "2026-01-01T00:00:00Z", [url, digest], kind, head, body
    )
    found = next(iter(ArchiveIterator(BytesIO(record), parse_http=False)))
    found.freeze()
    assert found.verify_block_digest()
    found.parse_http()
    assert found.verify_payload_digest()
    assert found.reader.read() == body


@given(st.text(max_size=30))
def test_a_line_is_one(text: str) -> None:
    shown = one_line(text)
    assert not re.search(r"[\x00-\x1f\x7f]", shown)
    assert shown == text or not text.isprintable()
