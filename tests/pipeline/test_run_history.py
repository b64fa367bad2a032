"""Dagster's old runs go away with their events, logs and files, except those whose events it still reads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.event_storage import PooledEventLogStorage
from orchestration.defs.run_history import delete_runs, find_old_runs, shrink_databases
from orchestration.run import configure_dagster
from warehouse.lake import Lake


@dg.asset(check_specs=[dg.AssetCheckSpec("is_small", asset="often")])
def often() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="is_small", passed=True)])


@dg.asset
def once() -> None:
    """An asset that only the first run makes."""


JOBS = dg.Definitions([often, once], jobs=[dg.define_asset_job("both"), dg.define_asset_job("some", selection=[often])])


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("AISLE_LAKE", "")
    configure_dagster(Lake(tmp_path / "a lake"))
    return dg.DagsterInstance.get()


def run_job(instance: dg.DagsterInstance, name: str) -> str:
    return JOBS.resolve_job_def(name).execute_in_process(instance=instance).run_id


def count_free_pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("pragma freelist_count").fetchone()[0]


def list_files(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    return [path for path in Path(instance.root_directory).rglob(f"*{run_id}*") if path.exists()]


def test_old_runs_go_and_what_dagster_still_reads_stays(instance: dg.DagsterInstance) -> None:
    both = [run_job(instance, "both") for _ in range(2)]
    some = [run_job(instance, "some") for _ in range(5)]
    unfinished = instance.create_run_for_job(JOBS.resolve_job_def("some")).run_id
    old = find_old_runs(instance, 1)
    # the newest run of each job stays, of which one has not begun, and so does the run that made `often` last
    assert set(old) == {both[0], *some[:4]}
    assert unfinished not in old
    delete_runs(instance, old)
    for run_id in old:
        assert instance.get_run_by_id(run_id) is None
        assert list_files(instance, run_id) == []
    for asset in ("often", "once"):
        assert instance.get_latest_materialization_event(dg.AssetKey(asset)) is not None
    key = dg.AssetCheckKey(dg.AssetKey("often"), "is_small")
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
    assert {record.run_id for record in records}.isdisjoint(old)
    assert records
    assert find_old_runs(instance, 1) == []


def test_files_of_deleted_runs_are_gone_and_databases_shrink(instance: dg.DagsterInstance) -> None:
    runs = [run_job(instance, "some") for _ in range(8)]
    index = Path(instance.root_directory) / "history" / "runs" / "index.db"
    delete_runs(instance, find_old_runs(instance, 2))
    assert [bool(list_files(instance, run_id)) for run_id in runs] == [False] * 6 + [True] * 2
    assert count_free_pages(index)
    shrink_databases(instance)
    assert count_free_pages(index) == 0
    assert run_job(instance, "both") not in find_old_runs(instance, 3)


def test_instance_with_an_event_log_of_its_own_is_left_alone(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        run_job(instance, "some")
    (Path(instance.root_directory) / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.get() as own:
        assert not isinstance(own.event_log_storage, PooledEventLogStorage)
        assert find_old_runs(own, 1) == []
