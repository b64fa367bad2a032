"""Queries of the page Sources: freshness, licence, coverage and record counts of each source."""

from __future__ import annotations

import datetime as dt

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

REMOVED_TABLE = "mart.removed_publications"

SOURCES_QUERY = """
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

RECORDS_BY_MONTH_QUERY = """
    select published_month, records, is_covered, is_part_period
    from mart.coverage_by_source_month
    where source = $source and published_month is not null
    order by published_month
"""


def query_sources(release: Release, today: dt.date) -> pl.DataFrame:
    """Each source with its snapshots, licence, days since the newest snapshot, covered span and record counts.

    Args:
        release: The release.
        today: The day up to which ``days_since`` counts.
    """
    return query_release(release, SOURCES_QUERY, {"today": today})


def list_dated_sources(release: Release) -> list[str]:
    """The sources with months to draw, in order."""
    query = """
        select distinct source
        from mart.coverage_by_source_month
        where published_month is not null
        order by source
    """
    return query_release(release, query)["source"].to_list()


def count_removed_rows(release: Release) -> dict[str, int]:
    """Number of rows by list that an earlier snapshot had and no newest snapshot of any list has."""
    query = f"select stream, count(*) from {REMOVED_TABLE} group by stream order by stream"
    return dict(query_release(release, query).iter_rows())


def find_lists_without(release: Release, publication_id: str) -> list[tuple[str, dt.datetime]]:
    """The lists that a publication was removed from, each with the time of the last snapshot that has it."""
    query = f"select stream, last_listed_at from {REMOVED_TABLE} where publication_id = $id order by stream"
    return query_release(release, query, {"id": publication_id}).rows()


def list_refused_estimates(release: Release) -> list[tuple[str, str, str]]:
    """The pairs of lists without an estimate of what both miss, with the reason; none in a release without reasons."""
    rows = query_release(release, "from mart.list_overlaps order by first_list, second_list")
    if "no_estimate_reason" not in rows.columns:
        return []
    return rows.drop_nulls("no_estimate_reason").select("first_list", "second_list", "no_estimate_reason").rows()


def count_undated_records(release: Release) -> dict[str, int]:
    """Number of undated records by source, for the sources that have any."""
    query = """
        select source, records
        from mart.coverage_by_source_month
        where published_month is null
        order by source
    """
    return dict(query_release(release, query).iter_rows())
