"""What a table holds beside what its limits allow, one row per declared limit, for a person who reads a check."""

from __future__ import annotations

from expectations.limit_sql import COLUMNS, UNIQUE
from expectations.limits import MAX_EXAMPLES, CheckedTable
from warehouse.table import Column, Table


def describe_expectations(table: Table, checked: CheckedTable, *, is_critical: bool) -> list[dict[str, str | int]]:
    """The declared limits of a table that are critical, or those that warn, with the value observed for each.

    Args:
        table: The declaration.
        checked: What the check of the table found.
        is_critical: Which of the two.

    Returns:
        Rows of ``column``, ``limit``, ``expected``, ``observed``, ``result`` (passed, failed, or not checked where the
        columns are not the declared ones), ``failing_rows`` and ``failing_keys`` (at most five), the failed ones first.
    """
    limits: list[tuple[str, str, str]] = []
    if is_critical:
        limits += [("*", COLUMNS, f"{len(table.schema)} columns"), (", ".join(table.key), UNIQUE, "no key twice")]
    limits += [
        (column.name, limit, _describe_limit(column, limit))
        for column in table.columns
        for limit in column.limits
        if (limit not in column.warn) == is_critical
    ]
    found = {("*" if breach.limit == COLUMNS else breach.column, breach.limit): breach for breach in checked.breaches}
    rows: list[dict[str, str | int]] = []
    for column_name, limit, expected in limits:
        breach, is_observed = found.get((column_name, limit)), (column_name, limit) in checked.observed
        failing = breach.keys[:MAX_EXAMPLES] if breach else ()
        rows.append(
            {
                "column": column_name,
                "limit": limit,
                "expected": expected,
                "observed": _describe_observed(checked, column_name, limit) if is_observed else "not checked",
                "result": "failed" if breach else "passed" if is_observed else "not checked",
                "failing_rows": breach.rows if breach else 0,
                "failing_keys": "; ".join("/".join(map(str, parts)) for parts in failing),
            }
        )
    return sorted(rows, key=lambda row: row["result"] != "failed")


def _describe_limit(column: Column, limit: str) -> str:
    value = getattr(column, limit)
    if limit == "required":
        return "no value missing"
    if limit == "one_of":
        return f"one of {value if isinstance(value, str) else ', '.join(value)}"
    return {"minimum": f"at least {value}", "maximum": f"at most {value}"}.get(limit, f"matches {value}")


def _describe_observed(checked: CheckedTable, column_name: str, limit: str) -> str:
    value = checked.observed[column_name, limit]
    if value is None:
        return "no values"
    if limit == UNIQUE:
        return f"{value:,} keys in {checked.rows:,} rows"
    different = "{} different values" if checked.is_exact or limit != "matches" else "about {} different values"
    texts = {COLUMNS: "{} columns", "required": "{} missing", "minimum": "smallest {}", "maximum": "largest {}"}
    return texts.get(limit, different).format(value)
