"""The reader's choices on the trends page: how counts are drawn, and which papers are listed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

import polars as pl
import streamlit as st

from dashboards.charts.timeline import get_clicked_point
from dashboards.queries import counts
from dashboards.queries.selection import OTHER_DIMENSION, Dimension, Grain, Selection
from dashboards.queries.trends import View
from dashboards.widgets import filters
from dashboards.widgets.former_links import read_former_parameter
from warehouse.release import Release

_PAPER_FILTERS = (
    ("period", "Period", "All periods", 160),
    ("of_lab", "Lab", "All labs", 220),
    ("of_category", "Category", "All categories", 300),
)


@dataclass(frozen=True)
class TrendOptions:
    """How the counts of a selection are drawn.

    Args:
        grain: Length of a period.
        view: Kind of chart.
        series: The dimension shown by colour.
        is_split: Whether there is a panel for each member of the other dimension.
        has_rule_range: Whether lines have a band from the lowest to the highest count over all applicable rules.
        has_events: Whether events and corrections are marked.
        is_compared: Whether the selection is compared with another.
        has_suggested: Whether expected counts by suggested categories are drawn, apart.
    """

    grain: Grain
    view: View
    series: Dimension
    is_split: bool
    has_rule_range: bool
    has_events: bool
    is_compared: bool
    has_suggested: bool = False

    @property
    def panel_dimension(self) -> Dimension | None:
        """The dimension with a panel for each member, if there is one."""
        return OTHER_DIMENSION[self.series] if self.is_split else None

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions that publications are counted by."""
        return ("lab", "category") if self.is_split else (self.series,)


@dataclass(frozen=True)
class PaperQuery:
    """Which papers are listed.

    Args:
        selection: Labs, categories and counting rule.
        span: First and last day of a period, or all with a date, or all without.
    """

    selection: Selection
    span: tuple[dt.date, dt.date] | Literal["dated", "undated"]


def select_trend_options(*, has_suggestions: bool = False) -> TrendOptions:
    """Show the choices of how counts are drawn, and return what is chosen.

    Args:
        has_suggestions: Whether works of the corpus have suggested categories.
    """
    read_former_parameter("events", lambda values: values[-1].lower() == "true")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        grain = cast("Grain", filters.select_one("Per", get_args(Grain), "per", 180, "year"))
        view = cast("View", filters.select_segment("View", get_args(View), "view"))
        series = cast("Dimension", filters.select_segment("Colour", ("category", "lab"), "colour"))
        return TrendOptions(
            grain=grain,
            view=view,
            series=series,
            is_split=filters.select_toggle(f"One panel per {OTHER_DIMENSION[series]}", "panels", value=True),
            has_rule_range=filters.select_toggle(
                "Range over rules",
                "range",
                disabled=view != "lines",
                help_text="Lines only: a band from the lowest to the highest count over all applicable counting rules.",
            ),
            has_events=filters.select_toggle(
                "Events",
                "events",
                help_text="Marks model releases and other events, and counts that were corrected in a later release.",
            ),
            is_compared=filters.select_toggle(
                "Compare", "compare", help_text="Compares the rates of this selection and another."
            ),
            has_suggested=has_suggestions
            and filters.select_toggle(
                "Suggested",
                "suggested",
                value=True,
                help_text="Works without a reviewed category, by suggested ones: expected counts, drawn apart.",
            ),
        )


def select_papers(
    release: Release, selection: Selection, view: View, frame: pl.DataFrame
) -> tuple[dict[str, str | None], PaperQuery]:
    """Show the choices of which papers are listed.

    Args:
        release: The release.
        selection: What is drawn.
        view: Kind of chart.
        frame: The rows that are drawn.

    Returns:
        The chosen period, lab and category, to be marked in the charts, and the papers that they stand for.
    """
    spans = frame.select("period", "starts_on", "ends_on").unique(maintain_order=True)
    periods = {name: (start, end) for name, start, end in spans.iter_rows()}
    has_undated = counts.query_totals(release, selection).undated > 0
    corpus = selection.corpus
    options = {
        "period": [*periods, *(["undated"] if has_undated else [])],
        "of_lab": list(selection.labs) or counts.list_members(release, "lab", selection.taxonomy, corpus),
        "of_category": list(selection.categories)
        or counts.list_members(release, "category", selection.taxonomy, corpus),
    }
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        period, lab, category = (
            filters.select_optional(label, options[key], key, width, placeholder, _forget_mark)
            for key, label, placeholder, width in _PAPER_FILTERS
        )
    span: Any = "dated"
    if period == "undated":
        span = "undated"
    elif period:
        span = periods[period]
        if view == "cumulative":  # from the start of the first period
            span = (min(start for start, _ in periods.values()), span[1])
    paper_selection = replace(
        selection,
        labs=(lab,) if lab else selection.labs,
        categories=(category,) if category else selection.categories,
        # the dimensions do not change which papers there are; the grain does, since a span of time has whole periods
        dimensions=(),
        grain=selection.grain if selection.since or selection.until else "year",
    )
    return {"period": period, "lab": lab, "category": category}, PaperQuery(paper_selection, span)


def select_clicked_papers(series: Dimension, panel_dimension: Dimension | None, chart_key: str, panel: str) -> None:
    """Set the paper filters to the bar or point that was clicked.

    Args:
        series: The dimension shown by colour.
        panel_dimension: The dimension of the panels, if there are several.
        chart_key: Key of the chart in the session.
        panel: Name of its panel.
    """
    point = get_clicked_point(st.session_state.get(chart_key))
    if st.session_state.get("marked_panel") != panel:
        _forget_mark()
    st.session_state["marked_panel"] = panel
    st.session_state["period"] = point.get("period")
    st.session_state[f"of_{series}"] = point.get(series)
    st.session_state[f"of_{OTHER_DIMENSION[series]}"] = panel if point and panel_dimension else None


def _forget_mark() -> None:
    """Reset the chart with the marked bar, so that the same bar can be clicked again."""
    panel = st.session_state.pop("marked_panel", None)
    if panel is not None:
        clicks = st.session_state.setdefault("clicks", {})
        clicks[panel] = clicks.get(panel, 0) + 1
