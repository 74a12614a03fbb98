"""Canonical form, fingerprint, seeds, legacy queries, scope."""

import codecs
from urllib.parse import unquote_to_bytes

import can_ada
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.errors import UsageError
from asyncmultispider.model import Reason
from asyncmultispider.settings import SCOPES
from asyncmultispider.urls import (
    Scope,
    canonicalize,
    encode_href,
    fingerprint,
    host_of,
    is_web,
    parse_seed,
    registrable_domain,
)

PIECES = (
    *(
        "http://",
        "HTTPS:",
        "//",
        "/",
        "\\",
        "file:",
        "data:",
        "x:",
        "?",
        "#",
        " ",
        "\t",
        "\n",
        "\0",
    ),
    *("@", ":", ":80", ":8080", "xn--", "XN--pok", "xn~~", "%", "%2e", "..", "^", "é", "。", "ß"),
    *("[::1]", "127.1", "0x7f", "a.b", "Example.COM", "\udc80", "😀", "'", '"', "<", "|", "\x7f"),
)
urlish = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join)
texts = urlish | st.text() | st.text(st.characters())  # the last one has lone surrogates
bases = st.none() | urlish | st.sampled_from(["http://h/a/b?c", "x:opaque", "http://xn--pok/"])
ENCODINGS = (
    *("big5", "euc-jp", "EUC-KR", "gb18030", "GBK", "iso-2022-jp", "Shift_JIS", "koi8-u", "latin1"),
    *(
        "windows-874",
        "windows-1255",
        "iso-8859-8-i",
        "x-user-defined",
        "x-mac-cyrillic",
        "utf-16le",
    ),
)


@pytest.mark.parametrize(
    ("text", "base", "url"),
    [
        ("HTTP://User@Example.COM:80", None, "http://User@example.com/"),
        ("https://h:443/A/../b/?b=2&a=1#frag", None, "https://h/b/?b=2&a=1"),
        ("http://h/a/", None, "http://h/a/"),
        ("../c", "http://h/a/b/d", "http://h/a/c"),
        ("?q", "http://h/a/b?old", "http://h/a/b?q"),
        ("#only", "http://h/a?b", "http://h/a?b"),
        ("", "http://h/a#x", "http://h/a"),
        ("//other/", "https://h/", "https://other/"),
        ("http://bücher.de/ü?ü", None, "http://xn--bcher-kva.de/%C3%BC?%C3%BC"),
        ("http://h/a^b?^", None, "http://h/a%5Eb?^"),
        ("x:a^b  ?^#^", None, "x:a^b %20?^"),
        ("data:x  #y", None, "data:x %20"),
        ("x:#y", None, "x:"),
        ("http://a\0b", None, None),
        ("http://h/\0x\0", None, "http://h/%00x"),
        ("http://h/\ud800", None, None),
        ("/a", "\ud800", None),
        ("/a", None, None),
        ("http://h/", "not a base", None),
        ("", None, None),
        ("http://", None, None),
    ],
)
def test_canonicalize(text: str, base: str | None, url: str | None) -> None:
    if url is None:
        with pytest.raises(ValueError):
            canonicalize(text, base)
    else:
        assert canonicalize(text, base) == url


@pytest.mark.parametrize(
    ("text", "base", "url"),
    [
        ("http://XN--pok.com:80/XN--é", None, "http://xn--pok.com/XN--%C3%A9"),
        ("é?xn--", "http://xn--pok/a/", "http://xn--pok/a/%C3%A9?xn--"),
        ("http://xn--pok。com/", None, None),  # not ASCII: IDNA must check it, and it fails
        ("http://xn--pok%e3%80%82com/", None, None),
        ("http://xn--pok xn/", None, None),
        ("http://xn--pok/xn~~", None, None),
    ],
)
def test_an_ascii_domain_need_not_be_punycode(text: str, base: str | None, url: str | None) -> None:
    test_canonicalize(text, base, url)


