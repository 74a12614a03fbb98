"""Pages and items as rows: JSON lines, CSV and Parquet say the same."""

import base64
import csv
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncmultispider.errors import DamageError, StorageError, UsageError
from asyncmultispider.outputs import check_target, write_output
from asyncmultispider.outputs import parquet as parquet_module
from asyncmultispider.outputs.arrays import arrow_array
from asyncmultispider.outputs.csv_ import cell
from asyncmultispider.outputs.rows import MOST_COLUMNS
from asyncmultispider.store.sqlite import SqliteStore
from command import python
from exporting import export
from stored_rows import A, page, store_of

duckdb = pytest.importorskip("duckdb")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = (".jsonl", ".csv", ".parquet")
EVIL = "\x1b]0;x\x07\u202etxt\u2028\x00é\U0001f468\u200d\U0001f469"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    return store_of(
        tmp_path / "pages.db",
        page(f"{A}/", "<p>ü</p>".encode(), canonical=f"{A}/home", title='Start, "here"\nnow'),
        page(f"{A}/old", b"", status=301, title=None, charset=None, referrer=f"{A}/"),
        page(f"{A}/x.png", b"\x89PNG\0", content_type="image/png", charset=None, unverified=True),
    )


def of_items(folder: Path, *items: object) -> Path:
    return store_of(folder / "pages.db", page(f"{A}/1", b"x", *items))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def table(path: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(path).to_pylist())


def types(path: Path) -> dict[str, str]:
    return {field.name: str(field.type) for field in pq.read_schema(path)}


COLUMNS = [
    *("url", "status", "content_type", "charset", "title", "depth", "referrer", "fetched_at"),
    *("elapsed_ms", "size", "headers", "digest", "canonical", "unverified"),
]


def test_pages_as_json_lines(pages: Path, tmp_path: Path) -> None:
    export(pages, tmp_path / "o.jsonl")
    home, old, image = lines(tmp_path / "o.jsonl")
    assert home == {
        "url": f"{A}/",
        "status": 200,
        "content_type": "text/html",
        "charset": "utf-8",
        "title": 'Start, "here"\nnow',
        "depth": 1,
        "referrer": None,
        "fetched_at": "2023-11-14T22:13:20.250+00:00",
        "elapsed_ms": 1.5,
        "size": 9,
        "headers": {"content-type": "text/html", "set-cookie": ["a", "b"]},
        "digest": sha256("<p>ü</p>".encode()).hexdigest(),
        "canonical": f"{A}/home",
    }
    assert list(home) == COLUMNS[:-1]
    assert (old["status"], old["title"], old["referrer"]) == (301, None, f"{A}/")
    assert image["unverified"] is True


def test_pages_as_csv(pages: Path, tmp_path: Path) -> None:
    written = export(pages, tmp_path / "o.csv")
    found = rows(tmp_path / "o.csv")
    assert written.lines == len(found) == 3
    assert list(found[0]) == COLUMNS
    home = found[0]
    assert home["title"] == 'Start, "here"\nnow'
    assert (home["status"], home["elapsed_ms"], home["referrer"]) == ("200", "1.5", "")
    assert json.loads(home["headers"])["set-cookie"] == ["a", "b"]
    assert [row["unverified"] for row in found] == ["false", "false", "true"]


def test_pages_as_parquet(pages: Path, tmp_path: Path) -> None:
    export(pages, tmp_path / "o.parquet")
    assert types(tmp_path / "o.parquet") == dict.fromkeys(COLUMNS, "string") | {
        "status": "int16",
        "depth": "int32",
        "fetched_at": "timestamp[ms, tz=UTC]",
        "elapsed_ms": "double",
        "size": "int64",
        "unverified": "bool",
    }
    home, old, _ = table(tmp_path / "o.parquet")
    assert home["fetched_at"] == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
    assert home["digest"] == sha256("<p>ü</p>".encode()).hexdigest()
    assert (old["title"], old["status"], old["canonical"]) == (None, 301, None)
    about = pq.read_metadata(tmp_path / "o.parquet")
    assert about.metadata[b"asyncmultispider.kind"] == b"pages"
    assert about.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("ending", ROWS)
