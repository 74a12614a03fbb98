"""A document as Markdown: its main content, with absolute links."""

from collections.abc import Callable
from copy import deepcopy

from turbohtml import Document, Element, Markdown

# No HTML as it was written: it could run code where it is shown. It would stand for what is in a
# cell, and for tables with cells of more than one row or column.
_OPTIONS = Markdown(tables=Markdown.Tables(cell_blocks="text"))
_FLAT = Markdown(tables=Markdown.Tables(mode="strip"))
MOST_CELLS = 100_000
"""Cells that are added to rows that have fewer than others; tables that want more are flat."""
ENOUGH = 0.9
"""Share of a page's plain text that its main content has at least."""
MOST_STEPS = 16
_NOT_PLAIN = "a, nav, script, style, noscript, footer, aside, form"


def to_markdown(document: Document, absolute: Callable[[str], str]) -> str:
    """The main content, or all of it where none stands out. `absolute` makes URLs so.

    Of what has an empty URL then, the text stays. Columns of tables are not aligned
    (`Markdown.Tables.pad`): the result is not much longer than the document.
    """
    whole = deepcopy(document)  # as links are changed in it; an element alone has crashed turbohtml
    content = _main(whole) or whole
    if isinstance(content, Element) and content.tag in ("tbody", "tr"):
        content = content.closest("table") or content  # its head belongs to it
    for element in content.select("a[href], img[src]"):
        name = "href" if element.tag == "a" else "src"
        url = absolute(element.attr(name) or "")
        if url:
            element.attrs[name] = url
        else:
            del element.attrs[name]
    for unseen in content.select("script, style, template"):
        unseen.decompose()
    for cell in content.select("[colspan], [rowspan]"):
        for name in ("colspan", "rowspan"):
            cell.attrs.pop(name, None)
    return content.to_markdown(_OPTIONS if _fill_rows(content) else _FLAT)


def _main(document: Document) -> Element | None:
    """What the page calls its main part, or what looks like it.

    The best of several sections is not all of a chapter: what looks like the main part is the
    smallest that has `ENOUGH` of the plain text, that of no links, navigation and the like.
    """
    said = document.select("main, [role=main]")
    if len(said) == 1 and said[0].text.strip():
        return said[0]
    content, body = document.main_content(), document.select_one("body")
    if content is None or body is None:
        return content
    enough = ENOUGH * _plain(body)
    for _ in range(MOST_STEPS):  # of a hostile page each takes its time
        parent = content.parent
        if content is body or _plain(content) >= enough or not isinstance(parent, Element):
            break
        content = parent
    return content


def _fill_rows(content: Document | Element) -> bool:
    """Give all rows of a table as many cells, or it would be written as HTML; False: too many."""
    left = MOST_CELLS
    itself = [content] if isinstance(content, Element) and content.tag == "table" else []
    for table in [*itself, *content.select("table")]:
        for head in _children(table, "thead", "tbody", "tfoot")[1:]:
            if head.tag == "thead":  # only the first rows can be the head
                head.unwrap()
        rows = [(row, len(_children(row, "td", "th"))) for row in _rows_of(table)]
        widest = max((count for _, count in rows), default=0)
        left -= sum(widest - count for _, count in rows)
        if left < 0:
            return False
        for row, count in rows:
            for _ in range(widest - count):
                row.append(Element("td"))
    return True


def _rows_of(table: Element) -> list[Element]:
    groups = [table, *_children(table, "tbody", "thead", "tfoot")]
    return [row for group in groups for row in _children(group, "tr")]


def _children(element: Element, *tags: str) -> list[Element]:
    return [each for each in element.children if isinstance(each, Element) and each.tag in tags]


def _plain(element: Element) -> int:
    """Characters of plain text, about: what is in two of the others counts twice against it."""
    return len(element.text) - sum(len(inner.text) for inner in element.select(_NOT_PLAIN))
