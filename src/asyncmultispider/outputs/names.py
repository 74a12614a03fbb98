"""Names of files for URLs: safe in any folder on Linux, macOS and Windows, and the same each time.

    https://a.example/docs/           a.example/docs/index.html
    https://a.example/docs/intro      a.example/docs/intro.html
    http://a.example:8080/x.png       a.example_http_8080/x.png
    https://a.example/list?page=2     a.example/list_page=2~2a90a9b35ba3bef1.html

What always holds: a name is ASCII, of few characters; no part of it is empty, hidden, a device of
Windows or longer than `LONGEST`; folders never have the ending of a file. Where anything of the URL
is not in its name, a hash of the whole URL is. Names that are equal nevertheless, as those of `/a`
and `/a.html` are, or of `/a` and `/A` where case does not count, are told apart by whoever gives
them out: the next candidate has the hash as well. Pure code.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from asyncmultispider.urls import without_login

LONGEST = 100
"""Bytes of a file's or folder's name."""
LONGEST_FOLDERS = 150
"""Bytes of all the folders of a name: with its file it fits into the 260 characters of Windows."""
DEEPEST = 32
"""Folders of a name; those of further segments are left out."""
SHOWN_QUERY = 40
"""Characters of a query that are shown in a name."""
PAGE = "html"
OTHER = "bin"
"""The ending of what nobody should open by a click."""

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_LIKE_SCHEME = re.compile(r"_https?(?:_[0-9]+)?$")
# Percent signs are kept, so that escapes stay what they are.
_UNSAFE = re.compile(r"[^A-Za-z0-9._~%+,=@()-]")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
_SAME = {"htm": "html", "jpeg": "jpg", "tgz": "gz", "markdown": "md", "tiff": "tif"}
# Endings of what shows or plays, and does nothing. Not among them: what systems run when it is
# opened (.js on Windows), what browsers run scripts of (.svg, .xml), and what folders obey (.ini).
_KEPT = frozenset(
    {
        *("css", "csv", "htm", "html", "json", "log", "map", "markdown", "md", "tex", "txt", "vtt"),
        *("yaml", "yml", "srt", "pdf", "ps", "djvu", "epub", "rtf", "doc", "docx", "xls", "xlsx"),
        *("ppt", "pptx", "odt", "ods", "odp", "avif", "bmp", "gif", "ico", "jpeg", "jpg", "png"),
        *("tif", "tiff", "webp", "aac", "flac", "m4a", "mp3", "oga", "ogg", "opus", "wav", "avi"),
        *("m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "ogv", "webm", "eot", "otf", "ttf", "woff"),
        *("woff2", "7z", "bz2", "gz", "rar", "tar", "tgz", "xz", "zip", "zst"),
    }
)
_BY_TYPE = {
    "application/epub+zip": "epub",
    "application/gzip": "gz",
    "application/json": "json",
    "application/ld+json": "json",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/tiff": "tif",
    "image/vnd.microsoft.icon": "ico",
    "image/webp": "webp",
    "image/x-icon": "ico",
    "text/css": "css",
    "text/csv": "csv",
    "text/markdown": "md",
    "text/plain": "txt",
    "video/mp4": "mp4",
    "video/ogg": "ogv",
    "video/webm": "webm",
}
_SCRIPTS = ("script", "xml", "html")
_ENDINGS = _KEPT | frozenset(_BY_TYPE.values()) | {OTHER, "svg"}


class _Parts(NamedTuple):
    """A name in the making. `folders` begin with the host's; `lost`: it tells less than the URL."""

    folders: list[str]
    stem: str
    lost: bool


def ending_of(url: str, kind: str | None) -> str:
    """The ending for content that is no page, by its media type and what its URL ends in.

    Scripts and XML are text here: nothing that is opened by a click shall run. `svg` is for those
    who looked into it.
    """
    if kind is not None and kind.endswith(_SCRIPTS):
        return "txt"
    known = _BY_TYPE.get(kind or "")
    own = _suffix(_split(url)[1][-1])
    if known == "css" or own not in _KEPT or _SAME.get(own, own) in (PAGE, "css"):
        return known or ("txt" if (kind or "").startswith("text/") else OTHER)
    return own


