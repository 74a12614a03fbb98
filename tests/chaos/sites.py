"""The sites, and what a crawl of them must find: by a walk that is not ours, and nginx's files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from servers_nginx import nginx_site
from witness import Seen, walk


@dataclass(frozen=True)
class Site:
    """A folder of HTML, and the path that a crawl of it starts from."""

    name: str
    folder: Path
    start: str = "/"


@dataclass(frozen=True)
class Truth:
    """What a crawl of a site, served at `root`, must come to."""

    site: Site
    root: str
    seen: Mapping[str, Seen]
    """By target (path and query): what the server said of it."""

    @cached_property
    def pages(self) -> set[str]:
        """The URLs that must be stored: pages and redirects."""
        return {self.root + target for target, seen in self.seen.items() if seen.status < 400}

    @cached_property
    def html(self) -> set[str]:
        """The URLs of the pages that a spider's handler gets."""
        return {self.root + target for target, seen in self.seen.items() if seen.status == 200}

    @cached_property
    def ends(self) -> dict[str, tuple[str, str | None]]:
        """State and reason of each URL of the site."""
        return {self.root + target: _end(seen.status) for target, seen in self.seen.items()}

    @cached_property
    def logged(self) -> set[str]:
        """The targets that the server's log must name: it has a dash for what it can't read."""
        return {target for target, seen in self.seen.items() if seen.status != 400}

    @cached_property
    def asked(self) -> set[str]:
        """The URLs of these targets."""
        return {self.root + target for target in self.logged}

    def body(self, url: str) -> bytes:
        """The bytes of the file that was served."""
        path = unquote(urlsplit(url).path).removeprefix("/")
        file = self.site.folder / path
        return (file / "index.html" if file.is_dir() else file).read_bytes()


def truth(site: Site, root: str) -> Truth:
    """What a crawl of the site must come to, when it is served at `root`."""
    return Truth(site, root, _walked(site))


@cache
def _walked(site: Site) -> dict[str, Seen]:
    with TemporaryDirectory() as folder, nginx_site(Path(folder), site.folder) as nginx:
        seen = walk(nginx.url + site.start)
        return {url.removeprefix(nginx.url): what for url, what in seen.items()}


def _end(status: int) -> tuple[str, str | None]:
    return ("failed", f"http-{status}") if status >= 400 else ("done", None)
