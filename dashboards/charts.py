"""Charts from frames, and the tables and files that go with them. Titles and units come from the data dictionary."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import polars as pl
import streamlit as st

from dashboards.counts import Dimension, Grain
from dashboards.read import Meaning

View = Literal["bars", "lines"]

# Okabe and Ito's colours, darkened yellow, with four more that stay apart from them for colour-blind readers too.
# The orders keep colours that are alike from standing side by side in a stack.
_COLOURS: Mapping[str, Sequence[str]] = {
    "category": (
        "#0072B2",
        "#E8D41E",
        "#E69F00",
        "#CC79A7",
        "#66707A",
        "#D55E00",
        "#009E73",
        "#882255",
        "#56B4E9",
        "#999933",
        "#6A3D9A",
        "#44AA99",
    ),
    "lab": (
        "#D55E00",
        "#0072B2",
        "#009E73",
        "#CC79A7",
        "#E69F00",
        "#56B4E9",
        "#882255",
        "#999933",
        "#66707A",
        "#E8D41E",
    ),
}
_PICK = "pick"
_FADED = 0.3
_PART = 0.38
_FEW = 16  # with more periods than this, a number for each would touch the next
_MONTHS = {"01": "Jan", "04": "Apr", "07": "Jul", "10": "Oct"}
# as wide as the page allows, as high as it needs
_FITTED: Mapping[str, Any] = {
    "autosize": alt.AutoSizeParams(type="fit-x", contains="padding"),
    "padding": {"left": 0, "right": 4, "top": 0, "bottom": 4},
}
_INK = {"light": "#46525e", "dark": "#c8d0d8"}


def title(column: str, meanings: Mapping[str, Meaning]) -> str:
    """What to call a column: its unit if it counts something, else its name."""
    unit = meanings[column].unit if column in meanings else None
    return (unit or column.replace("_", " ")).capitalize()


def ink(theme: str | None) -> str:
    """The colour of text in a chart on a ``light`` or ``dark`` page."""
    return _INK["dark" if theme == "dark" else "light"]


def colours(dimension: Dimension, names: Sequence[str]) -> dict[str, str]:
    """The colour of each name; it depends on the place among all names, never on what is filtered."""
    palette = _COLOURS[dimension]
    return {name: palette[place % len(palette)] for place, name in enumerate(names)}


def _scale(colour_of: Mapping[str, str]) -> alt.Scale:
    return alt.Scale(domain=list(colour_of), range=list(colour_of.values()))


def legend(series: Dimension, colour_of: Mapping[str, str], ink: str) -> alt.Chart:
    """The key to the colours, one for all panels, in as many columns as there is room for."""
    columns = alt.ExprRef("max(1, floor(width / 240))")
    shape = alt.Legend(
        labelColor=ink,
        orient="top",
        direction="horizontal",
        columns=columns,
        symbolType="square",
        symbolSize=150,
        symbolStrokeWidth=0,
        symbolOpacity=1,
        labelLimit=320,
        labelFontSize=12,
        columnPadding=14,
        rowPadding=4,
        offset=0,
    )
    key = alt.Color(f"{series}:N", scale=_scale(colour_of), legend=shape, title=None)
    chart = alt.Chart(pl.DataFrame({series: list(colour_of)})).encode(color=key).properties(height=1, **_FITTED)
    return chart.configure_view(strokeOpacity=0).mark_square(size=0)


def _axis(frame: pl.DataFrame, grain: Grain) -> alt.Axis:
    """The axis of periods: the year under its first part, and the part covered under a part period."""
    periods = dict(frame.select("period", "covered_part").unique(maintain_order=True).iter_rows())
    lines: dict[str, list[str]] = {}
    for period, part in periods.items():
        year, within = period[:4], period[5:]
        if grain == "year":
            lines[period] = [year]
        elif grain == "quarter":
            is_told = len(periods) <= _FEW or within == "Q1"
            lines[period] = [within if is_told else "", year if within == "Q1" or not lines else ""]
        else:
            is_told = within == "01" or (len(periods) <= 3 * _FEW and within in _MONTHS)
            lines[period] = [_MONTHS[within] if is_told else "", year if within == "01" else ""]
        if part is not None:
            lines[period].append(f"({part})")
    # left to itself, the axis would drop the last label, which is the one of the part period
    overlap = "greedy" if len(periods) > 3 * _FEW else False
    label = alt.ExprRef(f"{json.dumps(lines)}[datum.value]")
    return alt.Axis(labelExpr=label.expr, labelAngle=0, labelOverlap=overlap, labelLineHeight=14, ticks=False)


def over_time(
    frame: pl.DataFrame,
    *,
    heading: str | None,
    series: Dimension,
    grain: Grain,
    view: View,
    colour_of: Mapping[str, str],
    highest: float,
    picked: Mapping[str, str | None],
    meanings: Mapping[str, Meaning],
    height: int,
    ink: str,
) -> alt.LayerChart:
    """One panel: counts per period, stacked or as lines, part periods lighter and with broken outlines.

    A click selects a point; its parameter is ``pick`` with the fields ``period`` and the series.

    Args:
        frame: Rows of ``read.publications_over_time`` that belong to the panel.
        heading: Title of the panel, if there are several.
        series: The dimension told by colour.
        grain: Length of a period.
        view: Stacked bars or lines.
        colour_of: Colour of each value of the series.
        highest: Upper end of the scale of counts, the same for all panels.
        picked: What to bring out, as values of columns; all else is faded. Nothing is faded if all are none.
        meanings: What the data dictionary says about the columns.
        height: Height of the plot in pixels.
        ink: Colour of text.
    """
    is_picked = pl.all_horizontal(
        pl.lit(True), *(pl.col(name) == value for name, value in picked.items() if value and name in frame.columns)
    )
    periods = frame["period"].unique(maintain_order=True).to_list()
    inner, outer = (0.22, 0.18) if view == "bars" else (1, 0.5)
    covered = pl.when("is_part_period").then(pl.format("{} ({})", "period", "covered_part")).otherwise("period")
    told = pl.when("is_provisional").then(pl.format("{}, may still be filling up", covered)).otherwise(covered)
    is_pale = pl.col("is_part_period") | pl.col("is_provisional")
    shown = frame.with_columns(told=told, is_picked=is_picked, is_pale=is_pale)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "period:O",
            title=None,
            scale=alt.Scale(domain=periods, paddingInner=inner, paddingOuter=outer),
            axis=_axis(frame, grain),
        ),
        color=alt.Color(f"{series}:N", scale=_scale(colour_of), legend=None),
        tooltip=[
            alt.Tooltip("told:N", title="Period"),
            *(
                alt.Tooltip(f"{name}:N", title=title(name, meanings))
                for name in ("lab", "category")
                if name in frame.columns
            ),
            alt.Tooltip("publications:Q", title="Publications", format="~r"),
        ],
    )
    # room above the highest bar for its number
    scale = alt.Scale(domain=[0, max(highest, 1) * 1.08], nice=False)
    axis = alt.Axis(tickMinStep=1, format="~r", tickCount=6, domain=False, ticks=False)
    per = grain.replace("_", " ").removeprefix("rolling ").removesuffix("s")
    y, low = (
        alt.Y(f"{name}:Q", scale=scale, axis=axis, title=f"Publications per {per}")
        for name in ("publications", "lowest")
    )
    outline = alt.Stroke(f"{series}:N", scale=_scale(colour_of), legend=None)
    marks = _Marks(
        base, y, low, outline, alt.selection_point(name=_PICK, fields=["period", series], on="click", empty=False)
    )
    few = len(periods) <= _FEW
    layers = marks.bars(series, ink, is_numbered=few) if view == "bars" else marks.lines(series, size=75 if few else 40)
    chart = alt.layer(*layers).properties(height=height, **_FITTED)
    if heading:
        chart = chart.properties(title=heading)
    return chart.configure_axis(labelColor=ink, titleColor=ink).configure_title(limit=0)


@dataclass(frozen=True)
class _Marks:
    """What bars and lines share."""

    base: Any  # a chart; its mark methods lose their type
    y: alt.Y
    low: alt.Y
    outline: alt.Stroke
    pick: alt.Parameter

    def bars(self, series: str, ink: str, *, is_numbered: bool) -> list[alt.Chart]:
        bars = (
            self.base.transform_filter("datum.publications > 0")
            .mark_bar(cursor="pointer")
            .encode(
                y=self.y,
                order=alt.Order(f"{series}:N", sort="descending"),
                stroke=self.outline,
                opacity=_faded(1),
                fillOpacity=_if_part(_PART, 1),
                strokeWidth=_if_part(1.4, 0),
                strokeDash=_if_part([4, 2], [1, 0]),
            )
            .add_params(self.pick)
        )
        numbers = (
            alt.Chart(self.base.data)
            .transform_aggregate(stack="sum(publications)", groupby=["period"])
            .transform_filter("datum.stack > 0")
            .encode(x=alt.X("period:O"), y=alt.Y("stack:Q"), text=alt.Text("stack:Q", format="~r"))
            .mark_text(baseline="bottom", dy=-3, fontSize=12, fontWeight=600, tooltip=None, color=ink)
        )
        return [bars, numbers] if is_numbered else [bars]

    def lines(self, series: str, *, size: int) -> list[alt.Chart]:
        before = {"period_before": "period", "counted_before": "publications", "was_pale": "is_pale"}
        # segments rather than one line, so that those to or from a part period can be broken ones
        segments = (
            self.base.transform_window(
                window=[alt.WindowFieldDef(op="lag", field=field, **{"as": name}) for name, field in before.items()],
                groupby=[series],
                sort=[alt.SortField("period")],
            )
            .transform_filter("isValid(datum.period_before)")
            .mark_rule(strokeWidth=2.2, strokeCap="round", tooltip=None)
            .encode(
                y=self.y,
                y2="counted_before:Q",
                x2="period_before:O",
                opacity=_faded(0.9),
                strokeDash=alt.when("datum.is_pale || datum.was_pale")
                .then(alt.value([3, 4]))
                .otherwise(alt.value([1, 0])),
            )
        )
        # no points for zeros: those of all series would lie upon each other, and there is no paper to list
        points = (
            self.base.transform_filter("datum.publications > 0")
            .mark_point(filled=True, cursor="pointer", opacity=1)
            .encode(
                y=self.y,
                size=alt.value(size),
                stroke=self.outline,
                opacity=_faded(1),
                fillOpacity=_if_part(_PART, 1),
                strokeWidth=_if_part(1.6, 0),
            )
            .add_params(self.pick)
        )
        return [*self._band(series), segments, points]

    def _band(self, series: str) -> list[alt.Chart]:
        """The range over counting rules, where the rows have it."""
        if "lowest" not in self.base.data.columns:
            return []
        band = self.base.mark_area(opacity=0.22, tooltip=None)
        return [band.encode(y=self.low, y2="highest:Q", detail=f"{series}:N")]


def _if_part(then: Any, otherwise: Any) -> Any:
    return alt.when("datum.is_pale").then(alt.value(then)).otherwise(alt.value(otherwise))


def _faded(otherwise: float) -> Any:
    return alt.when("datum.is_picked").then(alt.value(otherwise)).otherwise(alt.value(_FADED * otherwise))


def records_by_month(frame: pl.DataFrame, ink: str) -> alt.Chart:
    """Records per month as bars, part months pale; months that are covered but empty show as gaps at zero."""
    bars: Any = alt.Chart(frame).mark_bar(color=_COLOURS["lab"][1])  # mark methods lose their type
    shown = bars.encode(
        x=alt.X("published_month:T", title=None, axis=alt.Axis(format="%Y", tickCount="year")),
        y=alt.Y("records:Q", title="Records", axis=alt.Axis(tickMinStep=1, format="d", tickCount=4)),
        opacity=alt.when("datum.is_part_period || !datum.is_covered").then(alt.value(_PART)).otherwise(alt.value(1)),
        tooltip=[
            alt.Tooltip("published_month:T", format="%b %Y", title="Month"),
            alt.Tooltip("records:Q", title="Records"),
        ],
    )
    return shown.properties(height=150, **_FITTED).configure_axis(labelColor=ink, titleColor=ink)


def is_link(url: str | None) -> bool:
    """Whether an address from outside may be made a link: only http and https."""
    return bool(url and re.fullmatch(r"https?://\S+", url, re.IGNORECASE))


def picked_of(state: Any) -> dict[str, str]:
    """What a click on a chart selected: the period and the value of the series; nothing if it selected nothing."""
    points = ((state or {}).get("selection") or {}).get(_PICK) or []
    return dict(points[-1]) if points else {}


def columns(frame: pl.DataFrame, meanings: Mapping[str, Meaning]) -> dict[str, Any]:
    """How to show the columns of a table: by their names, with what the data dictionary says of them as help."""
    told = {}
    for name, kind in frame.schema.items():
        column = st.column_config.DateColumn if kind == pl.Date else st.column_config.Column
        meaning = meanings[name].meaning if name in meanings else None
        told[name] = column(name.replace("_", " ").capitalize(), help=meaning)
    return told


def csv(frame: pl.DataFrame) -> bytes:
    """A frame as CSV for spreadsheets: text that one would run as a formula gets an apostrophe in front."""
    text = pl.col(pl.String)
    guarded = pl.when(text.str.contains(r"^[=+\-@\t\r]")).then(pl.lit("'") + text).otherwise(text)
    return frame.with_columns(guarded.name.keep()).write_csv().encode()


def parquet(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet, exactly."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
