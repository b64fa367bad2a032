"""Limits: DuckDB and Great Expectations decide the same on every row, and a large table costs no more memory."""

from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expectations.judge import judge_rows
from expectations.judged import Kind
from expectations.limit_sql import list_conditions
from expectations.limits import Allowed, Breach, CheckedTable, LimitDisagreement, _RelationCheck, check_relation
from expectations.observed import describe_expectations
from expectations.patterns import create_matcher
from expectations.relation import LocalRelation
from tests.support.trials import scale_trials
from warehouse.lake import PROJECT
from warehouse.sql import configure_connection
from warehouse.table import DeclarationError, Table, parse_table

NAN, INFINITY = math.nan, math.inf
FIRST_MOMENT = dt.datetime.min.replace(tzinfo=dt.UTC)
LAST_MOMENT = dt.datetime.max.replace(tzinfo=dt.UTC)
NOON = dt.datetime(2020, 2, 29, 12, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))
SHAPES = ["plain", "café", "", "naïve x"]

# values on both sides of every limit, and those that engines see differently
VALUES: dict[str, list[Any]] = {
    "text": [
        "",
        "plain",
        "café",
        "naïve x",
        "a1",
        "a١",
        "a\n",
        "a\x0b",
        "a\x1c",
        "a\x85",
        "a\xa0b",
        "K",
        "\x00",
        "a\x00",
        "aab",
    ],
    "integer": [0, 1, -1, 7, -(2**63), 2**63 - 1, 2**53 + 1],
    "real": [0.0, -0.0, NAN, INFINITY, -INFINITY, 0.5, 1.0, 1e-300],
    "boolean": [True, False],
    "date": [dt.date.min, dt.date.max, dt.date(1969, 12, 31), dt.date(2020, 2, 29)],
    "timestamp": [FIRST_MOMENT, LAST_MOMENT, NOON.astimezone(dt.UTC), dt.datetime(2020, 2, 29, 6, 30, 0, 1, dt.UTC)],
}
PATTERNS = [
    r"a\S+$",
    r"a\S$",
    r"\w+$",
    r"\w*\Z",
    r"a\d$",
    r"a\d?$",
    "[^a]",
    r"a(?=a)",
    "a{,2}b",
    "(?i)k",
    "na[ï]ve",
    r"(a)\1",
    "(?:plain|a.)$",
    "a.$",
]
SETTINGS: dict[str, dict[str, list[Any]]] = {
    "text": {"matches": PATTERNS, "one_of": [SHAPES, "reference.shapes", ["\x00"], "reference.nothing"]},
    "integer": {"minimum": [0, -(2**63), 0.0], "maximum": [7, 2**63 - 1]},
    "real": {"minimum": [0, 0.5], "maximum": [1.0, INFINITY]},
    "boolean": {},
    "date": {"minimum": [dt.date.min, dt.date(1970, 1, 1)], "maximum": [dt.date.max, dt.date(2020, 2, 28)]},
    "timestamp": {"minimum": [NOON], "maximum": [NOON, LAST_MOMENT]},
}  # fmt: skip


def list_allowed(reference: str) -> list[str]:
    return SHAPES if reference == "reference.shapes" else []


def declare(key: list[str], **columns: dict[str, Any]) -> Table:
    texts = {name: {"meaning": "m", **column} for name, column in columns.items()}
    return parse_table("raw.products", {"row": "r", "key": key, "columns": texts})


@st.composite
def build_cases(draw: Callable[..., Any]) -> tuple[Table, pl.DataFrame]:
    """A table of some columns with limits and a key of one or two of them, and rows with good and bad values."""
    columns = {}
    for number in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(sorted(VALUES)))
        column: dict[str, Any] = {"type": kind, "required": draw(st.booleans())}
        for limit, choices in SETTINGS[kind].items():
            if draw(st.booleans()):
                column[limit] = draw(st.sampled_from(choices))
        columns[f"column {number}"] = column
    key = draw(st.lists(st.sampled_from(sorted(columns)), min_size=1, max_size=2, unique=True))
    table = declare(key, **columns)
    row = st.fixed_dictionaries(
        {name: st.none() | st.sampled_from(VALUES[column["type"]]) for name, column in columns.items()}
    )
    return table, table.frame(draw(st.lists(row, min_size=1, max_size=20)))


