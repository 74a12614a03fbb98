"""No regular expression of ours may take more than linear time on what the net sends.

Each is read as `re` has parsed it. Refused are repeats without an end that can share characters:

- one within another: `(a+)+`;
- one after another: `a*a*x`, also with optional things or shared characters between (`a*ba*x` is
  fine, `.*a.*x` is not);
- when it is searched for: one that can begin at each of its own characters, and then fail:
  `a+x` takes quadratic time to say that it is not in `aaaa`.

Possessive repeats and atomic groups are fine for the first two. What is in `PROVEN` is fine.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import pytest

import asyncmultispider

SOURCE = Path(asyncmultispider.__file__).parent
MANY = 64
"""Times from which on a repeat counts as one without an end."""
SAMPLE = [
    *map(chr, range(256)),
    "\u0130",
    "\u017f",
    "\u0301",
    "\u0660",
    "\u212a",
    "\u2028",
    "\u3000",
]
FUNCTIONS = {
    "compile",
    "search",
    "match",
    "fullmatch",
    "split",
    "findall",
    "finditer",
    "sub",
    "subn",
}
ANCHORED = {"match", "fullmatch"}
REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)

PROVEN = {
    "fetch.blame.secrets_of": "alternatives of fixed texts",
    "robots.paths._PLAIN_URL": "each round of the outer repeat begins with %, the inner has none",
    "sitemaps.markup._TOKEN": "what has no end takes all that is left, and ends the search",
    "urls.canonical._AUTHORITY": "all of it is optional: it matches where it is tried first",
    "urls.scope._compiled": "fnmatch makes all stars atomic but the last, which meets only an end",
}
"""Where patterns are that look bad, or can't be looked at, and why they are good."""


class Regex(NamedTuple):
    """A regular expression, where it is, and whether it is tried at one place of a text only."""

    where: str
    pattern: str | bytes
    flags: int
    anchored: bool


# -- Reading one


class Repeat(NamedTuple):
    """A repeat without an end: what it may be made of, and whether it gives back what it took."""

    chars: frozenset[str]
    yields: bool = True


class One(NamedTuple):
    """A character that must come."""

    chars: frozenset[str]


class Start(NamedTuple):
    """Nothing can come before."""


Part = Repeat | One | Start
ANYTHING = frozenset(SAMPLE)


def trouble(regex: Regex) -> list[str]:
    """What may take more than linear time."""
    tree = parser.parse(regex.pattern, regex.flags)
    flags = tree.state.flags
    found = list(nested(tree, flags))
    for parts in ways(tree, flags):
        if not regex.anchored and not (parts and isinstance(parts[0], Start)):
            parts = [Repeat(ANYTHING), *parts]
        found += after_another(parts)
    return sorted(set(found))


def nested(tree: Any, flags: int, within: bool = False) -> Iterator[str]:
    """Repeats in repeats."""
    for kind, value in tree:
        endless = kind in (op.MAX_REPEAT, op.MIN_REPEAT) and value[1] >= MANY
        if endless and within:
            yield "a repeat within a repeat"
        for child in children(kind, value):
            yield from nested(child, flags, within or endless)


def after_another(parts: list[Part]) -> list[str]:
    """Repeats that can take from each other, where something after them can fail."""
    found = []
    for at, first in enumerate(parts):
        if not isinstance(first, Repeat) or not first.yields:
            continue
        for later, second in enumerate(parts[at + 1 :], at + 1):
            shared = first.chars & second.chars if not isinstance(second, Start) else ANYTHING
            if not shared and isinstance(second, One):
                break
            if isinstance(second, Repeat) and shared and can_fail(parts[later + 1 :]):
                # What is searched for (the first is the whole text before it) is tried again only
                # where it can begin.
                between = [part for part in parts[at + 1 : later] if isinstance(part, One)]
                if all(part.chars & second.chars for part in between):
                    found.append(f"{show(first)} before {show(second)}")
    return found


