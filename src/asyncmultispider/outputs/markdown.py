"""A folder of Markdown: a file for each page of text, with its source in the front matter.

    ---
    url: "https://a.example/docs/"
    title: "The docs"
    fetched_at: "2026-01-02T03:04:05.678+00:00"
    ...
    ---

The values are JSON, which is YAML as well: no page can end the front matter, or add to it.
Redirects and what is neither HTML nor plain text have no file.
"""

import re

from msgspec import json

from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.folder import Folder, exported, replacing_folder
from asyncmultispider.outputs.stored import as_page, is_page, is_too_complex
from asyncmultispider.page import Page
from asyncmultispider.store.reader import StoredPage, reading_store

TEXTS = frozenset({"text/plain", "text/markdown"})
"""What is text besides HTML, and no code or data."""
TOO_COMPLEX = "too complex to convert"
# What a YAML reader would not take, or an editor not show as it is.
_ODD = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]")
_CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
_TICKS = re.compile("`{3,}")


def write_markdown(job: Job) -> list[Exported]:
    """Write a file for each page of HTML or plain text that was had (2xx). See `Writer`."""
    count = 0
    with replacing_folder(job.target) as folder, reading_store(job.pages_db) as store:
        for url, status, kind, charset, *_ in store.pages():
            if _is_wanted(status, kind, charset):
                folder.expect(url, "md")
        folder.name_all()
        for stored in store.whole():
            if _is_wanted(stored.status, stored.content_type, stored.charset):
                _write(folder, stored)
                count += 1
        return [exported(job.target, folder, count)]


def _is_wanted(status: int, kind: str | None, charset: str | None) -> bool:
    return status // 100 == 2 and (kind in TEXTS or is_page(kind, charset))


def _write(folder: Folder, stored: StoredPage) -> None:
    name = folder.find(stored.url)
    assert name is not None  # noqa: S101 - it was expected
    folder.write(name, as_markdown(stored).encode(errors="replace"))


def as_markdown(stored: StoredPage) -> str:
    """A page with its front matter."""
    page = as_page(stored)
    # Who knows how to make a parser take all memory must not be let near it here.
    complex = page.is_html and is_too_complex(stored.body)
    facts = {
        "url": stored.url,
        "title": stored.title,
        "fetched_at": stored.fetched_at,
        "status": stored.status,
        "content_type": stored.content_type,
        "language": None if complex else _language(page),
        "canonical": stored.canonical,
        "referrer": stored.referrer,
        "depth": stored.depth,
        "digest": f"sha256:{stored.digest.hex()}",
        "unverified": stored.unverified or None,
        "note": TOO_COMPLEX if complex else None,
    }
    lines = [f"{key}: {_scalar(value)}\n" for key, value in facts.items() if value is not None]
    text = "" if complex else _CONTROLS.sub("", _text(page)).strip("\n")
    return "".join(["---\n", *lines, "---\n\n", text, "\n" if text else ""])


def _scalar(value: str | int | bool) -> str:
    text = json.encode(value).decode()
    return text if text.isascii() and "\x7f" not in text else _ODD.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _language(page: Page) -> str | None:
    root = None if page.document is None else page.document.root
    return (root.attr("lang") or "").strip() or None if root is not None else None


def _text(page: Page) -> str:
    if page.content_type != "text/plain":
        return page.markdown
    text = page.text.replace("\r\n", "\n").replace("\r", "\n")
    fence = "`" * max(3, *(len(ticks) + 1 for ticks in _TICKS.findall(text)), 3)
    return f"{fence}\n{text}\n{fence}" if text else ""
