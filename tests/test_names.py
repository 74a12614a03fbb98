"""Names of files for URLs can do no harm, and no two URLs have the same."""

import re
import string
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncmultispider.outputs.names import (
    LONGEST,
    LONGEST_FOLDERS,
    candidates,
    ending_of,
    reference,
)
from asyncmultispider.urls import canonicalize

DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
HASH = re.compile(r"~[0-9a-f]{16}\.")
WORDS = r"""
.. . %2e%2e %2E %2f %5c \ / // con NUL.txt com1 ~ ? ?a=1 #f a A a.html .html .htaccess -rf %00 é 😀
index index.html <b> : | * " ' $(x) ` desktop.ini a. ; & ~1 aux.html/ a~0123456789abcdef
"""
NAMES = """
a.example A.EXAMPLE:8080 [::1] [2001:db8::1]:81 127.0.0.1 x_http x_http_80 con.example index.html
a.sha256 bücher.example a.example. -a- u:p@b.example a+b.example _._
"""
PIECES = st.sampled_from([*WORDS.split(), " ", "\0", "e\u0301", "x" * 300, "a/" * 40])
PATHS = st.lists(PIECES | st.text(max_size=5), max_size=12).map("".join)
HOSTS = st.sampled_from([*NAMES.split(), f"{'a.' * 120}example"])
SCHEMES = st.sampled_from(["http", "https"])
ENDINGS = st.sampled_from(["html", "md", "png", "txt", "bin"])


@st.composite
def urls(draw: st.DrawFn) -> str:
    text = f"{draw(SCHEMES)}://{draw(HOSTS)}/{draw(PATHS)}"
    try:
        return canonicalize(text)
    except ValueError:
        return canonicalize(f"https://a.example/{draw(st.text(string.ascii_letters, max_size=5))}")


def first(url: str, ending: str = "html") -> str:
    return next(candidates(url, ending))


def check(name: str, ending: str) -> None:
    """Everything that has to hold for a name."""
    assert name.isascii()
    assert not set(name) - set(string.ascii_letters + string.digits + "._~%+,=@()-/")
    *folders, file = name.split("/")
    assert folders
    assert file.endswith(f".{ending}")
    for part in (*folders, file):
        assert 0 < len(part) <= LONGEST
        assert part[0] not in ".-"
        assert part[-1] != "."
        assert not DEVICE.match(part)
    assert len("/".join(folders)) <= LONGEST_FOLDERS
    assert all(not folder.lower().endswith((".html", ".md", ".txt", ".png")) for folder in folders)


@given(urls(), ENDINGS)
@example("https://a.example/../../etc/passwd", "html")
@example("https://a.example/" + "x" * 99 + ".", "html")
@example("https://a.example/" + "x" * 99 + "./y", "html")
def test_every_name_is_safe(url: str, ending: str) -> None:
    names = list(candidates(url, ending))
    for name in names:
        check(name, ending)
    assert len(set(names)) == len(names)
    assert sum(len(HASH.findall(name)) for name in names) == 1


@given(st.text(), ENDINGS)
def test_so_is_that_of_any_text(text: str, ending: str) -> None:
    for name in candidates(f"https://a.example/{text}", ending):
        check(name, ending)


@given(st.lists(urls(), min_size=2, max_size=30, unique=True))
def test_those_with_a_hash_are_nobody_elses(many: list[str]) -> None:
    marked = [list(candidates(url, "html"))[-1].casefold() for url in many]
    plain = {first(url).casefold() for url in many} - set(marked)
    assert len(set(marked)) == len(many)
    assert plain.isdisjoint(marked)


