"""Evidence of a record: the snapshots that contain it, and where."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards.queries.release import query_column_meanings, query_release
from dashboards.queries.sources import count_removed_rows
from dashboards.text import build_permanent_link, escape_markdown, format_count
from dashboards.widgets.tables import configure_columns, show_table
from warehouse.release import Release

_PLACES = """
    select
        snapshots.fetched_at,
        snapshots.original_name,
        sightings.locator,
        snapshots.url as snapshot_url,
        snapshots.sha256,
        sightings.snapshot_id,
        sightings.record_ordinal,
        sightings.version_id
    from raw.sightings as sightings
    inner join raw.snapshots as snapshots on sightings.snapshot_id = snapshots.snapshot_id
    where sightings.record_id in (select unnest($ids::varchar[]))
    order by snapshots.fetched_at desc, sightings.snapshot_id, sightings.record_ordinal
"""


def query_places(release: Release, *record_ids: str) -> pl.DataFrame:
    """A row for each place of each snapshot that contains one of some records, the newest snapshot first."""
    return query_release(release, _PLACES, {"ids": list(record_ids)})


def show_places(release: Release, *record_ids: str) -> None:
    """Show the snapshots that contain any of some records; if none is in the release file, where they are."""
    places, note = query_places(release, *record_ids), ""
    if places.is_empty() and release.lake_tables:
        names = ", ".join(f"`{name}`" for name in sorted(release.lake_tables))
        note = f"The snapshots with this record are in the lake only: {names} is too large for the release file."
    show_evidence(release, places, "raw.snapshots", note)


def show_removed_rows(release: Release) -> None:
    """Show a message for each list from which rows were removed: they are still counted, and why."""
    for stream, rows in count_removed_rows(release).items():
        st.info(
            f"**{format_count(rows, 'row')} of an earlier snapshot of {escape_markdown(stream)} "
            f"{'is' if rows == 1 else 'are'} no longer in it, but still counted**, since what a list once had was "
            "published, and rows may go by mistake. To leave out a row, mark it as a duplicate in the list; to leave "
            "out all that only the earlier snapshot has, delete its folder in the lake; then run `aisle run`.",
            icon=":material/playlist_remove:",
        )


def show_evidence(release: Release, rows: pl.DataFrame, table: str, note: str = "") -> None:
    """Show the places of a record.

    Args:
        release: The release.
        rows: The places.
        table: The table whose dictionary entries explain the columns.
        note: A sentence to add below.
    """
    st.subheader("Evidence", anchor=False)
    column_config = configure_columns(rows, query_column_meanings(release, table))
    show_table(rows, column_config=column_config, key="evidence")
    snapshots = format_count(rows["snapshot_id"].n_unique(), "snapshot")
    places = format_count(rows.height, "place")
    st.caption(f"{places} in {snapshots}. Snapshots are immutable, named by their SHA-256. {note}")
    st.markdown(f"[Permanent link to this page]({build_permanent_link(release)})")
