"""What a table holds beside what its limits allow, one row per declared limit, for a person who reads a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from expectations.limits import MAX_EXAMPLES, Breach
from warehouse.table import Column, Table


def describe_expectations(
    table: Table, frame: pl.DataFrame, breaches: Sequence[Breach], *, is_critical: bool
) -> list[dict[str, str | int]]:
    """The declared limits of a table that are critical, or those that warn, with the value observed for each.

    Args:
        table: The declaration.
        frame: The rows that were checked.
        breaches: What `check_table` found in them.
        is_critical: Which of the two.

    Returns:
        Rows of ``column``, ``limit``, ``expected``, ``observed``, ``result`` (passed or failed), ``failing_rows`` and
        ``failing_keys`` (at most five), the failed ones first.
    """
    limits: list[tuple[str, str, str, str]] = []
    if is_critical:
        keys = frame.select(table.key).n_unique()
        limits += [
            ("*", "columns", f"{len(table.schema)} columns", f"{frame.width} columns"),
            (", ".join(table.key), "unique", "no key twice", f"{keys:,} keys in {frame.height:,} rows"),
        ]
    observed = _observe_columns(table, frame)
    limits += [
        (column.name, limit, _describe_limit(column, limit), observed[column.name, limit])
        for column in table.columns
        for limit in column.limits
        if (limit not in column.warn) == is_critical
    ]
    found = {("*" if breach.limit == "columns" else breach.column, breach.limit): breach for breach in breaches}
    rows: list[dict[str, str | int]] = []
    for column_name, limit, expected, value in limits:
        breach = found.get((column_name, limit))
        failing = breach.keys[:MAX_EXAMPLES] if breach else ()
        rows.append(
            {
                "column": column_name,
                "limit": limit,
                "expected": expected,
                "observed": value,
                "result": "failed" if breach else "passed",
                "failing_rows": breach.rows if breach else 0,
                "failing_keys": "; ".join("/".join(map(str, parts)) for parts in failing),
            }
        )
    return sorted(rows, key=lambda row: row["result"] == "passed")


def _describe_limit(column: Column, limit: str) -> str:
    value = getattr(column, limit)
    if limit == "required":
        return "no value missing"
    if limit == "one_of":
        return f"one of {value if isinstance(value, str) else ', '.join(value)}"
    return {"minimum": f"at least {value}", "maximum": f"at most {value}"}.get(limit, f"matches {value}")


def _observe_columns(table: Table, frame: pl.DataFrame) -> Mapping[tuple[str, str], str]:
    """What is observed for each limit, computed in one pass over the frame."""
    measures: dict[str, pl.Expr] = {}
    for column in table.columns:
        for limit in column.limits:
            values = pl.col(column.name)
            measures[f"{column.name} {limit}"] = {
                "required": values.null_count(),
                "minimum": values.min(),
                "maximum": values.max(),
            }.get(limit, values.n_unique() - values.has_nulls())
    counted: Mapping[str, Any] = frame.select(**measures).row(0, named=True) if measures else {}
    texts = {"required": "{} missing", "minimum": "smallest {}", "maximum": "largest {}"}
    observed = {}
    for name, value in counted.items():
        column_name, limit = name.rsplit(" ", 1)
        text = texts.get(limit, "{} different values")
        observed[column_name, limit] = "no values" if value is None else text.format(value)
    return observed