def candidates(url: str, ending: str) -> Iterator[str]:
    """Relative paths for a canonical http(s) URL, the best first; the last is nobody else's.

    `ending` is that of the file, without its dot.
    """
    parts = _parts(url, ending)
    whole = sha256(url.encode(errors="surrogatepass")).hexdigest()
    marks = [f"~{whole[:16]}", f"~{whole}"]
    for mark in marks if parts.lost else ["", *marks]:
        room = LONGEST - len(mark) - len(ending) - 1
        stem = parts.stem[:room] if mark else parts.stem
        yield "/".join((*parts.folders, f"{stem}{mark}.{ending}"))


def reference(name: str, start: str) -> str:
    """The relative URL that leads from the file `start` to the file `name`, both such names."""
    here, there = start.split("/")[:-1], name.split("/")
    same = 0
    while same < len(here) and same < len(there) - 1 and here[same] == there[same]:
        same += 1
    return quote("/".join([".."] * (len(here) - same) + there[same:]), safe="/~+,=@")


def _parts(url: str, ending: str) -> _Parts:
    origin, segments, query = _split(without_login(url))
    host, lost = _host_folder(origin)
    folders, last = segments[:-1], segments[-1]
    kept: list[str] = []
    room = LONGEST_FOLDERS - len(host)
    for folder in folders[: DEEPEST - 1]:
        name = _folder(folder)
        room -= len(name) + 1
        if room < 0:
            break
        kept.append(name)
    stem = _stem(last, ending)
    shown = f"{stem}_{query[:SHOWN_QUERY]}" if query else stem
    # No tilde: a name without a hash must never look like one that has it.
    name = _safe(shown.replace("~", "_"))[: LONGEST - len(ending) - 1]
    lost = lost or kept != folders or name != stem or query is not None
    return _Parts([host, *kept], name, lost)


def _split(url: str) -> tuple[str, list[str], str | None]:
    """The origin, the segments of the path and the query, None where there is none."""
    address, mark, query = url.partition("#")[0].partition("?")
    scheme, _, rest = address.partition("://")
    authority, _, path = rest.partition("/")
    return f"{scheme}://{authority}", path.split("/"), query if mark else None


def _host_folder(origin: str) -> tuple[str, bool]:
    """The folder of a host, and whether more than that is needed to tell it from others."""
    scheme, _, authority = origin.partition("://")
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        host, port = authority, ""
    plain = _HOST.fullmatch(host) is not None and not _LIKE_SCHEME.search(host)
    name = _safe(host.strip("[]").replace(":", "-").lower())
    at = "" if scheme == "https" and not port else f"_{scheme}"
    cut = _cut(name, LONGEST - 20)
    # Beside it are a front page and a manifest.
    free = "_" if at == "" and cut.endswith((".html", ".sha256")) else ""
    folder = cut + free + at + (f"_{port}" if port else "")
    return folder, not plain or cut + free != host


def _folder(segment: str) -> str:
    name = _cut(_safe(segment), LONGEST)
    return f"{_cut(name, LONGEST - 1)}_" if _suffix(name) in _ENDINGS else name


def _stem(segment: str, ending: str) -> str:
    """A file's name without its ending; `index` where there is none."""
    own = _suffix(segment)
    page = ending == "md" and own in ("html", "htm")  # in Markdown, pages lose theirs
    if own and (page or own == ending or _SAME.get(own, own) == ending):
        segment = segment[: -len(own) - 1]
    return segment or "index"


def _suffix(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return suffix.lower() if dot and stem else ""


def _safe(segment: str) -> str:
    """A name that every file system takes, and that no shell or system sees a meaning in."""
    name = _UNSAFE.sub("_", segment) or "_"
    if name[0] in ".-":
        name = f"_{name[1:]}"
    if name[-1] == ".":
        name = f"{name[:-1]}_"
    return f"_{name}" if _DEVICE.match(name) else name


def _cut(name: str, most: int) -> str:
    return name[:most].rstrip(".")
