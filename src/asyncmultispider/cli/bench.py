"""`bench`: from options to runs, and their table, JSON and picture."""

import platform
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import json

from asyncmultispider.bench.advice import advise
from asyncmultispider.bench.helper import undisturbed
from asyncmultispider.bench.plan import Plan, Site, facts, parse_latency
from asyncmultispider.bench.plot import check_picture, plot
from asyncmultispider.bench.run import Run, compare
from asyncmultispider.bench.site import serving
from asyncmultispider.bench.table import BLOCKS, header, table
from asyncmultispider.cli.commands import FINISHED, NO_PAGES
from asyncmultispider.cli.options import USUAL
from asyncmultispider.crawler import choose_seeds
from asyncmultispider.errors import UsageError
from asyncmultispider.settings import MOST_CONCURRENT, without_user
from asyncmultispider.system import usable_cores
from asyncmultispider.text import complain, printable
from asyncmultispider.urls import parse_seed
from asyncmultispider.version import __version__

WIDTH = 100
"""Characters in a line where there is no terminal."""


def bench_command(*, picture: str | None, as_json: bool, **options: Any) -> int:
    """Run the bench; the exit code."""
    plan = plan_of(**options)
    target = check_picture(picture) if picture is not None else None
    runs = _runs(plan, options)
    if not runs[0].pages:
        complain(_nothing(runs[0], plan))
        return NO_PAGES
    machine = machine_facts()
    polite = not isinstance(plan.site, Site)  # another's site is crawled as any crawl would
    advice = advise(runs, pages=plan.pages, per_host=plan.per_host, polite=polite)
    if as_json:
        whole = {"settings": facts(plan), "machine": machine, "runs": runs, "advice": advice}
        print(json.encode(whole).decode())
    else:
        print(printable(header(plan, machine)))
        print("\n".join(["", *table(runs, _width(), blocks=_can_print(BLOCKS)), "", advice]))
    if target is not None:
        plot(runs, header(plan, machine), target)
    return FINISHED


def plan_of(
    *,
    pages: int,
    site: str | None,
    processes: int | None,
    per_host: int | None,
    delay_factor: float | None,
    cpu_ms: float,
    time_limit: float,
    **built: Any,
) -> Plan:
    """The plan that these options ask for. Raises `UsageError`."""
    own = site is None
    return Plan(
        site=_built_in(pages, **built) if site is None else _real(site, **built),
        pages=pages,
        processes=usable_cores() if processes is None else processes,
        cpu_ms=cpu_ms,
        per_host=_or(per_host, MOST_CONCURRENT if own else USUAL.per_host),
        delay_factor=_or(delay_factor, 0.0 if own else USUAL.delay_factor),
        time_limit=time_limit,
    )


def machine_facts() -> dict[str, Any]:
    """What the figures depend on besides the plan."""
    gil = getattr(sys, "_is_gil_enabled", None)  # since CPython 3.13
    return {
        "implementation": platform.python_implementation(),
        "python": platform.python_version(),
        "gil": gil is None or gil(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "asyncmultispider": __version__,
    }


@contextmanager
def _interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as good as Ctrl-C
    try:
        with undisturbed():
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _runs(plan: Plan, options: dict[str, Any]) -> list[Run]:
    if isinstance(plan.site, Site):
        with _interruptible(), serving(plan.site) as url:
            return list(compare(plan, url, _say))
    if options["per_host"] is None or options["delay_factor"] is None:
        _say(
            f"manners bound the result: {plan.per_host} transfers at once to one host, a rest of "
            f"{plan.delay_factor:g} x the answer's time after each (--per-host and --delay-factor "
            "change that, for a site of your own)"
        )
    url = choose_seeds([options["site"]], None)[0]
    with _interruptible():
        return list(compare(plan, url, _say))


def _built_in(pages: int, latency: str | None, **sizes: int | None) -> Site:
    given: dict[str, Any] = {name: n for name, n in sizes.items() if n is not None}
    if latency is not None:
        given["latency"] = parse_latency(latency)
    return Site(pages=pages, **given)


def _real(site: str, **built: object) -> str:
    for name, value in built.items():
        if value is not None:
            raise UsageError(f"--{name} is for the built-in site, not for --site")
    return without_user(parse_seed(site)[0])


def _nothing(run: Run, plan: Plan) -> str:
    none = f"none within --time-limit {plan.time_limit:g} s"
    why = run.trouble or (f"{run.failed} URLs failed" if run.failed else none)
    return f"nothing to compare: the sequential run got no page ({why})"


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _say(message: str) -> None:
    print(printable(message), file=sys.stderr, flush=True)
