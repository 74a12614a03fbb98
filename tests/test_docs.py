"""The documentation is true: its examples run, its API reference is up to date, its links lead on.

Examples are written for the bookshop of `asyncmultispider.demo` on its usual port; here it is on a
free one. What runs, and how a page says what comes out, is told in `docs_blocks`.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from asyncmultispider.demo import PORT, Shop
from command import run as ams
from docs_blocks import differs, read_blocks
from docs_reader import Reader, Wrong

HOME = Path(__file__).parents[1]
PAGES = [HOME / "README.md", *sorted((HOME / "docs").glob("*.md")), HOME / "examples/README.md"]
GIVEN = "site.crawl"
"""A finished crawl of the shop, for pages that name it."""
MOST_LEFT_OUT = 12


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """The bookshop."""
    with Shop(0) as shop:
        threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield shop
        shop.shutdown()


@pytest.fixture(scope="module")
def crawled(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished crawl of it."""
    where = tmp_path_factory.mktemp("docs") / GIVEN
    assert ams("crawl", shop.url, "-d", where, "-q", "--delay-factor", "0").code == 0
    return where


@pytest.fixture(scope="module")
def readings(
    request: pytest.FixtureRequest,
    shop: Shop,
    crawled: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[Path, Future[list[str]]]]:
    """Readers of all pages that are asked for. They wait for programs, so two read at a time."""
    wanted = {item.callspec.params["page"] for item in request.session.items if _is_reading(item)}
    with ThreadPoolExecutor(2) as pool:
        yield {
            page: pool.submit(_read, page, shop, crawled, tmp_path_factory.mktemp(page.stem))
            for page in PAGES
            if page in wanted
        }
        pool.shutdown(cancel_futures=True)


def _is_reading(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "readings" in item.fixturenames


def _read(page: Path, shop: Shop, crawled: Path, home: Path) -> list[str]:
    """What was left out of a page. Raises `Wrong`."""
    name = page.relative_to(HOME)
    text = page.read_text(encoding="utf-8").replace(str(PORT), str(shop.server_address[1]))
    blocks, _ = read_blocks(name, text)
    if any(GIVEN in block.text for block in blocks):
        shutil.copytree(crawled, home / GIVEN)
    reader = Reader(name, home)
    reader.read(blocks)
    return reader.left_out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_examples_do_what_the_page_says(
    page: Path, readings: dict[Path, Future[list[str]]]
) -> None:
    wrong = readings[page].exception()
    if isinstance(wrong, Wrong):
        pytest.fail(str(wrong), pytrace=False)
    left_out = readings[page].result()
    if os.environ.get("CI"):
        assert left_out == []


def test_few_examples_are_not_run() -> None:
    left = [why for page in PAGES for why in read_blocks(page, page.read_text())[1].values()]
    assert len(left) <= MOST_LEFT_OUT, left


def test_the_api_reference_is_what_the_docstrings_say() -> None:
    made = subprocess.run(
        [sys.executable, HOME / "docs/make_api.py"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    kept = (HOME / "docs/api.md").read_text(encoding="utf-8")
    assert made.stdout == kept, "run: python docs/make_api.py > docs/api.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        file, _, anchor = target.partition("#")
        if "://" in file:
            continue
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in _anchors(there), f"{page.name}: {target}"


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


# The runner itself: it must be able to fail.

PAGE = """
```python
x = 2
```

```python
import asyncio
print(await asyncio.sleep(0, x))
```

```text
2
```

```console
$ echo 3 pages in 0.25 s
3 pages in 1.5 s
$ printf 'a\\nb\\nc\\n'; false
a
...
c
```

<!-- not run: it never ends -->
```sh
sleep 1000
```

```python
# other.py
y = 5
```

```sh
python -c 'import other; assert other.y == 5'
```
"""


def test_a_page_that_is_true(tmp_path: Path) -> None:
    blocks, left = read_blocks(Path("page.md"), PAGE)
    assert left == {26: "it never ends"}
    assert [block.language for block in blocks] == ["python", "python", "console", "python", "sh"]
    Reader(Path("page.md"), tmp_path).read(blocks)


@pytest.mark.parametrize(
    "change",
    [("x = 2", "x = 3"), ("echo 3", "echo 4"), ("x = 2", "1 / 0"), ("y = 5", "y = 6")],
)
def test_a_page_that_is_not(change: tuple[str, str], tmp_path: Path) -> None:
    blocks, _ = read_blocks(Path("page.md"), PAGE.replace(*change))
    with pytest.raises(Wrong, match=r"page\.md:\d+"):
        Reader(Path("page.md"), tmp_path).read(blocks)


def test_an_unknown_language_is_not_overlooked() -> None:
    with pytest.raises(ValueError, match="bash"):
        read_blocks(Path("page.md"), "```bash\nfalse\n```\n")


@pytest.mark.parametrize(
    ("expected", "actual", "different"),
    [
        ("a  1.5 s", "a 20 ms", False),
        ("at 2026-11-20T17:02:55.154+00:00", "at 2027-01-01 00:00:00Z", False),
        ("a...c", "abbc", False),
        ("a...c", "ab\nc", True),
        ("3 pages", "4 pages", True),
        ("", "x", True),
        ("x", "", True),
        ("a\n...", "a", False),
        ("a\nb", "a\npages 7; pages/s 1.5; in flight 2; queued 4; hosts 1; time 5.0 s\nb", False),
    ],
)
def test_what_differs(expected: str, actual: str, different: bool) -> None:
    assert differs(expected, actual) is different
