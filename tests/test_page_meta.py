"""`Page.meta`: what a page says of itself."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.model import Request
from asyncmultispider.page import Page
from asyncmultispider.page.meta import Meta
from asyncmultispider.testing import reply

URL = "http://a.example/dir/page"
DAY = datetime(2024, 5, 6, tzinfo=UTC)


def meta(body: str, content_type: str = "text/html; charset=utf-8", **headers: str) -> Meta:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    response = reply(body, content_type=content_type, headers=fields)
    return Page(Request(id=1, url=URL, host="a.example"), response).meta


def ld(*values: object) -> str:
    texts = (value if isinstance(value, str) else json.dumps(value) for value in values)
    return "".join(f"<script type='application/ld+json'>{text}</script>" for text in texts)


def test_a_page_that_says_nothing() -> None:
    assert meta("<p>x") == Meta()
    assert meta("") == Meta()
    assert meta("x", "text/plain", content_language="fr") == Meta(language="fr")


def test_a_page_that_says_all() -> None:
    it = meta(
        "<html lang=en-GB><link rel=canonical href=/real>"
        "<meta name=Description content=' Of  books\n and &lt;b&gt; '>"
        "<meta name=author content=Jo><meta name=keywords content='a, b,, a'>"
        "<meta property=og:title content='The title'><meta property=og:title content=Second>"
        "<meta property=article:published_time content=2024-05-06T10:00:00+02:00>"
        "<meta property=article:modified_time content=2024-05-06>"
    )
    assert it.description == "Of books and <b>"
    assert it.canonical == "http://a.example/real"
    assert it.language == "en-GB"
    assert it.author == "Jo"
    assert it.keywords == ("a", "b")
    assert it.open_graph["og:title"] == "The title"
    assert it.published == datetime(2024, 5, 6, 10, tzinfo=timezone(timedelta(hours=2)))
    assert it.modified == DAY


@pytest.mark.parametrize(
    ("body", "header", "language"),
    [
        ("<html lang=de>", "fr", "de"),
        ("<meta http-equiv=content-language content=de>", "fr", "de"),
        ("<html lang=''>", "fr", "fr"),
    ],
)
def test_language(body: str, header: str, language: str) -> None:
    assert meta(body, content_language=header).language == language


@pytest.mark.parametrize(
    "body",
    [
        ld({"@type": "Article", "datePublished": "2024-05-06"}),
        ld({"@graph": [{"@type": "WebSite"}, {"datePublished": "2024-05-06"}]}),
        ld([{"x": 1}, {"mainEntity": {"datePublished": "2024-05-06T00:00:00Z"}}]),
        ld({"datePublished": None, "x": {"datePublished": "2024-05-06"}}),
        "<meta itemprop=datePublished content=2024-05-06>",
        "<meta name=DC.date.issued content=2024-05-06>",
        "<meta name=date content='no date'><time datetime=2024-05-06>",
        "<time datetime=PT1H></time><time datetime=' 2024-05-06 '>",
        "<time datetime=2020></time><time itemprop='x datePublished' datetime=2024-05-06>",
        "<time datetime=2020></time><time pubdate datetime=2024-05-06>",
        "<time itemprop=dateModified datetime=2020></time><time datetime=2024-05-06>",
        ld({"datePublished": "2024-05-06"}) + "<meta name=date content=2020>",
        "<meta name=date content='Mon, 06 May 2024 00:00:00 GMT'>",
    ],
)
def test_when_it_was_published(body: str) -> None:
    assert meta(body).published == DAY


def test_when_it_was_modified() -> None:
    assert meta(ld({"dateModified": "2024-05-06"})).modified == DAY
    assert meta("<time itemprop=dateModified datetime=2024-05-06>").modified == DAY
    assert meta("<meta http-equiv=last-modified content=2024-05-06>").modified == DAY
    assert meta("<time datetime=2024-05-06>").modified is None


@pytest.mark.parametrize(
    "author",
    ["Jo", {"name": "Jo"}, [{"name": " Jo "}, {"name": "Al"}], [None, 3, {"name": ""}, "Jo"]],
)
def test_the_author_in_json_ld(author: object) -> None:
    assert meta(ld({"author": author})).author == "Jo"


# JSON-LD


def test_json_ld_is_a_list_of_objects() -> None:
    one, two = {"@type": "A", "n": [1, 2.5, None, "é"]}, {"@type": "B"}
    assert meta(ld(one, [two, "text", 3], "not json", 4, two)).json_ld == [one, two, two]
    assert meta("<script>{}</script><script type=application/json>{}</script>").json_ld == []
    found = meta("<script type='Application/LD+JSON; charset=utf-8'>\n{}\n</script>").json_ld
    assert found == [{}]


def test_line_ends_in_strings_are_no_harm() -> None:
    assert meta(ld('{"a": "b\nc"}')).json_ld == [{"a": "b\nc"}]
    assert meta(ld('{"a": NaN, "b": "\n"}')).json_ld == [{"a": None, "b": "\n"}]


@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 100_000,
        "[" * 5_000 + "]" * 5_000,
        '{"a":' * 80 + "1" + "}" * 80,
        '{"a": 1' + "0" * 10_000 + "}",
        '{"a": "\\ud800"}',
        '{"a": "' + "x" * 1_100_000 + '"}',
        '{"a": 1} {"b": 2}',
    ],
    ids=range(7),
)
def test_json_ld_that_is_none_or_too_much_is_left_out(text: str) -> None:
    it = meta(ld(text, {"good": 1}))
    assert it.json_ld == [{"good": 1}]


def test_a_page_may_not_say_too_much() -> None:
    many = "".join(f"<meta property=og:x{n} content={n}>" for n in range(5000))
    lists = ld(*["[" + "{}," * 2000 + "{}]"] * 3)
    it = meta(many + f"<meta name=author content={'x' * 100_000}>" + lists)
    assert len(it.open_graph) <= 500
    assert it.author is None  # it came too late
    assert len(it.json_ld) == 1000
    assert len(meta(f"<meta name=author content={'x' * 100_000}>").author or "") == 10_000


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_in_it_can_be_written_down(name: str, value: str) -> None:
    quoted = value.replace("&", "&amp;").replace('"', "&quot;")
    it = meta(
        f'<html lang="{quoted}"><meta name=description content="{quoted}">'
        f'<meta property="og:{name}" content="{quoted}"><time datetime="{quoted}">'
        + ld(json.dumps({"author": value, "datePublished": value}).replace("<", "\\u003c"))
    )
    json.dumps([it.description, it.author, it.open_graph, it.json_ld]).encode()
    for text in (it.description, it.language, it.author, *it.open_graph.values()):
        assert text is None or text == " ".join(text.split())
        assert (text or "").encode().decode() == (text or "")
