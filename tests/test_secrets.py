"""What the user gave us to log in with goes to the origin it is for, and into no file or output."""

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Self

import pytest

from asyncmultispider.cli.commands import cli
from asyncmultispider.errors import UsageError
from asyncmultispider.fetch.curl import CurlFetcher
from asyncmultispider.model import Request, Response
from asyncmultispider.settings import Settings
from asyncmultispider.urls import host_of
from command import Ended, complaint, ledger, run, snapshot, start
from crawling import links
from webserver import Certificates, Site

SECRET = "s3cret"
LOGIN = f"me:{SECRET}"
BASIC = f"Basic {b64encode(LOGIN.encode()).decode()}"
OWN = (f"Authorization: Bearer {SECRET}", f"Cookie: id={SECRET}", f"X-Key: {SECRET}")
FAST = ("--delay-factor", "0", "--retries", "0", "--timeout", "10")
ANYWHERE = ("--scope", "any", "--allow-private", "all")


def with_login(url: str, login: str = LOGIN) -> str:
    return url.replace("://", f"://{login}@")


def told(site: Site) -> set[str]:
    """Host and path of the requests that came with a secret."""
    return {
        request.headers["host"] + request.path
        for request in site.requests
        if any(secret in str(request.headers) for secret in (SECRET, BASIC))
    }


def asked(site: Site) -> set[str]:
    """Host and path of all requests."""
    return {request.headers["host"] + request.path for request in site.requests}


def assert_kept(ended: Ended, *folders: Path) -> None:
    """Neither the outputs nor any file tells a secret."""
    secrets = [SECRET, BASIC, BASIC.removeprefix("Basic ")]
    assert not [secret for secret in secrets if secret in ended.out + ended.err], ended
    assert "Traceback" not in ended.err, ended.err
    for folder in folders:
        for name, data in snapshot(folder).items():
            assert not [secret for secret in secrets if secret.encode() in data], name


def crawl(directory: Path, *args: object, code: int = 0) -> Ended:
    """A crawl that tells much."""
    ended = run("crawl", *args, "-d", directory, "-v", "--json", *FAST)
    assert ended.code == code, ended
    assert_kept(ended, directory)
    return ended


def own_fields() -> list[str]:
    return [part for field in OWN for part in ("--header", field)]