def can_fail(rest: list[Part]) -> bool:
    return any(isinstance(part, One | Start) for part in rest)


def ways(tree: Any, flags: int) -> list[list[Part]]:
    """The parts in order, for each way through the branches."""
    every: list[list[Part]] = [[]]
    for kind, value in tree:
        nexts = ways_of(kind, value, flags)
        every = [before + after for before in every for after in nexts]
    return every


def ways_of(kind: Any, value: Any, flags: int) -> list[list[Part]]:
    if kind in REPEATS:
        least, most, body = value
        if most >= MANY:
            repeat = Repeat(chars_of(body, flags), kind is not op.POSSESSIVE_REPEAT)
            return [[One(repeat.chars), repeat] if least else [repeat]]
        inner = ways(body, flags)
        return inner if least else [[], *inner]
    if kind is op.SUBPATTERN:
        return ways(value[3], (flags | value[1]) & ~value[2])
    if kind is op.BRANCH:
        return [way for branch in value[1] for way in ways(branch, flags)]
    if kind is op.ATOMIC_GROUP:
        return [[Repeat(chars_of(value, flags), False)]]
    if kind is op.AT:
        if value in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            return [[Start()]]
        return [[One(frozenset())]] if value in (op.AT_END, op.AT_END_STRING) else [[]]
    if kind is op.ASSERT_NOT and value[0] < 0:  # (?<![x]): a character before it, or none
        return [[One(ANYTHING - chars_of(value[1], flags))]]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [[], *([*way, One(frozenset())] for way in ways(value[1], flags))]
    if kind is op.GROUPREF:
        return [[Repeat(ANYTHING)]]
    return [[One(one_of(kind, value, flags))]]


def children(kind: Any, value: Any) -> list[Any]:
    if kind in REPEATS:
        return [value[2]]
    if kind is op.SUBPATTERN:
        return [value[3]]
    if kind is op.BRANCH:
        return list(value[1])
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    return [value] if kind is op.ATOMIC_GROUP else []


def chars_of(tree: Any, flags: int) -> frozenset[str]:
    """Every character that may be in it."""
    found: frozenset[str] = frozenset()
    for kind, value in tree:
        inner = children(kind, value)
        for child in inner:
            found |= chars_of(child, flags)
        if not inner and kind is not op.AT:
            found |= one_of(kind, value, flags)
    return found


def one_of(kind: Any, value: Any, flags: int) -> frozenset[str]:
    """The characters of the sample that one item matches, by asking `re` itself."""
    items = value if kind is op.IN else [(kind, value)]
    text = "".join(map(written, items)) if kind is op.IN else written((kind, value))
    pattern = f"[{text}]" if kind is op.IN else "." if kind is op.ANY else text
    if kind is op.NOT_LITERAL:
        pattern = f"[^{text}]"
    asked = re.compile(pattern, flags & (re.IGNORECASE | re.ASCII | re.DOTALL))
    return frozenset(filter(asked.match, SAMPLE))


CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def written(item: tuple[Any, Any]) -> str:
    kind, value = item
    if kind in (op.LITERAL, op.NOT_LITERAL):
        return re.escape(chr(value))
    if kind is op.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if kind is op.CATEGORY:
        return CATEGORIES[value]
    if kind is op.NEGATE:
        return "^"
    assert kind is op.ANY, kind
    return ""


def show(part: Repeat) -> str:
    chars = "".join(sorted(part.chars))
    return "anything" if part.chars == ANYTHING else f"[{chars[:20]!r}...]*"


# -- Finding them all


def modules() -> Iterator[tuple[str, Path]]:
    for info in pkgutil.walk_packages([str(SOURCE)], "asyncmultispider."):
        path = SOURCE.parent.joinpath(*info.name.split("."))
        yield info.name, path / "__init__.py" if info.ispkg else path.with_suffix(".py")


