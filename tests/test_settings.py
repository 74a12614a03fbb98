"""Settings: valid on birth."""

import pytest
from msgspec import structs

from asyncmultispider.errors import UsageError
from asyncmultispider.settings import MOST_BODY, MOST_TIMEOUT, Settings, without_user

SEED = "http://a.example/"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"headers": (("X-City", "Málaga"),)}, "--header"),
        ({"headers": (("X-Café", "x"),)}, "--header"),
        ({"headers": (("X-Lost", "\udce9"),)}, "--header"),
        ({"headers": (("X-One", "fine"), ("X-Two", "日本"))}, "--header"),
        ({"headers": (("X-Line", "a\nb"),)}, "--header"),
        ({"user_agent": "Käferbot/1.0"}, "--user-agent"),
        ({"user_agent": "bot\udcff"}, "--user-agent"),
        ({"user_agent": " "}, "--user-agent"),
        ({"proxies": ("http://prøxy:8080",)}, "--proxy"),
        ({"proxies": ("http://me:påss@proxy:8080",)}, "--proxy"),
        ({"proxies": ("http://proxy:99999",)}, "--proxy"),
        ({"proxies": ("ftp://proxy:21",)}, "--proxy"),
        ({"timeout": 1e300}, "--timeout"),
        ({"timeout": MOST_TIMEOUT + 1.0}, "--timeout"),
        ({"timeout": float("inf")}, "--timeout"),
        ({"timeout": float("nan")}, "--timeout"),
        ({"timeout": 0.0}, "--timeout"),
        ({"max_body": MOST_BODY + 1}, "--max-body"),
        ({"max_body": 2**63}, "--max-body"),
        ({"max_body": 0}, "--max-body"),
        ({"engine": "gevent"}, "--engine"),
        ({"processes": 0}, "--processes"),
        ({"processes": 100_000}, "--processes"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(options: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(seeds=(SEED,), **options)
    assert named in str(caught.value)


def test_the_largest_that_make_sense() -> None:
    settings = Settings(seeds=(SEED,), timeout=MOST_TIMEOUT, max_body=MOST_BODY)
    assert (settings.timeout, settings.max_body) == (MOST_TIMEOUT, MOST_BODY)
    Settings(seeds=(SEED,), headers=(("X-Tab", "a\tb"), ("X-None", "")), user_agent="a b/1 (+c)")


@pytest.mark.parametrize(
    ("url", "hidden"),
    [
        ("http://me:pass@a.example/", "http://***@a.example/"),
        ("https://me@a.example:8443/x?y@z", "https://***@a.example:8443/x?y@z"),
        ("http://me:p%40ss@a.example/", "http://***@a.example/"),
        ("socks5h://me:pass@proxy:1080", "socks5h://***@proxy:1080"),
        ("http://a.example/@me", "http://a.example/@me"),
        ("http://a.example/?mail=me@b.example", "http://a.example/?mail=me@b.example"),
    ],
)
def test_passwords_are_hidden_and_nothing_else(url: str, hidden: str) -> None:
    assert without_user(url) == hidden


def test_a_password_does_not_make_another_crawl() -> None:
    one, two = (Settings(seeds=(f"http://me:{word}@a.example/",)) for word in ("old", "new"))
    assert one.identity() == two.identity()
    assert "old" not in str(one.identity())
    other = structs.replace(one, seeds=("http://me:old@b.example/",))
    assert other.identity() != one.identity()
