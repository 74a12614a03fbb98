"""The runs of a bench as a table with bars. Pure."""

from collections.abc import Sequence

from asyncmultispider.bench.plan import Plan, Site
from asyncmultispider.bench.run import Run
from asyncmultispider.text import duration, one_line, size

BLOCKS = "▏▎▍▌▋▊▉█"
HEAD = ("engine", "in flight", "wall", "speed-up", "pages/s", "CPU/page", "memory")
LEAST_BAR, MOST_BAR = 10, 60


def header(plan: Plan, machine: dict[str, object]) -> str:
    """What was crawled, and on what."""
    gil = "on" if machine["gil"] else "off"
    system = f"{machine['implementation']} {machine['python']}, GIL {gil}"
    cores = f"{machine['cores']} core{'' if machine['cores'] == 1 else 's'}"
    return f"{_site(plan)}, {plan.cpu_ms:g} ms of work a page; {system}, {cores}"


def table(runs: Sequence[Run], width: int, *, blocks: bool = True) -> list[str]:
    """Lines of up to `width` characters where that can be; the bars show the speed-up."""
    rows = [HEAD, *(_cells(run) for run in runs)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(HEAD))]
    room = width - sum(widths) - 2 * len(HEAD)
    most = max((run.speedup for run in runs), default=0.0)
    bars = [
        "",
        *(
            bar(run.speedup, most, min(max(room, LEAST_BAR), MOST_BAR), blocks=blocks)
            for run in runs
        ),
    ]
    lines = []
    for row, drawn in zip(rows, bars, strict=True):
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        lines.append("  ".join([*cells, drawn]).rstrip())
    return lines + notes(runs)


def notes(runs: Sequence[Run]) -> list[str]:
    """A line for each run that was not what it should be."""
    lines = []
    for run in runs:
        what = []
        if run.stopped == "time-limit":
            what.append(f"stopped by --time-limit after {run.pages} pages")
        if run.failed:
            what.append(f"{run.failed} URLs failed")
        if run.trouble:
            what.append(one_line(run.trouble))
        if what:
            lines.append(f"{run.name}, {run.in_flight} in flight: {'; '.join(what)}")
    return lines


def bar(value: float, most: float, width: int, *, blocks: bool = True) -> str:
    """A bar of `width` characters for `most`, and of its share for `value`; never none at all."""
    share = width * value / most if most else 0.0
    if not blocks:
        return "#" * max(1, round(share))
    eighths = max(1, round(8 * share))
    return BLOCKS[-1] * (eighths // 8) + (BLOCKS[eighths % 8 - 1] if eighths % 8 else "")


def per_page(run: Run) -> str:
    """CPU for a page, as a person reads it."""
    cost = run.cpu_per_page_us
    if cost is None:
        return "-"
    return f"{cost:.0f} us" if cost < 1000 else f"{cost / 1000:.1f} ms"


def _cells(run: Run) -> tuple[str, ...]:
    rate = run.pages_per_second
    return (
        run.name,
        run.in_flight,
        f"{run.wall:.2f} s",
        f"{run.speedup:.1f} x",
        f"{rate:.1f}" if rate < 100 else f"{rate:.0f}",
        per_page(run),
        f"{run.memory_bytes / 1e6:.0f} MB",
    )


def _site(plan: Plan) -> str:
    site = plan.site
    if isinstance(site, Site):
        latency = ", ".join(map(duration, site.latency))
        return (
            f"{site.pages} pages of {size(site.size)} with {site.links} links, "
            f"latency {latency}{' in turn' if len(site.latency) > 1 else ''}"
        )
    return (
        f"{one_line(site)}, up to {plan.pages} pages, {plan.per_host} at once, "
        f"delay factor {plan.delay_factor:g}"
    )
