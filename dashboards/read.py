"""Reading a release for the pages: every number a page shows is computed here, by SQL with bound parameters.

The newest release is looked up at each rerun, so a new one shows without a restart; a file once published never
changes, so answers are cached by release.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import polars as pl
import streamlit as st

from warehouse.lake import Lake
from warehouse.release import NoRelease, Release, current, pointer

Measure = Literal["publication_rows", "works"]
Grain = Literal["month", "quarter", "year"]
Dimension = Literal["lab", "category"]

BY_MONTH = "mart.publications_by_lab_category_month"
PUBLICATIONS = "clean.publications"
# what the filters let through; every query on publications says it alike
_SELECTED = """
    (len($labs::varchar[]) = 0 or list_contains($labs::varchar[], lab))
    and (len($categories::varchar[]) = 0 or list_contains($categories::varchar[], category))
"""
_log = logging.getLogger(__name__)


class UnreadableRelease(RuntimeError):
    """The newest release is there but cannot be read.

    Args:
        path: The file at fault.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} cannot be read")
        self.path = path


@dataclass(frozen=True)
class Selection:
    """What is counted, and how.

    Args:
        labs: Names of the labs; all if empty.
        categories: Names of the categories; all if empty.
        measure: The column that counts.
        grain: Length of a period.
        dimensions: What a count is per, besides the period.
    """

    labs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    measure: Measure = "publication_rows"
    grain: Grain = "year"
    dimensions: tuple[Dimension, ...] = ("lab", "category")

    @property
    def filters(self) -> dict[str, Any]:
        """The parameters that every query on publications takes."""
        return {"labs": list(self.labs), "categories": list(self.categories), "is_works": self.measure == "works"}


@dataclass(frozen=True)
class Totals:
    """Counts of publications, by the rule of a selection.

    Args:
        selected: Dated ones within the filters: the sum of all that is drawn.
        dated: Dated ones of all labs and categories.
        undated: Undated ones within the filters; no chart over time can show them.
        newest_on: Date of the newest publication of all.
        covers_from: First day that the source covers.
        covers_until: Last day that the source covers.
    """

    selected: int
    dated: int
    undated: int
    newest_on: dt.date | None
    covers_from: dt.date
    covers_until: dt.date


@dataclass(frozen=True)
class Meaning:
    """What the data dictionary says about a column."""

    meaning: str
    unit: str | None


def lake() -> Lake:
    """The lake whose releases the pages read."""
    return Lake.of_environment()


def newest() -> Release:
    """The newest release, as of now.

    Raises:
        NoRelease: Nothing was released yet.
        UnreadableRelease: There is a release, but not whole.
    """
    here = lake()
    try:
        return current(here)
    except NoRelease as error:
        if pointer(here).is_symlink():  # then it is the manifest or the name that is at fault
            raise _unreadable(pointer(here).parent / pointer(here).readlink(), error) from error
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(pointer(here), error) from error


def _unreadable(path: Path, error: Exception) -> UnreadableRelease:
    _log.error("%s cannot be read: %s", path, error)
    return UnreadableRelease(path)


def _ask(release: Release, query: str, parameters: Mapping[str, Any] | None = None) -> pl.DataFrame:
    # number alone would not do: a lake deleted and made anew counts from one again
    key = (release.number, str(release.path), str(release.manifest["published_at"]))
    return _answer(key, query, dict(parameters or {}))


@st.cache_data(max_entries=256, show_spinner=False)
def _answer(key: tuple[int, str, str], query: str, parameters: dict[str, Any]) -> pl.DataFrame:
    number, path, _ = key
    try:
        with Release(number, Path(path), {}).connect() as connection:
            return connection.sql(query, params=parameters or None).pl()
    except (duckdb.Error, OSError) as error:
        raise _unreadable(Path(path), error) from error


def meanings(release: Release, table: str) -> dict[str, Meaning]:
    """Meaning and unit of each column of a table, from the data dictionary."""
    query = "select column_name, column_meaning, unit from reference.dictionary where table_name = $table"
    return {name: Meaning(meaning, unit) for name, meaning, unit in _ask(release, query, {"table": table}).iter_rows()}


def names(release: Release, dimension: Dimension) -> list[str]:
    """All labs or categories: those of the reference first, then those that only the data have.

    The order does not depend on any filter, so a place in it can stand for a colour.
    """
    query = """
        select $dimension as dimension, name
        from (
            select 'lab' as dimension, lab as name, 0 as place from reference.labs
            union all
            select 'category', category, 0 from reference.categories
            union all
            select 'lab', lab, 1 from clean.publications
            union all
            select 'category', category, 1 from clean.publications
        )
        where dimension = $dimension
        group by name
        order by min(place), name
    """
    return _ask(release, query, {"dimension": dimension})["name"].to_list()


