"""Expected counts with their intervals: a point and a line for each period and series, drawn unlike reviewed counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from dashboards.charts.drawing import FIT_WIDTH

_HEIGHT = 220


def draw_expected_counts(frame: pl.DataFrame, *, series: str, colours: Mapping[str, str], text_colour: str) -> Any:
    """A hollow point at each expected count, with its interval as a line.

    Args:
        frame: Rows with ``period``, the series, ``expected_publications``, ``expected_low`` and ``expected_high``.
        series: Column of the colour.
        colours: Colour of each member of the series.
        text_colour: Colour of text.
    """
    present = {name: colour for name, colour in colours.items() if name in set(frame[series].to_list())}
    base: Any = alt.Chart(frame).encode(
        x=alt.X("period:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True, domain=False, ticks=False)),
        xOffset=alt.XOffset(f"{series}:N", sort=list(present)),
        color=alt.Color(
            f"{series}:N",
            scale=alt.Scale(domain=list(present), range=list(present.values())),
            legend=alt.Legend(title=None, orient="top", columns=3, labelLimit=0, labelColor=text_colour),
        ),
        tooltip=[
            alt.Tooltip("period:O", title="Period"),
            alt.Tooltip(f"{series}:N", title=series.capitalize()),
            alt.Tooltip("expected_publications:Q", title="Expected", format=",.1f"),
            alt.Tooltip("expected_low:Q", title="at least", format=",.1f"),
            alt.Tooltip("expected_high:Q", title="at most", format=",.1f"),
        ],
    )
    axis = alt.Axis(tickCount=5, domain=False, ticks=False)
    lines = base.mark_rule(strokeWidth=1.6, strokeDash=[3, 2]).encode(
        y=alt.Y("expected_low:Q", title="Expected publications", axis=axis), y2="expected_high:Q"
    )
    points = base.mark_point(filled=False, size=36, strokeWidth=1.8).encode(y="expected_publications:Q")
    layered = alt.layer(lines, points).properties(height=_HEIGHT, **FIT_WIDTH)
    return layered.configure_axis(labelColor=text_colour, titleColor=text_colour).configure_view(strokeOpacity=0)
