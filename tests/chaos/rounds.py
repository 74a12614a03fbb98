"""A round: one crawl of a site, killed and started again until it ends by itself, then checked."""

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from signal import SIGCONT, SIGSTOP, Signals

from chaos.access import ROBOTS, UNREAD, Tail, repeats
from chaos.books import Books
from chaos.checks import Findings, examine
from chaos.monkey import Act, Deed, Monkey, Plan, When, Whom
from chaos.processes import Group, Hung, holds_within, wait
from chaos.sites import Site, Truth, truth
from servers_nginx import Nginx, nginx_site

LIVE = 0.15
"""The chance that the books are looked at while a run is at work. It gets far in that time."""
MOST_FAILED = 5
"""Runs of a round that fail by themselves, before it is given up."""

SPIDER = """from asyncmultispider import Spider

spider = Spider({url!r})


@spider.on("*")
def page(page):
    yield {{"url": page.url, "size": len(page.body)}}
    yield from page.follow()
"""


@dataclass
class Report:
    """What a round came to.

    `deeds` are counted by kind, kills by their moment; `again` are the requests each kill cost.
    """

    engine: str
    site: str
    in_flight: int
    deeds: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    again: list[int] = field(default_factory=list)
    restarts: int = 0
    looks: int = 0
    balanced: int = 0
    findings: Findings = field(default_factory=Findings)
    trouble: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def wrong(self) -> str:
        """What went wrong, for people; empty when nothing did."""
        return "\n".join([*self.trouble, *filter(None, [str(self.findings)])])


def play(site: Site, plan: Plan, dice: random.Random, folder: Path) -> Report:
    """Play a round in a folder, which is made. What went wrong is in the report."""
    folder.mkdir()
    (folder / "out").mkdir()
    began = time.monotonic()
    with ExitStack() as stack:
        nginx = stack.enter_context(nginx_site(folder, site.folder))
        played = Round(truth(site, nginx.url), plan, dice, folder, nginx)
        stack.callback(played.close)
        played.play()
    played.report.seconds = time.monotonic() - began
    return played.report


