"""Queries on publication counts by any rule and taxonomy, and on the publications behind a count."""

from __future__ import annotations

import datetime as dt
import textwrap
from dataclasses import replace
from typing import Any, Literal

import polars as pl

from dashboards.queries.corpora import find_taxonomy, select_details
from dashboards.queries.release import query_column_meanings, query_release
from dashboards.queries.selection import (
    COUNTS_TABLE,
    DEFAULT_RULE,
    DIMENSION_PLURALS,
    CountingRule,
    Dimension,
    PublicationTotals,
    Selection,
)
from dashboards.text import format_number
from warehouse.release import Release
from warehouse.sql import list_macro_tables

MAX_PAPERS = 1000
MAX_MEMBERS = 24
"""Labs or categories that a chart draws, where none are chosen."""
COUNTED_TABLES = (
    *(COUNTS_TABLE, "mart.counting_rule_totals", "clean.coverage", "clean.publications"),
    *("reference.categories", "reference.counting_rules", "reference.labs", "reference.taxonomies"),
)
"""Tables that any count of publications reads, with the names of labs, categories and rules."""
MACRO_TABLES = (*sorted(list_macro_tables()), "mart.counted_publications")
"""Tables that the macros of a release read: those of a new one, and of one without corpora."""


def list_members(
    release: Release, dimension: Dimension, taxonomy: str = "iaps", corpus: str | None = None
) -> list[str]:
    """All labs, or all categories of a taxonomy: those of the reference first, then those found only in the corpus.

    The order does not depend on filters, so positions can be mapped to colours.
    """
    selection = Selection(corpus=corpus)
    query = f"""
        select name
        from (
            select 'lab' as dimension, lab as name, 0 as place from reference.labs
            union all
            select 'category', category, 0 from reference.categories where taxonomy = $taxonomy
            union all
            select 'lab', lab, 1 from {selection.counts} where taxonomy = $taxonomy
            union all
            select 'category', category, 1 from {selection.counts} where taxonomy = $taxonomy
        )
        where dimension = $dimension
        group by name
        order by min(place), name
    """
    parameters = {"dimension": dimension, "taxonomy": taxonomy, **selection.corpus_parameters}
    return query_release(release, query, parameters)["name"].to_list()


def list_counting_rules(release: Release, corpus: str | None = None) -> list[CountingRule]:
    """The counting rules, the default one first, then those that do not divide publications.

    Whether a rule is applicable depends on the corpus: it is if it can attribute at least 95 % of the publications.
    """
    totals = "mart.counting_rule_totals"
    if corpus is not None:
        totals = """(
            select
                rules.counting_rule,
                any_value(rules.meaning) as meaning,
                coalesce(sum(publications) filter (where lab = '(authors not known)'), 0)
                <= 0.05 * coalesce(sum(publications), 0) as is_applicable
            from reference.counting_rules as rules
            left join mart.work_counts_by_month as counts
                on
                    rules.counting_rule = counts.counting_rule
                    and counts.corpus = $corpus
                    -- every taxonomy has the same publications
                    and counts.taxonomy = (select min(taxonomy) from mart.work_counts_by_month where corpus = $corpus)
            group by rules.counting_rule
        )"""
    query = f"""
        select counting_rule, meaning, is_applicable
        from {totals}
        order by counting_rule != $default, length(counting_rule) > 5, counting_rule
    """
    parameters = {"default": DEFAULT_RULE, **Selection(corpus=corpus).corpus_parameters}
    return [CountingRule(*row) for row in query_release(release, query, parameters).iter_rows()]


def find_works_rule(release: Release) -> str:
    """The counting rule ``works``; the first rule where a release does not have it."""
    return list_counting_rules(release)[0].name


def select_works(release: Release, corpus: str | None) -> Selection:
    """All works of a corpus, in its own categories."""
    return Selection(rule=find_works_rule(release), taxonomy=find_taxonomy(release, corpus), corpus=corpus)


def select_newest_years(release: Release, corpus: str | None, years: int = 10) -> Selection:
    """All works of a corpus, of the newest years with any alone: one old work would leave no room for the others."""
    selection = select_works(release, corpus)
    months = list_months(release, corpus)
    first = int(months[-1][:4]) - years + 1 if months else 0
    return replace(selection, since=dt.date(first, 1, 1)) if months and int(months[0][:4]) < first else selection


def list_months(release: Release, corpus: str | None = None) -> list[str]:
    """The months that the corpus covers or has publications of, by name (``2023-04``)."""
    selection = Selection(corpus=corpus)
    query = f"""
        select strftime(month, '%Y-%m')
        from (
            select unnest(generate_series(date_trunc('month', holds_from), holds_until, interval 1 month)) as month
            from {selection.coverage}
        )
        order by month
    """
    return query_release(release, query, selection.corpus_parameters).to_series().to_list()


def _counts_year_alone(release: Release, selection: Selection) -> bool:
    """Whether publications of which only the year is known are counted: in years, not in shorter periods."""
    if selection.grain != "year" or "published_year" not in query_column_meanings(release, "mart.counted_publications"):
        return False
    # few lakes have any, and the others are spared the longer queries
    query = f"""
        select exists(select 1 from {selection.counted} where published_on is null and published_year is not null)
    """
    return bool(query_release(release, query, selection.corpus_parameters).item())


