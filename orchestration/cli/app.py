"""The command line ``aisle``: each command says in its help what it does and what to do next."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from orchestration.cli import fetch as cli_fetch
from orchestration.cli.console import fail as _fail
from orchestration.cli.console import lake_of_environment as _lake
from orchestration.cli.console import out as _out
from orchestration.cli.console import say as _say
from warehouse.lake import PROJECT, Lake

app = typer.Typer(
    name="aisle",
    help="A data lake with dashboards for AI-safety research: who publishes what, and how that changes.\n\n"
    "Start with `aisle run`, look with `aisle status` and `aisle dashboard`, ask with `aisle sql`.\n\n"
    "Follow places with `aisle sources` and `aisle fetch`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

_ENDS_WITHIN_SECONDS = 10.0


class Format(StrEnum):
    """Forms in which rows can be printed."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"
    markdown = "markdown"


app.command()(cli_fetch.add)
app.command()(cli_fetch.fetch)
app.command()(cli_fetch.sources)


@app.command()
def run(
    force: Annotated[bool, typer.Option("--force", help="Run even if there is nothing new.")] = False,
) -> None:
    """Parse, check, transform and release everything that is new; exits with 0 only if a release is published.

    The bundled facts and the files of the inbox folder are taken in first (`AISLE_BUNDLED=no` leaves the bundled
    facts out). A failed critical check leaves the last release as it was. The run shows in `aisle ui` too.
    """
    from orchestration.ingest.raw import take_in
    from orchestration.run import execute, last_run, nothing_new

    lake, started = _lake(), time.monotonic()
    _say(f"lake: {lake.root}")
    try:
        take_in(lake, _say)
        unchanged = None if force else nothing_new(lake)
        if unchanged is not None:
            published = unchanged.manifest["published_at"][:16].replace("T", " ")
            _say(f"nothing new since release {unchanged.name} of {published} UTC: nothing to publish")
            _print_findings(lake)
            return
        succeeded = execute(lake)
    except OSError as error:
        raise _fail(f"the lake {lake.root} cannot be used: {error}; the last release stays") from error
    account = last_run(lake)
    if not succeeded or account is None or account["release"] is None:
        raise _fail(
            "no release: something above failed; the last release, if any, stays published. See `aisle ui` for the run"
        )
    _say(f"release v{account['release']} ({time.monotonic() - started:.0f} s)")
    _print_findings(lake)


def _print_findings(lake: Lake) -> None:
    from orchestration.cli.report import findings_table

    _print_status(lake)
    _out.print(findings_table(lake))
    _say('look: make dashboard · runs: make ui · ask: .venv/bin/aisle sql "from mart.publications_by_lab_year"')


@app.command()
def status() -> None:
    """Show each source with its snapshots and records, the last run's checks, and the release."""
    _print_status(_lake())


def _print_status(lake: Lake) -> None:
    from orchestration.cli.report import status_lines, status_table

    table = status_table(lake)
    if table is not None:
        _out.print(table)
    for line in status_lines(lake):
        _out.print(escape(line), highlight=False, soft_wrap=True)


@app.command()
def sql(
    query: Annotated[
        str | None, typer.Argument(help="A query; without one, a shell (or the query from standard input).")
    ] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    release: Annotated[str | None, typer.Option(help="Ask a past release, such as v3.")] = None,
    as_of: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Ask the release of that day.")] = None,
    boxed: Annotated[
        bool, typer.Option("--sandbox", help="Ask in the closed box: for a query whose author you do not know.")
    ] = False,
) -> None:
    """Ask the released tables in DuckDB's SQL, read-only.

    Examples: `aisle sql "from mart.publications_by_lab_category_month limit 10"`,
    `aisle sql "select * from clean.publications" --format csv -o publications.csv`,
    `aisle sql "show all tables"`, `aisle sql "from reference.dictionary"`.
    """
    from orchestration.cli import query as asking
    from warehouse.release import NoRelease

    lake = _lake()
    try:
        chosen = asking.chosen_release(lake, release, as_of.date() if as_of else None)
        if query is None and not sys.stdin.isatty():
            query = sys.stdin.read()
        if query is None:
            asking.shell(chosen, _out, is_boxed=boxed)
        else:
            asking.answer(chosen, query, form.value, output, _out, is_boxed=boxed)
    except (NoRelease, asking.QueryError) as error:
        raise _fail(str(error)) from error


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="The earlier release, such as v12.")],
    new: Annotated[str, typer.Argument(help="The later release, such as v15.")],
    table: Annotated[str, typer.Argument(help="A table that counts publications.")] = "mart.publications_by_lab_year",
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
) -> None:
    """Tell why numbers changed between two releases: each changed cell with its causes, which add up exactly.

    Causes are new work, found late, source withdrawn, merged or split, relabelled, date corrected, rule changed.
    """
    from orchestration.cli import query as asking
    from warehouse.release import NoRelease
    from warehouse.release_diff import bridge

    lake = _lake()
    try:
        found = bridge(asking.chosen_release(lake, old), asking.chosen_release(lake, new), table)
        if found.is_empty() and form is Format.table:
            _out.print(f"{table}: no number changed", highlight=False)
        else:
            asking.write(found, form.value, output, _out)
    except (NoRelease, asking.QueryError, KeyError) as error:
        raise _fail(str(error.args[0])) from error


@app.command()
def rejects(
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
) -> None:
    """Show the records and files that were rejected, and why; nothing is dropped silently."""
    from orchestration.cli import query as asking
    from orchestration.cli.report import rejects_frame

    found = rejects_frame(_lake())
    if form is Format.table and output is None:
        for row in found.iter_rows(named=True):
            _out.print(escape(f"{row['file']}: {row['where']}: {row['reason']}"), highlight=False, soft_wrap=True)
        _out.print(f"{found.height} rejected" if found.height else "nothing was rejected", highlight=False)
        return
    try:
        asking.write(found, form.value, output, _out)
    except asking.QueryError as error:
        raise _fail(str(error)) from error


@app.command()
def dashboard(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8501,
) -> None:
    """Open the dashboards on this machine (Streamlit, http://localhost:8501). Stop with Ctrl-C."""
    os.environ["AISLE_LAKE"] = str(_lake().root)
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(PROJECT / "dashboards" / "app.py"),
        "--server.port",
        str(port),
    ]
    raise typer.Exit(_until_stopped(command))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000,
) -> None:
    """Open Dagster's own UI on this machine (http://localhost:3000), with its schedule and the inbox sensor at work."""
    from orchestration.run import use_instance

    use_instance(_lake())
    raise typer.Exit(
        _until_stopped([sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions", "-p", str(port)])
    )


def _until_stopped(command: list[str]) -> int:
    """Run a server until it ends or Ctrl-C; both hear the signal, so this only waits for the other to finish.

    A second Ctrl-C, or ten seconds after the first, ends one that stands still and hears nothing.
    """
    with subprocess.Popen(command, cwd=PROJECT) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            try:
                return server.wait(_ENDS_WITHIN_SECONDS)
            except (KeyboardInterrupt, subprocess.TimeoutExpired):
                server.kill()
                return server.wait()


def main() -> None:
    """The console script; what nobody foresaw is told in a sentence too (``AISLE_DEBUG=yes`` shows where it arose)."""
    try:
        app(prog_name="aisle")
    except Exception as error:
        if os.environ.get("AISLE_DEBUG"):
            raise
        kind = "" if isinstance(error, OSError) else f"unexpected: {type(error).__name__}: "
        _fail(f"{kind}{error} (AISLE_DEBUG=yes shows where)")
        sys.exit(1)
