"""After a run, the scores of the outside truths, however the output of tests is captured."""

import pytest
from scoring import PASSED, TOTAL


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TOTAL:
        terminalreporter.section("outside truths")
    for suite, total in TOTAL.items():
        terminalreporter.write_line(f"{suite}: {PASSED[suite]}/{total}")