def check_frame(table: Table, frame: pl.DataFrame, **options: Any) -> CheckedTable:
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.register("products", frame)
        return check_relation(table, connection, "products", list_allowed, **{"judged_kinds": None, **options})


def describe_breach(breach: Breach) -> tuple[str, ...]:
    return tuple(map(str, (breach.column, breach.limit, breach.rows, breach.keys, breach.examples, breach.message)))


@pytest.mark.trials("tables checked by both engines", scale_trials(20, 400))
@settings(max_examples=scale_trials(20, 400))
@given(build_cases())
def test_a_large_table_and_a_small_one_have_the_same_verdict_rows_and_keys(case: tuple[Table, pl.DataFrame]) -> None:
    """Great Expectations sees every row of the small one, and `check_relation` fails where it disagrees on a row."""
    table, frame = case
    whole = check_frame(table, frame)
    by_parts = check_frame(table, frame, judged_rows=frame.height // 2)
    assert [describe_breach(breach) for breach in by_parts.breaches] == [
        describe_breach(breach) for breach in whole.breaches
    ]
    assert by_parts.rows == whole.rows == frame.height
    exact = {name for name in whole.observed if name[1] != "matches"}
    assert {name: str(by_parts.observed[name]) for name in exact} == {name: str(whole.observed[name]) for name in exact}


@pytest.mark.parametrize(
    ("kind", "values", "repeated"),
    [
        ("integer", [1, 1, None, None, 2], 2),
        ("real", [0.0, -0.0, NAN, NAN, None, None], 4),
        ("text", ["", "", None, None, "é", "e\u0301"], 2),
        ("date", [dt.date.max, dt.date.max, dt.date.min], 2),
    ],
)
def test_a_key_of_one_column_is_unique_among_the_values_that_are_there(
    kind: str, values: list[Any], repeated: int
) -> None:
    table = declare(["a"], a={"type": kind})
    frame = table.frame({"a": value} for value in values)
    for judged_rows in (100, 2):
        (breach,) = check_frame(table, frame, judged_rows=judged_rows).breaches
        assert (breach.limit, breach.rows, len(breach.keys)) == ("unique", repeated, repeated)


def test_missing_values_break_no_limit_but_required() -> None:
    for kind, limits in SETTINGS.items():
        for limit, choices in limits.items():
            for choice in choices:
                table = declare(["k"], k={"type": "integer"}, a={"type": kind, limit: choice})
                frame = table.frame({"k": number, "a": None} for number in range(3))
                assert check_frame(table, frame).breaches == (), (kind, limit, choice)


def test_missing_values_are_one_value_in_a_key_of_several_columns() -> None:
    table = declare(["a", "b"], a={"type": "text"}, b={"type": "real"})
    rows = [("x", None), ("x", None), (None, None), (None, None), ("x", 0.0), ("x", -0.0), ("y", None), (None, NAN)]
    frame = table.frame({"a": a, "b": b} for a, b in rows)
    (breach,) = check_frame(table, frame).breaches
    assert breach.keys == (("x", 0.0), ("x", 0.0), ("x", None), ("x", None), (None, None), (None, None))


def test_where_both_engines_differ_the_limit_is_named() -> None:
    """Great Expectations turns limits into floats, in which 2**53 + 1 does not exist."""
    table = declare(["k"], k={"type": "integer"}, a={"type": "integer", "maximum": 2**53 + 1})
    frame = table.frame({"k": number, "a": 2**53 + 1} for number in range(9))
    for judged_rows in (100, 3):
        with pytest.raises(LimitDisagreement, match=r"raw\.products\.a: limit maximum 9007199254740993: .* at k \d"):
            check_frame(table, frame, judged_rows=judged_rows)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"type": "text", "minimum": "b"}, "raw.products.a: minimum is for columns of type integer or real"),
        ({"type": "integer", "matches": "1"}, "raw.products.a: matches is for columns of type text, not integer"),
        ({"type": "text", "matches": "(a"}, r"raw.products.a: matches: '\(a' is no regular expression"),
        ({"type": "timestamp", "minimum": NOON.replace(tzinfo=None)}, "raw.products.a: minimum: .* no time zone"),
    ],
)
def test_a_limit_that_cannot_be_checked_is_named(column: dict[str, Any], message: str) -> None:
    table = declare(["a"], a=column)
    value = VALUES[column["type"]][1]
    with pytest.raises(DeclarationError, match=message):
        check_frame(table, table.frame([{"a": value}]))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 1::bigint as a", "b is missing"),
        ("select 1::bigint as a, 'x' as b, 2 as c", "c is not declared"),
        ("select 'x' as b, 1::bigint as a", "their order is b, a"),
        ("select 1 as a, 'x' as b", "a is integer, not bigint"),
        ("select 1::bigint as a, timestamp '2020-01-01' as b where false", "b is timestamp, not varchar"),
    ],
)
def test_other_columns_or_types_are_a_critical_breach(query: str, message: str) -> None:
    table = declare(["a"], a={"type": "integer", "required": True}, b={"type": "text"})
    with duckdb.connect() as connection:
        connection.execute(f"create view products as {query}")
        checked = check_relation(table, connection, "products", list_allowed, judged_kinds=None)
    (breach,) = checked.breaches
    assert (breach.limit, breach.is_critical) == ("columns", True)
    assert message in breach.message
    rows = describe_expectations(table, checked, is_critical=True)
    assert [(row["limit"], row["result"]) for row in rows] == [
        ("columns", "failed"),
        ("unique", "not checked"),
        ("required", "not checked"),
    ]


