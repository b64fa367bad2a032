"""SQL queries on a release: one query with its rows in several formats, or a shell; in a sandbox on request."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
from rich.console import Console
from rich.markup import escape

from warehouse.lake import Lake
from warehouse.release import DamagedRelease, NoRelease, Release, list_releases, read_current_release, read_release
from warehouse.sql import quote_literal
from warehouse.sql_box import client

MAX_PRINTED = 200
_HELP = "SQL ends with ; — .tables lists the tables, .columns mart.x the columns of one, .quit leaves"


class QueryError(RuntimeError):
    """A query failed, or its rows cannot be written; the text has the reason."""


def find_release(lake: Lake, name: str | None, as_of: dt.date | None = None) -> Release:
    """The release of a name (``v3`` or ``3``), the newest one up to a day (UTC), or the newest of all.

    Raises:
        NoRelease: There is no such release; the text lists those that exist.
        DamagedRelease: There is, and it is damaged.
    """
    if as_of is not None:
        dated = [(dt.datetime.fromisoformat(r.manifest["published_at"]).date(), r) for r in list_releases(lake)]
        if not any(day <= as_of for day, _ in dated):
            first = f"the first is of {dated[0][0]}" if dated else "nothing is released yet: run `aisle run`"
            raise NoRelease(f"no release of {as_of} or before; {first}")
        return [release for day, release in dated if day <= as_of][-1]
    if name is None:
        return read_current_release(lake)
    existing = {release.name: release for release in list_releases(lake)}
    wanted = name if name.startswith("v") else f"v{name}"
    if wanted in existing:
        return existing[wanted]
    if wanted[1:].isdecimal():
        try:
            read_release(lake, int(wanted[1:])).check()
        except DamagedRelease:
            raise
        except NoRelease:
            pass
    raise NoRelease(f"no release {name}; there are {', '.join(existing) or 'none'}")


def print_query_result(
    release: Release, query: str, form: str, output: Path | None, console: Console, *, is_sandboxed: bool = False
) -> None:
    """Run one query on a release and print or write its rows; see `write_rows` for the formats.

    Raises:
        QueryError: The query fails, or its rows cannot be written.
    """
    with _connect(release, is_sandboxed) as fetch_rows:
        write_rows(fetch_rows(query), form, output, console)


@contextlib.contextmanager
def _connect(release: Release, is_sandboxed: bool) -> Generator[Callable[[str], pl.DataFrame]]:
    """A function that runs a query on the release and returns its rows."""
    if is_sandboxed:
        yield partial(_fetch_rows_in_sandbox, release)
    else:
        with release.connect() as connection:
            yield partial(_fetch_rows, connection)


def _fetch_rows_in_sandbox(release: Release, query: str) -> pl.DataFrame:
    try:
        result = client.run_query(release, query)
        frame = result.frame
    except client.QueryFailed as error:
        raise QueryError(str(error)) from error
    if result.is_truncated:
        sys.stderr.write(f"only the first {frame.height:,} rows: the sandbox returns no more\n")
    return frame


def _fetch_rows(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    try:
        relation = connection.sql(query)
        return pl.DataFrame() if relation is None else relation.pl()
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
        raise QueryError(str(error)) from error


def write_rows(frame: pl.DataFrame, form: str, output: Path | None, console: Console) -> None:
    """Print rows as ``table``, ``csv``, ``json``, ``parquet`` or ``markdown``, or write them to a file.

    Raises:
        QueryError: Parquet would go to a terminal, or the file cannot be written.
    """
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise QueryError("Parquet cannot be printed to a terminal: add --output rows.parquet")
    if form == "table" and output is None:
        _print_table(frame, console)
        return
    try:
        if form == "parquet":
            frame.write_parquet(output or sys.stdout.buffer)
            return
        if form == "csv" or (form == "table" and output is not None):
            text = frame.write_csv()
        elif form == "json":
            text = frame.write_json() + "\n"
        else:
            text = _format_markdown(frame)
        if output is None:
            sys.stdout.write(text)
        else:
            output.write_text(text, encoding="utf-8")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise QueryError(f"cannot write {output or form}: {error}") from error


def _format_value(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_table(frame: pl.DataFrame, console: Console) -> None:
    """Print rows in DuckDB's table format, which shows types and omits rows and columns that do not fit."""
    width = console.width if console.is_terminal else 1_000
    if frame.width == 0:
        console.print("done")
    else:
        duckdb.from_arrow(frame.to_arrow()).show(max_width=width, max_rows=MAX_PRINTED)


def _format_markdown(frame: pl.DataFrame) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    rules = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    rows = ("".join(line([_format_value(value) for value in row])) for row in frame.iter_rows())
    return line(frame.columns) + line(rules) + "".join(rows)


def run_shell(release: Release, console: Console, *, is_sandboxed: bool = False) -> None:
    """Read queries and print their rows until ``.quit`` or the end of input; a failed query prints its error."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - history and editing for input()
    console.print(
        f"release {release.name} of {release.manifest['published_at'][:16]} UTC, read-only. {_HELP}", highlight=False
    )
    with _connect(release, is_sandboxed) as fetch_rows:
        query = ""
        while True:
            try:
                line = input("   ...> " if query else "aisle> ").rstrip()
            except KeyboardInterrupt:
                query = ""
                console.print()
                continue
            except EOFError:
                return
            if not query and line.lstrip(".") in {"quit", "exit"}:
                return
            query += (line if query else _expand_dot_command(line)) + "\n"
            if query.rstrip().endswith(";"):
                try:
                    _print_table(fetch_rows(query), console)
                except QueryError as error:
                    console.print(f"[red]{escape(str(error))}[/red]", highlight=False)
                query = ""


def _expand_dot_command(line: str) -> str:
    """The query for a dot command; other lines unchanged."""
    command, _, name = line.partition(" ")
    if command == ".tables":
        return "select table_name, any_value(row_meaning) as a_row_is from reference.dictionary group by 1 order by 1;"
    if command == ".columns":
        return (
            "select column_name, column_type, unit, column_meaning from reference.dictionary"
            f" where table_name = {quote_literal(name.strip())} order by column_ordinal;"
        )
    return f"select '{_HELP}' as help;" if line.startswith(".") else line
