"""How long a stranger's query waits: the closed box against a plain connection, medians of many turns.

Run with ``make bench``. It asks the newest release of a lake that it builds from the bundled default.
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

from warehouse.lake import Lake
from warehouse.release import Release, current
from warehouse.sql_box.client import ask

TURNS = 21
QUERIES = ("select 1", "from mart.publications_by_lab_year", "summarize clean.publications")


def median_milliseconds(work: Callable[[], object]) -> float:
    """Median wall time of one piece of work; the first turn, which warms the disk's cache, does not count."""
    turns = []
    for _ in range(TURNS + 1):
        started = time.perf_counter()
        work()
        turns.append((time.perf_counter() - started) * 1000)
    return statistics.median(turns[1:])


def plain(release: Release, query: str) -> object:
    """The rows of a query on a plain connection of this process."""
    with release.connect() as connection:
        return connection.sql(query).to_arrow_table()


def main() -> None:
    """Print a line for each query."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        subprocess.run(
            [sys.executable, "-c", "from orchestration.cli.app import main; main()", "run"],
            env={**os.environ, "AISLE_LAKE": str(lake.root)},
            capture_output=True,
            check=True,
        )
        release = current(lake)
        print(f"{'':38}{'plain ms':>10}{'boxed ms':>10}   (medians of {TURNS})")
        for query in QUERIES:
            times = [median_milliseconds(lambda query=query, how=how: how(release, query)) for how in (plain, ask)]
            print(f"{query:38}{times[0]:10.0f}{times[1]:10.0f}")


if __name__ == "__main__":
    main()
