"""Sentences about counts: findings of the statistics, and cautions for reading a chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from dashboards.queries.counts import list_taxonomies
from dashboards.queries.release import query_release
from dashboards.queries.selection import Selection
from dashboards.queries.trends import View
from dashboards.text import format_count
from warehouse.release import Release
from warehouse.statistics import functions


def describe_trends(release: Release, selection: Selection) -> list[str]:
    """A sentence on the trend of each selected lab or category, or of all together.

    Trends are tested for works over all fully covered months: in total, per lab, and per category of the default
    taxonomy. For any other selection, the sentence is that no trend is tested.
    """
    is_default = selection.taxonomy == next(iter(list_taxonomies(release)))
    is_tested = not (selection.labs and selection.categories) and (is_default or not selection.categories)
    if not is_tested or selection.since or selection.until:
        return ["No trend is tested for this choice, only for all, for labs and for categories, over all months."]
    query = """
        select sentence
        from mart.publication_trends
        where dimension = $dimension and ($dimension = 'all' or list_contains($members::varchar[], member))
        order by member
    """
    members = list(selection.labs or selection.categories)
    dimension = "lab" if selection.labs else "category" if selection.categories else "all"
    sentences = query_release(release, query, {"dimension": dimension, "members": members})["sentence"].to_list()
    note = (
        "" if selection.rule == "works" else f" (Tested for works; the chart shows {selection.rule.replace('_', ' ')}.)"
    )
    return [f"{sentence}{note if sentence == sentences[-1] else ''}" for sentence in sentences]


def describe_zero_count(release: Release, selection: Selection) -> str | None:
    """A sentence with the upper bound of the rate of a selection without publications; None if no time is covered."""
    conditions, parameters = replace(selection.by_month, labs=(), categories=()).build_conditions("starts_on")
    query = f"""
        select sum(exposure_years) as years, count(*) filter (where not is_part_period) as months
        from (
            select distinct starts_on, is_part_period, exposure_years
            from publication_counts(rule := $rule, grain := 'month', in_taxonomy := $taxonomy)
            where {conditions}
        )
    """
    years, covered = query_release(release, query, {**selection.counting_parameters, **parameters}).row(0)
    if not years:
        return None
    high = functions.poisson_rate_high(0, years)
    return (
        f"None in {format_count(covered, 'whole month')} that are covered: its rate is 0 a year, "
        f"with an exact 95 % interval of 0 to {high:.2g}."
    )


def describe_period_cautions(frame: pl.DataFrame, view: View) -> list[str]:
    """Cautions about partly covered, uncovered and provisional periods of a frame, in Markdown."""
    columns = ("period", "covered_part", "is_part_period", "is_provisional")
    periods = frame.select(columns).unique(maintain_order=True)
    style = ", so drawn pale" if view in {"heat map", "bars"} else ", so drawn pale and in broken lines"
    places = {period: place for place, period in enumerate(periods["period"])}
    cautions = []
    outside = periods.filter(pl.col("covered_part") == "not covered")["period"].to_list()
    if outside:
        cautions.append(
            f"**{_format_runs(outside, places)}: not covered by the source**{style}. How many there were is not known."
        )
    in_part = periods.filter(pl.col("is_part_period") & (pl.col("covered_part") != "not covered"))
    if in_part.height:
        smaller = "growth" if view == "cumulative" else "number"
        names = _format_runs(in_part["period"].to_list(), places)
        if in_part.height == 1:
            names = f"{names} ({in_part['covered_part'][0]})"
        cautions.append(
            f"**{names}: covered only in part**{style}. A smaller {smaller} there must not be read as a decline."
        )
    provisional = periods.filter("is_provisional")["period"].to_list()
    if provisional:
        until = f" to {provisional[-1]}" if len(provisional) > 1 else ""
        cautions.append(
            f"**{provisional[0]}{until}: the newest three months may still be filling up**{style}: how late "
            "records come is known of a source only once 50 of them were seen to come."
        )
    return cautions


def _format_runs(periods: list[str], places: Mapping[str, int]) -> str:
    """Periods by name, consecutive ones as a range: 2015-01 to 2015-03 and 2016-05."""
    runs: list[list[str]] = []
    for period in periods:
        if runs and places[period] == places[runs[-1][-1]] + 1:
            runs[-1].append(period)
        else:
            runs.append([period])
    return " and ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def describe_share_cautions(frame: pl.DataFrame) -> str | None:
    """A sentence on how many shares are too uncertain to be quoted without their interval; None if none is."""
    count = frame.filter(pl.col("caution").is_not_null()).height
    if not count:
        return None
    return (
        f"{count:,} of {frame.height:,} shares rest on fewer than 30 publications or have an interval wider than 0.20: "
        "quote those only with their interval."
    )
