"""Any two selections side by side: their rates, the ratio with its exact interval, and what may be said of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from dashboards import text
from dashboards.queries.counts import Selection
from dashboards.queries.release import ask
from warehouse.release import Release
from warehouse.statistics import functions

# how a change is told of two selections, of which neither is before the other
_TOLD = {"up": "higher", "down": "lower", "no clear change": "no clear difference", "too few": "too few to tell"}


@dataclass(frozen=True)
class Comparison:
    """Two selections and how their rates compare.

    Args:
        sql: The query that gives the counts and years of coverage.
        parameters: Its parameters.
        ratio: Rate of the second by that of the first; missing if that is 0 or nothing is covered.
        low: Lower end of the exact 95 % interval of the ratio; missing where it cannot be had.
        high: Upper end; missing too where it is unbounded.
        p_value: Exact two-sided p-value of equal rates.
        finding: “higher”, “lower”, “no clear difference” or “too few to tell”; missing without a test.
        shared: Publications that are in both selections.
        sentence: The comparison as a sentence that may be quoted.
    """

    sql: str
    parameters: dict[str, Any]
    ratio: float | None
    low: float | None
    high: float | None
    p_value: float | None
    finding: str | None
    shared: int
    sentence: str


def named(selection: Selection) -> str:
    """A selection in words: its labs, categories and the whole periods of its span of time."""
    parts = [" and ".join(selection.labs) or "all labs", " and ".join(selection.categories)]
    since, until = selection.span
    ending = "ending " if selection.grain == "rolling_12_months" else ""
    if since:
        parts.append(f"{ending}from {text.written(since)}")
    if until:
        parts.append(f"{ending}until {text.written(until)}")
    return ", ".join(part for part in parts if part)


def question(first: Selection, second: Selection) -> tuple[str, dict[str, Any]]:
    """The query for publications, covered years and rate of two selections, by months; and its parameters."""
    parts, parameters = [], {}
    for place, selection in (("first", first), ("second", second)):
        by_month = selection.by_month
        conditions, given = by_month.conditions("starts_on")
        # what is covered does not depend on labs and categories, and must not vanish with them
        when, times = replace(by_month, labs=(), categories=()).conditions("starts_on")
        values = {**by_month.counting, **given, **times, "name": named(by_month)}
        names = sorted(values, key=len, reverse=True)
        query = f"""
select
    $name as selection,
    (select sum(publications) from by_month where {conditions}) as publications,
    (
        select sum(exposure_years)
        from (select distinct starts_on, exposure_years from by_month where {when})
    ) as covered_years
from (select 1)
"""
        source = "publication_counts(rule := $rule, grain := 'month', in_taxonomy := $taxonomy)"
        query = query.replace("by_month", source)
        for name in names:
            query = query.replace(f"${name}", f"${place}_{name}")
        parts.append(query)
        parameters |= {f"{place}_{name}": value for name, value in values.items()}
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


def compared(release: Release, first: Selection, second: Selection) -> Comparison:
    """Compare the rates of two selections.

    The interval and the test are exact for whole counts of different publications. So they are left out, and it is
    said why, where the rule divides publications or where some are in both selections.
    """
    sql, parameters = question(first, second)
    rows = ask(release, sql, parameters).to_dicts()
    (n_a, t_a), (n_b, t_b) = ((row["publications"], row["covered_years"]) for row in rows)
    names = (named(first), named(second))
    shared = _shared(release, first, second)
    ratio = (n_b / t_b) / (n_a / t_a) if n_a and t_a and t_b else None
    told = f"{names[1]}: {text.number(n_b)} in {t_b:.2f} covered years; {names[0]}: {text.number(n_a)} in {t_a:.2f}"
    reason = None
    if not (t_a and t_b):
        reason = "one of the two spans of time is not covered"
    elif shared:
        reason = f"{shared:,} publications are in both, so the two counts are not independent and no test is made"
    elif n_a % 1 or n_b % 1:
        reason = "the rule divides publications, so no exact test can be made"
    if reason is not None:
        by = f", rate ratio {ratio:.2f}" if ratio is not None else ""
        return Comparison(sql, parameters, ratio, None, None, None, None, shared, f"{told}{by}; {reason}.")
    low = functions.rate_ratio_low(n_a, t_a, n_b, t_b)
    high = functions.rate_ratio_high(n_a, t_a, n_b, t_b)
    p_value = functions.rate_ratio_p_value(n_a, t_a, n_b, t_b)
    # one comparison by itself: nothing to correct for
    given = {"a": n_a, "b": n_b, "low": low, "high": high}
    finding = _TOLD[ask(release, "select change_finding($a, $b, $low, $high, 1) as finding", given).item()]
    by = "not defined" if ratio is None else f"{ratio:.2f}"
    up_to = "unbounded" if high is None else f"{high:.2f}"
    sentence = f"{told}; rate ratio {by} (95 % interval {low:.2f} to {up_to}, p = {p_value:.2g}): {finding}."
    return Comparison(sql, parameters, ratio, low, high, p_value, finding, shared, sentence)


def _shared(release: Release, first: Selection, second: Selection) -> int:
    """Publications that are in both selections."""
    parts, parameters = [], {}
    for place, selection in (("first", first), ("second", second)):
        conditions, given = selection.by_month.conditions("published_on")
        values = {**selection.counting, **given}
        part = f"""
            select publication_id
            from publications_behind(rule := $rule, in_taxonomy := $taxonomy)
            where published_on is not null and {conditions}
        """
        for name in values:
            part = part.replace(f"${name}", f"${place}_{name}")
        parts.append(part)
        parameters |= {f"{place}_{name}": value for name, value in values.items()}
    return int(ask(release, f"select count(*) from ({' intersect '.join(parts)})", parameters).item())


def rates(release: Release, comparison: Comparison) -> pl.DataFrame:
    """The rows of the comparison with the exact (Garwood) 95 % interval of each rate: ``rate_low``, ``rate_high``."""
    frame = ask(release, comparison.sql, comparison.parameters)
    counted = list(frame.select("publications", "covered_years").iter_rows())
    return frame.with_columns(
        pl.Series("rate_low", [functions.poisson_rate_low(k, t) if t else None for k, t in counted], pl.Float64),
        pl.Series("rate_high", [functions.poisson_rate_high(k, t) if t else None for k, t in counted], pl.Float64),
    )
