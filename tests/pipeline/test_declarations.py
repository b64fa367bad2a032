"""Declarations: invalid ones are rejected, and every declared limit of every table catches a bad row."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expectations.limits import check_table
from orchestration.defs.catalog import list_tables
from orchestration.ingest.limits import list_allowed_values
from warehouse.table import Column, DeclarationError, Table, parse_table


def make_good_value(column: Column, number: int) -> Any:
    """A value within the limits of a column; different for each number, where the limits allow that."""
    if column.one_of is not None:
        values = list_allowed_values(column.one_of) if isinstance(column.one_of, str) else column.one_of
        return values[number % len(values)] if values else None
    if column.type in ("integer", "real"):
        low = column.minimum if column.minimum is not None else 0
        value = low + number
        return min(value, column.maximum) if column.maximum is not None else value
    if column.type == "boolean":
        return number % 2 == 0
    if column.type == "date":
        return (column.minimum or dt.date(2020, 1, 1)) + dt.timedelta(days=number)
    if column.type == "timestamp":
        return dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=number)
    if column.matches is None:
        return f"text {number}"
    forms = (
        "https://example.org/{0}",
        "{0:016x}",
        "{0:032x}",
        "{0:064x}",
        "I{0}",
        "W{0}",
        "T{0}",
        "id{0}",
        "2401.{0:05}",
        "name_{0}",
    )
    return next(text for form in forms if re.match(column.matches, text := form.format(number)))


def make_good_frame(table: Table, rows: int = 3) -> pl.DataFrame:
    return table.frame(
        {column.name: make_good_value(column, number) for column in table.columns} for number in range(rows)
    )


def make_bad_value(column: Column, limit: str) -> Any:
    if limit == "required":
        return None
    if limit in ("one_of", "matches"):
        return "\x00 no such value"
    step = dt.timedelta(days=1) if column.type == "date" else 1
    return column.minimum - step if limit == "minimum" else column.maximum + step


@pytest.mark.parametrize("table", list_tables(), ids=lambda table: table.name)
def test_good_rows_pass(table: Table) -> None:
    keyed = make_good_frame(table).unique(table.key, keep="first")
    assert check_table(table, keyed, list_allowed_values) == []


def pick_tables(list_settings: Callable[[Table], set[Any]]) -> list[Table]:
    """Tables that together have every setting that any table has, such as its limits.

    Great Expectations judges each broken limit, at a cost by limit. The same limits of other tables are evaluated by
    `test_good_rows_pass`.
    """
    picked, missing = list[Table](), {setting for table in list_tables() for setting in list_settings(table)}
    while missing:
        picked.append(max(list_tables(), key=lambda table: len(list_settings(table) & missing)))
        missing -= list_settings(picked[-1])
    return picked


def list_limit_settings(table: Table) -> set[Any]:
    return {
        (column.type, limit, limit in column.warn, str(getattr(column, limit)))
        for column in table.columns
        for limit in column.limits
    }


def list_key_settings(table: Table) -> set[Any]:
    return {tuple(sorted(table.column(name).type for name in table.key))}


@pytest.mark.parametrize("table", pick_tables(list_limit_settings), ids=lambda table: table.name)
def test_every_declared_limit_catches_exactly_its_bad_row(table: Table) -> None:
    limits = [(column, limit) for column in table.columns for limit in column.limits]
    good = make_good_frame(table, len(limits) + 1)
    bad_rows = [
        good[number].with_columns(
            pl.lit(make_bad_value(column, limit)).cast(table.schema[column.name]).alias(column.name)
        )
        for number, (column, limit) in enumerate(limits)
    ]
    breaches = {
        (breach.column, breach.limit): breach
        for breach in check_table(table, pl.concat([*bad_rows, good[-1]]), list_allowed_values)
    }
    for column, limit in limits:
        breach = breaches[column.name, limit]
        assert breach.rows == 1
        assert breach.is_critical == (limit not in column.warn)
    keys = ", ".join(table.key)
    assert set(breaches) - {(keys, "unique")} == {(column.name, limit) for column, limit in limits}


@pytest.mark.parametrize("table", pick_tables(list_key_settings), ids=lambda table: table.name)
def test_repeated_key_is_caught(table: Table) -> None:
    frame = make_good_frame(table, 1)
    breaches = check_table(table, pl.concat([frame, frame]), list_allowed_values)
    assert [(breach.limit, breach.rows) for breach in breaches] == [("unique", 2)]


def test_columns_of_the_same_name_have_the_same_type_and_unit() -> None:
    seen: dict[str, tuple[str, str | None, str]] = {}
    for table in list_tables():
        for column in table.columns:
            kind, unit, first = seen.setdefault(column.name, (column.type, column.unit, table.name))
            assert (column.type, column.unit) == (kind, unit), f"{column.name} differs between {first} and {table.name}"


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"row": "r", "key": ["a"], "columns": {"a": {"type": "text"}}}, "no meaning"),
        ({"row": "r", "key": ["a"], "columns": {"a": {"type": "varchar", "meaning": "m"}}}, "none of"),
        ({"row": "r", "key": ["b"], "columns": {"a": {"type": "text", "meaning": "m"}}}, "key column b"),
        ({"row": "r", "key": ["a"], "columns": {"a": {"type": "text", "meaning": "m", "min": 1}}}, "unknown settings"),
        ({"row": "r", "key": ["a"], "columns": {"a": {}}}, "no type"),
        (
            {"row": "r", "key": ["a"], "columns": {"a": {"type": "text", "meaning": "m", "warn": ["minimum"]}}},
            "warns on",
        ),
        ({"row": "r", "columns": {"a": {"type": "text", "meaning": "m"}}}, "no key"),
        ({"row": "r", "key": ["a"], "columns": {}, "owner": "x"}, "unknown settings"),
    ],
)
def test_invalid_declaration_is_reported(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        parse_table("raw.products", declared)


@pytest.mark.parametrize("name", ["products", "gold.products", "raw.two words", "raw."])
def test_invalid_table_name_is_reported(name: str) -> None:
    with pytest.raises(DeclarationError, match="not a table name"):
        Table(name, "r", (), ())


def test_undeclared_columns_are_reported() -> None:
    table = parse_table(
        "raw.products", {"row": "r", "key": ["a"], "columns": {"a": {"type": "integer", "meaning": "m"}}}
    )
    with pytest.raises(DeclarationError, match=r"undeclared \['b'\]"):
        table.conform(pl.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(DeclarationError, match=r"raw\.products"):
        table.conform(pl.DataFrame({"a": ["one"]}))
    with pytest.raises(DeclarationError, match="missing columns"):
        table.frame([{"b": 1}])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-20, 20) | st.none(), min_size=1, max_size=20))
def test_breaches_are_exactly_the_rows_outside_the_limits(values: list[int | None]) -> None:
    columns = {
        "a": {"type": "integer", "meaning": "m"},
        "b": {"type": "integer", "meaning": "m", "required": True, "minimum": -5, "maximum": 5},
    }
    table = parse_table("raw.products", {"row": "r", "key": ["a"], "columns": columns})
    frame = table.frame({"a": number, "b": value} for number, value in enumerate(values))
    breaches = {
        breach.limit: {key for (key,) in breach.keys} for breach in check_table(table, frame, list_allowed_values)
    }
    expected = {
        "required": {n for n, v in enumerate(values) if v is None},
        "minimum": {n for n, v in enumerate(values) if v is not None and v < -5},
        "maximum": {n for n, v in enumerate(values) if v is not None and v > 5},
    }
    assert breaches == {limit: keys for limit, keys in expected.items() if keys}
