"""How far the works of each lab are known: newest work, newest check of its sources, and what may still arrive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import polars as pl

from dashboards.queries.freshness import STALE_FETCH_DAYS, STALE_RECORD_DAYS
from dashboards.queries.release import query_release
from dashboards.queries.selection import Selection
from dashboards.text import format_count, format_number
from warehouse.release import Release

LAB_FRESHNESS_TABLE, LAB_NOWCASTS_TABLE = "mart.lab_freshness", "mart.lab_nowcasts"
LAB_TABLES = (LAB_FRESHNESS_TABLE, LAB_NOWCASTS_TABLE)
CORPUS = "lab_publications"
"""The corpus that both are about."""


def query_lab_freshness(release: Release, today: dt.date) -> pl.DataFrame:
    """The rows of ``mart.lab_freshness`` with ``state``: how far the works of the lab are known today.

    Args:
        release: The release.
        today: The day up to which ages are counted.
    """
    rows = query_release(release, f"from {LAB_FRESHNESS_TABLE} order by works desc, lab")
    states = [_describe_lab(row, today) for row in rows.iter_rows(named=True)]
    return rows.with_columns(state=pl.Series(states, dtype=pl.String))


def _describe_lab(row: dict[str, Any], today: dt.date) -> str:
    if not row["works"]:
        return "no work of it is known"
    newest = row["newest_work_on"]
    parts = []
    if newest and (today - newest).days > STALE_RECORD_DAYS:
        parts.append(f"its newest work is {(today - newest).days:,} days old")
    if row["newest_check_at"] is None:
        return "; ".join(["no feed brings its works", *parts])
    days = (today - row["newest_check_at"].date()).days
    if days > STALE_FETCH_DAYS:
        parts.insert(0, f"stale: last checked {days:,} days ago")
    elif row["filling_from"] is not None:
        parts.append(f"months from {row['filling_from']:%Y-%m} on may still fill up")
    if days <= STALE_FETCH_DAYS and row["expected_late"] is not None:
        parts.append(_describe_late(row))
    return "; ".join(parts) or "up to date"


def _describe_late(row: dict[str, Any]) -> str:
    low, high = (format_number(round(row[name])) for name in ("expected_late_low", "expected_late_high"))
    return f"about {format_number(round(row['expected_late'], 1))} more expected ({low} to {high})"


def describe_late_works(release: Release, selection: Selection, today: dt.date) -> list[str]:
    """The caution on works that are expected to arrive late, of labs whose delays are known; none for others.

    Args:
        release: The release.
        selection: What is counted.
        today: The day up to which ages are counted.
    """
    if selection.corpus != CORPUS or LAB_FRESHNESS_TABLE not in release.manifest["tables"]:
        return []
    rows = query_lab_freshness(release, today)
    chosen = rows.filter(pl.col("lab").is_in(list(selection.labs))) if selection.labs else rows
    known = chosen.filter(
        pl.col("expected_late").is_not_null()
        & ((pl.lit(today) - pl.col("newest_check_at").dt.date()).dt.total_days() <= STALE_FETCH_DAYS)
    )
    first = min((month for month in known["filling_from"] if month is not None), default=None)
    if first is None or (selection.until and selection.until < first):
        return []
    labs = "; ".join(f"{row['lab']} {_describe_late(row)}" for row in known.iter_rows(named=True))
    return [f"**Expected since {first:%Y-%m} beside what is counted**, by the delays known so far: {labs}."]


def build_late_query(selection: Selection) -> tuple[str, dict[str, Any]]:
    """The query for the expected works of the newest months of labs whose delays are known, and its parameters."""
    query = f"""
select
    strftime(published_month, '%Y-%m') as period,
    lab,
    seen_works,
    nowcast_works as expected_publications,
    nowcast_low as expected_low,
    nowcast_high as expected_high,
    work_delays
from {LAB_NOWCASTS_TABLE}
where
    nowcast_works is not null
    and case
        when len($labs::varchar[]) > 0 then list_contains($labs::varchar[], lab)
        else lab != 'all' or not exists (from {LAB_NOWCASTS_TABLE} where lab != 'all' and nowcast_works is not null)
    end
order by period, lab
"""
    return query, {"labs": list(selection.labs)}


def describe_late_total(rows: Sequence[dict[str, Any]]) -> str:
    """The finding on the expected works of the newest months."""
    seen = sum(row["seen_works"] for row in rows)
    expected = sum(row["expected_publications"] for row in rows)
    more = format_number(round(expected - seen, 1))
    return f"Of these months {format_count(seen, 'work')} are seen; about {more} more are expected to arrive."
