"""What the command line does with Dagster: start the job in this process, report fetches made outside of it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from orchestration.run import configure_dagster
from warehouse.lake import Lake

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from orchestration.fetch.config import FeedConfig
    from orchestration.fetch.journal import DateWindow, FetchResult

GRACE_SECONDS = 10.0  # for a run to end by itself after a signal
_ENDING = {bytes([number]) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}


def launch_run(lake: Lake, log: Callable[[str], None], engine: str = "", remote: str = "") -> bool:
    """Run the whole job in this process, on the instance that the UI shows; returns whether it succeeded.

    The caller has taken the files of the inbox: those that come later are for the next run.

    Args:
        lake: The lake.
        log: Receives a line for each step.
        engine: What makes the tables; as the lake's configuration has it if it is empty.
        remote: Address of a Spark Connect server; likewise.
    """
    configure_dagster(lake)
    import dagster as dg

    from orchestration.definitions import load_definitions
    from orchestration.defs.automation import RUN_ALL
    from orchestration.defs.leases import hold_lease
    from orchestration.defs.tables import INBOX_TAKEN_FOR

    treat_hangup_as_termination()
    with dg.DagsterInstance.get() as instance:
        _mark_orphaned_runs(instance, log)
        job, run_id = load_definitions().resolve_job_def(RUN_ALL.name), str(uuid.uuid4())
        with hold_lease(lake.dagster_home, run_id):
            tags = {INBOX_TAKEN_FOR: run_id}
            settings = {"resources": {"lake_run": {"config": {"engine": engine, "remote": remote}}}}
            with end_after_signal(log):
                run = job.execute_in_process(
                    run_config=settings, instance=instance, raise_on_error=False, run_id=run_id, tags=tags
                )
            return run.success


def treat_hangup_as_termination() -> None:
    """Let a lost terminal end a run as SIGTERM does, at which Dagster stores that the run has failed.

    Where SIGHUP is ignored, as under ``nohup``, the run goes on.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


@contextmanager
def end_after_signal(log: Callable[[str], None]) -> Generator[None]:
    """End the process some seconds after SIGINT, SIGTERM or SIGHUP, if it has not ended by itself.

    Dagster raises an exception at a signal, wherever the program is, and some places lose it, such as a destructor or a
    callback of a library. A run that is killed loses nothing, and is marked as failed by the next one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_await_signal, args=(reader, log), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        writer.close()


def _await_signal(reader: socket.socket, log: Callable[[str], None]) -> None:
    """End the process if a signal arrives, and the other end of the socket is not closed within the time of grace."""
    while (received := reader.recv(1)) and received not in _ENDING:
        pass
    if not received:
        return
    number = received[0]
    deadline = time.monotonic() + GRACE_SECONDS
    with suppress(TimeoutError):
        while (left := deadline - time.monotonic()) > 0:
            reader.settimeout(left)
            if not reader.recv(1):
                return
    log(f"ended by {signal.Signals(number).name}; the last release, if any, stays published")
    os._exit(128 + number)


def mark_orphaned_runs(lake: Lake, log: Callable[[str], None]) -> None:
    """Mark runs in Dagster's instance that were killed as failed, so that its queue does not wait for them."""
    configure_dagster(lake)
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        _mark_orphaned_runs(instance, log)


def _mark_orphaned_runs(instance: DagsterInstance, log: Callable[[str], None]) -> None:
    from orchestration.defs.orphans import fail_orphaned_runs

    if orphans := fail_orphaned_runs(instance):
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
