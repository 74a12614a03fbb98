"""What the bookshop answers to a request. Nothing is kept: the same request has the same answer."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from asyncmultispider.demo.books import BOOKS, BY_PATH, LISTED, PAGE_LENGTH, Book

NAME = "The Quiet Shelf"
SESSION = "session=open-sesame"
"""The cookie of somebody who is logged in: `/login?name=reader&word=books` sets it."""
ORDERS = {2024: (3, 14, 15), 2025: (9, 26), 2026: (5, 35, 58)}
PAGES = -(-len(LISTED) // PAGE_LENGTH)
HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """What is sent."""

    body: bytes
    kind: str = HTML
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def answer(target: str, cookies: str, host: str) -> Answer:
    """The answer to a GET of this path and query."""
    path, _, query = target.partition("?")
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    if path in BY_PATH:
        return _page(BY_PATH[path].title, _book(BY_PATH[path]), BY_PATH[path])
    if path.startswith("/account/"):
        return _account(path, SESSION in cookies.split("; "))
    if path.startswith("/covers/") and path.endswith(".svg"):
        return Answer(COVER, "image/svg+xml")
    if path == "/login":
        return _login(asked)
    if path == "/api/books.json":
        return _json(asked.get("page", "1"))
    if path in FIXED:
        return FIXED[path]
    if path in ("/robots.txt", "/sitemap.xml"):
        return Answer(_robots(host), TEXT) if path == "/robots.txt" else _sitemap(host)
    return _page("Not found", "<h1>Not found</h1><p>There is no such page.</p>", status=404)


def _page(title: str, main: str, book: Book | None = None, status: int = 200) -> Answer:
    return Answer(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)} | {NAME}</title>
<link rel="stylesheet" href="/style.css">
{_facts(book) if book else ""}</head>
<body>
<nav><a href="/">Home</a> <a href="/catalogue/page-1.html">Books</a> <a href="/about.html">About</a>
<a href="/account/">Your account</a></nav>
<main>
{main}
</main>
<footer><p>{NAME} is a shop that is not there.</p></footer>
</body>
</html>
""".encode(),
        status=status,
    )


def _facts(book: Book) -> str:
    facts = {
        "@context": "https://schema.org",
        "@type": "Book",
        "name": book.title,
        "author": {"@type": "Person", "name": book.author},
        "datePublished": book.published,
    }
    return f"""<meta name="description" content="{escape(book.blurb.partition(". ")[0])}.">
<meta property="og:title" content="{escape(book.title)}">
<script type="application/ld+json">{json.dumps(facts)}</script>
"""


def _book(book: Book) -> str:
    slug = book.path.split("/")[2]
    stock = f"In stock ({book.stock})" if book.stock else "Out of stock"
    return f"""<article class="book">
<h1>{escape(book.title)}</h1>
<img src="/covers/{slug}.svg" alt="Cover">
<p class="author">{escape(book.author)}</p>
<p class="price">{book.price_shown}</p>
<p class="stock">{stock}</p>
<p class="subject">{book.subject}</p>
<p>{escape(book.blurb)}</p>
<p><a class="buy" href="/basket/?add={slug}">Put it into the basket</a></p>
</article>"""


def _list(number: int) -> str:
    books = LISTED[(number - 1) * PAGE_LENGTH : number * PAGE_LENGTH]
    rows = "\n".join(
        f'<li><a class="title" href="{book.path}">{escape(book.title)}</a> '
        f'<span class="price">{book.price_shown}</span></li>'
        for book in books
    )
    after = number + 1
    more = f'<a class="next" href="page-{after}.html">Next</a>' if after <= PAGES else ""
    return f"<h1>Books, page {number} of {PAGES}</h1>\n<ul>\n{rows}\n</ul>\n<p>{more}</p>"


