"""The commands and their options. What they do is imported when it is needed: help is instant."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from threading import Thread
from typing import Any, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from asyncmultispider.cli.options import BODIES, USUAL, crawl_options
from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.text import complain
from asyncmultispider.version import __version__

FINISHED, NO_PAGES, WRONG_USAGE, STORAGE_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

LAST_WORDS = 1.0
"""Seconds for what is still to be written when a command is interrupted."""
DIRECTORY = click.argument("directory", metavar="DIR", type=click.Path(file_okay=False))
REASON = click.option(
    "--reason", metavar="R", help="Only URLs that ended so: timeout, robots, http-404, ..."
)
HOST = click.option(
    "--host", metavar="H", help="Only URLs of this host (with :port where it has one)."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="asyncmultispider")
def cli() -> None:
    """Crawl web sites politely, lose no URL, and leave a directory that anyone can query.

    \b
    asyncmultispider crawl https://example.com       crawl a site into ./example.com.crawl
    asyncmultispider status example.com.crawl        how far it got
    sqlite3 example.com.crawl/pages.db "select status, count(*) from pages group by 1"

    Exit codes: 0 the crawl ended, 1 it ended and no page could be fetched, 2 wrong usage,
    3 disk or database trouble (run again to continue), 130 interrupted (run again to continue).
    """


@cli.command()
@click.argument("urls", metavar="URL...", nargs=-1)
@crawl_options
def crawl(**options: Any) -> int:
    """Crawl from one or more URLs ('-' reads them from standard input).

    The same command continues an interrupted crawl. A URL without a scheme means https, or http
    where https can't connect.
    """
    from asyncmultispider.cli.crawl import crawl_command

    return crawl_command(**options)


@cli.command()
@click.argument("spider", metavar="SPIDER.py")
@crawl_options
def run(**options: Any) -> int:
    """Crawl with the handlers of a spider, from its seeds.

    \b
    from asyncmultispider import Spider
    spider = Spider("https://example.com/")

    \b
    @spider.on("/blog/*")                # the most specific glob wins
    def article(page):                   # or `async def`
        yield {"url": page.url, "title": page.title}
        yield from page.follow()         # its links, or page.follow([URL, ...])

    Pages without a handler have their links followed. Items go to the table `items` of pages.db,
    and to -o. The same command continues an interrupted crawl.
    """
    from asyncmultispider.cli.crawl import run_command

    return run_command(**options)


@cli.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a spider of your own to begin with: NAME.py, and its test.

    Nothing that exists is overwritten.
    """
    from asyncmultispider.cli.new import new_command

    new_command(name)


@cli.command()
@click.argument("url")
@click.option("--timeout", metavar="S", type=float, default=USUAL.timeout, show_default=True)
@click.option("--user-agent", metavar="S", default=USUAL.user_agent, show_default=True)
@click.option("--header", "headers", metavar="'K: V'", multiple=True, help="Repeatable.")
@click.option("--proxy", metavar="URL", multiple=True)
@click.option("--insecure", is_flag=True, help="Don't verify the server's certificate.")
@click.option("--css", metavar="SEL", help="Only the text of what this CSS selector matches.")
@click.option("--xpath", metavar="X", help="Only what this XPath expression gives.")
@click.option("--markdown", is_flag=True, help="Only its main content, as Markdown.")
@click.option("--links", is_flag=True, help="Only its links.")
@click.option("--headers", "show_headers", is_flag=True, help="Only its header fields.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object: these parts, or all.")
@click.option(
    "--handler",
    metavar="SPIDER.py",
    help="Call the handler that this spider has for it, and show what it yields.",
)
def fetch(**options: Any) -> int:
    """Show one URL as the crawler sees it.

    \b
    asyncmultispider fetch https://example.com                   status, headers, links, text
    asyncmultispider fetch https://example.com --css h1          a line for each match
    asyncmultispider fetch https://example.com --css h1 --json   with its HTML and attributes
    asyncmultispider fetch https://example.com --handler my.py   items on stdout, the rest on stderr

    Redirects are shown, not followed. Exit code 1 when it can't be fetched, or nothing matches.
    """
    from asyncmultispider.cli.fetch import fetch_command

    return fetch_command(**options)


@cli.command()
@DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def status(directory: str, as_json: bool) -> None:
    """Show how a crawl stands.

    URLs by state and reason, hosts, pages, outputs, who is at work on it, when it ends.
    """
    from asyncmultispider.cli.books import status_command

    status_command(directory, as_json)


@cli.command()
@DIRECTORY
@click.option(
    "--state",
    metavar="S",
    help="Only URLs in this state: queued, leased, done, failed, skipped, suspended.",
)
@REASON
@HOST
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, with more fields.")
def urls(
    directory: str, state: str | None, reason: str | None, host: str | None, as_json: bool
) -> None:
    """Print the ledger, a line per URL.

    State, reason and url, tabs between.
    """
    from asyncmultispider.cli.books import urls_command

    urls_command(directory, state, reason, host, as_json)


