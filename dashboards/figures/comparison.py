"""The figure that compares the rates of two selections."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import polars as pl
import streamlit as st

from dashboards.charts import intervals
from dashboards.exports.figure_files import Figure, FigureData
from dashboards.figures.figure import show_figure
from dashboards.figures.shared import describe_corpus_name, describe_source, describe_span
from dashboards.queries import counts
from dashboards.queries.comparison import (
    Comparison,
    choose_pair,
    compare_rates,
    compare_shares,
    describe_selection,
    query_rates,
)
from dashboards.queries.selection import Selection
from dashboards.widgets import filters
from warehouse.release import Release


def show_comparison(release: Release, selection: Selection) -> None:
    """Show the filters of a second selection, and the comparison of both.

    Args:
        release: The release.
        selection: The first selection.
    """
    st.subheader("Compared with", anchor=False)
    chosen = filters.show_filter_bar(
        release,
        ("labs", "categories", "span"),
        prefix="other_",
        taxonomy=selection.taxonomy,
        corpus=selection.corpus,
    )
    other = replace(chosen, rule=selection.rule, grain=selection.grain)
    if not (chosen.labs or chosen.categories or chosen.since or chosen.until):
        months = counts.list_months(release, selection.corpus)
        labs = counts.list_members(release, "lab", selection.taxonomy, selection.corpus)
        selection, other = choose_pair(selection, months, labs[: counts.MAX_MEMBERS])
        st.caption("Nothing is chosen here: these two are compared until you choose what to compare.")
    comparison = compare_rates(release, selection, other)
    if of_shares := compare_shares(release, selection, other):
        comparison = replace(comparison, sentence=f"{comparison.sentence} {of_shares}")
    rates = query_rates(release, comparison)
    show_figure(build_comparison_figure(release, selection, other, comparison, rates))
    st.caption(
        "Lines are exact 95 % intervals. The test covers this comparison alone: of twenty comparisons without a "
        "difference, about one looks clear by chance. `mart.publication_rate_ratios` has the comparisons of all years, "
        "corrected for multiple testing."
    )


def build_comparison_figure(
    release: Release, selection: Selection, other: Selection, comparison: Comparison, rates: pl.DataFrame
) -> Figure:
    """The rates of two selections with their intervals."""
    return Figure(
        FigureData(release, comparison.sql, rates, comparison.parameters),
        title=f"{describe_selection(other.by_month)}, compared with {describe_selection(selection.by_month)}",
        unit="publications per covered year",
        rule=selection.rule,
        source=describe_source(release, selection),
        corpus=describe_corpus_name(release, selection),
        finding=comparison.sentence,
        headline=comparison.headline,
        # else the names have the time of each
        span=describe_span(release, selection) if selection.span == other.span else None,
        file_name=f"comparison_{selection.counted_by}_{release.name}",
        alt=f"Rates of two selections with exact 95 % intervals. {comparison.sentence}",
        key="comparison",
        draw=partial(
            intervals.draw_intervals,
            rates,
            member="selection",
            value="publications_per_year",
            low="rate_low",
            high="rate_high",
            title="Publications per covered year",
            form=".3~g",
        ),
    )
