"""A table of the lake on Spark, asked in DuckDB's dialect."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from transforms.spark.session import register_row_functions
from transforms.spark.translate import SPARK_TYPES, translate
from transforms.spark.views import create_views
from warehouse.delta import quote_literal
from warehouse.lake import Lake
from warehouse.table import SQL_TYPES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TYPES = {kind: SQL_TYPES[name] for name, kind in SPARK_TYPES.items()}


@contextmanager
def _report_lost_server(session: SparkSession) -> Generator[None]:
    # loads the client, which is optional
    from transforms.spark.patience import get_patience, report_lost_server

    with report_lost_server(get_patience(session)):
        yield


@dataclass(frozen=True)
class SparkRelation:
    """A table as Spark has it.

    Args:
        session: The session, which has a view of the table.
        name: Name of the table.
    """

    session: SparkSession
    name: str

    engine = "Spark"

    def read_types(self) -> dict[str, str]:
        """The type of each column, as DuckDB calls it; that of Spark where no column of a table has it."""
        frame = self.session.sql(translate(f"select * from {self.name}").sql)
        kinds = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
        return {name: _TYPES.get(kind, kind) for name, kind in kinds.items()}

    def query(self, statement: str) -> pl.DataFrame:
        """The rows that a statement in DuckDB's dialect returns.

        Raises:
            LostServer: The server does not answer any more.
        """
        return query_rows(self.session, statement)

    def build_match(self, value: str, pattern: str) -> str:
        """The expression for whether a text matches a pattern at its start: the workers ask Python."""
        return f"matches_at_start({value}, {quote_literal(pattern)})"


def open_relation(session: SparkSession, lake: Lake, name: str) -> SparkRelation:
    """A table of the lake as Spark has it.

    Raises:
        FileNotFoundError: The table was never written.
        LostServer: The server does not answer any more.
    """
    with _report_lost_server(session):
        create_views(session, lake, [name])
    return SparkRelation(session, name)


def query_tables(session: SparkSession, lake: Lake, names: Iterable[str], statement: str) -> pl.DataFrame:
    """The rows, which must be few, that a statement in DuckDB's dialect returns from tables of the lake.

    Raises:
        FileNotFoundError: A table was never written.
        LostServer: The server does not answer any more.
    """
    with _report_lost_server(session):
        create_views(session, lake, names)
    return query_rows(session, statement)


def query_rows(session: SparkSession, statement: str) -> pl.DataFrame:
    """The rows, which must be few, that a statement in DuckDB's dialect returns from views of a session.

    Raises:
        LostServer: The server does not answer any more.
    """
    translated = translate(statement)
    with _report_lost_server(session):
        register_row_functions(session, translated.functions)
        rows = session.sql(translated.sql).toArrow()
    return pl.DataFrame(pl.from_arrow(rows))
