"""Comparison of two selections: their rates, and the rate ratio with its exact interval."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from dashboards.queries.release import query_release
from dashboards.queries.selection import Selection, find_period
from dashboards.text import format_date, format_number, format_p_value
from warehouse.release import Release
from warehouse.statistics import functions, shares

# findings of the SQL macro change_finding, reworded for two selections that do not follow each other in time
_FINDING_LABELS = {
    "up": "higher",
    "down": "lower",
    "no clear change": "no clear difference",
    "too few": "too few to compare",
}


@dataclass(frozen=True)
class Comparison:
    """The rates of two selections compared.

    Args:
        sql: The query for counts and covered years.
        parameters: Its parameters.
        ratio: Rate of the second divided by the rate of the first; None if that is 0 or nothing is covered.
        low: Lower end of the exact 95 % interval of the ratio; None without a test.
        high: Upper end; None too where it is unbounded.
        p_value: Exact two-sided p-value of equal rates; None without a test.
        finding: “higher”, “lower”, “no clear difference” or “too few to compare”; None without a test.
        shared_publications: Number of publications in both selections.
        sentence: The comparison as a sentence to quote.
        headline: It in a few words; None without a test.
    """

    sql: str
    parameters: dict[str, Any]
    ratio: float | None
    low: float | None
    high: float | None
    p_value: float | None
    finding: str | None
    shared_publications: int
    sentence: str
    headline: str | None = None


def describe_selection(selection: Selection) -> str:
    """A selection in words: labs, categories and time span."""
    parts = [" and ".join(selection.labs) or "all labs", " and ".join(selection.categories)]
    since, until = selection.span
    ending = "ending " if selection.grain == "rolling_12_months" else ""
    if since:
        parts.append(f"{ending}from {format_date(since)}")
    if until:
        parts.append(f"{ending}until {format_date(until)}")
    return ", ".join(part for part in parts if part)


def build_comparison_query(first: Selection, second: Selection) -> tuple[str, dict[str, Any]]:
    """The query for publications, covered years and rate of two selections, by months; and its parameters."""
    parts, parameters = [], {}
    for prefix, selection in (("first", first), ("second", second)):
        by_month = selection.by_month
        conditions, filters = by_month.build_conditions("starts_on")
        # covered time does not depend on labs and categories
        time_condition, times = replace(by_month, labs=(), categories=()).build_conditions("starts_on")
        values = {**by_month.counting_parameters, **filters, **times, "name": describe_selection(by_month)}
        names = sorted(values, key=len, reverse=True)
        query = f"""
select
    $name as selection,
    (
        select sum(publications)
        from publication_cells(grain := 'month', {by_month.macro_arguments})
        where {conditions}
    ) as publications,
    (
        select sum(exposure_years)
        from publication_periods(grain := 'month'{by_month.corpus_argument})
        where {time_condition}
    ) as covered_years
from (select 1)
"""
        for name in names:
            query = query.replace(f"${name}", f"${prefix}_{name}")
        parts.append(query)
        parameters |= {f"{prefix}_{name}": value for name, value in values.items()}
    union = "union all".join(parts)
    return (
        f"""
select
    selection,
    coalesce(publications, 0.0) as publications,
    coalesce(covered_years, 0.0) as covered_years,
    case when covered_years > 0 then coalesce(publications, 0.0) / covered_years end as publications_per_year
