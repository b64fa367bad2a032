"""Checks across tables return some of the violating rows, and count all of them."""

from __future__ import annotations

import duckdb
import pytest

from expectations.cross_table import MAX_VIOLATIONS, CrossTableCheck

BATCH = 2048  # rows that DuckDB returns at once


@pytest.mark.parametrize("count", [0, 1, MAX_VIOLATIONS, MAX_VIOLATIONS + 1, 5 * BATCH + 7, 300_000])
def test_violations_are_counted_but_not_all_kept(count: int) -> None:
    query = "select number, 'row ' || number as name from raw.numbers where number > 0 order by number"
    check = CrossTableCheck("numbers_are_negative", "raw.numbers", "All are.", query, is_critical=True)
    with duckdb.connect() as connection:
        connection.execute("create schema raw")
        connection.execute(f"create view raw.numbers as select range as number from range(-5, {count + 1})")
        violations = check.query_violations(connection)
    assert violations.count == count
    assert violations.rows["number"].to_list() == list(range(1, min(count, MAX_VIOLATIONS) + 1))
    assert violations.rows.columns == ["number", "name"]


def test_a_query_that_fails_names_its_check() -> None:
    check = CrossTableCheck(
        "numbers_are_whole", "raw.numbers", "All are.", "select 1 from raw.numbers", is_critical=True
    )
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match=r"check numbers_are_whole: .*raw"):
        check.query_violations(connection)
    late = CrossTableCheck("late", "raw.numbers", "x", "select error('no') from range(9)", is_critical=True)
    with duckdb.connect() as connection, pytest.raises(duckdb.Error, match="check late: "):
        late.query_violations(connection)
