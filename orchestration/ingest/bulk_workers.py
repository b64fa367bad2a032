"""Reads bulk files on the workers of Spark: each worker runs the statement of the laptop on whole files.

Only the paths of files go to the workers, and only what became of each comes back: a worker writes the part and its
account where a run on one machine would (`orchestration.ingest.bulk_stage`), so that what follows is the same. The
workers must see the lake, and files that are read in place, at the same paths as the driver.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.ingest.bulk_stage import has_account, stage_snapshot
from orchestration.ingest.snapshots import Snapshot, get_content_path
from orchestration.sources.registry import get_source
from orchestration.sources.source import Source
from transforms.spark.session import LostJob, run_on_workers
from warehouse.lake import Lake

if TYPE_CHECKING:
    import pyarrow as pa

_ATTEMPTS = 3
_OUTCOMES = "snapshot_id string, error string, seconds double"


@dataclass(frozen=True)
class _Task:
    """One bulk file for a worker; all its facts are texts."""

    root: str
    source: str
    snapshot: str
    version: str


class UnreadPart(RuntimeError):
    """Bulk files could not be read on the workers; the message names each with the reason."""


def read_on_workers(
    session: Any,
    lake: Lake,
    source: Source,
    snapshots: Iterable[Snapshot],
    versions: dict[str, str],
    log: Callable[[str], None],
) -> None:
    """Read bulk files on the workers; a file that failed is tried again, alone, so that it stops no other.

    Raises:
        UnreadPart: Some failed each time.
    """
    waiting = {one.snapshot_id: one for one in snapshots if not has_account(lake, source, one, versions)}
    for one in waiting.values():
        get_content_path(lake, one)  # what an object store has is brought to where the workers see it
    errors: dict[str, str] = {}
    for attempt in range(1, _ATTEMPTS + 1):
        if not waiting:
            return
        begun, count = time.monotonic(), len(waiting)
        groups = [list(waiting.values())] if attempt == 1 else [[one] for one in waiting.values()]
        for group in groups:
            errors |= _run_tasks(session, lake, source, group, versions)
        waiting = {name: one for name, one in waiting.items() if not has_account(lake, source, one, versions)}
        waiting = {name: one for name, one in waiting.items() if errors.get(name) != ""}
        seconds = time.monotonic() - begun
        log(f"{source.name}: {count - len(waiting):,} of {count:,} files read on the workers in {seconds:,.0f} s")
    if waiting:
        reasons = (f"{one.original_name}: {errors.get(name) or 'its task was lost'}" for name, one in waiting.items())
        raise UnreadPart(
            f"{len(waiting)} bulk files cannot be read on the workers, each tried {_ATTEMPTS} times:"
            f" {'; '.join(reasons)}"
        )


def _run_tasks(
    session: Any, lake: Lake, source: Source, snapshots: list[Snapshot], versions: dict[str, str]
) -> dict[str, str]:
    """The error of each file, empty for one that was read; all are lost if a task takes its worker along."""
    rows = [
        (str(lake.root), source.name, json.dumps(vars(one), default=str), versions[one.snapshot_id])
        for one in snapshots
    ]
    try:
        outcomes = run_on_workers(session, rows, [field.name for field in fields(_Task)], read_batches, _OUTCOMES)
    except LostJob as error:
        return {one.snapshot_id: str(error) for one in snapshots}
    return {row["snapshot_id"]: row["error"] for row in outcomes}


def read_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Read the files of some tasks on a worker, and yield what became of each."""
    import pyarrow as pa

    for batch in batches:
        for row in batch.to_pylist():
            task, begun = _Task(**row), time.monotonic()
            facts = json.loads(task.snapshot)
            error = _read_task(task, facts)
            seconds = time.monotonic() - begun
            yield pa.RecordBatch.from_pylist(
                [{"snapshot_id": facts["snapshot_id"], "error": error, "seconds": seconds}]
            )


def _read_task(task: _Task, facts: dict[str, Any]) -> str:
    """Read one file; the error, or an empty text."""
    try:
        facts["fetched_at"] = dt.datetime.fromisoformat(facts["fetched_at"])
        snapshot = Snapshot(**facts)
        stage_snapshot(Lake(Path(task.root)), get_source(task.source), snapshot, task.version)
    except Exception as error:  # an exception would end the job of all files
        return f"{type(error).__name__}: {error}"
    return ""
