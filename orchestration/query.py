"""Asking a release in SQL from the command line: one query in several forms, or a shell."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from warehouse.lake import Lake
from warehouse.release import NoRelease, Release, current, releases

MAX_PRINTED = 200
_HELP = "SQL ends with ; — .tables lists the tables, .columns mart.x its columns, .quit leaves"


class QueryError(RuntimeError):
    """A query or its output cannot be had; the text says why."""


def chosen_release(lake: Lake, name: str | None) -> Release:
    """The newest release, or the one named (``v3`` or ``3``).

    Raises:
        NoRelease: There is none, or none of that name; the text lists those there are.
    """
    if name is None:
        return current(lake)
    held = {release.name: release for release in releases(lake)}
    wanted = name if name.startswith("v") else f"v{name}"
    if wanted not in held:
        raise NoRelease(f"no release {name}; there are {', '.join(held) or 'none'}")
    return held[wanted]


def answer(release: Release, query: str, form: str, output: Path | None, console: Console) -> None:
    """Run one query on a release and print or write its rows.

    Raises:
        QueryError: The query fails, or its rows cannot be written in this form.
    """
    with release.connect() as connection:
        write(_rows(connection, query), form, output, console)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    try:
        relation = connection.sql(query)
        return pl.DataFrame() if relation is None else relation.pl()
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def write(frame: pl.DataFrame, form: str, output: Path | None, console: Console) -> None:
    """Print rows as ``table``, ``csv``, ``json``, ``parquet`` or ``markdown``, or write them to a file.

    Raises:
        QueryError: Parquet would go to a terminal, or the file cannot be written.
    """
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise QueryError("Parquet is not for a terminal: add --output rows.parquet")
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
            text = _markdown(frame)
        if output is None:
            sys.stdout.write(text)
        else:
            output.write_text(text, encoding="utf-8")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise QueryError(f"cannot write {output or form}: {error}") from error


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_table(frame: pl.DataFrame, console: Console) -> None:
    table = RichTable(show_edge=False)
    for name, dtype in frame.schema.items():
        table.add_column(escape(name), justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.head(MAX_PRINTED).iter_rows():
        table.add_row(*(escape(_text(value)) for value in row))
    console.print(table)
    more = f", the first {MAX_PRINTED} shown; --format csv has all" if frame.height > MAX_PRINTED else ""
    console.print(f"{frame.height:,} {'row' if frame.height == 1 else 'rows'}{more}", highlight=False)


def _markdown(frame: pl.DataFrame) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    rules = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    rows = ("".join(line([_text(value) for value in row])) for row in frame.iter_rows())
    return line(frame.columns) + line(rules) + "".join(rows)


def shell(release: Release, console: Console) -> None:
    """Ask again and again until ``.quit`` or the end of input; a failed query says why and the shell goes on."""
    try:
        import readline  # noqa: F401 - history and editing for input()
    except ImportError:
        pass
    console.print(f"release {release.name} of {release.manifest['published_at'][:16]} UTC, read-only. {_HELP}", highlight=False)
    with release.connect() as connection:
        query = ""
        while True:
            try:
                line = input("   ...> " if query else "aisle> ")
            except KeyboardInterrupt:
                query = ""
                console.print()
                continue
            except EOFError:
                return
            word = line.strip().partition(" ")
            if not query and word[0] in {".quit", ".exit", "quit", "exit"}:
                return
            if not query and word[0] == ".tables":
                line = "select schema_name || '.' || table_name as name, estimated_size as rows, comment as row_meaning from duckdb_tables() order by 1;"
            elif not query and word[0] == ".columns":
                line = f"select column_name, column_type, unit, column_meaning from reference.dictionary where table_name = '{word[2].strip()}';"
            elif not query and word[0].startswith("."):
                console.print(_HELP, highlight=False)
                continue
            query += line + "\n"
            if query.rstrip().endswith(";"):
                try:
                    _print_table(_rows(connection, query), console)
                except QueryError as error:
                    console.print(f"[red]{escape(str(error))}[/red]", highlight=False)
                query = ""
