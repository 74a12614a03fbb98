"""A document as Markdown: its main content, with absolute links."""

from collections.abc import Callable
from copy import deepcopy

from turbohtml import Document, Element, Markdown

# No HTML as it was written: it could run code where it is shown. It would stand for what is in a
# cell, and for tables with cells of more than one row or column.
_OPTIONS = Markdown(tables=Markdown.Tables(cell_blocks="text"))


def to_markdown(document: Document, absolute: Callable[[str], str]) -> str:
    """The main content, or all of it where none stands out. `absolute` makes URLs so.

    Of what has an empty URL then, the text stays. Columns of tables are not aligned
    (`Markdown.Tables.pad`): the result is not much longer than the document.
    """
    whole = deepcopy(document)  # as links are changed in it; an element alone has crashed turbohtml
    content = whole.main_content() or whole
    if isinstance(content, Element) and content.tag in ("tbody", "tr"):
        content = content.closest("table") or content  # its head belongs to it
    for element in content.select("a[href], img[src]"):
        name = "href" if element.tag == "a" else "src"
        url = absolute(element.attr(name) or "")
        if url:
            element.attrs[name] = url
        else:
            del element.attrs[name]
    for cell in content.select("[colspan], [rowspan]"):
        for name in ("colspan", "rowspan"):
            cell.attrs.pop(name, None)
    return content.to_markdown(_OPTIONS)
