"""The comparison of `benchmarks.scale` with clusters, on few works; run by `make test-spark`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import scale

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
