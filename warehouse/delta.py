"""Delta tables whose Parquet files are written by DuckDB: a commit adds and removes whole files.

The name of a file has the hash of its rows, whatever their order, so that the hash of a table is the sum of the hashes
of its files and does not depend on how its rows are divided into files; and the hash of its bytes, by which damage is
noticed (see `warehouse.intact_files`).
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from warehouse.intact_files import hash_bytes, read_named_hash
from warehouse.scratch import configure_connection
from warehouse.table import SQL_TYPES, Column, DeclarationError

if TYPE_CHECKING:
    import polars as pl

DELTA_TYPES = {
    "text": "string",
    "integer": "long",
    "real": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
# the types of expressions that a declared type can hold without loss, besides itself
_HELD_TYPES = {
    "bigint": {"tinyint", "smallint", "integer", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"},
    "double": {"float", "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger"},
    "timestamp with time zone": {"timestamp"},
    "date": set[str](),
    "varchar": set[str](),
    "boolean": set[str](),
}
ROW_GROUP_ROWS = 30_720  # with DuckDB's default of 122,880, a group of long texts fills the memory budget
_UNTYPED_NULL = '"null"'
_MODULUS = 2**64


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table: its path, number of rows, and the sum of the hashes of its rows modulo 2⁶⁴."""

    path: Path
    rows: int
    row_hash: int