def test_with_bodies(pages: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"o{ending}"
    export(pages, target, bodies=True)
    read = {".jsonl": lines, ".csv": rows, ".parquet": table}[ending]
    home, old, image = read(target)
    assert home["body"] == "<p>ü</p>"
    assert old["body"] == ""
    if ending == ".parquet":
        assert (image["body"], image["body_bytes"]) == (None, b"\x89PNG\0")
    else:
        assert base64.b64decode(image["body_base64"]) == b"\x89PNG\0"
        assert not image.get("body")


@pytest.mark.parametrize("ending", ROWS)
def test_without_bodies_they_are_not_looked_at(pages: Path, tmp_path: Path, ending: str) -> None:
    db = apsw.Connection(str(pages))
    db.execute("DROP TABLE bodies")
    db.close()
    assert export(pages, tmp_path / f"o{ending}").lines == 3


@pytest.mark.parametrize("ending", ROWS)
def test_duckdb_reads_them(pages: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"o{ending}"
    export(pages, target, bodies=True)
    with duckdb.connect() as db:
        found = db.execute(f"SELECT url, status, title FROM '{target}' ORDER BY ALL").fetchall()
    assert found == [
        (f"{A}/", 200, 'Start, "here"\nnow'),
        (f"{A}/old", 301, None),
        (f"{A}/x.png", 200, "T"),
    ]


ITEM = {
    "name": 'Schöne "Kühe", viele',
    "price": 3,
    "good": True,
    "tags": ["a", "b"],
    "of": {"x": 1, "y": [1.5]},
    "none": None,
}


def test_items_are_flat(tmp_path: Path) -> None:
    db = of_items(tmp_path, ITEM, {"price": 2.5, "more": {}}, {})
    for ending in ROWS:
        assert export(db, tmp_path / f"o{ending}").lines == 3
    first, second, third = lines(tmp_path / "o.jsonl")
    assert first == ITEM | {"_url": f"{A}/1"}
    assert second == {"price": 2.5, "more": {}, "_url": f"{A}/1"}
    assert third == {"_url": f"{A}/1"}

    first, second, third = rows(tmp_path / "o.csv")
    assert list(first) == ["name", "price", "good", "tags", "of", "none", "more", "_url"]
    assert first["name"] == ITEM["name"]
    assert (first["price"], first["good"], first["none"]) == ("3", "true", "")
    assert json.loads(first["of"]) == ITEM["of"]
    assert (second["price"], second["more"], third["price"]) == ("2.5", "{}", "")
    assert third["_url"] == f"{A}/1"

    assert types(tmp_path / "o.parquet") == {
        "name": "string",
        "price": "double",
        "good": "bool",
        "tags": "list<element: string>",
        "of": "struct<x: int64, y: list<element: double>>",
        "none": "string",
        "more": "string",
        "_url": "string",
    }
    first, second, _ = table(tmp_path / "o.parquet")
    assert first == ITEM | {"price": 3.0, "more": None, "_url": f"{A}/1"}
    assert second["more"] == "{}"


def test_a_field_of_that_name_gives_way(tmp_path: Path) -> None:
    db = of_items(tmp_path, {"_url": "mine", "a": 1})
    for ending in ROWS:
        export(db, tmp_path / f"o{ending}")
    assert lines(tmp_path / "o.jsonl") == [{"a": 1, "_url": f"{A}/1"}]
    assert rows(tmp_path / "o.csv") == [{"a": "1", "_url": f"{A}/1"}]
    assert table(tmp_path / "o.parquet") == [{"a": 1, "_url": f"{A}/1"}]


@pytest.mark.parametrize(
    ("values", "type", "read"),
    [
        ((1, None, -(2**63)), "int64", [1, None, -(2**63)]),
        ((1, 0.5), "double", [1.0, 0.5]),
        ((2**53, 0.5), "double", [2.0**53, 0.5]),
        ((2**53 + 1, 0.5), "string", ["9007199254740993", "0.5"]),
        ((2**63, 1), "string", ["9223372036854775808", "1"]),
        (("a", 1, None), "string", ['"a"', "1", None]),
        ((True, 1), "string", ["true", "1"]),
        (("2026-01-01T00:00:00Z",), "string", ["2026-01-01T00:00:00Z"]),
        (([], None), "list<element: string>", [[], None]),
        (([1, "a"], [None]), "list<element: string>", [["1", '"a"'], [None]]),
        (([1], {"a": 1}), "string", ["[1]", '{"a":1}']),
        (({},), "string", ["{}"]),
        (({"a": 1}, {"b": "x"}), "struct<a: int64, b: string>", [(1, None), (None, "x")]),
        (({"a": 1}, {"a": [2]}), "struct<a: string>", [("1",), ("[2]",)]),
        (([{"a": [{}]}],), "list<element: struct<a: list<element: string>>>", [[(["{}"],)]]),
        (('{"raw":1e999}', '{"raw":2}'), "string", ["1e999", "2"]),
        ((dict.fromkeys(map(str, range(300)), 1),), "string", None),
    ],
)
def test_types_of_items(
    tmp_path: Path, values: tuple[object, ...], type: str, read: list[object] | None
) -> None:
    raw = isinstance(values[0], str) and values[0].startswith("{")
    items = values if raw else [{"raw": value} for value in values]
    export(of_items(tmp_path, *items), tmp_path / "o.parquet")
    assert types(tmp_path / "o.parquet")["raw"] == type
    with duckdb.connect() as db:
        assert len(db.execute(f"SELECT raw FROM '{tmp_path / 'o.parquet'}'").fetchall()) == len(
            values
        )
    if read is not None:
        assert [_plain(row["raw"]) for row in table(tmp_path / "o.parquet")] == read


def _plain(value: Any) -> Any:
    """Structs as tuples of their values."""
    if isinstance(value, dict):
        return tuple(map(_plain, value.values()))
    return [_plain(each) for each in value] if isinstance(value, list) else value


def test_deep_nesting_is_text(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(100):
        deep = {"a": [deep]}
    export(of_items(tmp_path, {"deep": deep}), tmp_path / "o.parquet")
    with duckdb.connect() as db:
        (row,) = db.execute(f"SELECT * FROM '{tmp_path / 'o.parquet'}'").fetchall()
    assert row[-1] == f"{A}/1"


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_too_many_columns(tmp_path: Path, ending: str) -> None:
    db = of_items(tmp_path, dict.fromkeys(map(str, range(MOST_COLUMNS + 1)), 1))
    with pytest.raises(UsageError, match=r"different fields.*\.jsonl"):
        export(db, tmp_path / f"o{ending}")
    assert export(db, tmp_path / "o.jsonl").lines == 1


@pytest.mark.parametrize("ending", ROWS)
@pytest.mark.parametrize("data", ["[1]", "", '{"a":', None, b"\0"])
def test_an_item_that_is_none(tmp_path: Path, ending: str, data: object) -> None:
    path = of_items(tmp_path, {"a": 1})
    db = apsw.Connection(str(path))
    db.execute("UPDATE items SET data = ?", (data,))
    db.close()
    with pytest.raises(DamageError, match="no JSON object"):
        export(path, tmp_path / f"o{ending}")


def test_a_row_that_makes_no_sense(pages: Path, tmp_path: Path) -> None:
    db = apsw.Connection(str(pages))
    db.execute("UPDATE pages SET fetched_at = 'yesterday'")
    db.close()
    with pytest.raises(DamageError, match="yesterday"):
        export(pages, tmp_path / "o.parquet")
    assert not (tmp_path / "o.parquet").exists()


# Nothing from the net does harm


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "-1+cmd|' /C'!A"],
)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}".replace("\r", "\n")


