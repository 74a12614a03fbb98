"""Writing what a crawl stored to other formats."""

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from msgspec import Raw, json, structs

from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.page.content import decode_text
from asyncmultispider.store.sqlite import StoredPage, read_items, read_pages


def check_target(target: str) -> Path:
    """Where to write, if that can be done. Raises `UsageError` if not."""
    path = Path(target)
    if path.suffix != ".jsonl":
        raise UsageError(f"can't tell the format of {target!r}: it must end in .jsonl")
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"can't write {target!r}: {str(path.parent)!r} is no folder to write in")
    return path


def export_jsonl(pages_db: Path, target: Path) -> int:
    """Write the items, or the pages where there are none, as JSON lines; the number of lines.

    The file appears whole or not at all. A page's text is in `body`, decoded; what is not text is
    in `body_base64`. An item has the URL it came from in `url` beside its own fields in `item`.
    """
    lines = 0
    folder = target.parent
    try:
        with NamedTemporaryFile(dir=folder, prefix=f".{target.name}.", delete=False) as file:
            written = Path(file.name)
            try:
                for line in _lines(pages_db):
                    file.write(line)
                    file.write(b"\n")
                    lines += 1
                file.flush()
                written.chmod(0o666 & ~_umask())
                written.replace(target)
            except BaseException:
                with suppress(OSError):
                    written.unlink()
                raise
    except (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError) as error:
        raise UsageError(f"can't write {str(target)!r}: {error.strerror}") from None
    except OSError as error:
        raise StorageError(f"can't write {str(target)!r}: {error.strerror}") from error
    return lines


def _lines(pages_db: Path) -> Iterator[bytes]:
    items = False
    for url, data in read_items(pages_db):
        items = True
        yield json.encode({"url": url, "item": Raw(data.encode())})
    if not items:
        yield from map(_page_line, read_pages(pages_db))


def _page_line(page: StoredPage) -> bytes:
    fields: dict[str, object] = structs.asdict(page)
    del fields["body"]
    fields["headers"] = Raw(page.headers.encode())
    fields["digest"] = page.digest.hex()
    if page.charset or (page.content_type or "").startswith("text/"):
        fields["body"] = decode_text(page.body, page.charset)[0]
    else:
        fields["body_base64"] = b64encode(page.body).decode()
    return json.encode(fields)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
