"""Orphaned runs: those whose process ended without a result, which Dagster would take for running for ever.

Dagster's daemon finds them while it runs, by `LeaseRunLauncher`, and `fail_orphaned_runs` at the start of `aisle run`
and `aisle ui`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

from orchestration.defs.leases import LeaseState, keep_lease, locate_lease, read_lease
from warehouse.table import utc_now

# a run is started by its process just before that takes the lease; one without a lease is of an earlier aisle
_GRACE = dt.timedelta(seconds=60)
_RUNNING = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_STARTING = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED)


class LeaseExecutor(InProcessExecutor):
    """Executes the steps of a run in its process, under a lease that ends with the process."""

    def execute(self, plan_context: Any, execution_plan: ExecutionPlan) -> Iterator[dg.DagsterEvent]:
        """Take the lease and execute the steps."""
        if not plan_context.instance.is_ephemeral:
            keep_lease(Path(plan_context.instance.root_directory), plan_context.run_id)
        yield from super().execute(plan_context, execution_plan)


@dg.executor(name="in_process")
def lease_executor(_: dg.InitExecutorContext) -> LeaseExecutor:
    """All steps in the process of the run, which holds the lease of the run."""
    return LeaseExecutor(retries=RetryMode.ENABLED)


class LeaseRunLauncher(DefaultRunLauncher):
    """Launches runs as Dagster does by default, and lets run monitoring see whether their processes are still there."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring can check a run."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a started run is still there."""
        record = self._instance.get_run_record_by_id(run.run_id)
        reason = find_end(self._instance, record) if record else None
        return CheckRunHealthResult(WorkerStatus.FAILED if reason else WorkerStatus.RUNNING, reason)


def find_end(instance: dg.DagsterInstance, record: dg.RunRecord) -> str | None:
    """The message about a run in progress whose process has ended without a result; none if it may still go on."""
    lease = read_lease(locate_lease(Path(instance.root_directory), record.dagster_run.run_id))
    if lease.state is LeaseState.held:
        return None
    if lease.state is LeaseState.ended:
        return _describe_end(lease.holder)
    is_starting = record.dagster_run.status in _STARTING
    patience = dt.timedelta(seconds=instance.run_monitoring_start_timeout_seconds) if is_starting else _GRACE
    began = record.create_timestamp if record.start_time is None else _read_moment(record.start_time)
    return _describe_end("") if utc_now() - began > patience else None


def _read_moment(timestamp: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(timestamp, dt.UTC)


def _describe_end(holder: str) -> str:
    return (
        f"The process of this run{f' ({holder})' if holder else ''} has ended without a result: it was killed, memory"
        " ran out or the machine stopped. What it had stored stays, and the next run makes the rest."
    )


def fail_orphaned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark as failed every run in progress whose process has ended, or as canceled if that was requested.

    Queued runs stay queued: Dagster's daemon starts them. Leases of runs that have ended are removed.

    Returns:
        The identifiers of those runs.
    """
    orphans = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=[*_RUNNING, *_STARTING])):
        reason = find_end(instance, record)
        # read again after the lease: a process stores the end of its run before it gives up the lease
        run = instance.get_run_by_id(record.dagster_run.run_id)
        if reason is None or run is None or run.is_finished:
            continue
        if run.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, reason)
        else:
            instance.report_run_failed(run, reason)
        orphans.append(run.run_id)
    for path in (Path(instance.root_directory) / "leases").glob("*"):
        run = instance.get_run_by_id(path.name)
        if read_lease(path).state is LeaseState.ended and (run is None or run.is_finished):
            path.unlink(missing_ok=True)
    return orphans
