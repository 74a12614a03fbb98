"""The books of the shop: made up, and always the same."""

from dataclasses import dataclass

ADJECTIVES = ("Quiet", "Salt", "Seventh", "Paper", "Winter")
NOUNS = (
    "Harbour", "Lantern", "Garden", "Orchard", "Compass", "River",
    "Letter", "Clockmaker", "Island", "Archive", "Meadow", "Railway",
)  # fmt: skip
AUTHORS = ("Ada Marsh", "Jonas Weir", "Mina Okafor", "Tomás Leal", "Ines Halloran")
SUBJECTS = ("fiction", "history", "nature", "travel")
PLACES = ("a town at the sea", "the hills of the north", "an old city", "a valley without roads")
DEEDS = (
    "keeps a diary that nobody asked for",
    "looks for a sister who left no address",
    "counts birds, and learns what silence costs",
    "repairs what others have thrown away",
    "follows a map that was drawn from memory",
    "takes a job on the night train",
    "reads the letters of strangers",
)
ON_REQUEST = 41
"""The number of the book that has no price."""
HIDDEN = 59
"""That of a book which no page links to: it is in the sitemap only."""


@dataclass(frozen=True)
class Book:
    """A book. The price is in pence; None for one on request."""

    number: int
    title: str
    author: str
    subject: str
    price: int | None
    stock: int
    published: str

    @property
    def path(self) -> str:
        """Of its page."""
        return f"/catalogue/{self.title.lower().replace(' ', '-')}/index.html"

    @property
    def price_shown(self) -> str:
        """As the shop writes it."""
        if self.price is None:
            return "Price on request"
        return f"£{self.price // 100}.{self.price % 100:02}"

    @property
    def blurb(self) -> str:
        """What it is about."""
        place, deed = PLACES[self.number % len(PLACES)], DEEDS[self.number % len(DEEDS)]
        noun = self.title.split()[-1].lower()
        return (
            f"In {place}, somebody {deed}. {self.author} tells of a {noun} that is more than it "
            f"seems, in {7 + self.number % 9} chapters that can be read in any order. "
            f"“{self.title}” has {160 + self.number * 7 % 240} pages, and a ribbon."
        )


def _book(number: int) -> Book:
    return Book(
        number=number,
        title=f"The {ADJECTIVES[number // len(NOUNS)]} {NOUNS[number % len(NOUNS)]}",
        author=AUTHORS[number % len(AUTHORS)],
        subject=SUBJECTS[number * 3 % len(SUBJECTS)],
        price=None if number == ON_REQUEST else 599 + number * 137 % 3000,
        stock=number * 5 % 13,
        published=f"{2008 + number % 17}-{1 + number % 12:02}-{1 + number * 3 % 28:02}",
    )


BOOKS = tuple(_book(number) for number in range(60))
PAGE_LENGTH = 12
LISTED = tuple(book for book in BOOKS if book.number != HIDDEN)
BY_PATH = {book.path: book for book in BOOKS}
