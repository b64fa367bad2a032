"""What a run costs as the lake grows: CPU seconds and peak memory of the command line, each command in a process.

Run with ``python -m benchmarks.growth [WORKS ...]`` (default: 100000 1000000). For each number of works, it writes
parts of OpenAlex's snapshot, adds them to a lake with the bundled default, and runs. Plain DuckDB reads the same files
for comparison. Counts are compared before a figure is printed. `benchmarks.small_changes` measures runs after that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bulk import run_contender
from benchmarks.openalex_works import write_parts
from benchmarks.results import Row, keep_results
from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release

ALL_WORKS = "all works"
GATED, OPEN, PLAIN = "aisle, with the gate", "aisle, all kept", "plain DuckDB, reading only"
AISLE = "from orchestration.cli.app import main; main()"


@dataclass(frozen=True)
class Cost:
    """What a command cost: seconds of CPU and of wall time, and the peak memory of its largest process in MB."""

    cpu_seconds: float
    wall_seconds: float
    peak_megabytes: float

    def __add__(self, other: Cost) -> Cost:
        """The cost of both, one after the other."""
        return Cost(
            self.cpu_seconds + other.cpu_seconds,
            self.wall_seconds + other.wall_seconds,
            max(self.peak_megabytes, other.peak_megabytes),
        )

    def __str__(self) -> str:
        return f"{self.cpu_seconds:8.1f} s CPU {self.wall_seconds:8.1f} s wall {self.peak_megabytes:7.0f} MB"

    def to_row(
        self, measure: str, contender: str = "aisle", *, size: int | None = None, base: Cost | None = None
    ) -> Row:
        """The row of the results page, with its ratio to what another command cost."""
        ratio = None if base is None else self.cpu_seconds / base.cpu_seconds
        return Row(measure, contender, size, self.cpu_seconds, self.wall_seconds, self.peak_megabytes, ratio)


def measure(script: str, *arguments: str, project: Path = PROJECT, **environment: str) -> Cost:
    """Run Python code in a process of its own.

    Args:
        script: The code.
        arguments: Arguments of the command line.
        project: The folder from which modules are imported.
        environment: Variables of its environment.

    Raises:
        SystemExit: It failed; the message has its output.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            cwd=project,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(arguments)}:\n{output.read().decode(errors='replace')}")
    wall = time.monotonic() - started
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def run_aisle(lake: Path, *arguments: str) -> Cost:
    """Run the command line on a lake."""
    return measure(AISLE, *arguments, AISLE_LAKE=str(lake))


def count_works(lake: Path) -> tuple[int, int]:
    """Works read and kept in the newest release."""
    query = """
        select cast(sum(records_read) as bigint), cast(sum(records_kept) as bigint)
        from raw.parses where source = 'openalex_works'
    """
    with read_current_release(Lake(lake)).connect() as connection:
        ((read, kept),) = connection.execute(query).fetchall()
    return int(read or 0), int(kept or 0)


def read_plainly(parts: Path) -> Cost:
    """The cost of plain DuckDB reading and normalising the same files, see `benchmarks.bulk_contenders`."""
    started = time.monotonic()
    result = run_contender("plain DuckDB", parts)
    return Cost(result["cpu_seconds"], time.monotonic() - started, result["peak_bytes"] / 1e6)


def measure_growth(folder: Path, works: int, *, is_gated: bool) -> tuple[Cost, Path]:
    """The cost of adding and running a number of works in a lake that has the bundled default; and the lake."""
    parts, lake = folder / f"parts-{works}", folder / f"lake-{works}-{'gated' if is_gated else 'open'}"
    run_aisle(lake, "run")
    flags = ("--in-place",) if is_gated else ("--in-place", "--ungated")
    files = sorted(str(path) for path in parts.glob("part_*"))
    added = run_aisle(lake, "add", *files, *flags)
    cost = added + run_aisle(lake, "run")
    read, kept = count_works(lake)
    if read < works:
        raise SystemExit(f"{read:,} of {works:,} works were read")
    print(f"{works:>10,} works, {'gate' if is_gated else 'open'}, {kept:>9,} kept   {cost}", flush=True)
    return cost, lake


def _show(name: str, cost: Cost, works: int | None = None) -> Row:
    print(f"{name:38} {cost}", flush=True)
    return cost.to_row(name, size=works)


def main() -> None:
    """Measure, print, and hand over the results."""
    sizes = [int(argument) for argument in sys.argv[1:]] or [100_000, 1_000_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [_show("bundled default, empty lake", run_aisle(folder / "empty", "run"))]
        costs: dict[tuple[int, str], Cost] = {}
        for works in sizes:
            # without malformed lines, at which plain DuckDB would stop
            write_parts(folder / f"parts-{works}", works, dirty_share=0.0, processes=2)
            plain = costs[works, PLAIN] = read_plainly(folder / f"parts-{works}")
            print(f"{works:>10,} works, plain DuckDB        {plain}", flush=True)
            rows.append(plain.to_row(ALL_WORKS, PLAIN, size=works))
            for is_gated, contender in ((True, GATED), (False, OPEN)):
                cost, lake = measure_growth(folder, works, is_gated=is_gated)
                costs[works, contender] = cost
                rows.append(cost.to_row(ALL_WORKS, contender, size=works, base=plain))
                shutil.rmtree(lake)
        if len(sizes) > 1:
            rows += compare_slopes(min(sizes), max(sizes), costs)
    keep_results("growth", sys.argv[1:], rows)


def compare_slopes(small: int, large: int, costs: Mapping[tuple[int, str], Cost]) -> Iterator[Row]:
    """CPU seconds for each further work, from the costs of two sizes, against plain DuckDB; and what does not grow."""
    further = large - small
    base = (costs[large, PLAIN].cpu_seconds - costs[small, PLAIN].cpu_seconds) / further
    yield Row("each further work", PLAIN, cpu_seconds=base)
    for contender in (GATED, OPEN):
        slope = (costs[large, contender].cpu_seconds - costs[small, contender].cpu_seconds) / further
        fixed = costs[small, contender].cpu_seconds - slope * small
        print(
            f"{contender:26} {slope * 1e6:6.1f} µs of CPU per further work,"
            f" {slope / base:.2f} times plain DuckDB ({base * 1e6:.1f} µs); fixed {fixed:.1f} s",
            flush=True,
        )
        yield Row("each further work", contender, cpu_seconds=slope, ratio=slope / base)
        yield Row("fixed", contender, cpu_seconds=fixed)


if __name__ == "__main__":
    main()