@given(urls(), urls())
def test_references_lead_there(one: str, other: str) -> None:
    start, name = first(one), first(other)
    base = "file:///mirror/" + "/".join(part.replace("%", "%25") for part in start.split("/"))
    there = canonicalize(reference(name, start), base)
    assert there == canonicalize(
        "file:///mirror/" + name.replace("%", "%25").replace("(", "%28").replace(")", "%29")
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("https://a.example/", "a.example/index.html"),
        ("http://a.example/", "a.example_http/index.html"),
        ("http://a.example:8080/", "a.example_http_8080/index.html"),
        ("https://a.example:8080/", "a.example_https_8080/index.html"),
        ("https://a.example/docs/", "a.example/docs/index.html"),
        ("https://a.example/docs", "a.example/docs.html"),
        ("https://a.example/docs.html", "a.example/docs.html"),
        ("https://a.example/docs.htm", "a.example/docs.html"),
        ("https://a.example/docs.php", "a.example/docs.php.html"),
        ("http://a.example:8080/x", "a.example_http_8080/x.html"),
        ("https://a.example/list?page=2", "a.example/list_page=2~2a90a9b35ba3bef1.html"),
        ("https://a.example/caf%C3%A9/%E4%BD%A0", "a.example/caf%C3%A9/%E4%BD%A0.html"),
        ("https://a.example/~user/Foo_(bar)", "a.example/~user/Foo_(bar).html"),
    ],
)
def test_what_a_reader_expects(path: str, name: str) -> None:
    assert first(path) == name


@pytest.mark.parametrize(
    ("url", "pattern"),
    [
        ("https://a.example/list?page=2", r"a\.example/list_page=2~[0-9a-f]{16}\.html"),
        ("https://a.example/?", r"a\.example/index~[0-9a-f]{16}\.html"),
        ("https://a.example/a.html/b", r"a\.example/a\.html_/b~[0-9a-f]{16}\.html"),
        ("https://a.example/con/NUL.txt", r"a\.example/_con/_NUL\.txt~[0-9a-f]{16}\.html"),
        ("https://a.example/.git/config", r"a\.example/_git/config~[0-9a-f]{16}\.html"),
        ("https://a.example//b", r"a\.example/_/b~[0-9a-f]{16}\.html"),
        ("https://[::1]/b", r"_-1/b~[0-9a-f]{16}\.html"),
    ],
)
def test_what_was_lost_is_in_the_hash(url: str, pattern: str) -> None:
    assert re.fullmatch(pattern, first(url))


def test_deep_folders_are_folded() -> None:
    url = "https://a.example/" + "d/" * 1000
    assert first(url).count("/") <= 32
    assert first(url) != first(url + "d/")


def test_a_login_is_in_no_name() -> None:
    assert "secret" not in "".join(candidates("https://user:secret@a.example/", "html"))


@pytest.mark.parametrize(
    ("path", "kind", "ending"),
    [
        ("/logo.PNG", "image/png", "png"),
        ("/logo", "image/png", "png"),
        ("/logo.php", "image/png", "png"),
        ("/photo.jpeg", "image/jpeg", "jpeg"),
        ("/s.php", "text/css", "css"),
        ("/s.css", "text/css", "css"),
        ("/s.css", "text/plain", "txt"),
        ("/a.js", "text/javascript", "txt"),
        ("/a.js", "application/javascript", "txt"),
        ("/a.js", None, "bin"),
        ("/a.svg", "image/svg+xml", "txt"),
        ("/a.png", "image/svg+xml", "txt"),
        ("/feed.xml", "application/rss+xml", "txt"),
        ("/page.html", "application/octet-stream", "bin"),
        ("/page.xhtml", "application/octet-stream", "bin"),
        ("/desktop.ini", "text/plain", "txt"),
        ("/desktop.ini", None, "bin"),
        ("/setup.exe", "application/octet-stream", "bin"),
        ("/paper.pdf", "application/octet-stream", "pdf"),
        ("/a.tar.gz?x=1", "application/x-gzip", "gz"),
    ],
)
def test_endings_are_harmless(path: str, kind: str | None, ending: str) -> None:
    assert ending_of(f"https://a.example{path}", kind) == ending


def test_the_order_is_from_plain_to_certain() -> None:
    names = list(candidates("https://a.example/a", "html"))
    assert names[0] == "a.example/a.html"
    assert all(len(one) < len(other) for one, other in pairwise(names))
