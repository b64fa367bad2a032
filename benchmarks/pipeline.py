"""Times the main commands on the bundled data: median CPU and wall seconds of several runs of the command line.

Run with ``make bench``. Timings vary between runs: compare only lines of the same run.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import Row, keep_results

TURNS = 3


def measure_command(script: str, lake: Path | str, *arguments: str) -> tuple[float, float]:
    """CPU seconds (including child processes) and wall seconds of one command.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "AISLE_LAKE": str(lake)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - started


def main() -> None:
    """Time each command and print a line for it."""
    aisle = "from orchestration.cli.app import main; main()"
    timings: dict[str, list[tuple[float, float]]] = {}
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            lake = Path(folder) / "lake"
            for name, script, arguments in (
                ("python alone", "pass", ()),
                ("import great_expectations", "import great_expectations", ()),
                ("import orchestration.definitions", "import orchestration.definitions", ()),
                ("aisle run, empty lake", aisle, ("run",)),
                ("aisle run, nothing new", aisle, ("run",)),
                ("aisle run --force, nothing new", aisle, ("run", "--force")),
                ("aisle status", aisle, ("status",)),
                ("aisle sql", aisle, ("sql", "from mart.publications_by_lab_year")),
            ):
                timings.setdefault(name, []).append(measure_command(script, lake, *arguments))
    print(f"{'':34}{'CPU s':>8}{'wall s':>8}   (medians of {TURNS})")
    rows = []
    for name, turns in timings.items():
        cpu, wall = (statistics.median(values) for values in zip(*turns, strict=True))
        print(f"{name:34}{cpu:8.2f}{wall:8.2f}")
        rows.append(Row(name, cpu_seconds=cpu, wall_seconds=wall))
    keep_results("pipeline", sys.argv[1:], rows)


if __name__ == "__main__":
    main()
