"""Names beside the lines or the last bar of a picture, instead of a legend: the reader need not look up a colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from dashboards.charts.marks import RIGHT_PIXELS, ChartStyle, Spec
from dashboards.charts.text_width import estimate_width, wrap_text

_FONT_PIXELS = 12
_LINE_PIXELS = 14
_GAP_PIXELS = 5  # between two names
_SWATCH_PIXELS = 14  # with the room after it
_MAX_NAME_PIXELS = 190
_LEADER_PIXELS = 22
BAND_PADDING = (0.22, 0.18)
"""Inner and outer padding of the bars of all periods, as parts of a step."""


@dataclass(frozen=True)
class DirectLabel:
    """A name beside its line or bar.

    Args:
        name: Member of the series.
        lines: The name in lines.
        anchor: Where its line or bar ends, in pixels from the top; None if the last bar has none of it.
        middle: Where the middle of the name is, in pixels from the top.
    """

    name: str
    lines: Sequence[str]
    anchor: float | None
    middle: float


def measure_labels(style: ChartStyle) -> int:
    """Room for the names at the right of the plot, in pixels."""
    lines = [line for name in style.colours for line in wrap_text(name, _MAX_NAME_PIXELS, _FONT_PIXELS)]
    widest = max((estimate_width(line, _FONT_PIXELS) for line in lines), default=0)
    return round(_LEADER_PIXELS + _SWATCH_PIXELS + widest)


def measure_height(style: ChartStyle) -> int:
    """Height that the names need one below the other, in pixels."""
    return sum(
        _LINE_PIXELS * len(wrap_text(name, _MAX_NAME_PIXELS, _FONT_PIXELS)) + _GAP_PIXELS for name in style.colours
    )


def place_labels(rows: pl.DataFrame, style: ChartStyle, height: float, top: float) -> list[DirectLabel]:
    """The names from top to bottom, each as near to its line or bar as the others leave room.

    Args:
        rows: The rows of the panel.
        style: The style of the figure.
        height: Height of the plot in pixels.
        top: The value at its upper edge.
    """
    values = _read_last_values(rows, style)
    anchors: list[tuple[str, float | None, float]] = []
    if style.view == "bars":
        above = sum(values.values())
        for name in sorted(values):  # the stack begins with the last name
            middle = height * (1 - (above - values[name] / 2) / top)
            anchors.append((name, middle if values[name] else None, middle))
            above -= values[name]
    else:
        for name, value in sorted(values.items(), key=lambda item: -item[1]):
            anchors.append((name, height * (1 - value / top), height * (1 - value / top)))
    lines = [wrap_text(name, _MAX_NAME_PIXELS, _FONT_PIXELS) for name, _, _ in anchors]
    middles = _spread(
        [middle for _, _, middle in anchors], [_LINE_PIXELS * len(of) + _GAP_PIXELS for of in lines], height
    )
    return [
        DirectLabel(name, of, anchor, middle)
        for (name, anchor, _), of, middle in zip(anchors, lines, middles, strict=True)
    ]


def _select_last(rows: pl.DataFrame, style: ChartStyle) -> pl.DataFrame:
    """The rows of the last period that has any value; none if there is none."""
    counted = rows.filter(pl.col(style.value_column).is_not_null())
    if style.view == "bars":
        counted = counted.filter(pl.col("publications") > 0)
    return counted if counted.is_empty() else counted.filter(pl.col("starts_on") == counted["starts_on"].max())


def _read_last_values(rows: pl.DataFrame, style: ChartStyle) -> dict[str, float]:
    """The value of each member in the last period that has any."""
    last = _select_last(rows, style)
    values = dict(last.select(style.series, style.value_column).iter_rows())
    return {name: float(values.get(name) or 0) for name in style.colours}


def _spread(wanted: Sequence[float], sizes: Sequence[float], height: float) -> list[float]:
    """Places near the wanted ones, in their order, so that nothing overlaps or leaves the plot where there is room."""
    groups: list[tuple[list[int], float]] = []  # names that touch, with the upper edge of the first
    for place in range(len(wanted)):
        members, start = [place], wanted[place] - sizes[place] / 2
        start = max(0.0, min(start, height - sizes[place]))
        while groups and groups[-1][1] + sum(sizes[one] for one in groups[-1][0]) > start:
            members = [*groups.pop()[0], *members]
            offsets = [sum(sizes[one] for one in members[:rank]) for rank in range(len(members))]
            starts = [wanted[one] - sizes[one] / 2 - offset for one, offset in zip(members, offsets, strict=True)]
            total = sum(sizes[one] for one in members)
            start = max(0.0, min(sum(starts) / len(starts), height - total))
        groups.append((members, start))
    middles = [0.0] * len(wanted)
    for members, start in groups:
        edge = start
        for one in members:
            middles[one] = edge + sizes[one] / 2
            edge += sizes[one]
    return middles


def find_last_edge(rows: pl.DataFrame, style: ChartStyle, width: float) -> float:
    """Where the last period with a value ends: the right edge of its bar, or its point, in pixels from the left."""
    periods = rows["period"].unique(maintain_order=True).to_list()
    last = _select_last(rows, style)["period"].to_list() or periods[-1:]
    place, left = periods.index(last[0]), style.left_pixels + 0.5
    room = width - RIGHT_PIXELS - left
    if style.view == "bars":
        inner, outer = BAND_PADDING
        step = room / (len(periods) - inner + 2 * outer)
        return left + step * (outer + place + 1 - inner)
    return left + room / len(periods) * (place + 0.5) + 5


def build_label_layers(rows: pl.DataFrame, style: ChartStyle, width: float, height: float, top: float) -> list[Spec]:
    """The names with their colours, and lines to what they name, as layers of a panel of fixed size."""
    layers: list[Spec] = []
    edge = find_last_edge(rows, style, width)
    for label in place_labels(rows, style, height, top):
        colour = style.colours[label.name]
        fixed = {"aria": False, "tooltip": None, "clip": False}
        if label.anchor is not None:
            ends = {"x": edge, "y": label.anchor, "x2": width + 6, "y2": label.middle}
            leader = {"type": "rule", **fixed, "color": colour, "strokeWidth": 1, "opacity": 0.7}
            layers.append({"mark": leader, "encoding": {name: {"value": place} for name, place in ends.items()}})
        swatch = {"type": "square", "x": width + 12, "y": label.middle, "size": 90, "opacity": 1, "filled": True}
        first_line = label.middle - _LINE_PIXELS * (len(label.lines) - 1) / 2
        text = {
            "type": "text",
            "x": width + 8 + _SWATCH_PIXELS,
            "y": first_line,
            "text": list(label.lines),
            "align": "left",
            "baseline": "middle",
            "fontSize": _FONT_PIXELS,
            "lineHeight": _LINE_PIXELS,
            "color": style.text_colour,
        }
        layers += [{"mark": {**swatch, **fixed, "color": colour}}, {"mark": {**text, **fixed}}]
    return [{"data": {"values": [{}]}, "encoding": {}, **layer} for layer in layers]
