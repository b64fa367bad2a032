"""Queries of the overview: contents, news and freshness of a release."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import streamlit as st

from dashboards.queries.release import query_release, report_unreadable
from warehouse.lake_tables import list_all_tables
from warehouse.release import Release
from warehouse.sql import quote_literal

MAX_NEW_PUBLICATIONS = 25
# a count by the name that the page shows: tables and expressions that add up to it; old releases may lack a table
_CONTENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "publications": (("clean.publications", "count(*) filter (where not is_duplicate)"),),
    "labs": (("clean.publications", "count(distinct lab)"),),
    "papers": (("clean.papers", "count(*)"),),
    "podcast episodes": (
        ("clean.episodes", "count(*) filter (where not is_repeat)"),
        ("clean.feed_items", "count(*) filter (where audio_url is not null)"),
    ),
    "entries of other feeds": (("clean.feed_items", "count(*) filter (where audio_url is null)"),),
    "forum posts": (("clean.forum_posts", "count(*)"),),
    "forum comments": (("clean.forum_comments", "count(*)"),),
    "segments of forum pages": (("clean.segments", "count(*)"),),
    "snapshots": (("raw.snapshots", "count(*)"),),
    "sources": (("raw.snapshots", "count(distinct source)"),),
}


def count_contents(release: Release) -> dict[str, int]:
    """Counts of the release's contents by name, without marked duplicates and repeated episodes."""
    tables = release.manifest["tables"]
    present = {
        name: [f"(select {expression} from {table})" for table, expression in parts if table in tables]
        for name, parts in _CONTENTS.items()
    }
    columns = ", ".join(f'{" + ".join(parts)} as "{name}"' for name, parts in present.items() if parts)
    return query_release(release, f"select {columns}").row(0, named=True)


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
    before, now = (list_all_tables(release.manifest) for release in (older, newer))
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