def test_dates_beyond_those_of_python_are_found() -> None:
    kinds = {"seen_on": {"type": "date", "maximum": dt.date(2100, 1, 1)}, "seen_at": {"type": "timestamp"}}
    table = declare(["seen_on", "seen_at"], **kinds)
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.execute(
            "create view products as select * from (values (date 'infinity', timestamptz '-infinity'),"
            " (date '12000-01-01', timestamptz '20000-01-01 00:00:00+00'), (date '0044-03-15 (BC)', now()))"
            " as made (seen_on, seen_at)"
        )
        (breach,) = check_relation(table, connection, "products", list_allowed, judged_kinds=None).breaches
    assert (breach.limit, breach.rows, breach.examples) == ("maximum", 2, (dt.date.max, dt.date.max))


def test_many_failing_rows_are_counted_but_not_all_returned() -> None:
    table = declare(["a"], a={"type": "integer", "maximum": 0}, b={"type": "text", "matches": r"\S+$"})
    with duckdb.connect() as connection:
        connection.execute("create view products as select range as a, 'x y' as b from range(-9, 50000)")
        some = check_relation(
            table, connection, "products", list_allowed, judged_kinds=None, max_keys=3, judged_rows=100
        )
        every = check_relation(
            table, connection, "products", list_allowed, judged_kinds=None, max_keys=None, judged_rows=100
        )
    assert [(breach.rows, breach.keys[-1], len(breach.keys)) for breach in some.breaches] == [
        (49_999, (3,), 3),
        (50_009, (-7,), 3),
    ]
    assert [len(breach.keys) for breach in every.breaches] == [49_999, 50_009]
    assert max(len(breach.message) for breach in every.breaches) < 200


def test_what_is_observed_in_a_large_table_is_described() -> None:
    columns: dict[str, dict[str, Any]] = {
        "a": {"type": "integer", "required": True, "maximum": 99_999},
        "b": {"type": "text", "matches": r"\S+$", "one_of": ["x", "y"]},
        "c": {"type": "real", "minimum": 0, "maximum": 1},
    }
    table = declare(["a"], **columns)
    with duckdb.connect() as connection:
        connection.execute(
            "create view products as select range as a, case range % 3 when 0 then 'x' when 1 then 'y' end as b,"
            " case when range = 5 then null else 0.5::double end as c from range(20000)"
        )
        checked = check_relation(table, connection, "products", list_allowed, judged_kinds=None, judged_rows=50)
    assert checked.breaches == ()
    rows = describe_expectations(table, checked, is_critical=True)
    assert {(row["column"], row["limit"]): row["observed"] for row in rows} == {
        ("*", "columns"): "3 columns",
        ("a", "unique"): "20,000 keys in 20,000 rows",
        ("a", "required"): "0 missing",
        ("a", "maximum"): "largest 19999",
        ("b", "one_of"): "2 different values",
        ("b", "matches"): "about 2 different values",
        ("c", "minimum"): "smallest 0.5",
        ("c", "maximum"): "largest 0.5",
    }


