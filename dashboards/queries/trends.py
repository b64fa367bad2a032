"""What the trends ask beyond plain counts: shares, cumulative counts, ranges over rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import polars as pl

from dashboards.queries import counts
from dashboards.queries.counts import Dimension, Selection
from warehouse.release import Release

View = Literal["bars", "lines", "share", "heat map", "cumulative"]


def question(release: Release, selection: Selection, view: View, series: Dimension, *, is_ranged: bool = False) -> Any:
    """The query for a view of a selection, and its parameters.

    Its columns are those of `counts.over_time` and besides, for shares, ``total_publications``, ``share``,
    ``share_low``, ``share_high`` (Wilson, 95 %) and ``caution``; for cumulative counts ``cumulative_publications``; for
    a range over rules ``lowest`` and ``highest``.

    Args:
        release: The release, which knows the rules that can be applied.
        selection: What is counted. A share is one of all publications in its period, and in its panel if there are
            some: what the filter of the series leaves out stays in the total.
        view: How it is drawn.
        series: The dimension told by colour.
        is_ranged: Whether lines have a band over all rules that can be applied.
    """
    if view == "share":
        return _shares(selection, series)
    if view == "cumulative":
        query, parameters = counts.over_time(selection)
        order = "".join(f", {name}" for name in selection.dimensions)
        per = f"partition by {', '.join(selection.dimensions)} " if selection.dimensions else ""
        query = f"""
select
    *,
    sum(publications) over ({per}order by starts_on) as cumulative_publications
from ({_inner(query)})
order by starts_on{order}
"""
        return query, parameters
    if is_ranged and view == "lines":
        return _ranged(release, selection)
    return counts.over_time(selection)


def _inner(query: str) -> str:
    return query.replace("\n", "\n    ").rstrip(" ")


def _shares(selection: Selection, series: Dimension) -> tuple[str, dict[str, Any]]:
    names = selection.labs if series == "lab" else selection.categories
    of_all = replace(selection, labs=()) if series == "lab" else replace(selection, categories=())
    query, parameters = counts.over_time(of_all)
    panels = "".join(f", {name}" for name in selection.dimensions if name != series)
    kept = "where list_contains($of_series, " + series + ")" if names else ""
    asked = f"""
with totalled as (
    select
        *,
        sum(publications) over (partition by starts_on{panels}) as total_publications
    from ({_inner(query)})
)

select
    *,
    share_of(publications, total_publications) as share,
    wilson_low(publications, total_publications) as share_low,
    wilson_high(publications, total_publications) as share_high,
    share_caution(publications, total_publications) as caution
from totalled
{kept}
order by starts_on{"".join(f", {name}" for name in selection.dimensions)}
"""
    return asked, {**parameters, **({"of_series": list(names)} if names else {})}


def _ranged(release: Release, selection: Selection) -> tuple[str, dict[str, Any]]:
    """Rules that cannot tell the lab of more than 5 % of the publications are left out of the range."""
    query, parameters = counts.over_time(selection)
    applicable = [rule.name for rule in counts.rules(release) if rule.is_applicable] or [selection.rule]
    cell = ", ".join(("starts_on", *selection.dimensions))
    each = [
        f"select {cell}, publications from ({_inner(query.replace('$rule', f'$rule_{place}'))})"
        for place in range(len(applicable))
    ]
    union = "\n    union all\n    ".join(each)
    asked = f"""
with by_rule as (
    {union}
),

ranged as (
    select {cell}, min(publications) as lowest, max(publications) as highest
    from by_rule
    group by all
)

select *
from ({_inner(query)})
inner join ranged using ({cell})
order by {cell}
"""
    return asked, {**parameters, **{f"rule_{place}": name for place, name in enumerate(applicable)}}


def of_periods(frame: pl.DataFrame, view: View) -> list[str]:
    """What must not be read from the periods of a frame, in Markdown: part periods, provisional ones."""
    columns = ("period", "covered_part", "is_part_period", "is_provisional")
    periods = frame.select(columns).unique(maintain_order=True)
    drawn = ", so drawn pale" if view in {"heat map", "bars"} else ", so drawn pale and in broken lines"
    places = {period: place for place, period in enumerate(periods["period"])}
    told = []
    outside = periods.filter(pl.col("covered_part") == "not covered")["period"].to_list()
    if outside:
        told.append(
            f"**{_listed(outside, places)}: not covered by the source**{drawn}. How many there were is not known."
        )
    in_part = periods.filter(pl.col("is_part_period") & (pl.col("covered_part") != "not covered"))
    if in_part.height:
        smaller = "growth" if view == "cumulative" else "number"
        named = _listed(in_part["period"].to_list(), places)
        if in_part.height == 1:
            named = f"{named} ({in_part['covered_part'][0]})"
        told.append(
            f"**{named}: covered only in part**{drawn}. A smaller {smaller} there must not be read as a decline."
        )
    provisional = periods.filter("is_provisional")["period"].to_list()
    if provisional:
        until = f" to {provisional[-1]}" if len(provisional) > 1 else ""
        told.append(
            f"**{provisional[0]}{until}: the newest three months may still be filling up**{drawn}: how late "
            "records come is known of a source only once 50 of them were seen to come."
        )
    return told


def _listed(named: list[str], places: Mapping[str, int]) -> str:
    """Some of the periods by name, those that follow each other from the first to the last."""
    runs: list[list[str]] = []
    for period in named:
        if runs and places[period] == places[runs[-1][-1]] + 1:
            runs[-1].append(period)
        else:
            runs.append([period])
    return " and ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def cautions(frame: pl.DataFrame) -> str | None:
    """How many of the shares drawn should not be quoted without their interval, as a sentence."""
    told = frame.filter(pl.col("caution").is_not_null()).height
    if not told:
        return None
    return (
        f"{told:,} of {frame.height:,} shares rest on fewer than 30 publications or have an interval wider than 0.20: "
        "quote those only with their interval."
    )
