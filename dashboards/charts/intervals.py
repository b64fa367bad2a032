"""Bars with intervals: a line from the lower to the upper end of each."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from dashboards.charts.drawing import FIT_WIDTH
from dashboards.charts.palette import BLUE

_ROW_PIXELS = 30
_LINE_PIXELS = 12
_LINE_LETTERS = 24


def _break_name(name: str) -> list[str]:
    """A name in as many lines as a row has room for; the end of a longer one is cut."""
    return textwrap.wrap(name, _LINE_LETTERS, max_lines=_ROW_PIXELS // _LINE_PIXELS, placeholder=" …") or [name]


def draw_intervals(
    frame: pl.DataFrame,
    *,
    member: str,
    value: str,
    low: str,
    high: str,
    title: str,
    form: str,
    text_colour: str,
    colours: Mapping[str, str] | None = None,
) -> Any:
    """A horizontal bar per row of a frame, in its order, with its interval.

    Args:
        frame: The rows.
        member: Column with the name of the bar.
        value: Column with the number.
        low: Column with the lower end of its interval.
        high: Column with the upper end; without it, no line is drawn.
        title: Title of the axis.
        form: Format of the numbers, in the syntax of d3.
        text_colour: Colour of text.
        colours: Colours of the members; blue for all if not given.
    """
    # long names are broken into lines, since a phone would have no room for the bars beside them
    lines = {str(name): _break_name(str(name)) for name in frame[member]}
    names = alt.Axis(
        title=None,
        labelLimit=0,
        labelLineHeight=_LINE_PIXELS,
        labelExpr=f"{json.dumps(lines)}[datum.value]",
        # else the first line of a name would be beside the middle of its bar
        labelOffset=alt.condition(
            f"length({json.dumps(lines)}[datum.value]) > 1", alt.value(-_LINE_PIXELS / 2), alt.value(0)
        ),
        domain=False,
        ticks=False,
    )
    top = max((float(m) for name in (value, high) if isinstance(m := frame[name].max(), int | float)), default=1) or 1
    base: Any = alt.Chart(frame).encode(
        y=alt.Y(f"{member}:N", sort=frame[member].to_list(), axis=names),
        tooltip=[
            alt.Tooltip(f"{member}:N", title=member.replace("_", " ").capitalize()),
            alt.Tooltip(f"{value}:Q", title=title, format=form),
            alt.Tooltip(f"{low}:Q", title="at least", format=form),
            alt.Tooltip(f"{high}:Q", title="at most", format=form),
        ],
    )
    axis = alt.Axis(format=form, tickCount=5, domain=False, ticks=False)
    x = alt.X(f"{value}:Q", title=title, axis=axis, scale=alt.Scale(domain=[0, top * 1.04], nice=False))
    present = {name: colour for name, colour in (colours or {}).items() if name in set(frame[member].to_list())}
    colour = (
        alt.Color(f"{member}:N", legend=None, scale=alt.Scale(domain=list(present), range=list(present.values())))
        if present
        else alt.ColorValue(BLUE)
    )
    bars = base.mark_bar(opacity=0.75, height=13).encode(x=x, color=colour)
    lines = base.transform_filter(f"isValid(datum.{high})").mark_rule(color=text_colour, strokeWidth=1.6)
    ends = lines.encode(x=alt.X(f"{low}:Q", title=title), x2=f"{high}:Q")
    layered = alt.layer(bars, ends).properties(height=_ROW_PIXELS * max(frame.height, 1), **FIT_WIDTH)
    return layered.configure_axis(labelColor=text_colour, titleColor=text_colour).configure_view(strokeOpacity=0)
