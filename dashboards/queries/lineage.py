"""Queries on the lineage of tables and columns."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

# all upstream and downstream tables of a table, at any distance
_EDGES_QUERY = """
    with recursive tables as (
        select distinct table_name, from_table
        from reference.lineage
        where column_name = '*'
    ),

    upstream as (
        select table_name, from_table
        from tables
        where table_name = $table_name
        union
        select tables.table_name, tables.from_table
        from upstream
        inner join tables on upstream.from_table = tables.table_name
    ),

    downstream as (
        select table_name, from_table
        from tables
        where from_table = $table_name
        union
        select tables.table_name, tables.from_table
        from downstream
        inner join tables on downstream.table_name = tables.from_table
    )

    select from_table, table_name
    from upstream
    union
    select from_table, table_name
    from downstream
    order by from_table, table_name
"""

_ORIGINS_QUERY = """
    with recursive steps as (
        select 1 as step, table_name, column_name, from_table, from_column
        from reference.lineage
        where table_name = $table_name and column_name = $column_name
        union
        select steps.step + 1, lineage.table_name, lineage.column_name, lineage.from_table, lineage.from_column
        from steps
        inner join reference.lineage as lineage
            on
                steps.from_table = lineage.table_name
                and steps.from_column = lineage.column_name
                and lineage.column_name != '*'
    )

    select
        min(steps.step) as step,
        steps.table_name,
        steps.column_name,
        steps.from_table,
        steps.from_column,
        dictionary.column_meaning as from_column_meaning
    from steps
    left join reference.dictionary as dictionary
        on steps.from_table = dictionary.table_name and steps.from_column = dictionary.column_name
    group by all
    order by step, steps.table_name, steps.column_name, steps.from_table, steps.from_column
"""

_USES_QUERY = """
    with recursive steps as (
        select 1 as step, table_name, column_name, from_table, from_column
        from reference.lineage
        where from_table = $table_name and from_column = $column_name and column_name != '*'
        union
        select steps.step + 1, lineage.table_name, lineage.column_name, lineage.from_table, lineage.from_column
        from steps
        inner join reference.lineage as lineage
            on steps.table_name = lineage.from_table and steps.column_name = lineage.from_column
        where lineage.column_name != '*'
    )

    select min(step) as step, table_name, column_name, from_table, from_column
    from steps
    group by all
    order by step, table_name, column_name, from_table, from_column
"""


def list_lineage_edges(release: Release, table: str) -> list[tuple[str, str]]:
    """Pairs of a table and one derived from it, for all upstream and downstream tables of a table."""
    return [
        (str(source), str(derived))
        for source, derived in query_release(release, _EDGES_QUERY, {"table_name": table}).iter_rows()
    ]


def list_origins(release: Release, table: str, column: str) -> pl.DataFrame:
    """All columns from which a column is derived, at any distance, nearest first."""
    return query_release(release, _ORIGINS_QUERY, {"table_name": table, "column_name": column})


def list_uses(release: Release, table: str, column: str) -> pl.DataFrame:
    """All columns derived from a column, at any distance, nearest first."""
    return query_release(release, _USES_QUERY, {"table_name": table, "column_name": column})


def list_steps(edges: Collection[tuple[str, str]], table: str) -> dict[str, list[list[str]]]:
    """The tables that a table is built from, and those that are built from it, by the number of steps between them.

    Args:
        edges: Pairs of a table and one that is built from it, as of `list_lineage_edges`.
        table: Name of the table.

    Returns:
        ``upstream`` and ``downstream``, each with the names one step away, two steps away, and so on; a table that is
        reached in several ways is where it is reached first.
    """
    steps = {}
    for direction, pairs in (("upstream", [(target, source) for source, target in edges]), ("downstream", edges)):
        seen, found = {table}, list[list[str]]()
        while reached := sorted({end for start, end in pairs if start in (found[-1] if found else [table])} - seen):
            seen.update(reached)
            found.append(reached)
        steps[direction] = found
    return steps