def _account(path: str, known: bool) -> Answer:
    if not known:
        return Answer(b"", status=302, headers=(("Location", f"/login?next={path}"),))
    if path == "/account/":
        links = "".join(f'<li><a href="orders-{year}.html">{year}</a></li>' for year in ORDERS)
        return _page("Your account", f"<h1>Your account</h1><ul>{links}</ul>")
    for year, numbers in ORDERS.items():
        if path == f"/account/orders-{year}.html":
            rows = "".join(f'<li class="order">{BOOKS[each].title}</li>' for each in numbers)
            return _page(f"Orders of {year}", f"<h1>Orders of {year}</h1><ul>{rows}</ul>")
    return _page("Not found", "<h1>Not found</h1>", status=404)


def _login(asked: dict[str, str]) -> Answer:
    if (asked.get("name"), asked.get("word")) == ("reader", "books"):
        fields = (("Set-Cookie", f"{SESSION}; Path=/; HttpOnly"), ("Location", "/account/"))
        return Answer(b"", status=302, headers=fields)
    return _page(
        "Log in",
        '<h1>Log in</h1><form action="/login"><input name="name"><input name="word" '
        'type="password"><button>Log in</button></form><p>You are <i>reader</i>, and your '
        "word is <i>books</i>.</p>",
    )


def _json(page: str) -> Answer:
    number = int(page) if page.isascii() and page.isdecimal() else 0
    books = LISTED[max(0, number - 1) * 20 : number * 20]
    left = number * 20 < len(LISTED)
    found = {
        "books": [{"title": each.title, "price": each.price, "url": each.path} for each in books],
        "next": f"/api/books.json?page={number + 1}" if left and number else None,
    }
    return Answer(json.dumps(found).encode(), "application/json", 200 if books else 404)


def _robots(host: str) -> bytes:
    return f"User-agent: *\nDisallow: /basket/\n\nSitemap: http://{host}/sitemap.xml\n".encode()


def _sitemap(host: str) -> Answer:
    return Answer("\n".join(_entries(host)).encode(), "application/xml")


def _entries(host: str) -> Iterable[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    for book in BOOKS:
        yield f"<url><loc>http://{escape(host)}{book.path}</loc>"
        yield f"<lastmod>{book.published}</lastmod></url>"
    yield "</urlset>"


def _pdf(text: str) -> bytes:
    """A document of one page, as small as one can be."""
    content = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    whole, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return whole + (
        b"xref\n0 6\n0000000000 65535 f \n%s"
        b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (table, len(whole))
    )


COVER = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="120" height="180">'
    b'<rect width="120" height="180" fill="#8aa399"/></svg>'
)
HOME = f"""<h1>{NAME}</h1>
<p>Books that can be read in a quiet hour. Begin with <a href="/catalogue.html">all of them</a>.</p>
<ul>
<li><a href="{BOOKS[0].path}">{BOOKS[0].title}</a>, the book of the month</li>
<li><a href="/offers/spring.html">Our spring offers</a></li>
<li><a href="https://reviews.example/quiet-shelf">What others say of us</a></li>
</ul>"""
ABOUT = """<h1>About</h1>
<p>We have sold books since 1987. Read our <a href="/files/terms.pdf">terms</a>, or the whole
<a href="/files/catalogue.pdf">catalogue</a> on paper. Programs read
<a href="/api/books.json">the catalogue as JSON</a>.</p>
<p>In spring there are <a href="/offers/spring.html">offers</a>.</p>"""
FIXED = {
    "/": _page("Home", HOME),
    "/about.html": _page("About", ABOUT),
    "/catalogue.html": Answer(
        b"", status=301, headers=(("Location", "/catalogue/page-1.html"),)
    ),
    "/style.css": Answer(b"body { font-family: serif; margin: auto }\n", "text/css"),
    "/files/terms.pdf": Answer(_pdf("Be kind to books."), "application/pdf"),
    "/files/catalogue.pdf": Answer(_pdf("All our books."), "application/pdf"),
} | {
    f"/catalogue/page-{number}.html": _page(f"Books, page {number}", _list(number))
    for number in range(1, PAGES + 1)
}  # fmt: skip
