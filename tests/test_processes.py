"""Worker processes: what kills them, what stops them, and who does the work."""

import asyncio
import os
import random
import select
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest

import equivalence_site
import equivalence_spiders as spiders
from asyncmultispider import retry, sqlite
from asyncmultispider.crawler import Crawl
from asyncmultispider.engines import processes
from asyncmultispider.errors import WorkerError
from asyncmultispider.settings import Settings
from cli_crawls import FAST, check_books, check_complete, interrupt_twice, linked, numbered
from command import ledger, run, start
from crawling import QUICK, Crawled, deadline, links
from equivalence import Facts, ends, items, pages
from webserver import Recorded, Reply, Route, Site

CrawlSite = Callable[..., Crawled]

TWO = {"engine": "processes", "processes": 2}
DELAY = 0.3
"""Seconds; a worker takes about as long to start."""
SPIDER = """
import sys
sys.path.insert(0, {tests!r})
import equivalence_spiders
spider = equivalence_spiders.{name}({site!r})
"""


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """Whatever happens, no worker outlives its crawl."""
    yield
    wait_for_end(workers())


def workers() -> list[int]:
    """The process ids of all worker processes below this one."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children.setdefault(parent, []).append(int(path.name))
    found, below = [], children.get(os.getpid(), [])
    while below:
        pid = below.pop()
        below += children.get(pid, [])
        if "spawn_main" in _command_line(pid):
            found.append(pid)
    return sorted(found)


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def wait_for_start(number: int) -> None:
    """Until so many workers have been started; they are not ready yet."""
    end = monotonic() + 20
    while len(workers()) < number:
        assert monotonic() < end


def deaf_to_interrupts(pid: int) -> bool:
    """Whether the process blocks or ignores SIGINT, as Linux tells."""
    fields = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    heard = 1 << signal.SIGINT - 1
    return bool((int(fields["SigBlk"], 16) | int(fields["SigIgn"], 16)) & heard)


def wait_for_end(pids: list[int], seconds: float = 10) -> None:
    """Until these processes have ended."""
    for pid in pids:
        with ExitStack() as stack:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            stack.callback(os.close, descriptor)
            ready, _, _ = select.select([descriptor], [], [], seconds)
            assert ready, f"worker {pid} is still there after {seconds} s"


def killing(then: Route, choose: Callable[[list[int]], list[int]], times: int = 1) -> Route:
    """Kill some of the workers, so many times, before it answers."""
    left = [times]

    async def answer(request: Recorded, writer: asyncio.StreamWriter) -> Reply | None:
        if left[0] > 0:
            left[0] -= 1
            for pid in choose(workers()):
                os.kill(pid, signal.SIGKILL)
        return then if isinstance(then, Reply) else await then(request, writer)

    return answer


def slow(seconds: float = 0.02) -> Route:
    async def answer(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        await asyncio.sleep(seconds)  # long enough for others to be asked for
        return Reply()

    return answer


def when_all_are_ready(site: Site, workers: int, home: Reply) -> None:
    """Keep `/` back until so many workers have told that they are ready."""

    async def answer(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        while site.hits("/in/ready") < workers:  # noqa: ASYNC110 - the site has no event for it
            await asyncio.sleep(0.01)
        return home

    site.route("/", answer)


def result(crawled: Crawled) -> Facts:
    return ends(crawled) | pages(crawled) | items(crawled)


def spider_file(folder: Path, name: str, site: Site) -> Path:
    """A file for `run`, with one of the spiders for tests."""
    path = folder / "spider_for_test.py"
    tests = str(Path(__file__).parent)
    path.write_text(SPIDER.format(tests=tests, name=name, site=site.url()))
    return path


# Killed from outside


@pytest.mark.parametrize("concurrency", [2, 16])
def test_killed_workers_make_no_difference(site: Site, crawl: CrawlSite, concurrency: int) -> None:
    equivalence_site.serve(site)
    kills = [f"/kill/{n}" for n in range(4)]
    site.page("/moved/kills", links(*kills))
    site.page("/start", links("/", *kills[:2], "/moved/kills"))
    for path in kills:
        site.page(path, links(f"{path}/next"))
    undisturbed = crawl(site.url("/start"))
    for n, path in enumerate(kills):
        choose = [lambda pids: pids[:1], lambda pids: pids[-1:], lambda pids: pids][n % 3]
        site.route(path, killing(Reply(200, links(f"{path}/next")), choose))
    crawled = crawl(site.url("/start"), concurrency=concurrency, **TWO)
    assert result(crawled) == result(undisturbed)
    lost = crawled.query("frontier.db", "SELECT * FROM tries WHERE reason = 'lost'")
    assert lost
    assert {row["detail"] for row in lost} == {"a worker process was killed by signal 9"}


def test_killed_over_and_over_while_robots_txt_is_asked_for(
    site: Site, crawl: CrawlSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "HOPELESS", 6)
    site.route("/robots.txt", killing(Reply(404), lambda pids: pids, times=100))
    crawled = crawl(site.url("/"), site.url("/a"), **TWO)
    assert set(crawled.ends(site).values()) == {"failed:poison"}
    assert set(site.paths) == {"/robots.txt"}


def test_workers_that_die_before_they_are_ready(
    site: Site, crawl: CrawlSite, tmp_path: Path
) -> None:
    paths = numbered(site, 20)
    crawled = crawl(site.url(), make_spider=stillborn(tmp_path, deaths=2), **TWO)
    assert crawled.ends(site) == dict.fromkeys(paths, "done")
    assert set(Counter(site.paths).values()) == {1}


def test_workers_that_can_not_start(site: Site, directory: Path, tmp_path: Path) -> None:
    numbered(site, 3)
    settings = Settings(seeds=(site.url(),), **QUICK, **TWO)
    make_spider = stillborn(tmp_path, deaths=100)
    with deadline(), Crawl(settings, directory, make_spider).open() as crawl:
        summary = crawl.run()
        assert workers() == []
    assert isinstance(crawl.trouble, WorkerError)
    assert "can start: the last one was killed by signal 9" in str(crawl.trouble)
    assert (summary.stopped, summary.queued) == ("failed", 1)
    assert site.requests == []
    check_books(directory, 1)


@pytest.mark.parametrize("deaths", [1, 3])
def test_the_limit_is_exact_although_workers_die_before_they_report(
    site: Site, crawl: CrawlSite, tmp_path: Path, deaths: int
) -> None:
    numbered(site, 40)
    make_spider = partial(spiders.unreported, marked(tmp_path, deaths))
    crawled = crawl(site.url(), make_spider=make_spider, limit=15, concurrency=4, **TWO)
    assert not any((tmp_path / "marks").iterdir())
    assert crawled.summary.pages == 15


def test_a_worker_is_missed_although_its_child_lives_on(
    site: Site, crawl: CrawlSite, tmp_path: Path
) -> None:
    paths = linked(site, "/deadly", "/fine")
    make_spider = partial(spiders.outlived, marked(tmp_path, 1))
    crawled = crawl(site.url(), make_spider=make_spider, **TWO)
    assert crawled.ends(site) == dict.fromkeys(paths, "done")


def stillborn(tmp_path: Path, deaths: int) -> Callable[[], object]:
    return partial(spiders.stillborn, marked(tmp_path, deaths))


def marked(tmp_path: Path, deaths: int) -> Path:
    """A folder with a file for each death."""
    marks = tmp_path / "marks"
    marks.mkdir()
    for n in range(deaths):
        (marks / str(n)).touch()
    return marks


# Silent

SILENT = 1.5


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that soon gives up a worker that shows no sign of life."""
    monkeypatch.setattr(processes, "LEASE", SILENT)
    monkeypatch.setattr(processes, "PULSE", 0.2)


