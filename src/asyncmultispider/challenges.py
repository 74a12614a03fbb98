"""Bot walls: pages that ask whether we are human, sent instead of the page that was asked for.

A wall is known by marks that no ordinary page has. An answer of success needs two of them: there
are articles named "Just a moment...", and sites whose every page has a wall's script in it.
"""

from asyncmultispider.model import Response

_FIELDS = {
    "cf-mitigated": ("Cloudflare", ("challenge",)),
    "x-amzn-waf-action": ("AWS WAF", ("challenge", "captcha")),
    "x-vercel-mitigated": ("Vercel", ("challenge", "deny")),
    "x-vercel-challenge-token": ("Vercel", ()),
    "x-sucuri-block": ("Sucuri", ()),
    "x-dd-b": ("DataDome", ()),
}
"""Header fields of walls alone, and the values that say so; any, where there are none."""

_SHOWN = frozenset({"x-iinfo", "x-datadome"})
"""Header fields of sites behind a wall, which may have let us through."""

_TITLES = {
    "just a moment...": "Cloudflare",
    "attention required! | cloudflare": "Cloudflare",
    "access to this page has been denied": "HUMAN",
    "access to this page has been denied.": "HUMAN",
    "sucuri website firewall - access denied": "Sucuri",
    "ddos-guard": "DDoS-Guard",
    "making sure you're not a bot!": "Anubis",
    "vercel security checkpoint": "Vercel",
    "pardon our interruption": "Imperva",
    "robot check": "captcha",
    "human verification": "captcha",
    "captcha": "captcha",
    "are you a robot?": "captcha",
    "are you a human?": "captcha",
    "are you human?": "captcha",
    "verify you are human": "captcha",
    "please verify you are a human": "captcha",
    "verifying you are human": "captcha",
}
"""Titles of walls, in lower case; what a plain captcha is asked by, nobody knows."""

_MARKS = {
    b"_cf_chl_opt": "Cloudflare",
    b"AwsWafIntegration": "AWS WAF",
    b"captcha-delivery.com": "DataDome",
    b"Incapsula incident ID": "Imperva",
    b"errors.edgesuite.net": "Akamai",
    b"Reference&#32;&#35;": "Akamai",
    b"px-captcha": "HUMAN",
    b"/.well-known/ddos-guard/": "DDoS-Guard",
    b"cloudproxy@sucuri.net": "Sucuri",
    b"anubis_challenge": "Anubis",
    b"/.within.website/x/cmd/anubis/": "Anubis",
}
"""What the page of a wall has in it."""

_SMALL_MARKS = {b"_Incapsula_Resource": "Imperva"}
"""Scripts that are in ordinary pages too, but not in ones as small."""

_PUZZLES = (b"g-recaptcha", b"h-captcha", b"cf-turnstile", b"validateCaptcha", b"geetest")
"""Scripts and forms of captchas; articles have them too, for their comments."""

_REFUSED = frozenset({401, 403, 405, 406, 429, 503})
LARGEST = 65_536
"""Bytes of a wall's page at most."""
_SMALL = 8_192


def challenge(response: Response, title: str | None) -> str | None:
    """The name of the bot wall that answered instead of the page, None when none did.

    `title` is that of the page, if it was parsed. The name is that of a product, or `captcha`.
    """
    shown = False
    for name, value in response.headers:
        if name in _FIELDS:
            wall, values = _FIELDS[name]
            if not values or value.strip().lower() in values:
                return wall
        elif name in _SHOWN:
            shown = True
    titled = _TITLES.get(title.lower()) if title else None
    if response.status in _REFUSED:
        return _refused(response, titled)
    if (titled or shown) and 200 <= response.status < 300:
        return _disguised(response.body, titled)
    return None


def _refused(response: Response, titled: str | None) -> str | None:
    found = _marked(response.body[:LARGEST])
    if found or titled:
        return found or titled
    blocked = response.status == 403 and response.header("x-datadome")
    return "DataDome" if blocked else None


def _disguised(body: bytes, titled: str | None) -> str | None:
    """The wall behind an answer of success: a title of one and its mark, or a mark alone."""
    if titled is None:
        return _marked(body) if len(body) <= _SMALL else None
    if len(body) > LARGEST:
        return None
    puzzled = len(body) <= _SMALL and any(puzzle in body for puzzle in _PUZZLES)
    return _marked(body) or ("captcha" if puzzled and titled == "captcha" else None)


def _marked(body: bytes) -> str | None:
    for mark, wall in _MARKS.items():
        if mark in body:
            return wall
    if len(body) <= _SMALL:
        for mark, wall in _SMALL_MARKS.items():
            if mark in body:
                return wall
    return None
