"""Looking at the books of a crawl by its own commands, as its users can: `verify` and `status`."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command import Ended, run

STATES = ("queued", "leased", "done", "failed", "skipped", "suspended")
WRONG_USAGE = 2


@dataclass
class Books:
    """What was seen in a directory: how often it was looked at, and how often all was well."""

    directory: Path
    looks: int = 0
    balanced: int = 0
    accepted: int = 0

    def look(self, *, begun: bool) -> str | None:
        """What is wrong, if anything. Where no page was asked for yet, there may be no books."""
        try:
            verified = run("verify", self.directory, "--json")
            status = run("status", self.directory, "--json")
        except subprocess.TimeoutExpired as error:
            return f"not within {error.timeout:.0f} s: {error.cmd}"
        if not begun and WRONG_USAGE in (verified.code, status.code):
            return None
        self.looks += 1
        wrong = self._unverified(verified) or self._unequal(status)
        self.balanced += not wrong
        return wrong

    def _unverified(self, ended: Ended) -> str | None:
        good = ended.code == 0 and _object(ended).get("ok") is True
        return None if good else f"verify ended with {ended.code}: {ended.out}{ended.err}"

    def _unequal(self, ended: Ended) -> str | None:
        counts = _object(ended)
        accepted = counts.get("accepted", -1)
        if ended.code != 0 or accepted != sum(counts.get(state, 0) for state in STATES):
            return f"status ended with {ended.code}: {ended.out}{ended.err}"
        if accepted < self.accepted:
            return f"{self.accepted} URLs were accepted before, and now {accepted} are"
        self.accepted = accepted
        return None


def _object(ended: Ended) -> dict[str, Any]:
    try:
        value = json.loads(ended.out)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