def test_a_connection_is_left_as_it_was() -> None:
    table = declare(["a"], a={"type": "text", "matches": r"\w+$"})
    with duckdb.connect() as connection:
        connection.execute("create table products as select 'é' || range as a from range(30)")
        counts = "select (select count(*) from duckdb_functions()), (select count(*) from duckdb_views())"
        before = connection.execute(counts).fetchall()
        check_relation(table, connection, "products", list_allowed, judged_kinds=None, judged_rows=10)
        assert connection.execute(counts).fetchall() == before


def test_observations_of_no_rows_are_those_that_are_measured() -> None:
    columns = {name: {"type": name, "required": True} for name in VALUES}
    columns |= {
        f"{name} 2": {"type": name, **{limit: choices[0] for limit, choices in SETTINGS[name].items()}}
        for name in SETTINGS
    }
    table = declare(["text", "date"], **columns)
    with duckdb.connect() as connection:
        configure_connection(connection)
        connection.register("products", table.frame([]))
        rows = LocalRelation(connection, "products")
        check = _RelationCheck(table, connection, rows, list_allowed, 10, None)
        with create_matcher(connection) as matcher:
            conditions = list_conditions(table, list_allowed, matcher.build_match)
            assert check._measure_without_rows(conditions) == check._measure(rows, conditions)
        checked = check.check(None)
    assert (checked.rows, checked.breaches, checked.is_exact) == (0, (), True)
    assert checked.observed["text, date", "unique"] == 0


def test_limits_of_one_kind_that_hold_are_judged_on_a_hundred_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    judged, kinds = list[set[tuple[str, str]]](), Counter[Kind]()

    def note_limits(table: Table, frame: pl.DataFrame, allowed: Allowed, names: set[tuple[str, str]]) -> Any:
        judged.append({*names})
        return judge_rows(table, frame, allowed, names)

    monkeypatch.setattr("expectations.limits.judge_rows", note_limits)
    texts = {"type": "text", "required": True, "one_of": SHAPES}
    first = declare(["a"], a={"type": "integer", "required": True}, b=texts)
    second = declare(["a"], a={"type": "integer", "minimum": 0}, c=texts)
    for rows in (70, 70, 70):
        check_frame(first, first.frame({"a": n, "b": "plain"} for n in range(rows)), judged_kinds=kinds)
    assert judged == [{("a", "unique"), ("a", "required"), ("b", "required"), ("b", "one_of")}] * 2
    # of another table only what is new, and what is broken
    frame = second.frame({"a": n, "c": "plain" if n else "other"} for n in range(10))
    for size in (1000, 3):  # a small table, and a large one
        judged.clear()
        checked = check_frame(second, frame, judged_kinds=kinds, judged_rows=size)
        assert judged == [{("a", "minimum"), ("c", "one_of")}]
        assert [(breach.column, breach.limit, breach.rows) for breach in checked.breaches] == [("c", "one_of", 1)]
    assert kinds["required", "text"] == 140


def test_great_expectations_is_loaded_only_for_rows() -> None:
    program = (
        "import sys, polars as pl; from expectations.limits import check_table;"
        " from warehouse.table import parse_table;"
        " columns = {'a': {'type': 'text', 'meaning': 'm', 'required': True}};"
        " table = parse_table('raw.products', {'row': 'r', 'key': ['a'], 'columns': columns});"
        " assert check_table(table, table.frame(), list) == [];"
        " assert 'great_expectations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)


def test_rows_are_judged_in_a_process_without_a_main_file() -> None:
    """The client of Spark, if it is installed, would be loaded by Great Expectations, and ends such a process."""
    code = "import sys; from expectations.judge import _load_library; _load_library(); print('pyspark' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "False\n"), ended.stderr
