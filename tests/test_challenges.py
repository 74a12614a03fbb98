"""Bot walls, told from the pages they stand before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.challenges import challenge
from asyncmultispider.model import Headers, Response


def answer(status: int = 200, headers: Headers = (), body: bytes = b"") -> Response:
    return Response(status=status, headers=headers, body=body, at=0.0, elapsed=0.1)


ORDINARY = (("date", "Mon, 1 Jan 2029 10:00:00 GMT"), ("server", "cloudflare"), ("cf-ray", "8-FRA"))
ARTICLE = b"<p>He took a moment, and another." * 300


@pytest.mark.parametrize(
    ("status", "field", "wall"),
    [
        (403, ("cf-mitigated", "challenge"), "Cloudflare"),
        (200, ("cf-mitigated", "challenge"), "Cloudflare"),
        (202, ("x-amzn-waf-action", "challenge"), "AWS WAF"),
        (405, ("x-amzn-waf-action", "captcha"), "AWS WAF"),
        (429, ("x-vercel-mitigated", "challenge"), "Vercel"),
        (403, ("x-vercel-mitigated", "deny"), "Vercel"),
        (403, ("x-sucuri-block", "IP1"), "Sucuri"),
        (403, ("x-datadome", "protected"), "DataDome"),
    ],
)
def test_a_header_field_gives_a_wall_away(status: int, field: tuple[str, str], wall: str) -> None:
    assert challenge(answer(status, (*ORDINARY, field)), None) == wall


@pytest.mark.parametrize(
    ("title", "body", "wall"),
    [
        ("Just a moment...", b"<script>window._cf_chl_opt={}</script>", "Cloudflare"),
        ("Making sure you're not a bot!", b'<script id="anubis_challenge">', "Anubis"),
        ("Access to this page has been denied", b'<div id="px-captcha">', "HUMAN"),
        ("Pardon Our Interruption", b'<script src="/_Incapsula_Resource?x">', "Imperva"),
        ("DDoS-Guard", b'<script src="/.well-known/ddos-guard/js-challenge/">', "DDoS-Guard"),
        ("Robot Check", b'<form action="/errors/validateCaptcha">', "captcha"),
        ("Captcha", b'<div class="g-recaptcha">', "captcha"),
    ],
)
@pytest.mark.parametrize("status", [200, 403, 429, 503])
def test_a_title_and_a_mark_give_a_wall_away(
    status: int, title: str, body: bytes, wall: str
) -> None:
    assert challenge(answer(status, ORDINARY, body), title) == wall


@pytest.mark.parametrize(
    ("status", "title", "body", "wall"),
    [
        (403, "Just a moment...", b"", "Cloudflare"),
        (503, "Attention Required! | Cloudflare", b"", "Cloudflare"),
        (403, "Access Denied", b"<p>Reference&#32;&#35;18.2f&#46;1", "Akamai"),
        (403, None, b"Request unsuccessful. Incapsula incident ID: 1-2", "Imperva"),
        (403, None, b'<script src="https://ct.captcha-delivery.com/c.js">', "DataDome"),
        (403, "Sucuri WebSite Firewall - Access Denied", b"", "Sucuri"),
    ],
)
def test_a_refusal_needs_one_mark(status: int, title: str | None, body: bytes, wall: str) -> None:
    assert challenge(answer(status, ORDINARY, body), title) == wall


def test_a_small_page_of_a_site_behind_a_wall_may_be_the_wall() -> None:
    body = b'<html><iframe src="/_Incapsula_Resource?SWUDNSAI=31">'
    assert challenge(answer(200, (("x-iinfo", "1-2-3"),), body), None) == "Imperva"


@pytest.mark.parametrize(
    ("status", "headers", "title", "body"),
    [
        (200, ORDINARY, "Just a moment...", ARTICLE),
        (200, ORDINARY, "CAPTCHA", ARTICLE + b'<form class="g-recaptcha">comment</form>'),
        (200, ORDINARY, "How walls work", b"They set _cf_chl_opt and ask for px-captcha."),
        (200, (("x-iinfo", "1-2"),), "Shop", b"<script src=/_Incapsula_Resource>" + ARTICLE),
        (200, (("x-datadome", "protected"),), "Shop", b"<p>Buy"),
        (200, (("x-amzn-waf-action", "count"),), "Shop", b"<p>Buy"),
        (403, ORDINARY, "Access Denied", b"<p>You may not see this."),
        (404, ORDINARY, "Captcha", b'<div class="g-recaptcha">'),
        (503, ORDINARY, "Service Unavailable", b""),
        (301, ORDINARY, None, b""),
        (200, (), None, b""),
    ],
)
def test_ordinary_answers_are_no_walls(
    status: int, headers: Headers, title: str | None, body: bytes
) -> None:
    assert challenge(answer(status, headers, body), title) is None


def test_a_huge_page_is_no_wall() -> None:
    body = b"x" * 1_000_000 + b"_cf_chl_opt"
    assert challenge(answer(200, ORDINARY, body), "Just a moment...") is None
    assert challenge(answer(403, ORDINARY, body), None) is None


FIELDS = st.tuples(
    st.sampled_from(["server", "x-iinfo", "x-datadome", "cf-mitigated", "x-dd-b"]), st.text()
)


@given(
    st.integers(100, 999),
    st.lists(FIELDS).map(tuple),
    st.binary(),
    st.none() | st.text() | st.sampled_from(["Captcha", "Just a moment..."]),
)
def test_it_never_raises(status: int, headers: Headers, body: bytes, title: str | None) -> None:
    found = challenge(answer(status, headers, body), title)
    assert found is None or found.isprintable()
