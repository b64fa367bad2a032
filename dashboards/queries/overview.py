"""Queries of the overview: contents, news and freshness of a release."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import streamlit as st

from dashboards.queries.release import query_release, report_unreadable
from warehouse.release import Release
from warehouse.sql import quote_literal

MAX_NEW_PUBLICATIONS = 25
# name of a count, its table and expression; old releases may lack a table
_CONTENTS = {
    "publications": ("clean.publications", "count(*) filter (where not is_duplicate)"),
    "labs": ("clean.publications", "count(distinct lab)"),
    "podcast entries": ("clean.episodes", "count(*) filter (where not is_repeat)"),
    "forum segments": ("clean.segments", "count(*)"),
    "snapshots": ("raw.snapshots", "count(*)"),
    "sources": ("raw.snapshots", "count(distinct source)"),
}


def count_contents(release: Release) -> dict[str, int]:
    """Counts of the release's contents by name; publications without marked duplicates."""
    present = {name: entry for name, entry in _CONTENTS.items() if entry[0] in release.manifest["tables"]}
    columns = ", ".join(
        f'(select {expression} from {table}) as "{name}"' for name, (table, expression) in present.items()
    )
    return query_release(release, f"select {columns}").row(0, named=True)


def query_freshness(release: Release) -> pl.DataFrame:
    """The newest snapshot and newest record of each source.

    Returns:
        ``source``, ``snapshots``, ``newest_snapshot_at``, ``records_read``, ``newest_record_on`` and ``covers_until``.
    """
    query = """
        select
            snapshots.source,
            count(*) as snapshots,
            max(snapshots.fetched_at) as newest_snapshot_at,
            cast(sum(parses.records_read) as bigint) as records_read,
            any_value(silences.newest_on) as newest_record_on,
            any_value(silences.covers_until) as covers_until
        from raw.snapshots as snapshots
        left join raw.parses as parses on snapshots.snapshot_id = parses.snapshot_id
        left join mart.source_silences as silences on snapshots.source = silences.source
        group by snapshots.source
        order by snapshots.source
    """
    return query_release(release, query)


def list_trends(release: Release, dimension: str) -> pl.DataFrame:
    """The trends of a dimension (``all``, ``lab`` or ``category``), most works first.

    Returns:
        ``member``, ``works``, ``finding`` and ``sentence``.
    """
    query = """
        select member, works, finding, sentence
        from mart.publication_trends
        where dimension = $dimension
        order by works desc, member
    """
    return query_release(release, query, {"dimension": dimension})


def list_new_publications(newer: Release, older: Release) -> pl.DataFrame:
    """The newest `MAX_NEW_PUBLICATIONS` publications of the newer release that the older one lacks.

    Returns:
        ``publication_id``, ``title``, ``lab``, ``category``, ``published_on`` and ``in_all`` (how many are new).

    Raises:
        UnreadableRelease: One of the releases cannot be read.
    """
    moments = [str(release.manifest["published_at"]) for release in (newer, older)]
    return _query_new_publications(str(newer.path), str(older.path), *moments)


@st.cache_data(max_entries=16, show_spinner=False)
def _query_new_publications(newer: str, older: str, newer_at: str, older_at: str) -> pl.DataFrame:  # noqa: ARG001 - cached by time too
    query = f"""
        with new as (
            select publication_id, title, lab, category, published_on
            from newer.clean.publications
            anti join older.clean.publications using (publication_id)
        )

        select *, (select count(*) from new) as in_all
        from new
        order by published_on desc nulls last, publication_id
        limit {MAX_NEW_PUBLICATIONS}
    """
    with duckdb.connect() as connection:
        for alias, path in (("newer", newer), ("older", older)):
            with report_unreadable(Path(path)):
                connection.execute(f"attach {quote_literal(path)} as {alias} (read_only)")
        with report_unreadable(Path(newer)):
            return connection.sql(query).pl()


def list_changed_tables(newer: Release, older: Release) -> pl.DataFrame:
    """Tables whose content hashes differ between two releases.

    Returns:
        ``table_name``, ``rows_before`` and ``rows_now``; null where a release lacks the table.
    """
    before, now = older.manifest["tables"], newer.manifest["tables"]
    rows = [
        {
            "table_name": name,
            "rows_before": before.get(name, {}).get("rows"),
            "rows_now": now.get(name, {}).get("rows"),
        }
        for name in sorted({*before, *now})
        if before.get(name, {}).get("content_sha256") != now.get(name, {}).get("content_sha256")
    ]
    schema = {"table_name": pl.String, "rows_before": pl.Int64, "rows_now": pl.Int64}
    return pl.DataFrame(rows, schema=schema)


def count_days_since(release: Release) -> int:
    """Whole days since the release was published."""
    at = dt.datetime.fromisoformat(release.manifest["published_at"])
    return (dt.datetime.now(dt.UTC) - at).days
