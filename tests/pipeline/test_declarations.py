"""Declarations: what cannot be declared, and that every declared limit of every table catches a bad row."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from expectations.suite import check
from orchestration.defs.tables import all_tables
from orchestration.ingest.raw import allowed_values
from warehouse.table import Column, DeclarationError, Table, table_from_toml


def good_value(column: Column, number: int) -> Any:
    """A value within all limits of a column; different numbers give different values where the limits allow."""
    if column.one_of is not None:
        values = allowed_values(column.one_of) if isinstance(column.one_of, str) else column.one_of
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
    forms = ("https://example.org/{0}", "{0:016x}", "{0:064x}", "I{0}", "W{0}", "id{0}", "2401.{0:05}", "name_{0}")
    return next(text for form in forms if re.match(column.matches, text := form.format(number)))


def good_frame(table: Table, rows: int = 3) -> pl.DataFrame:
    return table.frame({column.name: good_value(column, number) for column in table.columns} for number in range(rows))


def bad_value(column: Column, limit: str) -> Any:
    if limit == "required":
        return None
    if limit in ("one_of", "matches"):
        return "\x00 no such value"
    step = dt.timedelta(days=1) if column.type == "date" else 1
    return column.minimum - step if limit == "minimum" else column.maximum + step


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_good_rows_pass(table: Table) -> None:
    keyed = good_frame(table).unique(table.key, keep="first")
    assert check(table, keyed, allowed_values) == []


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_every_declared_limit_catches_its_bad_row_and_no_other(table: Table) -> None:
    limits = [(column, limit) for column in table.columns for limit in column.limits]
    good = good_frame(table, len(limits) + 1)
    bad_rows = [
        good[number].with_columns(pl.lit(bad_value(column, limit)).cast(table.schema[column.name]).alias(column.name))
        for number, (column, limit) in enumerate(limits)
    ]
    found = {
        (breach.column, breach.limit): breach
        for breach in check(table, pl.concat([*bad_rows, good[-1]]), allowed_values)
    }
    for column, limit in limits:
        breach = found[column.name, limit]
        assert breach.rows == 1
        assert breach.is_critical == (limit not in column.warn)
    keys = ", ".join(table.key)
    assert set(found) - {(keys, "unique")} == {(column.name, limit) for column, limit in limits}


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)
def test_repeated_key_is_caught(table: Table) -> None:
    frame = good_frame(table, 1)
    found = check(table, pl.concat([frame, frame]), allowed_values)
    assert [(breach.limit, breach.rows) for breach in found] == [("unique", 2)]


def test_a_name_means_the_same_everywhere() -> None:
    seen: dict[str, tuple[str, str | None, str]] = {}
    for table in all_tables():
        for column in table.columns:
            kind, unit, first = seen.setdefault(column.name, (column.type, column.unit, table.name))
            assert (column.type, column.unit) == (kind, unit), f"{column.name} differs between {first} and {table.name}"


@pytest.mark.parametrize(
    ("declared", "told"),
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
def test_wrong_declaration_is_told(declared: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        table_from_toml("raw.things", declared)


@pytest.mark.parametrize("name", ["things", "gold.things", "raw.two words", "raw."])
def test_wrong_name_is_told(name: str) -> None:
    with pytest.raises(DeclarationError, match="not a table name"):
        Table(name, "r", (), ())


def test_other_columns_than_declared_are_told() -> None:
    table = table_from_toml(
        "raw.things", {"row": "r", "key": ["a"], "columns": {"a": {"type": "integer", "meaning": "m"}}}
    )
    with pytest.raises(DeclarationError, match=r"undeclared \['b'\]"):
        table.conform(pl.DataFrame({"a": [1], "b": [2]}))
    with pytest.raises(DeclarationError, match=r"raw\.things"):
        table.conform(pl.DataFrame({"a": ["one"]}))
    with pytest.raises(DeclarationError, match="missing columns"):
        table.frame([{"b": 1}])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-20, 20) | st.none(), min_size=1, max_size=20))
def test_breaches_are_exactly_the_rows_out_of_limits(values: list[int | None]) -> None:
    columns = {
        "a": {"type": "integer", "meaning": "m"},
        "b": {"type": "integer", "meaning": "m", "required": True, "minimum": -5, "maximum": 5},
    }
    table = table_from_toml("raw.things", {"row": "r", "key": ["a"], "columns": columns})
    frame = table.frame({"a": number, "b": value} for number, value in enumerate(values))
    found = {breach.limit: {key for (key,) in breach.keys} for breach in check(table, frame, allowed_values)}
    expected = {
        "required": {n for n, v in enumerate(values) if v is None},
        "minimum": {n for n, v in enumerate(values) if v is not None and v < -5},
        "maximum": {n for n, v in enumerate(values) if v is not None and v > 5},
    }
    assert found == {limit: keys for limit, keys in expected.items() if keys}
