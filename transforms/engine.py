"""Runs transforms: computes the table of a SQL file from the current tables of the lake."""

from __future__ import annotations

import duckdb
import polars as pl

from transforms.reader import Transform
from warehouse.lake import Lake
from warehouse.sql import connect_tables
from warehouse.statistics.functions import register_statistics


def run_transform(transform: Transform, lake: Lake) -> pl.DataFrame:
    """The rows that a transform returns, with the declared columns and types, sorted by key.

    Raises:
        FileNotFoundError: A source table is not in the lake.
        DeclarationError: The columns differ from the declared ones.
        duckdb.Error: The query fails; the message names the file.
    """
    with (
        connect_tables(lake, transform.source_tables, transform.query) as connection,
        register_statistics(connection, transform.query),
    ):
        try:
            frame = connection.sql(transform.query).pl()
        except duckdb.Error as error:
            raise type(error)(f"{transform.path}: {error}") from error
    return transform.table.conform(frame)
