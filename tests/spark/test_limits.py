"""Limits that Spark evaluates have the verdict of DuckDB, and Great Expectations judges a few rows of them."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings

from expectations.cross_table import list_checks
from expectations.judge import judge_rows
from expectations.judged import Kind
from expectations.limits import KIND_ROWS, CheckedTable, LimitDisagreement, check_relation
from orchestration.defs import checks, engines
from orchestration.defs.catalog import list_tables
from orchestration.ingest.limits import list_allowed_values
from orchestration.run import LakeRun
from tests.expectations.test_limits import build_cases, check_frame, declare, describe_breach, list_allowed
from tests.support.trials import scale_trials
from transforms.engine import LocalEngine
from transforms.spark.engine import SparkEngine
from transforms.spark.relation import SparkRelation, open_relation, query_tables
from transforms.spark.session import create_view
from warehouse.lake import Lake
from warehouse.sql import configure_connection, connect_tables
from warehouse.table import Table


class AllKinds(Counter[Kind]):
    """Every kind of limit as one that was judged: those that hold are not judged again for each table."""

    def __missing__(self, kind: Kind) -> int:
        return KIND_ROWS


def check_there(session: Any, folder: Path, table: Table, frame: pl.DataFrame, **options: Any) -> CheckedTable:
    """Check the rows of a frame on Spark."""
    path = folder / "rows.parquet"
    with duckdb.connect() as connection:
        configure_connection(connection)
        # by DuckDB, as all files of a lake: where those of Polars say how large numbers are, Sail takes NaN for the largest
        connection.register("rows_to_write", frame)
        connection.execute(f"copy rows_to_write to '{path}' (format parquet)")
        create_view(session, table.name, table.columns, [path])
        options = {"judged_kinds": None, **options}
        return check_relation(table, connection, SparkRelation(session, table.name), list_allowed, **options)


def require_same_verdicts(session: Any, folder: Path, examples: int) -> None:
    """Require the same verdicts, rows and keys for random tables."""

    @settings(max_examples=examples)
    @given(build_cases())
    def compare(case: tuple[Table, pl.DataFrame]) -> None:
        table, frame = case
        here = check_frame(table, frame)
        there = check_there(session, folder, table, frame, judged_rows=frame.height // 2)
        assert [describe_breach(breach) for breach in there.breaches] == [describe_breach(one) for one in here.breaches]
        assert there.rows == here.rows == frame.height
        exact = {name for name in here.observed if name[1] != "matches"}
        assert {name: str(there.observed[name]) for name in exact} == {name: str(here.observed[name]) for name in exact}

    compare()


def require_same_checks(session: Any, lake: Lake, tables: list[Table]) -> None:
    """Require the same results for tables of a lake, with no more than a row of each on the driver."""
    for table in tables:
        with connect_tables(lake, [table.name]) as connection:
            options = {"allowed": list_allowed_values, "judged_rows": 1, "judged_kinds": AllKinds()}
            check = partial(check_relation, table, connection, **options)
            here, there = check(table.name), check(open_relation(session, lake, table.name))
        assert (there.rows, there.breaches) == (here.rows, here.breaches), table.name
        exact = {name for name in here.observed if name[1] != "matches"}
        assert {name: there.observed[name] for name in exact} == {name: here.observed[name] for name in exact}


@pytest.mark.trials("tables checked on Spark and on DuckDB", scale_trials(12, 300))
def test_tables_have_the_same_verdict_rows_and_keys(session: Any, tmp_path: Path) -> None:
    require_same_verdicts(session, tmp_path, scale_trials(12, 300))


def test_every_declared_limit_is_evaluated_there(session: Any, full_lake: Lake) -> None:
    tables = [table for table in list_tables() if full_lake.read_state(table.name) is not None]
    assert len(tables) > 100
    require_same_checks(session, full_lake, tables)


def sort_rows(frame: pl.DataFrame) -> list[str]:
    return sorted(map(str, frame.rows()))


def test_checks_between_tables_find_the_same_rows(session: Any, full_lake: Lake) -> None:
    found = 0
    for check in list_checks():
        here = check.find_violations(full_lake)
        there = check.find_violations_there(partial(query_tables, session, full_lake, check.source_tables))
        assert (there.count, sort_rows(there.rows)) == (here.count, sort_rows(here.rows)), check.name
        found += here.count
    assert found > 0


def test_many_violations_are_counted_and_not_all_returned(session: Any, full_lake: Lake) -> None:
    check = next(one for one in list_checks() if one.name == "nothing_was_rejected")
    many = type(check)(check.name, check.table, "", "select unnest(range(5000)) as n", False)
    there = many.find_violations_there(partial(query_tables, session, full_lake, ()))
    assert (there.count, there.rows.height) == (5000, 1000)


def test_great_expectations_judges_the_rows_that_break_a_limit_and_a_sample(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, kinds = list[tuple[int, set[tuple[str, str]]]](), Counter[Kind]()

    def note_rows(table: Table, frame: pl.DataFrame, allowed: Any, names: set[tuple[str, str]]) -> Any:
        judged.append((frame.height, {*names}))
        return judge_rows(table, frame, allowed, names)

    monkeypatch.setattr("expectations.limits.judge_rows", note_rows)
    table = declare(["a"], a={"type": "integer", "required": True, "maximum": 4990}, b={"type": "text", "matches": "x"})
    frame = table.frame({"a": n, "b": "x y"} for n in range(5000))
    for rows in (200, 200):
        checked = check_there(session, tmp_path, table, frame, judged_rows=rows, judged_kinds=kinds, max_keys=3)
    assert [(breach.limit, breach.rows, breach.keys) for breach in checked.breaches] == [
        ("maximum", 9, ((4991,), (4992,), (4993,)))
    ]
    limits = {("a", "unique"), ("a", "required"), ("a", "maximum"), ("b", "matches")}
    assert [names for _, names in judged] == [limits, {("a", "maximum")}]  # what holds was judged before
    assert all(9 < rows <= 200 for rows, _ in judged)
    assert {kind[0] for kind in kinds} == {"Spark"}  # what is known of DuckDB is not known of Spark


def test_an_engine_that_counts_other_rows_is_named(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = declare(["a"], a={"type": "text", "matches": "x"})
    frame = table.frame({"a": f"x{n}"} for n in range(30))
    monkeypatch.setattr(SparkRelation, "build_match", lambda _, value, __: f"{value} = 'x'")
    with pytest.raises(LimitDisagreement, match=r"raw\.products\.a: limit matches x: it is not the same"):
        check_there(session, tmp_path, table, frame, judged_rows=10)


def test_large_tables_are_checked_on_the_workers_and_small_ones_on_the_driver(
    full_lake: Lake, remote: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, run = SparkEngine(remote), LakeRun(full_lake, "a run", "2026-01-01", is_whole=True)
    table = next(table for table in list_tables() if table.name == "raw.openalex_works")
    read, connect = list[list[str]](), checks.connect_tables

    def note_tables(lake: Lake, names: list[str]) -> Any:
        read.append(names)
        return connect(lake, names)

    monkeypatch.setattr(checks, "connect_tables", note_tables)
    monkeypatch.setattr("expectations.limits.JUDGED_ROWS", 3)
    results = []
    for one, rows in ((LocalEngine(), 0), (engine, 1_000), (engine, 0)):
        monkeypatch.setattr(engines, "DRIVER_ROWS", rows)
        results.append([(result.passed, result.description) for result in checks.check_limits(run, table, one)])
        for check in list_checks():
            result = checks.check_tables(run, check, one)
            results[-1].append((result.passed, result.description))
    assert results[0] == results[1] == results[2]
    assert read == [[table.name], [table.name], []]  # of the last only rows to be judged came to the driver
    engine.close()