def regexes_of(name: str, path: Path) -> Iterator[Regex]:
    """The regular expressions of a module, compiled as it is loaded or written where it is used."""
    tree = ast.parse(path.read_text())
    short = name.removeprefix("asyncmultispider.")
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    kept = {id(part) for value in assigned.values() for part in ast.walk(value)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and uses_re(node)]
    for variable, value in assigned.items():
        if any(call in calls for call in ast.walk(value)):
            module = importlib.import_module(name)
            yield from compiled(f"{short}.{variable}", getattr(module, variable), tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for call in calls:
        if id(call) not in kept:
            inside = next((f.name for f in functions if call in ast.walk(f)), "")
            yield literal(f"{short}.{inside}", call)


def uses_re(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
        and function.attr in FUNCTIONS
    )


def compiled(where: str, value: Any, tree: ast.Module) -> Iterator[Regex]:
    variable = where.rpartition(".")[2]
    regex = getattr(value, "__self__", value)  # a bound method: `.fullmatch`
    if not isinstance(regex, re.Pattern):
        return
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == variable
    }
    anchored = value is not regex and value.__name__ in ANCHORED
    elsewhere = not variable.startswith("_")
    anchored = anchored or (bool(used) and used <= ANCHORED and not elsewhere)
    yield Regex(where, regex.pattern, regex.flags & ~re.UNICODE, anchored)


def literal(where: str, call: ast.Call) -> Regex:
    assert isinstance(call.func, ast.Attribute)
    written = call.args[0]
    flags = [
        node.attr
        for node in ast.walk(call)
        if isinstance(node, ast.Attribute) and node.attr.isupper()
    ]
    pattern = written.value if isinstance(written, ast.Constant) else None
    number = sum(int(getattr(re, flag)) for flag in flags if hasattr(re, flag))
    return Regex(where, pattern, number, call.func.attr in ANCHORED)


EVERY = [regex for name, path in modules() for regex in regexes_of(name, path)]


@pytest.mark.parametrize("regex", EVERY, ids=[regex.where for regex in EVERY])
def test_it_takes_linear_time(regex: Regex) -> None:
    if regex.where in PROVEN:
        return
    assert regex.pattern is not None, "it can't be read: build it where the module is loaded"
    assert trouble(regex) == []


def test_they_are_found() -> None:
    where = {regex.where for regex in EVERY}
    assert where > {
        "robots.reader._NUMBER",
        "robots.paths._PLAIN_URL",
        "page.content._CHARSET",
        "urls.canonical._amend",
        "urls.scope.registrable_domain",
    }
    assert set(PROVEN) <= where
    assert len(EVERY) > 20


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [
        (r"(a+)+b", True),
        (r"(?:a|b+)*c", True),
        (r"\d+\.?\d*$", True),
        (r"a*a*b", True),
        (r".*a.*b", True),
        (r"\s+$", False),
        (r"a+b", False),
        (r"a++b", False),
        (r"a*a*+b", True),
        (r"<.*>", False),
        (r"<[^>]*>", False),
        (r"x[\w-]*\w+y", True),
        (r"(?i)a*A*b", True),
        (r"\s*[\t ]*x", True),
        (r"(?=a*a*b)", True),
    ],
)
def test_bad_ones_are_known(pattern: str, anchored: bool) -> None:
    assert trouble(Regex("here", pattern, 0, anchored))


@pytest.mark.parametrize(
    ("pattern", "anchored"),
    [
        (r"a+b", True),
        (r"<[^<>]*>", False),
        (r":[0-9]+$", False),
        (r"^\s+$", False),
        (r"\d++\.?\d*$", True),
        (r"(?>a*)a*b", True),
        (r"charset\s*=\s*([^\s;]+)", False),
        (r"[a-z]*:[/\\]*[^/\\]*", True),
        (r"a*ba*c", True),
        (r"a{2,5}a*", False),
        (r"x|[0-9a-f]{12,}", False),
        (r"(?<!a)a+b", False),
    ],
)
def test_good_ones_are_known(pattern: str, anchored: bool) -> None:
    assert trouble(Regex("here", pattern, 0, anchored)) == []
