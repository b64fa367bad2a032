"""The same on Spark itself: a cluster of two workers in processes of their own, and what happens when parts of it fail.

Run by `make test-spark`, which names the environment of Spark in ``AISLE_SPARK``.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration.defs.catalog import load_transforms
from orchestration.ingest.bulk_workers import UnreadPart
from tests.conftest import run_aisle
from tests.spark.test_bucket import compare_lakes
from tests.spark.test_bulk_workers import read_all
from tests.spark.test_cluster_core import find_all_differences, write_all
from tests.support.spark_cluster import ENVIRONMENT, SparkCluster, needs_cluster, start_cluster
from transforms.engine import NoEngine
from transforms.spark.engine import SparkEngine
from warehouse.lake import Lake

pytestmark = needs_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """A cluster of two workers."""
    with start_cluster(ENVIRONMENT, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: SparkCluster) -> Iterator[SparkEngine]:
    """A session with the cluster."""
    engine = SparkEngine(cluster.remote)
    yield engine
    engine.close()


def test_every_table_is_the_same(cluster: SparkCluster, engine: SparkEngine, full_lake: Lake, tmp_path: Path) -> None:
    assert engine.describe_limits() == []
    transforms = list(load_transforms().values())
    files = write_all(cluster, full_lake, tmp_path, transforms)
    assert find_all_differences(full_lake, transforms, files) == {}


def test_part_that_kills_its_worker_stops_no_other(
    engine: SparkEngine,
    bulk_lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from orchestration.ingest import bulk_workers
    from orchestration.ingest.snapshots import list_snapshots

    poisoned = list_snapshots(bulk_lake)[1].snapshot_id
    read_batches = bulk_workers.read_batches

    def die_at_one(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if any(poisoned in text for text in batch["snapshot"].to_pylist()):
                os.kill(os.getpid(), signal.SIGKILL)
            yield from read_batches(iter([batch]))

    monkeypatch.setattr(bulk_workers, "read_batches", die_at_one)
    with pytest.raises(UnreadPart, match="1 bulk files cannot be read"):
        read_all(engine.session, bulk_lake)
    monkeypatch.undo()
    read_all(engine.session, bulk_lake)  # goes on where the other ended


def test_table_stays_as_it_was_when_the_server_ends(
    full_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transforms.spark import patience

    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 1.0)
    made, transform = (
        Lake(shutil.copytree(full_lake.root, tmp_path / "made")),
        load_transforms()["mart.alike_publications"],
    )
    before = made.read_state(transform.table.name)
    with start_cluster(ENVIRONMENT, tmp_path / "cluster", workers=1) as short_lived:
        engine = SparkEngine(short_lived.remote)
        os.killpg(short_lived.server.pid, signal.SIGKILL)
        with pytest.raises(patience.LostServer, match=f"the Spark server at {short_lived.remote} was lost"):
            engine.make_table(transform, made)
        engine.close()
        with pytest.raises(NoEngine, match="no Spark Connect server answers"):
            SparkEngine("sc://127.0.0.1:1")
    assert made.read_state(transform.table.name) == before


def test_run_publishes_the_release_of_a_laptop(released_lake: Lake, tmp_path: Path) -> None:
    # interpreted plans: those that are compiled are compared above, and take more than twice the processor time
    with start_cluster(ENVIRONMENT, tmp_path / "cluster", is_quick=True) as quick:
        done = run_aisle(tmp_path / "lake", "run", "--engine", "spark", "--remote", quick.remote)
    assert done.returncode == 0, done.stdout + done.stderr
    assert compare_lakes(released_lake, Lake(tmp_path / "lake")) == {}
