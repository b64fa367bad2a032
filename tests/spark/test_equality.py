"""Every table has the same rows on Spark as on DuckDB; here Spark is Sail, a server of its protocol without Java."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.defs.catalog import load_transforms
from orchestration.defs.resources import LakeResource
from orchestration.run import configure_dagster
from tests.pipeline.test_partial_runs import key_of, run
from tests.support.spark import find_differences
from transforms.spark.driver import select_driver_tables
from transforms.spark.engine import SparkEngine, write_rows
from transforms.spark.session import find_lacking
from warehouse.lake import Lake


def list_files(lake: Lake, name: str) -> list[Path]:
    return [file.path for file in lake.require_table(name)[1]]


def test_every_table_is_the_same(full_lake: Lake, session: Any, tmp_path: Path) -> None:
    on_driver, differences, rows = select_driver_tables(find_lacking(session)), {}, {}
    for name, transform in load_transforms().items():
        folder = tmp_path / name
        folder.mkdir()
        if name in on_driver:  # one that begins to work must not stay listed
            with pytest.raises(Exception, match=r"(?i)not found"):
                write_rows(transform, full_lake, session, folder)
            continue
        made, files = list_files(full_lake, name), write_rows(transform, full_lake, session, folder)
        if found := find_differences(transform.table, made, files):
            differences[name] = found
        rows[name] = sum(file.rows for file in full_lake.require_table(name)[1])
    assert differences == {}
    assert list(on_driver) in ([], ["clean.snapshot_streams"])
    assert sum(count > 0 for count in rows.values()) > 55, rows
    assert rows["clean.suggestions"] > 0


def test_run_makes_tables_there_and_records_what_they_cost(
    full_lake: Lake, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(full_lake.root, tmp_path / "lake")
    lake, names = Lake(tmp_path / "lake"), ["clean.snapshot_streams", "mart.snapshot_yields", "mart.alike_publications"]
    monkeypatch.setenv("AISLE_LAKE", str(lake.root))
    monkeypatch.setenv("DAGSTER_HOME", str(lake.dagster_home))
    configure_dagster(lake)
    before = {name: lake.read_state(name) for name in names}
    resources = {"lake_run": LakeResource(engine="spark", remote=remote)}
    result = run(dg.AssetSelection.assets(*map(key_of, names)), resources)
    assert result.success
    engines = {
        ".".join(event.asset_key.path): event.step_materialization_data.materialization.metadata["engine"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert "Spark" in engines["mart.alike_publications"]
    assert "on the driver of Spark" in engines["clean.snapshot_streams"]
    assert {name: lake.read_state(name) for name in names} == before  # the same rows are the same content
    assert not list((lake.root / "spark").glob("*"))


def test_table_that_fails_stays_as_it_was(full_lake: Lake, remote: str, tmp_path: Path) -> None:
    shutil.copytree(full_lake.root, tmp_path / "lake")
    lake, transform = Lake(tmp_path / "lake"), load_transforms()["mart.alike_publications"]
    before = lake.read_state(transform.table.name)
    engine = SparkEngine(remote)
    with pytest.raises(Exception, match="basis"):
        engine.make_table(replace(transform, query="select 1 as other", source_tables=()), lake)
    engine.close()
    assert lake.read_state(transform.table.name) == before
    assert not list((lake.root / "spark").glob("*"))


def test_files_that_are_not_to_be_seen_on_the_driver_end_the_table(
    full_lake: Lake, remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transforms.spark import engine as spark_engine

    shutil.copytree(full_lake.root, tmp_path / "lake")
    lake, transform = Lake(tmp_path / "lake"), load_transforms()["mart.discussed_links"]
    before, engine, list_written = lake.read_state(transform.table.name), SparkEngine(remote), spark_engine.list_written

    def hide_one(session: Any, folder: Path) -> list[Path]:
        glob = Path.glob
        with monkeypatch.context() as patch:
            patch.setattr(Path, "glob", lambda path, pattern: list(glob(path, pattern))[1:])
            return list_written(session, folder)

    monkeypatch.setattr(spark_engine, "_SHARING_SECONDS", 0.1)
    monkeypatch.setattr(spark_engine, "list_written", hide_one)
    with pytest.raises(spark_engine.UnseenFiles, match=r"has no .*\.parquet on this machine"):
        engine.make_table(transform, lake)
    assert lake.read_state(transform.table.name) == before
    engine.close()
