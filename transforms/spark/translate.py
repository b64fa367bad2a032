"""Translates a transform to Spark SQL, from the same file that DuckDB runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import sqlglot
from sqlglot import exp

from transforms.spark.expressions import RowFunction, take_row_functions
from transforms.spark.rules import RULES, rewrite, unnest_beside, write_out_groups
from warehouse.sql import SCALAR_MACROS
from warehouse.table import Column

SPARK_TYPES = {
    "text": "string",
    "integer": "bigint",
    "real": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
_MACRO = re.compile(
    r"^create or replace macro (?P<name>\w+)\((?P<parameters>[\w, ]*)\) as\s(?P<body>.*?);\s*(?=^(?:--|create)|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class SparkQuery:
    """A query for Spark.

    Args:
        sql: The query.
        functions: The functions that it calls and DuckDB computes.
    """

    sql: str
    functions: tuple[RowFunction, ...]


def name_view(table: str) -> str:
    """The name of the temporary view of a table: views have no schema."""
    return table.replace(".", "__")


@cache
def _read_macros() -> dict[str, tuple[tuple[str, ...], exp.Expr]]:
    """Parameters and expression of each scalar macro of numbers; those of texts are computed by DuckDB."""
    macros = {}
    for match in _MACRO.finditer(SCALAR_MACROS):
        parameters = tuple(name.strip() for name in match["parameters"].split(","))
        macros[match["name"]] = (parameters, _parse(match["body"]))
    return macros


def _parse(text: str) -> exp.Expr:
    # sqlglot takes len, which is used of lists, for length, which is used of texts
    return sqlglot.parse_one(re.sub(r"\blen\(", "array_length(", text), read="duckdb")


def put_macros_in_place(query: exp.Expr) -> exp.Expr:
    """A query in which calls of macros are the expressions that they stand for."""
    from transforms.spark.expressions import find_result_type

    macros = _read_macros()

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Anonymous) or node.name.lower() not in macros or find_result_type(node):
            return node
        parameters, body = macros[node.name.lower()]
        values = dict(zip(parameters, node.expressions, strict=True))
        filled = body.copy().transform(
            lambda part: (
                exp.paren(values[part.name].copy())
                if isinstance(part, exp.Column) and not part.table and part.name in values
                else part
            )
        )
        return exp.paren(put_macros_in_place(filled))

    return query.transform(replace)


def translate(query: str, columns: tuple[Column, ...] | None = None) -> SparkQuery:
    """A query for Spark with the same rows.

    Args:
        query: One query in DuckDB's dialect.
        columns: The declared columns, to whose types the values are cast; as they are if there are none.

    Raises:
        ValueError: A part of it has no form in Spark; the message has that part.
    """
    tree = put_macros_in_place(_parse(query))
    if columns is not None:
        tree.set("order", None)  # the rows of a table have no order
    _name_views(tree)
    for select in tree.find_all(exp.Select):
        write_out_groups(select)
    tree, functions = take_row_functions(tree)
    for rule in RULES:
        tree = rewrite(tree, rule)
    for select in tree.find_all(exp.Select):
        unnest_beside(select)
    sql = tree.sql(dialect="spark", normalize_functions=False, comments=False)
    if columns is not None:
        values = ", ".join(f"cast(`{c.name}` as {SPARK_TYPES[c.type]}) as `{c.name}`" for c in columns)
        sql = f"select {values} from ({sql})"
    return SparkQuery(sql, tuple(functions))


def _name_views(tree: exp.Expr) -> None:
    for table in tree.find_all(exp.Table):
        if table.db:
            name = table.name
            if not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
            table.set("this", exp.to_identifier(name_view(f"{table.db}.{name}")))
            table.set("db", None)
