"""Who is meant: the names of agents in headers and in user-agent lines."""

import re
from collections.abc import Iterator

# RFC 9309 has letters, "_" and "-" only; real crawlers have digits, too (MJ12bot).
_TOKEN = re.compile(r"[\w-]+")
_COMPATIBLE = re.compile(r"\bcompatible;\s*([\w-]+)", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)?")
_BROWSER = frozenset(
    {
        *("mozilla", "applewebkit", "chrome", "chromium", "safari", "gecko"),
        *("firefox", "version", "mobile", "edg", "opr", "like"),
    }
)


def product_token(user_agent: str) -> str:
    """The product token of a User-Agent header (RFC 9309, section 2.2.1).

    "MyBot/1.0 (+http://x)" gives "MyBot". In a header that poses as a browser it is the name
    after "compatible;", else the first product that is no part of a browser, else the first
    product. "" when there is none.
    """
    products = [
        token[0]
        for word in _COMMENT.sub(" ", user_agent).split()
        if (token := _TOKEN.match(word)) is not None
    ]
    if not products or products[0].lower() == "mozilla":
        if compatible := _COMPATIBLE.search(user_agent):
            return compatible[1]
        products = [name for name in products if name.lower() not in _BROWSER] or products
    return products[0] if products else ""


def group_name(agent: str) -> str:
    """The name of the group of an agent, given as a User-Agent header or a product token.

    Words that are neither a token nor a header are no agent that a file can name (Google).
    """
    if "/" in agent or "(" in agent or not re.search(r"\s", agent.strip()):
        return product_token(agent).lower()
    return agent.strip().lower()


def named_agents(value: bytes) -> Iterator[str]:
    """The lower-case product tokens that a user-agent line names; `*` stands for all agents."""
    for part in value.decode("utf-8", "replace").split(","):
        word = (part.split(maxsplit=1) or [""])[0]
        if word == "*":
            yield word
        elif token := _TOKEN.match(word):
            yield token[0].lower()
