"""Write the API reference from the docstrings: `python docs/make_api.py > docs/api.md`.

It reads the sources rather than the objects: signatures look as they were written, whatever the
version of Python.
"""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc, getsourcefile
from pathlib import Path

import click

from asyncmultispider.cli.commands import cli

PARTS = {
    "Crawling": ("asyncmultispider", ["crawl", "Run", "fetch_all", "FetchAll", "Failed"]),
    "Options": ("asyncmultispider.api", ["FetchOptions", "CrawlOptions"]),
    "Results": ("asyncmultispider", ["Summary", "Page"]),
    "What a page says of itself": ("asyncmultispider.page.meta", ["Meta"]),
    "Spiders": ("asyncmultispider", ["Spider"]),
    "What hooks see": ("asyncmultispider.spider", ["Outgoing"]),
    "Errors": ("asyncmultispider.errors", [
        "CrawlError", "UsageError", "StorageError", "DamageError", "WorkerError",
    ]),
    "Testing": ("asyncmultispider.testing", [
        "run_spider", "FakeCrawl", "FakeWeb", "reply", "trouble", "FakeClock",
    ]),
    "URLs": ("asyncmultispider.urls", ["canonicalize", "registrable_domain"]),
    "robots.txt": ("asyncmultispider.robots", ["Robots"]),
    "Sitemaps": ("asyncmultispider.sitemaps", ["Sitemap", "Entry", "SitemapError"]),
}  # fmt: skip
INTERNAL = {
    "Page": {"encoded", "facts", "findings", "know", "stored"},
    "Spider": {"handler", "has_handlers", "outgoing", "rule"},
    "FakeWeb": {"blocking"},
    "Robots": {"policy"},
}
"""Members that are public to the other modules only."""
HEAD = """# API reference

Made from the docstrings by `docs/make_api.py`; the [cookbook](cookbook.md) has the examples.
What is not here may change without notice.
"""
WIDTH = 88
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> None:
    """Print it."""
    print(HEAD)
    for title, (module, names) in PARTS.items():
        print(f"## {title}\n\nFrom `{module}`.\n")
        for name in names:
            print("\n\n".join(described(getattr(import_module(module), name))) + "\n")
        if title == "Options":
            print(options())


def options() -> str:
    """What they mean, as the command's help says it."""
    rows = ["### What they mean\n", "| option | usual | |", "|---|---|---|"]
    for each in cli.commands["crawl"].params:
        if isinstance(each, click.Option) and each.help:
            words, _, usual = each.help.partition("[default: ")
            usual = usual.rstrip("] ") or ("" if not each.show_default else str(each.default))
            name = max(each.opts, key=len)
            rows.append(f"| `{name}` | {usual} | {words.strip().replace('|', '/')} |")
    return "\n".join(rows) + "\n"


def described(thing: type) -> Iterator[str]:
    """The paragraphs about a function or class."""
    node = definition(thing)
    yield f"### {node.name}"
    if not isinstance(node, ast.ClassDef):
        yield code(signature(node))
        yield text(node)
        return
    yield text(node)
    hidden = INTERNAL.get(node.name, set())
    members = {name: each for name, each in members_of(thing) if name not in hidden}
    fields = [line for each in members.values() for line in field(each)]
    if fields:
        yield code("\n".join(fields))
    for member in members.values():
        yield from described_member(member)


def described_member(node: ast.AST) -> Iterator[str]:
    """The paragraphs about a method or property that is not there for another's sake."""
    if not isinstance(node, Function) or "overload" in decorators(node):
        return
    said = text(node)
    if not said or said.startswith("See `"):
        return
    if decorators(node) & {"property", "lazy", "cached_property"}:
        head = f"{node.name}{result(node, ': ')}"
    else:
        head = signature(node)
    yield f"{code(head)}\n\n{said}"


def members_of(thing: type) -> Iterator[tuple[str, ast.AST]]:
    """Public members with their names: its own, and those of its private bases."""
    for each in reversed(thing.__mro__):
        if each.__module__.startswith("asyncmultispider."):
            node = definition(each)
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                name = name_of(member)
                if not name.startswith("_"):
                    yield name, member


def name_of(member: ast.AST) -> str:
    """What a statement in a class defines; `_` for nothing of interest."""
    if isinstance(member, Function):
        return member.name
    target = member.target if isinstance(member, ast.AnnAssign) else None
    return target.id if isinstance(target, ast.Name) else "_"


def field(node: ast.AST) -> list[str]:
    """A field as it is declared."""
    return [ast.unparse(node)] if isinstance(node, ast.AnnAssign) else []


def definition(thing: type) -> Function | ast.ClassDef:
    """Where it is defined."""
    file = getsourcefile(thing) or ""
    for node in ast.parse(Path(file).read_text(encoding="utf-8")).body:
        if isinstance(node, Function | ast.ClassDef) and node.name == thing.__name__:
            return node
    raise LookupError(f"{thing.__name__} is not defined in {file}")


def signature(node: Function) -> str:
    """As it was written, without self, on several lines where one is too long."""
    arguments = node.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        del arguments.args[0]
    keyword = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    returns = result(node, " -> ")
    line = f"{keyword}{node.name}({ast.unparse(arguments)}){returns}"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"    {part.strip()},\n" for part in top_level(ast.unparse(arguments)))
    return f"{keyword}{node.name}(\n{inner}){returns}"


def result(node: Function, before: str) -> str:
    """What it gives, without the quotes that a name may be in."""
    return before + ast.unparse(node.returns).strip("'") if node.returns else ""


def top_level(text: str) -> Iterator[str]:
    """Parts between the commas that are within no bracket."""
    depth, start = 0, 0
    for place, char in enumerate(text):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def decorators(node: Function) -> set[str]:
    """Their names."""
    return {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}


def text(node: Function | ast.ClassDef) -> str:
    """Its docstring."""
    return cleandoc(ast.get_docstring(node) or "")


def code(lines: str) -> str:
    """A block that is no example."""
    return f"```text\n{lines}\n```"


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main()
