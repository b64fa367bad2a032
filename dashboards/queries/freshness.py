"""How fresh a release is: the newest snapshot and record of each source, and what makes its data stale."""

from __future__ import annotations

import datetime as dt

import polars as pl

from dashboards.queries.release import query_release
from dashboards.text import format_count, format_date
from warehouse.release import Release

FRESHNESS_TABLE = "mart.source_freshness"
STALE_FETCH_DAYS = 30  # since the newest snapshot
STALE_RECORD_DAYS = 92  # since the newest record, or since the end of what is covered


def query_freshness(release: Release, today: dt.date) -> pl.DataFrame:
    """The newest snapshot and newest record of each source; every item with a date counts, of whatever kind.

    Args:
        release: The release.
        today: The day up to which ages are counted.

    Returns:
        The columns of ``mart.source_freshness`` and ``state``: whether the source is stale, and why a date is missing.
    """
    rows = query_release(release, f"from {FRESHNESS_TABLE} order by source")
    return rows.with_columns(
        state=pl.Series([_describe_source(row, today) for row in rows.iter_rows(named=True)], dtype=pl.String)
    )


def _describe_source(row: dict[str, object], today: dt.date) -> str:
    fetched, newest = row["newest_snapshot_at"], row["newest_record_on"]
    parts = []
    if isinstance(fetched, dt.datetime) and (today - fetched.date()).days > STALE_FETCH_DAYS:
        parts.append(f"stale: last fetched {(today - fetched.date()).days:,} days ago")
    if isinstance(newest, dt.date):
        age = (today - newest).days
        parts.append(f"stale: its newest record is {age:,} days old" if age > STALE_RECORD_DAYS else "")
    elif row["items"]:
        parts.append(f"none of its {format_count(int(str(row['items'])), 'item')} has a date")
    else:
        parts.append("its records add facts to other items" if row["records_read"] else "it has no record")
    return "; ".join(part for part in parts if part) or "fresh"


def describe_staleness(release: Release, today: dt.date) -> list[str]:
    """A sentence for each reason why the data of a release are stale; none if they are fresh.

    Args:
        release: The release.
        today: The day up to which ages are counted.
    """
    # what any corpus covers: the published mapping ends, and other sources go on
    coverage = "mart.corpus_coverage" if "mart.corpus_coverage" in release.manifest["tables"] else "clean.coverage"
    query = f"""
        select
            (select cast(max(fetched_at) as date) from raw.snapshots) as fetched_on,
            (select max(covers_until) from {coverage}) as covers_until,
            (select max(published_on) from clean.publications) as newest_on
    """
    fetched_on, covers_until, newest_on = query_release(release, query).row(0)
    sentences = []
    if fetched_on is not None and (today - fetched_on).days > STALE_FETCH_DAYS:
        sentences.append(f"Nothing was fetched or added since {_format_age(fetched_on, today)}.")
    ends_on = covers_until or newest_on
    if ends_on is not None and (today - ends_on).days > STALE_RECORD_DAYS:
        sentences.append(f"Publications are listed up to {_format_age(ends_on, today)}; later ones are missing.")
    return sentences


def _format_age(day: dt.date, today: dt.date) -> str:
    return f"{format_date(day)}, {format_count((today - day).days, 'day')} ago"
