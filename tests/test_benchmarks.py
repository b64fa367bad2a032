"""The page of benchmarks is made from the results that are kept, and benchmarks hand over what they print."""

import json
import re
import shutil
from pathlib import Path

import pytest

from benchmarks import dimensions, growth, results
from benchmarks.growth import GATED, OPEN, PLAIN, Cost
from benchmarks.linking import measure_scale
from benchmarks.results import Row

MACHINE = {"on": "2025-06-03", "cpu": "A made-up CPU", "cores": 2, "memory_gigabytes": 8.0, "python": "3.11.2"}


def read_marks(svg: str) -> list[str]:
    """What is drawn, without where: the places of letters depend on the fonts of a machine."""
    return sorted(re.findall(r'aria-label="([^"]*)"', svg))


def test_page_is_made_from_the_kept_results(tmp_path: Path) -> None:
    kept = results.FOLDER / "benchmarks"
    if not kept.is_dir():
        pytest.skip("no results are kept")
    shutil.copytree(kept, tmp_path / "benchmarks")
    results.render_page(tmp_path)
    names = ["benchmarks.md", *(["benchmarks.svg"] if (results.FOLDER / "benchmarks.svg").exists() else [])]
    assert sorted(path.name for path in tmp_path.glob("benchmarks.*")) == names
    assert (tmp_path / names[0]).read_text() == (results.FOLDER / names[0]).read_text()
    for name in names[1:]:
        assert read_marks((tmp_path / name).read_text()) == read_marks((results.FOLDER / name).read_text())


def test_every_figure_of_a_result_is_on_the_page_and_in_the_plot(tmp_path: Path) -> None:
    rows = [
        Cost(10.04, 6.0, 700.0).to_row(growth.ALL_WORKS, PLAIN, size=100_000),
        Cost(100.0, 60.0, 800.0).to_row(growth.ALL_WORKS, PLAIN, size=1_000_000),
        Cost(25.1, 20.0, 650.0).to_row(growth.ALL_WORKS, GATED, size=100_000, base=Cost(10.04, 6.0, 700.0)),
        Row("each further work", GATED, cpu_seconds=0.0000875, ratio=1.25),
        Row("nothing new", cpu_seconds=0.7, wall_seconds=0.75),
    ]
    machine = {**MACHINE, "duckdb": "1.4.0"}
    results.write_results(tmp_path, "growth", ["100000", "1000000"], rows, machine)
    results.render_page(tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert "`python -m benchmarks.growth 100000 1000000`, 2025-06-03: A made-up CPU, 2 cores, 8.0 GB" in page
    assert f"| all works | {GATED} | 100,000 | 25.1 s | 20.0 s | 650 MB | 2.50 |" in page
    assert f"| each further work | {GATED} |  | 87.5 µs |  |  | 1.25 |" in page
    assert "| nothing new | aisle |  | 700 ms | 750 ms |  |  |" in page
    # one size alone is no line
    marks = " ".join(read_marks((tmp_path / "benchmarks.svg").read_text()))
    assert f"works: 1M; CPU seconds: 100; who: {PLAIN}" in marks
    assert GATED not in marks


def test_slopes_are_of_the_further_works_alone(capsys: pytest.CaptureFixture[str]) -> None:
    costs = {}
    for works in (100, 1100):
        costs[works, PLAIN] = Cost(1 + works * 0.001, 1, 1)
        costs[works, GATED] = Cost(20 + works * 0.0015, 1, 1)
        costs[works, OPEN] = Cost(20 + works * 0.002, 1, 1)
    rows = {(row.measure, row.contender): row for row in growth.compare_slopes(100, 1100, costs)}
    assert rows["each further work", GATED].ratio == pytest.approx(1.5)
    assert rows["each further work", OPEN].ratio == pytest.approx(2.0)
    assert rows["fixed", OPEN].cpu_seconds == pytest.approx(20)
    assert "1.50 times plain DuckDB" in capsys.readouterr().out


def test_results_are_kept_only_if_they_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.delenv("AISLE_KEEP_RESULTS", raising=False)
    results.keep_results("bulk", ["2000", "1"], [Row("read", "aisle", 2000, 1.5)])
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("AISLE_KEEP_RESULTS", "yes")
    results.keep_results("bulk", ["2000", "1"], [Row("read", "aisle", 2000, 1.5)])
    kept = json.loads((tmp_path / "benchmarks" / "bulk.json").read_text())
    assert kept["rows"] == [{"measure": "read", "contender": "aisle", "size": 2000, "cpu_seconds": 1.5}]
    assert kept["machine"].keys() == {"on", "cpu", "cores", "memory_gigabytes", "python", "duckdb"}
    assert "python -m benchmarks.bulk 2000 1" in (tmp_path / "benchmarks.md").read_text()


def test_linking_is_measured_on_records_as_runs_link_them(capsys: pytest.CaptureFixture[str]) -> None:
    measure_scale(400, new_records=20)
    printed = capsys.readouterr().out
    assert "400 made-up works" in printed
    assert "20 new records of these, with the links of a full run" in printed


def test_a_first_run_with_a_list_of_labs_and_categories_is_measured(tmp_path: Path) -> None:
    cost = dimensions.measure_list(tmp_path, publications=60, members=8)
    assert cost.cpu_seconds > 0
    with pytest.raises(SystemExit, match="60, 9, 9"):
        dimensions.require_counts(tmp_path / "lake", 60, members=9)


def test_cost_of_a_further_publication_is_compared_between_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    costs = {5: Cost(10, 1, 1), 10: Cost(15, 1, 1), 20: Cost(35, 1, 1)}
    rows = list(dimensions.compare_sizes(costs))
    assert [(row.cpu_seconds, row.ratio) for row in rows] == [(1.0, 1.0), (2.0, 2.0)]
    assert "until 20" in capsys.readouterr().out
    assert list(dimensions.compare_sizes({5: Cost(10, 1, 1)})) == []