def _build_yearly_counts(selection: Selection) -> str:
    """The counts by month; publications of which only the year is known are in their year, not among the undated."""
    return f"""(
    select counting_rule, taxonomy, lab, category, published_month, publications
    from {selection.counts}
    union all
    select $rule, $taxonomy, lab, category, unnest([published_year, null]), unnest([weight, -weight])
    from publications_behind({selection.macro_arguments})
    where published_on is null and published_year is not null
    )"""


def query_totals(release: Release, selection: Selection) -> PublicationTotals:
    """Counts over all periods, and the days that the corpus covers."""
    conditions, parameters = selection.build_conditions("published_month")
    undated_conditions, _ = replace(selection, since=None, until=None).build_conditions("published_month")
    query = f"""
        with counted as (
            select
                published_month is not null as is_dated,
                case when published_month is null then {undated_conditions} else {conditions} end as is_selected,
                lab = '(authors not known)' as is_unattributed,
                publications
            from {_build_yearly_counts(selection) if _counts_year_alone(release, selection) else selection.counts}
            where counting_rule = $rule and taxonomy = $taxonomy
        )

        select
            coalesce((select sum(publications) from counted where is_selected and is_dated), 0.0) as selected,
            coalesce((select sum(publications) from counted where is_dated), 0.0) as dated,
            coalesce((select sum(publications) from counted where is_selected and not is_dated), 0.0) as undated,
            coalesce((select sum(publications) from counted where is_unattributed and is_dated), 0.0) as unattributed,
            (select max(published_on) from {selection.dated}) as newest_on,
            covers_from,
            covers_until
        from {selection.coverage}
    """
    return PublicationTotals(
        **query_release(release, query, {**selection.counting_parameters, **parameters}).row(0, named=True)
    )


def limit_members(release: Release, selection: Selection) -> tuple[Selection, list[str]]:
    """A selection with at most `MAX_MEMBERS` labs and categories to draw, and a sentence on what is left out of each.

    Where none are chosen and there are more, those with the most publications are drawn: zeros are filled in for each
    lab and category that is drawn, and more colours or panels could not be read.
    """
    notes, drawn = [], selection
    for dimension in selection.dimensions:
        chosen = selection.labs if dimension == "lab" else selection.categories
        if chosen or len(list_members(release, dimension, selection.taxonomy, selection.corpus)) <= MAX_MEMBERS:
            continue
        conditions, parameters = selection.by_month.build_conditions("published_month")
        query = f"""
            select {dimension}, sum(publications) as publications
            from {selection.counts}
            where counting_rule = $rule and taxonomy = $taxonomy and published_month is not null and {conditions}
            group by {dimension}
            order by publications desc, {dimension}
        """
        ranked = query_release(release, query, {**selection.counting_parameters, **parameters})
        left_out = ranked[MAX_MEMBERS:]
        largest = ranked[dimension].to_list()
        largest = largest or list_members(release, dimension, selection.taxonomy, selection.corpus)
        drawn = drawn.choose(dimension, largest[:MAX_MEMBERS])
        if left_out.height:
            plural = DIMENSION_PLURALS[dimension]
            notes.append(
                f"Drawn are the {MAX_MEMBERS} {plural} with the most publications; the other {left_out.height:,} "
                f"{plural} have {format_number(float(left_out['publications'].sum()))} publications together, not "
                f"drawn. Choose {plural} to draw others."
            )
    return drawn, notes


def build_counts_query(selection: Selection) -> tuple[str, dict[str, Any]]:
    """The query for publications per period and dimension of a selection, and its parameters.

    Its columns are ``period``, ``starts_on``, ``ends_on``, the dimensions, ``publications``, ``is_part_period``,
    ``is_provisional`` and ``covered_part``, sorted by period and dimensions. Zeros are filled in for the periods, and
    the labs and categories, that are selected: see `limit_members` where there may be many.
    """
    # a rolling window belongs to the month in which it ends
    days = "ends_on" if selection.grain == "rolling_12_months" else "starts_on"
    of_periods, period_parameters = replace(selection, labs=(), categories=()).build_conditions(days)
    of_members, member_parameters = replace(selection, since=None, until=None).build_conditions("")
    periods = {
        "month": "strftime(starts_on, '%Y-%m')",
        "quarter": "strftime(starts_on, '%Y Q') || quarter(starts_on)",
        "year": "strftime(starts_on, '%Y')",
        "rolling_12_months": "strftime(ends_on, '%Y-%m')",
    }
    columns = "".join(f"{name}, " for name in selection.dimensions)
    joins = "".join(
        f"\ncross join (\n{textwrap.indent(_build_members_query(selection, name), '    ')}\n) as members_of_{name}"
        for name in selection.dimensions
    )
    query = f"""
with counted as (
    select {columns}starts_on, sum(publications) as publications
    from publication_cells(grain := $grain, {selection.macro_arguments})
    where {of_members}
    group by all
)

select
    {periods[selection.grain]} as period,
    starts_on,
    ends_on,
    {columns}round(coalesce(publications, 0.0), 9) as publications,
    is_part_period,
    is_provisional,
    case
        when ends_on < covers_from or starts_on > covers_until then 'not covered'
        when starts_on < covers_from and ends_on > covers_until
            then strftime(covers_from, '%-d %b') || ' to ' || strftime(covers_until, '%-d %b')
        when starts_on < covers_from then 'from ' || strftime(covers_from, '%-d %b')
        when ends_on > covers_until then 'to ' || strftime(covers_until, '%-d %b')
    end as covered_part
from publication_periods(grain := $grain{selection.corpus_argument})
cross join (select covers_from, covers_until from {selection.coverage}){joins}
left join counted using ({columns}starts_on)
where {of_periods}
order by starts_on{"".join(f", {name}" for name in selection.dimensions)}
"""
    parameters = {**selection.counting_parameters, "grain": selection.grain}
    return query, parameters | period_parameters | member_parameters


