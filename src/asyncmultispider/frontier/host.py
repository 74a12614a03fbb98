"""What a frontier knows of one host."""

from asyncmultispider.frontier.gate import Gate, Refusal
from asyncmultispider.model import Request
from asyncmultispider.politeness import Manners, Pace


class Host:
    """A host: its pace, the head of its queue, the URLs that wait for another try, its rules."""

    __slots__ = (
        "asking",
        "cursor",
        "gates",
        "heads",
        "held",
        "later",
        "name",
        "pace",
        "ready",
        "refusal",
        "stamp",
        "tail",
        "waits",
    )

    def __init__(self, name: str, manners: Manners) -> None:
        self.name = name
        self.pace = Pace(manners)
        self.heads: list[tuple[int, int, Request]] = []
        self.cursor = (-1, 0)
        self.tail = False
        self.later: list[tuple[float, int, Request]] = []
        self.gates: tuple[Gate, ...] = ()  # one for each scheme
        self.waits = False
        self.asking: Gate | None = None
        self.refusal: Refusal | None = None
        self.held = False
        self.ready: float | None = None
        self.stamp = 0

    def ready_at(self) -> float | None:
        """When it may be visited next, by the clock; None when only an event can tell."""
        if self.asking is not None or self.waits or not self.pace.free:
            return None
        if (self.heads or self.tail) and not self.held:
            return self.pace.next_at
        return max(self.pace.next_at, self.later[0][0]) if self.later else None
