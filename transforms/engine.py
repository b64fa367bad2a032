"""Runs transforms: makes the table of a SQL file from the current tables of the lake, without leaving the engine."""

from __future__ import annotations

import duckdb

from transforms.functions import register_functions
from transforms.mentions.functions import register_mentions
from transforms.reader import Transform, load_function
from warehouse.lake import Lake, TableState
from warehouse.sql import connect_tables
from warehouse.statistics.functions import register_statistics


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
            query = transform.query
            if transform.function is not None:
                query = load_function(transform.function)(connection, query)
            return lake.write_query(transform.table, connection, query)
        except duckdb.Error as error:
            raise type(error)(f"{transform.path}: {error}") from error
