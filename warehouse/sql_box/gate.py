"""The gate of the closed box: exactly one query, made only of parts that are known to be harmless.

It judges the syntax tree that DuckDB's own parser makes of the text, so that there is no second parser to disagree
with it, and it judges by allow lists: whatever it does not know stays outside.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from warehouse.sql_box.functions import ALLOWED, REFUSED, REFUSED_PREFIXES, TABLES_ALLOWED

_EXPRESSIONS = frozenset(
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
_PARTS = frozenset(
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
# plain `show tables` would show those without a layer, of which there are none
_SHOWN = frozenset({"__show_tables_expanded", '"databases"'})


class Refused(ValueError):
    """The query is not one that may run in the closed box; the text says why."""


@dataclass(frozen=True)
class Known:
    """What there is in the release.

    Args:
        database: Name under which DuckDB opened the release.
        schemas: Names of its schemas, which hold only released tables.
        functions: Names of its own functions.
        closed: Names that mean a view of DuckDB itself wherever no schema is given.
    """

    database: str
    schemas: frozenset[str]
    functions: frozenset[str]
    closed: frozenset[str]

    @classmethod
    def of(cls, connection: duckdb.DuckDBPyConnection) -> Known:
        """Ask the opened release."""

        def names(query: str) -> frozenset[str]:
            return frozenset(str(name).lower() for (name,) in connection.execute(query).fetchall())

        ((database,),) = connection.execute("select current_database()").fetchall()
        return cls(
            str(database).lower(),
            names("select distinct schema_name from duckdb_tables() where not internal"),
            names("select distinct function_name from duckdb_functions() where not internal"),
            names("select view_name from duckdb_views() where internal and schema_name <> 'information_schema'"),
        )


def admit(connection: duckdb.DuckDBPyConnection, query: str, known: Known) -> None:
    """Let pass one query that reads only released tables and calls only harmless functions.

    Raises:
        Refused: It is anything else.
        duckdb.Error: DuckDB cannot parse it.
    """
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise Refused(f"exactly one query is taken here, and this is {len(statements) or 'none'}")
    try:
        kind = statements[0].type.name
    except ValueError:  # a kind of statement that DuckDB's Python side does not know yet
        kind = "another statement"
    judged = _with_columns_named(connection, query) if kind == "MULTI" else query
    if judged is None:
        raise Refused("this pivot must name its columns: pivot … on lab in ('OpenAI', 'Anthropic') using …")
    if kind not in ("SELECT", "MULTI"):
        raise Refused(f"only a query is taken here (select, from, with, values, describe, …), not {kind.lower()}")
    ((text,),) = connection.execute("select json_serialize_sql(?)", [judged]).fetchall()
    try:
        tree = json.loads(text)
    except RecursionError as error:
        raise Refused("the query is nested too deeply") from error
    if tree["error"]:
        raise Refused(f"the query cannot be judged: {tree['error_message']}")
    parts = list(_parts(tree["statements"]))
    own = {str(entry["key"]).lower() for part in parts for entry in _entries(part.get("cte_map"))}
    for part in parts:
        _judge(part, known, own)


def _with_columns_named(connection: duckdb.DuckDBPyConnection, query: str) -> str | None:
    """The same text with a list of columns put into its pivot, if it is a pivot that leaves them to the data.

    DuckDB runs such a pivot as several statements, of which it tells no syntax tree. Of the text with the list it
    does, and since nothing else differs, what may be in the one may be in the other.
    """
    raw = query.encode()  # DuckDB counts in bytes
    at = [place for place, _ in duckdb.tokenize(query) if raw[place : place + 5].lower() == b"using"]
    for places in [*([place] for place in at), at]:
        text = raw
        for place in reversed(places):
            text = text[:place] + b" in ('') " + text[place:]
        with contextlib.suppress(duckdb.Error):
            statements = connection.extract_statements(text.decode())
            if len(statements) == 1 and statements[0].type.name == "SELECT":
                return text.decode()
    return None


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, without recursion, since a stranger decides how deep it is."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _entries(common: Any) -> list[dict[str, Any]]:
    """The common table expressions (``with``) of a part."""
    return common.get("map", []) if isinstance(common, dict) else []


def _judge(part: dict[str, Any], known: Known, own: Collection[str]) -> None:
    kind = part.get("type")
    if part.get("class") == "PARAMETER":
        raise Refused("there are no values for parameters such as ? or $1 here: write the values themselves")
    if "class" in part and part["class"] not in _EXPRESSIONS:
        raise Refused(f"{_plain(part['class'])} is not taken here")
    if "class" not in part and isinstance(kind, str) and kind not in _PARTS:
        raise Refused(f"{_plain(kind)} is not taken here: the closed box only reads")
    if "function_name" in part:
        _judge_function(part["function_name"].lower(), ALLOWED | TABLES_ALLOWED | known.functions)
    if kind == "TABLE_FUNCTION":  # a table function may share its name with a harmless scalar one
        _judge_function(part["function"]["function_name"].lower(), TABLES_ALLOWED | known.functions)
    if kind == "BASE_TABLE":
        _judge_table([name.lower() for name in part["qualified_name"]["path"]], known, own)
    if kind == "SHOW_REF" and not part.get("query"):
        _judge_show(part, known)


def _judge_function(name: str, allowed: Collection[str]) -> None:
    if name in allowed:
        return
    why = REFUSED.get(name) or next((w for start, w in REFUSED_PREFIXES.items() if name.startswith(start)), None)
    raise Refused(f"the function {name} is not open here" + (f": it {why}" if why else ""))


def _judge_table(path: list[str], known: Known, own: Collection[str]) -> None:
    name = ".".join(path)
    match path:
        # a name of the query's own is visible only in a part of it; outside that part DuckDB's view would be meant
        case [table]:
            is_open = table in own and table not in known.closed
        case [schema, _]:
            is_open = schema in known.schemas or schema == "information_schema"
        case _:
            is_open = path[0] == known.database and len(path) == 3 and path[1] in known.schemas
    if not is_open:
        raise Refused(f"there is no table {name} here: tables are named with their layer; `show all tables` lists them")


def _judge_show(part: dict[str, Any], known: Known) -> None:
    path = [name.lower() for name in part["qualified_name"].get("path") or [] if name]
    is_open = (part["show_type"] == "SHOW_SPECIAL" and path and path[0] in _SHOWN) or (
        part["show_type"] == "SHOW_FROM" and set(path) <= {known.database, *known.schemas}
    )
    if not is_open:
        raise Refused(f"show {'.'.join(path)} is not open here: `show all tables` lists the tables".replace('"', ""))


def _plain(kind: str) -> str:
    return kind.lower().replace("_node", "").replace("_", " ")
