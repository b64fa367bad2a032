"""Which runs Dagster's instance keeps: each adds some 4 MB of events to the lake, so that old ones are deleted.

Nothing but the history in Dagster's UI is lost: tables, releases and the results of checks are kept in the lake itself.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import dagster as dg
from sqlalchemy.exc import OperationalError

from orchestration.defs.event_storage import PooledEventLogStorage

KEPT_RUNS = 30
_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def find_old_runs(instance: dg.DagsterInstance, kept_runs: int = KEPT_RUNS) -> list[str]:
    """The finished runs that are not kept, the newest first.

    Runs stay that have the newest materialisation of an asset or the newest result of a check, since the UI and the
    automation of assets read these. Nothing is deleted where a person has set another storage of events.

    Args:
        instance: Dagster's instance.
        kept_runs: How many finished runs to keep at least, the newest ones.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, PooledEventLogStorage):
        return []
    finished = [run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=[*_FINISHED]))]  # the newest first
    if len(finished) <= kept_runs:
        return []
    needed = storage.list_newest_runs()
    return [run_id for run_id in finished[kept_runs:] if run_id not in needed]


def prune_runs(instance: dg.DagsterInstance, kept_runs: int = KEPT_RUNS) -> list[str]:
    """Delete the oldest finished runs with their events, and their output; see `find_old_runs`.

    Returns:
        The identifiers of the deleted runs.
    """
    deleted, storage = [], instance.event_log_storage
    with contextlib.suppress(OperationalError):  # another process keeps the storage locked: the rest another time
        for run_id in find_old_runs(instance, kept_runs):
            instance.delete_run(run_id)
            shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
            deleted.append(run_id)
        if isinstance(storage, PooledEventLogStorage):
            storage.shrink()
    return deleted