def totals(release: Release, selection: Selection) -> Totals:
    """Counts over all periods, and the span of time that the source covers."""
    query = f"""
        with counted as (
            select
                published_on,
                {_SELECTED} as is_selected
            from clean.publications
            where not ($is_works and is_duplicate)
        )

        select
            (select count(*) from counted where is_selected and published_on is not null) as selected,
            (select count(*) from counted where published_on is not null) as dated,
            (select count(*) from counted where is_selected and published_on is null) as undated,
            (select max(published_on) from clean.publications) as newest_on,
            covers_from,
            covers_until
        from clean.coverage
        where source = 'lab_sheet'
    """
    return Totals(**_ask(release, query, selection.filters).row(0, named=True))


def publications_over_time(release: Release, selection: Selection) -> pl.DataFrame:
    """Publications per period and per dimension of the selection, periods without any as zeros.

    Returns:
        The table as it is shown (``period``, ``starts_on``, ``ends_on``, the dimensions, the measure,
        ``is_part_period``, ``covered_part``), sorted by period and dimensions.
    """
    query = f"""
        with covered as (
            select covers_from, covers_until
            from clean.coverage
            where source = 'lab_sheet'
        ),

        grouped as (
            select
                cast(date_trunc($grain, published_month) as date) as starts_on,
                case when $by_lab then lab end as lab,
                case when $by_category then category end as category,
                cast(sum(case when $is_works then works else publication_rows end) as bigint) as counted,
                bool_or(is_part_period) as has_part_month
            from mart.publications_by_lab_category_month
            where
                {_SELECTED}
            group by all
        ),

        bounded as (
            select
                *,
                cast(case $grain
                    when 'month' then starts_on + interval 1 month
                    when 'quarter' then starts_on + interval 3 month
                    else starts_on + interval 1 year
                end - interval 1 day as date) as ends_on
            from grouped
        )

        select
            case $grain
                when 'month' then strftime(starts_on, '%Y-%m')
                when 'quarter' then strftime(starts_on, '%Y Q') || quarter(starts_on)
                else strftime(starts_on, '%Y')
            end as period,
            starts_on,
            ends_on,
            lab,
            category,
            counted,
            has_part_month or starts_on < covers_from or ends_on > covers_until as is_part_period,
            case
                when starts_on < covers_from and ends_on > covers_until
                    then strftime(covers_from, '%-d %b') || ' to ' || strftime(covers_until, '%-d %b')
                when starts_on < covers_from then 'from ' || strftime(covers_from, '%-d %b')
                when ends_on > covers_until then 'to ' || strftime(covers_until, '%-d %b')
                when has_part_month then 'in part'
            end as covered_part
        from bounded
        cross join covered
        order by starts_on, lab, category
    """
    dimensions = selection.dimensions
    given = {"grain": selection.grain, "by_lab": "lab" in dimensions, "by_category": "category" in dimensions}
    frame = _ask(release, query, {**selection.filters, **given})
    left_out = [name for name in ("lab", "category") if name not in dimensions]
    return frame.drop(left_out).rename({"counted": selection.measure})


def highest(release: Release, selection: Selection, panel: Dimension | None, *, is_stacked: bool) -> int:
    """The largest number that a chart must have room for: one scale for all panels.

    Args:
        release: The release.
        selection: What is drawn.
        panel: The dimension that has a panel each, if any.
        is_stacked: Whether the numbers of a period stand upon each other.
    """
    query = f"""
        select coalesce(max(counted), 0) as highest
        from (
            select sum(case when $is_works then works else publication_rows end) as counted
            from mart.publications_by_lab_category_month
            where
                {_SELECTED}
            group by
                date_trunc($grain, published_month),
                case when $by_lab then lab end,
                case when $by_category then category end
        )
    """
    parts = {panel} if is_stacked else set(selection.dimensions)
    given = {"grain": selection.grain, "by_lab": "lab" in parts, "by_category": "category" in parts}
    return int(_ask(release, query, {**selection.filters, **given}).item())


def papers(
    release: Release, selection: Selection, span: tuple[dt.date, dt.date] | Literal["dated", "undated"]
) -> pl.DataFrame:
    """The publications behind a number.

    Args:
        release: The release.
        selection: Which ones, by which rule.
        span: First and last day of a period, or all that have a date, or those that have none.

    Returns:
        ``title``, ``lab``, ``category``, ``published_on``, ``is_duplicate`` and ``url``; a link that is not
        http or https is left out, for it could run something when clicked.
    """
    query = rf"""
        select
            title,
            lab,
            category,
            published_on,
            is_duplicate,
            case when regexp_full_match(url, '(?i)https?://\S+') then url end as url
        from clean.publications
        where
            (published_on is null) = $is_undated
            and ($starts_on::date is null or published_on between $starts_on::date and $ends_on::date)
            and {_SELECTED}
            and not ($is_works and is_duplicate)
        order by published_on, lab, title, publication_id
    """
    starts_on, ends_on = (None, None) if isinstance(span, str) else span
    given = {"is_undated": span == "undated", "starts_on": starts_on, "ends_on": ends_on}
    return _ask(release, query, {**selection.filters, **given})
