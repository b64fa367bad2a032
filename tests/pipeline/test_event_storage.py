"""Dagster's event log with pooled connections: the same events as with Dagster's own storage, and few open files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.event_storage import PooledEventLogStorage
from orchestration.run import configure_dagster
from warehouse.lake import Lake


@dg.asset(check_specs=[dg.AssetCheckSpec("is_small", asset="numbers")])
def numbers() -> dg.MaterializeResult:
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="is_small", passed=True)])


GRAPH = dg.Definitions([numbers]).resolve_asset_graph()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("AISLE_LAKE", "")
    configure_dagster(Lake(tmp_path / "a lake"))
    return dg.DagsterInstance.get()


def list_events(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    return [entry.get_dagster_event().event_type_value for entry in instance.all_logs(run_id) if entry.is_dagster_event]


def test_events_are_read_by_dagsters_own_storage(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, PooledEventLogStorage)
    run_id = dg.materialize([numbers], instance=instance).run_id
    assert "ASSET_CHECK_EVALUATION" in list_events(instance, run_id)
    with dg.DagsterInstance.from_ref(instance.get_ref()) as second:  # another connection sees them at once
        assert list_events(second, run_id) == list_events(instance, run_id)
    home = Path(os.environ["DAGSTER_HOME"])
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.get() as default:
        assert not isinstance(default.event_log_storage, PooledEventLogStorage)
        assert list_events(default, run_id) == list_events(instance, run_id)
        assert default.get_latest_materialization_event(dg.AssetKey("numbers")) is not None


def test_threads_lose_no_event_and_few_files_stay_open(instance: dg.DagsterInstance) -> None:
    run_ids = [
        instance.create_run_for_job(dg.define_asset_job("job").resolve(asset_graph=GRAPH)).run_id for _ in range(12)
    ]

    def report(index: int) -> None:
        instance.report_engine_event(f"event {index}", job_name="job", run_id=run_ids[index % len(run_ids)])
        instance.report_runless_asset_event(dg.AssetMaterialization("numbers", metadata={"index": index}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(report, range(60)))
    messages = [entry.get_dagster_event().message for run_id in run_ids for entry in instance.all_logs(run_id)]
    assert {f"event {index}" for index in range(60)} <= set(messages)
    found = instance.fetch_materializations(dg.AssetKey("numbers"), limit=100).records
    assert len(found) == 60
    folder = Path(os.environ["DAGSTER_HOME"]) / "history" / "runs"
    descriptors = Path("/proc/self/fd")
    if descriptors.exists():
        opened = {str(one.readlink()) for one in descriptors.iterdir() if one.is_symlink()}
        assert 1 <= len([path for path in opened if path.startswith(str(folder)) and path.endswith(".db")]) <= 8
    instance.wipe()
    assert instance.get_runs_count() == 0
    assert dg.materialize([numbers], instance=instance).success
