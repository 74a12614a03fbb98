"""Which URLs belong to a crawl."""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from asyncmultispider.errors import UsageError
from asyncmultispider.model import Reason
from asyncmultispider.settings import ScopeName
from asyncmultispider.urls.canonical import host_of, is_web

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_MEMO = 65_536
_LONGEST_HOST = 260  # RFC 1035 section 2.3.4, and a port: nothing longer can be found, or kept
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Scope:
    """The rule that says which URLs are crawled. `seeds` are canonical URLs.

    `host`: host and port of a seed, http or https. `domain`: the registrable domain of a seed,
    any port (see `registrable_domain`). `prefix`: host and port of a seed, and a path that begins
    with the seed's up to its last slash (as wget's --no-parent). `any`: every http(s) URL.

    Of the URLs in scope, one is refused if an `exclude` glob matches it, or if there are
    `include` globs and none does. A seed itself is never refused. In a glob, `*` is any run of
    characters (slashes too), `?` any one, `[...]` one of a set; case counts, and the glob must
    match from end to end:

    - with `://` in it (`*://*.example.com/*`), the whole URL;
    - else path and query: `/blog/*` from the root, `*.pdf` anywhere. One that begins with
      neither `/` nor `*` begins at any slash (`blog/*` is `*/blog/*`), or, if its first
      character is `?`, anywhere (`?page=*` is `*?page=*`).

    Raises `UsageError` for an empty glob.
    """

    def __init__(
        self,
        name: ScopeName,
        seeds: Iterable[str],
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
    ) -> None:
        self._seeds = frozenset(seeds)
        self._hosts = frozenset(map(host_of, self._seeds))
        self._holds = _RULES[name](self._seeds)
        include, exclude = tuple(include), tuple(exclude)
        self._included = matcher("include", include) if include else None
        self._excluded = matcher("exclude", exclude) if exclude else None

    def refuses(self, url: str, host: str) -> Reason | None:
        """Why a canonical URL isn't crawled, or None if it is. `host` is its `host_of`."""
        if not is_web(url) or not self._holds(url, host):
            return Reason.SCOPE
        if self.excludes(url):
            return Reason.EXCLUDED
        if self._included and not self._included(url) and url not in self._seeds:
            return Reason.EXCLUDED
        return None

    def excludes(self, url: str) -> bool:
        """Whether an `exclude` glob refuses a canonical web URL, in scope or not."""
        return bool(self._excluded and self._excluded(url) and url not in self._seeds)

    def reaches(self, host: str) -> bool:
        """Whether any URL of this host[:port] may be in scope."""
        return host in self._hosts or self._holds(f"https://{host}/", host)


def registrable_domain(host: str) -> str:
    """The part of a canonical `host[:port]` that one owner registered: `example.co.uk`.

    By the public suffix list (https://publicsuffix.org), private suffixes such as github.io
    included. IP addresses, single labels and public suffixes themselves stand for themselves.
    """
    name = host if host.endswith("]") else re.sub(r":[0-9]+$", "", host)
    if name.endswith("]") or name.rpartition(".")[2].isdigit():
        return name
    return _public_suffixes().privatesuffix(name) or name


Rule = Callable[[str, str], bool]


def _host_rule(seeds: frozenset[str]) -> Rule:
    hosts = frozenset(map(host_of, seeds))
    return lambda _, host: host in hosts


def _domain_rule(seeds: frozenset[str]) -> Rule:
    domains = {registrable_domain(host_of(seed)) for seed in seeds}
    memo: dict[str, bool] = {}

    def holds(_: str, host: str) -> bool:
        held = memo.get(host)
        if held is None and len(host) <= _LONGEST_HOST:
            if len(memo) >= _MEMO:
                memo.clear()
            held = memo[host] = registrable_domain(host) in domains
        return bool(held)

    return holds


def _prefix_rule(seeds: frozenset[str]) -> Rule:
    folders: dict[str, tuple[str, ...]] = {}
    for seed in seeds:
        folder = _path(seed).partition("?")[0].rpartition("/")[0] + "/"
        folders[host_of(seed)] = (*folders.get(host_of(seed), ()), folder)
    return lambda url, host: host in folders and _path(url).startswith(folders[host])


def _any_rule(_: frozenset[str]) -> Rule:
    return lambda _, __: True


_RULES: dict[ScopeName, Callable[[frozenset[str]], Rule]] = {
    "host": _host_rule,
    "domain": _domain_rule,
    "prefix": _prefix_rule,
    "any": _any_rule,
}


def _path(url: str) -> str:
    """Path and query of a canonical http(s) URL."""
    return "/" + url.split("/", 3)[3]


def matcher(option: str, globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether any of the globs matches a canonical URL, as a function.

    Raises `UsageError`, naming the option, for an empty glob.
    """
    if not all(globs):
        name = f"--{option}" if option != "on" else "on()"
        raise UsageError(f"{name} needs a glob such as '/blog/*', not an empty one")
    urls = _compiled(glob for glob in globs if "://" in glob)
    paths = _compiled(_anchored(glob) for glob in globs if "://" not in glob)
    return lambda url: bool((urls and urls.match(url)) or (paths and paths.match(_path(url))))


def _anchored(glob: str) -> str:
    if glob.startswith(("/", "*")):
        return glob
    return "*" + glob if glob.startswith("?") else "*/" + glob


def _compiled(globs: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for all globs, without exponential backtracking: its groups are atomic.

    Spaces and non-ASCII characters of a glob are percent-encoded, as they are in URLs.
    """
    patterns = [translate(quote(glob, safe=_PRINTABLE, errors="replace")) for glob in globs]
    return re.compile("|".join(patterns)) if patterns else None


@cache
def _public_suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList  # here, because it takes tens of milliseconds

    return PublicSuffixList()
