"""Queries of the page Rejects: rejected records and refused files, with their reasons."""

from __future__ import annotations

import polars as pl

from dashboards.queries.release import query_release
from warehouse.release import Release

MAX_REJECTS = 1000


def count_reject_reasons(release: Release) -> pl.DataFrame:
    """Number of rejected records by source and reason, most frequent first."""
    query = """
        select source, reason, is_fault, count(*) as records, count(distinct snapshot_id) as snapshots
        from raw.rejects
        group by all
        order by records desc, source, reason
    """
    return query_release(release, query)


def list_rejects(
    release: Release, source: str | None, reason: str | None, limit: int | None = MAX_REJECTS
) -> pl.DataFrame:
    """Rejected records with their reasons and raw texts.

    Args:
        release: The release.
        source: Only records of this source; None for all.
        reason: Only records rejected for this reason; None for all.
        limit: Maximum number of records; None for all.
    """
    query = """
        select source, original_name, locator, reason, is_fault, raw_text, snapshot_id, record_ordinal
        from raw.rejects
        where ($source::varchar is null or source = $source) and ($reason::varchar is null or reason = $reason)
        order by source, original_name, snapshot_id, record_ordinal
        limit $limit::bigint
    """
    return query_release(release, query, {"source": source, "reason": reason, "limit": limit})


def list_refused_files(release: Release) -> pl.DataFrame:
    """Files that no source accepted, with the reasons, newest first."""
    query = """
        select original_name, reason, size_bytes, refused_at, sha256
        from raw.refused_files
        order by refused_at desc, original_name
    """
    return query_release(release, query)