@pytest.mark.parametrize(
    ("text", "base", "url"),
    [
        (
            "http://ẞ:1@faẞ.de:80/ẞ?ẞ#ẞ",
            None,
            "http://%E1%BA%9E:1@xn--fa-hia.de/%E1%BA%9E?%E1%BA%9E",
        ),
        ("//Ⴀ.com", "http://h/", "http://xn--rkj.com/"),
        (" \\\\\u180eⴀ\u3164.com", "http://h/", "http://xn--rkj.com/"),
        ("Ⴀ.com/ẞ", "http://h/", "http://h/%E1%82%A0.com/%E1%BA%9E"),
        ("/Ⴀ//ẞ", "http://h/", "http://h/%E1%82%A0//%E1%BA%9E"),
        ("file:///Ⴀ/ẞ", None, "file:///%E1%82%A0/%E1%BA%9E"),
        ("x://ẞ/", None, "x://%E1%BA%9E/"),
        ("http://\u180e/", None, None),
    ],
)
def test_hosts_by_the_unicode_of_today(text: str, base: str | None, url: str | None) -> None:
    test_canonicalize(text, base, url)


ENDLESS = "a" + "\u0300\u0327" * 50_000
"""Sorting the marks of a host takes the parser quadratic time."""


@pytest.mark.parametrize("host", [ENDLESS, ENDLESS.replace("\u0300", "%CC%80"), f"x@{ENDLESS}"])
@pytest.mark.parametrize(
    "start", ["http://", "HTTPS:", " ht\ntps:\\", "//", "/\t\\", "file://", "ftp:/"]
)
def test_an_endless_host_is_none(start: str, host: str) -> None:
    for base in (None, "http://h/"):
        with pytest.raises(ValueError):
            canonicalize(start + host, base)


def test_all_else_may_be_long() -> None:
    long = "é%" * 5000
    encoded = "%C3%A9%" * 5000
    for text in (f"http://h/{long}?", f"/{long}?", f"{long}?", f"?{long}", f"//h/?{long}"):
        assert encoded in canonicalize(text, "http://h/")
    assert encoded in canonicalize(f"data:{long}")
    assert canonicalize(f"http://{'a' * 5000}/") == f"http://{'a' * 5000}/"


def test_the_error_names_the_text_in_short() -> None:
    with pytest.raises(ValueError, match=r"^'http://a b' is not a URL \(in 'http://h/'\)$"):
        canonicalize("http://a b", "http://h/")
    with pytest.raises(ValueError, match="…") as caught:
        canonicalize("y" * 10_000)
    assert len(str(caught.value)) < 120


@given(texts, bases)
def test_a_canonical_url_is_ascii_and_its_own_canonical_form(text: str, base: str | None) -> None:
    try:
        url = canonicalize(text, base)
    except ValueError:
        return
    assert canonicalize(url) == url
    assert url.isascii()
    assert "#" not in url


@given(st.sampled_from(["http://", "https://"]), texts)
def test_host_of_is_the_standards_host(scheme: str, rest: str) -> None:
    try:
        url = canonicalize(scheme + rest)
        host = can_ada.parse(url).host
    except ValueError:
        return
    assert is_web(url)
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("text", "url", "guessed"),
    [
        ("example.com/x", "https://example.com/x", True),
        ("localhost:8080", "https://localhost:8080/", True),
        ("127.0.0.1:81/a?b", "https://127.0.0.1:81/a?b", True),
        ("[::1]:81", "https://[::1]:81/", True),
        ("//h/x", "https://h/x", True),
        ("bücher.de:8080", "https://xn--bcher-kva.de:8080/", True),
        (" http://h/a#b\n", "http://h/a", False),
        ("HTTPS://h", "https://h/", False),
    ],
)
def test_parse_seed(text: str, url: str, guessed: bool) -> None:
    assert parse_seed(text) == (url, guessed)


@pytest.mark.parametrize(
    "text", ["ftp://h/", "file:/etc", "mailto:x", "javascript:alert(1)", "C:\\x", "user:pw@h"]
)
def test_only_http_and_https_can_be_crawled(text: str) -> None:
    with pytest.raises(UsageError, match="only http and https") as caught:
        parse_seed(text)
    assert repr(text.replace(":pw@", ":***@")) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "  ", "http://", "a b.com", "/etc/passwd", "./x", "?q", "h:99999", "http://\udc80"]
)
def test_a_malformed_seed_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a URL") as caught:
        parse_seed(text)
    assert repr(text) in str(caught.value)


