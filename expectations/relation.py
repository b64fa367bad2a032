"""Where the rows are whose limits are checked, in a DuckDB connection or in another engine, and of which columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from warehouse.table import SQL_TYPES, Table

if TYPE_CHECKING:
    import duckdb
    import polars as pl

BuildMatch: TypeAlias = Callable[[str, str], str]
"""The expression for whether a text matches a pattern at its start, as Python's ``re.match`` decides."""


class Relation(Protocol):
    """A table or view of some engine, which is asked in DuckDB's dialect."""

    @property
    def engine(self) -> str:
        """Name of the engine."""

    @property
    def name(self) -> str:
        """Name of the table or view, as SQL."""

    @property
    def build_match(self) -> BuildMatch | None:
        """How patterns are matched; none in DuckDB, see `expectations.patterns`."""

    def read_types(self) -> dict[str, str]:
        """The type of each column, as `warehouse.table.SQL_TYPES` has them."""

    def query(self, statement: str) -> pl.DataFrame:
        """The rows that a statement returns, which must be few."""


@dataclass(frozen=True)
class LocalRelation:
    """A table or view in a DuckDB connection of this process.

    Args:
        connection: The connection, with no unfinished result.
        name: Name of the table or view, as SQL.
    """

    connection: duckdb.DuckDBPyConnection
    name: str

    engine = "DuckDB"
    build_match: BuildMatch | None = None

    def read_types(self) -> dict[str, str]:
        """The type of each column."""
        described = self.connection.execute(f"describe {self.name}").fetchall()
        return {name: kind.lower() for name, kind, *_ in described}

    def query(self, statement: str) -> pl.DataFrame:
        """The rows that a statement returns."""
        return self.connection.sql(statement).pl()


def compare_columns(table: Table, types: Mapping[str, str]) -> str:
    """How the columns of a relation differ from the declared ones, as a sentence; empty if they do not."""
    declared = {column.name: SQL_TYPES[column.type] for column in table.columns}
    problems = [
        *(f"{name} is missing" for name in declared if name not in types),
        *(f"{name} is not declared" for name in types if name not in declared),
        *(f"{name} is {types[name]}, not {kind}" for name, kind in declared.items() if types.get(name, kind) != kind),
    ]
    if not problems and list(types) != list(declared):
        problems = [f"their order is {', '.join(types)}"]
    return f"the columns are not the declared ones: {', '.join(problems)}" if problems else ""
