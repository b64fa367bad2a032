"""What the pages ask about counts of publications, by any rule and in any taxonomy, and what is behind them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from dashboards.read import ask
from warehouse.release import Release

Grain = Literal["month", "quarter", "year", "rolling_12_months"]
Dimension = Literal["lab", "category"]

COUNTS = "mart.publication_counts_by_month"
# what the filters let through; every query on publications says it alike
_SELECTED = """
    (len($labs::varchar[]) = 0 or list_contains($labs::varchar[], lab))
    and (len($categories::varchar[]) = 0 or list_contains($categories::varchar[], category))
"""


@dataclass(frozen=True)
class Selection:
    """What is counted, and how.

    Args:
        labs: Names of the labs; all if empty.
        categories: Names of the categories; all if empty.
        rule: The counting rule.
        taxonomy: The taxonomy of the categories.
        grain: Length of a period.
        dimensions: What a count is per, besides the period.
    """

    labs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    rule: str = "rows"
    taxonomy: str = "iaps"
    grain: Grain = "year"
    dimensions: tuple[Dimension, ...] = ("lab", "category")

    @property
    def filters(self) -> dict[str, Any]:
        """The parameters that every query on publications takes."""
        labs, categories = list(self.labs), list(self.categories)
        return {"labs": labs, "categories": categories, "rule": self.rule, "taxonomy": self.taxonomy}

    @property
    def grouping(self) -> dict[str, Any]:
        """The parameters that say what a count is per."""
        by_lab, by_category = ("lab" in self.dimensions), ("category" in self.dimensions)
        return {"grain": self.grain, "by_lab": by_lab, "by_category": by_category}


@dataclass(frozen=True)
class Totals:
    """Counts of publications, by the rule of a selection; not whole numbers where the rule divides them.

    Args:
        selected: Dated ones within the filters: the sum of all that is drawn.
        dated: Dated ones of all labs and categories.
        undated: Undated ones within the filters; no chart over time can show them.
        unattributed: Dated ones of all whose authors are not known, so that the rule cannot say which lab they are of.
        newest_on: Date of the newest publication of all.
        covers_from: First day that the source covers.
        covers_until: Last day that the source covers.
    """

    selected: float
    dated: float
    undated: float
    unattributed: float
    newest_on: dt.date | None
    covers_from: dt.date
    covers_until: dt.date


@dataclass(frozen=True)
class Rule:
    """A counting rule, and whether it can attribute what it counts to labs."""

    name: str
    meaning: str
    is_applicable: bool


def names(release: Release, dimension: Dimension, taxonomy: str = "iaps") -> list[str]:
    """All labs, or all categories of a taxonomy: those of the reference first, then those that only the data have.

    The order does not depend on any filter, so a place in it can stand for a colour.
    """
    query = """
        select name
        from (
            select 'lab' as dimension, lab as name, 0 as place from reference.labs
            union all
            select 'category', category, 0 from reference.categories where taxonomy = $taxonomy
            union all
            select 'lab', lab, 1 from mart.publication_counts_by_month where taxonomy = $taxonomy
            union all
            select 'category', category, 1 from mart.publication_counts_by_month where taxonomy = $taxonomy
        )
        where dimension = $dimension
        group by name
        order by min(place), name
    """
    return ask(release, query, {"dimension": dimension, "taxonomy": taxonomy})["name"].to_list()


def rules(release: Release) -> list[Rule]:
    """The counting rules, those by rows and by works first."""
    query = """
        select counting_rule, meaning, is_applicable
        from mart.counting_rule_totals
        order by length(counting_rule) > 5, counting_rule
    """
    return [Rule(*row) for row in ask(release, query).iter_rows()]


def taxonomies(release: Release) -> dict[str, str]:
    """Short names and titles of the taxonomies, the default one first."""
    query = "select taxonomy, title from reference.taxonomies order by is_default desc, taxonomy"
    return dict(ask(release, query).iter_rows())


def totals(release: Release, selection: Selection) -> Totals:
    """Counts over all periods, and the span of time that the source covers."""
    query = f"""
        with counted as (
            select
                published_month is not null as is_dated,
                {_SELECTED} as is_selected,
                lab = '(authors not known)' as is_unattributed,
                publications
            from mart.publication_counts_by_month
            where counting_rule = $rule and taxonomy = $taxonomy
        )

        select
            coalesce((select sum(publications) from counted where is_selected and is_dated), 0.0) as selected,
            coalesce((select sum(publications) from counted where is_dated), 0.0) as dated,
            coalesce((select sum(publications) from counted where is_selected and not is_dated), 0.0) as undated,
            coalesce((select sum(publications) from counted where is_unattributed and is_dated), 0.0) as unattributed,
            (select max(published_on) from clean.publications) as newest_on,
            covers_from,
            covers_until
        from clean.coverage
        where source = 'lab_sheet'
    """
    return Totals(**ask(release, query, selection.filters).row(0, named=True))


def publications_over_time(release: Release, selection: Selection) -> pl.DataFrame:
    """Publications per period and per dimension of the selection, periods without any as zeros.

    Returns:
        The table as it is shown (``period``, ``starts_on``, ``ends_on``, the dimensions, ``publications``,
        ``is_part_period``, ``is_provisional``, ``covered_part``), sorted by period and dimensions.
    """
    query = f"""
        with grouped as (
            select
                starts_on,
                ends_on,
                case when $by_lab then lab end as lab,
                case when $by_category then category end as category,
                sum(publications) as publications,
                bool_or(is_part_period) as is_part_period,
                bool_or(is_provisional) as is_provisional
            from publication_counts(rule := $rule, grain := $grain, in_taxonomy := $taxonomy)
            where
                {_SELECTED}
            group by all
        )

        select
            case $grain
                when 'month' then strftime(starts_on, '%Y-%m')
                when 'quarter' then strftime(starts_on, '%Y Q') || quarter(starts_on)
                when 'year' then strftime(starts_on, '%Y')
                else strftime(ends_on, '%Y-%m')
            end as period,
            starts_on,
            ends_on,
            lab,
            category,
            publications,
            is_part_period,
            is_provisional,
            case
                when starts_on < covers_from and ends_on > covers_until
                    then strftime(covers_from, '%-d %b') || ' to ' || strftime(covers_until, '%-d %b')
                when starts_on < covers_from then 'from ' || strftime(covers_from, '%-d %b')
                when ends_on > covers_until then 'to ' || strftime(covers_until, '%-d %b')
            end as covered_part
        from grouped
        cross join clean.coverage
        where source = 'lab_sheet'
        order by starts_on, lab, category
    """
    frame = ask(release, query, {**selection.filters, **selection.grouping})
    return frame.drop(name for name in ("lab", "category") if name not in selection.dimensions)


def with_range_over_rules(release: Release, selection: Selection, frame: pl.DataFrame) -> pl.DataFrame:
    """The counts with ``lowest`` and ``highest``: their range over all rules that can be applied.

    Rules that cannot tell the lab of more than 5 % of the publications are left out.

    Args:
        release: The release.
        selection: What is drawn.
        frame: Rows of `publications_over_time` for it.
    """
    applicable = [rule.name for rule in rules(release) if rule.is_applicable]
    by_rule = [publications_over_time(release, replace(selection, rule=name)) for name in applicable]
    cell = ["starts_on", *selection.dimensions]
    each = [part.select(*cell, pl.col("publications").alias(f"by_{n}")) for n, part in enumerate(by_rule)]
    for part in each:
        frame = frame.join(part, on=cell, how="left", maintain_order="left")
    names = [f"by_{n}" for n in range(len(each))] or ["publications"]
    ranged = frame.with_columns(lowest=pl.min_horizontal(names), highest=pl.max_horizontal(names))
    return ranged.drop(name for name in names if name != "publications")


def highest(release: Release, selection: Selection, panel: Dimension | None, *, is_stacked: bool) -> float:
    """The largest number that a chart must have room for: one scale for all panels.

    Args:
        release: The release.
        selection: What is drawn.
        panel: The dimension that has a panel each, if any.
        is_stacked: Whether the numbers of a period stand upon each other.
    """
    query = f"""
        select coalesce(max(publications), 0.0) as highest
        from (
            select sum(publications) as publications
            from publication_counts(rule := $rule, grain := $grain, in_taxonomy := $taxonomy)
            where
                {_SELECTED}
            group by
                starts_on,
                case when $by_lab then lab end,
                case when $by_category then category end
        )
    """
    parts = replace(selection, dimensions=((panel,) if panel else ()) if is_stacked else selection.dimensions)
    return float(ask(release, query, {**selection.filters, **parts.grouping}).item())


def findings(release: Release, selection: Selection) -> dict[str, str]:
    """What the statistics say of the selected labs and categories, or of all together, a sentence each.

    The trends are of works, per lab and per category of the default taxonomy.
    """
    query = """
        select member, sentence
        from mart.publication_trends
        where
            case
                when len($labs::varchar[]) + len($categories::varchar[]) = 0 then dimension = 'all'
                else list_contains($labs::varchar[], member) or list_contains($categories::varchar[], member)
            end
        order by dimension, member
    """
    given = {"labs": list(selection.labs), "categories": list(selection.categories)}
    return dict(ask(release, query, given).iter_rows())


def papers(
    release: Release, selection: Selection, span: tuple[dt.date, dt.date] | Literal["dated", "undated"]
) -> pl.DataFrame:
    """The publications behind a number.

    Args:
        release: The release.
        selection: Which ones, by which rule.
        span: First and last day of a period, or all that have a date, or those that have none.

    Returns:
        ``publication_id``, ``title``, ``lab``, ``category``, ``published_on``, ``counted`` (the part of it that is
        counted here), ``is_duplicate`` and ``url``; a link that is not http or https is left out, for it could run
        something when clicked.
    """
    query = rf"""
        with behind as (
            select
                publication_id,
                sum(weight) as counted
            from publications_behind(rule := $rule, in_taxonomy := $taxonomy)
            where
                (published_on is null) = $is_undated
                and ($starts_on::date is null or published_on between $starts_on::date and $ends_on::date)
                and {_SELECTED}
            group by publication_id
        )

        select
            publications.publication_id,
            title,
            lab,
            category,
            published_on,
            counted,
            is_duplicate,
            case when regexp_full_match(url, '(?i)https?://\S+') then url end as url
        from behind
        inner join clean.publications as publications on behind.publication_id = publications.publication_id
        order by published_on, lab, title, publications.publication_id
    """
    starts_on, ends_on = (None, None) if isinstance(span, str) else span
    given = {"is_undated": span == "undated", "starts_on": starts_on, "ends_on": ends_on}
    return ask(release, query, {**selection.filters, **given})
