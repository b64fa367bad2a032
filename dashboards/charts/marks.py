"""The marks of one panel of a chart over time, in Vega-Lite, and the style that all panels share.

The browser evaluates every channel of every row in every layer. So each layer gets only the rows and columns that it
needs, and tooltips are computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dashboards.charts import drawing
from dashboards.charts.palette import GREY, PART_PERIOD_OPACITY, get_heat_colours
from dashboards.charts.tooltips import build_descriptions, format_column_title, format_percent
from dashboards.queries.release import ColumnMeaning
from dashboards.queries.selection import Dimension, Grain
from dashboards.queries.trends import View
from dashboards.text import format_number_column

FEW_PERIODS = 16
"""Up to this many periods have numbers; with more, they would overlap."""
MANY_PERIODS = 36
"""With more periods than this, marks are too narrow to hover, and a strip per period has the tooltip."""
_MAX_BANDS = 4  # bands of more series would hide each other
_FADED_OPACITY = 0.3
_HEADROOM = 1.08  # room for the number above the highest mark
_MAX_LABEL_PIXELS = 210
RIGHT_PIXELS = 20
"""Room at the right for the last label, which may be wider than its period."""
_UNSCALED = {"scale": None, "legend": None}
_NUMBER_FORMAT = ",.12~r"  # in d3: all digits, with thousands separators
_VALUE_COLUMNS: Mapping[str, str] = {"share": "share", "cumulative": "cumulative_publications"}
_BAND_COLUMNS: Mapping[str, tuple[str, str]] = {"share": ("share_low", "share_high"), "lines": ("lowest", "highest")}

Spec = dict[str, Any]
"""A chart or a part of one, in Vega-Lite."""


@dataclass(frozen=True)
class ChartStyle:
    """The style that all panels of a figure share.

    Args:
        series: The dimension shown by colour, or by row in a heat map.
        grain: Length of a period.
        view: The kind of chart.
        colours: Colour of each member of the series.
        axis_maximum: Upper end of the scale, the same for all panels.
        meanings: Meanings of the columns, from the data dictionary.
        highlighted: Values by column; marks with other values are faded. Nothing is faded if all values are None.
        annotations: Rows of `annotations.find_annotations` to mark.
        is_clickable: Whether a click selects a mark; False for pictures.
        text_colour: Colour of text; set by the drawing functions.
        width: Width of the plot in pixels for a picture; None for the width of the page.
        has_axis_title: Whether the axis of values has a title; a picture has it in its subtitle.
    """

    series: Dimension
    grain: Grain
    view: View
    colours: Mapping[str, str]
    axis_maximum: float
    meanings: Mapping[str, ColumnMeaning] = field(default_factory=dict)
    highlighted: Mapping[str, str | None] = field(default_factory=dict)
    annotations: pl.DataFrame | None = None
    is_clickable: bool = True
    text_colour: str = ""
    width: int | None = None
    has_axis_title: bool = True

    @property
    def axis_top(self) -> float:
        """The value at the upper edge of the plot."""
        return max(self.axis_maximum, self.axis_step) * _HEADROOM

    @property
    def axis_step(self) -> float:
        """The least distance of two values on the axis."""
        return 0.01 if self.view == "share" else 1

    @property
    def left_pixels(self) -> int:
        """The width of the labels of the vertical axis, in pixels.

        It is estimated here, because Vega would lay out all marks twice to measure it.
        """
        if self.view == "heat map":
            return min(7 * max(map(len, self.colours), default=0), _MAX_LABEL_PIXELS) + 12
        return 32 + 7 * len("100 %" if self.view == "share" else f"{self.axis_maximum * _HEADROOM:,.0f}")

    @property
    def period_range(self) -> list[Any]:
        """The horizontal range of the periods in pixels, for a scale of Vega-Lite."""
        # half a pixel of margin, since Vega drops a label that rounding puts outside of the plot
        return [self.left_pixels + 0.5, {"expr": f"{self.width or 'width'} - {RIGHT_PIXELS}"}]

    def build_step(self, periods: int) -> str:
        """The width of one of so many periods in pixels, as a Vega expression."""
        return f"(({self.width or 'width'} - {self.left_pixels + RIGHT_PIXELS}) / {periods})"

    @property
    def value_column(self) -> str:
        """The column that is drawn."""
        return _VALUE_COLUMNS.get(self.view, "publications")


def find_axis_maximum(frame: pl.DataFrame, view: View, panel: Dimension | None = None) -> float:
    """The largest number that is drawn, so that all panels share one scale.

    It is the highest stack of bars, or the largest number of a line chart or heat map, including bands.

    Args:
        frame: The rows of all panels.
        view: The kind of chart.
        panel: The dimension with one panel per member, if there are several.
    """
    if view == "bars":
        frame = frame.group_by("period", *([panel] if panel else [])).agg(pl.col("publications").sum())
    names = [_VALUE_COLUMNS.get(view, "publications"), _BAND_COLUMNS.get(view, ("", ""))[1]]
    maxima = [frame[name].max() for name in names if name in frame.columns]
    return max((float(top) for top in maxima if isinstance(top, int | float)), default=0.0)


def has_bands(frame: pl.DataFrame, style: ChartStyle) -> bool:
    """Whether bands are drawn: the rows have intervals, and there are at most `_MAX_BANDS` series."""
    return frame[style.series].n_unique() <= _MAX_BANDS and _BAND_COLUMNS.get(style.view, ("", ""))[0] in frame.columns


def format_axis_title(grain: Grain, view: View) -> str:
    """The title of the value axis."""
    per = "12 months" if grain == "rolling_12_months" else grain
    of = per if grain == "rolling_12_months" else f"the {per}"
    return {"share": f"Share of {of}", "cumulative": "Publications so far"}.get(view, f"Publications per {per}")


def build_series_colour(series: Dimension, colours: Mapping[str, str]) -> Spec:
    """The colour channel of a series, without a legend."""
    scale = {"domain": list(colours), "range": list(colours.values())}
    return {"field": series, "type": "nominal", "scale": scale, "legend": None}


class PanelMarks:
    """The marks of one panel."""

    def __init__(self, rows: pl.DataFrame, style: ChartStyle, x: Spec) -> None:
        self._style, self._x, self._periods = style, x, rows["period"].n_unique()
        self._is_few, self._is_many = self._periods <= FEW_PERIODS, self._periods > MANY_PERIODS
        # with many periods, only strips have tooltips
        self._rows = rows if self._is_many else rows.with_columns(build_descriptions(_describe_mark(rows, style)))
        self.is_single_series = not self._is_many
        """Whether a mark stands for one member of the series in a period, rather than for the whole period."""
        is_share = style.view == "share"
        self._y = {
            "type": "quantitative",
            "title": format_axis_title(style.grain, style.view) if style.has_axis_title else None,
            "scale": {"domain": [0, style.axis_top], "nice": False},
            "axis": {
                "offset": -style.left_pixels,
                "labelFlush": False,
                "labelPadding": 6,
                "titlePadding": 8,
                "format": ".0%" if is_share else _NUMBER_FORMAT,
                "tickCount": 6,
                "domain": False,
                "ticks": False,
                "tickMinStep": style.axis_step,
                # Vega would also label halves of so small counts
                **({"values": list(range(int(style.axis_top) + 1))} if not is_share and style.axis_top < 3 else {}),
            },
        }
        self._colour = build_series_colour(style.series, style.colours)

    def build_layers(self) -> list[Spec]:
        """The layers of the view, bottom first; the one named ``marks`` has tooltips and takes clicks."""
        return {"bars": self._draw_bars, "heat map": self._draw_heat_map}.get(self._style.view, self._draw_lines)()

    def _build_layer(self, rows: pl.DataFrame, mark: Spec, encoding: Spec, *, is_interactive: bool = False) -> Spec:
        """A layer with the columns that it needs; an interactive one has tooltips, descriptions and takes clicks."""
        if is_interactive:
            mark = {**mark, "cursor": "pointer"}
            encoding |= {channel: {"field": channel, "type": "nominal"} for channel in ("tooltip", "description")}
        else:
            # without these, Streamlit would add a tooltip
            mark = {**mark, "aria": False, "tooltip": None}
        encoding = {"x": self._x, "color": self._colour, **encoding}
        encoding = {name: channel for name, channel in encoding.items() if channel is not None}
        fields = {channel.get("field") for channel in encoding.values()} | {
            "is_highlighted" if self._has_highlight else None
        }
        needed = [name for name in rows.columns if name in fields]
        layer = {"data": drawing.build_chart_data(rows.select(needed)), "mark": mark, "encoding": encoding}
        # in a picture, layers of the same name in several panels would share their rows
        return {"name": "marks", **layer} if is_interactive and self._style.is_clickable else layer

    def _encode_value(self, column: str) -> Spec:
        """The vertical channel of a column of values."""
        return {**self._y, "field": column}

    @property
    def _has_highlight(self) -> bool:
        return any(self._style.highlighted.values())

    def _encode_opacity(self, opacity: float) -> Spec:
        """Opacity, lower for marks that are not highlighted if any is."""
        if not self._has_highlight:
            return {"value": opacity}
        return _choose_value("datum.is_highlighted", opacity, _FADED_OPACITY * opacity)

    def _draw_nonzero_marks(self, mark: Spec, encoding: Spec, outline: float) -> Spec:
        """Marks of counts above zero; those of partly covered and provisional periods are pale with an outline.

        The pale ones are in the same layer, since only one layer can take clicks.
        """
        unscaled = {"type": "quantitative", **_UNSCALED}
        rows = self._rows.filter(pl.col("publications") > 0).with_columns(
            filled=pl.when("is_pale").then(PART_PERIOD_OPACITY).otherwise(1.0),
            outline=pl.when("is_pale").then(outline).otherwise(0.0),
        )
        encoding = {**encoding, "opacity": self._encode_opacity(1), "fillOpacity": {"field": "filled", **unscaled}}
        if self._is_many:  # an outline would be wider than the mark
            return self._build_layer(rows, mark, encoding)
        outlined = {"stroke": self._colour, "strokeWidth": {"field": "outline", **unscaled}}
        return self._build_layer(rows, mark, {**encoding, **outlined}, is_interactive=True)

    def _draw_bars(self) -> list[Spec]:
        # same as the default order of Vega-Lite, which is slower to compute
        order = {"field": self._style.series, "type": "nominal", "sort": "descending"}
        mark = {"type": "bar", "strokeDash": [4, 2]}
        bars = self._draw_nonzero_marks(mark, {"y": self._encode_value("publications"), "order": order}, outline=1.4)
        if self._is_many:
            return [bars, self._draw_strips("publications")]
        if not self._is_few:
            return [bars]
        sums = self._rows.group_by("period", maintain_order=True).agg(pl.col("publications").sum())
        numbers = {
            "y": {"field": "publications", "type": "quantitative"},
            "text": {"field": "publications", "type": "quantitative", "format": _NUMBER_FORMAT},
            "color": {"value": self._style.text_colour},
        }
        opacity = self._hide_without_room(sums, 7.6)
        text = {"type": "text", "baseline": "bottom", "dy": -3, "fontSize": 12, "fontWeight": 600, "opacity": opacity}
        return [bars, self._build_layer(sums, text, numbers)]

    def _hide_without_room(self, rows: pl.DataFrame, letter_pixels: float) -> Spec:
        """Opacity of numbers: 0 where the longest one would not fit into a period."""
        longest = int(format_number_column("publications").str.len_chars().max().pipe(rows.select).item() or 0)
        return {"expr": f"{self._style.build_step(self._periods)} < {longest * letter_pixels:.0f} ? 0 : 1"}

    def _draw_line_segments(self, column: str) -> list[Spec]:
        """Solid lines between fully covered periods and dashed lines to and from others, as separate layers."""
        series = self._style.series
        is_dashed = pl.col("is_pale") | pl.col("is_pale").shift().over(series)  # segment from the period before
        layers = []
        for is_drawn, stroke in ((~is_dashed, {}), (is_dashed, {"strokeDash": [3, 4]})):
            # a segment of the other kind ends a run
            run = (~is_drawn).fill_null(value=False).cum_sum().over(series)
            is_end = is_drawn | is_drawn.shift(-1).over(series)
            rows = self._rows.with_columns(run=run).filter(is_end.fill_null(value=False))
            if rows.height:
                line = {"type": "line", "strokeWidth": 2.2, "strokeJoin": "round", **stroke}
                detail = {"field": "run", "type": "nominal"}
                encoding = {"y": self._encode_value(column), "detail": detail, "opacity": self._encode_opacity(0.9)}
                layers.append(self._build_layer(rows, line, encoding))
        return layers

    def _draw_lines(self) -> list[Spec]:
        column = self._style.value_column
        layers = [*self._draw_band(), *self._draw_line_segments(column)]
        if self._is_many:
            return [*layers, self._draw_strips(column)]
        # no points for zeros: those of all series would overlap, and there are no papers to list
        mark = {"type": "point", "filled": True, "size": 75 if self._is_few else 40}
        return [*layers, self._draw_nonzero_marks(mark, {"y": self._encode_value(column)}, outline=1.6)]

    def _draw_strips(self, column: str) -> Spec:
        """A transparent strip for each period, with a tooltip for all series at once."""
        series, number = self._style.series, format_number_column(column)
        if self._style.view == "share":
            number = pl.format("{} ({})", format_percent(column), format_number_column("publications")).fill_null("–")
        elif "lowest" in self._rows.columns:
            number = pl.format("{} ({} to {})", number, format_number_column("lowest"), format_number_column("highest"))
        rows = self._rows.select("period", "period_label", series, number=number)
        by_series = rows.pivot(series, index=["period", "period_label"], values="number")
        totals = self._rows.group_by("period").agg(pl.col("is_highlighted").any(), pl.col(column).sum())
        by_series = by_series.join(totals.with_columns(format_number_column(column)), "period", maintain_order="left")
        names = rows[series].unique(maintain_order=True)
        descriptions = {"So far, until" if self._style.view == "cumulative" else "Period": pl.col("period_label")}
        if len(names) > 1 and self._style.view != "share":
            descriptions["Total"] = pl.col(column)
        descriptions |= {name: pl.col(name) for name in names}
        strips = by_series.select("period", "is_highlighted", *build_descriptions(descriptions))
        opacity = (
            _choose_value("datum.is_highlighted", 0.2, 0.001)
            if self._style.highlighted.get("period")
            else {"value": 0.001}
        )
        mark = {"type": "rule", "strokeWidth": {"expr": self._style.build_step(self._periods)}}
        return self._build_layer(
            strips, mark, {"color": {"value": self._style.text_colour}, "opacity": opacity}, is_interactive=True
        )

    def _draw_band(self) -> list[Spec]:
        """The band of intervals of shares, or of the range over counting rules."""
        if not has_bands(self._rows, self._style):
            return []
        low, high = _BAND_COLUMNS[self._style.view]
        mark: Spec = {"type": "area", "opacity": 0.2}
        if self._periods == 1:  # an area needs two periods
            mark = {"type": "rule", "strokeWidth": 8, "opacity": 0.3}
        detail = {"field": self._style.series, "type": "nominal"}
        return [
            self._build_layer(self._rows, mark, {"y": self._encode_value(low), "y2": {"field": high}, "detail": detail})
        ]

    def _draw_heat_map(self) -> list[Spec]:
        style, top = self._style, max(self._style.axis_maximum, 1)
        present = set(self._rows[style.series])
        y = {
            "field": style.series,
            "type": "nominal",
            "axis": {
                "offset": -style.left_pixels,
                "labelFlush": False,
                "labelLimit": _MAX_LABEL_PIXELS,
                "domain": False,
                "ticks": False,
                "title": None,
            },
            "scale": {"paddingInner": 0.06, "domain": [name for name in style.colours if name in present]},
        }
        colours = get_heat_colours(style.text_colour)
        shade = {
            "field": "publications",
            "type": "quantitative",
            "scale": {"domain": [0, top], "range": [colours.least, colours.most], "interpolate": "rgb"},
            "legend": {
                "orient": "top",
                "title": f"{format_axis_title(style.grain, 'heat map')} (no colour: 0)",
                "titleLimit": 0,
                "format": _NUMBER_FORMAT,
                "tickMinStep": 1,
                "gradientLength": 160,
                "labelColor": style.text_colour,
                "titleColor": style.text_colour,
            },
        }
        # the colour is that of the scale in every cell; periods that may still change have a dashed frame
        frame = pl.when("is_pale").then(pl.lit(style.text_colour)).otherwise(None)
        is_dark = pl.col("publications") / top > 0.5
        contrast = pl.when(is_dark).then(pl.lit(colours.text_on_most)).otherwise(pl.lit(colours.text_on_least))
        rows = self._rows.with_columns(
            frame=frame, text_colour=pl.when(pl.col("publications") > 0).then(contrast).otherwise(pl.lit(GREY))
        )
        nonzero = rows.filter(pl.col("publications") > 0)
        encoding = {"y": y, "color": shade, "opacity": self._encode_opacity(1)}
        if self._is_many:
            return [self._build_layer(nonzero, {"type": "rect"}, encoding), self._draw_strips("publications")]
        framed = {"stroke": {"field": "frame", "type": "nominal", **_UNSCALED}, "strokeWidth": {"value": 1.4}}
        mark = {"type": "rect", "strokeDash": [3, 2]}
        cells = self._build_layer(nonzero, mark, {**encoding, **framed}, is_interactive=True)
        if not self._is_few:
            return [cells]
        numbers = {
            "y": y,
            "text": {"field": "publications", "type": "quantitative", "format": _NUMBER_FORMAT},
            "color": None,  # the scale of the cells would apply
            "fill": {"field": "text_colour", "type": "nominal", **_UNSCALED},
        }
        if not style.is_clickable:  # on a page, hovering and clicking go to the cell below
            numbers["tooltip"] = {"field": "tooltip", "type": "nominal"}
        text = {"type": "text", "fontSize": 11, "opacity": self._hide_without_room(rows, 7)}
        # a zero outside of the covered time is not known to be one
        known = rows.filter((pl.col("publications") > 0) | (pl.col("covered_part").fill_null("") != "not covered"))
        return [cells, self._build_layer(known, text, numbers)]


def _choose_value(test: str, then: Any, otherwise: Any) -> Spec:
    """A channel with one of two values, by a test on the row."""
    return {"value": otherwise, "condition": {"test": test, "value": then}}


def _describe_mark(frame: pl.DataFrame, style: ChartStyle) -> dict[str, pl.Expr]:
    """The lines of a mark's tooltip, by label."""
    series = {
        format_column_title(name, style.meanings): pl.col(name) for name in ("lab", "category") if name in frame.columns
    }
    lines = {"Period": pl.col("period_label"), **series, "Publications": format_number_column("publications")}
    if style.view == "lines" and "lowest" in frame.columns:
        lines["Over all rules"] = pl.format("{} to {}", format_number_column("lowest"), format_number_column("highest"))
    if style.view == "cumulative":
        lines["So far"] = format_number_column("cumulative_publications")
    if style.view == "share":
        shares = {"Share": "share", "at least": "share_low", "at most": "share_high"}
        lines |= {name: format_percent(column) for name, column in shares.items()}
        lines["Caution"] = pl.col("caution").fill_null("none")
    return lines
