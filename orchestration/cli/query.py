"""SQL queries on a release: one query with its rows in several formats, or a shell; in a sandbox on request."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
from rich.console import Console

from orchestration.cli.console import log
from warehouse.lake import Lake
from warehouse.lake_tables import explain_place
from warehouse.release import DamagedRelease, NoRelease, Release, list_releases, read_current_release, read_release
from warehouse.row_files import encode_csv, encode_json, encode_parquet, flatten_types
from warehouse.sql import quote_literal
from warehouse.sql_box import answer, client
from warehouse.sql_box.answer import number_names
from warehouse.terminal_text import escape_controls

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


@dataclass(frozen=True)
class RowOutput:
    """Where rows go and in which form.

    Args:
        form: ``table``, ``csv``, ``json``, ``parquet`` or ``markdown``.
        path: The file; standard output if missing.
        leave_formulas: Whether CSV keeps text as it is that a spreadsheet would run as a formula.
    """

    form: str = "table"
    path: Path | None = None
    leave_formulas: bool = False


def check_output(lake: Lake, path: Path | None) -> None:
    """Check that a file for rows is none of the lake's own, also not behind a link.

    Raises:
        QueryError: It is.
    """
    if path is None:
        return
    target = path.resolve()
    is_own = target == lake.root or lake.root in target.parents
    if target.is_file() and target.stat().st_nlink > 1:
        is_own |= any(target.samefile(file) for file in lake.releases.glob("aisle.v*"))
    if is_own:
        raise QueryError(f"{path} belongs to the lake {lake.root}: name a file outside of it")


def print_query_result(
    release: Release, query: str, output: RowOutput, console: Console, *, is_sandboxed: bool = False
) -> None:
    """Run one query on a release and print or write its rows; see `write_rows` for the formats.

    Raises:
        QueryError: The query fails, or its rows cannot be written.
    """
    with _connect(release, is_sandboxed) as fetch_rows:
        write_rows(fetch_rows(query), output, console)


@contextlib.contextmanager
def _connect(release: Release, is_sandboxed: bool) -> Generator[Callable[[str], pl.DataFrame]]:
    """A function that runs a query on the release and returns its rows."""
    if is_sandboxed:
        yield partial(_fetch_rows_in_sandbox, release)
    else:
        with release.connect() as connection:
            yield partial(_fetch_rows, connection, release)


def _fetch_rows_in_sandbox(release: Release, query: str) -> pl.DataFrame:
    try:
        result = client.run_query(release, query)
    except client.QueryFailed as error:
        raise QueryError(str(error)) from error
    frame = result.frame
    if result.is_truncated:
        log(f"only the first {frame.height:,} rows: the sandbox returns no more")
    return frame


def _fetch_rows(connection: duckdb.DuckDBPyConnection, release: Release, query: str) -> pl.DataFrame:
    try:
        relation = connection.sql(query)
        if relation is None:
            return pl.DataFrame()
        return client.build_frame(answer.read_table(relation))
    except (duckdb.Error, pa.ArrowException, answer.UnfitAnswer, OSError, MemoryError) as error:
        # Arrow raises OSError for DuckDB's errors
        if isinstance(error, duckdb.CatalogException) and (place := explain_place(release.lake_tables, query)):
            raise QueryError(place) from error
        raise QueryError(str(error) or "it needs more memory than there is") from error


def write_rows(frame: pl.DataFrame, output: RowOutput, console: Console) -> None:
    """Print rows, or write them to a file.

    What goes to a terminal has its control characters written out; what goes to a file or another program is exact.

    Raises:
        QueryError: Parquet would go to a terminal, or the file cannot be written.
    """
    path, form = output.path, output.form
    if form == "parquet" and path is None and sys.stdout.isatty():
        raise QueryError("Parquet cannot be printed to a terminal: add --output rows.parquet")
    if form == "table" and path is None:
        _print_table(frame, console)
        return
    try:
        if form == "parquet":
            content = encode_parquet(frame)
        elif form in {"csv", "table"}:
            content = encode_csv(frame, leave_formulas=output.leave_formulas)
        else:
            content = (encode_json(frame) if form == "json" else _format_markdown(frame)).encode()
        if path is not None:
            path.write_bytes(content)
        elif form == "parquet":
            sys.stdout.buffer.write(content)
        elif sys.stdout.isatty():
            sys.stdout.write(escape_controls(content.decode()))
        else:
            sys.stdout.write(content.decode())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise QueryError(f"cannot write {path or form}: {error}") from error


def _format_value(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_table(frame: pl.DataFrame, console: Console) -> None:
    """Print rows in DuckDB's table format, which shows types and omits rows and columns that do not fit."""
    if frame.width == 0:
        console.print("done")
        return
    width = console.width if console.is_terminal else 1_000
    names = number_names([escape_controls(name) for name in frame.columns])
    columns = [
        pl.Series(name, [text and escape_controls(text) for text in column], pl.String)
        if column.dtype == pl.String
        else column.alias(name)
        for name, column in zip(names, frame.iter_columns(), strict=True)
    ]
    table = pl.DataFrame(columns).to_arrow()
    with io.StringIO() as text, duckdb.connect() as connection:
        with contextlib.redirect_stdout(text):
            connection.from_arrow(table).show(max_width=width, max_rows=MAX_PRINTED)
        sys.stdout.write(escape_controls(text.getvalue()))  # texts within lists and structs too


def _format_markdown(frame: pl.DataFrame) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    rules = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    rows = ("".join(line([_format_value(value) for value in row])) for row in flatten_types(frame).iter_rows())
    return line(frame.columns) + line(rules) + "".join(rows)


def run_shell(release: Release, console: Console, *, is_sandboxed: bool = False) -> None:
    """Read queries and print their rows until ``.quit`` or the end of input; a failed query prints its error."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - history and editing for input()
    console.print(f"release {release.name} of {release.manifest['published_at'][:16]} UTC, read-only. {_HELP}")
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
                    console.print(str(error), style="red", soft_wrap=True)
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