class Middle:
    """A server between us and others, in threads: `heads` are what it was asked, as it came.

    A proxy: tunnels for CONNECT, and passes on what is asked with a whole URL. Or, with `plain`
    and `secure`, a port that speaks both http and https.
    """

    def __init__(self, plain: int = 0, secure: int = 0, status: bytes = b"200 OK") -> None:
        self.heads: list[bytes] = []
        self.ports = plain, secure
        self.status = status
        self.server = ThreadingTCPServer(("127.0.0.1", 0), self._handler(), False)
        self.server.daemon_threads = True
        self.port = 0

    def __enter__(self) -> Self:
        self.server.server_bind()
        self.server.server_activate()
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def url(self, scheme: str = "http", path: str = "/") -> str:
        """Its address."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def _handler(self) -> type[StreamRequestHandler]:
        middle = self

        class Handler(StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    middle.serve(self.connection)

        return Handler

    def serve(self, client: socket.socket) -> None:
        """One connection."""
        plain, secure = self.ports
        if plain:
            first = client.recv(1, socket.MSG_PEEK)
            relay(client, secure if first == b"\x16" else plain)
            return
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536) or b"\r\n\r\n"
        self.heads.append(head)
        method, target, _ = head.split(b" ", 2)
        if method != b"CONNECT":
            target = target.split(b"/")[2]
        port = int(target.rpartition(b":")[2] or 0)
        if method == b"CONNECT":
            client.sendall(b"HTTP/1.1 " + self.status + b"\r\n\r\n")
            relay(client, port)
        else:
            lines = head.split(b"\r\n")
            lines[0] = lines[0].replace(b"http://" + target, b"")
            kept = [line for line in lines if not line.lower().startswith(b"proxy-")]
            kept.insert(1, b"Connection: close")  # the next request is to be seen here, too
            relay(client, port, b"\r\n".join(kept))


def relay(client: socket.socket, port: int, first: bytes = b"") -> None:
    """Pass on both ways until either side has ended."""
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(first)
        back = threading.Thread(target=copy, args=(server, client), daemon=True)
        back.start()
        copy(client, server)
        back.join(5)


def copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def third() -> Iterator[Site]:
    """One more site."""
    with Site() as site:
        yield site


# Own header fields and logins: to the origin of a seed


def entangle(site: Site, other: Site) -> None:
    """Links, redirects and robots.txt lead from each of both to the other, and to `localhost`."""
    local = site.url("/local", host="localhost")
    site.redirect("/robots.txt", other.url("/robots.txt"))
    site.page("/", links("/in", "/hop", "/local-hop", local, other.url("/linked")))
    site.page("/in", links(other.url("/back")))
    site.redirect("/hop", other.url("/there"))
    site.redirect("/local-hop", site.url("/local2", host="localhost"))
    site.page("/local*", "local")
    site.page("/home", "home")
    other.redirect("/back", site.url("/home"))
    other.page("/*", "other")


@pytest.mark.parametrize("engine", ["async", "threads", "processes"])
@pytest.mark.parametrize("way", ["header", "login"])
def test_to_the_origin_of_a_seed_only(
    site: Site, other: Site, directory: Path, way: str, engine: str
) -> None:
    entangle(site, other)
    seed = [site.url(), *own_fields()] if way == "header" else [with_login(site.url())]
    crawl(directory, *seed, *ANYWHERE, "--engine", engine)
    host, local = host_of(site.url()), f"localhost:{site.port}"
    own = {f"{host}{path}" for path in ("/", "/robots.txt", "/in", "/hop", "/local-hop", "/home")}
    assert told(site) == own
    assert asked(site) == own | {f"{local}{p}" for p in ("/robots.txt", "/local", "/local2")}
    assert told(other) == set()
    assert {"/robots.txt", "/linked", "/there", "/back"} == set(other.paths)
    [authorization] = {
        request.headers["authorization"]
        for request in site.requests
        if "authorization" in request.headers
    }
    assert authorization == (BASIC if way == "login" else f"Bearer {SECRET}")


@pytest.mark.parametrize("way", ["header", "login"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_same_host_and_port_by_the_other_scheme(
    certificates: Certificates, directory: Path, scheme: str, way: str
) -> None:
    with ExitStack() as stack:
        plain = stack.enter_context(Site())
        secure = stack.enter_context(Site(tls=certificates.valid))
        both = stack.enter_context(Middle(plain.port, secure.port))
        named, other = (plain, secure) if scheme == "http" else (secure, plain)
        away = both.url("https" if scheme == "http" else "http", "/away")
        named.page("/", links("/in", "/hop", away))
        named.page("/in", "in")
        named.redirect("/hop", away.replace("away", "hopped"))
        other.page("/*", "away")
        url = both.url(scheme)
        seed = [url, *own_fields()] if way == "header" else [with_login(url)]
        trust = {"SSL_CERT_FILE": str(certificates.ca_path)}
        ended = run("crawl", *seed, "-d", directory, "-v", *ANYWHERE, *FAST, env=trust)
        assert ended.code == 0, ended
        assert_kept(ended, directory)
        host = host_of(url)
        assert {f"{host}/", f"{host}/in", f"{host}/hop"} <= told(named)
        assert {f"{host}/away", f"{host}/hopped"} <= asked(other)
        assert told(other) == set()


def test_each_seed_has_its_own_login(site: Site, other: Site, third: Site, directory: Path) -> None:
    for each in (site, other, third):
        each.page("/*", links(site.url("/x"), other.url("/y"), third.url("/z")))
    logins = [with_login(site.url()), with_login(other.url(), "you:0ther")]
    crawl(directory, *logins, third.url(), site.url("/same"))
    given = [{r.headers.get("authorization") for r in each.requests} for each in (site, other)]
    assert given == [{BASIC}, {f"Basic {b64encode(b'you:0ther').decode()}"}]
    assert all("authorization" not in request.headers for request in third.requests)


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("me", b"me:"),
        (":pw", b":pw"),
        ("a%3Ab:c%40d%2Fe", b"a:b:c@d/e"),
        ("me:p%C3%A4ss", "me:p\u00e4ss".encode()),
        ("me:p\u00e4ss", "me:p\u00e4ss".encode()),
        ("%ff:%fe%00", b"\xff:\xfe\0"),
        ("me:a%0D%0AX-Evil: 1", b"me:a\r\nX-Evil: 1"),
    ],
)
def test_odd_logins(site: Site, directory: Path, login: str, sent: bytes) -> None:
    site.page("/", "x")
    crawl(directory, with_login(site.url(), login))
    for request in site.requests:
        assert request.headers["authorization"] == f"Basic {b64encode(sent).decode()}"
        assert "x-evil" not in request.headers


def test_nobody_is_told_where_we_came_from(site: Site, other: Site, directory: Path) -> None:
    site.page("/", links("/in?key=s3cret", other.url("/x")))
    site.page("/in", links(other.url("/y")))
    other.page("/*", "other")
    run("crawl", site.url(), "-d", directory, *ANYWHERE, *FAST)
    assert {"/x", "/y"} <= set(other.paths)
    assert all("referer" not in request.headers for request in [*site.requests, *other.requests])


# Logins in what pages say


def test_logins_in_links_are_dropped(site: Site, other: Site, directory: Path) -> None:
    leak = "u:leak"
    hrefs = [with_login(s.url(f"/link{n}"), leak) for n, s in enumerate((site, other))]
    site.page("/", f"<base href='{with_login(site.url(), leak)}'>" + links("rel", "/hop", *hrefs))
    site.redirect("/hop", with_login(other.url("/hopped"), leak))
    site.redirect("/robots.txt", with_login(other.url("/robots.txt"), leak))
    for each in (site, other):
        each.page("/*", "x")
    crawl(directory, site.url(), *ANYWHERE)
    assert {"/rel", "/hop", "/link0"} <= set(site.paths)
    assert {"/robots.txt", "/link1", "/hopped"} <= set(other.paths)
    assert all("authorization" not in r.headers for r in [*site.requests, *other.requests])
    assert not [url for url in ledger(directory) if "@" in url]


def test_logins_in_links_do_not_replace_ours(site: Site, directory: Path) -> None:
    site.page("/", links(with_login(site.url("/x"), "u:leak")))
    site.page("/x", "x")
    crawl(directory, with_login(site.url()))
    assert {request.headers.get("authorization") for request in site.requests} == {BASIC}
    assert ledger(directory).keys() == {site.url("/"), site.url("/x")}


SPIDER = """
from asyncmultispider import Spider
spider = Spider({seed!r})

