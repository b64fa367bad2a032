"""The command line ``aisle``: its commands for runs, queries, the dashboards and Dagster's UI."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli import fetch as fetch_commands
from orchestration.cli import prune as prune_commands
from orchestration.cli import serve as serve_commands
from orchestration.cli.console import fail, log, open_lake, out, require_memory, show_line
from warehouse.lake import Lake

_MANY_REJECTS = 40  # more than fit a screen

app = typer.Typer(
    name="aisle",
    help="A data lake with dashboards for AI-safety research: who publishes what, and how that changes.\n\n"
    "Start with `aisle run`, see the result with `aisle status` and `aisle dashboard`, query it with `aisle sql`.\n\n"
    "Fetch new data with `aisle fetch`; `aisle sources` lists what can be fetched.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


LeaveFormulas = Annotated[
    bool,
    typer.Option(
        "--leave-formulas", help="In CSV, leave text that a spreadsheet would run as a formula without an apostrophe."
    ),
]


class Format(StrEnum):
    """Formats in which rows can be printed or written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"
    markdown = "markdown"


app.command()(fetch_commands.add)
app.command()(fetch_commands.fetch)
app.command()(fetch_commands.sources)
app.command()(prune_commands.prune)
app.command()(serve_commands.dashboard)
app.command()(serve_commands.ui)


@app.command()
def run(
    force: Annotated[
        bool, typer.Option("--force", help="Run even if there is nothing new, and look for damage in every table.")
    ] = False,
) -> None:
    """Parse, transform and check everything that is new, and publish a release.

    Adds the bundled facts (unless `AISLE_BUNDLED=no`) and the files of the inbox folder first. If a critical check
    fails, the last release stays as it is. Exits with 0 only if a release is published. The run also shows in
    `aisle ui`.
    """
    from orchestration.cli.launch import launch_run, mark_orphaned_runs
    from orchestration.defs.leases import has_ended_leases
    from orchestration.ingest.inbox import add_waiting_files
    from orchestration.run import find_unchanged_release, read_last_run
    from warehouse.lake import COMMAND_LOCK

    lake, started = open_lake(), time.monotonic()
    require_memory()
    log(f"lake: {lake.root}")
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
                log(f"nothing new since release {unchanged.name} of {published} UTC: nothing to publish")
                _print_findings(lake)
                if has_ended_leases(lake.dagster_home):
                    mark_orphaned_runs(lake, log)
                return
            succeeded = launch_run(lake, log)
    except OSError as error:
        raise fail(f"the lake {lake.root} cannot be used: {error}; the last release stays") from error
    account = read_last_run(lake)
    if not succeeded or account is None or account["release"] is None:
        raise fail(
            "no release: something above failed; the last release, if any, stays published. See `aisle ui` for the run"
        )
    log(f"release v{account['release']} ({time.monotonic() - started:.0f} s)")
    _print_findings(lake)


def _print_findings(lake: Lake) -> None:
    from orchestration.cli.report import build_findings_table

    _print_status(lake)
    out.print(build_findings_table(lake))
    log('dashboards: make dashboard · runs: make ui · query: .venv/bin/aisle sql "from mart.publications_by_lab_year"')


@app.command()
def status() -> None:
    """Show the snapshots and records of each source, the failed checks of the last run, and the release."""
    _print_status(open_lake())


def _print_status(lake: Lake) -> None:
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


