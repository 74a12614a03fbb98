"""A reader who tries all examples of a page, in a folder of their own."""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from docs_blocks import Block, differs

PROGRAMS = ("duckdb", "jq", "nginx", "sqlite3")
"""What a page may use that is not of ours: what is missing is left out, but for CI."""
LIBRARIES = ("duckdb", "fastwarc", "pandas", "polars", "pyarrow", "warcio")
DEADLINE = 60.0
"""Seconds for a block."""
_SESSION = Path(__file__).with_name("docs_session.py")


class Wrong(Exception):
    """An example does not do what the page says."""


class Reader:
    """Tries the blocks of a page one after the other, in the folder `home`."""

    def __init__(self, page: Path, home: Path) -> None:
        self._page = page
        self._home = home
        self._session: subprocess.Popen[str] | None = None
        self.left_out: list[str] = []

    def read(self, blocks: list[Block]) -> None:
        """Try all of them. Raises `Wrong` for those that do not hold."""
        wrong = []
        try:
            for block in blocks:
                missing = missing_tools(block)
                if missing:
                    self.left_out.append(f"line {block.line}: no {', '.join(missing)}")
                    continue
                try:
                    self._try(block)
                except Wrong as found:
                    wrong.append(str(found))
            if wrong:
                raise Wrong("\n\n".join(wrong))
        finally:
            if self._session is not None:
                self._session.kill()
                self._session.communicate()

    def _try(self, block: Block) -> None:
        if block.language == "console":
            for command, shown in block.commands():
                self._check(block, command, self._shell(block, command, failing=bool(shown)), shown)
            return
        run = self._python if block.language == "python" else self._script
        self._check(block, block.text, run(block), block.output)

    def _script(self, block: Block) -> str:
        return self._shell(block, block.text, failing=False)

    def _python(self, block: Block) -> str:
        if block.file is not None or block.is_program:
            file = self._home / (block.file or f"line_{block.line}.py")
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
            if file.name.startswith("test_"):
                command = f"pytest -q -W error -p no:cacheprovider {file.name}"
                return self._shell(block, command, failing=False)
            if block.is_program:
                return self._shell(block, f"python {file.name}", failing=False)
            return self._in_session(block, f"import runpy; _ = runpy.run_path({str(file)!r})")
        return self._in_session(block, block.text)

    def _in_session(self, block: Block, text: str) -> str:
        if self._session is None:
            self._session = subprocess.Popen(
                [sys.executable, _SESSION],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=self._home,
                env=environment(),
            )
        assert self._session.stdin
        assert self._session.stdout
        said = json.dumps({"text": text, "name": f"{self._page}, block at line {block.line}"})
        with _deadline(self._session):
            self._session.stdin.write(said + "\n")
            self._session.stdin.flush()
            answer = self._session.stdout.readline()
        if not answer:
            raise self._wrong(block, text, f"it ended, or took more than {DEADLINE:.0f} s", None)
        result = json.loads(answer)
        if result["error"]:
            raise self._wrong(block, text, result["printed"] + result["error"], None)
        return str(result["printed"])

    def _shell(self, block: Block, command: str, *, failing: bool) -> str:
        """What it prints. `failing`: it may fail, as the page shows what it prints then."""
        with subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._home,
            env=environment(),
        ) as shell:
            with _deadline(shell):
                printed, _ = shell.communicate()
            if shell.returncode < 0 or (shell.returncode and not failing):
                raise self._wrong(block, command, f"{printed}exit code {shell.returncode}", None)
        return printed

    def _check(self, block: Block, what: str, printed: str, expected: str | None) -> None:
        if expected is not None and differs(expected, printed):
            raise self._wrong(block, what, printed, expected)

    def _wrong(self, block: Block, what: str, printed: str, expected: str | None) -> Wrong:
        promised = "" if expected is None else f"\n--- the page says\n{expected}"
        return Wrong(f"{self._page}:{block.line}\n{what}{promised}\n--- what it did\n{printed}")


def missing_tools(block: Block) -> list[str]:
    """Programs and libraries that a block needs and this machine has not."""
    if block.language == "python":
        wanted = {name for name in _imported(block.text) if name in LIBRARIES}
        return sorted(name for name in wanted if importlib.util.find_spec(name) is None)
    words = set(re.findall(r"[\w-]+", block.text))
    path = environment()["PATH"]
    return sorted(n for n in words.intersection(PROGRAMS) if shutil.which(n, path=path) is None)


def environment() -> dict[str, str]:
    """What a reader has: the commands of this environment, no proxies, a plain terminal."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    mine = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    # What is loaded from the sources of a coverage run or of pytest is not for readers.
    mine.pop("PYTEST_ADDOPTS", None)
    return mine | {"PATH": path, "NO_COLOR": "1", "COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}


def _imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@contextmanager
def _deadline(process: subprocess.Popen[str]) -> Iterator[None]:
    timer = threading.Timer(DEADLINE, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
