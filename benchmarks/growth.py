"""What a run costs as the lake grows: CPU seconds and peak memory of the command line, each command in a process.

Run with ``python -m benchmarks.growth [WORKS ...]`` (default: 100000 1000000). For each number of works, it writes
parts of OpenAlex's snapshot, adds them to a lake with the bundled default, and runs. In the largest lake it then adds
one feed entry, changes one part, and runs again with nothing new. Plain DuckDB reads the same files for comparison.
Counts are compared before a figure is printed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bulk import run_contender
from benchmarks.openalex_works import write_parts
from warehouse.lake import PROJECT, Lake
from warehouse.release import read_current_release

_AISLE = "from orchestration.cli.app import main; main()"
_FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>A made-up blog</title><link>https://example.org/</link>
<item><title>Entry {number}</title><link>https://example.org/{number}</link><guid>{number}</guid>
<pubDate>Tue, 03 Jun 2025 09:00:00 GMT</pubDate><description>Text {number}</description></item></channel></rss>
"""


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


def measure(script: str, *arguments: str, **environment: str) -> Cost:
    """Run Python code in a process of its own.

    Raises:
        SystemExit: It failed; the message has its output.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            cwd=PROJECT,
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
    return measure(_AISLE, *arguments, AISLE_LAKE=str(lake))


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


def measure_small_changes(folder: Path, lake: Path, works: int) -> None:
    """The cost of one feed entry, of nothing new, and of one changed part, in a large lake."""
    feed = folder / "feed.xml"
    for number in (1, 2):  # the second entry finds tables that the first one has made
        feed.write_text(_FEED.format(number=number), encoding="utf-8")
        cost = run_aisle(lake, "add", str(feed)) + run_aisle(lake, "run")
        print(f"{'one feed entry more':38} {cost}", flush=True)
    print(f"{'nothing new':38} {run_aisle(lake, 'run')}", flush=True)
    first = sorted((folder / f"parts-{works}").glob("part_*"))[0]
    replacement = folder / "replacement"
    write_parts(replacement, 20_000, seed=99)
    shutil.copy(next(replacement.glob("part_*")), first)
    cost = run_aisle(lake, "add", str(first), "--in-place") + run_aisle(lake, "run")
    print(f"{'one changed part':38} {cost}", flush=True)


def main() -> None:
    """Measure and print."""
    sizes = [int(argument) for argument in sys.argv[1:]] or [100_000, 1_000_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = folder / "empty"
        print(f"{'bundled default, empty lake':38} {run_aisle(empty, 'run')}", flush=True)
        costs, plain = {}, {}
        for works in sizes:
            # without malformed lines, at which plain DuckDB would stop
            write_parts(folder / f"parts-{works}", works, dirty_share=0.0, processes=2)
            plain[works] = read_plainly(folder / f"parts-{works}")
            print(f"{works:>10,} works, plain DuckDB        {plain[works]}", flush=True)
            for is_gated in (True, False):
                costs[works, is_gated], lake = measure_growth(folder, works, is_gated=is_gated)
                if works != max(sizes) or not is_gated:
                    shutil.rmtree(lake)
        if len(sizes) > 1:
            _print_slopes(min(sizes), max(sizes), costs, plain)
        measure_small_changes(folder, folder / f"lake-{max(sizes)}-gated", max(sizes))


def _print_slopes(small: int, large: int, costs: dict[tuple[int, bool], Cost], plain: dict[int, Cost]) -> None:
    further = large - small
    base = (plain[large].cpu_seconds - plain[small].cpu_seconds) / further
    for is_gated in (True, False):
        slope = (costs[large, is_gated].cpu_seconds - costs[small, is_gated].cpu_seconds) / further
        fixed = costs[small, is_gated].cpu_seconds - slope * small
        print(
            f"{'with the gate' if is_gated else 'all kept':14} {slope * 1e6:6.1f} µs of CPU per further work,"
            f" {slope / base:.2f} times plain DuckDB ({base * 1e6:.1f} µs); fixed {fixed:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
