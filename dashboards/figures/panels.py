"""The two figures of the page of trends: counts over time in panels, and two selections compared by their rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import polars as pl
import streamlit as st

from dashboards.charts import drawing, intervals, marks, timeline
from dashboards.charts.marks import Look
from dashboards.figures import annotations as meanwhile
from dashboards.figures import figure
from dashboards.figures.figure import Figure
from dashboards.queries import comparison, counts, trends
from dashboards.queries.counts import PLURAL, Dimension, Selection
from dashboards.queries.trends import View
from dashboards.widgets import filters
from warehouse.release import Release

PANELS_IN_A_ROW = 3
FEW = 30


@dataclass(frozen=True)
class Shown:
    """What is drawn.

    Args:
        release: The release.
        selection: What is counted, by the dimensions by which it is told apart.
        view: How it is drawn.
        series: The dimension told by colour.
        panel_of: The dimension with a panel for each, if there is one.
        panels: The rows of each panel by its name.
        look: What all panels share.
    """

    release: Release
    selection: Selection
    view: View
    series: Dimension
    panel_of: Dimension | None
    panels: Mapping[str, pl.DataFrame]
    look: Look

    @property
    def in_row(self) -> int:
        """How many panels stand beside each other."""
        return 1 if self.view == "heat map" else min(PANELS_IN_A_ROW, len(self.panels))

    def draw(self, on_click: Callable[[str, str], None]) -> None:
        """The panels side by side below the key to their colours.

        Args:
            on_click: Called after a click on a chart, with its key in the session and the name of its panel.
        """
        view, series, look = self.view, self.series, self.look
        if view != "heat map" and (view == "bars" or len(look.colour_of) > 1):
            key_to_colours = partial(timeline.legend_on_page, series, look.colour_of)
            drawing.show(key_to_colours, key="legend", told=f"Colours of each {series}.")
        height = 270 if len(self.panels) <= PANELS_IN_A_ROW else 150
        for place, (panel, part) in enumerate(self.panels.items()):
            if place % self.in_row == 0:
                columns = st.columns(self.in_row, gap="small")
            clicks = st.session_state.get("clicks", {}).get(panel, 0)
            counted = f"{look.grain} {self.selection.rule} {self.selection.taxonomy}"
            key = f"chart {panel} {series} {view} {counted} {clicks}"
            told = f"{marks.axis_title(look.grain, view)} by {series}, as {view}. {panel}".strip()
            with columns[place % self.in_row]:
                drawing.show(
                    partial(timeline.panel_on_page, part, look, height, panel or None),
                    key=key,
                    told=f"{told}. The tab Table has the numbers.",
                    on_select=partial(on_click, key, panel),
                )


def _source(release: Release, taxonomy: str) -> str:
    """Where the counts come from, and whose categories they are in if not those of the source."""
    known = counts.taxonomies(release)
    source = "lab sheets (lab_sheet)"
    return source if taxonomy == next(iter(known)) else f"{source}, in the categories of {known[taxonomy]}"


def _cautions(shown: Shown, frame: pl.DataFrame, *, is_ranged: bool) -> list[str]:
    """What must not be read from the charts, and what some of their marks mean."""
    view = shown.view
    told = trends.of_periods(frame, view)
    if marks.has_bands(frame, shown.look):
        of_rules = "Bands go from the lowest to the highest count over all rules that can be applied."
        told.append("Bands are Wilson intervals at 95 %." if view == "share" else of_rules)
    elif view == "share" or (view == "lines" and is_ranged):
        ends = f"their ends are in the table, and a choice of up to four {PLURAL[shown.series]} shows them"
        told.append(f"Bands of so many lines would hide each other: {ends}.")
    if 0 < counts.totals(shown.release, shown.selection).selected < FEW:
        told.append(f"**Fewer than {FEW} publications in all**: too few to read a share or a trend from them.")
    if view == "share" and (caution := trends.cautions(frame)):
        told.append(f"**{caution}**")
    if shown.look.annotations is not None:
        told.extend(meanwhile.sentences(shown.look.annotations))
    return told


def figure_of(shown: Shown, given: Mapping[str, Any], *, is_ranged: bool) -> Figure:
    """The panels with all that is to be said of them.

    Args:
        shown: What is drawn.
        given: What `figure.asked` gave for it.
        is_ranged: Whether lines were asked to have a band over all rules.
    """
    release, selection, look = shown.release, shown.selection, shown.look
    measured = f"{marks.axis_title(look.grain, shown.view)} by {shown.series}"
    unsplit = f", for each {shown.panel_of}" if shown.panel_of else ""
    # a count of zero is a result, and has an interval as any other
    is_none = counts.totals(release, selection).selected == 0
    none_found = counts.none_found(release, selection) if is_none else None
    return Figure(
        **given,
        title=f"{measured}{unsplit}: {comparison.named(selection)}",
        unit={"share": "share of publications"}.get(shown.view, "publications"),
        rule=selection.rule,
        source=_source(release, selection.taxonomy),
        finding=none_found or " ".join(counts.findings(release, selection)),
        name=f"publications_by_{'_'.join(selection.dimensions)}_{look.grain}_{selection.rule}_{release.name}",
        alt=f"{measured}.",
        key="trends",
        draw=partial(
            timeline.in_picture,
            shown.panels,
            replace(look, is_clickable=False, picked={}),
            shown.in_row,
        ),
        meanings=look.meanings,
        cautions=_cautions(shown, given["frame"], is_ranged=is_ranged),
    )


def compare(release: Release, selection: Selection) -> None:
    """Choose another selection, and compare the rates of both."""
    st.subheader("Compared with", anchor=False)
    told = filters.bar(release, ("labs", "categories", "span"), prefix="other_", taxonomy=selection.taxonomy)
    other = replace(told, rule=selection.rule, grain=selection.grain)
    found = comparison.compared(release, selection, other)
    rates = comparison.rates(release, found)
    figure.show(
        Figure(
            release=release,
            sql=found.sql,
            parameters=found.parameters,
            frame=rates,
            title=f"{comparison.named(other.by_month)}, compared with {comparison.named(selection.by_month)}",
            unit="publications per covered year",
            rule=selection.rule,
            source=_source(release, selection.taxonomy),
            finding=found.sentence,
            name=f"comparison_{selection.rule}_{release.name}",
            alt=f"Rates of two selections with exact 95 % intervals. {found.sentence}",
            key="comparison",
            draw=partial(
                intervals.chart,
                rates,
                member="selection",
                value="publications_per_year",
                low="rate_low",
                high="rate_high",
                title="Publications per covered year",
                form=".3~g",
            ),
        )
    )
    st.caption(
        "Lines are exact 95 % intervals. The test is of this comparison alone: of twenty made where nothing "
        "differs, about one will look clear. The comparisons of all years, corrected for their number, are in "
        "`mart.publication_rate_ratios`."
    )