class Round:
    """A crawl in `folder`/crawl with output to `folder`/out, of what this nginx serves."""

    def __init__(
        self, truth: Truth, plan: Plan, dice: random.Random, folder: Path, nginx: Nginx
    ) -> None:
        self.report = Report(plan.engine, truth.site.name, plan.in_flight)
        self._truth = truth
        self._plan = plan
        self._dice = dice
        self._monkey = Monkey(random.Random(dice.random()), plan, len(truth.seen))
        self._folder = folder
        self._output = folder / "out" / "out.jsonl"
        self._nginx = nginx
        self._log = Tail(nginx.home / "access.log")
        self._books = Books(folder / "crawl")
        self._groups: list[Group] = []
        self._kills: list[int] = []
        self._failed = 0

    def play(self) -> None:
        """Play it to the end, and check what it left."""
        try:
            self._start()
            for deed in self._monkey.deeds():
                if self._over():
                    break
                self._do(deed)
            wait("the end of the crawl", self._over)
            for group in self._groups:
                wait(f"the end of the workers of {group.pid}", partial(_is_empty, group))
            self._look()
        except Hung as error:
            self.report.trouble.append(f"{error}\n{self._running.said}".rstrip())
        self.close()
        try:
            self._conclude()
        except sqlite3.Error as error:
            self.report.trouble.append(f"can't read what it left: {error}")

    def close(self) -> None:
        """End what still runs."""
        for group in self._groups:
            group.close()

    @property
    def _running(self) -> Group:
        return self._groups[-1]

    def _over(self) -> bool:
        """Whether the crawl has ended. A run that failed by itself is trouble, and repeated."""
        code = self._running.code
        if code in (None, 0):
            return code == 0
        self._failed += 1
        self.report.trouble.append(f"a run ended by itself with {code}: {self._running.said}")
        if self._failed > MOST_FAILED:
            raise Hung("it fails again and again")
        self._restart()
        return False

    def _start(self) -> None:
        url = self._nginx.url + self._truth.site.start
        what = ["crawl", url]
        if self._plan.spider:
            file = self._folder / "one_item_a_page.py"
            file.write_text(SPIDER.format(url=url))
            what = ["run", str(file)]
        where = ["-d", str(self._books.directory), "-o", str(self._output)]
        log = self._folder / f"run-{len(self._groups)}.log"
        self._groups.append(Group([*what, *where, *self._plan.options()], log))

    def _restart(self) -> None:
        """Start it again. The books are looked at before that, or while it runs."""
        live = self._dice.random() < LIVE
        if not live:
            self._look()
        self._start()
        self.report.restarts += 1
        if live:
            self._look()

    def _look(self) -> None:
        self._log.read()
        wrong = self._books.look(begun=bool(self._log.targets - {ROBOTS}))
        if wrong:
            self.report.trouble.append(f"after {len(self._kills)} kills: {wrong}")

    # What is done to it

    def _do(self, deed: Deed) -> None:
        self._await(deed)
        victims = self._victims(deed.whom)
        if not victims or self._running.ended:
            return
        if deed.act is not Act.KILL:
            self._signal(deed, victims, SIGSTOP)
            holds_within(deed.stopped, lambda: False)
        if deed.kills:
            self._kill(deed, victims)
        else:
            self._signal(deed, victims, SIGCONT)
        self.report.deeds[str(deed)] += 1
        self.report.moments[deed.when] += deed.kills
        if (self._running.code or 0) < 0:
            self._restart()

    def _await(self, deed: Deed) -> None:
        run, come = self._running, self._moment(deed)
        wait(f"{deed.when} from {run.pid}", lambda: run.ended or come())
        holds_within(deed.seconds, lambda: run.ended)

    def _moment(self, deed: Deed) -> Callable[[], bool]:
        match deed.when:
            case When.REQUESTS:
                enough = self._log.read() + deed.requests
                return lambda: self._log.read() >= enough
            case When.LAST_REQUEST:
                return self._all_asked
            case When.OUTPUT:
                before = self._outputs()
                return lambda: self._all_asked() and self._outputs() != before
            case _:
                return lambda: True

    def _all_asked(self) -> bool:
        self._log.read()
        return self._truth.logged <= self._log.targets

    def _outputs(self) -> list[Path]:
        return sorted(self._output.parent.iterdir())

    def _victims(self, whom: Whom) -> list[int]:
        run = self._running
        if whom is not Whom.WORKER:
            return [run.pid]
        wait(f"a worker of {run.pid}", lambda: run.ended or bool(run.workers()))
        workers = sorted(run.workers())
        return [self._dice.choice(workers)] if workers else []

    def _kill(self, deed: Deed, victims: list[int]) -> None:
        if deed.whom is Whom.ALL:
            self._running.kill_all()
        else:
            self._running.kill(victims[0])
        self._kills.append(len(self._nginx.access_log()))

    def _signal(self, deed: Deed, victims: list[int], number: Signals) -> None:
        if deed.whom is Whom.ALL:
            self._running.signal_all(number)
        else:
            self._running.signal(victims[0], number)

    # What it came to

    def _conclude(self) -> None:
        report, books = self.report, self._books
        report.looks, report.balanced = books.looks, books.balanced
        report.findings = examine(
            self._truth, books.directory, self._output, spider=self._plan.spider
        )
        targets = [target for _, target in self._nginx.access_log()]
        asked = set(targets) - {ROBOTS, UNREAD}
        report.findings.compare("log", [self._truth.root + t for t in asked], self._truth.asked)
        found = repeats(targets, self._kills)
        report.again = found.by_kill
        for target in found.unexplained:
            report.trouble.append(f"nothing was killed, but asked for twice: {target}")
        # A request that was under way is logged when its line goes down, which may be after the
        # next kill: what one cost may be put down to its neighbour, which then shows twice as much.
        each, bound = report.again, report.in_flight
        if sum(each) > bound * len(each) or max(each, default=0) > 2 * bound:
            report.trouble.append(f"kills cost more than {bound} each: {each}")


def _is_empty(group: Group) -> bool:
    return not group.members()
