"""Charts of periods: stacked bars, lines with bands, heat maps; part and provisional periods are pale.

They are written in Vega-Lite itself, since Altair would take as long as the browser for it.

A click selects a point; its parameter is ``pick`` with the fields ``period`` and the series.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from dashboards.charts import drawing
from dashboards.charts.marks import FEW, MANY, Look, Marks, Spec, nominal
from dashboards.charts.palette import FITTED, PICK
from dashboards.figures.annotations import OURS
from dashboards.queries.counts import Dimension

_MONTHS = {"01": "Jan", "04": "Apr", "07": "Jul", "10": "Oct"}
_PADDING: Mapping[str, Mapping[str, float]] = {
    "bars": {"paddingInner": 0.22, "paddingOuter": 0.18},
    "heat map": {"paddingInner": 0.04, "paddingOuter": 0},
}


def legend(series: Dimension, colour_of: Mapping[str, str], ink: str, columns: Any = None) -> Spec:
    """The key to the colours, one for all panels, in as many columns as there is room for."""
    return {"height": 1, **_key(series, colour_of, ink, columns)}


def _key(series: Dimension, colour_of: Mapping[str, str], ink: str, columns: Any = None) -> Spec:
    """Points without size, of which only the legend shows."""
    shape = {
        "labelColor": ink,
        "orient": "top",
        "direction": "horizontal",
        "columns": columns or {"expr": "max(1, floor(width / 240))"},
        "symbolType": "square",
        "symbolSize": 150,
        "symbolStrokeWidth": 0,
        "symbolOpacity": 1,
        "labelLimit": 320,
        "labelFontSize": 12,
        "columnPadding": 14,
        "rowPadding": 4,
        "offset": 0,
    }
    return {
        "data": drawing.rows(pl.DataFrame({series: list(colour_of)})),
        "mark": {"type": "square", "size": 0},
        "encoding": {"color": {**nominal(series, colour_of), "legend": shape, "title": None}},
    }


def on_page(chart: Spec, ink: str) -> Spec:
    """A chart as a page shows it: as wide as there is room, its text in the page's colour."""
    config = {
        "view": {"strokeOpacity": 0},
        "axis": {"labelColor": ink, "titleColor": ink},
        "title": {"limit": 0, "color": ink},
    }
    # nothing beside the width that it is given, or Vega would go through all marks twice
    return {**chart, "autosize": FITTED["autosize"], "padding": {"bottom": 4}, "config": config}


def legend_on_page(series: Dimension, colour_of: Mapping[str, str], *, ink: str) -> Spec:
    """The key to the colours of all panels, as a page shows it."""
    return on_page(legend(series, colour_of, ink), ink)


def panel_on_page(frame: pl.DataFrame, look: Look, height: int, heading: str | None = None, *, ink: str) -> Spec:
    """One of several panels, as a page shows it; arguments as `panel` has them."""
    return on_page(panel(frame, replace(look, ink=ink), height, heading), ink)


def one_panel(frame: pl.DataFrame, look: Look, height: int, *, ink: str) -> Spec:
    """The only panel of a figure, with its legend in it, so that it serves page, file and sheet to hand on."""
    look = replace(look, ink=ink)
    drawn = panel(frame, look, height)
    if len(look.colour_of) > 1:
        layers = [drawn, _key(look.series, look.colour_of, look.ink)]
        drawn = {"layer": layers, "resolve": {"legend": {"color": "independent"}}}
    return on_page(drawn, ink)


def in_picture(panels: Mapping[str, pl.DataFrame], look: Look, in_row: int, *, ink: str) -> Spec:
    """All panels of a figure with their legend as one chart, for a file."""
    width = 760 // min(in_row, len(panels)) - 40
    look = replace(look, ink=ink, width=width)
    drawn = [{**panel(part, look, 240, heading=name or None), "width": width} for name, part in panels.items()]
    whole = {"concat": drawn, "columns": in_row} if len(drawn) > 1 else drawn[0]
    if look.view != "heat map":
        whole = {"vconcat": [{**legend(look.series, look.colour_of, look.ink, columns=3), "width": 760}, whole]}
    return {**whole, "config": {"axis": {"labelColor": look.ink, "titleColor": look.ink}}}


