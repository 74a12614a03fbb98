"""Rules for URLs: canonical form, fingerprint, scope. Pure code, no I/O."""

from asyncmultispider.urls.canonical import (
    canonicalize,
    encode_href,
    host_of,
    is_web,
    parse_seed,
)
from asyncmultispider.urls.fingerprint import fingerprint
from asyncmultispider.urls.login import login_of, origin_of, without_login
from asyncmultispider.urls.scope import Scope, registrable_domain

__all__ = [
    "Scope",
    "canonicalize",
    "encode_href",
    "fingerprint",
    "host_of",
    "is_web",
    "login_of",
    "origin_of",
    "parse_seed",
    "registrable_domain",
    "without_login",
]