@dataclass(frozen=True)
class TableLog:
    """The newest version of a table, as its log describes it; the same object is used until the log changes.

    Args:
        delta: The version, which is only read.
    """

    delta: DeltaTable

    @cached_property
    def files(self) -> list[tuple[str, int, int]]:
        """Name, size in bytes and number of rows of each of its files."""
        actions = self.delta.get_add_actions(flatten=True)
        columns = (actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
        return [(name, size_bytes, int(rows or 0)) for name, size_bytes, rows in zip(*columns, strict=True)]

    @cached_property
    def commit(self) -> dict[str, Any]:
        """The facts kept in its commit."""
        return next(iter(self.delta.history(1)), {})


_logs: dict[Path, tuple[frozenset[tuple[str | int, ...]], TableLog]] = {}
"""The logs that were read, with the names, sizes and times of their files: to read one takes ten times as long."""


def open_log(path: Path) -> TableLog | None:
    """A table as its log describes it; none if there is no log or it is damaged."""
    try:
        with os.scandir(path / "_delta_log") as entries:
            facts = [(entry.name, entry.stat()) for entry in entries]
    except OSError:  # missing, or not to be read
        return None
    state = frozenset((name, fact.st_size, fact.st_mtime_ns, fact.st_ino) for name, fact in facts)
    known = _logs.get(path)
    if known is not None and known[0] == state:
        return known[1]
    _logs.pop(path, None)
    delta = _open_delta(path)
    if delta is None:
        return None
    _logs[path] = state, TableLog(delta)
    return _logs[path][1]


def _open_delta(path: Path) -> DeltaTable | None:
    try:
        return DeltaTable(path) if DeltaTable.is_deltatable(str(path)) else None
    except DeltaError:
        return None


def list_data_files(
    path: Path, log: TableLog, is_intact: Callable[[Path, int], bool]
) -> tuple[list[DataFile], list[DataFile]]:
    """The files of a version that are intact, and those that are missing or damaged.

    Args:
        path: Folder of the table.
        log: The version.
        is_intact: Whether a file is there, has the given size, and has the bytes that were written.
    """
    intact, damaged = [], []
    for name, size_bytes, rows in log.files:
        file = DataFile(path / name, rows, _read_row_hash(name))
        (intact if is_intact(file.path, size_bytes) else damaged).append(file)
    return intact, damaged


def _read_row_hash(name: str) -> int:
    """The hash in the name of a file; 0 for a file that an earlier version of the project wrote."""
    try:
        return int(name.rpartition("/")[2].removesuffix(".parquet").partition("-")[0], 16)
    except ValueError:
        return 0


def hash_columns(names: Iterable[str], rows: int, row_hash: int) -> str:
    """SHA-256 of the column names, the number of rows and the sum of their hashes, as text of 64 hex digits.

    DuckDB's hash of a row is the same on every machine, but may change between its versions.
    """
    text = f"{','.join(names)}\n{rows} {row_hash % _MODULUS:016x} duckdb {duckdb.__version__}"
    return hashlib.sha256(text.encode()).hexdigest()


def hash_rows(connection: duckdb.DuckDBPyConnection, columns: Iterable[str], relation: str) -> tuple[int, int]:
    """Number of rows of a relation, and the sum of their hashes modulo 2⁶⁴, which does not depend on their order."""
    names = ", ".join(f'"{name}"' for name in columns)
    query = f"select count(*), coalesce(sum(hash({names})::hugeint), 0) from {relation}"
    ((rows, total),) = connection.execute(query).fetchall()
    return int(rows), int(total) % _MODULUS


def hash_frame(frame: pl.DataFrame) -> str:
    """The hash of a small frame, as of a table with the same rows."""
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.register("frame", frame)
        return hash_columns(frame.columns, *hash_rows(connection, frame.columns, "frame"))


def build_select(connection: duckdb.DuckDBPyConnection, table: str, columns: Iterable[Column], query: str) -> str:
    """A query for the same rows with the declared types.

    Raises:
        DeclarationError: The columns are not the declared ones, or a type does not fit.
    """
    described = connection.execute(f"describe ({query.strip().rstrip(';')})").fetchall()
    found, columns = {str(row[0]): str(row[1]).lower() for row in described}, list(columns)
    declared = [column.name for column in columns]
    if list(found) != declared:
        missing = [name for name in declared if name not in found]
        extra = [name for name in found if name not in declared]
        raise DeclarationError(
            f"{table}: columns are {list(found)}, declared are {declared}"
            f" (missing {missing}, undeclared {extra}, or another order)"
        )
    parts = []
    for column in columns:
        kind, wanted = found[column.name], SQL_TYPES[column.type]
        fits = kind in {wanted, _UNTYPED_NULL} | _HELD_TYPES[wanted]
        if not (fits or (wanted == "double" and kind.startswith("decimal"))):
            raise DeclarationError(f"{table}.{column.name} is {kind}, declared is {wanted}")
        name = f'"{column.name}"'
        parts.append(name if kind == wanted else f"cast({name} as {wanted}) as {name}")
    return f"select {', '.join(parts)} from ({query.strip().rstrip(';')})"


@contextmanager
def write_draft(connection: duckdb.DuckDBPyConnection, folder: Path, query: str) -> Generator[Path]:
    """Write the rows of a query as a Parquet file in the folder of a table; it is removed unless it is adopted."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".draft-{uuid.uuid4().hex}.parquet"
    try:
        options = f"format parquet, compression zstd, row_group_size {ROW_GROUP_ROWS}"
        connection.execute(f"copy ({query}) to {quote_literal(str(draft))} ({options})")
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def adopt_data_file(folder: Path, measured: DataFile, *, is_kept: bool = False) -> DataFile:
    """Move a measured Parquet file into the folder of a table, under its hashes; if it is kept, link it.

    A file that has its hashes in its name already is not read.
    """
    is_named = read_named_hash(measured.path) is not None
    path = folder / (measured.path.name if is_named else name_data_file(measured))
    folder.mkdir(parents=True, exist_ok=True)
    if is_kept:
        path.unlink(missing_ok=True)
        path.hardlink_to(measured.path)
    else:
        measured.path.replace(path)
    return DataFile(path, measured.rows, measured.row_hash)


def name_data_file(measured: DataFile) -> str:
    """The name of a Parquet file of a table: the hash of its rows, their number, and the hash of its bytes."""
    return f"{measured.row_hash:016x}-{measured.rows}-{hash_bytes(measured.path)}.parquet"


def read_data_file(path: Path) -> DataFile:
    """A Parquet file that was measured before, as its name has it."""
    row_hash, rows, _ = path.stem.split("-")
    return DataFile(path, int(rows), int(row_hash, 16))


def measure_file(connection: duckdb.DuckDBPyConnection, columns: Iterable[str], path: Path) -> DataFile:
    """A Parquet file with the number of its rows and the sum of their hashes."""
    return DataFile(path, *hash_rows(connection, columns, scan_parquet([path])))


def commit_files(
    folder: Path,
    columns: Iterable[Column],
    metadata: Mapping[str, str],
    *,
    added: Iterable[DataFile] = (),
    removed: Iterable[DataFile] = (),
    is_overwrite: bool = False,
    description: str | None = None,
) -> None:
    """Add and remove files of a table in one commit; the table is made if there is none.

    Args:
        folder: The folder of the table.
        columns: Its declared columns.
        metadata: Facts of the new version, kept in the commit.
        added: Files in the folder that the new version has besides those of the last one.
        removed: Files of the last version that the new one does not have.
        is_overwrite: Whether the new version has only the added files, and perhaps other columns.
        description: What the table is, for people who open its log.
    """
    schema = Schema([Field(column.name, PrimitiveType(DELTA_TYPES[column.type])) for column in columns])
    now = int(time.time() * 1000)
    stays = set[Path]()
    actions: list[AddAction | RemoveAction] = []
    for file in added:
        stays.add(file.path)
        size_bytes, stats = file.path.stat().st_size, json.dumps({"numRecords": file.rows})
        actions.append(AddAction(file.path.name, size_bytes, {}, now, True, stats))
    for file in () if is_overwrite else removed:
        if file.path not in stays:
            name = str(file.path.relative_to(folder))
            size_bytes = file.path.stat().st_size if file.path.exists() else None
            actions.append(RemoveAction(name, True, now, size=size_bytes, partition_values={}))
    properties = CommitProperties(custom_metadata=dict(metadata))
    delta = _open_delta(folder)
    if delta is None and (folder / "_delta_log").exists():  # what is left of it cannot be read
        shutil.rmtree(folder / "_delta_log")
    if delta is None or (description is not None and delta.metadata().description != description):
        # the description of a table is only written with all of it
        if delta is not None:
            shutil.rmtree(folder / "_delta_log")
        folder.mkdir(parents=True, exist_ok=True)
        adds = [action for action in actions if isinstance(action, AddAction)]
        create_table_with_add_actions(
            str(folder), schema, adds, mode="error", description=description, commit_properties=properties
        )
        return
    mode = "overwrite" if is_overwrite else "append"
    delta.create_write_transaction(actions, mode, schema, commit_properties=properties)


def scan_parquet(paths: Iterable[Path], options: str = "") -> str:
    """The relation of the rows in Parquet files, as SQL; no character of a path is read as a pattern or a partition."""
    files = ", ".join(quote_literal(glob.escape(str(path))) for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false{options})"


def scan_files(log: TableLog, files: Collection[DataFile]) -> str:
    """The relation of the rows in the files of a table, as SQL."""
    if files:
        return scan_parquet(file.path for file in files)
    types = {kind: SQL_TYPES[name] for name, kind in DELTA_TYPES.items()}
    columns = (f'null::{types[str(field.type.type)]} as "{field.name}"' for field in log.delta.schema().fields)
    return f"(select {', '.join(columns)} where false)"


def quote_literal(text: str) -> str:
    """A text as SQL literal, for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"
