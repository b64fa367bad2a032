"""Sentences about counts: findings of the statistics, and cautions for reading a chart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from dashboards.queries.comparison import describe_selection
from dashboards.queries.corpora import MAPPING, describe_sources, find_corpus, list_taxonomies
from dashboards.queries.counting_rules import list_repeating_rules
from dashboards.queries.counts import build_counts_query
from dashboards.queries.finding import CHANGE_HEADLINES, Finding, list_names
from dashboards.queries.release import query_release
from dashboards.queries.selection import DEFAULT_RULE, Selection
from dashboards.queries.trends import View
from dashboards.text import format_count, format_name, format_number
from warehouse.release import Release
from warehouse.statistics import functions, trends

_FEWEST_IN_HALF = 5  # as in growth_shown and change_finding of warehouse/macros/statistics.sql


def describe_trends(release: Release, selection: Selection) -> list[Finding]:
    """What is found on the trend of each selected lab or category, or of all together.

    The release has the trends of the works of the published mapping over all fully covered months: in total, per lab,
    and per category of the default taxonomy. Any other choice of corpus, labs, categories and months is tested here, as
    one more beside those; if it cannot be tested, the sentence gives what would be needed.
    """
    is_default = selection.taxonomy == next(iter(list_taxonomies(release, selection.corpus)))
    is_in_release = not (selection.labs and selection.categories) and (is_default or not selection.categories)
    is_in_release = is_in_release and selection.corpus in (None, MAPPING)
    if not is_in_release or selection.since or selection.until:
        return [_test_trend(release, selection)]
    query = """
        select sentence, member, finding
        from mart.publication_trends
        where dimension = $dimension and ($dimension = 'all' or list_contains($members::varchar[], member))
        order by member
    """
    members = list(selection.labs or selection.categories)
    dimension = "lab" if selection.labs else "category" if selection.categories else "all"
    rows = query_release(release, query, {"dimension": dimension, "members": members}).rows()
    note = (
        ""
        if selection.rule == DEFAULT_RULE
        else f" (Tested for {DEFAULT_RULE}; the chart shows {format_name(selection.rule)}.)"
    )
    findings = [
        Finding(
            f"{sentence}{note if place == len(rows) else ''}",
            f"{'All labs and categories' if dimension == 'all' else member}: {CHANGE_HEADLINES[change]}",
        )
        for place, (sentence, member, change) in enumerate(rows, start=1)
    ]
    if len(rows) > 1:  # one title for all of them
        return [
            findings[0]._replace(headline=_name_changes({member: change for _, member, change in rows})),
            *(finding._replace(headline="") for finding in findings[1:]),
        ]
    return findings


def _name_changes(changes: Mapping[str, str]) -> str:
    """What several series did in a few words: the same change once, with all that it was found of."""
    groups = {change: [member for member, found in changes.items() if found == change] for change in CHANGE_HEADLINES}
    named = "; ".join(
        f"{CHANGE_HEADLINES[change]}: {list_names(members)}" for change, members in groups.items() if members
    )
    return f"{named[:1].upper()}{named[1:]}"


def _test_trend(release: Release, selection: Selection) -> Finding:
    """The trend of a selection as one series of whole months, in the words of ``mart.publication_trends``."""
    query, parameters = build_counts_query(replace(selection.by_month, dimensions=()))
    months = query_release(release, query, parameters).filter(~pl.col("is_part_period"))
    numbers: list[float] = months["publications"].to_list()
    before, after = sum(numbers[: len(numbers) // 2]), sum(numbers[len(numbers) // 2 :])
    rule, name = format_name(selection.rule), describe_selection(selection.by_month)
    series = (
        f"{name[:1].upper()}{name[1:]}: {format_number(before + after)} "
        f"{rule.removesuffix('s') if before + after == 1 else rule} in {format_count(len(numbers), 'whole month')}"
    )
    named = replace(
        selection.by_month,
        labs=(list_names(selection.labs),) if selection.labs else (),
        categories=(list_names(selection.categories),) if selection.categories else (),
    )
    title = describe_selection(named)
    title = f"{title[:1].upper()}{title[1:]}"
    if any(number % 1 for number in numbers) or selection.rule in list_repeating_rules(release):
        return Finding(
            f"{series}. No trend is tested, since the counting rule or the taxonomy divides publications or counts "
            "them more than once: that needs whole ones, such as works in the categories of the source.",
            "",
        )
    growth, error = trends.growth_per_period(numbers), trends.log_growth_error(numbers)
    if min(before, after) < _FEWEST_IN_HALF or growth is None or error is None:
        return Finding(
            f"{series}, {format_number(before)} in the first half of them and {format_number(after)} in the second: "
            f"too few for a trend. It needs at least {_FEWEST_IN_HALF} in each half: choose more labs, more categories "
            "or a longer span of time.",
            f"{title}: {CHANGE_HEADLINES['too few']}",
        )
    tests = 1 + query_release(release, "select count(growth_p_value) from mart.publication_trends").item()
    (low, high), (alone_low, alone_high) = (
        [
            math.expm1(12 * (math.log1p(growth) + side * trends.normal_quantile(1 - 0.025 / among) * error))
            for side in (-1, 1)
        ]
        for among in (tests, 1)
    )
    arguments = {"before": before, "after": after, "low": low, "high": high}
    finding = query_release(release, "select change_finding($before, $after, $low, $high, 0)", arguments).item()
    corpus = find_corpus(release, selection.corpus)
    # the sentence is quoted without the cautions of its figure
    is_of_sources = corpus is not None and describe_sources(release, corpus) is not None
    of_sources = ", in what the sources of the corpus hold, which begin and end at different times" * is_of_sources
    return Finding(
        f"{series}, growth {100 * math.expm1(12 * math.log1p(growth)):+.0f} % a year (95 % interval "
        f"{100 * low:+.0f} to {100 * high:+.0f} % corrected for this and the {tests - 1} trends of the release; "
        f"{100 * alone_low:+.0f} to {100 * alone_high:+.0f} % alone): {finding}{of_sources}.",
        f"{title}: {CHANGE_HEADLINES[finding]}",
    )


def describe_zero_count(release: Release, selection: Selection) -> str | None:
    """A sentence with the upper bound of the rate of a selection without publications; None if no time is covered."""
    conditions, parameters = replace(selection.by_month, labs=(), categories=()).build_conditions("starts_on")
    query = f"""
        select sum(exposure_years) as years, count(*) filter (where not is_part_period) as months
        from (
            select is_part_period, exposure_years
            from publication_periods(grain := 'month'{selection.corpus_argument})
            where {conditions}
        )
    """
    years, covered = query_release(release, query, {**parameters, **selection.corpus_parameters}).row(0)
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
    style = {"heat map": ", so in a broken frame", "bars": ", so drawn pale"}.get(
        view, ", so drawn pale and in broken lines"
    )
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