def lost_tries(crawled: Crawled) -> list[tuple[str, str]]:
    rows = crawled.query(
        "frontier.db",
        "SELECT url, detail FROM tries JOIN urls ON id = url_id WHERE tries.reason = 'lost'",
    )
    return [(row["url"], row["detail"]) for row in rows]


@pytest.mark.usefixtures("impatient")
def test_handlers_that_take_longer_than_a_lease_keep_it(site: Site, crawl: CrawlSite) -> None:
    paths = linked(site, "/sleeps", "/spins", *(f"/{n}" for n in range(10)))
    crawled = crawl(site.url(), make_spider=partial(spiders.slow_to_answer, site.url()), **TWO)
    assert crawled.ends(site) == dict.fromkeys(paths, "done")
    assert lost_tries(crawled) == []
    assert spiders.SECONDS > 2 * SILENT


@pytest.mark.usefixtures("impatient")
def test_a_spider_may_take_longer_than_a_lease_to_load(site: Site, crawl: CrawlSite) -> None:
    paths = numbered(site, 3)
    crawled = crawl(site.url(), make_spider=partial(spiders.slow_to_load, site.url()), **TWO)
    assert crawled.ends(site) == dict.fromkeys(paths, "done")
    assert lost_tries(crawled) == []


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_is_stopped_is_replaced(site: Site, crawl: CrawlSite) -> None:
    paths = linked(site, "/stops", *(f"/{n}" for n in range(10)))
    stopped: list[int] = []

    async def stop(_: Recorded, __: asyncio.StreamWriter) -> Reply:
        if not stopped:
            stopped.extend(workers())
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)
        return Reply(200, "<title>/stops</title>")

    site.route("/stops", stop)
    crawled = crawl(site.url(), make_spider=partial(spiders.slow_to_answer, site.url()), **TWO)
    assert crawled.ends(site) == dict.fromkeys(paths, "done")
    lost = lost_tries(crawled)
    assert site.url("/stops") in dict(lost)
    assert {detail for _, detail in lost} == {
        "a worker process was silent for 1.5 s and was killed"
    }
    wait_for_end(stopped)


