"""The outside world of the other tests has to be as it says."""

import asyncio
import gc
import gzip
import http.client
import os
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

import webserver
from servers_nginx import http2_site, need, nginx_site
from webserver import Certificates, Recorded, Reply, Route, Site

TIMEOUT = 10.0


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)


def ask(connection: http.client.HTTPConnection, path: str) -> Answer:
    connection.request("GET", path)
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def get(site: Site, path: str) -> Answer:
    with closing(connect(site.port)) as connection:
        return ask(connection, path)


def dial(site: Site, data: bytes = b"GET /x HTTP/1.1\r\n\r\n") -> socket.socket:
    """Send bytes on a socket of their own."""
    client = socket.create_connection(("127.0.0.1", site.port), TIMEOUT)
    client.sendall(data)
    return client


def wire(site: Site, route: Route) -> bytes:
    """All that a route sends until the connection ends."""
    site.route("/x", route)
    with dial(site) as client, client.makefile("rb") as file:
        return file.read()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


# Routes


def test_a_page(site: Site) -> None:
    site.page("/", "<p>é", headers=[("X-Two", "1"), ("X-Two", "2")])
    answer = get(site, "/")
    assert (answer.status, answer.body) == (200, "<p>é".encode())
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers.get_all("X-Two") == ["1", "2"]


def test_a_page_without_content_type(site: Site) -> None:
    site.page("/", b"\xff", content_type=None, status=410)
    answer = get(site, "/")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (410, b"\xff", None)


def test_the_most_exact_route_wins(site: Site) -> None:
    for path in ("/a?b=1", "/a", "/*", "/long/*"):
        site.page(path, path)
    asked = ("/a?b=1", "/a?b=2", "/a", "/other", "/long/x?y")
    assert [get(site, path).body.decode() for path in asked] == [
        *("/a?b=1", "/a", "/a", "/*", "/long/*")
    ]


def test_robots_and_the_unknown(site: Site) -> None:
    assert get(site, "/robots.txt").status == 404
    site.robots("User-agent: *")
    answer = get(site, "/robots.txt")
    assert (answer.body, answer.headers["Content-Type"]) == (b"User-agent: *", "text/plain")


def test_a_sequence_takes_replies_and_handlers(site: Site) -> None:
    site.sequence("/", Reply(500), webserver.no_answer(), Reply(200, "ok"))
    assert get(site, "/").status == 500
    with pytest.raises(http.client.RemoteDisconnected):
        get(site, "/")
    assert [get(site, "/").status for _ in range(2)] == [200, 200]


def test_redirects(site: Site) -> None:
    site.redirect("/r", "/t", status=308)
    webserver.redirect_loop(site)
    webserver.redirect_chain(site)
    answers = {path: get(site, path) for path in ("/r", "/loop1", "/loop2", "/chain/9")}
    assert [(a.status, a.headers["Location"]) for a in answers.values()] == [
        (308, "/t"),
        (302, "/loop2"),
        (302, "/loop1"),
        (302, "/chain/10"),
    ]
    site.route("/nowhere", webserver.no_location())
    assert get(site, "/nowhere").headers["Location"] is None


@pytest.mark.parametrize("status", [204, 304])
def test_answers_that_have_no_body(site: Site, status: int) -> None:
    site.page("/", "", status=status)
    assert get(site, "/").headers["Content-Length"] is None


# The log


def test_the_log(site: Site) -> None:
    site.page("/a", "a")
    with closing(connect(site.port)) as connection:
        connection.request("GET", "/a?q", headers={"X-Word": "one"})
        connection.getresponse().read()
    site.wait_until(lambda: site.active == 0)
    [request] = site.requests
    assert (request.method, request.path, request.headers["x-word"]) == ("GET", "/a?q", "one")
    assert request.finished is not None
    assert request.finished >= request.at
    assert (site.hits("/a?q"), site.hits("/a")) == (1, 0)


def test_keep_alive_and_close(site: Site) -> None:
    site.page("/", "a")
    site.route("/last", Reply(200, "b", close=True))
    with closing(connect(site.port)) as connection:
        for path in ("/", "/none", "/", "/last", "/"):
            ask(connection, path)
    assert [request.connection for request in site.requests] == [1, 1, 1, 1, 2]
    assert site.connections == 2


def test_request_bodies_are_passed_over(site: Site) -> None:
    with closing(connect(site.port)) as connection:
        connection.request("POST", "/a", body=b"GET /b HTTP/1.1\r\n\r\n")
        connection.getresponse().read()
        ask(connection, "/c")
    assert site.paths == ["/a", "/c"]


def test_http_1_0_ends_with_the_connection(site: Site) -> None:
    with dial(site, b"GET / HTTP/1.0\r\n\r\n") as client, client.makefile("rb") as file:
        assert b"Connection: close" in file.read()


def test_the_peak_counts_held_requests(site: Site) -> None:
    hold = site.hold("/slow", Reply(200, "ok"))
    threads = [threading.Thread(target=get, args=(site, "/slow")) for _ in range(3)]
    for thread in threads:
        thread.start()
    site.wait_until(lambda: site.active == 3)
    hold.release()
    for thread in threads:
        thread.join(TIMEOUT)
    site.wait_until(lambda: site.active == 0)
    assert get(site, "/slow").body == b"ok"
    assert site.peak == 3


