"""Where each column comes from, read from the queries themselves and put into each release as a table.

What is told is where values come from. What a query only joins, filters or groups by decides which rows there are;
that is told for tables as a whole, in the rows with ``*``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from sqlglot.schema import MappingSchema

from transforms.reader import Transform
from warehouse.table import LAYERS, SQL_TYPES, DeclarationError, Table, table_from_toml

ROWS = "*"

TABLE = table_from_toml(
    "reference.lineage",
    {
        "row": "A column of a table made by SQL, and a column that its values are made from.",
        "key": ["table_name", "column_name", "from_table", "from_column"],
        "columns": {
            "table_name": {"type": "text", "meaning": "Name of the table.", "required": True},
            "column_name": {
                "type": "text",
                "meaning": "Name of the column; * for the table as a whole: which rows there are.",
                "required": True,
            },
            "from_table": {"type": "text", "meaning": "A table that the query reads.", "required": True},
            "from_column": {
                "type": "text",
                "meaning": "A column of it from which values are made; * for the number or presence of its rows.",
                "required": True,
            },
        },
    },
)


def lineage_of(transforms: Iterable[Transform], tables: Iterable[Table]) -> pl.DataFrame:
    """One row per column and column it is made from, in the order of ``reference.lineage``.

    Args:
        transforms: The SQL files.
        tables: Declarations of all tables that they read.

    Raises:
        DeclarationError: A query cannot be followed; the text names its file.
    """
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table in tables:
        types = {column.name: SQL_TYPES[column.type] for column in table.columns}
        schema.setdefault(table.layer, {})[table.things] = types
    known = MappingSchema(dict(schema), dialect="duckdb")
    edges: set[tuple[str, str, str, str]] = set()
    for transform in transforms:
        name = transform.table.name
        edges.update((name, ROWS, source, ROWS) for source in transform.sources)
        try:
            edges.update((name, column, *origin) for column, origin in _origins(transform, known))
        except SqlglotError as error:
            raise DeclarationError(f"{transform.path}: its columns cannot be followed: {error}") from error
    return TABLE.conform(TABLE.frame(dict(zip(TABLE.schema, edge, strict=True)) for edge in edges))


def _origins(transform: Transform, known: MappingSchema) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each column of a transform with each table and column that its values are made from."""
    query = sqlglot.parse_one(transform.query, read="duckdb")
    # once for all columns, and without copies of the query for each node: a fifteenth of the time
    query = qualify(query, dialect="duckdb", schema=known, validate_qualify_columns=False, identify=False)
    paths = lineage(None, query, known, dialect="duckdb", scope=build_scope(query), trim_selects=False, copy=False)
    named = {cte.alias: cte.this for cte in query.find_all(exp.CTE)}
    for column in transform.table.columns:
        if column.name not in paths:
            raise SqlglotError(f"it gives no column {column.name}")
        for node in paths[column.name].walk():
            if not node.downstream:
                yield from ((column.name, origin) for origin in _ends(node, named))


def _ends(node: Node, named: Mapping[str, exp.Expr]) -> Iterator[tuple[str, str]]:
    """What the end of a path is: a column of a table; for a count of rows, the tables counted; for a constant, none."""
    source = node.source
    if isinstance(source, exp.Table):
        if source.db in LAYERS:
            yield f"{source.db}.{source.name}", node.name.rpartition(".")[2].strip('"')
    elif node.expression.find(exp.Count):
        yield from ((name, ROWS) for name in _tables(source, named, frozenset()))


def _tables(query: exp.Expr, named: Mapping[str, exp.Expr], seen: frozenset[str]) -> Iterator[str]:
    """The tables of the lake under a query, through the queries that it names; a query naming itself ends there."""
    for table in query.find_all(exp.Table):
        if table.db in LAYERS:
            yield f"{table.db}.{table.name}"
        elif table.name in named and table.name not in seen:
            yield from _tables(named[table.name], named, seen | {table.name})