from ({union.replace(chr(10), chr(10) + "    ")})
""",
        parameters,
    )


def compare_rates(release: Release, first: Selection, second: Selection) -> Comparison:
    """Compare the rates of two selections.

    Interval and test are exact only for whole counts of disjoint publications. Where the rule divides publications or
    the selections overlap, both are left out and the sentence gives the reason.
    """
    sql, parameters = build_comparison_query(first, second)
    rows = query_release(release, sql, parameters).to_dicts()
    (n_a, t_a), (n_b, t_b) = ((row["publications"], row["covered_years"]) for row in rows)
    names = (describe_selection(first), describe_selection(second))
    shared = _count_shared(release, first, second)
    ratio = (n_b / t_b) / (n_a / t_a) if n_a and t_a and t_b else None
    rates = (
        f"{names[1]}: {format_number(n_b)} in {t_b:.2f} covered years; {names[0]}: {format_number(n_a)} in {t_a:.2f}"
    )
    reason = None
    if not (t_a and t_b):
        reason = "one of the two spans of time is not covered"
    elif shared:
        reason = f"{shared:,} publications are in both, so the two counts are not independent and no test is made"
    elif n_a % 1 or n_b % 1:
        reason = "the rule divides publications, so no exact test can be made"
    if reason is not None:
        by = f", rate ratio {ratio:.2f}" if ratio is not None else ""
        return Comparison(sql, parameters, ratio, None, None, None, None, shared, f"{rates}{by}; {reason}.")
    low = functions.rate_ratio_low(n_a, t_a, n_b, t_b)
    high = functions.rate_ratio_high(n_a, t_a, n_b, t_b)
    p_value = functions.rate_ratio_p_value(n_a, t_a, n_b, t_b)
    # a single comparison needs no correction for multiple tests
    arguments = {"a": n_a, "b": n_b, "low": low, "high": high}
    finding = _FINDING_LABELS[
        query_release(release, "select change_finding($a, $b, $low, $high, 1) as finding", arguments).item()
    ]
    by = "not defined" if ratio is None else f"{ratio:.2f}"
    up_to = "unbounded" if high is None else f"{high:.2f}"
    sentence = f"{rates}; rate ratio {by} (95 % interval {low:.2f} to {up_to}, {format_p_value(p_value)}): {finding}."
    second_name = f"{names[1][:1].upper()}{names[1][1:]}"
    headline = {
        "higher": f"{second_name}: more publications a year than {names[0]}",
        "lower": f"{second_name}: fewer publications a year than {names[0]}",
    }.get(finding, f"{second_name}, and {names[0]}: {finding}")
    return Comparison(sql, parameters, ratio, low, high, p_value, finding, shared, sentence, headline)


def choose_pair(first: Selection, months: Sequence[str], labs: Sequence[str]) -> tuple[Selection, Selection]:
    """Two selections that are worth comparing where only the first is given: they have no publication in common.

    Chosen labs are compared with the other ones, a chosen span of time with the one of the same length before it, and
    if nothing is chosen, the newest of the last two whole years with the year before it.

    Args:
        first: The given selection.
        months: The months that can be chosen, as ``2023-04``.
        labs: All labs.
    """
    others = tuple(lab for lab in labs if lab not in first.labs and not lab.startswith("("))  # no lab, unknown authors
    since, until = first.by_month.span
    if first.labs and others:
        return first, replace(first, labs=others)
    if since and months:
        until = until or find_period(dt.date.fromisoformat(f"{months[-1]}-01"), 1)[1]
        length = 12 * (until.year - since.year) + until.month - since.month + 1
        return first, replace(first, since=_add_months(since, -length), until=since - dt.timedelta(days=1))
    whole = sorted({month[:4] for month in months if f"{month[:4]}-12" in months and f"{month[:4]}-01" in months})
    if len(whole) < 2:
        return first, first
    former, newest = (
        replace(first, since=dt.date(int(year), 1, 1), until=dt.date(int(year), 12, 31)) for year in whole[-2:]
    )
    return newest, former


def _add_months(day: dt.date, months: int) -> dt.date:
    place = 12 * day.year + day.month - 1 + months
    return day.replace(year=place // 12, month=place % 12 + 1, day=1)


def compare_shares(release: Release, first: Selection, second: Selection) -> str | None:
    """The two selections as shares, with the difference and its interval; None where shares cannot be compared.

    The share of categories is that among the publications of the same labs and time, and the share of labs that among
    all of the same time. Two shares of the same publications are not independent, so that nothing is compared.
    """
    wholes = tuple(replace(one, categories=()) if one.categories else replace(one, labs=()) for one in (first, second))
    if (first.labs, first.categories) == ((), ()) or (second.labs, second.categories) == ((), ()):
        return None
    if _count_shared(release, *wholes):
        return None
    parts, totals = (
        [row["publications"] for row in query_release(release, *build_comparison_query(*pair)).to_dicts()]
        for pair in ((first, second), wholes)
    )
    if any(number % 1 for number in (*parts, *totals)) or not all(totals):
        return None
    low, high = shares.compute_share_difference_interval(parts[0], totals[0], parts[1], totals[1])
    difference = 100 * (parts[1] / totals[1] - parts[0] / totals[0])
    of_each = [
        f"{part / total:.0%} ({format_number(part)} of {format_number(total)})"
        for part, total in zip(parts, totals, strict=True)
    ]
    finding = "no clear difference" if low <= 0 <= high else "higher" if low > 0 else "lower"
    return (
        f"As shares: {of_each[1]} compared with {of_each[0]}, {difference:+.0f} percentage points "
        f"(95 % interval {100 * low:+.0f} to {100 * high:+.0f}): {finding}."
    )


def _count_shared(release: Release, first: Selection, second: Selection) -> int:
    """Number of publications in both selections."""
    parts, parameters = [], {}
    for prefix, selection in (("first", first), ("second", second)):
        conditions, filters = selection.by_month.build_conditions("published_on")
        values = {**selection.counting_parameters, **filters}
        part = f"""
            select publication_id
            from publications_behind({selection.macro_arguments})
            where published_on is not null and {conditions}
        """
        for name in values:
            part = part.replace(f"${name}", f"${prefix}_{name}")
        parts.append(part)
        parameters |= {f"{prefix}_{name}": value for name, value in values.items()}
    return int(query_release(release, f"select count(*) from ({' intersect '.join(parts)})", parameters).item())


def query_rates(release: Release, comparison: Comparison) -> pl.DataFrame:
    """The rows of the comparison with the exact (Garwood) 95 % interval of each rate: ``rate_low``, ``rate_high``."""
    frame = query_release(release, comparison.sql, comparison.parameters)
    rows = list(frame.select("publications", "covered_years").iter_rows())
    return frame.with_columns(
        pl.Series("rate_low", [functions.poisson_rate_low(k, t) if t else None for k, t in rows], pl.Float64),
        pl.Series("rate_high", [functions.poisson_rate_high(k, t) if t else None for k, t in rows], pl.Float64),
    )
