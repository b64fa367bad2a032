"""What runs on the workers of Spark on the rows of a batch: DuckDB with the macros of the laptop, its functions."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import types

from transforms import functions
from transforms.embeddings.models import read_model_version
from transforms.mentions import functions as mentions
from transforms.spark.expressions import RowFunction
from warehouse.sql import configure_connection, select_scalar_macros
from warehouse.statistics import functions as statistics

_MEMORY = "512MiB"  # a batch is small; Spark counts the memory of a worker without this


class _Connections(threading.local):
    """The connections of a thread: one for each expression, with the macros that it calls."""

    def __init__(self) -> None:
        self.opened: dict[str, duckdb.DuckDBPyConnection] = {}

    def open(self, expression: str) -> duckdb.DuckDBPyConnection:
        """The connection for an expression."""
        if expression not in self.opened:
            connection = duckdb.connect()
            configure_connection(connection)
            connection.execute(f"set threads = 1; set memory_limit = '{_MEMORY}'")
            connection.execute(select_scalar_macros(expression))
            self.opened[expression] = connection
        return self.opened[expression]


_connections = _Connections()


def build_batch_function(function: RowFunction) -> Callable[..., pa.Array]:
    """A function on the columns of a batch, as Spark calls it."""

    def compute(*columns: pa.Array) -> pa.Array:
        from transforms.spark.worker import compute_batch

        return compute_batch(function, columns)

    return compute


def build_task(
    function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    rows: Sequence[tuple[str, ...]],
    names: Sequence[str],
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function on batches of numbers of rows that yields what a function yields for those rows."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            picked = [dict(zip(names, rows[number], strict=True)) for number in batch.column(0).to_pylist()]
            if picked:
                yield from function(iter([pa.RecordBatch.from_pylist(picked)]))

    return run


def visit_folder(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Read a file where this runs, and write what was read to another one beside it, for each row.

    Yields the host, what was read or the error, and the name of the other file.
    """
    host = socket.gethostname()
    for batch in batches:
        for row in batch.to_pylist():
            folder, answer = Path(row["folder"]), f"answer-{uuid.uuid4().hex}"
            try:
                found = (folder / row["given"]).read_text(encoding="utf-8")
                (folder / answer).write_text(found, encoding="utf-8")
            except OSError as error:
                found = str(error)
            yield pa.RecordBatch.from_pydict({"host": [host], "found": [found], "answer": [answer]})


def compute_batch(function: RowFunction, columns: tuple[pa.Array, ...]) -> pa.Array:
    """The values of a function for the rows of a batch."""
    if function.name in functions.RESULT_TYPES:
        return functions.compute_texts(function.name, columns)
    if function.expression is None:
        compute, rows = _load_function(function.name), zip(*(column.to_pylist() for column in columns), strict=True)
        values = [None if any(value is None for value in row) else compute(*row) for row in rows]
        return pa.array(values, _find_arrow_type(function.result))
    arrays = [column.cast(pa.string()) if types.is_null(column.type) else column for column in columns]
    connection = _connections.open(function.expression)
    connection.register("batch", pa.table({f"c{place}": array for place, array in enumerate(arrays)}))
    try:
        table = connection.sql(f"select {function.expression} as result from batch").to_arrow_table()
    finally:
        connection.unregister("batch")
    return _make_signed(pa.concat_arrays(table["result"].chunks))


@cache
def _load_function(name: str) -> Callable[..., Any]:
    module = next(one for one in (mentions, statistics) if name in one.RESULT_TYPES)
    return module.load_function(name)


@cache
def _find_arrow_type(kind: str) -> pa.DataType:
    with duckdb.connect() as connection:
        return connection.sql(f"select null::{kind} as result").to_arrow_table().schema.field("result").type


@cache
def hash_code() -> str:
    """Hash of the code that computes values on workers, of DuckDB's version, and of the embedding model."""
    root = Path(__file__).parents[2]
    files = sorted(path for part in ("transforms", "warehouse") for path in (root / part).rglob("*.py"))
    files += sorted((root / "warehouse" / "macros").glob("*.sql"))
    texts = [duckdb.__version__, read_model_version(), *(path.read_text(encoding="utf-8") for path in files)]
    return sha256("\n".join(texts).encode()).hexdigest()[:16]


def hash_worker_code(rows: pa.Array) -> pa.Array:
    """The hash of the code where this runs, for each row."""
    return pa.array([hash_code()] * len(rows), pa.string())


def _make_signed(values: pa.Array) -> pa.Array:
    """Unsigned numbers as signed ones of the same bits, also within lists: Spark has no others."""
    if types.is_uint64(values.type):
        return values.view(pa.int64())
    if types.is_list(values.type) and types.is_uint64(values.type.value_type):
        numbers = values.values.view(pa.int64())
        return pa.ListArray.from_arrays(values.offsets, numbers, mask=values.is_null() if values.null_count else None)
    return values