def panel(frame: pl.DataFrame, look: Look, height: int, heading: str | None = None) -> Spec:
    """One panel: the rows of a query of `trends`, with the title that it has among several.

    Args:
        frame: The rows that belong to the panel.
        look: What it shares with the others.
        height: Height of the plot in pixels.
        heading: Its title, if there are several.
    """
    is_picked = pl.all_horizontal(
        pl.lit(True), *(pl.col(name) == value for name, value in look.picked.items() if value and name in frame.columns)
    )
    covered = pl.when("is_part_period").then(pl.format("{} ({})", "period", "covered_part")).otherwise("period")
    told = pl.when("is_provisional").then(pl.format("{}, may still be filling up", covered)).otherwise(covered)
    if look.grain == "rolling_12_months":
        told = pl.format("12 months to {}", told)
    rows = frame.with_columns(
        told=told, is_picked=is_picked, is_pale=pl.col("is_part_period") | pl.col("is_provisional")
    )
    periods = frame["period"].unique(maintain_order=True).to_list()
    x = {
        "field": "period",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": periods, "range": look.within, **_PADDING.get(look.view, {"padding": 0.5})},
        "axis": _axis(frame, look),
    }
    marks = Marks(rows, look, x)
    layers = marks.layers()
    if look.annotations is not None and not look.annotations.is_empty():
        of_panel = pl.col("panel").is_null() | (pl.col("panel") == heading)
        layers += _annotated(look.annotations.filter(of_panel), x, look.ink)
    drawn: Spec = {"height": height, "layer": layers}
    if heading:
        drawn["title"] = heading
    if look.is_clickable:
        fields = ["period", look.series] if marks.are_single else ["period"]
        select = {"type": "point", "fields": fields, "on": "click"}
        drawn["params"] = [{"name": PICK, "select": select, "views": ["marks"]}]
    if look.view == "heat map":
        drawn["height"] = 24 * frame[look.series].n_unique() + 10
        start, end = look.within
        within = {"type": "rect", "x": start, "x2": end, "y": 0, "y2": {"expr": "height"}, "aria": False}
        # where there is nothing, it is seen to be within
        ground = {"data": {"values": [{}]}, "mark": {**within, "color": look.ink, "opacity": 0.07, "tooltip": None}}
        drawn["layer"] = [ground, *layers]
    return drawn


def _axis(frame: pl.DataFrame, look: Look) -> Spec:
    """The axis of periods: the year under its first part, and the part covered under a part period if there is room."""
    grain = look.grain
    periods = dict(frame.select("period", "covered_part").unique(maintain_order=True).iter_rows())
    lines: dict[str, list[str]] = {}
    for period in periods:
        year, within = period[:4], period[5:]
        if grain == "year":
            lines[period] = [year]
        elif grain == "quarter":
            is_told = len(periods) <= FEW or within == "Q1"
            lines[period] = [within if is_told else "", year if within == "Q1" or not lines else ""]
        else:
            is_told = within == "01" or (len(periods) <= MANY and within in _MONTHS)
            lines[period] = [_MONTHS[within] if is_told else "", year if within == "01" else ""]
    # all of the expression is gone through for every label, so it holds no more than there are
    told = {period: label for period, label in lines.items() if any(label)}
    part_told = {
        period: [*label, f"({periods[period]})"] if periods[period] else label for period, label in told.items()
    }
    labels = json.dumps(told)
    years = {period: label for period, label in told.items() if label[-1]}
    if years != told:  # where a quarter of a year is too narrow for the name of its first month, years are told
        labels = f"({look.step(len(periods))} < 10 ? {json.dumps(years)} : {labels})"
    if len(periods) <= FEW and part_told != told:
        # beside each other they need all of their room; a single one at the end has more
        needed = 80 if sum(part is not None for part in periods.values()) > 1 else 36
        labels = f"({look.step(len(periods))} < {needed} ? {labels} : {json.dumps(part_told)})"
    return {
        "values": list(told),
        "labelExpr": f"{labels}[datum.value]",
        "labelAngle": 0,
        "labelFlush": False,
        # of few none is dropped where there is room, least of all the last
        "labelOverlap": "greedy"
        if len(periods) > FEW
        else {"expr": f"{look.step(len(periods))} < 34 ? 'greedy' : false"},
        "labelLineHeight": 14,
        "ticks": False,
    }


def _annotated(annotations: pl.DataFrame, x: Spec, ink: str) -> list[Spec]:
    """A broken line and a mark above it for each period in which something happened, or its numbers were corrected."""
    told = pl.format("{}: {}", pl.col("happened_on").cast(pl.String), "annotation")
    layers = []
    for is_ours, shape, y, name in ((False, "triangle-down", -18, "Meanwhile"), (True, "diamond", -6, "Corrected")):
        of_kind = annotations.filter(pl.col("kind").is_in(OURS) == is_ours).with_columns(told=told)
        rows = of_kind.group_by("period", maintain_order=True).agg(pl.col("told").str.join("; "))
        if rows.is_empty():
            continue
        data = drawing.rows(rows)
        tip = {"x": x, "tooltip": {"field": "told", "type": "nominal", "title": name}}
        # without a tooltip it leaves the pointer to the marks below
        rule = {"type": "rule", "color": ink, "strokeDash": [2, 3], "opacity": 0.55, "aria": False, "tooltip": None}
        mark = {"type": "point", "shape": shape, "filled": True, "size": 70, "color": ink, "opacity": 0.9}
        said = {"field": "told", "type": "nominal"}
        layers += [
            {"data": data, "mark": rule, "encoding": {"x": x, "y": {"value": y}, "y2": {"value": "height"}}},
            {"data": data, "mark": mark, "encoding": {**tip, "y": {"value": y}, "description": said}},
        ]
    return layers
