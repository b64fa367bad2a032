"""Runs transforms: makes the table of a SQL file from the current tables of the lake, without leaving the engine."""

from __future__ import annotations

import re
from contextlib import suppress

import duckdb

from transforms.functions import register_functions
from transforms.mentions.functions import register_mentions
from transforms.reader import Transform, load_function
from warehouse.lake import Lake, TableState
from warehouse.release import NoRelease, Release, list_releases
from warehouse.sql import LAST_RELEASE, connect_tables, quote_literal
from warehouse.statistics.functions import register_statistics
from warehouse.table import SQL_TYPES


def make_table(transform: Transform, lake: Lake) -> TableState:
    """Make the table of a transform: the rows that its query returns, with the declared columns and types.

    A function that the transform names gets the query, and returns another one for the rows.

    Raises:
        FileNotFoundError: A source table is not in the lake.
        DeclarationError: The columns differ from the declared ones.
        duckdb.Error: The query fails; the message names the file.
    """
    with (
        connect_tables(
            lake, transform.source_tables, transform.query, sightings_of=transform.sightings_of
        ) as connection,
        register_statistics(connection, transform.query),
        register_functions(connection, transform.code),
        register_mentions(connection, transform.query),
    ):
        try:
            create_last_tables(connection, lake, transform)
            query = transform.query
            if transform.function is not None:
                query = load_function(transform.function)(connection, query)
            return lake.write_query(transform.table, connection, query)
        except duckdb.Error as error:
            raise type(error)(f"{transform.path}: {error}") from error


def create_last_tables(connection: duckdb.DuckDBPyConnection, lake: Lake, transform: Transform) -> None:
    """Create the tables of the last release that a query reads, such as ``last_release.work_members``.

    They are those of the layer of the transform. One that there was not yet has no rows.
    """
    names = sorted(set(re.findall(rf"\b{LAST_RELEASE}\.(\w+)", transform.query)))
    if not names:
        return
    columns = ", ".join(f"null::{SQL_TYPES[column.type]} as {column.name}" for column in transform.table.columns)
    own_name, layer = transform.table.short_name, transform.table.layer
    connection.execute(f"create schema {LAST_RELEASE}")
    for name in names:
        empty = f"select {columns}" if name == own_name else f"from {layer}.{name}"
        connection.execute(f"create table {LAST_RELEASE}.{name} as {empty} limit 0")
    with suppress(NoRelease):  # the link to the newest one can be damaged
        for release in reversed(list_releases(lake)):
            with suppress(duckdb.Error):  # it is damaged, or has not all of these tables
                _copy_tables(connection, release, layer, names)
                return


def _copy_tables(connection: duckdb.DuckDBPyConnection, release: Release, layer: str, names: list[str]) -> None:
    """Fill the tables of the last release with those of a release; all of them, or none.

    Raises:
        duckdb.Error: The release cannot be read, or lacks one of them.
    """
    connection.execute(f"attach {quote_literal(str(release.path))} as last_file (read_only)")
    connection.execute("begin")
    try:
        for name in names:
            connection.execute(f"insert into {LAST_RELEASE}.{name} by name from last_file.{layer}.{name}")
        connection.execute("commit")
    except duckdb.Error:
        connection.execute("rollback")
        raise
    finally:
        connection.execute("detach last_file")
