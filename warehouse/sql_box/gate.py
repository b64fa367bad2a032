"""The query gate of the sandbox: exactly one query, made only of syntax, tables and functions on allow-lists.

It checks the syntax tree of DuckDB's own parser, since a second parser could read a query differently.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from warehouse.sql_box.functions import (
    ALLOWED_FUNCTIONS,
    ALLOWED_TABLE_FUNCTIONS,
    REFUSED_FUNCTIONS,
    REFUSED_NAMES,
    REFUSED_PREFIXES,
)

_ALLOWED_EXPRESSIONS = frozenset(
    [
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
        "LAMBDA_REF",
        "OPERATOR",
        "POSITIONAL_REFERENCE",
        "STAR",
        "SUBQUERY",
        "TYPE",
        "WINDOW",
    ]
)
_ALLOWED_NODES = frozenset(
    [
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "RECURSIVE_CTE_NODE",
        "CTE_NODE",
        "BASE_TABLE",
        "TABLE_FUNCTION",
        "JOIN",
        "SUBQUERY",
        "EMPTY",
        "EXPRESSION_LIST",
        "PIVOT",
        "SHOW_REF",
        "ORDER_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "DISTINCT_MODIFIER",
        "ORDER_DEFAULT",
        "ASCENDING",
        "DESCENDING",
    ]
)
# not plain `show tables`: it lists tables without a layer, and there are none
_ALLOWED_SHOW = frozenset({"__show_tables_expanded", '"databases"'})


class ForbiddenQuery(ValueError):
    """The query may not run in the sandbox; the message is the refusal reason."""


@dataclass(frozen=True)
class ReleaseCatalog:
    """Names in an opened release, in lower case.

    Args:
        database: Name under which DuckDB opened the release.
        schemas: Schemas, which hold only released tables.
        functions: The release's own macros.
        internal_views: DuckDB's own views that can be read without naming a schema.
    """

    database: str
    schemas: frozenset[str]
    functions: frozenset[str]
    internal_views: frozenset[str]

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> ReleaseCatalog:
        """Read the names from an opened release."""

        def read_names(query: str) -> frozenset[str]:
            return frozenset(str(name).lower() for (name,) in connection.execute(query).fetchall())

        ((database,),) = connection.execute("select current_database()").fetchall()
        return cls(
            str(database).lower(),
            read_names("select distinct schema_name from duckdb_tables() where not internal"),
            read_names("select distinct function_name from duckdb_functions() where not internal"),
            read_names("select view_name from duckdb_views() where internal and schema_name <> 'information_schema'"),
        )


def check_query(connection: duckdb.DuckDBPyConnection, query: str, catalog: ReleaseCatalog) -> None:
    """Check that a text is one query that reads only released tables and calls only allowed functions.

    Raises:
        ForbiddenQuery: It is not.
        duckdb.Error: DuckDB cannot parse it.
    """
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise ForbiddenQuery(f"exactly one query is allowed, and this is {len(statements) or 'none'}")
    try:
        kind = statements[0].type.name
    except ValueError:  # a kind of statement that DuckDB's Python API does not know yet
        kind = "another statement"
    checked_query = _add_pivot_columns(connection, query) if kind == "MULTI" else query
    if checked_query is None:
        raise ForbiddenQuery("this pivot must name its columns: pivot … on lab in ('OpenAI', 'Anthropic') using …")
    if kind not in ("SELECT", "MULTI"):
        raise ForbiddenQuery(f"only a query is allowed (select, from, with, values, describe, …), not {kind.lower()}")
    ((text,),) = connection.execute("select json_serialize_sql(?)", [checked_query]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError as error:
        raise ForbiddenQuery("the query is nested too deeply") from error
    if tree["error"]:
        raise ForbiddenQuery(f"the query cannot be checked: {tree['error_message']}")
    nodes = list(_walk_nodes(tree["statements"]))
    ctes = {str(entry["key"]).lower() for node in nodes for entry in _list_ctes(node.get("cte_map"))}
    for node in nodes:
        _check_node(node, catalog, ctes)


def _add_pivot_columns(connection: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """The query with a list of columns added to its pivot; none if it is not a pivot without such a list.

    DuckDB runs a pivot without a list as several statements and serializes no syntax tree for them. With a list it
    does, and since nothing else differs, checking the changed query checks the original.
    """
    raw = query.encode()  # DuckDB counts in bytes
    offsets = [offset for offset, _ in duckdb.tokenize(query) if raw[offset : offset + 5].lower() == b"using"]
    for chosen in [*([offset] for offset in offsets), offsets]:
        text = raw
        for offset in reversed(chosen):
            text = text[:offset] + b" in ('') " + text[offset:]
        with contextlib.suppress(duckdb.Error):
            statements = connection.extract_statements(text.decode())
            if len(statements) == 1 and statements[0].type.name == "SELECT":
                return text.decode()
    return None


def _walk_nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a syntax tree, without recursion, since a hostile query decides how deep it is."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _list_ctes(cte_map: Any) -> list[dict[str, Any]]:
    """The common table expressions (``with``) of a node."""
    return cte_map.get("map", []) if isinstance(cte_map, dict) else []


def _check_node(node: dict[str, Any], catalog: ReleaseCatalog, ctes: Collection[str]) -> None:
    kind = node.get("type")
    if node.get("class") == "PARAMETER":
        raise ForbiddenQuery("parameters such as ? or $1 have no values here: write the values themselves")
    if "class" in node and node["class"] not in _ALLOWED_EXPRESSIONS:
        raise ForbiddenQuery(f"{_format_kind(node['class'])} is not allowed")
    if "class" not in node and isinstance(kind, str) and kind not in _ALLOWED_NODES:
        raise ForbiddenQuery(f"{_format_kind(kind)} is not allowed: queries can only read")
    if "function_name" in node:
        _check_function(node["function_name"].lower(), ALLOWED_FUNCTIONS | ALLOWED_TABLE_FUNCTIONS | catalog.functions)
    if node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1:
        _check_bare_name(node["column_names"][0].lower())
    if kind == "TABLE_FUNCTION":  # a table function may share its name with a harmless scalar one
        _check_function(node["function"]["function_name"].lower(), ALLOWED_TABLE_FUNCTIONS | catalog.functions)
    if kind == "BASE_TABLE":
        _check_table([name.lower() for name in node["qualified_name"]["path"]], catalog, ctes)
    if kind == "SHOW_REF" and not node.get("query"):
        _check_show(node, catalog)


def _check_function(name: str, allowed: Collection[str]) -> None:
    if name in allowed:
        return
    reason = REFUSED_FUNCTIONS.get(name) or next(
        (reason for prefix, reason in REFUSED_PREFIXES.items() if name.startswith(prefix)), None
    )
    raise ForbiddenQuery(f"the function {name} is not allowed" + (f": it {reason}" if reason else ""))


def _check_bare_name(name: str) -> None:
    """Refuse names that are functions without parentheses, unless a column of the name is written with its table."""
    if name in REFUSED_NAMES:
        raise ForbiddenQuery(
            f"{name} is not allowed: it {REFUSED_FUNCTIONS[name]}; write a column of this name with its table: t.{name}"
        )


def _check_table(path: list[str], catalog: ReleaseCatalog, ctes: Collection[str]) -> None:
    name = ".".join(path)
    match path:
        # a CTE is visible in one part of the query only; elsewhere the same name would mean DuckDB's view
        case [table]:
            is_allowed = table in ctes and table not in catalog.internal_views
        case [schema, _]:
            is_allowed = schema in catalog.schemas or schema == "information_schema"
        case _:
            is_allowed = path[0] == catalog.database and len(path) == 3 and path[1] in catalog.schemas
    if not is_allowed:
        raise ForbiddenQuery(
            f"there is no table {name} here: tables are named with their layer; `show all tables` lists them"
        )


def _check_show(node: dict[str, Any], catalog: ReleaseCatalog) -> None:
    path = [name.lower() for name in node["qualified_name"].get("path") or [] if name]
    is_allowed = (node["show_type"] == "SHOW_SPECIAL" and path and path[0] in _ALLOWED_SHOW) or (
        node["show_type"] == "SHOW_FROM" and set(path) <= {catalog.database, *catalog.schemas}
    )
    if not is_allowed:
        raise ForbiddenQuery(
            f"show {'.'.join(path)} is not allowed: `show all tables` lists the tables".replace('"', "")
        )


def _format_kind(kind: str) -> str:
    return kind.lower().replace("_node", "").replace("_", " ")
