"""The charts of the page of trends: how its counts are told apart and drawn, and what they are compared with.

They are a part of the page of its own: when one of its choices is made, this part alone is run and sent anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast, get_args

import polars as pl
import streamlit as st

from dashboards import (
    charts,
    comparison,
    counts,
    drawing,
    figure,
    filters,
    intervals,
    marks,
    meanwhile,
    read,
    timeline,
    trends,
)
from dashboards.counts import OTHER, PLURAL, Dimension, Selection
from dashboards.marks import Look
from dashboards.trends import View
from warehouse.release import Release

PANELS_IN_A_ROW = 3
FEW = 30
_IS_LISTED_OTHERWISE = "is_listed_otherwise"


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

    def draw(self) -> None:
        """The panels side by side, each taking clicks, below the key to their colours."""
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
                    on_select=lambda key=key, panel=panel: _clicked(key, panel, series, self.panel_of),
                )


def listed_anew() -> None:
    """Forget which bar is marked, since another choice was made; its chart then takes a click on it again."""
    panel = st.session_state.pop("marked_panel", None)
    if panel is not None:
        clicks = st.session_state.setdefault("clicks", {})
        clicks[panel] = clicks.get(panel, 0) + 1


def _clicked(key: str, panel: str, series: Dimension, panel_of: Dimension | None) -> None:
    """Choose what a click on a chart meant, in the same widgets in which it can be chosen by keyboard."""
    point = charts.picked_of(st.session_state.get(key))
    if st.session_state.get("marked_panel") != panel:
        listed_anew()
    st.session_state["marked_panel"] = panel
    st.session_state["period"] = point.get("period")
    st.session_state[f"of_{series}"] = point.get(series)
    st.session_state[f"of_{OTHER[series]}"] = panel if point and panel_of else None
    st.session_state[_IS_LISTED_OTHERWISE] = True


def _viewed_otherwise() -> None:
    """A period may have other papers by another view."""
    st.session_state[_IS_LISTED_OTHERWISE] = bool(st.session_state.get("period"))


@st.fragment
def explored(release: Release, selection: Selection, picked: Mapping[str, str | None]) -> None:
    """Choose how the counts of a selection are drawn, draw them, and compare them with others.

    The view is the choice ``view`` of the session, as what a period lists depends on it.

    Args:
        release: The release.
        selection: What is counted; by what it is told apart is chosen here.
        picked: What to bring out, as values of columns.
    """
    if st.session_state.pop(_IS_LISTED_OTHERWISE, False):
        st.rerun()  # all of the page, with its list of papers
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        view = cast("View", filters.choice("View", get_args(View), "view", _viewed_otherwise))
        series = cast("Dimension", filters.choice("Colour", ("category", "lab"), "colour"))
        is_split = filters.switch(f"One panel per {OTHER[series]}", "panels", value=True)
        is_ranged = filters.switch(
            "Range over rules",
            "range",
            disabled=view != "lines",
            explained="With lines: a band from the lowest to the highest count over all rules that can be applied.",
        )
        is_annotated = filters.switch(
            "Meanwhile",
            "meanwhile",
            explained="Marks releases of models and other events in time, and numbers that were corrected since.",
        )
        is_compared = filters.switch("Compare", "compare", explained="With another selection, by their rates.")
    if view == "cumulative" and selection.grain == "rolling_12_months":
        st.info(
            "Rolling windows overlap and cannot be added up: the cumulative counts are per month.",
            icon=":material/search:",
        )
        selection = replace(selection, grain="month")
    panel_of = OTHER[series] if is_split else None
    selection = replace(selection, dimensions=("lab", "category") if is_split else (series,))
    query, parameters = trends.question(release, selection, view, series, is_ranged=is_ranged)
    given = figure.asked(release, query, parameters)
    frame: pl.DataFrame = given["frame"]

    colour_of = charts.colours(series, counts.names(release, series, selection.taxonomy))
    present = set(frame[series].unique())
    panels = {"": frame}
    if panel_of is not None:
        parts = {name: part for (name,), part in frame.partition_by(panel_of, as_dict=True).items()}
        panels = {name: parts[name] for name in counts.names(release, panel_of, selection.taxonomy) if name in parts}
    look = Look(
        series=series,
        grain=selection.grain,
        view=view,
        colour_of={name: colour for name, colour in colour_of.items() if name in present},
        highest=counts.highest(release, selection, panel_of) if view == "bars" else marks.highest(frame, view),
        meanings=read.meanings(release, counts.COUNTS),
        picked=picked,
        annotations=meanwhile.annotations(release, selection, frame, panel_of) if is_annotated else None,
    )
    shown = Shown(release, selection, view, series, panel_of, panels, look)
    figure.show(_figure(shown, given, _cautions(shown, frame, is_ranged=is_ranged)), on_page=shown.draw)
    if look.annotations is not None:
        meanwhile.lead_to_causes(look.annotations)
    if is_compared:
        _compare(release, selection)


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


def _figure(shown: Shown, given: Mapping[str, Any], cautions: list[str]) -> figure.Figure:
    release, selection, look = shown.release, shown.selection, shown.look
    measured = f"{marks.axis_title(look.grain, shown.view)} by {shown.series}"
    unsplit = f", for each {shown.panel_of}" if shown.panel_of else ""
    # a count of zero is a result, and has an interval as any other
    is_none = counts.totals(release, selection).selected == 0
    none_found = counts.none_found(release, selection) if is_none else None
    return figure.Figure(
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
            1 if shown.view == "heat map" else PANELS_IN_A_ROW,
        ),
        meanings=look.meanings,
        cautions=cautions,
    )


def _compare(release: Release, selection: Selection) -> None:
    """Choose another selection, and compare the rates of both."""
    st.subheader("Compared with", anchor=False)
    told = filters.bar(release, ("labs", "categories", "span"), prefix="other_", taxonomy=selection.taxonomy)
    other = replace(told, rule=selection.rule, grain=selection.grain)
    found = comparison.compared(release, selection, other)
    rates = comparison.rates(release, found)
    figure.show(
        figure.Figure(
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
