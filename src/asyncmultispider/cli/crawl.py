"""`crawl`: from options to a running crawl, and its summary."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from asyncmultispider import remarks
from asyncmultispider.cli.apart import data_apart, data_output
from asyncmultispider.cli.commands import (
    FINISHED,
    INTERRUPTED,
    NO_PAGES,
    STORAGE_FAILED,
    lost_output,
)
from asyncmultispider.cli.lines import as_sentence, ascii_json
from asyncmultispider.cli.streaming import PATIENCE, pipe_of, standard_output, wants_stdout
from asyncmultispider.crawler import Crawl
from asyncmultispider.directory import FRONTIER, PAGES, forget
from asyncmultispider.errors import UsageError
from asyncmultispider.model import Reason
from asyncmultispider.observe import Observer
from asyncmultispider.options import choose_engine, make_plan, parse_headers
from asyncmultispider.outputs.stream import Stream
from asyncmultispider.progress import progress
from asyncmultispider.spider import Spider
from asyncmultispider.spiderfile import load_spider
from asyncmultispider.stats import Summary
from asyncmultispider.system import tune_gc
from asyncmultispider.text import complain, duration, printable, size


def run_command(*, spider: str, **options: Any) -> int:
    """Run a spider; the exit code."""
    make_spider = partial(load_spider, Path(spider).absolute())
    # From the first line of the file on: it may print as well.
    with data_apart(options["as_json"] or "-" in options["outputs"]):
        first = make_spider()
        seeds = first.seeds
        options["sitemap"] = (*first.sitemaps, *options["sitemap"])
        if not seeds and not options["sitemap"]:
            raise UsageError(f"the spider in {spider!r} has no seeds: Spider('https://...')")
        return crawl_command(
            urls=seeds,
            make_spider=make_spider,
            spider=Path(spider).name,
            streams_items=first.has_handlers,
            **options,
        )


def crawl_command(
    *,
    urls: tuple[str, ...],
    make_spider: Callable[[], Spider] | None = None,
    streams_items: bool = False,
    directory: str | None,
    outputs: tuple[str, ...],
    bodies: bool,
    headers: tuple[str, ...],
    engine: str | None,
    fresh: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Run the crawl; the exit code."""
    plan = make_plan(
        _read_urls(urls, needed=not options["sitemap"]),
        directory=directory,
        outputs=outputs,
        headers=parse_headers(headers),
        engine=choose_engine(engine, options["processes"], complain),
        **options,
    )
    where, targets = plan.directory, plan.targets
    to_stdout = wants_stdout(targets, as_json=as_json)
    if bodies and not any(target.has_rows for target in targets):
        complain("--bodies is for rows of pages, and no -o asks for .jsonl, .csv, .parquet or -")
    if fresh:
        _confirm_and_forget(where, yes)
    settings = plan.settings(where)
    with Crawl(settings, where, make_spider).open() as crawl:
        for remark in remarks.at_start(crawl):
            complain(remark)
        if not quiet:
            _greet(crawl)
        if settings.insecure:
            complain(
                "--insecure: certificates are not verified; anybody on the way can read and "
                "change pages, and headers and passwords that are sent along"
            )
        tune_gc()
        with ExitStack() as stack:
            pipe, streams = None, list[Observer]()
            if to_stdout:
                pipe = pipe_of(crawl)
                pages = where / PAGES
                stream = Stream(pages, pipe.put, items=streams_items, bodies=bodies)
                streams.append(stack.enter_context(stream))
                quiet = quiet or standard_output().isatty()  # lines and a display would mix
            with progress(crawl, quiet=quiet, verbose=verbose) as observers:
                summary = crawl.run([*observers, *streams], pipe.may_take if pipe else None)
        interrupted = summary.stopped == "interrupted"
        if pipe is not None and not pipe.end(PATIENCE if interrupted else None):
            complain(f"nobody reads the output: 'export {where} --to -' has all of it")
        _report(summary, crawl, as_json=as_json, quiet=quiet)
        if summary.stopped != "failed":  # else there may be pages that the ledger knows nothing of
            for written in crawl.write_outputs(targets, bodies=bodies):
                if not quiet:
                    _say(as_sentence(written))
    if pipe is not None and pipe.lost is not None:
        return lost_output(pipe.lost)
    return _exit_code(summary)


def _read_urls(urls: tuple[str, ...], *, needed: bool) -> list[str]:
    typed: list[str] = []
    for url in urls:
        if url == "-":
            lines = [line.strip() for line in sys.stdin or ()]
            typed += [line for line in lines if line and not line.startswith("#")]
        else:
            typed.append(url)
    if not typed and needed:
        raise UsageError(
            "no URL to start from: give at least one, or '-' and a list on standard input"
        )
    return typed


def _confirm_and_forget(where: Path, yes: bool) -> None:
    if not any((where / name).exists() for name in (FRONTIER, PAGES)):
        return
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(
                f"--fresh would forget the crawl in {str(where)!r}: add --yes to agree"
            )
        click.confirm(f"Forget the crawl in {str(where)!r}?", abort=True, err=True)
    forget(where)


def _greet(crawl: Crawl) -> None:
    states = crawl.frontier.stats().states
    if crawl.continued:
        _say(
            f"continuing the crawl in {crawl.directory}: "
            f"{states['done']} done, {states['queued']} queued"
        )
    else:
        _say(f"crawling into {crawl.directory}")


def _report(summary: Summary, crawl: Crawl, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print(ascii_json(structs.asdict(summary)), file=data_output())
    if crawl.trouble is not None:
        complain(f"{crawl.trouble} ({crawl.trouble.advice})")
    elif summary.stopped == "interrupted":
        complain("interrupted: run the same command again to continue")
    for remark in remarks.at_end(crawl):
        complain(remark)
    if not quiet:
        _say(_sentence(summary))
        if summary.suspended:
            where = crawl.directory
            _say(f"suspended: 'status {where}' tells why, 'retry {where}' releases such URLs")
        trouble = crawl.tally.trouble.most_common(5)
        if trouble:
            _say("trouble in this run: " + ", ".join(f"{reason} {n}" for reason, n in trouble))
        if crawl.tally.trouble[Reason.HANDLER]:
            _say(
                f"'urls {crawl.directory} --reason handler' lists the pages that handlers failed, "
                "'explain' shows the traceback of each"
            )
        if crawl.continued and not summary.fetched and summary.stopped == "finished":
            _say("nothing was left to do: --fresh forgets the crawl and starts again")


def _sentence(summary: Summary) -> str:
    counts = {
        "failed": summary.failed,
        "skipped": summary.skipped,
        "suspended": summary.suspended,
        "queued": summary.queued,
    }
    rest = "".join(f", {count} {name}" for name, count in counts.items() if count)
    return (
        f"{summary.stopped}: {summary.pages} pages{rest}; this run fetched {summary.fetched} "
        f"({size(summary.bytes)}) in {duration(summary.seconds)}, "
        f"{summary.pages_per_second:g} pages/s"
    )


def _exit_code(summary: Summary) -> int:
    match summary.stopped:
        case "failed":
            return STORAGE_FAILED
        case "interrupted":
            return INTERRUPTED
        case _:
            return FINISHED if summary.pages else NO_PAGES


def _say(message: str) -> None:
    print(printable(message), file=sys.stderr)