@pytest.mark.parametrize("text", ["", "-5", "+49", "-1.5e3", "+1,000.00", "-3%", "a=b", "'", "é"])
def test_what_is_no_formula_is_let_be(text: str) -> None:
    assert cell(text) == text


def test_harmful_text(tmp_path: Path) -> None:
    db = of_items(tmp_path, {f"=k{EVIL}": EVIL, "n": "a\r\nb\rc"})
    for ending in ROWS:
        export(db, tmp_path / f"o{ending}")
    for name in ("o.jsonl", "o.csv"):
        data = (tmp_path / name).read_text(encoding="utf-8")
        assert set("\x1b\x07\0\r\u202e\u2028").isdisjoint(data)
    (row,) = rows(tmp_path / "o.csv")
    (name, *_) = row
    escaped = "\\u001b]0;x\\u0007\\u202etxt\\u2028\\u0000é\U0001f468\u200d\U0001f469"
    assert (name, row[name], row["n"]) == (f"'=k{escaped}", escaped, "a\nb\nc")
    assert table(tmp_path / "o.parquet")[0][f"=k{EVIL}"] == EVIL
    assert lines(tmp_path / "o.jsonl")[0][f"=k{EVIL}"] == EVIL


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_cell_is_read_back(text: str) -> None:
    (row,) = csv.reader([_csv_line(cell(text), "x")], strict=True)
    assert row == [cell(text), "x"]
    assert set(map(chr, {*range(9), *range(11, 32), 0x7F, *range(0x80, 0xA0)})).isdisjoint(row[0])
    assert cell(text)[:1] not in set("=+-@\t\r\n") or cell(text)[1:2].isdigit()


