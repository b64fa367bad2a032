"""What all of OpenAlex would cost follows from kept figures, and contenders must have read the same rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import results, scale, scale_plan, scale_tables
from benchmarks.openalex_works import Part
from benchmarks.processes import measure_command, read_sessions
from benchmarks.scale_plan import PLANS, Measured, build_page, estimate, read_measured
from warehouse.lake import Lake

NAMES = ["clean.work_records", "mart.work_counts_by_month"]


def test_page_follows_from_the_kept_figures() -> None:
    if not (results.FOLDER / "benchmarks" / "scale_tables.json").exists():
        pytest.skip("no results are kept")
    page = (results.FOLDER / "scaling_costs.md").read_text(encoding="utf-8")
    assert page == build_page(*read_measured(results.FOLDER))


def test_hours_and_money_by_hand() -> None:
    generated = scale_plan.COMPRESSED_BYTES / scale_plan.WORKS / 2  # works of OpenAlex are twice as large
    measured = Measured(
        generated,
        500,
        duckdb_seconds=72,
        spark_seconds=144,
        one_worker_seconds=120,
        driver_seconds=36,
        duckdb_table_seconds=144,
        spark_table_seconds=288,
        table_works=1000,
    )
    plans = {plan.name: estimate(plan, measured, price=0.1) for plan in PLANS}
    single, hundred = plans["one small machine, DuckDB, file after file"], plans["100 workers"]
    assert single.reading_hours == pytest.approx(10)  # 250 * 2 * 72 / 3600
    assert single.driver_hours == pytest.approx(5)
    assert single.table_hours == pytest.approx(10)  # 250 * 144 / 3600
    assert single.dollars == pytest.approx(4 * 25 * 0.1)
    assert hundred.reading_hours == pytest.approx(0.2)
    assert hundred.driver_hours == pytest.approx(5)
    assert hundred.table_hours == pytest.approx(0.2)
    assert hundred.dollars == pytest.approx(100 * 5.4 * 0.1)


def test_tools_on_one_machine_read_the_same_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(scale.compare_reading(tmp_path, 400, None))
    assert {row.size for row in rows} == {400}
    assert {scale.DUCKDB, "plain DuckDB", "Polars", "pandas"} <= {row.contender for row in rows}
    assert ("dlt" in {row.contender for row in rows}) != ("dlt" in capsys.readouterr().out)
    for row in rows[1:]:
        figures = (row.cpu_seconds, row.wall_seconds, row.peak_megabytes, row.seconds_per_million)
        assert all(figure is not None and figure > 0 for figure in figures)


def test_tables_of_few_and_many_works_are_measured(released_lake: Lake, tmp_path: Path) -> None:
    lakes = [released_lake.root, scale_tables.add_works(released_lake.root, tmp_path, 40)]
    rows = list(scale_tables.compare_engines(lakes, tmp_path, None, NAMES))
    assert [(row.measure, row.contender, row.size) for row in rows] == [
        (scale_tables.TABLES, scale.DUCKDB, 0),
        (scale_tables.TABLES, scale.DUCKDB, 40),
        (scale_tables.FURTHER, scale.DUCKDB, 40),
    ]
    small, large, further = (row.cpu_seconds for row in rows)
    assert small is not None
    assert large is not None
    assert further == large - small
    made, other = Lake(tmp_path / "large-0"), released_lake
    scale_tables.require_same_tables(made, made)
    with pytest.raises(SystemExit, match=r"other tables: .*clean\.work_records"):
        scale_tables.require_same_tables(made, other, NAMES)


def test_other_rows_end_the_comparison() -> None:
    parts = [Part("one", usable=["W1", "W2"])]
    good = {"works": 2, "rows_hash": "a"}
    scale.require_same_rows({"one": good, "other": dict(good)}, parts)
    for bad in ({"works": 2, "rows_hash": "b"}, {"works": 1, "rows_hash": "a"}):
        with pytest.raises(SystemExit, match="not the same 2 works"):
            scale.require_same_rows({"one": good, "other": bad}, parts)
    with pytest.raises(SystemExit, match="not the same 2 works"):
        scale.require_same_rows({"one": {"works": 3, "rows_hash": "a"}}, parts)


def test_processes_that_a_command_starts_are_measured_too() -> None:
    work = "sum(number * number for number in range(1_500_000))"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}]); print('{{}}')"
    _, alone = measure_command([sys.executable, "-c", "print('{}')"])
    result, both = measure_command([sys.executable, "-c", script])
    assert result == {}
    assert both.cpu_seconds > alone.cpu_seconds
    assert read_sessions([2**22 + 1]).cpu_seconds == 0  # no such session


def test_bars_are_those_of_the_contenders_that_read(tmp_path: Path) -> None:
    rows = [
        results.Row("generated works", "8 files", 10, disk_megabytes=1.0),
        results.Row(scale.READ, "a tool", 10, 1.0, seconds_per_million=100_000.0),
        results.Row(scale.COLLECT, "aisle on the driver", 10, 1.0, seconds_per_million=7.0),
    ]
    results.write_results(
        tmp_path,
        "scale",
        ["10"],
        rows,
        {"on": "2025-06-03", "cpu": "x", "cores": 2, "memory_gigabytes": 8.0, "python": "3.11.2", "duckdb": "1.4.0"},
    )
    results.render_page(tmp_path)
    svg = (tmp_path / "scale.svg").read_text()
    assert "a tool" in svg
    assert "aisle on the driver" not in svg
    page = (tmp_path / "benchmarks.md").read_text()
    assert "(scale.svg)" in page
    assert "| read works | a tool | 10 | 1.0 s | 100,000.0 s |  |" in page
    assert json.loads((tmp_path / "benchmarks" / "scale.json").read_text())["command"].endswith("scale 10")
