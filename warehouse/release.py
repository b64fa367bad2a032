"""Releases: one consistent, immutable set of all tables, published in one step.

``releases/aisle.vN.duckdb`` holds every table of release N under its own name, with the declarations as
comments; ``releases/aisle.vN.json`` is its manifest. ``aisle.duckdb`` points to the newest. A release file is
built aside, closed, verified by opening it, renamed, and never touched again, so that whoever reads an older
one is never disturbed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from warehouse import dictionary
from warehouse.lake import Lake, TableState, content_hash, replace_file, sync_folder
from warehouse.sql import SCALAR_MACROS, TABLE_MACROS, make_ready, quoted, tables_asked
from warehouse.table import SQL_TYPES, Table, utc_now

_NAME = re.compile(r"aisle\.v(\d+)\.(?:duckdb|json|search)$")


class NoRelease(LookupError):
    """The lake has no such release; the text says what to do."""


@dataclass(frozen=True)
class Release:
    """A published release.

    Args:
        number: Counts up by one with each release.
        path: The DuckDB file, by its real path.
        manifest: What is in it: time, tables with versions, rows and hashes, snapshots, checks, code.
    """

    number: int
    path: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The release as people name it: ``v12``."""
        return f"v{self.number}"

    @property
    def content_sha256(self) -> str:
        """One hash of all its tables: two releases have the same one only if they hold the same."""
        told = sorted((name, table["content_sha256"]) for name, table in self.manifest["tables"].items())
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A read-only connection to the release, in UTC."""
        connection = duckdb.connect(self.path, read_only=True)
        make_ready(connection)
        return connection


def pointer(lake: Lake) -> Path:
    """The link to the newest release; also a good path for other tools to open."""
    return lake.root / "aisle.duckdb"


def releases(lake: Lake) -> list[Release]:
    """All published releases that can be read, oldest first."""
    numbers = sorted(_number(path.name) for path in lake.releases.glob("aisle.v*.duckdb"))
    readable = []
    for number in numbers:
        with contextlib.suppress(NoRelease):
            readable += [_release(lake, number)] if number <= _newest(lake) else []
    return readable


def _newest(lake: Lake) -> int:
    """Number of the release to which the pointer points; 0 if nothing was published."""
    try:
        return _number(pointer(lake).readlink().name)
    except FileNotFoundError:
        return 0


def current(lake: Lake) -> Release:
    """The newest release.

    Raises:
        NoRelease: Nothing was released yet.
    """
    number = _newest(lake)
    if number == 0:
        raise NoRelease(f"nothing is released in {lake.root} yet: run `aisle run` (or `make run`)")
    return _release(lake, number)


def _number(name: str) -> int:
    match = _NAME.search(name)
    if match is None:
        raise NoRelease(f"{name} is not the name of a release")
    return int(match[1])


def _release(lake: Lake, number: int) -> Release:
    path = lake.releases.resolve() / f"aisle.v{number}.duckdb"
    try:
        return Release(number, path, json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise NoRelease(
            f"the manifest of release v{number} in {path.parent} is damaged ({error});"
            " run `aisle run --force` to publish anew"
        ) from error


def publish(lake: Lake, tables: Iterable[Table], facts: Mapping[str, Any]) -> tuple[Release, bool]:
    """Publish the present tables as a new release, unless the newest one holds just the same.

    Args:
        lake: The lake; the caller holds its lock.
        tables: Declarations of the tables to publish; each must have been written.
        facts: What else the manifest tells (checks, snapshots, code).

    Returns:
        The newest release, and whether it is a new one.

    Raises:
        FileNotFoundError: A table was never written.
        OSError: The release could not be written whole; the one before stays the newest.
    """
    tables = sorted(tables, key=lambda table: table.name)
    states: dict[str, TableState] = {}
    for table in tables:
        state = lake.state(table.name)
        if state is None:
            raise FileNotFoundError(f"{table.name} was never written to {lake.root}")
        states[table.name] = state
    described = dictionary.dictionary([*tables, dictionary.TABLE])
    contents = {name: state.content_sha256 for name, state in states.items()}
    contents[dictionary.TABLE.name] = content_hash(described)
    with contextlib.suppress(NoRelease, OSError, duckdb.Error):  # a damaged release is replaced by a new one
        held = current(lake)
        if {name: told["content_sha256"] for name, told in held.manifest["tables"].items()} == contents:
            _verify(held.path, held.manifest["tables"])
            return held, False
    number = _next_number(lake)
    manifest = {
        "release": number,
        "published_at": utc_now().isoformat(),
        "tables": {
            **{
                name: {"rows": s.rows, "delta_version": s.version, "content_sha256": s.content_sha256}
                for name, s in states.items()
            },
            dictionary.TABLE.name: {
                "rows": described.height,
                "delta_version": None,
                "content_sha256": contents[dictionary.TABLE.name],
            },
        },
        **facts,
    }
    path = lake.releases / f"aisle.v{number}.duckdb"
    aside = Path(tempfile.mkdtemp(prefix=".building-", dir=lake.releases))
    try:
        draft = aside / path.name
        _build(draft, lake, tables, described)
        _verify(draft, manifest["tables"])
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.rename(path)
        replace_file(path.with_suffix(".json"), json.dumps(manifest, indent=1).encode())
        link = aside / "pointer"
        link.symlink_to(Path(lake.releases.name) / path.name)
        link.replace(pointer(lake))
        sync_folder(lake.root)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return _release(lake, number), True


def _next_number(lake: Lake) -> int:
    """A number that no release has or had, whatever became of the pointer; clears what killed publishers left."""
    lake.releases.mkdir(parents=True, exist_ok=True)
    for draft in lake.releases.glob(".building-*"):
        shutil.rmtree(draft)
    numbers = {_number(path.name) for path in lake.releases.glob("aisle.v*.*")} | {_newest(lake)}
    return max(numbers) + 1


def _build(path: Path, lake: Lake, tables: list[Table], described: pl.DataFrame) -> None:
    with duckdb.connect(path) as connection:
        make_ready(connection)
        connection.execute(SCALAR_MACROS)
        for layer in dict.fromkeys(table.layer for table in [*tables, dictionary.TABLE]):
            connection.execute(f"create schema {layer}")
        for table in tables:
            connection.register("rows_of_table", lake.dataset(table.name))
            _fill(connection, table)
        connection.register("rows_of_table", described)
        _fill(connection, dictionary.TABLE)
        if tables_asked() <= {table.name for table in tables}:
            connection.execute(TABLE_MACROS)
        connection.execute("checkpoint")


def _fill(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.type]}' for column in table.columns)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    key = ", ".join(f'"{name}"' for name in table.key)
    connection.execute(f"create table {table.name} ({columns})")
    connection.execute(f"insert into {table.name} select {names} from rows_of_table order by {key}")
    connection.execute(f"comment on table {table.name} is {quoted(table.row)}")
    for column in table.columns:
        told = column.meaning + (f" [{column.unit}]" if column.unit else "")
        connection.execute(f'comment on column {table.name}."{column.name}" is {quoted(told)}')
    connection.unregister("rows_of_table")


def _verify(path: Path, told: Mapping[str, Mapping[str, Any]]) -> None:
    """Open the file as a reader will and count every table.

    Raises:
        OSError: A table has other rows than the manifest says.
    """
    with duckdb.connect(path, read_only=True) as connection:
        for name, facts in told.items():
            ((rows,),) = connection.execute(f"select count(*) from {name}").fetchall()
            if rows != facts["rows"]:
                raise OSError(f"{path.name}: {name} has {rows} rows, not {facts['rows']}")
