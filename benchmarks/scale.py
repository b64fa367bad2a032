"""Reads the same works on one machine and on a Spark cluster; `benchmarks.scale_tables` makes tables of them.

Run with ``python -m benchmarks.scale [works]``, with the environment of Spark in ``AISLE_SPARK`` (`make bench-scale`);
without it, only what needs no cluster is measured. Ours keeps every work, as other tools do. Each contender runs in a
process of its own, those on Spark each on a cluster that was started for it, and has read a few works already. Figures
are those of all processes of a contender: the driver, and the workers, executors and server of its cluster; what it
used before is in the rows of its start. All must have read the same rows before a figure is printed. ``BULK_PYTHON`` is
as in `benchmarks.bulk`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import bulk_contenders
from benchmarks.bulk import list_common_values
from benchmarks.growth import Cost
from benchmarks.openalex_works import Part, write_parts
from benchmarks.processes import measure_command, read_sessions
from benchmarks.results import Row, keep_results
from warehouse.lake import PROJECT, Lake

READ, COLLECT, START = "read works", "add them to the tables", "start a cluster, read 80 works"
DUCKDB, SPARK, PLAIN_SPARK = "aisle on DuckDB", "aisle on Spark, {workers}", "plain PySpark, 2 workers"
_LOCAL = ("plain DuckDB", "Polars", "pandas", "dlt")
WORKERS = {1: "1 worker", 2: "2 workers"}
_PARTS = 8  # of the works: some for each worker
_SOURCE = "openalex_works"


def make_lake(root: Path, parts: Path, *, is_gated: bool) -> Lake:
    """A lake with the parts, which are read in place."""
    from orchestration.ingest.bulk_files import Places, add_bulk_file
    from orchestration.sources.registry import get_source

    lake = Lake(root)
    places = Places(lake)
    for path in sorted(parts.glob("*.gz")):
        add_bulk_file(lake, path, get_source(_SOURCE), places, is_in_place=True, is_gated=is_gated)
    places.save()
    return lake


def read_on_spark(lake: Lake, remote: str) -> dict[str, Any]:
    """Read the parts of a lake on the workers of a cluster."""
    from orchestration.ingest.bulk_stage import stage_snapshot
    from orchestration.ingest.bulk_workers import read_on_workers
    from orchestration.ingest.raw import compute_snapshot_version
    from orchestration.ingest.snapshots import list_snapshots
    from orchestration.sources.registry import get_source
    from transforms.spark.session import open_session

    source, snapshots = get_source(_SOURCE), list_snapshots(lake)
    versions = {one.snapshot_id: compute_snapshot_version(source, one) for one in snapshots}
    session = open_session(remote)
    read_on_workers(session, lake, source, snapshots, versions, lambda _: None)
    session.stop()
    parts = [stage_snapshot(lake, source, one, versions[one.snapshot_id]).part for one in snapshots]
    paths = [part.records_path for part in parts if part is not None]
    works = [work for path in paths for work in list_common_values(path)]
    return {**bulk_contenders.summarise(works), "disk_bytes": sum(path.stat().st_size for path in paths)}


def add_to_tables(lake: Lake) -> dict[str, Any]:
    """Add the parts that were read to the tables of a lake, as the driver does after the workers have ended.

    Raises:
        SystemExit: Some were not read, and their files would be read here.
    """
    from orchestration.ingest.bulk_stage import has_account
    from orchestration.ingest.raw import compute_snapshot_version, update_raw_tables
    from orchestration.ingest.snapshots import list_snapshots
    from orchestration.sources.registry import get_source

    source, snapshots = get_source(_SOURCE), list_snapshots(lake)
    versions = {one.snapshot_id: compute_snapshot_version(source, one) for one in snapshots}
    if not all(has_account(lake, source, one, versions) for one in snapshots):
        raise SystemExit(f"some files of {lake.root} were not read before")
    update_raw_tables(lake, lambda _: None, [source])
    files = lake.require_table(f"raw.{_SOURCE}")[1]
    return {
        "works": sum(file.rows for file in files),
        "disk_bytes": sum(file.path.stat().st_size for file in files),
    }


_STEPS = {"read": read_on_spark, "collect": lambda lake, _: add_to_tables(lake)}


def measure_step(step: str, lake: Lake, remote: str = "", cluster: Iterable[int] = ()) -> tuple[dict[str, Any], Cost]:
    """The result and the cost of a step on a lake, in a process of its own."""
    return measure_command([sys.executable, "-m", "benchmarks.scale", f"--{step}", str(lake.root), remote], cluster)


def measure_reading(folder: Path) -> Iterator[tuple[str, dict[str, Any], Cost]]:
    """What each tool on one machine read, and its cost; those that are not installed are left out."""
    commands = {DUCKDB: [sys.executable, "-m", "benchmarks.bulk", "--read", "aisle, every work", str(folder)]}
    python = os.environ.get("BULK_PYTHON", sys.executable)
    for name in _LOCAL:
        interpreter = python if name == "dlt" else sys.executable
        commands[name] = [interpreter, bulk_contenders.__file__, name, str(folder)]
    for name, command in commands.items():
        result, cost = measure_command(command)
        if "missing" in result:
            print(f"{name:28} left out: {result['missing']} is not installed", flush=True)
            continue
        yield name, result, cost


def require_same_rows(results: dict[str, dict[str, Any]], parts: list[Part]) -> None:
    """Compare the rows that were read, and their number with what was written.

    Raises:
        SystemExit: They differ.
    """
    expected = sum(len(part.usable) for part in parts)
    found = {name: (result["works"], result["rows_hash"]) for name, result in results.items()}
    if len(set(found.values())) != 1 or {works for works, _ in found.values()} != {expected}:
        raise SystemExit(f"not the same {expected} works were read: {found}")


class Clusters:
    """Starts clusters of an environment of Spark, and notes what their start cost.

    Args:
        environment: The environment.
        folder: Where the files of clusters go.
        is_quick: Whether plans are interpreted, see `start_cluster`.
    """

    def __init__(self, environment: Path, folder: Path, *, is_quick: bool = False) -> None:
        self._environment, self._folder, self._is_quick = environment, folder, is_quick
        self.starts: list[tuple[str, Cost]] = []
        write_parts(folder / "few", _PARTS * 10, works_per_part=10, dirty_share=0.0)

    def measure(self, workers: int, step: str, lake: Lake) -> tuple[dict[str, Any], Cost]:
        """The result and the cost of a step of ours on a new cluster."""
        with self.start(workers) as (remote, sessions):
            return measure_step(step, lake, remote, sessions)

    def measure_plain(self, workers: int, parts: Path) -> tuple[dict[str, Any], Cost]:
        """The same of plain PySpark."""
        command = [str(self._environment / "bin" / "python"), bulk_contenders.__file__, "plain PySpark", str(parts)]
        with self.start(workers) as (remote, sessions):
            return measure_command(command, sessions, SPARK_REMOTE=remote)

    @contextmanager
    def start(self, workers: int) -> Generator[tuple[str, list[int]]]:
        """The address of a new cluster that has read a few works, and the sessions of its processes."""
        from tests.support.spark_cluster import start_cluster

        begun, folder = time.monotonic(), self._folder / f"cluster-{len(self.starts)}"
        with start_cluster(self._environment, folder, workers, is_quick=self._is_quick) as cluster:
            sessions = [cluster.server.pid, *(worker.pid for worker in cluster.workers)]
            lake = make_lake(folder / "lake", self._folder / "few", is_gated=False)
            _, first = measure_step("read", lake, cluster.remote, sessions)
            used = read_sessions(sessions)
            cost = Cost(used.cpu_seconds, time.monotonic() - begun, first.peak_megabytes)
            self.starts.append((WORKERS[workers], cost))
            yield cluster.remote, sessions


def build_row(measure: str, contender: str, result: dict[str, Any], cost: Cost) -> Row:
    """The row of what was measured, with what a million works cost."""
    disk = result.get("disk_bytes")
    return Row(
        measure,
        contender,
        result["works"],
        cost.cpu_seconds,
        cost.wall_seconds,
        cost.peak_megabytes,
        seconds_per_million=cost.cpu_seconds / result["works"] * 1e6,
        disk_megabytes=None if disk is None else disk / 1e6,
    )


def compare_reading(folder: Path, works: int, clusters: Clusters | None) -> Iterator[Row]:
    """The rows of reading, of adding what was read, and of the files themselves."""
    parts = write_parts(folder / "parts", works, works_per_part=max(1, works // _PARTS), dirty_share=0.0, processes=2)
    measured = {name: (result, cost) for name, result, cost in measure_reading(folder / "parts")}
    lakes = []
    if clusters is not None:
        measured[PLAIN_SPARK] = clusters.measure_plain(2, folder / "parts")
        for workers, text in WORKERS.items():
            lakes.append(make_lake(folder / f"lake-{workers}", folder / "parts", is_gated=False))
            measured[SPARK.format(workers=text)] = clusters.measure(workers, "read", lakes[-1])
    require_same_rows({name: result for name, (result, _) in measured.items()}, parts)
    size_bytes = sum(part.size_bytes for part in parts)
    count = sum(len(part.usable) for part in parts)
    yield Row("generated works", f"{len(parts)} gzipped files", count, disk_megabytes=size_bytes / 1e6)
    for name, (result, cost) in measured.items():
        yield build_row(READ, name, result, cost)
    for lake in lakes[-1:]:
        yield build_row(COLLECT, "aisle on the driver", *measure_step("collect", lake))


def find_environment() -> Path | None:
    """The environment of Spark, if one is named."""
    environment = os.environ.get("AISLE_SPARK")
    return (PROJECT / environment).absolute() if environment else None


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 2 and (step := sys.argv[1].removeprefix("--")) in _STEPS:
        print("\n" + json.dumps(_STEPS[step](Lake(Path(sys.argv[2])), sys.argv[3])))
        return
    works = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    environment = find_environment()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clusters = Clusters(environment, folder) if environment else None
        rows = [show(row) for row in compare_reading(folder, works, clusters)]
        if clusters is not None:
            rows += [show(cost.to_row(START, text)) for text, cost in clusters.starts]
    keep_results("scale", sys.argv[1:], rows)


def show(row: Row) -> Row:
    """Print a row, and return it."""
    cells = (row.cpu_seconds, row.wall_seconds, row.peak_megabytes, row.seconds_per_million, row.disk_megabytes)
    print(f"{row.measure:24} {row.contender:28}", *(f"{cell or 0:9,.1f}" for cell in cells), flush=True)
    return row


if __name__ == "__main__":
    main()
