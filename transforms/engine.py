"""Runs transforms: the table that a SQL file makes from the lake's present tables."""

from __future__ import annotations

import duckdb
import polars as pl

from transforms.reader import Transform
from warehouse.lake import Lake
from warehouse.sql import connected
from warehouse.statistics.functions import available


def run(transform: Transform, lake: Lake) -> pl.DataFrame:
    """The table that a transform makes, with the declared columns and types, sorted by key.

    Raises:
        FileNotFoundError: A table it reads is not in the lake.
        DeclarationError: It makes other columns than it declares.
        duckdb.Error: The query fails; the text names the file.
    """
    with connected(lake, transform.sources) as connection, available(connection, transform.query):
        try:
            made = connection.sql(transform.query).pl()
        except duckdb.Error as error:
            raise type(error)(f"{transform.path}: {error}") from error
    return transform.table.conform(made)
