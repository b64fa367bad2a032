"""What the pages about the data themselves ask: sources, checks, rejects, meaning and origin of columns."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import streamlit as st

from dashboards.queries.release import ask, lake
from warehouse.release import Release

SHOWN_REJECTS = 1000

SOURCES = """
    with fetched as (
        select
            source,
            count(*) as snapshots,
            max(fetched_at) as newest_at,
            string_agg(distinct licence, '; ' order by licence) as licence
        from raw.snapshots
        group by source
    ),

    read as (
        select
            source,
            cast(sum(records_read) as bigint) as records_read,
            cast(sum(records_kept) as bigint) as records_kept,
            cast(sum(records_repeated) as bigint) as records_repeated,
            cast(sum(records_rejected) as bigint) as records_rejected
        from raw.parses
        group by source
    )

    select
        coalesce(source, '(recognised by none)') as source,
        snapshots,
        newest_at,
        date_diff('day', cast(newest_at as date), $today::date) as days_since,
        covers_from,
        covers_until,
        records_read,
        records_kept,
        records_repeated,
        records_rejected,
        licence,
        basis
    from fetched
    full join read using (source)
    full join clean.coverage using (source)
    order by source
"""

MONTHS = """
    select published_month, records, is_covered, is_part_period
    from mart.coverage_by_source_month
    where source = $source and published_month is not null
    order by published_month
"""

# how a name, or what is said of it, is looked for; without regard to case, and nothing in it has a special meaning
_FOUND = "contains(lower(concat_ws(' ', table_name, column_name, column_meaning, row_meaning, unit)), lower($wanted))"


@dataclass(frozen=True)
class Check:
    """The result of a check when a release was made."""

    table: str
    check: str
    passed: bool
    is_critical: bool
    says: str


def sources(release: Release, today: dt.date) -> pl.DataFrame:
    """Each source: its snapshots and licence, days since the newest, the span it covers and the account of its records.

    Args:
        release: The release.
        today: The day from which the days since the newest snapshot are counted.
    """
    return ask(release, SOURCES, {"today": today})


def undated(release: Release) -> dict[str, int]:
    """Number of records without a date, for each source that has some."""
    query = """
        select source, records
        from mart.coverage_by_source_month
        where published_month is null
        order by source
    """
    return dict(ask(release, query).iter_rows())


def reject_reasons(release: Release) -> pl.DataFrame:
    """How often each source's records could not be used, by reason, the most frequent first."""
    query = """
        select source, reason, is_fault, count(*) as records, count(distinct snapshot_id) as snapshots
        from raw.rejects
        group by all
        order by records desc, source, reason
    """
    return ask(release, query)


def rejects(release: Release, source: str | None, reason: str | None, most: int | None = SHOWN_REJECTS) -> pl.DataFrame:
    """Records that could not be used, each with its reason and its raw text.

    Args:
        release: The release.
        source: Only of this source, unless none.
        reason: Only for this reason, unless none.
        most: How many at most; all if none.
    """
    query = """
        select source, original_name, locator, reason, is_fault, raw_text, snapshot_id, record_ordinal
        from raw.rejects
        where ($source::varchar is null or source = $source) and ($reason::varchar is null or reason = $reason)
        order by source, original_name, snapshot_id, record_ordinal
        limit $most::bigint
    """
    return ask(release, query, {"source": source, "reason": reason, "most": most})


def refused_files(release: Release) -> pl.DataFrame:
    """Files that no source could take, each with the reason, the newest first."""
    query = """
        select original_name, reason, size_bytes, refused_at, sha256
        from raw.refused_files
        order by refused_at desc, original_name
    """
    return ask(release, query)


def tables(release: Release, wanted: str = "") -> pl.DataFrame:
    """The tables of a release of which the name, meaning or a column has a text, with their numbers of rows."""
    query = f"""
        select
            table_name,
            any_value(row_meaning) as row_meaning,
            count(*) as columns,
            string_agg(column_name, ', ' order by column_ordinal) filter (where is_key) as key
        from reference.dictionary
        group by table_name
        having $wanted = '' or bool_or({_FOUND})
        order by table_name
    """
    rows = {name: told["rows"] for name, told in release.manifest["tables"].items()}
    found = ask(release, query, {"wanted": wanted})
    return found.with_columns(rows=pl.col("table_name").replace_strict(rows, default=None, return_dtype=pl.Int64))


