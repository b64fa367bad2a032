"""Query time in the SQL sandbox against a plain connection, as medians of many runs.

Run with ``make bench``. The queries run on a release that is built from the bundled default.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.results import Row, keep_results
from warehouse.lake import Lake
from warehouse.release import Release, read_current_release
from warehouse.sql_box.client import run_query

RUNS = 21
QUERIES = ("select 1", "from mart.publications_by_lab_year", "summarize clean.publications")


def measure_milliseconds(work: Callable[[], object]) -> float:
    """Median wall time of a call; the first run, which warms the disk's cache, does not count."""
    milliseconds = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        work()
        milliseconds.append((time.perf_counter() - started) * 1000)
    return statistics.median(milliseconds[1:])


def query_directly(release: Release, query: str) -> object:
    """Run a query on a plain connection in this process."""
    with release.connect() as connection:
        return connection.sql(query).to_arrow_table()


def main() -> None:
    """Print one line per query."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        subprocess.run(
            [sys.executable, "-c", "from orchestration.cli.app import main; main()", "run"],
            env={**os.environ, "AISLE_LAKE": str(lake.root)},
            capture_output=True,
            check=True,
        )
        release = read_current_release(lake)
        print(f"{'':38}{'plain ms':>10}{'sandbox ms':>10}   (medians of {RUNS})")
        rows = []
        for query in QUERIES:
            times = [
                measure_milliseconds(lambda query=query, run=run: run(release, query))
                for run in (query_directly, run_query)
            ]
            print(f"{query:38}{times[0]:10.0f}{times[1]:10.0f}")
            for name, milliseconds in zip(("plain", "in the sandbox"), times, strict=True):
                ratio = milliseconds / times[0]
                rows.append(Row(f"`{query}`", name, wall_seconds=milliseconds / 1000, ratio=ratio))
        keep_results("sql_box", sys.argv[1:], rows)


if __name__ == "__main__":
    main()
