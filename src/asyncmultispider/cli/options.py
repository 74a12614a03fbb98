"""The options of `crawl` and `run`."""

from collections.abc import Callable
from typing import TypeVar

import click

from asyncmultispider.settings import Settings

USUAL = Settings(seeds=("http://localhost/",))
"""The settings of a crawl for which nothing is said."""

BODIES = click.option(
    "--bodies", is_flag=True, help="With the text of each page, in .jsonl, .csv, .parquet and '-'."
)
F = TypeVar("F", bound=Callable[..., object])
CRAWL_OPTIONS = (
    click.option(
        "-d", "--dir", "directory", metavar="DIR", help="Crawl directory.  [default: ./HOST.crawl]"
    ),
    click.option(
        "-o",
        "--output",
        "outputs",
        metavar="WHERE",
        multiple=True,
        help="Also write pages (or items) here when the run ends: a file ending in .jsonl, .csv, "
        ".parquet or .warc.gz, or a folder ending in .md or .html. With '-' JSON lines go to "
        "standard output, as pages come. Repeatable.",
    ),
    BODIES,
    click.option(
        "--engine",
        metavar="NAME",
        help="How to run: async (one event loop), threads (-c of them), "
        "processes (-j event loops).  [default: async, or processes with -j]",
    ),
    click.option(
        "-j",
        "--processes",
        metavar="N",
        type=int,
        help="Worker processes of --engine processes.  [default: the cores we may use]",
    ),
    click.option(
        "-c",
        "--concurrency",
        metavar="N",
        type=int,
        default=USUAL.concurrency,
        show_default=True,
        help="Transfers in flight, per process.",
    ),
    click.option(
        "--per-host",
        metavar="N",
        type=int,
        default=USUAL.per_host,
        show_default=True,
        help="Transfers at once to one host.",
    ),
    click.option(
        "--delay",
        metavar="S",
        type=float,
        default=USUAL.delay,
        show_default=True,
        help="Least seconds between starts to one host.",
    ),
    click.option(
        "--delay-factor",
        metavar="F",
        type=float,
        default=USUAL.delay_factor,
        show_default=True,
        help="Wait F x the host's last response time; 0 turns it off.",
    ),
    click.option(
        "--scope",
        metavar="NAME",
        default=USUAL.scope,
        show_default=True,
        help="What to follow: host (same host and port), domain (same registrable domain), "
        "prefix (same host and path prefix), any.",
    ),
    click.option(
        "--include",
        metavar="GLOB",
        multiple=True,
        help="Follow only such URLs: '/blog/*' is matched with the path and query, "
        "'https://*.org/*' with the URL. Repeatable.",
    ),
    click.option(
        "--exclude", metavar="GLOB", multiple=True, help="Don't follow such URLs. Repeatable."
    ),
    click.option(
        "--depth", metavar="N", type=int, help="Follow links at most N steps from a seed."
    ),
    click.option("--limit", metavar="N", type=int, help="Stop when N pages are stored."),
    click.option(
        "--max-time",
        metavar="S",
        type=float,
        help="Stop after S seconds; what is in flight then is fetched when the crawl goes on.",
    ),
    click.option(
        "--timeout",
        metavar="S",
        type=float,
        default=USUAL.timeout,
        show_default=True,
        help="Most seconds for a request. Connecting may take 10 of them; 30 without progress "
        "end it.",
    ),
    click.option(
        "--max-body",
        metavar="BYTES",
        type=int,
        default=USUAL.max_body,
        show_default=True,
        help="Largest body, decoded; larger pages fail as too-large.",
    ),
    click.option(
        "--retries",
        metavar="N",
        type=int,
        default=USUAL.retries,
        show_default=True,
        help="Tries after the first, for trouble that may pass.",
    ),
    click.option(
        "--user-agent",
        metavar="S",
        default=USUAL.user_agent,
        show_default=True,
        help="Who we say we are; robots.txt groups are chosen by its first word.",
    ),
    click.option(
        "--header",
        "headers",
        metavar="'K: V'",
        multiple=True,
        help="Send this request header field, to the hosts of the URLs given only. Repeatable.",
    ),
    click.option(
        "--user-agents",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="User agents, a line each: every host gets one of them, the same for the whole run.",
    ),
    click.option(
        "--header-pool",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Sets of header fields, a JSON object each line: every host gets one of them.",
    ),
    click.option("--cookies", is_flag=True, help="Keep cookies, for each host its own."),
    click.option(
        "--proxy",
        "proxies",
        metavar="URL",
        multiple=True,
        help="Go through this http, https or socks5 proxy. Of several, a host keeps to one.",
    ),
    click.option(
        "--proxies",
        "proxy_file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Proxies, a URL each line.",
    ),
    click.option(
        "--sitemaps", is_flag=True, help="Also start from the sitemaps that robots.txt names."
    ),
    click.option(
        "--sitemap", metavar="URL", multiple=True, help="Also start from this sitemap. Repeatable."
    ),
    click.option(
        "--page-requisites",
        is_flag=True,
        help="Also fetch what pages need to be shown: images, style sheets, scripts, fonts.",
    ),
    click.option(
        "--ignore-robots",
        is_flag=True,
        help="Don't ask for robots.txt; ignore nofollow and noindex.",
    ),
    click.option(
        "--allow-private",
        metavar="CIDR|all",
        multiple=True,
        help="Private addresses that links may lead to. Repeatable.",
    ),
    click.option(
        "--insecure",
        is_flag=True,
        help="Don't verify the certificates of servers. Pages that came so are listed in pages.db.",
    ),
    click.option(
        "--max-per-host",
        metavar="N",
        type=int,
        default=USUAL.max_per_host,
        show_default=True,
        help="Most URLs of one host; the rest is suspended as a trap, and 'retry' releases it.",
    ),
    click.option(
        "--sync",
        metavar="NAME",
        default=USUAL.sync,
        show_default=True,
        help="full: wait until pages are on the disk. normal: quicker; after a power cut the last "
        "pages are fetched again. A crash or kill loses nothing with either.",
    ),
    click.option("--fresh", is_flag=True, help="Forget the crawl in DIR and start again."),
    click.option("--yes", is_flag=True, help="Don't ask before --fresh forgets."),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object."),
    click.option("-q", "--quiet", is_flag=True, help="No progress."),
    click.option("-v", "--verbose", is_flag=True, help="Show each page that fails."),
)


def crawl_options(command: F) -> F:
    """Give a command the options of a crawl."""
    for option in reversed(CRAWL_OPTIONS):
        command = option(command)
    return command
