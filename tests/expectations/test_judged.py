"""The kinds of limits that are not judged again in each process: those on which both engines agree here."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations import judged
from expectations.judged import Kind, describe_judged_kinds, read_judged_kinds
from expectations.limit_sql import UNIQUE
from expectations.limits import KIND_ROWS, check_relation, get_kind
from orchestration.defs.catalog import list_tables
from warehouse.sql import configure_connection
from warehouse.table import Table, parse_table

NOON = dt.datetime(2020, 2, 29, 12, tzinfo=dt.UTC)
TEXTS = ["", "a", "a1", "café", "a\n", "\x00", "K", "a١", "a\xa0b", "ſ", "plain"]
ODD_ENDS = ["", "\n", " ", "1", "é", "x", "\x85"]
# on both sides of each limit, and what engines see differently
VALUES: dict[str, list[Any]] = {
    "text": TEXTS,
    "integer": [-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1],
    "real": [float("-inf"), -1.5, -0.0, 0.0, 0.5, 1.0, 1e-300, float("inf"), float("nan")],
    "boolean": [True, False],
    "date": [dt.date.min, dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date.max],
    "timestamp": [dt.datetime.min.replace(tzinfo=dt.UTC), NOON, NOON + dt.timedelta(microseconds=1)],
}
BOUNDS: dict[str, Any] = {"integer": 0, "real": 0.5, "date": dt.date(1970, 1, 1), "timestamp": NOON}


def list_declared_kinds() -> set[Kind]:
    return {
        get_kind(table, column, limit)
        for table in list_tables()
        for column, limit in [
            (", ".join(table.key), UNIQUE),
            *((column.name, limit) for column in table.columns for limit in column.limits),
        ]
    }


def declare(key: list[str], **columns: dict[str, Any]) -> Table:
    texts = {name: {"meaning": "m", **column} for name, column in columns.items()}
    return parse_table("raw.products", {"row": "r", "key": key, "columns": texts})


def build_unique_case(kind: Kind) -> tuple[Table, list[dict[str, Any]]]:
    """A table with a key of these types, and rows of which some have the same key."""
    _, how_many, *types = kind
    types = types if how_many == "one column" or len(types) > 1 else types * 2
    columns = {f"key_{number}": {"type": name} for number, name in enumerate(types)}
    rows = [
        {name: VALUES[column["type"]][(n >> number) % len(VALUES[column["type"]])] for number, (name, column) in enumerate(columns.items())}
        for n in range(KIND_ROWS)
    ]  # fmt: skip
    if "text" in types:
        number = types.index("text")
        rows += [{**row, f"key_{number}": f"{n} {row[f'key_{number}']}"} for n, row in enumerate(rows)]
    return declare([*columns], **columns), [*rows, dict.fromkeys(columns)]


def build_limit_case(kind: Kind, matching: list[str]) -> tuple[Table, list[dict[str, Any]]]:
    """A table with one limit of this kind, and rows of which some break it."""
    limit, name, *pattern = kind
    setting: Any = {"required": True, "one_of": TEXTS[:6], "matches": "".join(pattern)}.get(limit, BOUNDS.get(name))
    values = [*VALUES[name], None, *(text + end for text in matching for end in ODD_ENDS)]
    values += [text[1:] for text in matching]
    table = declare(["row"], row={"type": "integer"}, value={"type": name, limit: setting})
    return table, [{"row": n, "value": values[n % len(values)]} for n in range(max(KIND_ROWS, len(values)))]


def find_broken(table: Table, rows: list[dict[str, Any]]) -> Iterator[tuple[Kind, int]]:
    """The kinds that some but not all rows break, judged by both engines on each row, with the number of rows."""
    frame = table.frame(rows)
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.register("products", frame)
        checked = check_relation(table, connection, "products", lambda _: [], judged_kinds=None)
    for breach in checked.breaches:
        if breach.rows < checked.rows:
            yield get_kind(table, breach.column, breach.limit), checked.rows


@settings(max_examples=1, derandomize=True)
@given(st.data())
def test_every_declared_kind_of_limit_is_judged_with_rows_that_hold_and_that_break_it(data: st.DataObject) -> None:
    agreed = set[Kind]()
    for kind in sorted(list_declared_kinds()):
        if kind[0] == UNIQUE:
            table, rows = build_unique_case(kind)
        else:
            texts = st.lists(st.from_regex(kind[2]), min_size=12, max_size=15) if kind[0] == "matches" else st.just([])
            table, rows = build_limit_case(kind, data.draw(texts))
        found = dict(find_broken(table, rows))
        assert found.get(kind, 0) >= KIND_ROWS, f"{kind}: not judged on rows of both sorts"
        agreed.add(kind)
    described = json.dumps(describe_judged_kinds(agreed), indent=1) + "\n"
    if os.environ.get("AISLE_ACCEPT") == "yes":
        judged.PATH.write_text(described, encoding="utf-8")
    assert judged.PATH.read_text(encoding="utf-8") == described, (
        "the judged kinds have changed: AISLE_ACCEPT=yes .venv/bin/python -m pytest tests/expectations/test_judged.py"
    )


@pytest.mark.parametrize("name", ["duckdb", "code"])
def test_no_kind_is_judged_with_another_library_or_other_code(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_judged_kinds()
    engines = {**judged.describe_engines(), name: "another"}
    monkeypatch.setattr(judged, "describe_engines", lambda: engines)
    assert read_judged_kinds() == []
