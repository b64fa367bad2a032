"""Runs as commands make them: the job, and what they print of its result."""

from __future__ import annotations

import time

from orchestration.cli.console import fail, log, out, show_line
from warehouse.lake import Lake


def run_job(lake: Lake, *, force: bool = False, engine: str = "", remote: str = "") -> str:
    """Run the job unless nothing is new; returns the line about its release.

    Raises:
        typer.Exit: No release was made; the reason is printed.
    """
    from orchestration.cli.launch import launch_run, mark_orphaned_runs
    from orchestration.defs.leases import has_ended_leases
    from orchestration.ingest.inbox import add_waiting_files
    from orchestration.run import find_unchanged_release, read_last_run
    from warehouse.lake import COMMAND_LOCK

    started = time.monotonic()
    log(f"lake: {lake.address}")
    try:
        # a second command waits here, so that it finds what the first one has made
        with lake.lock_patiently(log, COMMAND_LOCK):
            with lake.lock_patiently(log):
                add_waiting_files(lake, log)
                if force:
                    lake.intact_files.forget()
                unchanged = None if force else find_unchanged_release(lake)
            if unchanged is not None:
                published = unchanged.manifest["published_at"][:16].replace("T", " ")
                if has_ended_leases(lake.dagster_home):
                    mark_orphaned_runs(lake, log)
                return f"nothing new since release {unchanged.name} of {published} UTC: nothing to publish"
            succeeded = launch_run(lake, log, engine, remote)
    except OSError as error:
        raise fail(f"the lake {lake.root} cannot be used: {error}; the last release stays") from error
    account = read_last_run(lake)
    if not succeeded or account is None or account["release"] is None:
        raise fail(
            "no release: something above failed; the last release, if any, stays published. See `aisle ui` for the run"
        )
    return f"release v{account['release']} ({time.monotonic() - started:.0f} s)"


def require_engine_at_hand(lake: Lake, engine: str, remote: str) -> None:
    """Require that an engine that was given is there, before anything is added or read."""
    from orchestration.defs.engines import require_engine
    from orchestration.fetch.config import ConfigurationError
    from transforms.engine import NoEngine

    try:
        require_engine(lake, engine, remote)
    except (ConfigurationError, NoEngine) as error:
        raise fail(str(error)) from error


def print_findings(lake: Lake) -> None:
    """Print the state of the lake and the publications per lab and year."""
    from orchestration.cli.report import build_findings_table

    print_status(lake)
    out.print(build_findings_table(lake))
    log('dashboards: make dashboard · runs: make ui · query: .venv/bin/aisle sql "from mart.publications_by_lab_year"')


def print_status(lake: Lake) -> None:
    """Print the snapshots and records of each source, and the state of the release."""
    from orchestration.cli.report import build_status_table, describe_status
    from warehouse.release import DamagedRelease

    try:
        table = build_status_table(lake)
    except DamagedRelease as damage:
        table = None
        fail(str(damage))
    if table is not None:
        out.print(table)
    for line in describe_status(lake):
        show_line(line)