def test_one_after_the_other_peaks_at_one(site: Site) -> None:
    for _ in range(20):
        get(site, "/")
    assert site.peak == 1


def test_a_client_that_leaves_ends_its_request(site: Site) -> None:
    site.hold("/x")
    with dial(site):
        site.wait_until(lambda: site.active == 1)
    site.wait_until(lambda: site.requests[0].finished)


def test_waiting_in_vain_says_what_was_seen(site: Site) -> None:
    get(site, "/seen")
    with pytest.raises(AssertionError, match=r"(?s)not within 0 s: 1 requests.*GET /seen"):
        site.wait_until(lambda: site.hits("/never"), timeout=0)


# Held and slow


@pytest.mark.parametrize("after", [0, 5, 60, 100])
def test_a_hold_may_be_anywhere_in_the_answer(site: Site, after: int) -> None:
    reply = Reply(200, b"x" * 50, close=True)
    hold = site.hold("/x", reply, after=after)
    with dial(site) as client, client.makefile("rb") as file:
        site.wait_until(lambda: site.active == 1)
        start = file.read(after)
        assert site.active == 1
        hold.release()
        assert start + file.read() == reply.encode()


def test_a_drip(site: Site) -> None:
    hold = site.drip("/x", b"abcdef", interval=3600)
    with dial(site) as client, client.makefile("rb") as file:
        while file.readline() != b"\r\n":
            pass
        assert file.read(1) == b"a"
        hold.release()
        assert file.read() == b"bcdef"


def test_a_drip_goes_on_by_itself(site: Site) -> None:
    site.drip("/x", b"abcdef", interval=0.001)
    assert get(site, "/x").body == b"abcdef"


# Special bodies


def test_correct_encodings(site: Site) -> None:
    site.route("/gzip", webserver.gzipped(b"hello"))
    site.route("/deflate", webserver.deflated(b"hello"))
    site.route("/chunked", webserver.chunked(b"hello" * 10))
    site.route("/bomb", webserver.gzip_bomb(10_000_000))
    assert gzip.decompress(get(site, "/gzip").body) == b"hello"
    assert zlib.decompress(get(site, "/deflate").body) == b"hello"
    assert get(site, "/chunked").body == b"hello" * 10
    bomb = get(site, "/bomb").body
    assert len(bomb) < 20_000
    assert len(gzip.decompress(bomb)) == 10_000_000


def test_correct_sizes(site: Site) -> None:
    site.route("/big", webserver.big(3_000_001))
    site.route("/empty", webserver.empty())
    site.route("/binary", webserver.binary(1000))
    site.route("/unsized", webserver.unsized(b"abc"))
    assert len(get(site, "/big").body) == 3_000_001
    assert get(site, "/empty").body == b""
    assert len(get(site, "/binary").body) == 1000
    assert get(site, "/unsized").body == b"abc"


def test_wrong_gzip(site: Site) -> None:
    site.route("/corrupt", webserver.corrupt_gzip())
    site.route("/cut", webserver.cut_gzip())
    with pytest.raises((zlib.error, gzip.BadGzipFile, EOFError)):
        gzip.decompress(get(site, "/corrupt").body)
    with pytest.raises(EOFError):
        gzip.decompress(get(site, "/cut").body)


@pytest.mark.parametrize(
    "route",
    [webserver.truncated(), webserver.bad_chunk_size(), webserver.unfinished_chunks()],
    ids=["truncated", "bad chunk size", "unfinished chunks"],
)
def test_bodies_that_break_off(site: Site, route: Reply) -> None:
    site.route("/", route)
    with pytest.raises(http.client.IncompleteRead):
        get(site, "/")


def test_more_bytes_than_said(site: Site) -> None:
    site.route("/x", webserver.understated(b"<p>hello", extra=5))
    assert get(site, "/x").body == b"<p>"
    with dial(site, b"GET /x HTTP/1.0\r\n\r\n") as client, client.makefile("rb") as file:
        assert file.read().endswith(b"\r\n\r\n<p>hello")


# Mistreated connections


def test_silence_and_garbage(site: Site) -> None:
    assert wire(site, webserver.no_answer()) == b""
    assert wire(site, webserver.raw(b"\x00any")) == b"\x00any"
    site.route("/", webserver.garbage())
    with pytest.raises(http.client.BadStatusLine):
        get(site, "/")


def test_a_reset_in_the_body(site: Site) -> None:
    site.route("/", webserver.reset())
    with pytest.raises(ConnectionResetError):
        get(site, "/")
    site.wait_until(lambda: site.active == 0)


def test_a_head_without_end(site: Site) -> None:
    site.route("/x", webserver.endless_head())
    with dial(site) as client, client.makefile("rb") as file:
        assert len(file.read(1_000_000)) == 1_000_000
    site.wait_until(lambda: site.active == 0)


# The end