def _build_members_query(selection: Selection, dimension: Dimension) -> str:
    """The query for the labs or categories that have a row in each period: those chosen, or else all."""
    if selection.labs if dimension == "lab" else selection.categories:
        return f"select unnest(${DIMENSION_PLURALS[dimension]}::varchar[]) as {dimension}"
    known = {"lab": "reference.labs", "category": "reference.categories where taxonomy = $taxonomy"}[dimension]
    return f"""\
select {dimension} from {known}
union
select {dimension} from {selection.counts} where counting_rule = $rule and taxonomy = $taxonomy"""


def query_counts(release: Release, selection: Selection) -> pl.DataFrame:
    """The rows of `build_counts_query`."""
    return query_release(release, *build_counts_query(selection))


def list_papers(
    release: Release, selection: Selection, span: tuple[dt.date, dt.date] | Literal["dated", "undated"]
) -> pl.DataFrame:
    """The publications behind a number.

    Args:
        release: The release.
        selection: Filters and counting rule.
        span: First and last day of a period, or all dated or all undated publications.

    Returns:
        The newest `MAX_PAPERS` publications: ``publication_id``, ``title``, ``lab``, ``category``, ``published_on``,
        ``counted`` (its weight in the count), ``is_duplicate``, ``url`` (null unless http or https, since other links
        could run code) and ``in_all`` (number of all publications).
    """
    # undated publications lie in no period
    filters = replace(selection, since=None, until=None) if span == "undated" else selection
    conditions, parameters = filters.build_conditions("published_on")
    parameters |= selection.counting_parameters
    behind = f"publications_behind({selection.macro_arguments})"
    if _counts_year_alone(release, selection):
        behind = f"(select * replace (coalesce(published_on, published_year) as published_on) from {behind})"
    date_condition = f"published_on is {'null' if span == 'undated' else 'not null'}"
    if not isinstance(span, str):
        date_condition = "published_on between $starts_on and $ends_on"
        parameters |= {"starts_on": span[0], "ends_on": span[1]}
    is_whole = """
        select exists(
                from reference.counting_rules as rules
                where counting_rule = $rule and attribution = 'whole'
                    -- releases of earlier versions lack the column
                    and coalesce(to_json(rules) ->> 'category_attribution', 'first') = 'first'
            )
    """
    source = f"{behind} where {date_condition} and {conditions}"
    is_in_table = (
        selection.taxonomy == find_taxonomy(release, selection.corpus)
        and query_release(release, is_whole, {"rule": selection.rule}).item()
        and not _counts_year_alone(release, selection)
    )
    # a whole count in the taxonomy of the corpus is in the table of counts, whose months make up every period; others
    # are added up here, which takes a thousand times longer
    counted = f"""
        select published_on, count(distinct publication_id) as publications
        from {source}
        group by published_on
    """
    if is_in_table:
        counted = f"""
            select published_month as published_on, sum(publications) as publications
            from {selection.counts}
            where
                counting_rule = $rule and taxonomy = $taxonomy
                and {f"{date_condition} and {conditions}".replace("published_on", "published_month")}
            group by published_month
        """
    days = f"""
        select
            cast(sum(publications) as bigint) as in_all,
            coalesce(max(published_on) filter (where so_far >= {MAX_PAPERS}), min(published_on)) as since
        from (
            select *, sum(publications) over (order by published_on desc) as so_far
            from ({counted})
        )
    """
    # the first day of the list is found first, so that the titles of older publications are not read
    in_all, since = query_release(release, days, parameters).row(0)
    parameters |= {"in_all": in_all}
    is_recent = "true"
    if since is not None:
        is_recent = "published_on >= $since"
        parameters |= {"since": since}
    query = rf"""
        with newest as (
            select
                publication_id,
                sum(weight) as counted
            from {source} and {is_recent}
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
        from {select_details(release, selection.corpus)} as publications
        inner join newest on publications.publication_id = newest.publication_id
        where ({is_recent} or published_on is null)
        order by published_on desc, lab, title, publications.publication_id
        limit {MAX_PAPERS}
    """
    return query_release(release, query, parameters)
