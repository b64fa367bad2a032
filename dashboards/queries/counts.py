"""What the pages ask about counts of publications, by any rule and in any taxonomy, and what is behind them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from dashboards import text
from dashboards.queries.release import ask
from warehouse.release import Release
from warehouse.statistics import functions

Grain = Literal["month", "quarter", "year", "rolling_12_months"]
Dimension = Literal["lab", "category"]
OTHER: Mapping[Dimension, Dimension] = {"lab": "category", "category": "lab"}
PLURAL: Mapping[Dimension, str] = {"lab": "labs", "category": "categories"}

COUNTS = "mart.publication_counts_by_month"
MOST = 1000  # publications listed at once


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
        since: A day in the first period that is asked for; none for as early as it is covered.
        until: A day in the last one.
    """

    labs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    rule: str = "rows"
    taxonomy: str = "iaps"
    grain: Grain = "year"
    dimensions: tuple[Dimension, ...] = ("lab", "category")
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def span(self) -> tuple[dt.date | None, dt.date | None]:
        """First and last day of the whole periods in which ``since`` and ``until`` lie, where these are given.

        A rolling window belongs to the month with which it ends.
        """
        every = {"quarter": 3, "year": 12}.get(self.grain, 1)
        return (
            _period(self.since, every)[0] if self.since else None,
            _period(self.until, every)[1] if self.until else None,
        )

    @property
    def by_month(self) -> Selection:
        """The same months and publications, counted by month."""
        since, until = self.span
        return replace(self, grain="month", since=since, until=until)

    @property
    def counting(self) -> dict[str, Any]:
        """The parameters that every query on publications takes."""
        return {"rule": self.rule, "taxonomy": self.taxonomy}

    def conditions(self, day: str) -> tuple[str, dict[str, Any]]:
        """What the filters let through, as SQL that every query on publications says alike, and its parameters.

        Args:
            day: The column by which it is told whether a row is in the span of time: the whole periods from the
                first to the last one asked for.
        """
        since, until = self.span
        if since and self.grain == "rolling_12_months" and day != "ends_on":  # what the first window reaches back to
            months = since.year * 12 + since.month - 12
            since = dt.date(months // 12, months % 12 + 1, 1)
        asked: list[tuple[str, str, Any]] = [
            ("list_contains($labs, lab)", "labs", list(self.labs)),
            ("list_contains($categories, category)", "categories", list(self.categories)),
            (f"{day} >= $since", "since", since),
            (f"{day} <= $until", "until", until),
        ]
        given = [part for part in asked if part[2]]
        return " and ".join(part[0] for part in given) or "true", {name: value for _, name, value in given}


def _period(day: dt.date, months: int) -> tuple[dt.date, dt.date]:
    """First and last day of the month, quarter or year in which a day lies."""
    first = (day.month - 1) // months * months + 1
    after = dt.date(day.year + (first + months > 12), (first + months - 1) % 12 + 1, 1)
    return dt.date(day.year, first, 1), after - dt.timedelta(days=1)


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


def months(release: Release) -> dict[str, tuple[dt.date, dt.date]]:
    """The months that the source covers, whole or in part, as ``2023-04``, each with its first and last day."""
    query = """
        select strftime(month, '%Y-%m'), cast(month as date), last_day(month)
        from (
            select unnest(generate_series(date_trunc('month', covers_from), covers_until, interval 1 month)) as month
            from clean.coverage
            where source = 'lab_sheet'
        )
        order by month
    """
    return {name: (first, last) for name, first, last in ask(release, query).iter_rows()}


def totals(release: Release, selection: Selection) -> Totals:
    """Counts over all periods, and the span of time that the source covers."""
    conditions, parameters = selection.conditions("published_month")
    of_undated, _ = replace(selection, since=None, until=None).conditions("published_month")
    query = f"""
        with counted as (
            select
                published_month is not null as is_dated,
                case when published_month is null then {of_undated} else {conditions} end as is_selected,
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
    return Totals(**ask(release, query, {**selection.counting, **parameters}).row(0, named=True))


def over_time(selection: Selection) -> tuple[str, dict[str, Any]]:
    """The query for publications per period and per dimension of a selection, and its parameters.

    Its columns are ``period``, ``starts_on``, ``ends_on``, the dimensions, ``publications``, ``is_part_period``,
    ``is_provisional`` and ``covered_part``, sorted by period and dimensions; periods without any are zeros.
    """
    # a rolling window belongs to the month with which it ends
    conditions, parameters = selection.conditions("ends_on" if selection.grain == "rolling_12_months" else "starts_on")
    dimensions = "".join(f"{name}, " for name in selection.dimensions)
    periods = {
        "month": "strftime(starts_on, '%Y-%m')",
        "quarter": "strftime(starts_on, '%Y Q') || quarter(starts_on)",
        "year": "strftime(starts_on, '%Y')",
        "rolling_12_months": "strftime(ends_on, '%Y-%m')",
    }
    query = f"""
select
    {periods[selection.grain]} as period,
    starts_on,
    ends_on,
    {dimensions}sum(publications) as publications,
    bool_or(is_part_period) as is_part_period,
    bool_or(is_provisional) as is_provisional,
    case
        when ends_on < covers_from or starts_on > covers_until then 'not covered'
        when starts_on < covers_from and ends_on > covers_until
            then strftime(covers_from, '%-d %b') || ' to ' || strftime(covers_until, '%-d %b')
        when starts_on < covers_from then 'from ' || strftime(covers_from, '%-d %b')
        when ends_on > covers_until then 'to ' || strftime(covers_until, '%-d %b')
    end as covered_part
from publication_counts(rule := $rule, grain := $grain, in_taxonomy := $taxonomy)
cross join (select covers_from, covers_until from clean.coverage where source = 'lab_sheet')
where {conditions}
group by all
order by starts_on{"".join(f", {name}" for name in selection.dimensions)}
"""
    return query, {**selection.counting, "grain": selection.grain, **parameters}


def publications_over_time(release: Release, selection: Selection) -> pl.DataFrame:
    """The rows of `over_time`."""
    return ask(release, *over_time(selection))


def highest(release: Release, selection: Selection, panel: Dimension | None) -> float:
    """The highest stack that bars must have room for: one scale for all panels.

    Args:
        release: The release.
        selection: What is drawn.
        panel: The dimension that has a panel each, if any.
    """
    query, parameters = over_time(replace(selection, dimensions=(panel,) if panel else ()))
    return float(ask(release, f"select coalesce(max(publications), 0.0) from ({query})", parameters).item())


def findings(release: Release, selection: Selection) -> list[str]:
    """What the statistics say of what is selected, a sentence each.

    Trends are tested for works, over all whole months that are covered: of all together, of each lab, and of each
    category of the default taxonomy. Of anything else they say nothing, and that is said.
    """
    is_default = selection.taxonomy == next(iter(taxonomies(release)))
    is_of_one_kind = not (selection.labs and selection.categories) and (is_default or not selection.categories)
    if not is_of_one_kind or selection.since or selection.until:
        return ["No trend is tested for this choice, only for all, for labs and for categories, over all months."]
    query = """
        select sentence
        from mart.publication_trends
        where dimension = $dimension and ($dimension = 'all' or list_contains($members::varchar[], member))
        order by member
    """
    members = list(selection.labs or selection.categories)
    dimension = "lab" if selection.labs else "category" if selection.categories else "all"
    found = ask(release, query, {"dimension": dimension, "members": members})["sentence"].to_list()
    others = (
        "" if selection.rule == "works" else f" (Tested for works; the chart shows {selection.rule.replace('_', ' ')}.)"
    )
    return [f"{sentence}{others if sentence == found[-1] else ''}" for sentence in found]


def none_found(release: Release, selection: Selection) -> str | None:
    """What may be said of a selection without any publication: how high its rate can be all the same, as a sentence.

    None if no time is covered.
    """
    conditions, parameters = replace(selection.by_month, labs=(), categories=()).conditions("starts_on")
    query = f"""
        select sum(exposure_years) as years, count(*) filter (where not is_part_period) as months
        from (
            select distinct starts_on, is_part_period, exposure_years
            from publication_counts(rule := $rule, grain := 'month', in_taxonomy := $taxonomy)
            where {conditions}
        )
    """
    years, covered = ask(release, query, {**selection.counting, **parameters}).row(0)
    if not years:
        return None
    high = functions.poisson_rate_high(0, years)
    return (
        f"None in {text.counted(covered, 'whole month')} that are covered: its rate is 0 a year, "
        f"with an exact 95 % interval of 0 to {high:.2g}."
    )


def papers(
    release: Release, selection: Selection, span: tuple[dt.date, dt.date] | Literal["dated", "undated"]
) -> pl.DataFrame:
    """The publications behind a number.

    Args:
        release: The release.
        selection: Which ones, by which rule.
        span: First and last day of a period, or all that have a date, or those that have none.

    Returns:
        The newest `MOST` of them: ``publication_id``, ``title``, ``lab``, ``category``, ``published_on``, ``counted``
        (the part of it that is counted here), ``is_duplicate``, ``url`` and ``in_all`` (how many there are); a link
        that is not http or https is left out, for it could run something when clicked.
    """
    # what has no date is in no span of time
    within = replace(selection, since=None, until=None) if span == "undated" else selection
    conditions, parameters = within.conditions("published_on")
    parameters |= selection.counting
    when = f"published_on is {'null' if span == 'undated' else 'not null'}"
    if not isinstance(span, str):
        when = "published_on between $starts_on and $ends_on"
        parameters |= {"starts_on": span[0], "ends_on": span[1]}
    is_whole = """
        select exists(from reference.counting_rules where counting_rule = $rule and attribution = 'whole')
            and exists(from reference.taxonomies where taxonomy = $taxonomy and is_default)
    """
    # counted whole by the labels that it has, each is there once, and need not be told from the others
    each = "count(*)" if ask(release, is_whole, selection.counting).item() else "count(distinct publication_id)"
    behind = f"publications_behind(rule := $rule, in_taxonomy := $taxonomy) where {when} and {conditions}"
    days = f"""
        with days as (
            select published_on, {each} as publications
            from {behind}
            group by published_on
        )

        select
            cast(sum(publications) as bigint) as in_all,
            coalesce(max(published_on) filter (where so_far >= {MOST}), min(published_on)) as since
        from (select *, sum(publications) over (order by published_on desc) as so_far from days)
    """
    # first from which day on, so that the titles of all others need not be read
    in_all, since = ask(release, days, parameters).row(0)
    parameters |= {"in_all": in_all}
    recent = "true"
    if since is not None:
        recent = "published_on >= $since"
        parameters |= {"since": since}
    query = rf"""
        with newest as (
            select
                publication_id,
                sum(weight) as counted
            from {behind} and {recent}
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
            case when regexp_full_match(url, '(?i)https?://\S+') then url end as url,
            $in_all::bigint as in_all
        from clean.publications as publications
        inner join newest on publications.publication_id = newest.publication_id
        where {recent}
        order by published_on desc, lab, title, publications.publication_id
        limit {MOST}
    """
    return ask(release, query, parameters)
