"""`Page.markdown` of pages that have killed the process, or would like to be HTML in it."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from test_page import page

ROW = "<tr><td>E021-05</td><td>OCTET_LENGTH function, with words</td><td>&nbsp;</td></tr>"


def test_a_table_that_is_the_main_content_is_whole() -> None:
    """turbohtml 1.15.4 crashes at a blank cell in a copy of a `tbody` or `tr` without its table."""
    head = "<thead><tr><th>Identifier</th><th>Description</th><th>Comment</th></tr></thead>"
    it = page(f"<div><p>Features.</p></div><table>{head}<tbody>{ROW * 300}</tbody></table>")
    assert it.document is not None
    content = it.document.main_content()
    assert content is not None
    assert content.tag == "tbody", "else this tests nothing"
    lines = it.markdown.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:3]] == ["Identifier", "Description"]
    assert len([line for line in lines if "OCTET\\_LENGTH" in line]) == 300


WORDS = ("word", "two words", "a|b", "<i onclick=1>x</i>", "&lt;script&gt;", "&lt;table&gt;")
TABLE = ("table", "tr", "td", "th", "tbody", "thead", "tfoot", "caption", "colgroup")
OTHERS = (
    *("p", "div", "ul", "li", "a href=x", "img src=y onerror=z", "script", "style", "template"),
    *("b", "pre", "code", "h2", "br", "hr", "details", "svg", "math", "iframe src=q", "form"),
)
OPENED = st.sampled_from([f"<{tag}>" for tag in (*TABLE, *OTHERS)])
CLOSED = st.sampled_from([f"</{tag.split()[0]}>" for tag in (*TABLE, *OTHERS)])
CODE = re.compile(r"(`+).*?\1", re.DOTALL)
TAG = re.compile(r"(?<!\\)<(?!https?://|mailto:|/?(?:em|strong|code|br|sup|sub|del)>)[a-z/!]", re.I)
"""What could be HTML. Emphasis that Markdown can't say is written as tags without attributes."""


@given(st.lists(st.one_of(OPENED, OPENED, CLOSED, st.sampled_from(WORDS)), max_size=40))
@example(["<table>", "<tr>", "<th>", "H", "<tr>", "<td>", "a", "<td>", "<img src=x onerror=z>"])
@example(["<table>", "<tr>", "<td>", "a", "<thead>", "<tr>", "<td>", "<script>", "alert(1)"])
@settings(max_examples=150, deadline=None)
def test_no_tag_of_a_page_is_left(pieces: list[str]) -> None:
    for soup in ("".join(pieces), f"<table>{''.join(pieces)}</table>"):
        assert not TAG.search(CODE.sub("", page(soup).markdown))


def test_a_table_that_would_become_endless_is_flat() -> None:
    wide = "<tr>" + "<td>x" * 2_000 + "</tr>"
    narrow = "<tr><td>short</td></tr>" * 2_000
    text = page(f"<main><h1>T</h1><table>{wide}{narrow}</table></main>").markdown
    assert text.count("short") == 2_000
    assert len(text) < 40_000