def test_a_worker_that_is_stopped_while_it_writes_is_killed_before_others_give_up() -> None:
    assert sqlite.PATIENCE / 1000 > processes.LEASE + 3 * processes.PULSE


@pytest.mark.usefixtures("impatient")
def test_a_page_that_holds_up_all_of_python_is_poison(site: Site, crawl: CrawlSite) -> None:
    paths = linked(site, "/holds", *(f"/{n}" for n in range(10)))
    crawled = crawl(site.url(), make_spider=partial(spiders.slow_to_answer, site.url()), **TWO)
    assert crawled.ends(site) == dict.fromkeys(paths, "done") | {"/holds": "failed:poison"}


IMPATIENT = """
import sys
from asyncmultispider.cli import main
from asyncmultispider.engines import processes, worker
worker.PULSE = 0.1
if __name__ == "__main__":
    processes.LEASE, processes.PULSE = 1.0, 0.2
    main()
"""


def test_nobody_is_given_up_when_it_was_the_supervisor_that_stood_still(
    site: Site, directory: Path, tmp_path: Path
) -> None:
    """As on a laptop that was closed: all processes stand still, and then go on."""
    paths = numbered(site, 20)
    hold = site.hold("/7")
    program = tmp_path / "impatient.py"
    program.write_text(IMPATIENT)
    spider = spider_file(tmp_path, "slow_to_answer", site)
    options = ("-d", directory, "--json", *FAST, "--engine", "processes", "-j", "2")
    with start("run", spider, *options, program=program) as process:
        site.wait_until(lambda: site.hits("/7"), 20)
        everybody = [process.pid, *workers()]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        select.select([], [], [], 2 * SILENT)  # as long as that is what this is about
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        hold.release()
        ended = process.end()
    assert (ended.code, ended.json["pages"]) == (0, len(paths))
    assert "killed" not in ended.err
    assert {path: site.hits(path) for path in paths} == dict.fromkeys(paths, 1)


# Killed by a page


def test_a_page_that_kills_is_poison_and_the_others_are_done(site: Site, crawl: CrawlSite) -> None:
    paths = linked(
        site, *(f"/{n}" for n in range(15)), "/deadly", *(f"/{n}" for n in range(15, 30))
    )
    crawled = crawl(site.url(), make_spider=partial(spiders.deadly, site.url()), **TWO)
    assert crawled.summary.stopped == "finished"
    expected = dict.fromkeys(paths, "done") | {"/deadly": "failed:poison"}
    assert crawled.ends(site) == expected
    assert items(crawled).keys() == {
        ("item", site.url(path), "0") for path in paths if path != "/deadly"
    }


def test_it_ends_with_success_although_a_page_is_poison(
    site: Site, directory: Path, tmp_path: Path
) -> None:
    linked(site, "/a", "/deadly", "/b")
    spider = spider_file(tmp_path, "deadly", site)
    command = ("run", spider, "-d", directory, "--json", *FAST, "--engine", "processes", "-j", "2")
    ended = run(*command)
    assert ended.code == 0, ended
    assert "Traceback" not in ended.err
    assert ledger(directory)[site.url("/deadly")] == ("failed", "poison")
    assert (ended.json["pages"], ended.json["failed"], ended.json["queued"]) == (3, 1, 0)
    check_books(directory, 4)


