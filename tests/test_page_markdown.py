"""`Page.markdown` of pages that have killed the process."""

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
