"""What a frontier knows of one host."""

from math import inf

from asyncmultispider.bans import Reception
from asyncmultispider.frontier.gate import Gate, Refusal
from asyncmultispider.model import Reason, Request, State
from asyncmultispider.politeness import Manners, Pace
from asyncmultispider.traps import Evidence, family

FAMILIES = 1024
"""Families of a host that are told apart."""
REST = "*"
BEFORE_ALL = (-(2**62), 0)
"""A cursor at the beginning of a queue: before any (rank, id)."""
NO_TRAPS: dict[str, Refusal] = {}


class Host:
    """A host: its pace, the head of its queue, the URLs that wait for another try, its rules."""

    __slots__ = (
        "_families",
        "accepted",
        "asking",
        "cursor",
        "gates",
        "heads",
        "held",
        "later",
        "name",
        "pace",
        "ready",
        "reception",
        "refusal",
        "stamp",
        "tail",
        "traps",
        "waits",
    )

    def __init__(self, name: str, manners: Manners) -> None:
        self.name = name
        self.pace = Pace(manners)
        self.heads: list[tuple[int, int, Request]] = []
        self.cursor = BEFORE_ALL
        self.tail = False
        self.later: list[tuple[float, int, Request]] = []
        self.gates: tuple[Gate, ...] = ()  # one for each scheme
        self.waits = False
        self.asking: Gate | None = None
        self.reception = Reception()
        self.refusal: Refusal | None = None
        self.traps: dict[str, Refusal] = NO_TRAPS  # by family
        self.accepted = 0
        self._families: dict[str, Evidence] = {}
        self.held = False
        self.ready: float | None = None
        self.stamp = 0

    def family_of(self, url: str) -> str:
        """The family of a URL here (`traps.family`). When there are very many, the rest is one."""
        name = family(url)
        told_apart = len(self._families) < FAMILIES or name in self._families or name in self.traps
        return name if told_apart else REST

    def evidence(self, name: str) -> Evidence:
        """What is known of a family."""
        evidence = self._families.get(name)
        if evidence is None:
            evidence = self._families[name] = Evidence()
        return evidence

    def trapped(self, name: str, note: str) -> None:
        """URLs of this family are not asked for any more."""
        self.traps = {**self.traps, name: Refusal(State.SUSPENDED, Reason.TRAP, note)}

    def ready_at(self) -> float | None:
        """When it may be visited next, by the clock; None when only an event can tell."""
        if self.refusal is not None:  # all that is left or comes late is closed
            return -inf if self.heads or self.tail else None
        if self.asking is not None or self.waits or not self.pace.free:
            return None
        if (self.heads or self.tail) and not self.held:
            return self.pace.next_at
        return max(self.pace.next_at, self.later[0][0]) if self.later else None