def test_a_handler_that_kills_on_every_page_ends_the_crawl(
    site: Site, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MOST_DEATHS", 6)
    paths = [f"/deadly/{n}" for n in range(50)]
    for path in paths:
        site.page(path, "x")
    settings = Settings(seeds=tuple(map(site.url, paths)), **QUICK, **TWO)
    with (
        deadline(),
        Crawl(settings, directory, partial(spiders.deadly, site.url())).open() as crawl,
    ):
        summary = crawl.run()
        assert workers() == []
    assert isinstance(crawl.trouble, WorkerError)
    assert "6 worker processes died in a row" in str(crawl.trouble)
    assert summary.stopped == "failed"
    assert set(ledger(directory).values()) <= {("queued", "lost"), ("failed", "poison")} | {
        ("queued", "")
    }
    check_books(directory, len(paths))


# Stopped


def test_workers_leave_when_their_supervisor_is_killed(
    site: Site, directory: Path, tmp_path: Path
) -> None:
    linked(site, "/sleeps", "/spins")
    when_all_are_ready(site, 3, Reply(200, links("/sleeps", "/spins")))
    spider = spider_file(tmp_path, "stuck", site)
    command = ("run", spider, "-d", directory, *FAST, "--engine", "processes", "-j", "3")
    with start(*command) as process:
        site.wait_until(lambda: site.hits("/in/sleeps") and site.hits("/in/spins"), 20)
        left = workers()
        assert len(left) == 3
        process.send(signal.SIGKILL)
        wait_for_end(left)
    assert ledger(directory).keys() == {site.url(path) for path in ("/", "/sleeps", "/spins")}


def test_ctrl_c_twice_ends_a_worker_that_is_stuck(
    site: Site, directory: Path, tmp_path: Path
) -> None:
    """Stuck, it does not read either what it was given: more than the line between them holds."""
    paths = [f"/{n}/{'x' * 2000}" for n in range(400)]
    linked(site, "/sleeps", *paths)
    when_all_are_ready(site, 2, Reply(200, links("/sleeps", "/more")))
    hold = site.hold("/more", Reply(200, links(*paths)))
    spider = spider_file(tmp_path, "stuck", site)
    command = ("run", spider, "-d", directory, "--json", *FAST, "--engine", "processes", "-j", "2")
    with start(*command, "-c", "400", "--per-host", "400", terminal=True) as process:
        site.wait_until(lambda: site.hits("/in/sleeps"), 20)
        hold.release()
        site.wait_until(lambda: len(site.paths) > 100, 20)
        interrupt_twice(process, 20)
    assert ledger(directory)[site.url("/sleeps")] == ("queued", "")
    check_books(directory, len(paths) + 3)


def test_ctrl_c_while_workers_start(site: Site, directory: Path) -> None:
    paths = numbered(site, 3)
    site.hold("/")
    command = ("crawl", site.url(), "-d", directory, "--json", *FAST)
    with start(*command, "--engine", "processes", "-j", "2", terminal=True) as process:
        wait_for_start(2)
        assert all(map(deaf_to_interrupts, workers()))
        interrupt_twice(process, 20)
    site.page("/", links(*paths))
    assert run(*command).code == 0
    check_complete(site, directory, paths)


ENGINES = [("threads",), ("processes", "-j", "2")]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine[0])
@pytest.mark.parametrize("kilobytes", [40, 500])
def test_a_file_that_can_not_grow(
    site: Site, directory: Path, engine: tuple[str, ...], kilobytes: int
) -> None:
    paths = numbered(site, 40)
    for number, path in enumerate(paths[1:]):
        site.page(path, random.Random(number).randbytes(20_000).hex())
    command = ("crawl", site.url(), "-d", directory, "--json", "-q", *FAST, "--engine", *engine)
    ended = run(*command, file_limit=kilobytes * 1000)
    assert ended.code == 3, ended
    assert len(ended.err.splitlines()) == 1, ended.err
    assert "again" in ended.err
    assert "lost" not in {reason for _, reason in ledger(directory).values()}
    ended = run(*command)
    assert ended.code == 0, ended
    check_complete(site, directory, paths)


# Who does the work


def test_one_host_has_all_workers_at_work(site: Site, crawl: CrawlSite) -> None:
    when_all_are_ready(site, 2, Reply(200, links(*(f"/{n}" for n in range(80)))))
    site.route("/*", slow())
    crawled = crawl(site.url(), make_spider=partial(spiders.who, site.url()), per_host=8, **TWO)
    assert len(crawled.pages) == 81
    assert len(set(items(crawled).values())) == 2
    assert site.peak <= 8


@pytest.mark.parametrize("per_host", [1, 3])
def test_one_host_is_not_asked_for_more_at_once_than_allowed(
    site: Site, crawl: CrawlSite, per_host: int
) -> None:
    for path in numbered(site, 20)[1:]:
        site.route(path, slow())
    crawl(site.url(), engine="processes", processes=3, per_host=per_host)
    assert site.peak == per_host


def test_a_delay_holds_while_workers_start(site: Site, crawl: CrawlSite) -> None:
    seeds = [f"/{n}" for n in range(4)]
    for path in seeds:
        site.page(path, "x")
    crawl(*map(site.url, seeds), engine="processes", processes=3, ignore_robots=True, delay=DELAY)
    starts = [request.at for request in site.requests]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert min(gaps) > DELAY / 2  # the way to the server does not always take the same time