def test_the_end_does_not_wait_for_the_stuck() -> None:
    with Site() as site:
        hold = site.hold("/x")
        site.hold("/half", Reply(200, "half"), after=20)
        site.drip("/drip", interval=3600)
        site.route("/flood", webserver.big(10**9))
        targets = (b"/x", b"/half", b"/drip", b"/flood")
        clients = [dial(site, b"GET %b HTTP/1.1\r\n\r\n" % target) for target in targets]
        clients += [dial(site, b""), dial(site, b"GET /unfin")]
        site.wait_until(lambda: site.active == 4 and site.connections == 6)
    assert site.active == 0
    hold.release()
    for client in clients:
        client.close()
    gc.collect()  # whatever was left open warns now, and warnings are errors


def test_the_end_with_a_stuck_tls_handshake(certificates: Certificates) -> None:
    with Site(certificates.valid) as site, dial(site, b""):
        site.wait_until(lambda: site.connections == 1)
    gc.collect()


def test_a_site_can_come_back() -> None:
    site = Site()
    site.page("/", "here")
    with site:
        assert get(site, "/").status == 200
    with pytest.raises(ConnectionRefusedError):
        get(site, "/")
    with site:
        assert get(site, "/").status == 200
    assert site.hits("/") == 2


def test_a_bug_in_a_handler_comes_out() -> None:
    async def bug(request: Recorded, writer: asyncio.StreamWriter) -> None:
        raise LookupError("my mistake")

    with pytest.raises(LookupError, match="my mistake"), Site() as site:
        assert wire(site, bug) == b""


def test_a_malformed_request_comes_out() -> None:
    with pytest.raises(ValueError, match="malformed"), Site() as site:
        with dial(site, b"GET / HTTP/1.1\r\nnonsense\r\n\r\n") as client:
            assert client.recv(1) == b""


# TLS


def tls_get(site: Site, ca_path: Path) -> bytes:
    trust = ssl.create_default_context(cafile=str(ca_path))
    with closing(http.client.HTTPSConnection("127.0.0.1", site.port, context=trust)) as connection:
        return ask(connection, "/").body


def test_a_valid_certificate(certificates: Certificates) -> None:
    with Site(certificates.valid) as site:
        site.page("/", "secret")
        assert site.url("/a", host="localhost") == f"https://localhost:{site.port}/a"
        assert tls_get(site, certificates.ca_path) == b"secret"
        site.wait_until(lambda: site.active == 0)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("expired", "certificate has expired"),
        ("untrusted", "unable to get local issuer certificate|self.signed"),
        ("wrong_host", "not valid for '127.0.0.1'"),
    ],
)
def test_bad_certificates(certificates: Certificates, kind: str, message: str) -> None:
    with Site(getattr(certificates, kind)) as site:
        with pytest.raises(ssl.SSLCertVerificationError, match=message):
            tls_get(site, certificates.ca_path)
        assert site.requests == []


def test_a_reset_through_tls(certificates: Certificates) -> None:
    with Site(certificates.valid) as site:
        site.route("/", webserver.reset())
        # Through TLS, Python takes the reset for the end of the stream: before or after the head.
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            tls_get(site, certificates.ca_path)


# nginx


def test_a_folder_from_nginx(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bare").mkdir(parents=True)
    (root / "index.html").write_text("<p>home")
    (root / "a.css").write_text("p {}")
    with nginx_site(tmp_path, root) as nginx, closing(connect(nginx.port)) as connection:
        home, style = ask(connection, "/"), ask(connection, "/a.css?v=1")
        statuses = [ask(connection, path).status for path in ("/none", "/bare/")]
        log = nginx.access_log()
    assert (home.body, home.headers["Content-Type"]) == (b"<p>home", "text/html")
    assert style.headers["Content-Type"] == "text/css"
    assert statuses == [404, 403]
    assert log == [(200, "/"), (200, "/a.css?v=1"), (404, "/none"), (403, "/bare/")]
    assert nginx.access_log() == log
    with pytest.raises(ConnectionRefusedError):
        nginx.probe()


def test_http2(tmp_path: Path, certificates: Certificates) -> None:
    pages = {"/": "<p>home", "/a": "<p>é", "/a/b/": "<p>deep"}
    trust = ssl.create_default_context(cafile=str(certificates.ca_path))
    with http2_site(tmp_path, certificates, pages) as url:
        port = int(url.rpartition(":")[2])
        with closing(http.client.HTTPSConnection("127.0.0.1", port, context=trust)) as connection:
            answers = [ask(connection, path) for path in pages]
            assert ask(connection, "/none").status == 404
        trust.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as plain:
            with trust.wrap_socket(plain, server_hostname="127.0.0.1") as client:
                assert client.selected_alpn_protocol() == "h2"
    assert [answer.body.decode() for answer in answers] == list(pages.values())
    assert {answer.headers["Content-Type"] for answer in answers} == {"text/html; charset=utf-8"}


def test_a_missing_program_skips_at_home_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        need("no-such-program")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-program"):
        need("no-such-program")
    assert os.access(need("sh"), os.X_OK)
