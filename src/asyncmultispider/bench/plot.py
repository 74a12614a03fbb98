"""The runs of a bench as a picture. matplotlib is an extra, and imported only here."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from asyncmultispider.bench.run import Run
from asyncmultispider.bench.table import per_page
from asyncmultispider.errors import UsageError

ENDINGS = (".svg", ".png")
COLOURS = {
    "sequential": "#7f7f7f",
    "threads": "#d98c21",
    "async": "#2374ab",
    "processes": "#4c956c",
}


def check_picture(target: str) -> Path:
    """Where to draw, if that can be done. Raises `UsageError` if not."""
    path = Path(target)
    if path.suffix not in ENDINGS:
        raise UsageError(f"--plot needs a file that ends in .svg or .png, not {target!r}")
    place = path if path.exists() else path.parent
    if path.is_dir() or not os.access(place, os.W_OK):
        raise UsageError(f"can't write --plot {target!r}")
    if find_spec("matplotlib") is None:
        raise UsageError('--plot needs matplotlib: pip install "asyncmultispider[plot]"')
    return path


def plot(runs: Sequence[Run], title: str, target: Path) -> None:
    """Draw a bar for each run, as long as its pages per second. Raises `OSError`."""
    from matplotlib.figure import Figure  # not pyplot: it would look for a display

    figure = Figure(figsize=(9, 1.2 + 0.4 * len(runs)), layout="constrained")
    axes = figure.add_subplot()
    names = [f"{run.name}, {run.in_flight}" for run in runs]
    bars = axes.barh(
        range(len(runs)),
        [run.pages_per_second for run in runs],
        color=[COLOURS[run.name] for run in runs],
    )
    axes.bar_label(
        bars, [f"{run.speedup:.1f} x,  {per_page(run)} of CPU a page" for run in runs], padding=4
    )
    axes.set_yticks(range(len(runs)), names)
    axes.invert_yaxis()  # the first run on top
    axes.margins(x=0.35)  # room for the labels
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("pages per second, and speed-up over the sequential run")
    axes.set_title(title, fontsize="small", wrap=True)
    figure.savefig(target)
