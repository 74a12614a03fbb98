"""nginx for tests: plain HTTP from a folder, and HTTP/2.

What always holds: one process, so it needs no special user, works as root and not, and writes its
log lines in the order of the requests. All its files are in a fresh folder of the test's own.
"""

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from webserver import Certificates

_PROBE = "/.nginx-probe"
_TIMEOUT = 10.0
_TRIES = 3

_CONFIG = """
daemon off;
master_process off;
pid "{home}/nginx.pid";
error_log "{home}/error.log";
events {{ worker_connections 512; }}
http {{
    client_body_temp_path "{home}/body";
    proxy_temp_path "{home}/proxy";
    fastcgi_temp_path "{home}/fastcgi";
    uwsgi_temp_path "{home}/uwsgi";
    scgi_temp_path "{home}/scgi";
    log_format short '$status $request_uri';
    access_log "{home}/access.log" short;
    include /etc/nginx/mime.types;
    server {{
        listen 127.0.0.1:{port}{options};
        location = {probe} {{ access_log off; default_type text/plain; return 200 "{home}"; }}
        {server}
    }}
}}
"""


def installed(package: str, folder: Path) -> Path:
    """The folder of a Debian package: without it the test skips, in CI it fails."""
    if folder.is_dir():
        return folder
    message = f"the Debian package {package} is not installed: there is no {folder}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def need(program: str) -> str:
    """The path of a program. Where it is missing the test is skipped, or fails when CI is set."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(program, path=path)
    if found is not None:
        return found
    message = f"the program {program} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@dataclass(frozen=True)
class Nginx:
    """A running nginx; `url` has no slash at its end, `home` holds its configuration and logs."""

    port: int
    home: Path
    tls: bool = False

    @property
    def url(self) -> str:
        """Scheme and authority, such as `http://127.0.0.1:8080`."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def access_log(self) -> list[tuple[int, str]]:
        """Status and target of all requests answered so far, in their order; also after the end."""
        with contextlib.suppress(OSError):
            self.probe()  # nginx logs after it has answered; it turns to this one after that
        lines = (self.home / "access.log").read_text().splitlines()
        return [(int(status), uri) for status, _, uri in (line.partition(" ") for line in lines)]

    def probe(self) -> str:
        """Ask who is there: its home. OSError when nobody answers."""
        connection = self._connection()
        try:
            connection.request("GET", _PROBE)
            return connection.getresponse().read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise OSError(f"no nginx on port {self.port}: {error!r}") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=_TIMEOUT, context=context
        )


@contextlib.contextmanager
def nginx_site(tmp_path: Path, root: Path) -> Iterator[Nginx]:
    """Serve the folder `root` over plain HTTP/1.1: index.html for a folder, no listings."""
    home = _home(tmp_path)
    with _running(home, f'root "{root.resolve()}"; index index.html; autoindex off;') as nginx:
        yield nginx


@contextlib.contextmanager
def http2_site(tmp_path: Path, certificates: Certificates, pages: dict[str, str]) -> Iterator[str]:
    """Serve HTML pages over HTTP/2 (and 1.1) with the valid certificate; gives the base URL.

    The keys of `pages` are paths without percent-escapes or query.
    """
    home = _home(tmp_path)
    pem = home / "server.pem"
    certificates.leaf.private_key_and_cert_chain_pem.write_to_path(str(pem))
    server = [f'ssl_certificate "{pem}"; ssl_certificate_key "{pem}"; charset utf-8;']
    server += [_page(home, number, path, text) for number, (path, text) in enumerate(pages.items())]
    with _running(home, "\n".join(server), tls=True) as nginx:
        yield nginx.url


def _page(home: Path, number: int, path: str, text: str) -> str:
    # Through try_files, as the static handler turns away a path that ends in a slash.
    (home / f"{number}.html").write_text(text, encoding="utf-8")
    return f'location = "{path}" {{ root "{home}"; try_files /{number}.html =404; }}'


def _home(tmp_path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix="nginx-", dir=tmp_path.resolve()))


@contextlib.contextmanager
def _running(home: Path, server: str, *, tls: bool = False) -> Iterator[Nginx]:
    program = need("nginx")
    for _ in range(_TRIES):  # another program may take the port before nginx does
        nginx = Nginx(_free_port(), home, tls)
        with _process(program, nginx, server) as process:
            if _answers(nginx, process):
                yield nginx
                return
    pytest.fail(f"nginx did not start:\n{_errors(home)}")


@contextlib.contextmanager
def _process(program: str, nginx: Nginx, server: str) -> Iterator[subprocess.Popen[bytes]]:
    options = " ssl http2" if nginx.tls else ""
    config = nginx.home / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            home=nginx.home, port=nginx.port, options=options, probe=_PROBE, server=server
        ),
        encoding="utf-8",
    )
    log = nginx.home / "error.log"
    command = [program, "-p", str(nginx.home), "-c", str(config), "-e", str(log)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()


def _answers(nginx: Nginx, process: subprocess.Popen[bytes]) -> bool:
    """Wait until this very nginx answers. False when it ended or the time is over."""
    deadline = time.monotonic() + _TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if nginx.probe() == str(nginx.home):
                return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _errors(home: Path) -> str:
    log = home / "error.log"
    return log.read_text(errors="replace") if log.exists() else "(no error log)"
