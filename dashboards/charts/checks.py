"""The chart of the page Checks: outcomes by release."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from dashboards.charts.drawing import FIT_WIDTH
from dashboards.charts.palette import OUTCOME_COLOURS

_MANY_RELEASES = 48


def draw_check_outcomes(frame: pl.DataFrame, text_colour: str) -> alt.Chart:
    """Stacked bars of checks by outcome, one per release, oldest first."""
    names = frame["release"].unique(maintain_order=True).to_list()
    bars: Any = alt.Chart(frame).mark_bar(
        size=max(4, min(40, 600 // len(names)))
    )  # typed, since mark methods return Any
    chart = bars.encode(
        x=alt.X(
            "release:O",
            title="Release",
            sort=names,
            axis=alt.Axis(labelAngle=0, labelOverlap="greedy" if len(names) > _MANY_RELEASES else False, ticks=False),
        ),
        y=alt.Y("checks:Q", title="Checks", axis=alt.Axis(tickMinStep=1, format="d", tickCount=5)),
        color=alt.Color(
            "outcome:N",
            scale=alt.Scale(domain=list(OUTCOME_COLOURS), range=list(OUTCOME_COLOURS.values())),
            legend=alt.Legend(title=None, orient="top", labelColor=text_colour),
        ),
        tooltip=[
            alt.Tooltip("release:O", title="Release"),
            alt.Tooltip("outcome:N", title="Outcome"),
            alt.Tooltip("checks:Q", title="Checks"),
        ],
    )
    fitted = chart.properties(height=220, autosize=FIT_WIDTH["autosize"])
    return fitted.configure_axis(labelColor=text_colour, titleColor=text_colour)
