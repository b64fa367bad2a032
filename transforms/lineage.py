"""Column lineage, parsed from the queries and published in each release as a table.

It covers where values come from. Columns that a query only joins, filters or groups by determine which rows there are;
these are recorded per table, in the rows with ``*``.
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
from warehouse.table import LAYERS, SQL_TYPES, DeclarationError, Table, parse_table

ROWS = "*"

TABLE = parse_table(
    "reference.lineage",
    {
        "row": "A column of a table made by SQL, and a column that its values come from.",
        "key": ["table_name", "column_name", "from_table", "from_column"],
        "columns": {
            "table_name": {"type": "text", "meaning": "Name of the table.", "required": True},
            "column_name": {
                "type": "text",
                "meaning": "Name of the column; * for the table as a whole (which rows it has).",
                "required": True,
            },
            "from_table": {"type": "text", "meaning": "A table that the query reads.", "required": True},
            "from_column": {
                "type": "text",
                "meaning": "A column of that table that the values come from; * for its rows as a whole.",
                "required": True,
            },
        },
    },
)


def build_schema(tables: Iterable[Table]) -> MappingSchema:
    """The columns of tables with their SQL types, as sqlglot reads them."""
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for table in tables:
        types = {column.name: SQL_TYPES[column.type] for column in table.columns}
        schema.setdefault(table.layer, {})[table.short_name] = types
    return MappingSchema(dict(schema), dialect="duckdb")


def trace_columns(transforms: Iterable[Transform], schema: MappingSchema) -> pl.DataFrame:
    """The rows of ``reference.lineage``: one per column and source column.

    Args:
        transforms: The transforms to trace.
        schema: The tables that they read.

    Raises:
        DeclarationError: A query cannot be traced; the message names its file.
    """
    edges: set[tuple[str, str, str, str]] = set()
    for transform in transforms:
        name = transform.table.name
        edges.update((name, ROWS, source, ROWS) for source in transform.source_tables)
        if transform.function is not None:  # what its columns are made from is not in its query
            continue
        try:
            edges.update((name, column, *origin) for column, origin in _trace_transform(transform, schema))
        except SqlglotError as error:
            raise DeclarationError(f"{transform.path}: its columns cannot be traced: {error}") from error
    return TABLE.conform(TABLE.frame(dict(zip(TABLE.schema, edge, strict=True)) for edge in edges))


def _trace_transform(transform: Transform, schema: MappingSchema) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each column of a transform with each table and column that its values come from."""
    query = sqlglot.parse_one(transform.query, read="duckdb")
    # qualifying once for all columns, without copying the query for each node, takes a fifteenth of the time
    query = qualify(query, dialect="duckdb", schema=schema, validate_qualify_columns=False, identify=False)
    paths = lineage(None, query, schema, dialect="duckdb", scope=build_scope(query), trim_selects=False, copy=False)
    ctes = {cte.alias: cte.this for cte in query.find_all(exp.CTE)}
    for column in transform.table.columns:
        if column.name not in paths:
            raise SqlglotError(f"it returns no column {column.name}")
        for node in paths[column.name].walk():
            if not node.downstream:
                yield from ((column.name, origin) for origin in _resolve_leaf(node, ctes))


def _resolve_leaf(node: Node, ctes: Mapping[str, exp.Expr]) -> Iterator[tuple[str, str]]:
    """The origins of a leaf: a column of a table; for a count of rows, the counted tables; for a constant, none."""
    source = node.source
    if isinstance(source, exp.Table):
        if source.db in LAYERS:
            yield f"{source.db}.{source.name}", node.name.rpartition(".")[2].strip('"')
    elif node.expression.find(exp.Count):
        yield from ((name, ROWS) for name in _find_tables(source, ctes, frozenset()))


def _find_tables(query: exp.Expr, ctes: Mapping[str, exp.Expr], seen: frozenset[str]) -> Iterator[str]:
    """The tables of the lake that a query reads, also through its CTEs; a recursive CTE is visited once."""
    for table in query.find_all(exp.Table):
        if table.db in LAYERS:
            yield f"{table.db}.{table.name}"
        elif table.name in ctes and table.name not in seen:
            yield from _find_tables(ctes[table.name], ctes, seen | {table.name})
