"""Releases: one consistent, immutable set of all tables, published in one step.

``releases/aisle.vN.duckdb`` holds every table of release N, with the declarations as comments;
``releases/aisle.vN.json`` is its manifest; ``aisle.duckdb`` is a link to the newest. A release file is built in a
temporary folder, closed, verified by opening it, renamed, and never changed, so readers of older releases are not
affected.
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
from warehouse.lake import Lake, TableState, hash_content, replace_file, sync_folder
from warehouse.sql import SCALAR_MACROS, TABLE_MACROS, configure_connection, list_macro_tables, quote_literal
from warehouse.table import SQL_TYPES, Table, utc_now

_FILE_NAME = re.compile(r"aisle\.v(\d+)\.(?:duckdb|json|search)$")


class NoRelease(LookupError):
    """The lake has no such release; the message says what to do."""


@dataclass(frozen=True)
class Release:
    """A published release.

    Args:
        number: Increases by one with each release.
        path: The DuckDB file, with links resolved.
        manifest: Time of publication, tables with versions, rows and hashes, snapshots, checks, code version.
    """

    number: int
    path: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the release, such as ``v12``."""
        return f"v{self.number}"

    @property
    def content_sha256(self) -> str:
        """One hash over all tables; equal for two releases only if their content is equal."""
        hashes = sorted((name, table["content_sha256"]) for name, table in self.manifest["tables"].items())
        return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open a read-only connection to the release, with UTC as time zone."""
        connection = duckdb.connect(self.path, read_only=True)
        configure_connection(connection)
        return connection


def locate_pointer(lake: Lake) -> Path:
    """Path of the link to the newest release, which other tools can open too."""
    return lake.root / "aisle.duckdb"


def list_releases(lake: Lake) -> list[Release]:
    """All readable published releases, oldest first."""
    numbers = sorted(_parse_number(path.name) for path in lake.releases.glob("aisle.v*.duckdb"))
    readable = []
    for number in numbers:
        with contextlib.suppress(NoRelease):
            readable += [_read_release(lake, number)] if number <= _read_newest_number(lake) else []
    return readable


def _read_newest_number(lake: Lake) -> int:
    """Number of the release that the link points to; 0 if nothing was published."""
    try:
        return _parse_number(locate_pointer(lake).readlink().name)
    except FileNotFoundError:
        return 0


def read_current_release(lake: Lake) -> Release:
    """The newest release.

    Raises:
        NoRelease: Nothing was published yet.
    """
    number = _read_newest_number(lake)
    if number == 0:
        raise NoRelease(f"no release in {lake.root} yet: run `aisle run` (or `make run`)")
    return _read_release(lake, number)


def _parse_number(name: str) -> int:
    match = _FILE_NAME.search(name)
    if match is None:
        raise NoRelease(f"{name} is not a release file name")
    return int(match[1])


def _read_release(lake: Lake, number: int) -> Release:
    path = lake.releases.resolve() / f"aisle.v{number}.duckdb"
    try:
        return Release(number, path, json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise NoRelease(
            f"the manifest of release v{number} in {path.parent} is damaged ({error});"
            " run `aisle run --force` to publish again"
        ) from error


def publish_release(lake: Lake, tables: Iterable[Table], facts: Mapping[str, Any]) -> tuple[Release, bool]:
    """Publish the current tables as a new release, unless the newest release has the same content.

    Args:
        lake: The lake; the caller must hold its lock.
        tables: Declarations of the tables to publish.
        facts: Further entries of the manifest (checks, snapshots, code version).

    Returns:
        The newest release, and whether it is new.

    Raises:
        FileNotFoundError: A table was never written.
        OSError: The release could not be written completely; the previous one stays the newest.
    """
    tables = sorted(tables, key=lambda table: table.name)
    states: dict[str, TableState] = {}
    for table in tables:
        state = lake.read_state(table.name)
        if state is None:
            raise FileNotFoundError(f"{table.name} was never written to {lake.root}")
        states[table.name] = state
    dictionary_rows = dictionary.build_dictionary([*tables, dictionary.TABLE])
    contents = {name: state.content_sha256 for name, state in states.items()}
    contents[dictionary.TABLE.name] = hash_content(dictionary_rows)
    with contextlib.suppress(NoRelease):  # a damaged release is replaced
        newest = read_current_release(lake)
        released = {name: table["content_sha256"] for name, table in newest.manifest["tables"].items()}
        if released == contents and is_release_whole(newest):
            return newest, False
    number = _allocate_number(lake)
    manifest = {
        "release": number,
        "published_at": utc_now().isoformat(),
        "tables": {
            **{
                name: {"rows": s.rows, "delta_version": s.version, "content_sha256": s.content_sha256}
                for name, s in states.items()
            },
            dictionary.TABLE.name: {
                "rows": dictionary_rows.height,
                "delta_version": None,
                "content_sha256": contents[dictionary.TABLE.name],
            },
        },
        **facts,
    }
    path = lake.releases / f"aisle.v{number}.duckdb"
    build_folder = Path(tempfile.mkdtemp(prefix=".building-", dir=lake.releases))
    try:
        draft = build_folder / path.name
        _build_file(draft, lake, tables, dictionary_rows)
        _verify_file(draft, manifest["tables"])
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.rename(path)
        replace_file(path.with_suffix(".json"), json.dumps(manifest, indent=1).encode())
        link = build_folder / "pointer"
        link.symlink_to(Path(lake.releases.name) / path.name)
        link.replace(locate_pointer(lake))
        sync_folder(lake.root)
    finally:
        shutil.rmtree(build_folder, ignore_errors=True)
    return _read_release(lake, number), True


def _allocate_number(lake: Lake) -> int:
    """The next unused release number, also when the link is lost; removes files left by killed publishers."""
    lake.releases.mkdir(parents=True, exist_ok=True)
    for draft in lake.releases.glob(".building-*"):
        shutil.rmtree(draft)
    numbers = {_parse_number(path.name) for path in lake.releases.glob("aisle.v*.*")} | {_read_newest_number(lake)}
    return max(numbers) + 1


def _build_file(path: Path, lake: Lake, tables: list[Table], dictionary_rows: pl.DataFrame) -> None:
    with duckdb.connect(path) as connection:
        configure_connection(connection)
        connection.execute(SCALAR_MACROS)
        for layer in dict.fromkeys(table.layer for table in [*tables, dictionary.TABLE]):
            connection.execute(f"create schema {layer}")
        for table in tables:
            connection.register("rows_of_table", lake.open_dataset(table.name))
            _fill_table(connection, table)
        connection.register("rows_of_table", dictionary_rows)
        _fill_table(connection, dictionary.TABLE)
        if list_macro_tables() <= {table.name for table in tables}:
            connection.execute(TABLE_MACROS)
        connection.execute("checkpoint")


def _fill_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    columns = ", ".join(f'"{column.name}" {SQL_TYPES[column.type]}' for column in table.columns)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    key = ", ".join(f'"{name}"' for name in table.key)
    connection.execute(f"create table {table.name} ({columns})")
    connection.execute(f"insert into {table.name} select {names} from rows_of_table order by {key}")
    connection.execute(f"comment on table {table.name} is {quote_literal(table.row)}")
    for column in table.columns:
        comment = column.meaning + (f" [{column.unit}]" if column.unit else "")
        connection.execute(f'comment on column {table.name}."{column.name}" is {quote_literal(comment)}')
    connection.unregister("rows_of_table")


def is_release_whole(release: Release) -> bool:
    """Whether the file of a release can be opened and its tables have as many rows as the manifest gives."""
    try:
        _verify_file(release.path, release.manifest["tables"])
    except (OSError, duckdb.Error):
        return False
    return True


def _verify_file(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Open the file read-only and count the rows of every table.

    Raises:
        OSError: A row count differs from the manifest.
    """
    with duckdb.connect(path, read_only=True) as connection:
        for name, facts in tables.items():
            ((rows,),) = connection.execute(f"select count(*) from {name}").fetchall()
            if rows != facts["rows"]:
                raise OSError(f"{path.name}: {name} has {rows} rows, not {facts['rows']}")
