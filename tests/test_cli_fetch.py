"""`fetch` with its parts and with a spider's handler, as processes."""

import json
from pathlib import Path

import pytest

from command import complaint, run
from webserver import Site

EVIL = "\x1b]0;pwned\x07\u202e\x9b5m"
PAGE = (
    "<html lang=en><title>Books</title><meta name=description content='All of them'>"
    "<nav><a href=/menu>menu</a></nav><main><h1>Two\n  books</h1>"
    "<p class=book>One <a href=/1>first</a></p><p class=book>Two <a href='/2?x'>second</a></p>"
    "<img src=/i.png alt=pic></main>"
)


@pytest.fixture
def url(site: Site) -> str:
    site.page("/", PAGE, headers=[("X-Twice", "a"), ("X-Twice", "b")])
    return site.url()


# Parts


def test_css_prints_a_line_for_each_match(url: str) -> None:
    ended = run("fetch", url, "--css", ".book, h1")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "Two books\nOne first\nTwo second\n"


def test_a_match_without_text_is_shown_as_html(url: str) -> None:
    assert run("fetch", url, "--css", "img").out == '<img src="/i.png" alt="pic">\n'


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ("//main//a/@href", "/1\n/2?x\n"),
        ("//h1", "Two books\n"),
        ("count(//p)", "2\n"),
        ("count(//h5)", "0\n"),
        ("boolean(//h5)", "false\n"),
        ("string(//title)", "Books\n"),
        ("//p/text()", "One\nTwo\n"),
    ],
)
def test_xpath(url: str, expression: str, out: str) -> None:
    ended = run("fetch", url, "--xpath", expression)
    assert (ended.code, ended.out, ended.err) == (0, out, "")


def test_links_and_headers_are_lines(site: Site, url: str) -> None:
    assert run("fetch", url, "--links").out.split() == [
        site.url("/menu"),
        site.url("/1"),
        site.url("/2?x"),
    ]
    lines = run("fetch", url, "--headers").out.splitlines()
    assert "content-type: text/html; charset=utf-8" in lines
    assert [line for line in lines if "twice" in line] == ["x-twice: a", "x-twice: b"]


def test_markdown_is_the_main_content(site: Site) -> None:
    words = "Words that make some sense, and more of them. " * 10
    site.page("/", f"<nav>menu</nav><main><h1>Head</h1><p>{words}<a href=x>link</a></main>")
    out = run("fetch", site.url(), "--markdown").out
    assert out.startswith("# Head\n\nWords that")
    assert f"[link]({site.url('/x')})" in out
    assert "menu" not in out


def test_several_parts_have_titles(url: str) -> None:
    ended = run("fetch", url, "--xpath", "//h1", "--css", "title", "--links")
    assert ended.code == 0
    parts = [part.splitlines()[0] for part in ended.out.split("\n\n")]
    assert parts == ["css title", "xpath //h1", "links"]
    assert "css title\n  Books\n\nxpath //h1\n  Two books\n\nlinks\n  http://" in ended.out


def test_nothing_that_matches_is_said_and_told_by_the_exit_code(url: str) -> None:
    assert ".no" in complaint("fetch", url, "--css", ".no", code=1)
    assert "//no" in complaint("fetch", url, "--xpath", "//no", code=1)
    ended = run("fetch", url, "--css", ".no", "--xpath", "//h1")
    assert ended.code == 1
    assert "Two books" in ended.out
    assert ".no" in ended.err


def test_a_bad_selector_is_refused_before_anything_is_fetched(site: Site, url: str) -> None:
    assert "'a['" in complaint("fetch", url, "--css", "a[")
    assert "'//a['" in complaint("fetch", url, "--xpath", "//a[")
    assert not site.requests


def test_a_redirect_is_told_and_not_followed(site: Site) -> None:
    site.redirect("/old", "/new")
    assert f"redirects to {site.url('/new')}" in run("fetch", site.url("/old")).out
    assert site.url("/new") in complaint("fetch", site.url("/old"), "--css", "h1", code=1)
    assert run("fetch", site.url("/old"), "--json").json["redirect"] == site.url("/new")
    assert {request.path for request in site.requests} == {"/old"}


# JSON


def test_json_has_everything(site: Site, url: str) -> None:
    found = run("fetch", url, "--json").json
    assert (found["url"], found["status"], found["redirect"]) == (url, 200, None)
    assert found["headers"]["x-twice"] == ["a", "b"]
    assert found["content_type"] == "text/html"
    assert found["charset"] == "utf-8"
    assert found["title"] == "Books"
    assert found["meta"]["description"] == "All of them"
    assert found["meta"]["language"] == "en"
    assert found["links"] == [site.url("/menu"), site.url("/1"), site.url("/2?x")]
    assert "Two books" in found["text"]
    assert "# Two books" in found["markdown"]


def test_json_has_what_was_asked_for(url: str) -> None:
    found = run("fetch", url, "--json", "--css", ".book a", "--xpath", "count(//p)").json
    assert set(found) == {"url", "status", "redirect", "css", "xpath"}
    assert found["css"][1] == {
        "text": "second",
        "html": '<a href="/2?x">second</a>',
        "attrs": {"href": "/2?x"},
    }
    assert found["xpath"] == 2
    assert run("fetch", url, "--json", "--xpath", "//a/@href").json["xpath"][0] == {"text": "/menu"}
    ended = run("fetch", url, "--json", "--css", ".no")
    assert (ended.code, json.loads(ended.out)["css"]) == (1, [])


