"""Queries on the data dictionary of a release."""

from __future__ import annotations

import polars as pl

from dashboards.queries.release import query_release
from warehouse.lake_tables import list_all_tables
from warehouse.release import Release

# a search in names and meanings: case-insensitive, without wildcards
_IS_MATCH = "contains(lower(concat_ws(' ', table_name, column_name, column_meaning, row_meaning, unit)), lower($text))"


def search_tables(release: Release, text: str = "") -> pl.DataFrame:
    """The tables with a text in their names, meanings or columns; all if the text is empty. With row counts."""
    query = f"""
        select
            table_name,
            any_value(row_meaning) as row_meaning,
            count(*) as columns,
            string_agg(column_name, ', ' order by column_ordinal) filter (where is_key) as key
        from reference.dictionary
        group by table_name
        having $text = '' or bool_or({_IS_MATCH})
        order by table_name
    """
    row_counts = {name: entry["rows"] for name, entry in list_all_tables(release.manifest).items()}
    tables = query_release(release, query, {"text": text})
    return tables.with_columns(
        rows=pl.col("table_name").replace_strict(row_counts, default=None, return_dtype=pl.Int64)
    )


def search_columns(release: Release, table: str | None = None, text: str = "") -> pl.DataFrame:
    """The columns of one table (all if None) with a text in their names or meanings; all if the text is empty."""
    query = f"""
        select table_name, column_name, column_type, unit, column_meaning, limits, is_key
        from reference.dictionary
        where
            ($table_name::varchar is null or table_name = $table_name)
            and ($text = '' or {_IS_MATCH.replace("row_meaning, ", "")})
        order by table_name, column_ordinal
    """
    return query_release(release, query, {"table_name": table, "text": text})
