"""Sentences about changes of shares, which answer the question of a chart of shares."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from dashboards.queries.finding import Finding
from dashboards.queries.selection import Dimension
from dashboards.text import format_count, format_number, format_p_value
from warehouse.statistics.shares import compute_share_difference_interval, compute_share_trend, correct_by_holm

_FEWEST = 5  # with, and without, what the share is of, over all periods
_MOST_DESCRIBED = 3
_MOST_IN_HEADLINE = 2
_LEVEL = 0.05


@dataclass(frozen=True)
class _ShareSeries:
    """A share over the whole periods in which there is anything to be a share of."""

    name: str
    periods: list[str]
    counts: list[float]
    totals: list[float]

    @property
    def is_testable(self) -> bool:
        hits, others = sum(self.counts), sum(self.totals) - sum(self.counts)
        return len(self.periods) > 1 and min(hits, others) >= _FEWEST

    def describe(self) -> str:
        """The first and the last share and their difference with its interval."""
        (first, last), (of_first, of_last) = (
            self.counts[:: len(self.counts) - 1],
            self.totals[:: len(self.totals) - 1],
        )
        low, high = compute_share_difference_interval(first, of_first, last, of_last)
        return (
            f"{self.name}: from {first / of_first:.0%} ({format_number(first)} of {format_number(of_first)}) in "
            f"{self.periods[0]} to {last / of_last:.0%} ({format_number(last)} of {format_number(of_last)}) in "
            f"{self.periods[-1]}, {100 * (last / of_last - first / of_first):+.0f} percentage points (95 % interval "
            f"{100 * low:+.0f} to {100 * high:+.0f})"
        )

    def name_change(self, z: float) -> str:
        """A clear change in a few words, with the first and the last share where they show it."""
        first, last = self.counts[0] / self.totals[0], self.counts[-1] / self.totals[-1]
        ends = f"from {first:.0%} in {self.periods[0]} to {last:.0%} in {self.periods[-1]}"
        if (last > first) != (z > 0):  # the trend is over all periods
            ends = f"over {len(self.periods)} periods, {self.periods[0]} to {self.periods[-1]}"
        return f"Share of {self.name} {_name_change(z)} {ends}"


def describe_share_changes(frame: pl.DataFrame, series: Dimension, panel: Dimension | None) -> Finding:
    """What the shares of a chart did over its whole periods, each with its test, corrected for all that are shown.

    Args:
        frame: Rows of a query for shares, with ``is_part_period``, ``publications`` and ``total_publications``.
        series: The dimension whose members have the shares.
        panel: The dimension of the panels, if there are several.
    """
    whole = frame.filter(~pl.col("is_part_period") & (pl.col("total_publications") > 0)).sort("starts_on")
    if whole.filter((pl.col("publications") % 1 != 0) | (pl.col("total_publications") % 1 != 0)).height:
        return Finding(
            "No change of a share is tested, since the counting rule or the taxonomy divides publications: that needs "
            "whole ones, such as works in the categories of the source.",
            "",
        )
    names = [series, *([panel] if panel else [])]
    all_series = [
        _ShareSeries(
            " in ".join(map(str, key)),
            part["period"].to_list(),
            part["publications"].to_list(),
            part["total_publications"].to_list(),
        )
        for key, part in whole.partition_by(names, as_dict=True, maintain_order=True).items()
    ]
    tested = [
        (one, trend) for one in all_series if one.is_testable and (trend := compute_share_trend(one.counts, one.totals))
    ]
    if not tested:
        return Finding(
            f"Too few to tell whether a share changed: that needs two whole periods, and {_FEWEST} publications with, "
            f"and {_FEWEST} without, what the share is of. Choose longer periods or a longer span of time.",
            "Too few publications to tell whether a share changed",
        )
    corrected = correct_by_holm([trend[1] for _, trend in tested])
    ranked = sorted(zip(tested, corrected, strict=True), key=lambda row: (row[1], -abs(row[0][1][0]), row[0][0].name))
    clear = [row for row in ranked if row[1] < _LEVEL]
    described = (clear or ranked)[:_MOST_DESCRIBED]
    of_all = f", corrected for the {len(tested)} shares tested" if len(tested) > 1 else ""
    sentences = [
        f"{one.describe()}: {_name_change(trend[0]) if p_value < _LEVEL else 'no clear change'} "
        f"(trend over {format_count(len(one.periods), 'whole period')}, {format_p_value(p_value)}{of_all})"
        for (one, trend), p_value in described
    ]
    more = len(clear) - len(described)
    remainder = [f"{more} more changed clearly"] if more > 0 else []
    unclear = len(tested) - len(clear) - (0 if clear else len(described))
    remainder += [f"{format_count(unclear, 'other share')} without a clear change"] if unclear > 0 else []
    few = len(all_series) - len(tested)
    remainder += [f"{format_count(few, 'share')} with too few publications to tell"] if few else []
    headline = (
        "; ".join(one.name_change(trend[0]) for (one, trend), _ in clear[:_MOST_IN_HEADLINE])
        if clear
        else f"No clear change of any share, {whole['period'][0]} to {whole['period'][-1]}"
    )
    return Finding("; ".join([*sentences, *remainder]) + ".", headline)


def _name_change(z: float) -> str:
    return "up" if z > 0 else "down"
