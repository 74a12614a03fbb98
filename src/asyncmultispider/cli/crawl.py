"""`crawl`: from options to a running crawl, and its summary."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from asyncmultispider.cli.commands import FINISHED, INTERRUPTED, NO_PAGES, STORAGE_FAILED, USUAL
from asyncmultispider.cli.identity import identity_options
from asyncmultispider.cli.lines import ascii_json
from asyncmultispider.crawler import Crawl, choose_seeds
from asyncmultispider.directory import FRONTIER, PAGES, default_directory, forget
from asyncmultispider.errors import UsageError
from asyncmultispider.outputs import check_target
from asyncmultispider.progress import progress
from asyncmultispider.settings import ENGINES, EngineName, Settings, without_user
from asyncmultispider.spider import Spider
from asyncmultispider.spiderfile import load_spider
from asyncmultispider.stats import Summary
from asyncmultispider.system import tune_gc
from asyncmultispider.text import complain, duration, printable, size
from asyncmultispider.urls import parse_seed


def run_command(*, spider: str, **options: Any) -> int:
    """Run a spider; the exit code."""
    make_spider = partial(load_spider, Path(spider).absolute())
    seeds = make_spider().seeds
    if not seeds:
        raise UsageError(f"the spider in {spider!r} has no seeds: Spider('https://...')")
    name = Path(spider).name
    return crawl_command(urls=seeds, make_spider=make_spider, spider=name, **options)


def crawl_command(
    *,
    urls: tuple[str, ...],
    make_spider: Callable[[], Spider] | None = None,
    directory: str | None,
    outputs: tuple[str, ...],
    bodies: bool,
    headers: tuple[str, ...],
    engine: EngineName | None,
    fresh: bool,
    yes: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Run the crawl; the exit code."""
    options["engine"] = _choose_engine(engine, options["processes"])
    options |= identity_options(
        options.pop("user_agents"),
        options.pop("header_pool"),
        options.pop("proxies"),
        options.pop("proxy_file"),
    )
    typed = _read_urls(urls)
    # Check everything that can be checked before anything is touched.
    guesses = tuple(parse_seed(text)[0] for text in typed)
    draft = Settings(seeds=guesses, headers=parse_headers(headers), **options)
    where = Path(directory) if directory else default_directory(guesses[0])
    targets = [check_target(output, where) for output in outputs]
    if fresh:
        _confirm_and_forget(where, yes)
    seeds = choose_seeds(typed, where, draft.proxies, secret=bool(draft.headers))
    settings = Settings(seeds=tuple(seeds), headers=draft.headers, **options)
    with Crawl(settings, where, make_spider).open() as crawl:
        if crawl.lowered is not None:
            complain(
                f"--concurrency lowered to {crawl.lowered}: the system allows this process no "
                "more open files (see 'ulimit -n')"
            )
        _tell_of_the_last_run(crawl)
        if not quiet:
            _greet(crawl)
        if settings.insecure:
            complain(
                "--insecure: certificates are not verified; anybody on the way can read and "
                "change pages, and headers and passwords that are sent along"
            )
        tune_gc()
        with progress(crawl, quiet=quiet, verbose=verbose) as observers:
            summary = crawl.run(observers)
        _report(summary, crawl, as_json=as_json, quiet=quiet)
        if summary.stopped != "failed":  # else there may be pages that the ledger knows nothing of
            crawl.write_outputs(targets, bodies=bodies)
    return _exit_code(summary)


def _choose_engine(engine: EngineName | None, processes: int | None) -> EngineName:
    if engine is None:
        return USUAL.engine if processes is None else "processes"
    if engine in ENGINES and engine != "processes" and processes is not None:
        complain(f"--processes {processes} is for --engine processes: {engine} uses one")
    return engine


def parse_headers(fields: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """`K: V` into pairs."""
    pairs = []
    for field in fields:
        name, colon, value = field.partition(":")
        if not colon:
            raise UsageError("--header needs 'Name: value': one has no colon")  # it may be secret
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


def _read_urls(urls: tuple[str, ...]) -> list[str]:
    typed: list[str] = []
    for url in urls:
        if url == "-":
            typed += [line.strip() for line in sys.stdin or () if line.strip()]
        else:
            typed.append(url)
    if not typed:
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


def _tell_of_the_last_run(crawl: Crawl) -> None:
    if crawl.killed is not None:
        complain(f"the last crawl here ({crawl.killed}) was killed: taking over")
    mended = crawl.mended
    if mended.dropped or mended.requeued:
        complain(
            f"pages.db and frontier.db were out of step: {mended.requeued} pages were missing, "
            f"{mended.dropped} were not known as done; they are fetched again"
        )


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
        print(ascii_json(structs.asdict(summary)))
    if crawl.trouble is not None:
        complain(f"{crawl.trouble} ({crawl.trouble.advice})")
    elif summary.stopped == "interrupted":
        complain("interrupted: run the same command again to continue")
    for seed, target in crawl.tally.strays.items():
        complain(
            f"{without_user(seed)} redirects to {target}, which is out of scope: crawl that URL, "
            "or use --scope domain"
        )
    if not quiet:
        _say(_sentence(summary))
        if summary.suspended:
            where = crawl.directory
            _say(f"suspended: 'status {where}' tells why, 'retry {where}' releases such URLs")
        trouble = crawl.tally.trouble.most_common(5)
        if trouble:
            _say("trouble in this run: " + ", ".join(f"{reason} {n}" for reason, n in trouble))
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