@cli.command()
@DIRECTORY
@click.option("--subdomains-of", "domain", metavar="D", help="Only D and the hosts below it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def hosts(directory: str, domain: str | None, as_json: bool) -> None:
    """Print every host seen in links, in scope or not.

    A line each, tabs between: URLs seen, URLs done, in scope or out of it, host, an example.
    """
    from asyncmultispider.cli.hosts import hosts_command

    hosts_command(directory, domain, as_json)


@cli.command()
@DIRECTORY
@click.argument("url")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def explain(directory: str, url: str, as_json: bool) -> int:
    """Tell everything known of one URL.

    How it was found, each try, which rule, why it ended so, where its page is.

    Exit code 1 when the crawl never heard of it: then why it would be refused, or that no page
    linked to it.
    """
    from asyncmultispider.cli.explain import explain_command

    return explain_command(directory, url, as_json)


@cli.command()
@DIRECTORY
@click.option(
    "--state",
    metavar="S",
    help="URLs in this state: failed, suspended, or skipped (for robots or noindex).  "
    "[default: that of --reason, or failed]",
)
@REASON
@HOST
@click.option("--json", "as_json", is_flag=True, help='Print {"queued": N}.')
def retry(**options: Any) -> int:
    """Queue URLs again that ended without a page.

    The crawl's own command then fetches them. They get all their tries anew, and robots.txt is
    asked for again where it was in the way. Exit code 1 when there were none.

    \b
    asyncmultispider retry DIR                          all that failed
    asyncmultispider retry DIR --reason http-503
    asyncmultispider retry DIR --state suspended --host example.com
    """
    from asyncmultispider.cli.retry import retry_command

    return retry_command(**options)


@cli.command()
@DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def verify(directory: str, as_json: bool) -> int:
    """Check that the books of a crawl balance, also while it runs.

    That no URL is lost, and each page and item is there, once, and as it was fetched.

    Exit codes: 0 all holds, 1 something is wrong (it is named), 2 there is no crawl, 3 a file can't
    be read. Nothing is changed.
    """
    from asyncmultispider.cli.verify import verify_command

    return verify_command(directory, as_json)


@cli.command()
@DIRECTORY
@click.option(
    "--to",
    "target",
    metavar="WHERE",
    required=True,
    help="A file ending in .jsonl, .csv, .parquet or .warc.gz, or a folder ending in .md or .html; "
    "'-' is JSON lines on standard output.",
)
@BODIES
def export(directory: str, target: str, bodies: bool) -> int:
    """Write what is stored to a file or folder.

    In .jsonl, .csv and .parquet these are the items, or pages where there are none; else pages.
    """
    from asyncmultispider.cli.books import export_command

    return export_command(directory, target, bodies=bodies)


@cli.command()
@click.option(
    "--pages",
    metavar="N",
    type=int,
    default=200,
    show_default=True,
    help="Pages of the built-in site; most pages of another.",
)
@click.option("--size", metavar="BYTES", type=int, help="HTML of a page.  [default: 20000]")
@click.option("--links", metavar="N", type=int, help="Links on a page.  [default: 20]")
@click.option(
    "--latency",
    metavar="S[,S...]",
    help="Seconds until a page answers; of several, each page gets one in turn.  [default: 0.05]",
)
@click.option(
    "--cpu-ms",
    metavar="MS",
    type=float,
    default=0.0,
    show_default=True,
    help="Milliseconds of CPU that a handler works on each page.",
)
@click.option("--site", metavar="URL", help="Crawl this site instead, as politely as ever.")
@click.option(
    "-j",
    "--processes",
    metavar="N",
    type=int,
    help="Worker processes of the last run.  [default: the cores we may use]",
)
@click.option(
    "--per-host",
    metavar="N",
    type=int,
    help="Transfers at once to one host.  [default: no bound; with --site 2]",
)
@click.option(
    "--delay-factor",
    metavar="F",
    type=float,
    help="Wait F x the host's last response time.  [default: 0; with --site 1.0]",
)
@click.option(
    "--time-limit",
    metavar="S",
    type=float,
    default=120.0,
    show_default=True,
    help="Most seconds for each run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option("--plot", "picture", metavar="FILE.svg|png", help="Also draw the runs.")
def bench(**options: Any) -> int:
    """Compare the engines on a built-in local site.

    Which one is it to be, and how many in flight?

    \b
    asyncmultispider bench --pages 16 --latency 1.2       a server that is slow to answer
    asyncmultispider bench --cpu-ms 20 --latency 0        much work on each page
    """
    from asyncmultispider.cli.bench import bench_command

    return bench_command(**options)


def main() -> NoReturn:
    """Run the command line; a user's mistake is one line on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = _run()
    if code == INTERRUPTED:  # threads that handlers started may never end: nobody waits for them
        flushing = Thread(target=_flush, daemon=True)  # there may be nobody who reads it
        with suppress(KeyboardInterrupt):
            flushing.start()
            flushing.join(LAST_WORDS)
        os._exit(code)
    raise SystemExit(code)


def _flush() -> None:
    if sys.stdout is not None:
        with suppress(OSError):
            sys.stdout.flush()


def _run() -> int:
    try:
        code = cli(prog_name="asyncmultispider", standalone_mode=False) or FINISHED
        if sys.stdout is not None:
            sys.stdout.flush()
        return int(code)
    except NoArgsIsHelpError as error:  # `ams` alone: its message is the help, in many lines
        click.echo(error.format_message(), err=True)
        return WRONG_USAGE
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "asyncmultispider"
        complain(f"{error.format_message()} (see '{command} --help')")
        return WRONG_USAGE
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return INTERRUPTED
    except UsageError as error:
        complain(str(error))
        return WRONG_USAGE
    except StorageError as error:
        complain(f"{error} ({error.advice})")
        return STORAGE_FAILED
    except OSError as error:
        return lost_output(error)


def lost_output(error: OSError) -> int:
    """The exit code when standard output is lost. Nothing is written to it from then on."""
    # Python would flush again at exit, and complain again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if isinstance(error, BrokenPipeError):  # the reader has gone: that is its right
        return FINISHED
    complain(f"can't write the output: {error.strerror}")
    return STORAGE_FAILED
