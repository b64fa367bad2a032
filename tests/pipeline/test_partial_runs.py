"""Runs of a part: one check, one source with what depends on it; a release only with checks of what it publishes."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from orchestration.cli.report import describe_status
from orchestration.definitions import load_definitions
from orchestration.defs import resources, tables
from orchestration.defs.catalog import list_tables, load_inputs, trace_table
from orchestration.defs.specs import build_column_lineage
from orchestration.ingest.raw_tables import load_shared_tables
from orchestration.ingest.snapshots import add_file
from orchestration.run import configure_dagster, find_unchanged_release, read_last_run
from tests.sources.test_lab_sheet import GOOD, build_csv
from warehouse.lake import Lake
from warehouse.release import read_current_release

TABLES = {declared.name: declared for declared in list_tables()}
COUNTS, SHEET = "mart.publications_by_lab_year", "raw.lab_sheet_publications"


def key_of(name: str) -> dg.AssetKey:
    return dg.AssetKey(name.split("."))


@pytest.fixture
def lake(released_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of the lake with the bundled default released."""
    shutil.copytree(released_lake.root, tmp_path / "lake", symlinks=True)
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path / "lake"))
    configure_dagster(Lake(tmp_path / "lake"))
    return Lake(tmp_path / "lake")


def run(selection: dg.AssetSelection, resources: Mapping[str, object] | None = None) -> dg.ExecuteInProcessResult:
    definitions = load_definitions()
    assets = [*(definitions.assets or ()), *(definitions.asset_checks or ())]
    with dg.DagsterInstance.get() as instance:
        return dg.materialize(
            assets,  # ty: ignore[invalid-argument-type]
            selection=selection,
            instance=instance,
            resources=dict(resources or definitions.resources or {}),
            raise_on_error=False,
        )


def run_check(table_name: str, check: str) -> dg.AssetCheckEvaluation:
    result = run(dg.AssetSelection.checks(dg.AssetCheckKey(key_of(table_name), check)))
    assert result.get_asset_materialization_events() == []
    (evaluation,) = result.get_asset_check_evaluations()
    assert result.success == evaluation.passed
    return evaluation


def list_made(result: dg.ExecuteInProcessResult) -> set[str]:
    return {".".join(event.asset_key.path) for event in result.get_asset_materialization_events() if event.asset_key}


def read_records(evaluation: dg.AssetCheckEvaluation, name: str = "expectations") -> list[dict[str, object]]:
    metadata = evaluation.metadata[name]
    assert isinstance(metadata, dg.TableMetadataValue)
    return [dict(record.data) for record in metadata.records]


def test_a_check_runs_alone_and_shows_every_limit_with_what_was_observed(lake: Lake) -> None:
    evaluation = run_check(COUNTS, "limits")
    assert evaluation.passed
    records = read_records(evaluation)
    declared = {
        (column.name, limit) for column in TABLES[COUNTS].columns for limit in column.limits if limit not in column.warn
    }
    assert declared
    assert {(record["column"], record["limit"]) for record in records} == {
        *declared,
        ("*", "columns"),
        (", ".join(TABLES[COUNTS].key), "unique"),
    }
    by_limit = {(record["column"], record["limit"]): record for record in records}
    assert by_limit["works", "minimum"]["observed"] == "smallest 2"
    assert by_limit["lab", "required"]["observed"] == "0 missing"
    assert {record["result"] for record in records} == {"passed"}


def test_a_failing_check_names_the_limit_what_was_found_and_the_keys(lake: Lake) -> None:
    frame = lake.read(TABLES[COUNTS])
    spoiled = frame.with_columns(works=pl.when(pl.int_range(pl.len()) == 0).then(-3).otherwise("works"))
    lake.write(TABLES[COUNTS], spoiled)
    evaluation = run_check(COUNTS, "limits")
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.ERROR
    assert "works breaks minimum 0 in 1 row" in (evaluation.description or "")
    first = read_records(evaluation)[0]
    key = "/".join(str(frame[name][0]) for name in TABLES[COUNTS].key)
    assert first == {
        "column": "works",
        "limit": "minimum",
        "expected": "at least 0",
        "observed": "smallest -3",
        "result": "failed",
        "failing_rows": 1,
        "failing_keys": key,
    }


def test_a_check_between_tables_runs_alone_and_shows_its_query(lake: Lake) -> None:
    evaluation = run_check("raw.parses", "accounts_add_up")
    assert evaluation.passed
    assert "select" in str(evaluation.metadata["query"].value)


def test_a_check_of_a_table_that_was_never_made_fails_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path))
    configure_dagster(Lake(tmp_path))
    result = run(dg.AssetSelection.checks(dg.AssetCheckKey(key_of(COUNTS), "limits")))
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert f"{COUNTS} was never made" in str(event.step_failure_data)


@pytest.fixture
def lake_with_new_sheet(lake: Lake, tmp_path: Path) -> Lake:
    path = tmp_path / "sheet.csv"
    path.write_bytes(build_csv(GOOD))
    add_file(lake, path)
    return lake