@given(texts)
def test_a_seed_is_a_web_url_or_a_usage_error(text: str) -> None:
    try:
        url, _ = parse_seed(text)
    except UsageError:
        return
    assert is_web(url)
    assert canonicalize(url) == url


@pytest.mark.parametrize(
    ("href", "encoding", "encoded"),
    [
        ("/é?é#é", "windows-1252", "/é?%E9#é"),
        ("/é#?é", "windows-1252", "/é#?é"),
        ("/a?b", "Shift_JIS", "/a?b"),
        ("/?é", "UTF-8", "/?é"),
        ("/?é", "UTF-16LE", "/?é"),
        ("/?é", "no-such", "/?é"),
        ("/?x='é <\"", "latin1", "/?x=%27%E9%20%3C%22"),
        ("/?日本語", "Shift_JIS", "/?%93%FA%96{%8C%EA"),
        ("/?日本語", "euc-jp", "/?%C6%FC%CB%DC%B8%EC"),
        ("/?日\n本 ", "iso-2022-jp", "/?%1B$BF|K\\%1B(B"),
        ("/?ｶﾞ", "iso-2022-jp", "/?%1B$B%+!+%1B(B"),
        ("/?日é~", "iso-2022-jp", "/?%1B$BF|%1B(B%26%23233%3B~"),
        ("/?¥é\\", "iso-2022-jp", "/?%1B(J\\%26%23233%3B%1B(B\\"),
        ("/?中€", "gb2312", "/?%D6%D0%80"),
        ("/?中€😀", "gb18030", "/?%D6%D0%A2%E3%949%FC6"),
        ("/?中十", "big5", "/?%A4%A4%A4Q"),
        ("/?가", "euc-kr", "/?%B0%A1"),
        ("/?ў", "koi8-u", "/?%AE"),
        ("/?\x81", "windows-1252", "/?%81"),
        ("/?\uf780", "x-user-defined", "/?%80"),
    ],
)
def test_encode_href(href: str, encoding: str, encoded: str) -> None:
    assert encode_href(href, encoding) == encoded


@pytest.mark.parametrize("encoding", ["big5", "euc-jp", "euc-kr", "gbk", "gb18030", "iso-2022-jp"])
def test_common_characters_are_encoded_as_by_python(encoding: str) -> None:
    text = {"big5": "中文資料", "euc-kr": "한국어"}.get(encoding, "日本文字")
    query = encode_href("?" + text, encoding).removeprefix("?")
    assert unquote_to_bytes(query) == codecs.encode(text, encoding)


@given(texts, st.sampled_from(ENCODINGS))
def test_encoding_touches_nothing_but_the_query(href: str, encoding: str) -> None:
    encoded = encode_href(href, encoding)
    try:
        url = canonicalize(href, "http://h/a/b?c")
    except ValueError:
        return
    assert canonicalize(encoded, "http://h/a/b?c").partition("?")[0] == url.partition("?")[0]


def test_fingerprint_is_xxh3_with_a_seed() -> None:
    assert fingerprint("") == 0x2D06800538D394C2  # the reference implementation's
    assert fingerprint("http://h/", 1) != fingerprint("http://h/", 2)
    assert 0 <= fingerprint("http://h/", 2**64 - 1) < 2**64


def refused(scope: Scope, *urls: str) -> list[Reason | None]:
    return [scope.refuses(url, host_of(url)) for url in urls]


def test_scope_host_ignores_the_scheme_but_not_the_port() -> None:
    scope = Scope("host", ["http://h/a", "https://g:8080/"])
    assert refused(scope, "http://h/", "https://h/x", "http://g:8080/") == [None] * 3
    assert refused(scope, "http://www.h/", "http://h:81/", "http://g/") == [Reason.SCOPE] * 3


def test_scope_domain_is_the_registrable_domain() -> None:
    seeds = ["https://www.example.co.uk/", "https://me.github.io/", "http://127.0.0.1:8000/"]
    scope = Scope("domain", [*seeds, "http://localhost/"])
    held = ["http://example.co.uk:81/", "http://a.b.example.co.uk/", "https://x.me.github.io/"]
    assert refused(scope, *held, "http://127.0.0.1:9/", "http://localhost:1/") == [None] * 5
    other = ["http://other.co.uk/", "http://you.github.io/", "http://10.0.0.1/", "http://[::1]/"]
    assert refused(scope, *other, "http://badexample.co.uk/") == [Reason.SCOPE] * 5


