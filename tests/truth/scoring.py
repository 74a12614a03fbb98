"""Scores of the outside truths: printed by each test, and added up at the end of the run."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

Case = TypeVar("Case")

PASSED: Counter[str] = Counter()
TOTAL: Counter[str] = Counter()


def score(
    suite: str, cases: Iterable[Case], passes: Callable[[Case], bool], part: str = ""
) -> list[Case]:
    """Try the cases, print `suite part: passed/total`, and return those that failed."""
    every = list(cases)
    failed = [case for case in every if not passes(case)]
    TOTAL[suite] += len(every)
    PASSED[suite] += len(every) - len(failed)
    print(f"{suite}{part and ' '}{part}: {len(every) - len(failed)}/{len(every)}")
    assert every, "an outside truth without cases says nothing"
    return failed
