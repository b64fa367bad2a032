"""What the command line does with Dagster: start the job in this process, report fetches made outside of it."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterable

from orchestration.fetch.config import FeedConfig
from orchestration.fetch.journal import DateWindow, FetchResult
from orchestration.run import configure_dagster
from warehouse.lake import Lake


def launch_run(lake: Lake, log: Callable[[str], None]) -> bool:
    """Run the whole job in this process, on the instance that the UI shows; returns whether it succeeded.

    The caller has taken the files of the inbox: those that come later are for the next run.
    """
    configure_dagster(lake)
    import dagster as dg

    from orchestration.definitions import load_definitions
    from orchestration.defs.automation import RUN_ALL
    from orchestration.defs.leases import hold_lease
    from orchestration.defs.tables import INBOX_TAKEN_FOR

    mark_orphaned_runs(lake, log)
    treat_hangup_as_termination()
    with dg.DagsterInstance.get() as instance:
        job, run_id = load_definitions().resolve_job_def(RUN_ALL.name), str(uuid.uuid4())
        with hold_lease(lake.dagster_home, run_id):
            tags = {INBOX_TAKEN_FOR: run_id}
            return job.execute_in_process(instance=instance, raise_on_error=False, run_id=run_id, tags=tags).success


def treat_hangup_as_termination() -> None:
    """Let a lost terminal end a run as SIGTERM does, at which Dagster stores that the run has failed.

    Where SIGHUP is ignored, as under ``nohup``, the run goes on.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def mark_orphaned_runs(lake: Lake, log: Callable[[str], None]) -> None:
    """Mark runs in Dagster's instance that were killed as failed, so that its queue does not wait for them."""
    configure_dagster(lake)
    import dagster as dg

    from orchestration.defs.orphans import fail_orphaned_runs

    with dg.DagsterInstance.get() as instance:
        orphans = fail_orphaned_runs(instance)
    if orphans:
        log(f"marked as failed: {len(orphans)} runs that were killed before they had a result")


def report_fetches(
    lake: Lake, feeds: Iterable[FeedConfig], results: Iterable[FetchResult], window: DateWindow | None
) -> None:
    """Report complete fetches to Dagster's instance, so that its UI shows them and its automation runs the tables.

    Args:
        lake: The lake.
        feeds: The feeds that were fetched.
        results: The result for each of them.
        window: The days that were fetched, if not what is new.
    """
    configure_dagster(lake)
    import dagster as dg

    from orchestration.defs.feeds import build_feed_materializations

    with dg.DagsterInstance.get() as instance:
        for feed, result in zip(feeds, results, strict=True):
            if result.is_complete:
                for event in build_feed_materializations(lake, feed, result, window):
                    instance.report_runless_asset_event(event)
