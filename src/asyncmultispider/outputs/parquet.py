"""Parquet: typed columns, zstd, row groups of bounded size."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from asyncmultispider.errors import DamageError
from asyncmultispider.outputs.arrays import arrow_array
from asyncmultispider.outputs.base import About, Exported, Job
from asyncmultispider.outputs.files import Hashed, write_file
from asyncmultispider.outputs.rows import (
    MOST_COLUMNS,
    SOURCE,
    fields_of,
    is_text,
    text_of,
    too_many,
)
from asyncmultispider.outputs.shapes import Convert, Room, Shape, value_of
from asyncmultispider.store.reader import FACTS, StoreReader, reading_store
from asyncmultispider.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 4096
"""Rows that are held as Python's objects at once."""
BATCH_BYTES = 8 * 2**20
"""Bytes of bodies, or of items, from which on there are fewer."""
GROUP = 65_536
"""Rows of a row group."""
GROUP_BYTES = 64 * 2**20
"""Bytes in memory from which on it has fewer."""
BODIES = ("body", "body_bytes")
"""Columns of a body: as text, or as it came where it is no text."""
VARIED = frozenset({"url", "title", "fetched_at", "elapsed_ms", "size", "digest", *BODIES})
"""Columns of pages whose values are too many for a dictionary."""

Row = Sequence[Any]


def write_parquet(job: Job) -> list[Exported]:
    """Write the items, or the pages where there are none. See `Writer`."""

    def fill(file: Hashed) -> int:
        with reading_store(job.pages_db) as store:
            if store.has_items():
                return _write_items(store, job.pages_db, file)
            return _write_pages(store, job, file)

    return [write_file(job.target, fill)]


def read_urls(file: BinaryIO) -> Iterator[About | None]:
    """Of each row the URL it is about, and whether it is an item; None where there is none."""
    from pyarrow.parquet import ParquetFile

    parquet = ParquetFile(file)
    item = SOURCE in parquet.schema_arrow.names
    for batch in parquet.iter_batches(columns=[SOURCE if item else "url"]):
        for url in batch.column(0).to_pylist():
            yield (url, item) if isinstance(url, str) and url else None


def _write_pages(store: StoreReader, job: Job, file: Hashed) -> int:
    schema = _page_schema(bodies=job.bodies)
    dictionary = [name for name in schema.names if name not in VARIED]
    with _Writer(schema, "pages", file, job.pages_db, dictionary=dictionary) as writer:
        if job.bodies:
            for batch in _batches(_with_bodies(store), lambda row: len(row[-2] or row[-1] or "")):
                writer.add(batch)
        else:
            for batch in _batches(store.pages(), lambda _: 0):
                writer.add(batch)
        return writer.rows


def _page_schema(*, bodies: bool) -> "pa.Schema":
    import pyarrow as pa

    special = {
        "status": pa.int16(),
        "depth": pa.int32(),
        "fetched_at": pa.timestamp("ms", tz="UTC"),
        "elapsed_ms": pa.float64(),
        "size": pa.int64(),
        "unverified": pa.bool_(),
        "body_bytes": pa.binary(),
    }
    names = (*FACTS, *BODIES) if bodies else FACTS
    return pa.schema([(name, special.get(name, pa.string())) for name in names])


def _with_bodies(store: StoreReader) -> Iterator[Row]:
    for facts, body in store.pages_with_bodies():
        yield (*facts, text_of(facts, body), None) if is_text(facts) else (*facts, None, body)


def _write_items(store: StoreReader, path: Path, file: Hashed) -> int:
    shapes = _shapes(store, path)
    columns = list(shapes)
    converters = [shape.converter() for shape in shapes.values()]
    with _Writer(_item_schema(shapes), "items", file, path) as writer:
        for batch in _batches(store.items(), lambda item: len(item[1])):
            writer.add([_item_row(url, data, path, columns) for url, data in batch], converters)
        return writer.rows


def _shapes(store: StoreReader, path: Path) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    room = Room(MOST_COLUMNS)
    for _, data in store.items():  # noqa: PERF102 - it is no dict
        for name, raw in fields_of(data, path).items():
            if name == SOURCE:
                continue
            if name not in shapes:
                if not room.take():
                    raise too_many()
                shapes[name] = Shape(room)
            shapes[name].see(value_of(raw))
    return shapes


def _item_schema(shapes: dict[str, Shape]) -> "pa.Schema":
    import pyarrow as pa

    fields = [(name, _arrow(shape)) for name, shape in shapes.items()]
    return pa.schema([*fields, (SOURCE, pa.string())])


def _arrow(shape: Shape | None) -> "pa.DataType":
    import pyarrow as pa

    kind = str if shape is None else shape.kind
    if shape is not None and kind is list:
        return pa.list_(_arrow(shape.element))
    if shape is not None and kind is dict:
        return pa.struct([(name, _arrow(inner)) for name, inner in shape.fields.items()])
    simple = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    return simple[kind]


def _item_row(url: str, data: str, path: Path, columns: Sequence[str]) -> Row:
    fields = fields_of(data, path)
    raws = (fields.get(column) for column in columns)
    return [*(None if raw is None else value_of(raw) for raw in raws), url]


def _batches(rows: Iterable[Row], weigh: Callable[[Row], int]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    weight = 0
    for row in rows:
        batch.append(row)
        weight += weigh(row)
        if len(batch) >= BATCH or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


class _Writer:
    """A file that is written in row groups. `rows` counts what was added."""

    def __init__(
        self,
        schema: "pa.Schema",
        kind: str,
        file: Hashed,
        pages_db: Path,
        dictionary: list[str] | bool = True,
    ) -> None:
        from pyarrow.parquet import ParquetWriter

        about = {"asyncmultispider.version": __version__, "asyncmultispider.kind": kind}
        self.rows = 0
        self._schema = schema
        self._path = pages_db
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0
        self._count = 0
        self._writer = ParquetWriter(
            file,
            schema.with_metadata(about),
            compression="zstd",
            use_dictionary=dictionary,
            write_statistics=[name for name in schema.names if name not in BODIES],
        )

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def add(self, rows: Sequence[Row], converters: Sequence[Convert | None] = ()) -> None:
        """Add rows. `converters` are for the first columns."""
        import pyarrow as pa

        columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
        for place, convert in enumerate(converters):
            if convert is not None:
                columns[place] = map(convert, columns[place])
        try:
            arrays = [
                arrow_array(list(values), field.type)
                for values, field in zip(columns, self._schema, strict=True)
            ]
        except (pa.ArrowException, OverflowError, TypeError) as error:
            raise DamageError(f"{str(self._path)!r} is damaged: {error}") from error
        batch = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._waiting.append(batch)
        self.rows += batch.num_rows
        self._count += batch.num_rows
        self._bytes += batch.nbytes
        if self._count >= GROUP or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=GROUP)
            self._waiting.clear()
            self._count = self._bytes = 0
