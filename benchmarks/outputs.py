"""What an output costs: CPU per page of the same crawl with and without it.

    python -m benchmarks.outputs --site DIR [--rounds 5] [--only none,jsonl,parquet] [--start PATH]

`DIR` is a folder of HTML, such as /usr/share/cppreference/doc/html. nginx serves it on a loopback
port; the crawls take turns (none, jsonl, csv, ..., none, jsonl, ...), each with a new nginx and an
empty folder, on a RAM disk where there is one. How figures are counted is told in
`benchmarks.peers`. `extra` is what an output adds to `none` of the same round, in percent: the
median over the rounds, and the least and most. What it takes to load a library (pyarrow, some
0.2 s) is in it, so the fewer pages the more.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks._common import say, work_folder

PLAIN = "none"
OUTPUTS = {
    PLAIN: (),
    "jsonl": ("-o", "out.jsonl"),
    "csv": ("-o", "out.csv"),
    "parquet": ("-o", "out.parquet"),
    "jsonl-bodies": ("-o", "out.jsonl", "--bodies"),
    "parquet-bodies": ("-o", "out.parquet", "--bodies"),
    "warc": ("-o", "out.warc.gz"),
    "markdown": ("-o", "out.md"),
    "mirror": ("-o", "out.html"),
}
USUAL = "none,jsonl,csv,parquet,warc"


def peer(options: tuple[str, ...]) -> peers.Peer:
    """A crawl with these options; what it writes is in its own folder."""
    usual = peers.PEERS["us"]

    def command(url: str, folder: Path) -> list[str]:
        where = [str(folder / word) if word.startswith("out.") else word for word in options]
        return [*usual.command(url, folder), *where]

    return peers.Peer(command=command, installed=usual.installed, get=usual.get)


def table(runs: list[peers.Run]) -> str:
    """A row for each output."""
    good = [run for run in runs if not run.trouble]
    plain = [run.cpu_per_page for run in good if run.peer == PLAIN]
    lines = [f"{'output':16}{'pages':>8}{'CPU us/page':>13}{'extra %':>9} [min-max]"]
    for name in dict.fromkeys(run.peer for run in good):
        own = [run for run in good if run.peer == name]
        costs = [run.cpu_per_page for run in own]
        more = [100 * (cost / base - 1) for cost, base in zip(costs, plain, strict=False)]
        extra = f"{median(more):9.1f} [{min(more):.1f} to {max(more):.1f}]" if more else ""
        pages = median(run.served.pages for run in own)
        lines.append(f"{name:16}{pages:8.0f}{median(costs):13.0f}{extra}")
    return "\n".join(lines)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outputs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--site", type=Path, required=True, metavar="DIR", help="folder of HTML")
    parser.add_argument("--start", metavar="PATH", help="default: the shallowest index.html")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--only", default=USUAL, metavar="OUTPUTS", help=f"default: {USUAL}")
    parser.add_argument("--time-limit", type=float, default=600, metavar="S", help="of a run")
    parser.add_argument("--work", type=Path, default=work_folder(), metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="one object on stdout, no table")
    options = parser.parse_args(argv)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(OUTPUTS):
        parser.error(f"--only knows {', '.join(OUTPUTS)}, not {', '.join(sorted(unknown))}")
    options.start = options.start or peers.first_page(options.site)
    if not options.start:
        parser.error(f"no index.html in {options.site}: give --start PATH")
    options.start = "/" + options.start.lstrip("/")
    options.nginx = peers.nginx_program()
    if not options.nginx:
        parser.error("nginx serves the pages and is not installed: apt-get install nginx-light")
    return options


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; 0 when all runs went well, 1 when one did not."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options(argv)
    peers.PEERS |= {name: peer(OUTPUTS[name]) for name in options.only}
    runs = []
    for number in range(options.rounds):
        for name in options.only:
            run = peers.crawl(name, options)
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
