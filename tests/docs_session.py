"""Runs Python blocks of a page as a notebook does: `python docs_session.py`, one session for all.

A line of JSON on standard input is a block: its `text`, and `file` and `line`, where it stands. The
answer is a line of JSON, too: what it printed, and the traceback if it raised.
"""

import ast
import asyncio
import importlib
import inspect
import io
import json
import linecache
import os
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import Any


def run(text: str, name: str, space: dict[str, Any], runner: asyncio.Runner) -> str | None:
    """Run a block; its traceback, if there is one."""
    importlib.invalidate_caches()  # a file may have been written just now
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    try:
        code = compile(text, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        done = eval(code, space)
        if inspect.iscoroutine(done):
            runner.run(done)
    except BaseException:  # noqa: BLE001 - the page's writer is told
        return traceback.format_exc()
    return None


def main() -> None:
    """Until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, "")
    sys.argv = [""]
    space: dict[str, Any] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            block = json.loads(line)
            printed = io.StringIO()
            with redirect_stdout(printed), redirect_stderr(printed):
                error = run(block["text"], block["name"], space, runner)
            answers.write(json.dumps({"printed": printed.getvalue(), "error": error}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
