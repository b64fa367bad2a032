"""Runs transforms: makes the table of a SQL file from the current tables of the lake, without leaving the engine."""

from __future__ import annotations

import re
from contextlib import suppress

import duckdb

from transforms.functions import register_functions
from transforms.mentions.functions import register_mentions
from transforms.reader import Transform, load_function
from warehouse.lake import Lake, TableState
from warehouse.release import NoRelease, read_current_release
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
    with suppress(NoRelease, duckdb.CatalogException, duckdb.BinderException):
        path = quote_literal(str(read_current_release(lake).path))
        connection.execute(f"attach if not exists {path} as last_file (read_only)")
        try:
            for name in names:
                connection.execute(f"insert into {LAST_RELEASE}.{name} by name from last_file.{layer}.{name}")
        finally:
            connection.execute("detach last_file")
