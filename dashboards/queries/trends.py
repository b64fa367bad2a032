"""Queries of the trends: counts, shares, cumulative counts and ranges over counting rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from dashboards.queries import counts
from dashboards.queries.counting_rules import list_repeating_rules
from dashboards.queries.selection import Dimension, Selection
from warehouse.release import Release

View = Literal["bars", "lines", "share", "heat map", "cumulative"]


def build_query(
    release: Release, selection: Selection, view: View, series: Dimension, *, is_ranged: bool = False
) -> Any:
    """The query for a view of a selection, and its parameters.

    Its columns are those of `counts.build_counts_query` and in addition: for shares ``total_publications``, ``share``,
    ``share_low``, ``share_high`` (Wilson, 95 %) and ``caution``; for cumulative counts ``cumulative_publications``; for
    a range over rules ``lowest`` and ``highest``.

    Args:
        release: The release, which has the applicable counting rules.
        selection: Which publications are counted. A share relates to all publications of its period, and of its panel
            if there are panels: the filter on the series does not reduce the total.
        view: The kind of chart.
        series: The dimension that is shown by colour.
        is_ranged: Whether lines have a band over all applicable rules.
    """
    if view == "share":
        return _build_share_query(selection, series)
    if view == "cumulative":
        query, parameters = counts.build_counts_query(selection)
        order = "".join(f", {name}" for name in selection.dimensions)
        partition = f"partition by {', '.join(selection.dimensions)} " if selection.dimensions else ""
        query = f"""
select
    *,
    sum(publications) over ({partition}order by starts_on) as cumulative_publications
from ({_indent_subquery(query)})
order by starts_on{order}
"""
        return query, parameters
    if is_ranged and view == "lines":
        return _build_range_query(release, selection)
    return counts.build_counts_query(selection)


def _indent_subquery(query: str) -> str:
    return query.replace("\n", "\n    ").rstrip(" ")


def _build_share_query(selection: Selection, series: Dimension) -> tuple[str, dict[str, Any]]:
    names = selection.labs if series == "lab" else selection.categories
    unfiltered = replace(selection, labs=()) if series == "lab" else replace(selection, categories=())
    query, parameters = counts.build_counts_query(unfiltered)
    panels = "".join(f", {name}" for name in selection.dimensions if name != series)
    where = "where list_contains($members, " + series + ")" if names else ""
    share_query = f"""
with totalled as (
    select
        *,
        sum(publications) over (partition by starts_on{panels}) as total_publications
    from ({_indent_subquery(query)})
)

select
    *,
    share_of(publications, total_publications) as share,
    wilson_low(publications, total_publications) as share_low,
    wilson_high(publications, total_publications) as share_high,
    share_caution(publications, total_publications) as caution
from totalled
{where}
order by starts_on{"".join(f", {name}" for name in selection.dimensions)}
"""
    return share_query, {**parameters, **({"members": list(names)} if names else {})}


def _build_range_query(release: Release, selection: Selection) -> tuple[str, dict[str, Any]]:
    """The range leaves out rules that cannot attribute more than 5 % of the publications to a lab.

    Where categories are added up, it leaves out those too by which a work counts more than once.
    """
    query, parameters = counts.build_counts_query(selection)
    rules = counts.list_counting_rules(release, selection.corpus)
    repeating = set[str]() if "category" in selection.dimensions else list_repeating_rules(release)
    applicable = [rule.name for rule in rules if rule.is_applicable and rule.name not in repeating] or [selection.rule]
    cell = ", ".join(("starts_on", *selection.dimensions))
    rule_queries = [
        f"select {cell}, publications from ({_indent_subquery(query.replace('$rule', f'$rule_{place}'))})"
        for place in range(len(applicable))
    ]
    union = "\n    union all\n    ".join(rule_queries)
    range_query = f"""
with by_rule as (
    {union}
),

ranged as (
    select {cell}, min(publications) as lowest, max(publications) as highest
    from by_rule
    group by all
)

select *
from ({_indent_subquery(query)})
inner join ranged using ({cell})
order by {cell}
"""
    return range_query, {**parameters, **{f"rule_{place}": name for place, name in enumerate(applicable)}}


def build_mix_query(selection: Selection, of: Dimension) -> tuple[str, dict[str, Any]]:
    """The query for the shares of labs or categories of a selection over its whole time span, and its parameters.

    Its columns are the dimension, ``publications``, ``total_publications``, ``share``, ``share_low``, ``share_high``
    (Wilson, 95 %) and ``caution``.
    """
    conditions, parameters = selection.by_month.build_conditions("starts_on")
    query = f"""
with counted as (
    select
        {of},
        sum(publications) as publications
    from publication_cells(grain := 'month', {selection.macro_arguments})
    where {conditions}
    group by all
),

totalled as (
    select
        *,
        sum(publications) over () as total_publications
    from counted
    where publications > 0
)

select
    *,
    share_of(publications, total_publications) as share,
    wilson_low(publications, total_publications) as share_low,
    wilson_high(publications, total_publications) as share_high,
    share_caution(publications, total_publications) as caution
from totalled
order by publications desc, {of}
"""
    return query, {**selection.counting_parameters, **parameters}