def _csv_line(*cells: str) -> str:
    from asyncmultispider.outputs.csv_ import _line

    return _line(cells)


pa = pytest.importorskip("pyarrow")
TYPES = st.recursive(
    st.sampled_from([pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.binary()]),
    lambda inner: (
        inner.map(pa.list_)
        | st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(
            lambda fields: pa.struct(list(fields.items()))
        )
    ),
    max_leaves=4,
)


def values_of(type: Any) -> st.SearchStrategy[Any]:
    if pa.types.is_list(type):
        values = st.lists(values_of(type.value_type), max_size=3)
    elif pa.types.is_struct(type):
        values = st.fixed_dictionaries({}, optional={f.name: values_of(f.type) for f in type})
    else:
        values = {
            "int64": st.integers(-(2**63), 2**63 - 1),
            "double": st.floats(allow_nan=False),
            "bool": st.booleans(),
            "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
            "binary": st.binary(max_size=5),
        }[str(type)]
    return st.none() | values


@given(st.data())
def test_arrays_are_those_of_arrow(data: st.DataObject) -> None:
    type = data.draw(TYPES)
    values = data.draw(st.lists(values_of(type), max_size=20))
    made = arrow_array(values, type)
    made.validate(full=True)
    assert made.equals(pa.array(values, type))


@pytest.mark.parametrize(
    ("values", "type"), [(["1"], "int64"), ([2**63], "int64"), ([1], "string"), ([2**15], "int16")]
)
def test_arrays_of_what_does_not_fit(values: list[Any], type: str) -> None:
    with pytest.raises((TypeError, OverflowError)):
        arrow_array(values, pa.type_for_alias(type))


