"""Dagster's event log with pooled connections: the same events as with Dagster's own storage, and few open files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.event_storage import PooledEventLogStorage
from orchestration.defs.retention import find_old_runs, prune_runs
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


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def letters() -> None: ...


@dg.asset
def broken() -> None:
    raise dg.Failure("always")


def make(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition, partition: str | None = None) -> str:
    return dg.materialize([*assets], instance=instance, raise_on_error=False, partition_key=partition).run_id


def list_runs(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_old_runs_are_deleted_except_those_that_hold_the_newest_of_something(instance: dg.DagsterInstance) -> None:
    partitions = [make(instance, letters, partition=name) for name in ("a", "b")]
    old = [make(instance, numbers) for _ in range(2)] + [make(instance, broken)]
    queued = instance.create_run_for_job(dg.define_asset_job("job").resolve(asset_graph=GRAPH)).run_id
    newest = [make(instance, numbers) for _ in range(2)]
    folder = Path(os.environ["DAGSTER_HOME"])
    assert prune_runs(instance, 50) == []
    assert set(prune_runs(instance, 2)) == set(old)
    assert list_runs(instance) == {*partitions, queued, *newest}
    assert {path.stem for path in (folder / "history" / "runs").glob("*-*.db")} <= {*partitions, queued, *newest}
    assert {path.name for path in (folder / "storage").iterdir()} == {*partitions, *newest}
    assert "ASSET_CHECK_EVALUATION" in list_events(instance, newest[0])
    record = instance.get_latest_materialization_event(dg.AssetKey("numbers"))
    assert record is not None
    assert record.run_id == newest[1]
    assert instance.get_materialized_partitions(dg.AssetKey("letters")) == {"a", "b"}
    key = dg.AssetCheckKey(dg.AssetKey("numbers"), "is_small")
    checks = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    assert {check.run_id for check in checks} == {*newest, queued}
    assert prune_runs(instance, 1) == [newest[0]]
    assert make(instance, numbers) in list_runs(instance)


def test_disk_of_deleted_events_is_given_back(instance: dg.DagsterInstance) -> None:
    for _ in range(4):
        make(instance, numbers)
    index = Path(os.environ["DAGSTER_HOME"]) / "history" / "runs" / "index.db"
    storage = instance.event_log_storage
    assert isinstance(storage, PooledEventLogStorage)
    with storage.index_connection() as connection:  # as much as many runs of tables write
        connection.exec_driver_sql("update event_logs set event = event || printf('%.20000c', ' ')")
    with storage.index_connection() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    before = index.stat().st_size
    assert prune_runs(instance, 1)
    with storage.index_connection() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    assert index.stat().st_size < before / 2


def test_another_storage_is_left_alone(instance: dg.DagsterInstance) -> None:
    run_ids = {make(instance, numbers) for _ in range(2)}
    (Path(os.environ["DAGSTER_HOME"]) / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.get() as default:
        assert prune_runs(default, 1) == []
        assert list_runs(default) == run_ids


def test_old_runs_are_found_before_they_are_deleted(instance: dg.DagsterInstance) -> None:
    run_ids = [dg.materialize([numbers], instance=instance).run_id for _ in range(3)]
    assert find_old_runs(instance, 1) == [run_ids[1], run_ids[0]]
    assert prune_runs(instance, 1) == [run_ids[1], run_ids[0]]
    assert find_old_runs(instance, 1) == []


def read_record(instance: dg.DagsterInstance, name: str = "numbers") -> dg.EventLogRecord | None:
    (record,) = instance.get_asset_records([dg.AssetKey(name)])
    return record.asset_entry.last_materialization_record


def test_kept_records_are_those_that_are_stored(instance: dg.DagsterInstance) -> None:
    metadata = {
        "rows": 3,
        "share": 0.5,
        "path": dg.MetadataValue.path("/a/b"),
        "table": dg.MetadataValue.table([dg.TableRecord({"a": "é"})]),
    }
    tags = {"dagster/data_version": "1"}
    instance.report_runless_asset_event(dg.AssetMaterialization("numbers", metadata=metadata, tags=tags))
    dg.materialize([numbers], instance=instance)
    instance.report_runless_asset_event(dg.AssetMaterialization("others", metadata=metadata, tags=tags))
    with dg.DagsterInstance.from_ref(instance.get_ref()) as second:
        for name in ("numbers", "others"):
            assert read_record(instance, name) == read_record(second, name) is not None
        # what another process stores is read, and what it wipes is gone
        second.report_runless_asset_event(dg.AssetMaterialization("numbers", metadata={"rows": 4}))
        record = read_record(instance)
        assert record is not None
        assert record.asset_materialization is not None
        assert record.asset_materialization.metadata["rows"].value == 4
        assert read_record(instance) == record
        second.wipe_assets([dg.AssetKey("numbers")])
        assert instance.get_latest_materialization_event(dg.AssetKey("numbers")) is None
        assert instance.get_asset_records([dg.AssetKey("numbers")]) == second.get_asset_records(
            [dg.AssetKey("numbers")]
        )
        second.report_runless_asset_event(dg.AssetMaterialization("numbers", metadata={"rows": 5}))
        assert read_record(instance) == read_record(second) != record


def test_records_are_parsed_once(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    dg.materialize([numbers], instance=instance)
    with dg.DagsterInstance.from_ref(instance.get_ref()) as second:
        first_read = read_record(second)
        parsed = list[str]()
        monkeypatch.setattr(
            "dagster._core.storage.event_log.sql_event_log.deserialize_value", lambda text, _: parsed.append(text)
        )
        assert read_record(second) == first_read == read_record(instance) is not None
    assert parsed == []
