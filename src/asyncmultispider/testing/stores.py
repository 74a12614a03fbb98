"""What every store does: the conformance suite of the port `Store`."""

from hashlib import sha256
from random import Random

from asyncmultispider.model import Headers, Outcome, PageRow, Request, State
from asyncmultispider.store.base import Store
from asyncmultispider.testing.outcomes import done, failed, lost
from asyncmultispider.urls import host_of


class StoreSuite:
    """Subclass it, and say how to make a store, and how to read what the last one kept.

    A second `make_store` in a test opens the same store again.
    """

    def make_store(self) -> Store:
        """A new store."""
        raise NotImplementedError

    def read_pages(self) -> dict[str, tuple[int, str | None, bytes]]:
        """The status, title and body of each page by its URL, in the order of the last writing."""
        raise NotImplementedError

    def read_items(self) -> dict[str, list[str]]:
        """The items of each URL, in order."""
        raise NotImplementedError

    def test_pages_are_kept_as_they_came(self) -> None:
        bodies = [
            b"",
            b"x",
            b"<p>hello</p>" * 500,
            bytes(range(256)) * 3,
            Random(1).randbytes(5000),
        ]
        pages = [page(f"http://a.example/{n}", body) for n, body in enumerate(bodies)]
        store = self.make_store()
        store.write(pages[:2])
        store.write(pages[2:])
        store.close()
        assert self.read_pages() == {
            f"http://a.example/{n}": (200, "a title", body) for n, body in enumerate(bodies)
        }

    def test_what_is_not_a_page_leaves_nothing(self) -> None:
        store = self.make_store()
        store.write([])
        store.write([failed(request("http://a.example/1")), done(request("http://a.example/2"))])
        store.close()
        assert self.read_pages() == {}
        assert self.read_items() == {}

    def test_a_page_that_is_there_already_is_replaced(self) -> None:
        store = self.make_store()
        store.write([page("http://a.example/", b"old", title="old"), page("http://a.example/b")])
        store.write([page("http://a.example/", b"new", status=206, title=None)])
        store.close()
        pages = self.read_pages()
        assert pages["http://a.example/"] == (206, None, b"new")
        assert set(pages) == {"http://a.example/", "http://a.example/b"}

    def test_pages_may_have_the_same_body(self) -> None:
        body = b"the same words " * 100
        store = self.make_store()
        store.write([page("http://a.example/1", body), page("http://a.example/2", body)])
        store.write([page("http://a.example/3", body)])
        store.close()
        assert [kept for _, _, kept in self.read_pages().values()] == [body] * 3

    def test_any_text_is_kept(self) -> None:
        title = "„é\u4e2d\u0000\U0001f577"
        headers = (("x-odd", "\xff\xe9"), ("x-odd", "twice"), ("empty", ""))
        store = self.make_store()
        store.write([page("http://a.example/", title=title, headers=headers)])
        store.close()
        assert self.read_pages()["http://a.example/"][1] == title

    def test_items_are_kept_in_order_and_replaced(self) -> None:
        store = self.make_store()
        store.write([page("http://a.example/", items=('{"n":1}', '{"n":2}'))])
        store.write([page("http://b.example/", items=('"text"',))])
        store.write([page("http://a.example/", items=('{"n":3}', '{"n":4}'))])
        store.close()
        assert self.read_items() == {
            "http://a.example/": ['{"n":3}', '{"n":4}'],
            "http://b.example/": ['"text"'],
        }

    def test_fewer_items_replace_more(self) -> None:
        store = self.make_store()
        store.write([page("http://a.example/", items=("1", "2", "3"))])
        assert store.write([page("http://a.example/", items=("4",), attempt=2)]) == 0
        store.close()
        assert self.read_items() == {"http://a.example/": ["4"]}

    def test_a_page_that_is_gone_at_the_next_try_goes(self) -> None:
        store = self.make_store()
        assert store.write([page("http://a.example/1"), page("http://a.example/2")]) == 2
        assert store.write([failed(request("http://a.example/1", 2))]) == -1
        assert store.write([failed(request("http://a.example/3", 2))]) == 0
        store.close()
        assert set(self.read_pages()) == {"http://a.example/2"}

    def test_what_a_lost_try_left_goes(self) -> None:
        store = self.make_store()
        store.write([page("http://a.example/1", items=("1",)), page("http://a.example/2")])
        assert store.write([lost(request("http://a.example/1"))]) == -1
        assert store.write([lost(request("http://a.example/3"))]) == 0
        store.close()
        assert set(self.read_pages()) == {"http://a.example/2"}
        assert self.read_items() == {}

    def test_what_was_kept_stays_when_it_is_opened_again(self) -> None:
        store = self.make_store()
        store.write([page("http://a.example/1", b"one")])
        store.close()
        store = self.make_store()
        store.write([page("http://a.example/2", b"two")])
        store.close()
        assert {url: body for url, (_, _, body) in self.read_pages().items()} == {
            "http://a.example/1": b"one",
            "http://a.example/2": b"two",
        }

    def test_closing_twice_is_fine(self) -> None:
        store = self.make_store()
        store.close()
        store.close()


def request(url: str, attempt: int = 1) -> Request:
    """A request for a URL."""
    return Request(id=1, url=url, host=host_of(url), attempt=attempt)


def page(
    url: str,
    body: bytes = b"<p>a body</p>",
    *,
    status: int = 200,
    title: str | None = "a title",
    headers: Headers = (("content-type", "text/html"),),
    items: tuple[str, ...] = (),
    at: float = 0.0,
    attempt: int = 1,
) -> Outcome:
    """A page that was had, for a store."""
    row = PageRow(
        url=url,
        status=status,
        content_type="text/html",
        charset="utf-8",
        title=title,
        depth=0,
        referrer=None,
        at=at,
        elapsed=0.25,
        headers=headers,
        digest=sha256(body).digest(),
        body=body,
    )
    return Outcome(
        request=request(url, attempt),
        state=State.DONE,
        reason=None,
        at=at,
        elapsed=0.25,
        status=status,
        page=row,
        items=items,
    )
