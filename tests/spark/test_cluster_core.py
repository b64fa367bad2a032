"""What must hold on Spark itself, within minutes: every table of the bundled default, though a worker is killed.

Run by `make test-spark-core`, and with the rest by `make test-spark`, which name the environment of Spark in
``AISLE_SPARK``. Plans are interpreted here, and compiled in `test_cluster.py`, as on clusters.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestration.defs.catalog import list_tables, load_transforms
from tests.conftest import copy_lake
from tests.ingest.test_raw import assert_same_tables
from tests.spark.test_bulk_workers import read_all
from tests.spark.test_equality import list_files
from tests.spark.test_limits import require_same_checks, require_same_verdicts
from tests.support.raw_tables import update_and_read
from tests.support.spark import find_differences
from tests.support.spark_cluster import ENVIRONMENT, SparkCluster, needs_cluster, start_cluster
from tests.support.trials import scale_trials
from transforms.engine import LocalEngine
from transforms.reader import Transform
from transforms.spark.engine import SparkEngine, write_rows
from warehouse.lake import Lake
from warehouse.sql import LAST_RELEASE

pytestmark = needs_cluster
_THREADS = 3  # that ask for tables at once: Spark plans one while the workers make another


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """A cluster of two workers."""
    with start_cluster(ENVIRONMENT, tmp_path_factory.mktemp("cluster"), is_quick=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def engine(cluster: SparkCluster) -> Iterator[SparkEngine]:
    """A session with the cluster."""
    engine = SparkEngine(cluster.remote)
    yield engine
    engine.close()


def write_all(
    cluster: SparkCluster,
    lake: Lake,
    folder: Path,
    transforms: list[Transform],
    note: Callable[[], object] = lambda: None,
) -> dict[str, list[Path]]:
    """The files of the tables that transforms make from the tables of a lake, several at once.

    Args:
        cluster: The cluster.
        lake: The lake.
        folder: Where the files go.
        transforms: The transforms.
        note: Called after each table.
    """
    engines = threading.local()
    opened = list[SparkEngine]()

    def write(transform: Transform) -> list[Path]:
        if not hasattr(engines, "own"):
            engines.own = SparkEngine(cluster.remote)
            opened.append(engines.own)
        path = folder / transform.table.name
        path.mkdir(parents=True)
        files = write_rows(transform, lake, engines.own.session, path)
        note()
        return files

    try:
        with ThreadPoolExecutor(_THREADS) as executor:
            made = list(executor.map(write, transforms))
    finally:
        for one in opened:
            one.close()
    return {transform.table.name: files for transform, files in zip(transforms, made, strict=True)}


def find_all_differences(lake: Lake, transforms: list[Transform], files: dict[str, list[Path]]) -> dict[str, list[str]]:
    """How the rows of tables in files differ from those in a lake; only of the tables where they do."""
    tables = [transform.table for transform in transforms]
    found = {table.name: find_differences(table, list_files(lake, table.name), files[table.name]) for table in tables}
    return {name: differences for name, differences in found.items() if differences}


def test_every_table_of_the_default_is_the_same_though_a_worker_is_killed(
    cluster: SparkCluster, released_lake: Lake, tmp_path: Path
) -> None:
    lake, transforms = copy_lake(released_lake, tmp_path / "lake"), list(load_transforms().values())
    for transform in transforms:
        if f"{LAST_RELEASE}." in transform.query or transform.is_incremental:  # the last release was another one then
            LocalEngine().make_table(transform, lake)
    made, is_killed = list[int](), threading.Event()

    def kill_in_the_middle() -> None:
        made.append(1)
        if len(made) >= len(transforms) // 3 and not is_killed.is_set():
            is_killed.set()
            cluster.kill_worker()

    files = write_all(cluster, lake, tmp_path / "spark", transforms, kill_in_the_middle)
    assert is_killed.is_set()
    assert find_all_differences(lake, transforms, files) == {}
    assert len(files) > 80


def test_bulk_files_are_read_by_a_cluster_that_loses_a_worker(
    cluster: SparkCluster, engine: SparkEngine, bulk_lake: Lake, tmp_path: Path
) -> None:
    shutil.copytree(bulk_lake.root, tmp_path / "other")
    expected = update_and_read(Lake(tmp_path / "other"))

    def kill_when_begun() -> None:
        while not any(path.is_file() for path in (bulk_lake.root / "parsed").rglob("*")):
            time.sleep(0.05)
        cluster.kill_worker()

    killer = threading.Thread(target=kill_when_begun, daemon=True)
    killer.start()
    read_all(engine.session, bulk_lake)
    killer.join()
    assert_same_tables(update_and_read(bulk_lake), expected)


def test_limits_have_the_same_verdict(engine: SparkEngine, released_lake: Lake, tmp_path: Path) -> None:
    require_same_verdicts(engine.session, tmp_path, scale_trials(3, 40))
    tables = [table for table in list_tables() if (state := released_lake.read_state(table.name)) and state.rows > 1]
    largest = sorted(tables, key=lambda table: -sum(file.rows for file in released_lake.require_table(table.name)[1]))
    require_same_checks(engine.session, released_lake, largest[:3])
