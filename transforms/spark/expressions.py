"""Which expressions Spark hands to DuckDB on its workers, and the types that they return.

The engines differ in what a letter, a space or a small letter is, in number formats, and in functions that only one of
them has. Such an expression is not translated: each worker computes it with DuckDB, batch by batch, with the macros and
Python functions that the laptop has. So they have one definition, and the same value everywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from transforms import functions
from transforms.mentions import functions as mentions
from warehouse.statistics import functions as statistics

_TEXT, _TEXTS, _REAL = "varchar", "varchar[]", "double"
_HASH = "bigint"  # Spark has no unsigned numbers: the same 64 bits
# classes of expressions, with the type that each returns
_CLASSES: dict[type[exp.Expr], str] = {
    exp.RegexpLike: "boolean",  # character classes, word boundaries and the end of a text differ
    exp.RegexpExtract: _TEXT,
    exp.RegexpReplace: _TEXT,
    exp.RegexpExtractAll: _TEXTS,
    exp.Lower: _TEXT,  # the small letters of sigma and of the dotted capital i
    exp.Format: _TEXT,  # other format strings
    exp.JSONExtractScalar: _TEXTS,  # paths with wildcards
}
_NAMES = {
    # formats and texts
    "printf": _TEXT,
    "strip_accents": _TEXT,
    "nfc_normalize": _TEXT,
    "words_of": _TEXTS,
    "blank_words": _TEXTS,
    "link_key": _TEXT,
    "link_without_scheme": _TEXT,
    "arxiv_id_in": _TEXT,
    # samples that are chosen by a hash must be the same
    "hash": _HASH,
    # of lists
    "list_aggregate": _TEXT,
    "list_median": _REAL,
    "list_product": _REAL,
}
PYTHON_TYPES = {**functions.RESULT_TYPES, **mentions.RESULT_TYPES, **statistics.RESULT_TYPES}
"""The functions that are Python on the laptop too; the workers call them without DuckDB."""
# what is no value of one row, and so becomes an argument
_BARRIERS = (exp.Column, exp.AggFunc, exp.Window, exp.Filter, exp.Subquery, exp.Query, exp.Explode, exp.Star)
_AGGREGATE_NAMES = frozenset({"product", "mode"})


@dataclass(frozen=True)
class RowFunction:
    """A function on the rows of a batch.

    Args:
        name: Its name in Spark.
        expression: Its expression in DuckDB's dialect, of columns ``c0``, ``c1`` and so on; none if it is Python, under
            its own name.
        result: The type that it returns, as DuckDB writes it.
    """

    name: str
    expression: str | None
    result: str


def is_aggregate(node: exp.Expr) -> bool:
    """Whether a node is an aggregate function."""
    return isinstance(node, exp.AggFunc) or (isinstance(node, exp.Anonymous) and node.name.lower() in _AGGREGATE_NAMES)


def _is_python(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in PYTHON_TYPES


def find_result_type(node: exp.Expr) -> str | None:
    """The type that an expression returns, if DuckDB is to compute it; else none."""
    if isinstance(node, exp.FromJson):
        return _read_json_type(node.expression.name)
    if isinstance(node, exp.ArrayFilter | exp.Transform) and isinstance(node.expression, exp.Lambda):
        # Spark calls no function of Python within a lambda
        if not any(find_result_type(part) for part in node.expression.this.walk()):
            return None
        has_hash = any(find_result_type(part) == _HASH for part in node.expression.this.walk())
        return _HASH + "[]" if isinstance(node, exp.Transform) and has_hash else _TEXTS
    if isinstance(node, exp.Anonymous):
        return _NAMES.get(node.name.lower()) or PYTHON_TYPES.get(node.name.lower())
    return _CLASSES.get(type(node))


def _read_json_type(structure: str) -> str:
    """The type of a structure as `from_json` takes it, such as ``[{"author": "VARCHAR"}]``."""
    ((fields,),) = [json.loads(structure)]
    return f"struct({', '.join(f'{name} {kind.lower()}' for name, kind in fields.items())})[]"


def take_row_functions(query: exp.Expr) -> tuple[exp.Expr, list[RowFunction]]:
    """A query in which the expressions for DuckDB are calls of functions, and these functions."""
    found: dict[str, RowFunction] = {}

    def replace(node: exp.Expr) -> exp.Expr:
        result = find_result_type(node)
        if result is None:
            return node
        call, function = _build_function(node, result, replace)
        found[function.name] = function
        return call

    return _transform_outermost(query, replace), list(found.values())


def _transform_outermost(node: exp.Expr, replace: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    """Replace nodes from the root down; what was put in place is not looked into."""
    replaced = replace(node)
    if replaced is not node:
        if node.parent is not None:
            node.replace(replaced)
        return replaced
    for child in list(node.iter_expressions()):
        _transform_outermost(child, replace)
    return node


def _build_function(
    node: exp.Expr, result: str, replace: Callable[[exp.Expr], exp.Expr]
) -> tuple[exp.Expr, RowFunction]:
    if _is_python(node):
        given = [_transform_outermost(argument.copy(), replace) for argument in node.expressions]
        return exp.Anonymous(this=node.name.lower(), expressions=given), RowFunction(node.name.lower(), None, result)
    arguments: list[exp.Expr] = []
    places: dict[str, int] = {}

    def take(part: exp.Expr) -> exp.Expr:
        if not (isinstance(part, _BARRIERS) or is_aggregate(part) or _is_python(part)):
            return part
        text = part.sql(dialect="duckdb")
        if text not in places:
            places[text] = len(arguments)
            arguments.append(_transform_outermost(part.copy(), replace))
        return exp.column(f"c{places[text]}")

    expression = _transform_outermost(node.copy(), take).sql(dialect="duckdb")
    digest = hashlib.sha256(f"{expression} {result}".encode()).hexdigest()[:10]
    label = re.sub(r"\W+", "_", re.split(r"\(", expression.lower(), maxsplit=1)[0]).strip("_")[:30] or "computed"
    function = RowFunction(f"{label}_{digest}", expression, result)
    return exp.Anonymous(this=function.name, expressions=arguments), function