def columns(release: Release, table: str | None = None, wanted: str = "") -> pl.DataFrame:
    """The columns of one table, or those of all tables that have a text in their names or meanings."""
    query = f"""
        select table_name, column_name, column_type, unit, column_meaning, limits, is_key
        from reference.dictionary
        where
            ($table_name::varchar is null or table_name = $table_name)
            and ($wanted = '' or {_FOUND.replace("row_meaning, ", "")})
        order by table_name, column_ordinal
    """
    return ask(release, query, {"table_name": table, "wanted": wanted})


def checks(release: Release) -> list[Check]:
    """The results of all checks when a release was made, those that failed first, critical ones before."""
    told = [Check(**one) for one in release.manifest.get("checks", ())]
    return sorted(told, key=lambda one: (one.passed, not one.is_critical, one.table, one.check))


def last_run_checks() -> tuple[str, list[Check]] | None:
    """When the last run ended and what its checks said, whether it published or not; none if nobody knows.

    Only the checks that failed are of interest to a reader, so only those are returned.
    """
    try:
        told = json.loads((lake().root / "last_run.json").read_text(encoding="utf-8"))
        failed = [Check(**one) for one in told["checks"] if not one["passed"]]
        return str(told["ended_at"]), failed
    except (OSError, ValueError, KeyError, TypeError):  # never run, or written by another version
        return None


CHECKS_OVER_RELEASES = """
    with told as (
        select release, published_at, unnest(checks) as told
        from read_json($manifests, columns = {
            release: 'bigint', published_at: 'timestamptz',
            checks: 'struct("table" varchar, "check" varchar, passed boolean, is_critical boolean, says varchar)[]'
        })
    )

    select
        'v' || release as release,
        published_at,
        case
            when told.passed then 'passed'
            when told.is_critical then 'failed, critical'
            else 'failed, warns'
        end as outcome,
        count(*) as checks
    from told
    group by told.release, published_at, outcome
    order by told.release, outcome
"""


def checks_over(releases: Sequence[Release]) -> pl.DataFrame:
    """How many checks passed and failed when each of these releases was made, from their manifests."""
    return _checks_over(tuple((str(release.path), str(release.manifest["published_at"])) for release in releases))


@st.cache_data(max_entries=8, show_spinner=False)
def _checks_over(keys: tuple[tuple[str, str], ...]) -> pl.DataFrame:
    manifests = [str(Path(path).with_suffix(".json")) for path, _ in keys]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(CHECKS_OVER_RELEASES, params={"manifests": manifests}).pl()


# the tables below and above one: what it is made from, and what is made from it, at any distance
_AROUND = """
    with recursive tables as (
        select distinct table_name, from_table
        from reference.lineage
        where column_name = '*'
    ),

    below as (
        select table_name, from_table
        from tables
        where table_name = $table_name
        union
        select tables.table_name, tables.from_table
        from below
        inner join tables on below.from_table = tables.table_name
    ),

    above as (
        select table_name, from_table
        from tables
        where from_table = $table_name
        union
        select tables.table_name, tables.from_table
        from above
        inner join tables on above.table_name = tables.from_table
    )

    select from_table, table_name
    from below
    union
    select from_table, table_name
    from above
    order by from_table, table_name
"""

ORIGINS = """
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

USES = """
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


def tables_around(release: Release, table: str) -> list[tuple[str, str]]:
    """Pairs of a table and one made from it: all that a table is made from, and all that is made from it."""
    return [(str(source), str(made)) for source, made in ask(release, _AROUND, {"table_name": table}).iter_rows()]


def origins(release: Release, table: str, column: str) -> pl.DataFrame:
    """Every column that a column's values are made from, at any distance, the nearest first."""
    return ask(release, ORIGINS, {"table_name": table, "column_name": column})


def uses(release: Release, table: str, column: str) -> pl.DataFrame:
    """Every column whose values are made from a column, at any distance, the nearest first."""
    return ask(release, USES, {"table_name": table, "column_name": column})


def has_lineage(release: Release) -> bool:
    """Whether the release tells where columns come from; those made before that was written down do not."""
    return "reference.lineage" in release.manifest["tables"]
