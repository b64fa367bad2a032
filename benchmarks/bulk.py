"""Times the reading of bulk files side by side: ours, gated and not, and what other tools take for the same files.

Run with ``python -m benchmarks.bulk [works] [turns]``. Each contender runs in a process of its own, in turns; shown are
the medians of the CPU seconds and of the peak memory, start-up included. The works that were read are compared before
any time is printed. With ``BULK_PYTHON`` set to the interpreter of another environment, contenders whose library is not
in ours (dlt, simdjson) run there; without it they are left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import bulk_contenders
from benchmarks.openalex_works import Part, write_parts
from benchmarks.results import Row, keep_results

MEMORY_BYTES = 2**30
_OURS = {"aisle, gated": True, "aisle, every work": False}
# a command that runs a whole pipeline, from the files to a release, belongs beside those that only read
_PLAIN = "plain DuckDB"
_COMPARED = ("abstract_characters", "rows_hash")


def read_parts(folder: Path, *, is_gated: bool) -> dict[str, Any]:
    """Read every part of a folder as `aisle run` does, and what it took."""
    from orchestration.ingest.bulk import read_bulk_part
    from orchestration.sources.registry import get_source

    works = list[tuple[Any, ...]]()
    for path in sorted(folder.glob("*.gz")):
        with tempfile.TemporaryDirectory() as output:
            part = read_bulk_part(
                path,
                "0" * 16,
                get_source("openalex_works"),
                Path(output),
                memory_bytes=MEMORY_BYTES,
                is_gated=is_gated,
            )
            works += list_common_values(part.records_path)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **bulk_contenders.summarise(works),
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
    }


def list_common_values(path: Path) -> list[tuple[Any, ...]]:
    """What each work of a part that we have read shares with those of other tools."""
    from pyarrow import parquet

    names = ["openalex_id", "published_on", "citations", "abstract"]
    rows = parquet.read_table(path, columns=names)
    return list(zip(*(rows[name].to_pylist() for name in names), strict=True))


def hash_ids(ids: list[str]) -> str:
    """A short hash of ids in any order, as the contenders make it."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]


def run_contender(name: str, folder: Path) -> dict[str, Any]:
    """What one contender read and took, in a process of its own."""
    own = ["-m", "benchmarks.bulk", "--read", name, str(folder)]
    command = own if name in _OURS else [bulk_contenders.__file__, name, str(folder)]
    for python in dict.fromkeys((sys.executable, os.environ.get("BULK_PYTHON", sys.executable))):
        finished = subprocess.run([python, *command], stdout=subprocess.PIPE, check=True)
        result = json.loads(finished.stdout.splitlines()[-1])
        if "missing" not in result:
            break
    return result


def require_same_works(results: dict[str, dict[str, Any]], parts: list[Part]) -> None:
    """Compare what was read with what was written.

    Raises:
        SystemExit: A contender has read other works.
    """
    every = hash_ids([one for part in parts for one in part.usable])
    scope = hash_ids([one for part in parts for one in part.in_scope])
    columns = [results[_PLAIN][name] for name in _COMPARED]
    for name, result in results.items():
        if result.get("ids", every) != (scope if _OURS.get(name) else every):
            raise SystemExit(f"{name} has read other works: {result}")
        is_comparable = not _OURS.get(name) and name != f"{_PLAIN}, no abstracts"
        if is_comparable and result.get("rows_hash") and [result[name] for name in _COMPARED] != columns:
            raise SystemExit(f"{name} has read other rows: {result}")


def main() -> None:
    """Measure and print."""
    if "--read" in sys.argv:
        name, folder = sys.argv[-2:]
        print(json.dumps(read_parts(Path(folder), is_gated=_OURS[name])))
        return
    works, turns = (int(text) for text in (*sys.argv[1:], *("100000", "3")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        parts = write_parts(Path(folder), works, dirty_share=0.0, processes=2)
        size_bytes = sum(part.size_bytes for part in parts)
        print(f"{works:,} works in {len(parts)} parts, {size_bytes / 1e6:.0f} MB gzipped", flush=True)
        runs: dict[str, list[dict[str, Any]]] = {}
        for _ in range(turns):
            for name in (*_OURS, *bulk_contenders.CONTENDERS):
                if runs.get(name, [{}])[0].get("missing"):
                    continue
                runs.setdefault(name, []).append(run_contender(name, Path(folder)))
    left_out = {name: found[0]["missing"] for name, found in runs.items() if "missing" in found[0]}
    runs = {name: found for name, found in runs.items() if name not in left_out}
    require_same_works({name: found[0] for name, found in runs.items()}, parts)
    medians = {
        name: [statistics.median(one[key] for one in found) for key in ("cpu_seconds", "peak_bytes")]
        for name, found in runs.items()
    }
    print("CPU seconds, ratio to plain DuckDB, peak memory")
    for name, (cpu_seconds, peak_bytes) in medians.items():
        print(f"{name:28} {cpu_seconds:8.2f} {cpu_seconds / medians[_PLAIN][0]:7.2f} {peak_bytes / 1e6:8.0f} MB")
    for name, package in left_out.items():
        print(f"{name:28} left out: {package} is not installed")
    base = medians[_PLAIN][0]
    rows = [
        Row("read, normalise, write", name, works, cpu, peak_megabytes=peak / 1e6, ratio=cpu / base)
        for name, (cpu, peak) in medians.items()
    ]
    keep_results("bulk", sys.argv[1:], rows)


if __name__ == "__main__":
    main()
