"""Bans: a host that refuses us, or answers everything with one page, whatever it is asked for.

A row of refusals may also be a closed corner of a site, and pages may be alike. So before a host is
held to ban us, a page that it gave before is asked for once more; its front page, if it gave none.
"""

from asyncmultispider.model import Outcome, Response

REFUSALS = frozenset({403, 429, 503})
"""Statuses of servers that want to be rid of somebody."""
REFUSED = 6
"""Refusals in a row, with no other answer between, that raise the suspicion."""
MOST_PATIENCE = 16
"""Times that these rows may be as long, before a host that was found to be well is asked again."""
ALIKE = 20
"""Different URLs in a row with one and the same body that do."""
TELLING = 32
"""Bytes of a body that is worth comparing: a word or two is no wall."""
PARKED = 7
"""Slow-downs in a row, each twice as long as the one before (a minute in all), that park a host."""
OUTAGE = 9
"""The same where it says that it is unavailable (503), as servers do that will soon be back."""


def refusal_of(response: Response) -> str | None:
    """The status, where it is one that bans come with."""
    return f"status {response.status}" if response.status in REFUSALS else None


class Reception:
    """How a host receives us: rows of refusals, and of the same body for different URLs.

    `refused` and `alike` are the lengths of the rows. `cold` says that the host bans us, `vouched`
    that a good page came when that was asked last.
    """

    __slots__ = (
        "_good",
        "_how",
        "_mark",
        "_patience",
        "alike",
        "asking",
        "cold",
        "refused",
        "vouched",
    )

    def __init__(self) -> None:
        self.refused = 0
        self.alike = 0
        self.cold = False
        self.vouched = False
        self.asking = False
        self._how = ""
        self._mark: int | None = None
        self._good: tuple[str, int | None] | None = None
        self._patience = 1

    def hear(self, outcome: Outcome) -> None:
        """Take in how a request ended."""
        if outcome.refusal is not None:
            self.refused += 1
            self._how = outcome.refusal
            if self._good is None:
                self._good = _front(outcome.request.url), None
        elif outcome.status is not None:
            self.refused = 0
        mark = outcome.mark
        if mark is not None:
            if self._good is None or self._good[1] is None:
                self._good = outcome.request.url, mark
            same = mark == self._mark and outcome.size >= TELLING
            self.alike = self.alike + 1 if same else 1
            self._mark = mark
        if not self._suspicious:
            self.cold = False

    @property
    def probe(self) -> str | None:
        """The page to be asked for once more, now; None: there is no need."""
        wanted = self._suspicious and not (self.cold or self.asking)
        return self._good[0] if self._good and wanted else None

    def probed(self, outcome: Outcome) -> None:
        """Take in what came of asking for it."""
        self.asking = False
        if outcome.refusal is not None:
            self.cold = True
        elif outcome.mark is not None:
            other = self._good is not None and outcome.mark != self._good[1]
            self.cold = other and outcome.mark == self._mark and self.alike >= ALIKE
        if not self.cold:  # as before; it is to be asked more seldom
            self._patience = min(2 * self._patience, MOST_PATIENCE)
            self.refused = self.alike = 0
        self.vouched = outcome.mark is not None and not self.cold

    def strains(self, outcome: Outcome) -> bool:
        """Whether this is a reason to go slower. A refusal is none while the host is `vouched`."""
        return self.cold or (
            outcome.overloaded and not (self.vouched and outcome.refusal is not None)
        )

    @property
    def most_strikes(self) -> int:
        """Slow-downs in a row that park it."""
        return OUTAGE if self._how == "status 503" else PARKED

    @property
    def why(self) -> str:
        """What makes it look like a ban, in words."""
        if self.refused >= self.alike:
            return f"{self.refused} answers in a row were refusals ({self._how})"
        return f"{self.alike} URLs in a row gave one and the same page"

    @property
    def _suspicious(self) -> bool:
        return self.refused >= REFUSED * self._patience or (
            self.alike >= ALIKE * self._patience
            and self._good is not None
            and self._good[1] != self._mark
        )


def _front(url: str) -> str:
    return url[: url.index("/", 8) + 1]
