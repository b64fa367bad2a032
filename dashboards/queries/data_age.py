"""How old the publications behind a figure are today, and so whether its newest periods may still be filling up."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from dashboards.queries.freshness import STALE_RECORD_DAYS
from dashboards.queries.release import query_release
from dashboards.queries.selection import Selection
from warehouse.release import Release


@dataclass(frozen=True)
class DataAge:
    """The age of the publications of a release.

    Args:
        ends_on: Day of the newest publication, or the last day that the corpus covers if that is later; None without
            publications.
        today: The day on which the page is read.
    """

    ends_on: dt.date | None
    today: dt.date

    @property
    def is_stale(self) -> bool:
        """Whether the data end longer ago than a source needs to fill up its newest months."""
        return self.ends_on is not None and (self.today - self.ends_on).days > STALE_RECORD_DAYS


def query_data_age(release: Release, today: dt.date | None = None, corpus: str | None = None) -> DataAge:
    """The age of the publications that figures count.

    Args:
        release: The release.
        today: The day on which the page is read; the present day by default.
        corpus: The corpus that is counted; None in a release that has only one.
    """
    selection = Selection(corpus=corpus)
    query = f"""
        select
            (select max(published_on) from {selection.dated}) as newest_on,
            (select max(covers_until) from {selection.coverage}) as covers_until
    """
    newest_on, covers_until = query_release(release, query, selection.corpus_parameters).row(0)
    ends_on = max(newest_on, covers_until or newest_on) if newest_on else None
    return DataAge(ends_on, today or dt.datetime.now(dt.UTC).date())


def settle_periods(frame: pl.DataFrame, age: DataAge) -> pl.DataFrame:
    """The rows of a chart, with no period provisional if the data are stale: what is missing then is not on its way."""
    return frame.with_columns(is_provisional=pl.lit(False)) if age.is_stale else frame
