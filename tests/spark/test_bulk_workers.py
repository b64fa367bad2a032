"""Bulk files read on workers: the same tables as on one machine, and a file that fails stops no other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from orchestration.ingest.bulk_stage import has_account
from orchestration.ingest.bulk_workers import UnreadPart, read_on_workers
from orchestration.ingest.raw import compute_snapshot_version
from orchestration.ingest.snapshots import Snapshot, list_snapshots
from orchestration.sources.registry import get_source
from tests.ingest.test_bulk_files import count_reads
from tests.ingest.test_raw import assert_same_tables
from tests.support.raw_tables import update_and_read
from transforms.spark.session import run_on_workers
from warehouse import delta
from warehouse.lake import Lake

SOURCE = get_source("openalex_works")


def read_all(session: Any, lake: Lake) -> tuple[list[Snapshot], dict[str, str]]:
    snapshots = list_snapshots(lake)
    versions = {one.snapshot_id: compute_snapshot_version(SOURCE, one) for one in snapshots}
    read_on_workers(session, lake, SOURCE, snapshots, versions, lambda _: None)
    return snapshots, versions


def test_tables_are_the_same(session: Any, bulk_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(bulk_lake.root, tmp_path / "other")
    other = Lake(tmp_path / "other")
    expected = update_and_read(other)
    snapshots, versions = read_all(session, bulk_lake)
    assert all(has_account(bulk_lake, SOURCE, one, versions) for one in snapshots)
    read_on_the_driver = count_reads(monkeypatch)
    measured, hash_bytes = list[Path](), delta.hash_bytes
    monkeypatch.setattr(delta, "hash_bytes", lambda path: measured.append(path) or hash_bytes(path))
    assert_same_tables(update_and_read(bulk_lake), expected)
    assert read_on_the_driver == []
    assert [path for path in measured if "parsed" in path.parts] == []  # they are added as they were measured there


def test_each_task_has_one_file(session: Any) -> None:
    rows = [(str(number),) for number in range(7)]
    found = run_on_workers(session, rows, ["number"], count_rows, "rows bigint")
    assert [row["rows"] for row in found] == [1] * 7


def count_rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield pa.RecordBatch.from_pydict({"rows": [sum(batch.num_rows for batch in batches)]})


def test_part_that_a_worker_did_not_write_whole_is_read_again(session: Any, bulk_lake: Lake) -> None:
    snapshots, versions = read_all(session, bulk_lake)
    path = next(path for path in (bulk_lake.root / "parsed").rglob("*.parquet") if path.stat().st_size > 5000)
    path.write_bytes(path.read_bytes()[:-100])
    whole = [has_account(bulk_lake, SOURCE, one, versions) for one in snapshots]
    assert sorted(whole) == [False, True, True]
    read_all(session, bulk_lake)
    assert all(has_account(bulk_lake, SOURCE, one, versions) for one in snapshots)


def test_file_that_fails_is_named_and_stops_no_other(session: Any, bulk_lake: Lake) -> None:
    damaged, *others = list_snapshots(bulk_lake)
    assert damaged.path is not None
    Path(damaged.path).write_bytes(b"{}\n{}\n")
    with pytest.raises(UnreadPart, match=rf"1 bulk files.*{damaged.original_name}: DamagedSnapshot"):
        read_all(session, bulk_lake)
    versions = {one.snapshot_id: compute_snapshot_version(SOURCE, one) for one in others}
    assert all(has_account(bulk_lake, SOURCE, one, versions) for one in others)
