"""Numbers with their intervals: a bar or a point each, with a line from the lower to the upper end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from dashboards.charts.palette import FITTED

_BLUE = "#0072B2"
_ROW = 30  # height of a row in pixels


def chart(
    frame: pl.DataFrame,
    *,
    member: str,
    value: str,
    low: str,
    high: str,
    title: str,
    form: str,
    ink: str,
    colour_of: Mapping[str, str] | None = None,
) -> Any:
    """A row per member, largest first.

    Args:
        frame: The rows.
        member: Column with what a row is of.
        value: Column with the number.
        low: Column with the lower end of its interval.
        high: Column with the upper end; a missing one draws no line.
        title: What the numbers are.
        form: Format of the numbers, as d3 writes it.
        ink: Colour of text.
        colour_of: Colours of the members; one for all if not given.
    """
    # on a phone, a long name would leave no room for the numbers
    names = alt.Axis(title=None, labelLimit=170, labelExpr="split(datum.label, ', ')", domain=False, ticks=False)
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
    told = {name: colour for name, colour in (colour_of or {}).items() if name in set(frame[member].to_list())}
    colour = (
        alt.Color(f"{member}:N", legend=None, scale=alt.Scale(domain=list(told), range=list(told.values())))
        if told
        else alt.ColorValue(_BLUE)
    )
    bars = base.mark_bar(opacity=0.75, height=13).encode(x=x, color=colour)
    lines = base.transform_filter(f"isValid(datum.{high})").mark_rule(color=ink, strokeWidth=1.6)
    ends = lines.encode(x=alt.X(f"{low}:Q", title=title), x2=f"{high}:Q")
    layered = alt.layer(bars, ends).properties(height=_ROW * max(frame.height, 1), **FITTED)
    return layered.configure_axis(labelColor=ink, titleColor=ink).configure_view(strokeOpacity=0)