def test_pandas_is_not_loaded(pages: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from asyncmultispider.outputs import check_target, write_output

write_output(check_target(sys.argv[1]), Path(sys.argv[2]), bodies=True)
assert "pandas" not in sys.modules
"""
    ended = python(code, str(tmp_path / "o.parquet"), str(pages))
    assert ended.code == 0, ended.err


# Files


@pytest.mark.parametrize("ending", ROWS)
def test_a_full_disk(
    pages: Path, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / f"o{ending}"
    target.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        export(pages, target)
    assert target.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"pages.db", target.name}


@pytest.mark.parametrize("ending", ROWS)
def test_it_is_the_same_each_time(pages: Path, tmp_path: Path, ending: str) -> None:
    written = [export(pages, tmp_path / f"{n}{ending}") for n in "ab"]
    assert len({output.sha256 for output in written}) == 1


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "BATCH", 10)
    monkeypatch.setattr(parquet_module, "GROUP", 20)
    db = store_of(tmp_path / "pages.db", *(page(f"{A}/{n}", b"%d" % n) for n in range(95)))
    export(db, tmp_path / "o.parquet", bodies=True)
    about = pq.read_metadata(tmp_path / "o.parquet")
    assert [about.row_group(n).num_rows for n in range(about.num_row_groups)] == [20] * 4 + [15]
    assert [row["body"] for row in table(tmp_path / "o.parquet")] == list(map(str, range(95)))


def test_large_bodies_make_smaller_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_module, "BATCH_BYTES", 1000)
    monkeypatch.setattr(parquet_module, "GROUP_BYTES", 3000)
    outcomes = (page(f"{A}/{n}", b"%d" % n * 400) for n in range(10))
    db = store_of(tmp_path / "pages.db", *outcomes)
    export(db, tmp_path / "o.parquet", bodies=True)
    assert pq.read_metadata(tmp_path / "o.parquet").num_row_groups > 1


@pytest.mark.parametrize("ending", ROWS)
def test_a_store_that_is_being_written(tmp_path: Path, ending: str) -> None:
    store = SqliteStore(tmp_path / "pages.db", durable=False)
    store.write([page(f"{A}/1")])
    assert export(tmp_path / "pages.db", tmp_path / f"o{ending}").lines == 1
    store.write([page(f"{A}/2")])
    store.close()
    assert export(tmp_path / "pages.db", tmp_path / f"o{ending}").lines == 2


# Targets


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.csv", ".csv"), ("a.b.warc.gz", ".warc.gz"), ("corpus.md/", ".md"), ("m.html", ".html")],
)
def test_the_ending_tells_the_format(tmp_path: Path, name: str, ending: str) -> None:
    target = check_target(f"{tmp_path}/{name}")
    assert (target.ending, target.path) == (ending, tmp_path / name.rstrip("/"))


@pytest.mark.parametrize("name", ["a.gz", "warc.gz", ".csv", "a.CSV", "a/", "a.jsonl.gz"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.jsonl, \.csv, \.parquet, \.warc\.gz.*\.md, \.html"):
        check_target(f"{tmp_path}/{name}")


def test_a_folder_is_not_written_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "README.md").touch()
    with pytest.raises(UsageError, match="is a file"):
        check_target(str(tmp_path / "README.md"))


def test_a_missing_extra_is_named_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncmultispider.outputs.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'asyncmultispider\[parquet\]'"):
        check_target(str(tmp_path / "a.parquet"))
    check_target(str(tmp_path / "a.csv"))


def test_before_is_what_belongs_to_the_target(
    pages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a.warc.gz", "a-00001.warc.gz", "a.cdxj", "a.csv", "ab.warc.gz", "x/a.warc.gz"]
    (tmp_path / "x").mkdir()
    csv_file = export(pages, tmp_path / "a.csv")
    before = [type(csv_file)(path=str(tmp_path / n), lines=1, bytes=1, sha256="") for n in names]
    jobs: list[Any] = []
    write: Callable[[Any], list[Any]] = lambda job: jobs.append(job) or []  # noqa: E731
    monkeypatch.setattr("asyncmultispider.outputs.warc.write_warc", write)
    write_output(check_target(str(tmp_path / "a.warc.gz")), pages, before=before)
    assert [Path(output.path).name for output in jobs[0].before] == names[:3]
