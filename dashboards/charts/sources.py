"""The chart of the page Sources: records per month."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from dashboards.charts.drawing import FIT_WIDTH
from dashboards.charts.palette import BLUE, PART_PERIOD_OPACITY


def draw_records_by_month(frame: pl.DataFrame, text_colour: str) -> alt.Chart:
    """Bars of records per month; partly covered and uncovered months are pale, covered months without records empty."""
    bars: Any = alt.Chart(frame).mark_bar(color=BLUE)  # typed, since mark methods return Any
    chart = bars.encode(
        x=alt.X("published_month:T", title=None, axis=alt.Axis(format="%Y", tickCount="year")),
        y=alt.Y("records:Q", title="Records", axis=alt.Axis(tickMinStep=1, format="d", tickCount=4)),
        opacity=alt.OpacityValue(
            1, condition={"test": "datum.is_part_period || !datum.is_covered", "value": PART_PERIOD_OPACITY}
        ),
        tooltip=[
            alt.Tooltip("published_month:T", format="%b %Y", title="Month"),
            alt.Tooltip("records:Q", title="Records"),
        ],
    )
    return chart.properties(height=150, **FIT_WIDTH).configure_axis(labelColor=text_colour, titleColor=text_colour)
