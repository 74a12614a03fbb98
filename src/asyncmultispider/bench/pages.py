"""The pages of the built-in site. Pure; what can be made once is made once."""

from collections.abc import Iterator

from asyncmultispider.bench.plan import Site

VOCABULARY = (
    "about after again answer begin book build carry city clear crawl door early every fetch field "
    "first follow garden glass great hand house judge known large letter light link measure night "
    "number open order page paper people place quiet reason rest river round school second send "
    "short small sound start stone store story table thread tree turn under wait water world year"
)
PARAGRAPH = 12
VARIETY = 100_000
"""Bytes after which the text repeats."""


class Pages:
    """The site's answers, by path: `/` and one for each number, `/000000` and so on."""

    def __init__(self, site: Site) -> None:
        self._site = site
        anchors = [b'<a href="/%06d">page %06d</a>\n' % (n, n) for n in range(site.pages)]
        self._width = len(anchors[0])
        self._anchors = b"".join(anchors)
        self._links = min(site.links, site.pages - 1)
        self._twice = self._anchors + self._anchors[: self._links * self._width]
        self._text = _text(site.size)
        self._start = _answer(b"<!doctype html>\n<title>Start</title>\n" + self._anchors)

    def answer(self, path: str) -> tuple[float, bytes]:
        """Seconds to wait, and the response as it goes over the wire."""
        if path == "/":
            return 0.0, self._start
        number = path[1:]
        if len(number) != 6 or not number.isdecimal() or int(number) >= self._site.pages:
            return 0.0, NOT_FOUND
        latency = self._site.latency
        return latency[int(number) % len(latency)], _answer(self._html(int(number)))

    def _html(self, number: int) -> bytes:
        head = b"<!doctype html>\n<title>Page %06d</title>\n" % number
        begin = (number + 1) % self._site.pages * self._width
        links = self._twice[begin : begin + self._links * self._width]
        return head + links + self._text[: max(0, self._site.size - len(head) - len(links))]


def _answer(html: bytes, status: bytes = b"200 OK") -> bytes:
    return (
        b"HTTP/1.1 %b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
        % (status, len(html), html)
    )


NOT_FOUND = _answer(b"not found", b"404 Not Found")


def _text(size: int) -> bytes:
    """So many bytes of paragraphs."""
    some, length = [], 0
    for paragraph in _paragraphs():
        if length >= min(size, VARIETY):
            break
        some.append(paragraph)
        length += len(paragraph)
    text = b"".join(some)
    return (text * (size // max(length, 1) + 1))[:size]


def _paragraphs() -> Iterator[bytes]:
    state, choice = 1, VOCABULARY.split()
    while True:
        words = []
        for _ in range(PARAGRAPH):
            state = (1_103_515_245 * state + 12_345) % 2**31  # always the same text
            words.append(choice[(state >> 16) % len(choice)])
        yield b"<p>%b.</p>\n" % " ".join(words).encode()