@spider.on("/")
def page(page):
    yield {{"url": page.url, "referrer": page.referrer, "links": page.links}}
    yield from page.follow([{link!r}, "rel"])

@spider.on("/rel")
def rel(page):
    raise ValueError(f"{{page}} from {{page.referrer}}")
"""


@pytest.mark.parametrize("engine", ["async", "processes"])
def test_a_spider_with_a_login(site: Site, other: Site, tmp_path: Path, engine: str) -> None:
    site.page("/*", "x")
    other.page("/*", "x")
    link = with_login(other.url("/followed"), "u:leak")
    spider = tmp_path / "spider.py"
    spider.write_text(SPIDER.format(seed=with_login(site.url()), link=link))
    (out := tmp_path / "out").mkdir()
    args = ("-d", out / "dir", "-o", out / "items.jsonl", *ANYWHERE, *FAST, "--engine", engine)
    ended = run("run", spider, "-v", "--json", *args)
    assert ended.code == 0
    assert_kept(ended, out)
    assert {request.headers.get("authorization") for request in site.requests} == {BASIC}
    assert "/followed" in other.paths
    assert told(other) == set()
    assert ledger(out / "dir")[site.url("/rel")] == ("failed", "handler")


# No file, no output


def test_the_books_have_no_login(site: Site, directory: Path, tmp_path: Path) -> None:
    site.page("/", links("in", "gone", "off"))
    site.page("/in", links("/"))
    site.redirect("/off", "http://x.invalid/")
    site.robots("User-agent: *\nDisallow: /no\n")
    seed = with_login(site.url())
    crawl(directory, seed, *own_fields())
    assert set(ledger(directory)) == {site.url(p) for p in ("/", "/in", "/gone", "/off")} | {
        "http://x.invalid/"
    }
    for command in (
        ["status", directory],
        ["urls", directory, "--json"],
        ["explain", directory, site.url("/in")],
        ["explain", directory, site.url("/in"), "--json"],
        ["explain", directory, seed],
        ["verify", directory],
        ["export", directory, "--to", tmp_path / "out.jsonl"],
    ):
        ended = run(*command)
        assert ended.code == 0, ended
        assert_kept(ended, tmp_path)
        assert "***" not in ended.out
    ended = run("explain", directory, with_login(site.url("/unknown")))
    assert ended.code == 1
    assert_kept(ended)


def test_prefix_scope_of_a_seed_with_a_login(site: Site, directory: Path) -> None:
    site.page("/a/", links("b", "/c"))
    site.page("/*", "x")
    crawl(directory, with_login(site.url("/a/")), "--scope", "prefix")
    assert ledger(directory)[site.url("/a/b")] == ("done", "")
    ended = run("explain", directory, site.url("/a/never"))
    assert "skipped" not in ended.err
    assert "outside --scope prefix" in run("explain", directory, site.url("/c")).out


def test_another_password_continues_the_same_crawl(site: Site, directory: Path) -> None:
    site.page("/", links("/x"))
    site.page("/x", "x")
    crawl(directory, with_login(site.url()), "--limit", "1")
    crawl(directory, with_login(site.url(), "me:newer"))
    assert site.requests[-1].headers["authorization"] == (
        f"Basic {b64encode(b'me:newer').decode()}"
    )
    assert site.hits("/") == 1


def test_fetch(site: Site, other: Site) -> None:
    site.page("/", links("rel", "/abs"))
    ended = run("fetch", with_login(site.url()), *own_fields())
    assert ended.code == 0
    assert_kept(ended)
    assert told(site) == {f"{host_of(site.url())}/"}
    assert site.url("/rel") in ended.out
    site.redirect("/", other.url("/"))
    assert_kept(run("fetch", with_login(site.url())))
    assert other.requests == []


def test_fetch_of_what_can_not_be_had() -> None:
    assert_kept(run("fetch", f"http://{LOGIN}@127.0.0.1:1/"))


@pytest.mark.parametrize(
    "args",
    [
        ("--header", f"Authorization Bearer {SECRET}"),
        ("--header", f"Authorization {SECRET}: x"),
        ("--header", SECRET),
        ("--header", f"Authorization: {SECRET}\nX-Evil: x"),
        ("--header", f"Authorization: {SECRET}\x01"),
        ("--header", f"Authorization: \u00e4{SECRET}"),
        ("--proxy", f"http://{LOGIN}@:99999"),
        ("--proxy", f"http://{LOGIN}@[x"),
        ("--proxy", f"http://me:a/{SECRET}@127.0.0.1:1"),
        ("--proxy", f"HTTP://me:\u00e4{SECRET}@127.0.0.1:1"),
        ("--proxy", f"ftp://{LOGIN}@127.0.0.1"),
        ("--proxy", f"{LOGIN}@127.0.0.1:1"),
        (f"http://{LOGIN}@[x/",),
        (f"http://{LOGIN}@a b/",),
        (f"http://me:a/{SECRET}@127.0.0.1/",),
        (f"ftp://{LOGIN}@127.0.0.1/",),
        (f"{LOGIN}@127.0.0.1:x/",),
    ],
)
def test_mistakes_are_told_without_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        cli.main(["crawl", "http://127.0.0.1:9/", *args], standalone_mode=False)
    assert SECRET not in str(caught.value)
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("command", ["explain", "urls", "retry"])
def test_mistakes_in_a_host_too(site: Site, directory: Path, command: str) -> None:
    site.page("/", "x")
    crawl(directory, site.url())
    option = [] if command == "explain" else ["--host"]
    for typed in (f"http://{LOGIN}@a b/", f"{LOGIN}@a b"):
        assert SECRET not in complaint(command, directory, *option, typed)


def test_a_display_has_no_secret(site: Site, directory: Path) -> None:
    site.page("/", links("/gone"))
    args = ("crawl", with_login(site.url()), "-d", directory, "-v", *own_fields(), *FAST)
    with start(*args, terminal=True) as process:
        ended = process.end()
    assert ended.code == 0
    assert_kept(ended, directory)


# Proxies


def proxied(middle: Middle, login: str = LOGIN) -> tuple[str, str]:
    return "--proxy", with_login(middle.url().rstrip("/"), login)


def lines_with(heads: list[bytes], secret: str) -> set[bytes]:
    return {
        line.split(b":")[0].lower()
        for head in heads
        for line in head.split(b"\r\n")
        if secret.encode() in line
    }


def test_a_proxys_password_is_for_the_proxy(site: Site, other: Site, directory: Path) -> None:
    site.page("/", links("/in", "/hop", other.url("/x")))
    site.page("/in", "in")
    site.redirect("/hop", other.url("/y"))
    other.page("/*", "x")
    with Middle() as proxy:
        seed = site.url(host="localhost")
        site_headers = ("--header", "X-Key: 0wn")
        crawl(directory, seed, *ANYWHERE, *proxied(proxy), *site_headers)
    assert proxy.heads
    assert all(b"Proxy-Authorization: " + BASIC.encode() in head for head in proxy.heads)
    assert lines_with(proxy.heads, BASIC) == {b"proxy-authorization"}
    assert {"/", "/robots.txt"} <= set(site.paths)
    for request in [*site.requests, *other.requests]:
        assert not {"proxy-authorization", "authorization"} & request.headers.keys()
    assert all("x-key" in request.headers for request in site.requests)
    assert all("x-key" not in request.headers for request in other.requests)


def test_through_a_tunnel(certificates: Certificates, directory: Path) -> None:
    with Site(tls=certificates.valid) as site, Middle() as proxy:
        site.page("/", links("/in"))
        site.page("/in", "in")
        seed = with_login(site.url(host="localhost"), "you:0ther")
        trust = {"SSL_CERT_FILE": str(certificates.ca_path)}
        fields = [*own_fields()[2:], "--header", "X-More: 0wn"]
        args = ("crawl", seed, "-d", directory, *proxied(proxy), *fields, *FAST)
        ended = run(*args, env=trust)
        assert ended.code == 0, ended
        assert_kept(ended, directory)
        assert proxy.heads
        assert all(head.startswith(b"CONNECT localhost:") for head in proxy.heads)
        assert lines_with(proxy.heads, BASIC) == {b"proxy-authorization"}
        assert lines_with(proxy.heads, SECRET) == lines_with(proxy.heads, "0wn") == set()
        assert not [head for head in proxy.heads if b"\nauthorization" in head.lower()]
        other = f"Basic {b64encode(b'you:0ther').decode()}"
        for request in site.requests:
            assert request.headers["authorization"] == other
            assert request.headers["x-more"] == "0wn"
            assert "proxy-authorization" not in request.headers


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:s3cret@127.0.0.1:1",
        "HTTP://me:s3cret@127.0.0.1:1",
        "socks5h://me:s3cret@127.0.0.1:1",
        "http://me:s3cret@proxy.invalid:8080",
        "http://me:s3cret@bad host:8080",
        "http://me:s3cret@bad\\host:8080",
        "http://me:s3cret%0a@127.0.0.1:1",
        "http://me:s3cret%@127.0.0.1:1",
        "http://me:@s3cret@127.0.0.1:1",
    ],
)
def test_no_error_tells_a_proxys_password(directory: Path, proxy: str) -> None:
    ended = run("crawl", "http://x.invalid/", "-d", directory, "-v", "--proxy", proxy, *FAST)
    assert ended.code in (1, 2)
    assert_kept(ended, directory)
    assert_kept(run("fetch", "http://x.invalid/", "--proxy", proxy))
    if ended.code == 1:
        assert_kept(run("explain", directory, "http://x.invalid/"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_password_is_not_told(directory: Path, scheme: str) -> None:
    with Middle(status=b"407 Proxy Authentication Required") as proxy:
        ended = run(
            *("crawl", f"{scheme}://x.invalid/", "-d", directory, "-v"), *proxied(proxy), *FAST
        )
        assert ended.code == 1
        assert_kept(ended, directory)


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_the_environment_does_not_lead_around_a_proxy(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nor around the guard: what a name means is left to the proxy."""
    monkeypatch.setenv(name, "*")
    site.page("/*", "reached")
    local = site.url(host="localhost")
    settings = Settings(seeds=(local,), proxies=("http://127.0.0.1:1",))
    with closing(CurlFetcher(settings)) as fetcher:
        result = fetcher.fetch(Request(id=0, url=local, host=host_of(local)))
    assert not isinstance(result, Response)
    assert site.requests == []


def test_the_environment_gives_no_proxy_and_no_login(
    site: Site, directory: Path, tmp_path: Path
) -> None:
    site.page("/", "x")
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    proxy = f"http://{LOGIN}@127.0.0.1:1"
    names = ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY")
    home = {"HOME": str(tmp_path)}
    ended = run(
        *("crawl", site.url(), "-d", directory, *FAST), env=home | dict.fromkeys(names, proxy)
    )
    assert ended.code == 0
    assert told(site) == set()


def test_a_crawl_that_is_killed_leaves_no_secret(site: Site, directory: Path) -> None:
    hold = site.hold("/")
    args = ("crawl", with_login(site.url()), "-d", directory, *own_fields(), *FAST)
    with start(*args) as process:
        site.wait_until(lambda: site.hits("/"))
        process.kill()
    hold.release()
    assert (directory / "lock").read_bytes()
    for name, data in snapshot(directory).items():
        assert SECRET.encode() not in data, name
