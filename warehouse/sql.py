"""SQL on the lake: which tables a query reads, and a DuckDB connection in which they stand under their names."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from warehouse.lake import Lake
from warehouse.table import LAYERS, DeclarationError

_MACROS = Path(__file__).parent / "macros"
SCALAR_MACROS = "\n".join((_MACROS / f"{name}.sql").read_text(encoding="utf-8") for name in ("statistics", "links"))
TABLE_MACROS = (_MACROS / "counts.sql").read_text(encoding="utf-8")  # they read tables, which must exist


@cache
def tables_asked() -> frozenset[str]:
    """Names of the tables that the questions ask; a release without one of them has no questions."""
    return frozenset(re.findall(rf"\b(?:from|join) ((?:{'|'.join(LAYERS)})\.\w+)", TABLE_MACROS))


def make_ready(connection: duckdb.DuckDBPyConnection) -> None:
    """Set what every connection of ours has: moments in UTC, and no optimiser that loses a LIMIT.

    In DuckDB 2.0.0 the propagation of statistics takes a left join with a side that is provably empty for an empty
    result, and drops the LIMIT above it: more rows come than were asked for.
    """
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set disabled_optimizers = 'statistics_propagation'")


def quoted(text: str) -> str:
    """A text as SQL writes it, for the places that take no parameter."""
    return "'" + text.replace("'", "''") + "'"


def tables_read(query: str) -> tuple[str, ...]:
    """Names of the tables a query reads, sorted.

    Raises:
        DeclarationError: It is not one query, or reads a table without naming its layer.
    """
    try:
        statements = sqlglot.parse(query, read="duckdb")
    except sqlglot.ParseError as error:
        raise DeclarationError(f"the query cannot be parsed: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise DeclarationError("it is not exactly one query")
    local = {cte.alias for cte in statements[0].find_all(exp.CTE)}
    names = set()
    for table in statements[0].find_all(exp.Table):
        if isinstance(table.this, exp.Func) or (not table.db and table.name in local):
            continue
        if table.db not in LAYERS:
            raise DeclarationError(f"it reads {table.sql()}, which names no layer ({', '.join(LAYERS)})")
        names.add(f"{table.db}.{table.name}")
    return tuple(sorted(names))


@contextmanager
def connected(lake: Lake, tables: Iterable[str]) -> Generator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in which these tables of the lake stand under their own names, in UTC.

    Raises:
        FileNotFoundError: A table was never written.
    """
    with duckdb.connect() as connection:
        make_ready(connection)
        connection.execute(SCALAR_MACROS)
        for name in tables:
            layer, _, things = name.partition(".")
            connection.execute(f"create schema if not exists {layer}")
            connection.register(f"{layer}__{things}", lake.dataset(name))
            connection.execute(f"create view {name} as from {layer}__{things}")
        yield connection
