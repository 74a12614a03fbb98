"""A web server of misbehaviours, to be crawled as one site: each kind has a name and an end."""

from hostile.kinds import KINDS, LIMIT, MAX_BODY, OPTIONS, TIMEOUT, answers, expected, surprises
from hostile.messages import GOOD, Kind
from hostile.server import HostileServer

__all__ = [
    "GOOD",
    "KINDS",
    "LIMIT",
    "MAX_BODY",
    "OPTIONS",
    "TIMEOUT",
    "HostileServer",
    "Kind",
    "answers",
    "expected",
    "surprises",
]
