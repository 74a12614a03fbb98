"""Paths and patterns in a form to compare (RFC 9309, section 2.2.2), in both readings."""

import re
import string
from collections.abc import Callable

_PUNCTUATION = "-._~"
_UNRESERVED = string.ascii_letters + string.digits + _PUNCTUATION
# "'" is left out because URL parsers encode it in queries: the two can't be told apart
_RESERVED = ":/?#[]@!$&()*+,;="

_KNOWN = _UNRESERVED + _RESERVED + "%"
_ODD = "".join(char for char in map(chr, range(128)) if char not in _KNOWN)
_FOREIGN = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^{re.escape(_KNOWN)}]")
_FOREIGN_ASCII = re.compile(rf"%[0-9A-Fa-f]{{2}}|[{re.escape(_ODD)}]")

# An absolute URL with nothing to normalise in its path and query: nearly every URL of a crawl.
_PLAIN = "[" + re.escape((_UNRESERVED + _RESERVED).translate(str.maketrans("", "", "#$*"))) + "]*"
_STAYS = "%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|[46]0|5[B-E]|7[BCDF])"  # not unreserved
_PLAIN_URL = re.compile(rf"https?://[^/?;#]+(/{_PLAIN}(?:{_STAYS}{_PLAIN})*)").fullmatch
_ANY_URL = re.compile(r"(?://)?(?:[^/?;#]*://)?[^/?;#]*([/?;][^#]*)?")


def plain_path(url: str) -> str | None:
    """Path and query of an absolute URL where all forms of them are the same; else None."""
    match = _PLAIN_URL(url)
    return match[1] if match else None


def path_of(url: str) -> str:
    """Path and query of any text taken for a URL, by Google's rules; "/" when it has none."""
    match = _ANY_URL.match(url)
    path = match[1] if match else None
    if not path:
        return "/"
    return path if path.startswith("/") else "/" + path


def _octets(decode: str) -> Callable[[re.Match[str]], str]:
    """A replacement for octets: those in `decode` are decoded, all others become %XX."""
    decoded = {f"%{ord(char):02X}": char for char in decode}

    def form(match: re.Match[str]) -> str:
        octet = match[0]
        if len(octet) == 1:
            return f"%{ord(octet):02X}"
        code = octet.upper()
        return decoded.get(code, code)

    return form


_google_octets = _octets(_PUNCTUATION)
_rfc_octets = _octets(_UNRESERVED)


def google_path(path: str) -> str:
    """A path as Google's parser compares it."""
    return _literal(_FOREIGN_ASCII.sub(_google_octets, path))


def rfc_path(path: str) -> str:
    """A path as the RFC compares it."""
    octets = path.encode("utf-8", "surrogatepass").decode("latin-1")
    return _literal(_FOREIGN.sub(_rfc_octets, octets))


def google_pattern(pattern: bytes) -> str:
    """A pattern as Google's parser compares it."""
    return _FOREIGN.sub(_google_octets, pattern.decode("latin-1"))


def rfc_pattern(pattern: bytes) -> str:
    """A pattern as the RFC compares it."""
    return _FOREIGN.sub(_rfc_octets, pattern.decode("latin-1"))


def _literal(path: str) -> str:
    """Encode what would be special in a rule: there %2A and %24 stand for the characters."""
    return path.replace("*", "%2A").replace("$", "%24")
