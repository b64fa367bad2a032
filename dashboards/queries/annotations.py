"""Events and corrections in the periods of a chart: noted by hand, or found by comparing releases."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

import polars as pl
import streamlit as st

from dashboards.queries.corpora import MAPPING
from dashboards.queries.counts import COUNTS_TABLE
from dashboards.queries.release import (
    UnreadableRelease,
    get_cache_key,
    list_readable_releases,
    query_release,
    report_unreadable,
)
from dashboards.queries.selection import Dimension, Selection
from dashboards.text import format_number
from warehouse.release import Release
from warehouse.release_diff import explain_changes

CORRECTION_KINDS = ("correction", "rule change")
"""Kinds of annotation about the numbers themselves rather than about outside events."""
RELEASES_COMPARED = 12
"""How many earlier releases are compared, each with the next one."""
CHANGES_PAGE = "changes?"  # address of the page that compares two releases
_GROWTH = ("new work", "found late")  # causes that add publications without correcting an earlier count
_TOLERANCE = 1e-9
_SCHEMA = {
    "period": pl.String,
    "panel": pl.String,
    "happened_on": pl.Date,
    "kind": pl.String,
    "annotation": pl.String,
    "source": pl.String,
}


def find_annotations(
    release: Release, selection: Selection, frame: pl.DataFrame, panel_of: Dimension | None = None
) -> pl.DataFrame:
    """Events and corrections in the periods of a frame.

    Corrections are those noted by hand, and counts of the selection that one of the `RELEASES_COMPARED` newest releases
    changed other than by growth, with their causes from `warehouse.release_diff`. Changes that cancel out within a
    drawn count are left out. A rolling window has the events of its last month and the corrections of all twelve.

    Args:
        release: The release.
        selection: Which publications are counted.
        frame: Rows of `counts.build_counts_query`.
        panel_of: The dimension with one panel per member, if any.

    Returns:
        ``period``, ``panel`` (null if it belongs to all), ``happened_on``, ``kind``, ``annotation`` and ``source``.

    Raises:
        UnreadableRelease: A release lacks a table, or cannot be read.
    """
    if frame.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    spans = frame.select("period", "starts_on", "ends_on").unique(maintain_order=True)
    event_spans = spans
    if selection.grain == "rolling_12_months":
        event_spans = spans.with_columns(starts_on=pl.col("ends_on").dt.month_start())
    annotations = _query_events(release, event_spans)
    if selection.corpus in (None, MAPPING):  # a living corpus grows from release to release
        annotations = pl.concat([annotations, *_find_corrections(release, selection, spans, panel_of)])
    return annotations.sort("happened_on", "period", "annotation")


def _query_events(release: Release, spans: pl.DataFrame) -> pl.DataFrame:
    if "reference.annotations" not in release.manifest["tables"]:  # missing in old releases
        return pl.DataFrame(schema=_SCHEMA)
    query = """
        select periods.period, cast(null as varchar) as panel, happened_on, kind, annotation, source
        from (select unnest($period) as period, unnest($starts_on) as starts_on, unnest($ends_on) as ends_on) as periods
        inner join reference.annotations as annotations on happened_on between starts_on and ends_on
    """
    return query_release(release, query, spans.to_dict(as_series=False))


def _find_corrections(
    release: Release, selection: Selection, spans: pl.DataFrame, panel_of: Dimension | None
) -> list[pl.DataFrame]:
    """Counts of the selection that a release changed from the one before, other than by growth."""
    releases = [other for other in list_readable_releases() if other.number <= release.number]
    rows = []
    for old, new in pairwise(releases[-RELEASES_COMPARED - 1 :]):
        if _get_counts_hash(old) == _get_counts_hash(new):
            continue
        try:
            changed = _query_changes(get_cache_key(old), get_cache_key(new), selection.rule, selection.taxonomy)
        except UnreadableRelease:  # logged; a damaged older release costs its corrections, not the chart
            continue
        for column, names in (("lab", selection.labs), ("category", selection.categories)):
            if names:
                changed = changed.filter(pl.col(column).is_in(names))
        is_within = pl.col("published_month").is_between("starts_on", "ends_on")
        cell = ["period", *selection.dimensions]
        changed = changed.join_where(spans, is_within).filter(pl.col("amount").sum().over(cell).abs() > _TOLERANCE)
        parts = changed.with_columns(panel=pl.col(panel_of) if panel_of else pl.lit(None, pl.String))
        rows.extend(_build_row(part, old, new) for part in parts.partition_by("period", "panel", "kind"))
    return [pl.DataFrame(rows, schema=_SCHEMA, orient="row")] if rows else []


def _build_row(changes: pl.DataFrame, old: Release, new: Release) -> tuple[object, ...]:
    """A row of `find_annotations` from the changed counts of one kind in a period and panel."""
    period, panel, kind = changes.select("period", "panel", "kind").row(0)
    labs = changes["lab"].unique()
    member = panel or (labs[0] if len(labs) == 1 else None)
    by_cause = changes.group_by("cause").agg(
        more=pl.col("amount").clip(lower_bound=0).sum(), fewer=-pl.col("amount").clip(upper_bound=0).sum()
    )
    parts = []
    for row in by_cause.sort("cause").iter_rows(named=True):
        amounts = [f"{format_number(row[sign])} {sign}" for sign in ("more", "fewer") if row[sign]]
        parts.append(f"{' and '.join(amounts)} ({row['cause']})")
    of_member = f" of {member}" if member else ""
    text = f"release {new.name} counts {', '.join(parts)} in {period}{of_member} than {old.name}"
    published_on = dt.datetime.fromisoformat(new.manifest["published_at"]).date()
    return period, panel, published_on, kind, text, f"{CHANGES_PAGE}old={old.name}&new={new.name}&counts={COUNTS_TABLE}"


def _get_counts_hash(release: Release) -> object:
    """Hash of the counts of a release; where it is equal, no count can differ."""
    return release.manifest["tables"].get(COUNTS_TABLE, {}).get("content_sha256")


@st.cache_data(max_entries=128, show_spinner="Comparing with earlier releases")
def _query_changes(old: tuple[int, str, str], new: tuple[int, str, str], rule: str, taxonomy: str) -> pl.DataFrame:
    """Corrections between releases: ``lab``, ``category``, ``published_month``, ``cause``, ``amount``, ``kind``."""
    before, after = (Release(number, Path(path), {}) for number, path, _ in (old, new))
    with report_unreadable(before.path), report_unreadable(after.path):
        try:
            changes = explain_changes(before, after, COUNTS_TABLE, {"counting_rule": rule, "taxonomy": taxonomy})
        except KeyError:  # an old release may lack the counts
            return pl.DataFrame(
                schema=dict.fromkeys(("lab", "category", "kind", "cause"), pl.String)
                | {"published_month": pl.Date, "amount": pl.Float64}
            )
    kind = pl.when(pl.col("cause") == "rule changed").then(pl.lit("rule change")).otherwise(pl.lit("correction"))
    return changes.filter(~pl.col("cause").is_in(_GROWTH)).select(
        "lab", "category", "published_month", "cause", "amount", kind=kind
    )
