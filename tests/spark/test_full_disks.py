"""No room on the disk of one worker, or of the lake: the same table or a clear failure, and the next run goes on."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.defs.catalog import load_transforms
from tests.support.spark_cluster import ENVIRONMENT, needs_cluster, start_cluster
from transforms.reader import Transform
from transforms.spark.engine import SparkEngine
from warehouse.lake import Lake, TableState

NAMES = [
    "mart.publication_evidence",
    "mart.coverage_by_source_month",
    "mart.discussed_links",
]  # which no other one reads
_MEGABYTES = 64


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; skips the test where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_MEGABYTES}m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here: only root can")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk with a file, to the last byte."""
    path = disk / "filler"
    file = path.open("wb", buffering=0)
    with file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert shutil.disk_usage(disk).free == 0
    return path


def empty_tables(lake: Lake, transforms: list[Transform]) -> dict[str, TableState]:
    """Replace tables by ones without rows, so that a half table would be seen; returns what they were."""
    before = {}
    for transform in transforms:
        state = lake.read_state(transform.table.name)
        assert state is not None
        before[transform.table.name] = state
        lake.write(transform.table, transform.table.frame([]))
    return before


def make_with_little_room(engine: SparkEngine, lake: Lake, transforms: list[Transform]) -> dict[str, str]:
    """What became of each table: an empty text, or the error, which must leave the table as it was."""
    from pyspark.errors import PySparkException

    outcomes = {}
    for transform in transforms:
        name, before = transform.table.name, lake.read_state(transform.table.name)
        outcomes[name] = ""
        try:
            engine.make_table(transform, lake)
        except (PySparkException, duckdb.Error, OSError) as error:  # Spark's part, or that of the driver
            outcomes[name] = str(error)
            assert lake.read_state(name) == before
    return outcomes


def require_same_tables(
    engine: SparkEngine, lake: Lake, transforms: list[Transform], wanted: dict[str, TableState]
) -> None:
    for transform in transforms:
        state, _ = engine.make_table(transform, lake)
        assert state.content_sha256 == wanted[transform.table.name].content_sha256
        assert state.rows > 0
    assert list((lake.root / "spark").glob("*")) == []


@needs_cluster
def test_full_disk_of_one_worker_leaves_no_half_table(disk: Path, full_lake: Lake, tmp_path: Path) -> None:
    shutil.copytree(full_lake.root, tmp_path / "lake")
    lake, transforms = Lake(tmp_path / "lake"), [load_transforms()[name] for name in NAMES]
    with start_cluster(ENVIRONMENT, tmp_path / "cluster", is_quick=True, local_folders=[disk]) as cluster:
        engine = SparkEngine(cluster.remote)
        wanted = empty_tables(lake, transforms)
        filler = fill(disk)
        outcomes = make_with_little_room(engine, lake, transforms)
        logs = [path.read_text(errors="replace") for path in (tmp_path / "cluster").glob("work-0/*/*/stderr")]
        assert any("No space left on device" in text for text in logs), outcomes
        assert all(not error or "No space left on device" in error for error in outcomes.values()), outcomes
        filler.unlink()
        require_same_tables(engine, lake, transforms, wanted)
        engine.close()


def test_full_disk_of_the_lake_ends_the_table_and_leaves_it_as_it_was(disk: Path, full_lake: Lake, remote: str) -> None:
    shutil.copytree(full_lake.root, disk / "lake")
    lake, transforms = Lake(disk / "lake"), [load_transforms()[name] for name in NAMES]
    engine, wanted = SparkEngine(remote), empty_tables(lake, transforms)
    filler = fill(disk)
    outcomes = make_with_little_room(engine, lake, transforms)
    assert all("No space left on device" in error for error in outcomes.values()), outcomes
    filler.unlink()
    require_same_tables(engine, lake, transforms, wanted)
    engine.close()
