"""Folders of Markdown; and how folders are written: whole or not at all, over nobody's files."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from asyncmultispider.errors import StorageError, UsageError
from asyncmultispider.model import Outcome
from asyncmultispider.outputs import check_target, swap
from asyncmultispider.outputs import folder as folders
from asyncmultispider.outputs.base import Exported, Job
from asyncmultispider.outputs.files import MANIFEST, read_manifest
from asyncmultispider.outputs.folder import replacing_folder
from asyncmultispider.outputs.markdown import write_markdown
from asyncmultispider.page import is_outlier
from command import python
from stored_pages import make_store, redirect, stored

KILLED = """
import os, signal, sys
from pathlib import Path
from asyncmultispider.outputs import folder, markdown, swap
from asyncmultispider.outputs.base import Job

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

STEP
markdown.write_markdown(Job(pages_db=Path(sys.argv[1]), target=Path(sys.argv[2])))
"""
HERE = "https://a.example"
Write = Callable[..., Exported]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "corpus.md"


@pytest.fixture
def write(tmp_path: Path, target: Path) -> Write:
    """Write these pages to the target."""

    def write(*pages: Outcome) -> Exported:
        store = tmp_path / "pages.db"
        store.unlink(missing_ok=True)
        [written] = write_markdown(Job(pages_db=make_store(store, pages), target=target))
        return written

    return write


def files_in(folder: Path) -> dict[str, str]:
    """The text of each file but the manifest."""
    found = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    del found[MANIFEST]
    return found


def beside(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def front_of(text: str) -> tuple[dict[str, object], str]:
    """Front matter as a reader of YAML finds it, and the rest."""
    assert text.startswith("---\n")
    front, end, rest = text[4:].partition("\n---\n")
    assert end
    lines = [line.partition(": ") for line in front.split("\n")]
    return {key: json.loads(value) for key, _, value in lines}, rest.strip("\n")


# Markdown


def test_a_page_is_its_source_and_its_content(write: Write, target: Path) -> None:
    write(stored(f"{HERE}/docs/", "<html lang=de><h1>Hello</h1><p>a <b>b</b> <a href=x>c</a>"))
    front, text = front_of((target / "a.example" / "docs" / "index.md").read_text())
    digest = sha256(b"<html lang=de><h1>Hello</h1><p>a <b>b</b> <a href=x>c</a>").hexdigest()
    assert front == {
        "url": f"{HERE}/docs/",
        "title": "a title",
        "fetched_at": "1970-01-01T00:00:00.000+00:00",
        "status": 200,
        "content_type": "text/html",
        "language": "de",
        "depth": 0,
        "digest": f"sha256:{digest}",
    }
    assert text == "# Hello\n\na **b** [c](https://a.example/docs/x)"


def test_only_pages_of_text_that_were_had_have_a_file(write: Write, target: Path) -> None:
    written = write(
        stored(f"{HERE}/a"),
        stored(f"{HERE}/gone", status=404),
        redirect(f"{HERE}/moved", "/a"),
        stored(f"{HERE}/a.png", b"\x89PNG", kind="image/png", charset=None),
        stored(f"{HERE}/a.css", "a{}", kind="text/css"),
        stored(f"{HERE}/untold", kind=None),
        stored(f"{HERE}/notes.txt", "notes", kind="text/plain"),
    )
    names = {"a.example/a.md", "a.example/untold.md", "a.example/notes.txt.md"}
    assert set(files_in(target)) == names
    assert written.lines == 3


HOSTILE = [
    "---",
    "a\n---\nurl: b",
    'a"\nurl: "b',
    "\u2028---\u2029\x85",
    "\x00\x07\x1b[31m\x7f\x9b",
    "\ufeff\ufffe\uffff\u202e",
    "{{ x }} !!python/object: &a *a # %",
    "😀 \\",
    "",
]


@pytest.mark.parametrize("title", HOSTILE)
def test_no_title_gets_out_of_the_front_matter(write: Write, target: Path, title: str) -> None:
    write(stored(f"{HERE}/", "<p>text", title=title))
    content = (target / "a.example" / "index.md").read_text()
    front, text = front_of(content)
    assert front["title"] == title
    assert list(front)[:3] == ["url", "title", "fetched_at"]
    assert text == "text"
    head = content[: content.index("\n---\n")]
    assert all(char == "\n" or char.isprintable() for char in head)
    assert len(head.splitlines()) == head.count("\n") + 1


def test_controls_are_left_out_of_the_text(write: Write, target: Path) -> None:
    write(stored(f"{HERE}/", "<p>a\x1b[0;1mtitle\x07b\x9bc</p>"))
    assert front_of((target / "a.example" / "index.md").read_text())[1] == "a\\[0;1mtitlebc"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("# no heading\r\n<b>", "```\n# no heading\n<b>\n```"),
        ("```\nx\n````", "`````\n```\nx\n````\n`````"),
        ("", ""),
    ],
)
def test_plain_text_is_no_markdown(write: Write, target: Path, body: str, text: str) -> None:
    write(stored(f"{HERE}/a.txt", body, kind="text/plain"))
    assert front_of((target / "a.example" / "a.txt.md").read_text())[1] == text


def test_other_encodings_are_read(write: Write, target: Path) -> None:
    write(stored(f"{HERE}/", "<p>жук".encode("koi8-r"), charset="koi8-r"))
    assert front_of((target / "a.example" / "index.md").read_text())[1] == "жук"


def test_what_may_be_too_much_is_not_parsed(write: Write, target: Path) -> None:
    write(stored(f"{HERE}/", "<b><i>" * 20_000))
    front, text = front_of((target / "a.example" / "index.md").read_text())
    assert front["note"] == "too complex to convert"
    assert text == ""


def test_what_is_only_large_is_parsed(write: Write, target: Path) -> None:
    """A long page of a manual: the crawl has read it apart, and knows that it is harmless."""
    body = "<h1>Long</h1>" + "<p>some <b>words</b> and <i>more</i></p>\n" * 12_000
    assert is_outlier(body.encode())
    write(stored(f"{HERE}/", body))
    front, text = front_of((target / "a.example" / "index.md").read_text())
    assert "note" not in front
    assert text.startswith("# Long\n\nsome **words**")


def test_names_that_are_equal_elsewhere_are_told_apart(write: Write, target: Path) -> None:
    paths = ["/a", "/A", "/a.html", "/a/b", "/a?", "/", "/index.html", "/caf%C3%A9", "/caf%c3%a9"]
    write(*[stored(HERE + path, f"<p>{path}") for path in paths])
    texts = files_in(target)
    assert len({name.casefold() for name in texts}) == len(paths)
    assert {front_of(text)[0]["url"] for text in texts.values()} == {HERE + p for p in paths}
    assert front_of(texts["a.example/index.md"])[0]["url"] == f"{HERE}/"


def test_names_do_not_depend_on_the_order_of_the_crawl(write: Write, target: Path) -> None:
    pages = [stored(HERE + path) for path in ("/a", "/A", "/a.html", "/", "/index.html")]
    first = write(*pages)
    before = files_in(target)
    assert write(*pages[::-1]) == first
    assert files_in(target) == before


def test_no_pages_make_an_empty_folder(write: Write, target: Path) -> None:
    assert write().lines == 0
    assert files_in(target) == {}


# Folders


def test_it_tells_what_it_wrote(write: Write, target: Path) -> None:
    written = write(*[stored(f"{HERE}/{n}", f"<p>{n}") for n in range(20)])
    assert beside(target) == [target.name]
    found = read_manifest(target)
    manifest = (target / MANIFEST).read_bytes()
    assert written == Exported(
        path=str(target), lines=20, bytes=found.bytes, sha256=found.sha256, folder=True
    )
    assert written.sha256 == sha256(manifest).hexdigest()
    assert written.bytes == sum(len(text.encode()) for text in files_in(target).values())


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_manifest_is_for_sha256sum(write: Write, target: Path) -> None:
    write(*[stored(f"{HERE}/{path}") for path in ("a", "b/c", "%20", "(x)?y")])
    check = ["sha256sum", "--check", "--strict", "--quiet", MANIFEST]
    assert subprocess.run(check, cwd=target, timeout=60, check=False).returncode == 0


def test_an_old_folder_of_ours_is_replaced(write: Write, target: Path) -> None:
    write(stored(f"{HERE}/old"), stored(f"{HERE}/both"))
    target.chmod(0o700)
    write(stored(f"{HERE}/new"), stored(f"{HERE}/both"))
    assert set(files_in(target)) == {"a.example/both.md", "a.example/new.md"}
    assert beside(target) == [target.name]
    assert target.stat().st_mode & 0o777 == 0o700


def test_an_empty_folder_is_anybodys(write: Write, target: Path) -> None:
    target.mkdir()
    assert write(stored(f"{HERE}/")).lines == 1


def test_a_folder_of_somebody_is_left_alone(write: Write, target: Path) -> None:
    target.mkdir()
    (target / "mine.md").write_text("mine")
    with pytest.raises(UsageError, match="was not written by this program"):
        write(stored(f"{HERE}/"))
    with pytest.raises(UsageError, match="was not written by this program"):
        check_target(f"{target}/")
    assert (target / "mine.md").read_text() == "mine"
    assert beside(target) == [target.name]


@pytest.mark.parametrize("name", ["mine.md", "a.example/mine.md", "a.example/b/c/mine.md"])
def test_so_is_a_file_that_somebody_put_into_ours(write: Write, target: Path, name: str) -> None:
    write(stored(f"{HERE}/"))
    before = read_manifest(target)
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("mine")
    with pytest.raises(UsageError, match=name):
        write(stored(f"{HERE}/"))
    (target / name).unlink()
    assert read_manifest(target) == before


def test_a_link_in_it_is_neither_followed_nor_lost(
    write: Write, target: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").touch()
    write(stored(f"{HERE}/"))
    (target / "link").symlink_to(mine)
    with pytest.raises(UsageError, match="link"):
        write(stored(f"{HERE}/"))
    assert (mine / "file").exists()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_target_that_is_no_folder_is_refused(target: Path, write: Write, kind: str) -> None:
    if kind == "file":
        target.touch()
    else:
        target.symlink_to(target.parent)
    with pytest.raises(UsageError, match="it is no folder"):
        write(stored(f"{HERE}/"))


def test_a_link_in_the_way_of_the_new_one_is_not_followed(
    write: Write, target: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    target.with_name(f".{target.name}.part").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match="can't write"):
        write(stored(f"{HERE}/"))
    assert (tmp_path / "mine" / "file").exists()


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    store = make_store(tmp_path / "pages.db", [])
    with pytest.raises(UsageError, match="No such file"):
        write_markdown(Job(pages_db=store, target=tmp_path / "no" / "corpus.md"))


def test_another_process_is_writing_it(write: Write, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    part.mkdir()
    descriptor = os.open(part, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(UsageError, match="another process"):
            write(stored(f"{HERE}/"))
    finally:
        os.close(descriptor)
    assert write(stored(f"{HERE}/")).lines == 1
    assert beside(target) == [target.name]


def test_a_failure_leaves_the_old_folder(
    write: Write, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(stored(f"{HERE}/old"))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.Folder, "write", fail)
    with pytest.raises(StorageError, match="No space left"):
        write(stored(f"{HERE}/new"))
    assert set(files_in(target)) == {"a.example/old.md"}
    assert beside(target) == [target.name]


def test_a_failing_rename_brings_the_old_folder_back(
    write: Write, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(stored(f"{HERE}/old"))
    rename = Path.rename

    def fail(path: Path, to: Path) -> Path:
        if path.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StorageError, match="Input/output"):
        write(stored(f"{HERE}/new"))
    assert set(files_in(target)) == {"a.example/old.md"}
    assert beside(target) == [target.name]


STEPS = {
    "while it is written": ("folder.Folder.write = die", {"part", "old"}),
    "before it takes its place": ("swap._swap = die", {"part", "old"}),
    "between the two steps": (
        "rename = Path.rename\n"
        "Path.rename = lambda path, to: "
        "die() if path.name.endswith('.part') else rename(path, to)",
        {"part", "aside"},
    ),
    "before the old one is gone": ("swap.shutil.rmtree = die", {"new", "aside"}),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_process_leaves_the_old_or_the_new(
    write: Write, target: Path, tmp_path: Path, step: str
) -> None:
    code, left = STEPS[step]
    old = make_store(tmp_path / "old.db", [stored(f"{HERE}/old")])
    new = make_store(tmp_path / "new.db", [stored(f"{HERE}/new")])
    write_markdown(Job(pages_db=old, target=target))
    killed = python(KILLED.replace("STEP", code), str(new), str(target))
    assert killed.code == -signal.SIGKILL, killed
    names = {".corpus.md.part": "part", ".corpus.md.old": "aside"}
    found = {names.get(name, "") for name in beside(target)} - {""}
    if target.exists():
        [text] = files_in(target)
        found.add(text.removeprefix("a.example/").removesuffix(".md"))
    assert found == left
    [written] = write_markdown(Job(pages_db=new, target=target))
    assert written.sha256 == read_manifest(target).sha256
    assert set(files_in(target)) == {"a.example/new.md"}
    assert beside(target) == [target.name]


def test_it_is_on_the_disk_before_it_has_its_name(
    write: Write, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    synced, renamed = folders.sync_all, swap.sync_folder

    def sync_all(part: Path) -> None:
        assert sorted(path.name for path in part.iterdir()) == ["a.example", MANIFEST]
        seen.append((part.name, target.exists()))
        synced(part)

    def sync_folder(folder: Path) -> None:
        seen.append((folder.name, target.exists()))
        renamed(folder)

    monkeypatch.setattr(folders, "sync_all", sync_all)
    monkeypatch.setattr(swap, "sync_folder", sync_folder)
    write(stored(f"{HERE}/"))
    assert seen == [(f".{target.name}.part", False), (target.parent.name, True)]


def test_a_file_is_written_once_and_through_nothing(target: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    with replacing_folder(target, "one") as folder:
        target.with_name(f".{target.name}.part").joinpath("one").symlink_to(mine)
        with pytest.raises(FileExistsError):
            folder.write("one", b"theirs")
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_modes_are_those_of_the_umask(write: Write, target: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write(stored(f"{HERE}/"))
    finally:
        os.umask(before)
    for path in (target, *target.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask
