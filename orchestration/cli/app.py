"""The command line ``aisle``: its commands for runs, queries, the dashboards and Dagster's UI."""

from __future__ import annotations

import gc
import os
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli import fetch as fetch_commands
from orchestration.cli import follow as follow_commands
from orchestration.cli import lake_copy as lake_commands
from orchestration.cli import prune as prune_commands
from orchestration.cli import review as review_commands
from orchestration.cli import serve as serve_commands
from orchestration.cli.console import fail, hold_lake, log, out, read_lake, require_settings, show_line
from orchestration.cli.running import print_findings, print_status, require_engine_at_hand, run_job
from warehouse.origin import OriginError

_MANY_REJECTS = 40  # more than fit a screen
# Python looks for circles of objects after 700 new ones, and often in all of them: a second of a run
_GARBAGE_THRESHOLDS = (50_000, 20, 100)

app = typer.Typer(
    name="aisle",
    help="A data lake with dashboards for AI-safety research: who publishes what, and how that changes.\n\n"
    "Start with `aisle run`, see the result with `aisle status` and `aisle dashboard`, query it with `aisle sql`.\n\n"
    "Follow what labs and forums publish with `aisle follow starter`; `aisle sources` lists what can be fetched.",
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
app.command()(follow_commands.follow)
app.command()(follow_commands.unfollow)
app.command()(prune_commands.prune)
app.add_typer(lake_commands.app, name="lake")
app.add_typer(review_commands.app, name="review")
app.command()(serve_commands.dashboard)
app.command()(serve_commands.ui)


@app.command()
def run(
    force: Annotated[
        bool, typer.Option("--force", help="Run even if there is nothing new, and look for damage in every table.")
    ] = False,
    engine: Annotated[
        str, typer.Option("--engine", help="What makes the tables: duckdb, in this process, or spark.")
    ] = "",
    remote: Annotated[
        str, typer.Option("--remote", help="The server of Spark that makes them, such as sc://host:15002.")
    ] = "",
) -> None:
    """Parse, transform and check everything that is new, and publish a release.

    Adds the bundled facts (unless `AISLE_BUNDLED=no`) and the files of the inbox folder first. If a critical check
    fails, the last release stays as it is. Exits with 0 only if a release is published. The run also shows in
    `aisle ui`.
    """
    from warehouse.origin import need_tables

    require_settings()
    with hold_lake(need_tables) as lake:
        if engine or remote:
            require_engine_at_hand(lake, engine, remote)
        result = run_job(lake, force=force, engine=engine, remote=remote)
    log(result)  # now that it is stored, if the lake is on an object store
    print_findings(lake)


@app.command()
def train(
    taxonomy: Annotated[str | None, typer.Option("--taxonomy", help="Show the models of this taxonomy alone.")] = None,
) -> None:
    """Run what is new, and show how good the models of suggested categories are, and what changed in suggestions.

    Every run trains the models whose labels or texts have changed; this is `aisle run` with another report.
    """
    from orchestration.cli.train_report import build_card_table, list_model_taxonomies, list_training_notes
    from transforms.embeddings.models import describe_model
    from warehouse.origin import need_tables
    from warehouse.release import list_releases, read_current_release

    require_settings()
    with hold_lake(need_tables) as lake:
        result = run_job(lake)
    log(result)
    release = read_current_release(lake)
    taxonomies = list_model_taxonomies(release)
    if taxonomy is not None and taxonomy not in taxonomies:
        raise fail(f"no taxonomy {taxonomy} has labelled works; there are {', '.join(taxonomies) or 'none'}")
    out.print(build_card_table(release, taxonomy))
    before = [one for one in list_releases(lake) if one.number < release.number]
    for line in list_training_notes(release, before[-1] if before else None, taxonomy):
        show_line(line)
    show_line(describe_model())


@app.command()
def status() -> None:
    """Show the snapshots and records of each source, the failed checks of the last run, and the release."""
    print_status(read_lake())


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
    from warehouse.origin import need_releases
    from warehouse.release import NoRelease

    lake = read_lake(need_releases)
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

    Causes: new work, found late, source withdrawn, merged or split, relabelled, date corrected, rule changed; and label
    decided, lab decided, date decided, exclusion decided, merge or split decided, mapping decided for what people
    decided, took back, or whose decision no longer applies; and label suggested, suggestion changed in what is expected
    by suggestions. Publications without a month are in no count by month, and so in no change of one.
    """
    import duckdb

    from orchestration.cli import query as queries
    from warehouse.origin import need_releases
    from warehouse.release import NoRelease
    from warehouse.release_diff import explain_changes

    lake = read_lake(need_releases)
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

    lake = read_lake()
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
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    try:
        app(prog_name="aisle")
    except Exception as error:
        if os.environ.get("AISLE_DEBUG"):
            raise
        kind = "" if isinstance(error, OSError) else f"unexpected: {type(error).__name__}: "
        hint = "" if isinstance(error, OriginError) else " (AISLE_DEBUG=yes shows the traceback)"
        fail(f"{kind}{error}{hint}")
        sys.exit(1)
