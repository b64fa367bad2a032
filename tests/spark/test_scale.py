"""The comparisons of `benchmarks.scale` and `scale_tables` with clusters, on few works; run by `make test-spark`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import scale, scale_tables
from warehouse.lake import Lake

ENVIRONMENT = os.environ.get("AISLE_SPARK")
pytestmark = pytest.mark.skipif(ENVIRONMENT is None, reason="needs Spark and Java: `make test-spark`")


def test_clusters_read_the_same_works_as_one_machine(tmp_path: Path) -> None:
    assert ENVIRONMENT is not None
    clusters = scale.Clusters(Path(ENVIRONMENT), tmp_path)
    rows = {(row.measure, row.contender): row for row in scale.compare_reading(tmp_path, 400, clusters)}
    read = {contender for measure, contender in rows if measure == scale.READ}
    ours = {scale.SPARK.format(workers=text) for text in ("1 worker", "2 workers")}
    assert {scale.DUCKDB, scale.PLAIN_SPARK, *ours} <= read
    assert rows[scale.COLLECT, "aisle on the driver"].size == 400
    assert [workers for workers, _ in clusters.starts] == ["2 workers", "1 worker", "2 workers"]


def test_clusters_make_the_same_tables_as_one_machine(released_lake: Lake, tmp_path: Path) -> None:
    assert ENVIRONMENT is not None
    clusters = scale.Clusters(Path(ENVIRONMENT), tmp_path, is_quick=True)
    names = ["clean.work_records", "mart.work_counts_by_month"]
    lakes = [released_lake.root, scale_tables.add_works(released_lake.root, tmp_path, 40)]
    rows = list(scale_tables.compare_engines(lakes, tmp_path, clusters, names))
    contenders = {scale.DUCKDB, *(scale.SPARK.format(workers=text) for text in ("1 worker", "2 workers"))}
    for measure, sizes in ((scale_tables.TABLES, {0, 40}), (scale_tables.FURTHER, {40})):
        found = {(row.contender, row.size) for row in rows if row.measure == measure}
        assert found == {(name, size) for name in contenders for size in sizes}
