"""Coverage-guided fuzzing of all that reads what strangers wrote.

    python -m benchmarks.fuzz [--minutes 10] [--target NAME ...] [--corpus DIR] [--crashes DIR]
    python -m benchmarks.fuzz --target NAME --replay FILE

Needs `pip install "asyncmultispider[fuzz]"` (atheris: Linux on x86-64). What must hold is told in
`tests/fuzzing.py`, a function for each target. The minutes are divided among the targets; each runs
in a process of its own, that may take a gigabyte. Coverage is that of our Python code: the parsers
in C below it are tried, but not looked into.

A crash is an exception, an end of the process, a gigabyte of memory, or an input that takes more
than 2 s of CPU. The inputs of distinct crashes are kept in the folder `--crashes`, each beside its
traceback. Without `--corpus` the inputs that found something new are forgotten.

Exit code: 0 no crash, 1 crashes, 2 wrong usage or no atheris.
"""

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._common import say

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the properties are the tests', too

if TYPE_CHECKING:
    from fuzzing import Target

INSTRUMENTED = ("asyncmultispider", "email", "publicsuffixlist", "urllib")
MEMORY = 1024
"""Megabytes of a process."""
ENDLESS = 20
"""Seconds of an input after which its process is ended."""
MOST_ENDS = 5
"""Processes of a target that may end before their time."""
_FIGURES = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)


@dataclass(slots=True)
class Found:
    """What came of a target. `edges` and `features` are libFuzzer's; `crashes` are files."""

    target: str
    executions: int = 0
    seconds: float = 0.0
    edges: int = 0
    features: int = 0
    corpus: int = 0
    crashes: list[str] = field(default_factory=list)


def fuzz(name: str, seconds: float, corpus: Path, crashes: Path) -> Found:
    """Try a target for so long, again after each end of its process."""
    found = Found(name)
    corpus = corpus / name
    corpus.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / name
        fresh.mkdir()
        for _ in range(MOST_ENDS):
            left = int(deadline - time.monotonic())
            if left < 1 or _run(found, left, corpus, fresh):
                break
        for path in sorted(fresh.iterdir()):
            crashes.mkdir(parents=True, exist_ok=True)
            kept = shutil.copy(path, crashes / f"{name}-{path.name}")
            if path.suffix != ".txt":
                found.crashes.append(str(kept))
    return found


def _run(found: Found, seconds: int, corpus: Path, crashes: Path) -> bool:
    """Run one process for so long; whether it lived on to its end."""
    command = [sys.executable, "-m", "benchmarks.fuzz", "--child", found.target]
    command += [f"--minutes={seconds / 60}", f"--corpus={corpus}", f"--crashes={crashes}"]
    began, since = time.monotonic(), time.time()
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        try:
            code = subprocess.run(
                command, stdout=log, stderr=log, timeout=seconds + 60, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = -9
        log.seek(0)
        text = log.read()
    found.seconds += time.monotonic() - began
    if figures := _FIGURES.findall(text):
        found.executions += int(figures[-1][0])
        found.edges, found.features, found.corpus = map(int, figures[-1][1:])
    if code != 0:
        say(f"{found.target}: its process ended with {code}: {text[-3000:]}")
        if not any(path.stat().st_mtime >= since for path in crashes.iterdir()):
            (crashes / f"end-{int(since)}").write_text(text)  # it could not keep the input
    return code == 0


def child(name: str, seconds: float, corpus: Path, crashes: Path) -> None:
    """Be the process in which a target is tried; ends by itself."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from fuzzing import LONGEST, TARGETS

    target = TARGETS[name]
    for number, example in enumerate(target.examples()):
        (corpus / f"example-{number}").write_bytes(example)
    killers = {path.read_bytes() for path in crashes.iterdir()}
    for path in corpus.iterdir():
        if path.read_bytes() in killers:
            path.unlink()
    words = crashes.parent / "words.dict"
    words.write_text("".join(f'"{_escaped(piece)}"\n' for piece in target.pieces if piece))
    atheris.Setup(
        [
            *(name, str(corpus), f"-max_total_time={int(seconds)}", f"-max_len={LONGEST}"),
            *(f"-timeout={ENDLESS}", f"-rss_limit_mb={MEMORY}", f"-dict={words}"),
            *(f"-artifact_prefix={crashes}/", "-reload=0"),
        ],
        caught(target, crashes),
    )
    atheris.Fuzz()


def caught(target: "Target", crashes: Path) -> Callable[[bytes], None]:
    """The target as a function that keeps inputs with a new kind of exception, and goes on."""
    from fuzzing import attempt

    known: set[str] = set()

    def one(data: bytes) -> None:
        try:
            attempt(target, data)
        except Exception as error:  # noqa: BLE001 - that is what we are here for
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__}-{Path(where.filename).stem}-{where.lineno}"
            if kind not in known:
                known.add(kind)
                (crashes / kind).write_bytes(data)
                (crashes / f"{kind}.txt").write_text(traceback.format_exc())

    return one


def _escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def table(every: list[Found]) -> str:
    """A row for each target, then its crashes."""
    lines = [
        f"{'target':10}{'executions':>12}{'exec/s':>8}{'edges':>7}{'features':>10}{'crashes':>9}"
    ]
    for found in every:
        rate = found.executions / max(found.seconds, 1)
        lines.append(
            f"{found.target:10}{found.executions:>12}{rate:>8.0f}{found.edges:>7}"
            f"{found.features:>10}{len(found.crashes):>9}"
        )
    return "\n".join([*lines, *_shown(every)])


def _shown(every: list[Found]) -> Iterator[str]:
    for found in every:
        for name in found.crashes:
            data = Path(name).read_bytes()
            yield f"{name}: {data[:300]!r}{f' ... {len(data)} bytes' if len(data) > 300 else ''}"
            if (told := Path(f"{name}.txt")).exists():
                yield told.read_text().rstrip()


def replay(name: str, path: Path) -> None:
    """Try one input again, without instruments. Raises what it raises."""
    from fuzzing import TARGETS, attempt

    attempt(TARGETS[name], path.read_bytes())
    print("it holds")


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--minutes", type=float, default=10, metavar="N", help="for all; default: 10"
    )
    parser.add_argument(
        "--target", action="append", metavar="NAME", help="repeatable; default: all"
    )
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="where inputs are kept")
    parser.add_argument("--crashes", type=Path, default=Path("crashes"), metavar="DIR")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try this input alone")
    parser.add_argument("--json", action="store_true", help="one object on stdout, no table")
    parser.add_argument("--child", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.minutes <= 0:
        parser.error("--minutes must be more than 0")
    if not options.replay and importlib.util.find_spec("atheris") is None:
        parser.error('needs atheris: pip install "asyncmultispider[fuzz]" (Linux on x86-64)')
    return options


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit code."""
    options = _options(argv)
    if options.child:
        child(options.child, options.minutes * 60, options.corpus, options.crashes)
        return 0
    from fuzzing import TARGETS

    names = options.target or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        print(f"no target {', '.join(unknown)}: there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    if options.replay:
        replay(names[0], options.replay)
        return 0
    every = []
    with ExitStack() as stack:
        corpus = options.corpus or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in names:
            every.append(fuzz(name, options.minutes * 60 / len(names), corpus, options.crashes))
            say(f"{name}: {every[-1].executions} executions, {len(every[-1].crashes)} crashes")
    if options.json:
        print(
            json.dumps({"minutes": options.minutes, "targets": [asdict(found) for found in every]})
        )
    else:
        print(table(every))
    return 1 if any(found.crashes for found in every) else 0


if __name__ == "__main__":
    sys.exit(main())