def test_dates_are_iso_8601(site: Site) -> None:
    site.page("/", "<meta property=article:published_time content=2024-05-06>")
    found = run("fetch", site.url(), "--json").json
    assert found["meta"]["published"].startswith("2024-05-06T00:00:00")


@pytest.mark.parametrize(
    "options",
    [
        ["--css", "p"],
        ["--xpath", "//p/@title"],
        ["--xpath", "string(//p)"],
        ["--markdown"],
        ["--headers"],
        ["--links"],
        ["--json"],
        ["--css", "p", "--headers"],
    ],
    ids=" ".join,
)
def test_no_escape_gets_through(site: Site, options: list[str]) -> None:
    body = f"<title>{EVIL}</title><p title='{EVIL}'>{EVIL} x<a href='/{EVIL}'>{EVIL}</a>"
    site.page("/", body, headers=[("X-Evil", "\x9b5m")])
    ended = run("fetch", site.url(), *options, env={"PYTHONIOENCODING": "utf-8"})
    assert ended.code == 0, ended.err
    rest = ended.out.replace("\n", "")
    assert rest.isprintable(), ascii(rest)


def test_of_what_is_no_html_there_is_no_match(site: Site) -> None:
    site.page("/data", b"\x89PNG", content_type="image/png")
    for part in (["--css", "p"], ["--xpath", "//p"], ["--markdown"], ["--links"]):
        complaint("fetch", site.url("/data"), *part, code=1)


# A spider's handler

SPIDER = """
from asyncmultispider import Spider

spider = Spider("http://127.0.0.1/")

@spider.on("/")
def home(page):
    print("noise")
    yield {"title": page.css_first("title").text, "evil": chr(27)}
    yield from page.follow(css="p a", priority=2, data={"n": 1})

@spider.on("/async")
async def slow(page):
    yield {"status": page.status}
    for link in page.follow():
        yield link

@spider.on("/bad")
def bad(page):
    yield {"a": 1}
    raise KeyError("\\x1bmissing")

@spider.on("/gone", status=404)
def gone(page):
    return {"gone": page.url}

@spider.before_request
def sign(request):
    if request.url.endswith("/refused"):
        raise RuntimeError("no ticket")
    return {"X-Ticket": "yes"}
"""


@pytest.fixture
def spider(tmp_path: Path) -> Path:
    path = tmp_path / "books.py"
    path.write_text(SPIDER)
    return path


def test_a_handler_shows_what_it_yields(site: Site, url: str, spider: Path) -> None:
    ended = run("fetch", url, "--handler", spider)
    assert ended.code == 0, ended.err
    assert ended.out == '{"title": "Books", "evil": "\\u001b"}\n'
    lines = ended.err.splitlines()
    assert lines[:2] == ["noise", "handler home"], "what it prints is no data"
    assert lines[2:] == [
        f'follow {site.url(path)} priority 2 {{"data": {{"n": 1}}}}' for path in ("/1", "/2?x")
    ]
    assert site.requests[-1].headers["x-ticket"] == "yes"


def test_an_async_handler(site: Site, spider: Path) -> None:
    site.page("/async", "<a href=x>x</a><a rel=nofollow href=y>y</a><a href=//b.example/>z</a>")
    ended = run("fetch", site.url("/async"), "--handler", spider)
    assert ended.out == '{"status": 200}\n'
    followed = ended.err.splitlines()[1:]
    assert followed == [f"follow {site.url('/x')}", "follow http://b.example/"]


def test_an_exception_is_shown_with_its_traceback(site: Site, spider: Path) -> None:
    site.page("/bad", "x")
    ended = run("fetch", site.url("/bad"), "--handler", spider)
    assert (ended.code, ended.out) == (1, "")
    assert "handler bad" in ended.err
    assert "Traceback" in ended.err
    assert "in bad" in ended.err
    assert "KeyError" in ended.err
    assert ended.err.replace("\n", "").isprintable()


def test_so_is_one_of_a_hook(site: Site, spider: Path) -> None:
    ended = run("fetch", site.url("/refused"), "--handler", spider)
    assert (ended.code, ended.out) == (1, "")
    assert "no ticket" in ended.err
    assert not site.requests


def test_a_handler_for_a_status(site: Site, spider: Path) -> None:
    ended = run("fetch", site.url("/gone"), "--handler", spider)
    assert (ended.code, json.loads(ended.out)) == (0, {"gone": site.url("/gone")})


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/other", "none is for this page"),
        ("/missing", "http-404"),
        ("/moved", "redirects to"),
        ("/hidden", "noindex"),
    ],
)
def test_it_is_said_why_no_handler_is_called(site: Site, spider: Path, path: str, why: str) -> None:
    site.page("/other", "x")
    site.redirect("/moved", "/")
    site.page("/hidden", "<meta name=robots content=noindex>")
    assert why in complaint("fetch", site.url(path), "--handler", spider, code=1)


def test_what_goes_not_with_a_handler(url: str, spider: Path, tmp_path: Path) -> None:
    assert "--handler" in complaint("fetch", url, "--handler", spider, "--css", "p")
    assert "--handler" in complaint("fetch", url, "--handler", spider, "--json")
    assert "no.py" in complaint("fetch", url, "--handler", tmp_path / "no.py")
