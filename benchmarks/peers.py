"""The same crawl by this crawler, `wget2 -r` and Scrapy, side by side: CPU per page.

    python -m benchmarks.peers --site DIR [--rounds 3] [--only us,wget2,scrapy] [--start PATH]
    python -m benchmarks.peers --site DIR --only us,threads,processes      # our own engines
    python -m benchmarks.peers --site DIR --only us,normal,unsafe          # what safety costs
    python -m benchmarks.peers --site DIR --only us,unguarded              # what the guards cost

`DIR` is a folder of HTML, such as /usr/share/doc/python3/html. nginx (one process) serves it on
a loopback port; the crawlers take turns (us, wget2, scrapy, us, wget2, ...), each run with a new
nginx and an empty folder, on a RAM disk where there is one.

How the figures are counted:

- pages: the responses with status 200, from nginx's access log, never what a crawler says of
  itself. `HTML` are those of type text/html, `repeats` the 200s for a URL already sent in that run.
- CPU: user + system time of the crawler's whole process tree from start to exit, start-up
  included, the server's not. CPU per page is that divided by all 200s.
- peak: memory of the crawler's largest process, 14 MB at least (see `_measure`); what it writes to
  the RAM disk is not in it.
- rows show medians over the rounds; a run that failed or met its time limit does not count.

The crawlers don't do the same work. wget2 writes plain files and also fetches what pages need
(images, CSS, scripts): more pages, and cheaper ones, so look at `HTML` too. Scrapy stores nothing.
We keep the ledger, compressed bodies and the row of each page. Nobody asks for robots.txt.
`normal` is us with `--sync normal`, `unsafe` that with leases in memory alone; `unguarded` is us
with no guard against the web at work.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from urllib.parse import quote

from benchmarks._common import say, work_folder
from benchmarks._measure import Usage, measure, tail

NGINX_CONF = r"""
daemon off; master_process off; pid nginx.pid; error_log error.log;
events { worker_connections 1024; }
http {
  client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;
  uwsgi_temp_path temp; scgi_temp_path temp;
  types {
    text/html html htm; text/css css; text/plain txt; text/xml xml; application/javascript js;
    application/json json; application/xhtml+xml xhtml; application/pdf pdf; image/png png;
    image/gif gif; image/jpeg jpg jpeg; image/svg+xml svg; image/x-icon ico;
  }
  default_type application/octet-stream;
  log_format peers '$status\t$request_method\t$sent_http_content_type\t$request_uri';
  access_log access.log peers buffer=256k;
  sendfile on; keepalive_requests 10000000;
  server { listen 127.0.0.1:%d; root site; index index.html; }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A crawler: its command for a URL and an empty folder, and how to tell and get it.

    `fine` are the exit codes of a crawl that went well.
    """

    command: Callable[[str, Path], list[str]]
    installed: Callable[[], bool]
    get: str
    fine: tuple[int, ...] = (0,)


def _us(*engine: str, module: str = "asyncmultispider") -> Callable[[str, Path], list[str]]:
    def command(url: str, folder: Path) -> list[str]:
        program = [sys.executable, "-m", module, "crawl", url]
        pace = ["--per-host", "64", "--delay-factor", "0", "--ignore-robots", "-c", "64"]
        return [*program, "--dir", str(folder / "us"), *pace, *engine, "--json", "-q"]

    return command


def _wget2(url: str, folder: Path) -> list[str]:
    options = ["-r", "-l", "inf", "--no-robots", "--max-threads=16", "-q"]
    return ["wget2", *options, "-P", str(folder / "wget2"), url]


def _scrapy(url: str, _folder: Path) -> list[str]:
    spider = Path(__file__).with_name("_scrapy_spider.py")
    return [sys.executable, "-m", "scrapy", "runspider", str(spider), "-a", f"start={url}"]


def _module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def _engine(*options: str) -> Peer:
    return Peer(
        command=_us(*options), installed=_module("asyncmultispider"), get="pip install -e ."
    )


USUAL = "us,wget2,scrapy"
PEERS = {
    "us": _engine(),
    "threads": _engine("--engine", "threads"),
    "processes": _engine("--engine", "processes", "-j", "2", "--per-host", "128"),
    "normal": _engine("--sync", "normal"),
    "unsafe": Peer(
        command=_us("--sync", "normal", module="benchmarks._unsafe"),
        installed=_module("asyncmultispider"),
        get="pip install -e .",
    ),
    "unguarded": Peer(
        command=_us(module="benchmarks._unguarded"),
        installed=_module("asyncmultispider"),
        get="pip install -e .",
    ),
    "wget2": Peer(
        command=_wget2,
        installed=lambda: shutil.which("wget2") is not None,
        get="apt-get install wget2",
        fine=(0, 8),  # 8: some URL was answered with an error, as broken links are
    ),
    "scrapy": Peer(command=_scrapy, installed=_module("scrapy"), get="pip install scrapy"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the server sent in a run: 200s, how many URLs and how much HTML among them, the rest."""

    pages: int
    distinct: int
    html: int
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One crawl by one peer. `trouble` says why it does not count; `reported` is its own count."""

    peer: str
    usage: Usage
    served: Served
    reported: int | None
    trouble: str | None

    @property
    def cpu_per_page(self) -> float:
        """Microseconds of CPU per 200."""
        return 1e6 * self.usage.cpu / max(self.served.pages, 1)

    def flat(self) -> dict[str, object]:
        """All figures in one object, for JSON."""
        words = {"peer": self.peer, "reported": self.reported, "trouble": self.trouble}
        figures = {"cpu_us_per_page": round(self.cpu_per_page, 1)}
        return words | asdict(self.served) | asdict(self.usage) | figures


def nginx_program() -> str | None:
    """The path of nginx, also where only root's PATH has it."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    return shutil.which("nginx", path=path)


@contextlib.contextmanager
def serve(nginx: str, site: Path, folder: Path) -> Iterator[str]:
    """Serve `site` while the block runs; yields its base URL. Logs are whole when it has ended."""
    (folder / "site").symlink_to(site.resolve())
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    conf = folder / "nginx.conf"
    conf.write_text(NGINX_CONF % port)
    with (folder / "nginx.stderr").open("wb") as err:
        server = subprocess.Popen([nginx, "-p", str(folder), "-c", str(conf)], stderr=err)
    try:
        _wait_until_up(server, port, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_until_up(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 10
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    raise OSError(f"nginx did not start: {tail(folder / 'nginx.stderr')}")


def read_log(path: Path) -> Served:
    """Count an access log."""
    pages = html = others = 0
    seen = set()
    with path.open(errors="replace") as lines:
        for line in lines:
            status, method, kind, uri = line.rstrip("\n").split("\t")
            if (status, method) != ("200", "GET"):
                others += 1
                continue
            pages += 1
            html += kind.startswith("text/html")
            seen.add(uri)
    return Served(pages=pages, distinct=len(seen), html=html, others=others)


def crawl(name: str, options: argparse.Namespace) -> Run:
    """One run: a new server, an empty folder, a crawl; nothing of it stays."""
    peer = PEERS[name]
    # A proxy of the environment must not stand between a crawler and the loopback.
    env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    with tempfile.TemporaryDirectory(prefix="peers-", dir=options.work) as folder_name:
        folder = Path(folder_name)
        server, work = folder / "server", folder / "work"
        server.mkdir()
        work.mkdir()
        with serve(options.nginx, options.site, server) as base:
            command = peer.command(base + options.start, work)
            usage = measure(command, limit=options.time_limit, env=env, folder=folder)
        served = read_log(server / "access.log")
        return Run(
            peer=name,
            usage=usage,
            served=served,
            reported=_reported(folder / "stdout"),
            trouble=_trouble(usage, served, peer, folder / "stderr"),
        )


def _reported(stdout: Path) -> int | None:
    """The `pages` of the JSON object that ends a crawler's output, if it prints one."""
    try:
        return int(json.loads(stdout.read_text())["pages"])
    except (ValueError, KeyError, TypeError):
        return None


def _trouble(usage: Usage, served: Served, peer: Peer, stderr: Path) -> str | None:
    if usage.timed_out:
        return f"stopped at the time limit, after {usage.wall:.0f} s"
    if usage.code not in peer.fine:
        return f"ended with code {usage.code}: {tail(stderr)}"
    if not served.pages:
        return f"fetched no page (is --start right?) {tail(stderr)}".rstrip()
    return None


def first_page(site: Path) -> str | None:
    """The path of the shallowest index.html, as the start of a URL; None where there is none."""
    for depth in range(6):
        found = sorted(site.glob("*/" * depth + "index.html"))
        if found:
            return "/" + quote(str(found[0].relative_to(site))) if depth else "/"
    return None


def table(runs: list[Run]) -> str:
    """The runs that count as text: a row per peer, then the ratios."""
    good = {name: [r for r in runs if r.peer == name and not r.trouble] for name in PEERS}
    cost = {name: median(r.cpu_per_page for r in rs) for name, rs in good.items() if rs}
    lines = [
        f"{'peer':10}{'pages':>8}{'HTML':>8}{'repeats':>9}{'pages/s':>9}"
        f"{'CPU us/page':>13} {'[min-max]':16}{'peak MB':>8}{'CPU, us = 1':>13}"
    ]
    lines += [_row(name, good[name], cost) for name in cost]
    ratios = [
        ("us", "normal"),
        ("us", "unsafe"),
        ("us", "unguarded"),
        ("us", "wget2"),
        ("scrapy", "us"),
        ("scrapy", "wget2"),
    ]
    lines += [""] + [
        f"{a} / {b} = {cost[a] / cost[b]:.2f}" for a, b in ratios if a in cost and b in cost
    ]
    return "\n".join(lines)


def _row(name: str, runs: list[Run], cost: dict[str, float]) -> str:
    costs = [r.cpu_per_page for r in runs]
    to_us = f"{cost[name] / cost['us']:.2f}" if "us" in cost else "-"
    return (
        f"{name:10}{median(r.served.pages for r in runs):8.0f}"
        f"{median(r.served.html for r in runs):8.0f}"
        f"{median(r.served.pages - r.served.distinct for r in runs):9.0f}"
        f"{median(r.served.pages / r.usage.wall for r in runs):9.0f}"
        f"{cost[name]:13.0f} {f'[{min(costs):.0f}-{max(costs):.0f}]':16}"
        f"{median(r.usage.peak for r in runs) / 1e6:8.1f}{to_us:>13}"
    )


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--site", type=Path, required=True, metavar="DIR", help="folder of HTML")
    parser.add_argument("--start", metavar="PATH", help="default: the shallowest index.html")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--only", default=USUAL, metavar="PEERS", help=f"default: {USUAL}")
    parser.add_argument("--time-limit", type=float, default=600, metavar="S", help="of a run")
    parser.add_argument("--work", type=Path, default=work_folder(), metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="one object on stdout, no table")
    options = parser.parse_args(argv)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(PEERS):
        parser.error(f"--only knows {', '.join(PEERS)}, not {', '.join(sorted(unknown))}")
    if options.rounds < 1 or options.time_limit <= 0:
        parser.error("--rounds and --time-limit must be more than 0")
    for folder in (options.site, options.work):
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    options.start = options.start or first_page(options.site)
    if not options.start:
        parser.error(f"no index.html in {options.site}: give --start PATH")
    options.start = "/" + options.start.lstrip("/")
    options.nginx = nginx_program()
    if not options.nginx:
        parser.error("nginx serves the pages and is not installed: apt-get install nginx-light")
    return options


def _present(names: list[str]) -> list[str]:
    """The peers that are installed; says how to get the others."""
    missing = [name for name in names if not PEERS[name].installed()]
    for name in missing:
        say(f"{name} is not installed and left out: {PEERS[name].get}")
    return [name for name in names if name not in missing]


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 when all runs went well, 1 when one did not, 2 for wrong usage."""
    # Ended by a signal, it still stops the servers and removes the folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options(argv)
    names = _present(options.only)
    if not names:
        return 2
    runs = []
    for number in range(options.rounds):
        for name in names:
            run = crawl(name, options)
            runs.append(run)
            note = run.trouble or f"{run.usage.wall:.1f} s, {run.cpu_per_page:.0f} us/page"
            say(f"round {number + 1}, {name}: {run.served.pages} pages, {note}")
    if options.json:
        about = {"site": str(options.site), "start": options.start, "rounds": options.rounds}
        print(json.dumps(about | {"runs": [run.flat() for run in runs]}))
    else:
        print(table(runs))
    return 1 if any(run.trouble for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
