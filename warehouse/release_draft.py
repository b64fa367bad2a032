"""Writes the DuckDB file of a release: all tables, or into a copy of the last release's file only what changed.

Where a million rows stay the same, copying costs a tenth of writing. The copy is made aside and changed there, so that
the last release stays as it is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from warehouse import dictionary
from warehouse.lake import Lake
from warehouse.parts import SIGHTINGS
from warehouse.release_file import hash_file
from warehouse.scratch import limit_memory
from warehouse.sql import (
    SCALAR_MACROS,
    TABLE_MACROS,
    configure_connection,
    list_macro_tables,
    quote_literal,
)
from warehouse.table import SQL_TYPES, Table

STORAGE_VERSION = "v1.0.0"  # DuckDB's own newest version can be opened only by itself
BLOCK_BYTES = 65_536  # each table has blocks of its own; with DuckDB's default of 262,144 most of a small file is empty
FORM = f"{STORAGE_VERSION}, blocks of {BLOCK_BYTES} bytes, duckdb {duckdb.__version__}"
_MAX_CHANGED_SHARE = 0.5  # of the cells; with more, writing all costs about the same
_MAX_PARALLEL_ROWS = 200_000  # with more, two threads fill more memory than the budget, each with a group of rows
_MAX_FREE_SHARE = 0.3  # of the blocks; a copy with more of them empty is not used


@dataclass(frozen=True)
class FileContents:
    """What the file of a release is to have.

    Args:
        tables: Its tables, besides the dictionary.
        dictionary_rows: The rows of ``reference.dictionary``.
        sightings_of: The raw tables whose records are in ``raw.sightings``; all if there is none.
    """

    tables: list[Table]
    dictionary_rows: pl.DataFrame
    sightings_of: Collection[str] = ()


@dataclass(frozen=True)
class LastFile:
    """The file of an earlier release, from which the unchanged tables can be taken.

    Args:
        path: The file.
        sha256: Its hash when it was published.
        changed: Names of the tables that are in one of the two files only, or have another content.
    """

    path: Path
    sha256: str
    changed: frozenset[str]


def compare_files(
    path: Path, manifest: Mapping[str, Any], facts: Mapping[str, Any], contents: FileContents
) -> LastFile | None:
    """The file of the last release, if a copy of it can become the next one; else none.

    It cannot if another version of the project or of DuckDB wrote it, if a declaration has changed, whose texts are
    comments in the file, or if most of it has changed.

    Args:
        path: The file of the last release.
        manifest: The manifest of the last release.
        facts: The next manifest.
        contents: What the next file is to have.
    """
    old, new = ({name: entry["content_sha256"] for name, entry in m["tables"].items()} for m in (manifest, facts))
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    file, is_same_code = manifest.get("file", {}), manifest.get("code_version") == facts.get("code_version")
    if file.get("form") != FORM or not is_same_code or dictionary.TABLE.name in changed:
        return None
    cells = {table.name: len(table.columns) * facts["tables"][table.name]["rows"] for table in _list_tables(contents)}
    if sum(cells.get(name, 0) for name in changed) > _MAX_CHANGED_SHARE * sum(cells.values()):
        return None
    return LastFile(path, file["sha256"], frozenset(changed))


def write_release_file(path: Path, lake: Lake, contents: FileContents, last: LastFile | None = None) -> list[str]:
    """Write the file of a release with descriptions and macros; returns the names of the tables that were written.

    Args:
        path: The new file.
        lake: The lake.
        contents: What it is to have.
        last: The file from which the other tables are taken; without one, or if it is damaged, all are written.

    Raises:
        OSError: The disk is full, or the file cannot be written for another reason.
        duckdb.Error: The same, or a table of the lake cannot be read.
    """
    if last is not None and _copy_file(last, path):
        written = [table for table in _list_tables(contents) if table.name in last.changed]
        with duckdb.connect(path) as connection:
            _prepare(connection, lake)
            for name in sorted(last.changed):
                connection.execute(f"drop table if exists {name}")
            connection.execute("checkpoint")  # the blocks of these tables are free from now on
            _write_tables(connection, lake, contents, written)
            connection.execute("checkpoint")
            query = "select free_blocks, total_blocks from pragma_database_size()"
            ((free_blocks, total_blocks),) = connection.execute(query).fetchall()
        if free_blocks <= _MAX_FREE_SHARE * total_blocks:
            return [table.name for table in written]
    path.unlink(missing_ok=True)
    written = _list_tables(contents)
    config: dict[str, Any] = {
        "storage_compatibility_version": STORAGE_VERSION,
        "default_block_size": BLOCK_BYTES,
    }
    with duckdb.connect(path, config=config) as connection:
        _prepare(connection, lake)
        connection.execute(SCALAR_MACROS)
        for layer in dict.fromkeys(table.layer for table in written):
            connection.execute(f"create schema {layer}")
        _write_tables(connection, lake, contents, written)
        if list_macro_tables() <= {table.name for table in written}:
            connection.execute(TABLE_MACROS)
        connection.execute("checkpoint")
    return [table.name for table in written]


def _list_tables(contents: FileContents) -> list[Table]:
    return [*contents.tables, dictionary.TABLE]


def _prepare(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    configure_connection(connection)
    limit_memory(connection, lake.root)


def _copy_file(last: LastFile, path: Path) -> bool:
    """Copy the last file; whether the copy is what was published.

    Raises:
        OSError: The copy cannot be written.
    """
    try:
        source = last.path.open("rb")
    except OSError:  # missing, or a folder in its place
        return False
    with source, path.open("wb") as target:
        size_bytes = os.fstat(source.fileno()).st_size
        try:  # within the kernel, and without taking space where the file system can share blocks
            copied = 0
            while copied < size_bytes and (count := os.copy_file_range(source.fileno(), target.fileno(), size_bytes)):
                copied += count
        except (AttributeError, OSError):  # another system, or a file system without it
            for file in (source, target):
                file.seek(0)
            target.truncate()
            shutil.copyfileobj(source, target, 2**20)
    return hash_file(path) == last.sha256


def _write_tables(
    connection: duckdb.DuckDBPyConnection, lake: Lake, contents: FileContents, tables: Collection[Table]
) -> None:
    for table in tables:
        if table.name == dictionary.TABLE.name:
            connection.execute("drop view if exists rows_of_table")
            connection.register("rows_of_table", contents.dictionary_rows)
        else:
            sightings_of = contents.sightings_of if table.name == SIGHTINGS else ()
            lake.create_view(connection, table.name, sightings_of=sightings_of, alias="rows_of_table")
        _fill_table(connection, table)
    connection.execute("drop view if exists rows_of_table")
    _describe_tables(connection, tables)


def _fill_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.type]}' for column in table.columns)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    key = ", ".join(f'"{name}"' for name in table.key)
    connection.execute(f"create table {table.name} ({columns})")
    ((rows,),) = connection.execute("select count(*) from rows_of_table").fetchall()
    if not rows:
        return
    ((threads,),) = connection.execute("select current_setting('threads')").fetchall()
    if rows > _MAX_PARALLEL_ROWS:
        connection.execute("set threads = 1")
    connection.execute(f"insert into {table.name} select {names} from rows_of_table order by {key}")
    connection.execute(f"set threads = {threads}")


def _describe_tables(connection: duckdb.DuckDBPyConnection, tables: Collection[Table]) -> None:
    """Write the comments of tables and columns in one transaction: each commit waits for the disk."""
    connection.begin()
    for table in tables:
        comments = [f"comment on table {table.name} is {quote_literal(table.row)}"]
        for column in table.columns:
            comment = column.meaning + (f" [{column.unit}]" if column.unit else "")
            comments.append(f'comment on column {table.name}."{column.name}" is {quote_literal(comment)}')
        connection.execute(";\n".join(comments))
    connection.commit()
