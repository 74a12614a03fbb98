"""The gist of a page: what it says, without what its own address says already.

The pages of a calendar, of endless directories or of an empty list differ in numbers and names that
stand in their URLs and in their links. Without these they are the same.
"""

import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import unquote

from turbohtml import Document
from xxhash import xxh3_64_intdigest

from asyncmultispider.page.outlier import is_outlier
from asyncmultispider.page.page import Page
from asyncmultispider.traps import LONGEST, family
from asyncmultispider.urls import canonicalize

LARGEST = 1_000_000
"""Bytes of a page beyond which its gist is that of its bytes: traps are made of small pages."""
WEIGHED = 32_768
"""Characters of text of which each word is weighed; what follows counts as it stands."""
HREFS = 500
"""Links and images that are looked at."""
SHORT = 8
"""Letters of a word in a URL that may hold a number, such as `day5`."""
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"[0-9]+")
_UNSEEN = ("script", "style")
_MEDIA = ("img", "source", "audio", "video", "embed")


def gist(page: Page) -> int:
    """A number of 64 bits (XXH3): equal for pages that say the same, by all likelihood only then.

    It is that of the words and numbers of the text in their order, but for the numbers that are in
    the page's URL or its links, for the words in its URL, and for those in links to pages of its
    family in its own directory; with the addresses of images. That of other content, and of pages
    that are not to be parsed here (`is_outlier`), is its hash.
    """
    document = None if len(page.body) > LARGEST or is_outlier(page.body) else page.document
    if document is None:
        return xxh3_64_intdigest(page.body)
    text, rest = _text(document)
    words = [word if word[0] != "0" else _plain(word) for word in _WORD.findall(text)]
    if not words:  # such a page may say all in a script
        return xxh3_64_intdigest(page.body)
    told = _told(page)
    left = " ".join([word for word in words if word not in told])
    said = "\n".join([left, rest, *_media(document)])
    return xxh3_64_intdigest(said.encode(errors="surrogatepass"))


def _text(document: Document) -> tuple[str, str]:
    """The text to weigh, case-folded, and what comes after it."""
    unseen = {element.text for element in document.iter_elements(_UNSEEN)}
    text = " ".join([piece for piece in document.stripped_strings if piece not in unseen])
    return text[:WEIGHED].casefold(), text[WEIGHED:]


def _media(document: Document) -> Iterator[str]:
    for element in islice(document.iter_elements(_MEDIA), HREFS):
        yield element.attr("src") or ""
        yield element.attr("data-src") or ""


def _told(page: Page) -> set[str]:
    """The words and numbers that the page's URL and its links say."""
    origin = page.url[: page.url.index("/", 8)]
    links = [link[len(origin) :] for link in _links(page) if link.startswith(f"{origin}/")]
    own = page.url[len(origin) :]
    directory = own[: own.partition("?")[0].rindex("/") + 1]
    relatives = family(page.url)
    near = [
        link
        for link in links
        if link.startswith(directory) and family(f"{origin}{link}") == relatives
    ]
    words = set(_words([own, *near]))
    numbered = [link for link in links if _NUMBER.search(link)]
    numbers = {part for word in _words(numbered) for part in _numbers(word)}
    return words | numbers | {part for word in words for part in _numbers(word)}


def _links(page: Page) -> Iterator[str]:
    for href in islice(page.facts.anchors, HREFS):
        if len(href) > LONGEST:
            continue
        try:
            yield canonicalize(page.encoded(href), page.base)
        except ValueError:
            continue


def _words(urls: list[str]) -> list[str]:
    return [_plain(word) for word in _WORD.findall(unquote("\n".join(urls)).casefold())]


def _numbers(word: str) -> list[str]:
    """The numbers in a word of a URL, with those in a date; none of a long id."""
    if word.isdecimal():
        year = [word[:4], word[4:6], word[6:]] if len(word) in (6, 8) else []
        return [word, *map(_plain, year)]
    return [_plain(part) for part in _NUMBER.findall(word)] if len(word) <= SHORT else []


def _plain(word: str) -> str:
    """05 is 5."""
    return word.lstrip("0") or "0"
