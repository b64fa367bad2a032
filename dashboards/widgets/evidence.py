"""The last link of every chain: the places in snapshots at which a record stands, shown alike for every thing."""

from __future__ import annotations

import polars as pl
import streamlit as st

from dashboards import text
from dashboards.charts import palette
from dashboards.queries import release as read
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
    where sightings.record_id = $id
    order by snapshots.fetched_at desc, sightings.snapshot_id, sightings.record_ordinal
"""


def places(release: Release, record_id: str) -> pl.DataFrame:
    """Where a record stands: a row for each place in each snapshot, the newest first."""
    return read.ask(release, _PLACES, {"id": record_id})


def panel(release: Release, rows: pl.DataFrame, table: str) -> None:
    """The places, with what they mean.

    Args:
        release: Where the meanings are looked up.
        rows: The places.
        table: The table by which the columns are explained.
    """
    st.subheader("Evidence", anchor=False)
    told = palette.columns(rows, read.meanings(release, table))
    palette.table(rows, column_config=told, key="evidence")
    st.caption(
        f"{text.counted(rows.height, 'place')} in "
        f"{text.counted(rows['snapshot_id'].n_unique(), 'snapshot')}: bytes kept unchanged, named by their SHA-256."
    )
    st.markdown(f"[Permanent link to this page]({text.permanent_link(release)})")
