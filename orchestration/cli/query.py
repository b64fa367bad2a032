"""Asking a release in SQL from the command line: one query in several forms, or a shell; also in the closed box."""

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
from warehouse.release import NoRelease, Release, current, releases
from warehouse.sql import quoted
from warehouse.sql_box import client

MAX_PRINTED = 200
_HELP = "SQL ends with ; — .tables lists the tables, .columns mart.x its columns, .quit leaves"


class QueryError(RuntimeError):
    """A query or its output cannot be had; the text says why."""


def chosen_release(lake: Lake, name: str | None, as_of: dt.date | None = None) -> Release:
    """The newest release, the one named (``v3`` or ``3``), or the newest one of a day (in UTC) or before.

    Raises:
        NoRelease: There is none such; the text lists those there are.
    """
    if as_of is not None:
        known = [(dt.datetime.fromisoformat(r.manifest["published_at"]).date(), r) for r in releases(lake)]
        if not any(day <= as_of for day, _ in known):
            first = f"the first is of {known[0][0]}" if known else "there is none at all: run `aisle run`"
            raise NoRelease(f"no release of {as_of} or before; {first}")
        return [release for day, release in known if day <= as_of][-1]
    if name is None:
        return current(lake)
    held = {release.name: release for release in releases(lake)}
    wanted = name if name.startswith("v") else f"v{name}"
    if wanted not in held:
        raise NoRelease(f"no release {name}; there are {', '.join(held) or 'none'}")
    return held[wanted]


def answer(
    release: Release, query: str, form: str, output: Path | None, console: Console, *, is_boxed: bool = False
) -> None:
    """Run one query on a release, in the closed box if wanted, and print or write its rows.

    Raises:
        QueryError: The query fails, or its rows cannot be written in this form.
    """
    with _asking(release, is_boxed) as rows:
        write(rows(query), form, output, console)


@contextlib.contextmanager
def _asking(release: Release, is_boxed: bool) -> Generator[Callable[[str], pl.DataFrame]]:
    """What gives the rows of a query on this release."""
    if is_boxed:
        yield partial(_boxed_rows, release)
    else:
        with release.connect() as connection:
            yield partial(_rows, connection)


def _boxed_rows(release: Release, query: str) -> pl.DataFrame:
    try:
        found = client.ask(release, query)
        frame = found.frame
    except client.Unanswered as error:
        raise QueryError(str(error)) from error
    if found.is_truncated:
        sys.stderr.write(f"only the first {frame.height:,} rows: there are more than the closed box gives\n")
    return frame


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    try:
        relation = connection.sql(query)
        return pl.DataFrame() if relation is None else relation.pl()
    except (duckdb.Error, pl.exceptions.PolarsError) as error:
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
    """DuckDB's own boxes: they say each column's type and leave out what does not fit, telling how much."""
    width = console.width if console.is_terminal else 1_000
    if frame.width == 0:
        console.print("done")
    else:
        duckdb.from_arrow(frame.to_arrow()).show(max_width=width, max_rows=MAX_PRINTED)


def _markdown(frame: pl.DataFrame) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    rules = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    rows = ("".join(line([_text(value) for value in row])) for row in frame.iter_rows())
    return line(frame.columns) + line(rules) + "".join(rows)


def shell(release: Release, console: Console, *, is_boxed: bool = False) -> None:
    """Ask again and again until ``.quit`` or the end of input; a failed query says why and the shell goes on."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - history and editing for input()
    console.print(
        f"release {release.name} of {release.manifest['published_at'][:16]} UTC, read-only. {_HELP}", highlight=False
    )
    with _asking(release, is_boxed) as rows:
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
            query += (line if query else _expanded(line)) + "\n"
            if query.rstrip().endswith(";"):
                try:
                    _print_table(rows(query), console)
                except QueryError as error:
                    console.print(f"[red]{escape(str(error))}[/red]", highlight=False)
                query = ""


def _expanded(line: str) -> str:
    """The query behind a dot command; other lines as they are."""
    command, _, name = line.partition(" ")
    if command == ".tables":
        return "select table_name, any_value(row_meaning) as a_row_is from reference.dictionary group by 1 order by 1;"
    if command == ".columns":
        return (
            "select column_name, column_type, unit, column_meaning from reference.dictionary"
            f" where table_name = {quoted(name.strip())} order by column_ordinal;"
        )
    return f"select '{_HELP}' as help;" if line.startswith(".") else line