def test_tables_from_the_files_of_the_project_are_made_again_by_other_code_only(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"reference.labs", "reference.lineage"}
    selection = dg.AssetSelection.assets(*map(key_of, names))

    def list_made_again() -> set[str]:
        result = run(selection)
        assert list_made(result) == names
        made = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
        return {".".join(one.asset_key.path) for one in made if "not_made_again" not in one.metadata}

    assert list_made_again() == set()
    other = dict.fromkeys(names, dataclasses.replace(load_inputs()["reference.labs"], code_version="other"))  # ty: ignore[invalid-argument-type]
    monkeypatch.setattr(tables, "load_inputs", lambda: other)
    assert list_made_again() == names
    assert list_made_again() == set()
    (damaged,) = lake.locate_table("reference.labs").glob("*.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert list_made_again() == {"reference.labs"}


def test_one_source_is_made_alone_and_its_accounts_add_up(lake_with_new_sheet: Lake) -> None:
    lake = lake_with_new_sheet
    before = {name: lake.read_state(name) for name in TABLES}
    rows = lake.read(TABLES[SHEET]).height
    result = run(dg.AssetSelection.assets(key_of(SHEET)))
    assert result.success
    shared = {f"raw.{name}" for name in load_shared_tables()}
    assert list_made(result) == {SHEET, *shared}
    assert lake.read(TABLES[SHEET]).height > rows
    changed = {name for name in TABLES if lake.read_state(name) != before[name]}
    assert {SHEET, "raw.parses", "raw.snapshots", "raw.sightings"} <= changed <= {SHEET, *shared}
    assert run_check("raw.parses", "accounts_add_up").passed
    account = read_last_run(lake)  # still of the whole run
    assert account is not None
    assert account["release"] == 1


def test_one_source_and_what_depends_on_it_give_a_release_with_all_checks(
    lake_with_new_sheet: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_with_new_sheet
    edges = trace_table("clean.list_entries").drop("table_name").rows()
    monkeypatch.setattr(resources, "trace_table", None)  # lineage is read from the lake
    first = read_current_release(lake)
    result = run(dg.AssetSelection.assets(key_of(SHEET)).downstream())
    assert result.success
    assert "raw.openalex_works" not in list_made(result)
    (made,) = result.asset_materializations_for_node("clean__list_entries")
    assert made.metadata["dagster/column_lineage"].value == build_column_lineage(edges)
    second = read_current_release(lake)
    assert second.number == first.number + 1
    rows = [release.manifest["tables"]["clean.list_entries"]["rows"] for release in (first, second)]
    assert rows[1] > rows[0]
    names = {(check["table"], check["check"]) for check in second.manifest["checks"]}
    assert names == {(check["table"], check["check"]) for check in first.manifest["checks"]}
    account = read_last_run(lake)
    assert account is not None
    assert account["release"] == second.number


def test_a_table_that_fails_its_check_holds_back_a_release_of_the_others(lake: Lake) -> None:
    frame = lake.read(TABLES[COUNTS])
    lake.write(TABLES[COUNTS], frame.with_columns(works=-frame["works"]))
    released = read_current_release(lake).number
    result = run(dg.AssetSelection.assets(dg.AssetKey(["release"])))
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert f"{COUNTS}: works breaks minimum 0" in str(event.step_failure_data)
    assert read_current_release(lake).number == released


def read_failure(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data)


def test_tables_that_do_not_fit_together_are_not_released(lake_with_new_sheet: Lake) -> None:
    lake = lake_with_new_sheet
    assert run(dg.AssetSelection.assets(key_of(SHEET))).success
    failure = read_failure(run(dg.AssetSelection.assets(dg.AssetKey(["release"]))))
    assert f"was not made from the present {SHEET}" in failure
    assert read_current_release(lake).number == 1
    assert find_unchanged_release(lake) is None  # `aisle run` makes the rest
    assert run(dg.AssetSelection.assets(key_of(SHEET)).downstream()).success
    assert read_current_release(lake).number == 2


def test_status_keeps_the_checks_of_all_tables_after_a_run_of_a_part(lake: Lake) -> None:
    (before,) = [line for line in describe_status(lake) if line.startswith("last run")]
    assert run(dg.AssetSelection.assets(dg.AssetKey(["release"]))).success
    (after,) = [line for line in describe_status(lake) if line.startswith("last run")]
    assert after.partition("; ")[2] == before.partition("; ")[2]
    frame = lake.read(TABLES[COUNTS])
    lake.write(TABLES[COUNTS], frame.with_columns(works=-frame["works"]))
    assert not run_check(COUNTS, "limits").passed
    assert any(f"✗ {COUNTS}: limits: works breaks minimum 0" in line for line in describe_status(lake))


def test_a_table_without_its_inputs_fails_at_once_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(tmp_path))
    configure_dagster(Lake(tmp_path))
    failure = read_failure(run(dg.AssetSelection.assets(key_of("clean.publications")).without_checks()))
    assert "is not in the lake" in failure
    assert "max_retries" not in failure
