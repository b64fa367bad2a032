"""SQL on the lake: the tables that a query reads, and DuckDB connections on tables of the lake."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb

from warehouse.delta import quote_literal as quote_literal
from warehouse.lake import Lake
from warehouse.scratch import configure_connection as configure_connection
from warehouse.scratch import open_scratch
from warehouse.table import LAYERS, DeclarationError

_MACROS = Path(__file__).parent / "macros"
SCALAR_MACROS = "\n".join(
    (_MACROS / f"{name}.sql").read_text(encoding="utf-8") for name in ("statistics", "links", "words")
)
TABLE_MACROS = (_MACROS / "counts.sql").read_text(encoding="utf-8")  # the tables they read must exist


LAST_RELEASE = "last_release"  # schema of the tables of the last release, for a table that notes what has changed
# what a release of an earlier version has in place of tables that the macros read
_FORMER_TABLES = {
    "mart.work_counts_by_month": "(select *, 'iaps_mapping' as corpus from mart.publication_counts_by_month)",
    "mart.counted_works": """(
        select *, 'iaps_mapping' as corpus, publication_id as item_id, null as work_id from mart.counted_publications
    )""",
    "mart.corpus_coverage": "(select *, 'iaps_mapping' as corpus from clean.coverage where source = 'lab_sheet')",
    "clean.corpora": "(select 'iaps_mapping' as corpus, 'iaps' as taxonomy)",
}


def _replace_new_tables(macros: str) -> str:
    for table, former in _FORMER_TABLES.items():
        macros = re.sub(rf"\b(from|join) {re.escape(table)}\b", rf"\1 {former}", macros)
    return macros.replace("create or replace macro", "create or replace temp macro")


# for a connection to a release that was published before some of them
TEMPORARY_TABLE_MACROS = _replace_new_tables(TABLE_MACROS)


@cache
def list_macro_tables() -> frozenset[str]:
    """Names of the tables that the table macros read; a release that lacks one of them has no table macros."""
    return frozenset(re.findall(rf"\b(?:from|join) ((?:{'|'.join(LAYERS)})\.\w+)", TABLE_MACROS))


def list_source_tables(query: str) -> tuple[str, ...]:
    """Names of the tables that a query reads, sorted.

    Raises:
        DeclarationError: The text is not exactly one query, or a table name has no layer.
    """
    import sqlglot
    from sqlglot import exp

    try:
        statements = sqlglot.parse(query, read="duckdb")
    except sqlglot.ParseError as error:
        raise DeclarationError(f"the query cannot be parsed: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise DeclarationError("it is not exactly one query")
    cte_names = {cte.alias for cte in statements[0].find_all(exp.CTE)}
    names = set()
    for table in statements[0].find_all(exp.Table):
        if isinstance(table.this, exp.Func) or (not table.db and table.name in cte_names) or table.db == LAST_RELEASE:
            continue
        if table.db not in LAYERS:
            raise DeclarationError(f"it reads {table.sql()}, which names no layer ({', '.join(LAYERS)})")
        names.add(f"{table.db}.{table.name}")
    return tuple(sorted(names))


@cache
def _split_scalar_macros() -> dict[str, str]:
    """The statement of each scalar macro, by its name."""
    statements = re.split(r"^(?=create or replace macro )", SCALAR_MACROS, flags=re.MULTILINE)[1:]
    return {statement.partition("(")[0].split()[-1]: statement for statement in statements}


def select_scalar_macros(query: str) -> str:
    """The statements of the scalar macros that a query calls, directly or through others; all take 12 ms to create."""
    macros, text, needed = _split_scalar_macros(), query, set[str]()
    while called := {name.lower() for name in re.findall(r"\b(\w+)\s*\(", text)} & macros.keys() - needed:
        needed |= called
        text = "".join(macros[name] for name in called)
    return "".join(statement for name, statement in macros.items() if name in needed)


@contextmanager
def connect_tables(
    lake: Lake, tables: Iterable[str], query: str = "", *, sightings_of: Collection[str] = ()
) -> Generator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in UTC for a query: with a view of each table under its own name, and the macros it calls.

    DuckDB stays within its part of the memory budget and writes what does not fit to a folder of the lake.

    Args:
        lake: The lake.
        tables: Names of the tables.
        query: The query.
        sightings_of: The raw tables of which ``raw.sightings`` are wanted; all if there is none.

    Raises:
        FileNotFoundError: A table was never written.
        InvalidMemory: The memory budget is no amount of memory.
    """
    with open_scratch(lake.root) as connection:
        connection.execute(select_scalar_macros(query))
        for name in tables:
            lake.create_view(connection, name, sightings_of=sightings_of)
        yield connection
