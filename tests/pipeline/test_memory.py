"""A table that does not fit into the memory budget with all cores is made with one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from transforms.engine import make_table
from transforms.reader import Transform, read_transforms
from warehouse.lake import Lake, TableState

SQL = """/*
row = "A number."
key = ["number"]

[columns]
number = { type = "integer", meaning = "A number.", required = true }
*/
select range as number from range(3)
"""


@pytest.fixture
def numbers(tmp_path: Path) -> Transform:
    folder = tmp_path / "transforms"
    (folder / "mart").mkdir(parents=True)
    (folder / "clean").mkdir()
    (folder / "mart" / "numbers.sql").write_text(SQL, encoding="utf-8")
    return read_transforms([], folder)["mart.numbers"]


def run_out_of_memory(monkeypatch: pytest.MonkeyPatch, *, above: int) -> list[int]:
    """Let writing a table fail if the engine has more threads than that; the list receives the threads of each try."""
    tried, write = list[int](), Lake.write_query

    def write_query(lake: Lake, table: Any, connection: duckdb.DuckDBPyConnection, query: str) -> TableState:
        ((threads,),) = connection.execute("select current_setting('threads')::int").fetchall()
        tried.append(threads)
        if threads > above:
            raise duckdb.OutOfMemoryException("could not allocate block")
        return write(lake, table, connection, query)

    monkeypatch.setattr(Lake, "write_query", write_query)
    return tried


def test_a_table_beyond_the_budget_is_made_with_one_thread(
    numbers: Transform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = run_out_of_memory(monkeypatch, above=1)
    lake = Lake(tmp_path / "lake")
    assert make_table(numbers, lake).rows == 3
    assert make_table(numbers, lake).rows == 3
    assert tried == [tried[0], 1, tried[0], 1]  # the next table has all cores again
    assert lake.read(numbers.table)["number"].to_list() == [0, 1, 2]


def test_a_table_that_fits_with_no_number_of_threads_fails_with_its_file(
    numbers: Transform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out_of_memory(monkeypatch, above=0)
    with pytest.raises(duckdb.OutOfMemoryException, match=r"numbers\.sql"):
        make_table(numbers, Lake(tmp_path / "lake"))
