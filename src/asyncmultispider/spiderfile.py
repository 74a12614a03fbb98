"""Loading a spider from a file of the user's own."""

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from asyncmultispider.errors import UsageError
from asyncmultispider.spider import Spider


@cache
def load_spider(path: Path) -> Spider:
    """The spider in the Python file at `path`: the one called `spider`, or the only one.

    The file's folder is where its own imports are looked for first, as for a script. Raises
    `UsageError` when there is no such file, it can't be run, or has not one spider.
    """
    module = _load(path)
    found = {id(v): v for v in vars(module).values() if isinstance(v, Spider)}
    spider = vars(module).get("spider")
    if not isinstance(spider, Spider) and len(found) == 1:
        [spider] = found.values()
    if not isinstance(spider, Spider):
        many = "more than one Spider and none is called 'spider'" if found else "no Spider"
        raise UsageError(f"{str(path)!r} has {many}: spider = Spider('https://...')")
    return spider


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"no such file: {str(path)!r}")
    # Under a name of its own: 'json.py' must not take the place of the module json.
    spec = spec_from_file_location(f"spider_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{str(path)!r} is not a Python file: its name must end in .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(f"can't load {str(path)!r}: {_brief(error, path)}") from error
    return module


def _brief(error: BaseException, path: Path) -> str:
    lines = [
        entry.lineno for entry in extract_tb(error.__traceback__) if entry.filename == str(path)
    ]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    place = f"line {line}: " if line else ""
    return f"{place}{type(error).__name__}: {error}"