def test_scope_domain_remembers_a_bounded_number_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncmultispider.urls.scope._MEMO", 2)
    scope = Scope("domain", ["http://example.com/"])
    for _ in range(2):
        hosts = [f"http://{n}.example.com/" for n in range(5)]
        assert refused(scope, *hosts, "http://example.org/") == [None] * 5 + [Reason.SCOPE]


@pytest.mark.parametrize(
    ("seed", "held", "other"),
    [
        ("http://h/a/b.html", "https://h/a/c?d", "http://h/"),
        ("http://h/a/", "http://h/a/", "http://h/a"),
        ("http://h/a", "http://h/b", "http://g/a"),
        ("http://h/a/b?c/d/", "http://h/a/x", "http://h/?/a/"),
    ],
)
def test_scope_prefix_is_the_seeds_folder(seed: str, held: str, other: str) -> None:
    scope = Scope("prefix", [seed, "http://h/another/x"])
    assert refused(scope, seed, held, other) == [None, None, Reason.SCOPE]
    assert refused(scope, "http://h/another/") == [None]


@pytest.mark.parametrize("name", SCOPES)
def test_other_schemes_are_never_in_scope(name) -> None:
    scope = Scope(name, ["http://h/"], include=["*"])
    for url in ("mailto:a@h", "ftp://h/", "javascript:x", "data:,x", "httpx://h/"):
        assert scope.refuses(url, "h") is Reason.SCOPE


def test_scope_any_is_every_web_url() -> None:
    assert refused(Scope("any", ["http://h/"]), "https://x.y:1/", "http://z/") == [None, None]


@pytest.mark.parametrize(
    ("glob", "matched", "other"),
    [
        ("*.pdf", "http://h/a/b.pdf", "http://h/b.pdf?x"),
        ("/blog/*", "http://h/blog/a/b?c", "http://h/x/blog/a"),
        ("blog/*", "http://h/x/blog/a", "http://h/myblog/a"),
        ("blog/*", "http://h/blog/", "http://h/blog"),
        ("?page=*", "http://h/list?page=2", "http://h/list?pages=2"),
        ("/p?", "http://h/p1", "http://h/p12"),
        ("/[ab]/*", "http://h/a/x", "http://h/A/x"),
        ("/[!ab]/*", "http://h/c/x", "http://h/b/x"),
        ("http://h/*", "http://h/a", "https://h/a"),
        ("*://*.h/*", "http://www.h/", "http://h/?x://y.h"),
        ("/ü b/*", "http://h/%C3%BC%20b/", "http://h/u"),
        ("/[[x", "http://h/[[x", "http://h/[x"),
    ],
)
def test_globs(glob: str, matched: str, other: str) -> None:
    include = Scope("any", ["http://seed/"], include=["/never", glob])
    assert refused(include, matched, other) == [None, Reason.EXCLUDED]
    exclude = Scope("any", ["http://seed/"], exclude=[glob, "http://never/"])
    assert refused(exclude, matched, other) == [Reason.EXCLUDED, None]


def test_exclude_wins_and_a_seed_is_never_refused() -> None:
    scope = Scope("host", ["http://h/a.pdf"], include=["/docs/*"], exclude=["*.pdf"])
    urls = ["http://h/docs/x", "http://h/docs/x.pdf", "http://h/x", "http://h/a.pdf"]
    assert refused(scope, *urls) == [None, Reason.EXCLUDED, Reason.EXCLUDED, None]


def test_a_glob_of_many_stars_takes_no_exponential_time() -> None:
    scope = Scope("any", ["http://seed/"], exclude=["*a" * 40 + "b"])
    assert refused(scope, "http://h/" + "a" * 2000) == [None]


def test_an_empty_glob_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--exclude"):
        Scope("host", ["http://h/"], exclude=[""])


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.co.uk", "example.co.uk"),
        ("a.me.github.io:8080", "me.github.io"),
        ("github.io", "github.io"),
        ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("a.b.no-such-suffix", "b.no-such-suffix"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[2001:db8::1]:80", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("localhost:80", "localhost"),
    ],
)
def test_registrable_domain(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain
