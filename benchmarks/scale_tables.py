"""Makes every table of the same lakes on one machine and on a Spark cluster.

Run with ``python -m benchmarks.scale_tables [works]``, with the environment of Spark in ``AISLE_SPARK`` (`make
bench-scale`). One lake has the bundled default, the other one also works, all of which are kept; what makes up their
difference is the cost of further works, without what a table costs whatever its size. Plans are interpreted, as
`docs/scaling.md` advises for a small cluster. Tables are compared before a figure is printed. Each engine runs in a
process of its own, those on Spark each on a cluster that was started for it; figures are those of all processes
together.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.growth import Cost, run_aisle
from benchmarks.openalex_works import write_parts
from benchmarks.processes import measure_command
from benchmarks.results import Row, keep_results
from benchmarks.scale import DUCKDB, SPARK, START, WORKERS, Clusters, find_environment, make_lake, show
from warehouse.lake import Lake

if TYPE_CHECKING:
    from transforms.reader import Transform

TABLES, FURTHER = "make all tables", "all tables, of further works"
_PARTS = 4


def make_tables(lake: Lake, remote: str, names: Sequence[str]) -> dict[str, Any]:
    """Make tables of transforms, all if none is named; on DuckDB if there is no address of a server."""
    from transforms.engine import LocalEngine
    from transforms.spark.engine import SparkEngine

    engine = SparkEngine(remote) if remote else LocalEngine()
    for transform in list_transforms(names):
        engine.make_table(transform, lake)
    if isinstance(engine, SparkEngine):
        engine.close()
    files = lake.require_table("raw.openalex_works")[1]
    return {"works": sum(file.rows for file in files)}


def list_transforms(names: Sequence[str]) -> list[Transform]:
    """The transforms of some tables, of all if none is named, in the order in which they are made."""
    from orchestration.defs.catalog import load_transforms

    return [transform for name, transform in load_transforms().items() if not names or name in names]


def require_same_tables(first: Lake, second: Lake, names: Sequence[str] = ()) -> None:
    """Compare the tables of two lakes, all if none is named.

    Raises:
        SystemExit: Some differ.
    """
    from tests.support.spark import find_differences

    differences = {}
    for transform in list_transforms(names):
        name = transform.table.name
        files = [[file.path for file in lake.require_table(name)[1]] for lake in (first, second)]
        if found := find_differences(transform.table, *files):
            differences[name] = found
    if differences:
        raise SystemExit(f"the engines made other tables: {differences}")


def add_works(small: Path, folder: Path, works: int) -> Path:
    """A copy of a lake with works that are all kept as well, which is up to date."""
    large = folder / "large"
    shutil.copytree(small, large, symlinks=True)
    write_parts(folder / "works", works, works_per_part=-(-works // _PARTS), dirty_share=0.0, processes=2)
    make_lake(large, folder / "works", is_gated=False)
    run_aisle(large, "run")
    return large


def measure_engines(
    root: Path, folder: Path, clusters: Clusters | None, names: Sequence[str]
) -> Iterator[tuple[str, int, Cost]]:
    """What tables of copies of a lake cost each engine, with the number of its works."""
    workers = {SPARK.format(workers=text): number for number, text in WORKERS.items()} if clusters else {}
    lakes = {name: Lake(folder / f"{root.name}-{place}") for place, name in enumerate((DUCKDB, *workers))}
    for name, lake in lakes.items():
        # without a release, no engine can go on from its tables
        shutil.copytree(root, lake.root, ignore=shutil.ignore_patterns("releases", "aisle.duckdb"))
        command = [sys.executable, "-m", "benchmarks.scale_tables", "--tables", str(lake.root)]
        if name == DUCKDB:
            result, cost = measure_command([*command, "", *names])
        elif clusters is not None:
            with clusters.start(workers[name]) as (remote, sessions):
                result, cost = measure_command([*command, remote, *names], sessions)
        require_same_tables(lakes[DUCKDB], lake, names)
        yield name, result["works"], cost


def compare_engines(
    lakes: Sequence[Path], folder: Path, clusters: Clusters | None, names: Sequence[str] = ()
) -> Iterator[Row]:
    """The rows of making tables, all if none is named, of two lakes, and of what the second one has more.

    Without clusters, DuckDB alone is measured.
    """
    costs: dict[str, list[tuple[int, float]]] = {}
    for root in lakes:
        for name, size, cost in measure_engines(root, folder, clusters, names):
            costs.setdefault(name, []).append((size, cost.cpu_seconds))
            yield cost.to_row(TABLES, name, size=size)
    for name, ((few, small), (many, large)) in costs.items():
        seconds = large - small
        yield Row(FURTHER, name, many - few, cpu_seconds=seconds, seconds_per_million=seconds / (many - few) * 1e6)
    for text, cost in clusters.starts if clusters else ():
        yield cost.to_row(START, text)


def main() -> None:
    """Measure and print.

    Raises:
        SystemExit: No environment of Spark is named.
    """
    if len(sys.argv) > 2 and sys.argv[1] == "--tables":
        print("\n" + json.dumps(make_tables(Lake(Path(sys.argv[2])), sys.argv[3], sys.argv[4:])))
        return
    works, environment = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, find_environment()
    if environment is None:
        raise SystemExit("AISLE_SPARK names no environment of Spark: make bench-scale")
    with tempfile.TemporaryDirectory() as name:
        folder, small = Path(name), Path(name) / "small"
        run_aisle(small, "run")
        lakes, clusters = [small, add_works(small, folder, works)], Clusters(environment, folder, is_quick=True)
        rows = [show(row) for row in compare_engines(lakes, folder, clusters)]
    keep_results("scale_tables", sys.argv[1:], rows)


if __name__ == "__main__":
    main()