@app.command()
def sql(
    query: Annotated[
        str | None, typer.Argument(help="The query. Without one, read it from standard input, or open a shell.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="Format of the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the rows to this file.")] = None,
    release: Annotated[str | None, typer.Option(help="Query a past release, such as v3.")] = None,
    as_of: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Query the release of that day.")] = None,
    is_sandboxed: Annotated[
        bool, typer.Option("--sandbox", help="Run the query in a sandbox, for a query that you do not trust.")
    ] = False,
    leave_formulas: LeaveFormulas = False,
) -> None:
    """Query the released tables in DuckDB's SQL, read-only: a query can neither read nor write any file.

    Examples: `aisle sql "from mart.publications_by_lab_category_month limit 10"`,
    `aisle sql "select * from clean.publications" --format csv -o publications.csv`,
    `aisle sql "show all tables"`, `aisle sql "from reference.dictionary"`.
    """
    from orchestration.cli import query as queries
    from warehouse.release import NoRelease

    lake = open_lake()
    try:
        queries.check_output(lake, output)
        selected = queries.find_release(lake, release, as_of.date() if as_of else None)
        if query is None and not sys.stdin.isatty():
            query = sys.stdin.read()
        if query is None:
            queries.run_shell(selected, out, is_sandboxed=is_sandboxed)
        else:
            rows = queries.RowOutput(form.value, output, leave_formulas)
            queries.print_query_result(selected, query, rows, out, is_sandboxed=is_sandboxed)
    except (NoRelease, queries.QueryError) as error:
        raise fail(str(error)) from error


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="The earlier release, such as v12.")],
    new: Annotated[str, typer.Argument(help="The later release, such as v15.")],
    table: Annotated[str, typer.Argument(help="A table that counts publications.")] = "mart.publications_by_lab_year",
    form: Annotated[Format, typer.Option("--format", "-f", help="Format of the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the rows to this file.")] = None,
    leave_formulas: LeaveFormulas = False,
) -> None:
    """Explain changed numbers between two releases: each change with its causes, which add up to it.

    Causes: new work, found late, source withdrawn, merged or split, relabelled, date corrected, rule changed.
    """
    import duckdb

    from orchestration.cli import query as queries
    from warehouse.release import NoRelease
    from warehouse.release_diff import explain_changes

    lake = open_lake()
    try:
        queries.check_output(lake, output)
        older, newer = (queries.find_release(lake, name) for name in (old, new))
        for release in (older, newer):
            release.check()
        changes = explain_changes(older, newer, table)
        if changes.is_empty() and form is Format.table:
            show_line(f"{table}: no number changed")
        else:
            queries.write_rows(changes, queries.RowOutput(form.value, output, leave_formulas), out)
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise fail(f"{old} or {new} lacks a table or column that the comparison reads: {error}") from error
    except (NoRelease, queries.QueryError, KeyError) as error:
        raise fail(str(error.args[0])) from error


@app.command()
def rejects(
    form: Annotated[Format, typer.Option("--format", "-f", help="Format of the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the rows to this file.")] = None,
    leave_formulas: LeaveFormulas = False,
    is_grouped: Annotated[
        bool | None,
        typer.Option(
            "--grouped/--each",
            help="Count them by source and reason, or show each; by default, many are counted on the terminal.",
        ),
    ] = None,
) -> None:
    """Show the rejected records and files with the reasons."""
    from orchestration.cli import query as queries
    from orchestration.cli.report import group_rejects, list_rejects
    from warehouse.release import DamagedRelease

    lake = open_lake()
    try:
        rows = list_rejects(lake)
    except DamagedRelease as damage:
        raise fail(str(damage)) from damage
    is_shown = form is Format.table and output is None
    is_grouped = rows.height > _MANY_REJECTS if is_grouped is None and is_shown else bool(is_grouped)
    shown = group_rejects(rows) if is_grouped else rows
    if is_shown:
        for row in shown.iter_rows(named=True):
            if is_grouped:
                show_line(f"{row['rejects']:,} of {row['source'] or 'refused files'}: {row['reason']} ({row['first']})")
            else:
                show_line(f"{row['file']}: {row['where']}: {row['reason']}")
        how = "; --each shows each" if is_grouped else ""
        show_line(f"{rows.height:,} rejected{how}" if rows.height else "nothing was rejected")
        return
    try:
        queries.check_output(lake, output)
        queries.write_rows(shown, queries.RowOutput(form.value, output, leave_formulas), out)
    except queries.QueryError as error:
        raise fail(str(error)) from error


def main() -> None:
    """Run the command line; an unexpected error becomes a one-line message (a traceback with ``AISLE_DEBUG=yes``)."""
    try:
        app(prog_name="aisle")
    except Exception as error:
        if os.environ.get("AISLE_DEBUG"):
            raise
        kind = "" if isinstance(error, OSError) else f"unexpected: {type(error).__name__}: "
        fail(f"{kind}{error} (AISLE_DEBUG=yes shows the traceback)")
        sys.exit(1)
