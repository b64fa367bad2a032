"""Charts over time: stacked bars, lines with bands and heat maps; partly covered and provisional periods are pale.

They are written in Vega-Lite directly, since Altair would double their time. A click selects a mark: the parameter
`SELECTION_PARAMETER` has the fields ``period`` and the series.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from dashboards.charts import direct_labels, drawing
from dashboards.charts.drawing import FIT_WIDTH
from dashboards.charts.marks import FEW_PERIODS, MANY_PERIODS, ChartStyle, PanelMarks, Spec, build_series_colour
from dashboards.queries.annotations import CORRECTION_KINDS
from dashboards.queries.selection import Dimension

SELECTION_PARAMETER = "pick"
PICTURE_PIXELS = 760
"""Width of the chart in a picture."""
_QUARTER_MONTHS = {"01": "Jan", "04": "Apr", "07": "Jul", "10": "Oct"}
_BAND_PADDING: Mapping[str, Mapping[str, float]] = {
    "bars": dict(zip(("paddingInner", "paddingOuter"), direct_labels.BAND_PADDING, strict=True)),
    "heat map": {"paddingInner": 0.04, "paddingOuter": 0},
}


def draw_legend(series: Dimension, colours: Mapping[str, str], text_colour: str, columns: Any = None) -> Spec:
    """The legend of all panels, by default in as many columns as fit."""
    return {"height": 1, **_draw_colour_key(series, colours, text_colour, columns)}


def _draw_colour_key(series: Dimension, colours: Mapping[str, str], text_colour: str, columns: Any = None) -> Spec:
    """Marks without size, so that only their legend is visible."""
    legend = {
        "labelColor": text_colour,
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
        "data": drawing.build_chart_data(pl.DataFrame({series: list(colours)})),
        "mark": {"type": "square", "size": 0},
        "encoding": {"color": {**build_series_colour(series, colours), "legend": legend, "title": None}},
    }


def style_for_page(chart: Spec, text_colour: str) -> Spec:
    """A chart in the width and text colour of a page."""
    config = {
        "view": {"strokeOpacity": 0},
        "axis": {"labelColor": text_colour, "titleColor": text_colour},
        "title": {"limit": 0, "color": text_colour},
    }
    # no padding at the sides, or Vega would lay out all marks twice
    return {**chart, "autosize": FIT_WIDTH["autosize"], "padding": {"bottom": 4}, "config": config}


def draw_page_legend(series: Dimension, colours: Mapping[str, str], *, text_colour: str) -> Spec:
    """The legend of all panels, for a page."""
    return style_for_page(draw_legend(series, colours, text_colour), text_colour)


def draw_page_panel(
    frame: pl.DataFrame, style: ChartStyle, height: int, heading: str | None = None, *, text_colour: str
) -> Spec:
    """One of several panels, for a page; arguments as for `draw_panel`."""
    return style_for_page(draw_panel(frame, replace(style, text_colour=text_colour), height, heading), text_colour)


def draw_single_panel(frame: pl.DataFrame, style: ChartStyle, height: int, *, text_colour: str) -> Spec:
    """A figure of one panel with its legend, for pages and files."""
    style = replace(style, text_colour=text_colour)
    chart = draw_panel(frame, style, height)
    if len(style.colours) > 1:
        layers = [chart, _draw_colour_key(style.series, style.colours, style.text_colour)]
        chart = {"layer": layers, "resolve": {"legend": {"color": "independent"}}}
    return style_for_page(chart, text_colour)


def draw_picture(
    panels: Mapping[str, pl.DataFrame], style: ChartStyle, panels_per_row: int, *, text_colour: str
) -> Spec:
    """All panels of a figure as one chart, for a file.

    A single panel has the names at its lines and bars; several have a legend, as there is no room beside each.
    """
    style = replace(style, text_colour=text_colour, has_axis_title=False)
    if style.view != "heat map":  # what has no publications anywhere needs no name and no line along the axis
        counted = {name for part in panels.values() for name in part.filter(pl.col("publications") > 0)[style.series]}
        if counted:
            style = replace(style, colours={name: one for name, one in style.colours.items() if name in counted})
            panels = {panel: part.filter(pl.col(style.series).is_in(counted)) for panel, part in panels.items()}
    config = {"axis": {"labelColor": text_colour, "titleColor": text_colour}, "title": {"color": text_colour}}
    if len(panels) == 1 and style.view != "heat map":
        ((name, rows),) = panels.items()
        return {**_draw_labelled_panel(rows, style, name or None), "config": config}
    width = PICTURE_PIXELS // min(panels_per_row, len(panels)) - 18
    style = replace(style, width=width)
    charts = [{**draw_panel(part, style, 240, heading=name or None), "width": width} for name, part in panels.items()]
    picture = {"concat": charts, "columns": panels_per_row, "spacing": 18} if len(charts) > 1 else charts[0]
    if style.view != "heat map":
        legend = draw_legend(style.series, style.colours, style.text_colour, columns=3)
        picture = {"vconcat": [{**legend, "width": PICTURE_PIXELS}, picture]}
    return {**picture, "config": config}


def _draw_labelled_panel(rows: pl.DataFrame, style: ChartStyle, heading: str | None) -> Spec:
    """One panel with the names of its series at the right of it."""
    width = PICTURE_PIXELS - direct_labels.measure_labels(style)
    height = max(300, direct_labels.measure_height(style))
    chart = draw_panel(rows, replace(style, width=width), height, heading)
    labels = direct_labels.build_label_layers(rows, style, width, height, style.axis_top)
    return {**chart, "layer": [*chart["layer"], *labels], "width": width}


def draw_panel(frame: pl.DataFrame, style: ChartStyle, height: int, heading: str | None = None) -> Spec:
    """One panel of a chart over time.

    Args:
        frame: The rows of the panel, from `trends.build_query`.
        style: The style that all panels share.
        height: Height of the plot in pixels.
        heading: Title of the panel, if there are several.
    """
    is_highlighted = pl.all_horizontal(
        pl.lit(True),
        *(pl.col(name) == value for name, value in style.highlighted.items() if value and name in frame.columns),
    )
    label = pl.when("is_part_period").then(pl.format("{} ({})", "period", "covered_part")).otherwise("period")
    label = pl.when("is_provisional").then(pl.format("{}, may still be filling up", label)).otherwise(label)
    if style.grain == "rolling_12_months":
        label = pl.format("12 months to {}", label)
    rows = frame.with_columns(
        period_label=label, is_highlighted=is_highlighted, is_pale=pl.col("is_part_period") | pl.col("is_provisional")
    )
    periods = frame["period"].unique(maintain_order=True).to_list()
    x = {
        "field": "period",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": periods, "range": style.period_range, **_BAND_PADDING.get(style.view, {"padding": 0.5})},
        "axis": _build_period_axis(frame, style),
    }
    marks = PanelMarks(rows, style, x)
    layers = marks.build_layers()
    if style.annotations is not None and not style.annotations.is_empty():
        is_of_panel = pl.col("panel").is_null() | (pl.col("panel") == heading)
        layers += _draw_annotations(style.annotations.filter(is_of_panel), x, style.text_colour)
    chart: Spec = {"height": height, "layer": layers}
    if heading:
        chart["title"] = heading
    if style.is_clickable:
        fields = ["period", style.series] if marks.is_single_series else ["period"]
        select = {"type": "point", "fields": fields, "on": "click"}
        chart["params"] = [{"name": SELECTION_PARAMETER, "select": select, "views": ["marks"]}]
    if style.view == "heat map":
        chart["height"] = 24 * frame[style.series].n_unique() + 10
        start, end = style.period_range
        plot_area = {"type": "rect", "x": start, "x2": end, "y": 0, "y2": {"expr": "height"}, "aria": False}
        # shows the plot area where cells are empty
        background = {
            "data": {"values": [{}]},
            "mark": {**plot_area, "color": style.text_colour, "opacity": 0.07, "tooltip": None},
        }
        chart["layer"] = [background, *layers]
    return chart


def _build_period_axis(frame: pl.DataFrame, style: ChartStyle) -> Spec:
    """The axis of periods: years below their first period, and the covered part below a partly covered period."""
    grain = style.grain
    periods = dict(frame.select("period", "covered_part").unique(maintain_order=True).iter_rows())
    lines: dict[str, list[str]] = {}
    for period in periods:
        year, part = period[:4], period[5:]
        if grain == "year":
            lines[period] = [year]
        elif grain == "quarter":
            is_labelled = len(periods) <= FEW_PERIODS or part == "Q1"
            lines[period] = [part if is_labelled else "", year if part == "Q1" or not lines else ""]
        else:
            is_labelled = part == "01" or (len(periods) <= MANY_PERIODS and part in _QUARTER_MONTHS)
            lines[period] = [_QUARTER_MONTHS[part] if is_labelled else "", year if part == "01" else ""]
    # Vega evaluates the whole expression for every label, so empty labels are left out
    labelled = {period: label for period, label in lines.items() if any(label)}
    with_coverage = {
        period: [*label, f"({periods[period]})"] if periods[period] else label for period, label in labelled.items()
    }
    labels = json.dumps(labelled)
    # beside the first quarter of a year there is no room for the year of the one before it
    starts = {period: label for period, label in labelled.items() if period.endswith(("-Q1", "-01"))}
    years = starts or {period: label for period, label in labelled.items() if label[-1]}
    if years != labelled:  # where months or quarters do not fit, only years are labelled
        # each quarter has a label, of the months every third
        needed_pixels = 34 if grain == "quarter" and len(periods) <= FEW_PERIODS else 10
        labels = f"({style.build_step(len(periods))} < {needed_pixels} ? {json.dumps(years)} : {labels})"
    if len(periods) <= FEW_PERIODS and with_coverage != labelled:
        # neighbouring labels need their whole width; a single one has room beside it
        needed_pixels = 80 if sum(part is not None for part in periods.values()) > 1 else 36
        labels = f"({style.build_step(len(periods))} < {needed_pixels} ? {labels} : {json.dumps(with_coverage)})"
    return {
        "values": list(labelled),
        "labelExpr": f"{labels}[datum.value]",
        "labelAngle": 0,
        "labelFlush": False,
        # with few periods, all labels are shown where they fit
        "labelOverlap": "greedy"
        if len(periods) > FEW_PERIODS
        else {"expr": f"{style.build_step(len(periods))} < 34 ? 'greedy' : false"},
        "labelLineHeight": 14,
        "ticks": False,
    }


def _draw_annotations(annotations: pl.DataFrame, x: Spec, text_colour: str) -> list[Spec]:
    """A dashed line with a symbol above it for each period with events or corrections."""
    text = pl.format("{}: {}", pl.col("happened_on").cast(pl.String), "annotation")
    layers = []
    for is_correction, shape, y, title in ((False, "triangle-down", -18, "Events"), (True, "diamond", -6, "Corrected")):
        of_kind = annotations.filter(pl.col("kind").is_in(CORRECTION_KINDS) == is_correction).with_columns(text=text)
        rows = of_kind.group_by("period", maintain_order=True).agg(pl.col("text").str.join("; "))
        if rows.is_empty():
            continue
        data = drawing.build_chart_data(rows)
        tooltip = {"field": "text", "type": "nominal", "title": title}
        # the line has no tooltip, so that hovering goes to the marks below
        rule = {
            "type": "rule",
            "color": text_colour,
            "strokeDash": [2, 3],
            "opacity": 0.55,
            "aria": False,
            "tooltip": None,
        }
        mark = {"type": "point", "shape": shape, "filled": True, "size": 70, "color": text_colour, "opacity": 0.9}
        description = {"field": "text", "type": "nominal"}
        encoding = {"x": x, "y": {"value": y}, "tooltip": tooltip, "description": description}
        layers += [
            {"data": data, "mark": rule, "encoding": {"x": x, "y": {"value": y}, "y2": {"value": "height"}}},
            {"data": data, "mark": mark, "encoding": encoding},
        ]
    return layers


def get_clicked_point(state: Any) -> dict[str, str]:
    """The period and member that a click on a chart selected; empty if nothing is selected."""
    points = ((state or {}).get("selection") or {}).get(SELECTION_PARAMETER) or []
    return dict(points[-1]) if points else {}
