"""Charts of periods: stacked bars, lines with bands, heat maps; part and provisional periods are pale.

A click selects a point; its parameter is ``pick`` with the fields ``period`` and the series.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import altair as alt
import polars as pl

from dashboards.charts import FITTED, PART, PICK, scale, title
from dashboards.counts import Dimension, Grain
from dashboards.read import Meaning
from dashboards.trends import View

_FADED = 0.3
_IS_PALE = "datum.is_pale"
_FEW = 16  # with more periods than this, a number for each would touch the next
_MANY = 48  # with more than this, points would lie upon each other, and the thousands of them would take a second
_MONTHS = {"01": "Jan", "04": "Apr", "07": "Jul", "10": "Oct"}
_COLUMN: Mapping[str, str] = {"share": "share", "cumulative": "cumulative_publications"}
_BAND: Mapping[str, tuple[str, str]] = {"share": ("share_low", "share_high"), "lines": ("lowest", "highest")}


@dataclass(frozen=True)
class Look:
    """What all panels of a figure share.

    Args:
        series: The dimension told by colour, or by row in a heat map.
        grain: Length of a period.
        view: How it is drawn.
        colour_of: Colour of each value of the series.
        highest: Upper end of the scale, the same for all panels.
        meanings: What the data dictionary says about the columns.
        picked: What to bring out, as values of columns; all else is faded. Nothing is faded if all are none.
        annotations: Rows of `trends.annotations` to mark in time.
        is_clickable: Whether a click selects; a picture has nobody to click.
        ink: Colour of text; those who draw set it.
    """

    series: Dimension
    grain: Grain
    view: View
    colour_of: Mapping[str, str]
    highest: float
    meanings: Mapping[str, Meaning] = field(default_factory=dict)
    picked: Mapping[str, str | None] = field(default_factory=dict)
    annotations: pl.DataFrame | None = None
    is_clickable: bool = True
    ink: str = ""

    @property
    def column(self) -> str:
        """The column that is drawn."""
        return _COLUMN.get(self.view, "publications")


def highest(frame: pl.DataFrame, view: View) -> float:
    """The largest number that lines or a heat map must have room for, bands included."""
    names = [_COLUMN.get(view, "publications"), _BAND.get(view, ("", ""))[1]]
    tops = [frame[name].max() for name in names if name in frame.columns]
    return max((float(top) for top in tops if isinstance(top, int | float)), default=0.0)


def axis_title(grain: Grain, view: View) -> str:
    """What the numbers of a chart are."""
    per = "12 months" if grain == "rolling_12_months" else grain
    of = per if grain == "rolling_12_months" else f"the {per}"
    return {"share": f"Share of {of}", "cumulative": "Publications so far"}.get(view, f"Publications per {per}")


def legend(series: Dimension, colour_of: Mapping[str, str], ink: str, columns: Any = None) -> alt.Chart:
    """The key to the colours, one for all panels, in as many columns as there is room for."""
    drawn: Any = alt.Chart(pl.DataFrame({series: list(colour_of)})).properties(height=1)
    return drawn.mark_square(size=0).encode(color=_key(series, colour_of, ink, columns))


def _key(series: Dimension, colour_of: Mapping[str, str], ink: str, columns: Any = None) -> alt.Color:
    shape = alt.Legend(
        labelColor=ink,
        orient="top",
        direction="horizontal",
        columns=columns or alt.ExprRef("max(1, floor(width / 240))"),
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
    return alt.Color(f"{series}:N", scale=scale(colour_of), legend=shape, title=None)


def on_page(chart: Any, ink: str) -> Any:
    """A chart as a page shows it: as wide as there is room, its text in the page's colour.

    The chart given is changed and returned, since Altair's own methods would copy all of it five times.
    """
    chart.autosize, chart.padding = FITTED["autosize"], FITTED["padding"]
    chart.config = alt.Config(
        view=alt.ViewConfig(strokeOpacity=0),
        axis=alt.AxisConfig(labelColor=ink, titleColor=ink),
        title=alt.TitleConfig(limit=0, color=ink),
    )
    return chart


def with_legend(chart: Any, look: Look) -> Any:
    """A single panel with the key to its colours above it, in one chart."""
    # points without size, of which only the legend shows
    key: Any = alt.Chart(pl.DataFrame({look.series: list(look.colour_of)})).mark_square(size=0)
    return alt.layer(
        chart,
        key.encode(color=_key(look.series, look.colour_of, look.ink)),
        resolve=alt.Resolve(legend=alt.LegendResolveMap(color="independent")),
    )


def legend_on_page(series: Dimension, colour_of: Mapping[str, str], *, ink: str) -> Any:
    """The key to the colours of all panels, as a page shows it."""
    return on_page(legend(series, colour_of, ink), ink)


def panel_on_page(frame: pl.DataFrame, look: Look, height: int, heading: str | None = None, *, ink: str) -> Any:
    """One of several panels, as a page shows it; arguments as `panel` has them."""
    return on_page(panel(frame, replace(look, ink=ink), height, heading), ink)


def one_panel(frame: pl.DataFrame, look: Look, height: int, *, ink: str) -> Any:
    """The only panel of a figure, with its legend in it, so that it serves page, file and sheet to hand on."""
    look = replace(look, ink=ink)
    drawn = panel(frame, look, height)
    return on_page(with_legend(drawn, look) if len(look.colour_of) > 1 else drawn, ink)


def in_picture(panels: Mapping[str, pl.DataFrame], look: Look, in_row: int, *, ink: str) -> Any:
    """All panels of a figure with their legend as one chart, for a file."""
    look = replace(look, ink=ink)
    width = 760 // min(in_row, len(panels)) - 40
    drawn = [panel(part, look, 240, heading=name or None).properties(width=width) for name, part in panels.items()]
    whole: Any = alt.concat(*drawn, columns=in_row) if len(drawn) > 1 else drawn[0]
    if look.view != "heat map":
        whole = alt.vconcat(legend(look.series, look.colour_of, look.ink, columns=3).properties(width=760), whole)
    return whole.configure_axis(labelColor=look.ink, titleColor=look.ink)


def panel(frame: pl.DataFrame, look: Look, height: int, heading: str | None = None) -> Any:
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
    periods = frame["period"].unique(maintain_order=True).to_list()
    inner, outer = (0.22, 0.18) if look.view == "bars" else (0.04, 0) if look.view == "heat map" else (1, 0.5)
    covered = pl.when("is_part_period").then(pl.format("{} ({})", "period", "covered_part")).otherwise("period")
    told = pl.when("is_provisional").then(pl.format("{}, may still be filling up", covered)).otherwise(covered)
    is_pale = pl.col("is_part_period") | pl.col("is_provisional")
    shown = frame.with_columns(told=told, is_picked=is_picked, is_pale=is_pale)
    x = alt.X(
        "period:O",
        title=None,
        scale=alt.Scale(domain=periods, paddingInner=inner, paddingOuter=outer),
        axis=_axis(frame, look.grain),
    )
    base = alt.Chart(shown.drop("starts_on", "ends_on", "covered_part", "is_part_period", "is_provisional")).encode(
        x=x, color=alt.Color(f"{look.series}:N", scale=scale(look.colour_of), legend=None)
    )
    marks = _Marks(base, look, _tooltip(frame, look), len(periods))
    layers = {"bars": marks.bars, "heat map": marks.heat_map}.get(look.view, marks.lines)()
    if look.annotations is not None and not look.annotations.is_empty():
        layers += _annotated(look.annotations, x, look.ink)
    if look.view == "heat map":
        height = 24 * frame[look.series].n_unique() + 10
    return alt.layer(*layers, height=height, **({"title": heading} if heading else {}))


def _tooltip(frame: pl.DataFrame, look: Look) -> list[alt.Tooltip]:
    named = [(name, title(name, look.meanings)) for name in ("lab", "category") if name in frame.columns]
    shares = [("share", "Share"), ("share_low", "at least"), ("share_high", "at most")] if look.view == "share" else []
    so_far = [("cumulative_publications", "So far")] if look.view == "cumulative" else []
    return [
        alt.Tooltip("told:N", title="Period"),
        *(alt.Tooltip(f"{name}:N", title=told) for name, told in named),
        alt.Tooltip("publications:Q", title="Publications", format="~r"),
        *(alt.Tooltip(f"{name}:Q", title=told, format="~r") for name, told in so_far),
        *(alt.Tooltip(f"{name}:Q", title=told, format=".1%") for name, told in shares),
        *([alt.Tooltip("caution:N", title="Caution")] if shares else []),
    ]


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
            is_told = within == "01" or (len(periods) <= _MANY and within in _MONTHS)
            lines[period] = [_MONTHS[within] if is_told else "", year if within == "01" else ""]
        if part is not None and (len(periods) <= _MANY or part != "not covered"):
            lines[period].append(f"({part})")
    # left to itself, the axis would drop the last label, which is the one of the part period
    overlap = "greedy" if len(periods) > _MANY else False
    label = alt.ExprRef(f"{json.dumps(lines)}[datum.value]")
    return alt.Axis(labelExpr=label.expr, labelAngle=0, labelOverlap=overlap, labelLineHeight=14, ticks=False)


def _annotated(annotations: pl.DataFrame, x: alt.X, ink: str) -> list[Any]:
    """A broken line and a mark at the top for each period in which something happened."""
    told = pl.format("{}: {}", pl.col("happened_on").cast(pl.String), "annotation")
    rows = (
        annotations.with_columns(told=told).group_by("period", maintain_order=True).agg(pl.col("told").str.join("; "))
    )
    base: Any = alt.Chart(rows).encode(x=x, tooltip=alt.Tooltip("told:N", title="Meanwhile"))
    top = alt.YValue(0)
    return [
        base.mark_rule(color=ink, strokeDash=[2, 3], opacity=0.55),
        base.mark_point(shape="triangle-down", filled=True, size=70, color=ink, opacity=0.9).encode(y=top),
    ]


class _Marks:
    """The marks of a panel over what they share."""

    def __init__(self, base: Any, look: Look, tooltip: list[alt.Tooltip], periods: int) -> None:
        self._base, self._look, self._tooltip, self._periods = base, look, tooltip, periods
        self._is_few = periods <= _FEW
        form = ".0%" if look.view == "share" else "~r"
        # room above the highest for its number
        top = max(look.highest, 0.01) if look.view == "share" else max(look.highest, 1)
        self._scale = alt.Scale(domain=[0, top * 1.08], nice=False)
        step = 0.01 if look.view == "share" else 1
        self._axis = alt.Axis(format=form, tickCount=6, domain=False, ticks=False, tickMinStep=step)
        self._outline = alt.Stroke(f"{look.series}:N", scale=scale(look.colour_of), legend=None)

    def _y(self, column: str) -> alt.Y:
        named = axis_title(self._look.grain, self._look.view)
        return alt.Y(f"{column}:Q", scale=self._scale, axis=self._axis, title=named)

    def _picking(self, chart: Any, tooltip: list[alt.Tooltip] | None = None) -> Any:
        """The marks that can be pointed at and clicked; they alone have a tooltip, which is made for every mark."""
        chart = chart.encode(tooltip=tooltip or self._tooltip)
        fields = ["period"] if tooltip else ["period", self._look.series]
        pick = alt.selection_point(name=PICK, fields=fields, on="click", empty=False)
        return chart.add_params(pick) if self._look.is_clickable else chart

    def _faded(self, otherwise: float) -> Any:
        """Opacity, less for what was not picked; where nothing was, no mark is asked."""
        if not any(self._look.picked.values()):
            return alt.OpacityValue(otherwise)
        return _if(alt.OpacityValue, "datum.is_picked", otherwise, _FADED * otherwise)

    def bars(self) -> list[Any]:
        bars = self._base.transform_filter("datum.publications > 0").mark_bar(cursor="pointer")
        bars = bars.encode(
            y=self._y("publications"),
            order=alt.Order(f"{self._look.series}:N", sort="descending"),
            stroke=self._outline,
            opacity=self._faded(1),
            fillOpacity=_if(alt.FillOpacityValue, _IS_PALE, PART, 1),
            strokeWidth=_if(alt.StrokeWidthValue, _IS_PALE, 1.4, 0),
            strokeDash=_if(alt.StrokeDashValue, _IS_PALE, [4, 2], [1, 0]),
        )
        numbers = (
            alt.Chart(self._base.data)
            .transform_aggregate(stack="sum(publications)", groupby=["period"])
            .encode(x=alt.X("period:O"), y=alt.Y("stack:Q"), text=alt.Text("stack:Q", format="~r"))
            .mark_text(baseline="bottom", dy=-3, fontSize=12, fontWeight=600, color=self._look.ink)
        )
        return [self._picking(bars), numbers] if self._is_few else [self._picking(bars)]

    def lines(self) -> list[Any]:
        series, column = self._look.series, self._look.column
        drawn = {"y": self._y(column), "opacity": self._faded(0.9)}
        line = self._base.transform_filter(f"!{_IS_PALE}").mark_line(strokeWidth=2.2, strokeJoin="round")
        whole = line.encode(**drawn)
        # to and from a part or provisional period it is broken, in segments, for a line has one look
        before = {"period_before": "period", "value_before": column, "was_pale": "is_pale"}
        segments = (
            self._base.transform_window(
                window=[alt.WindowFieldDef(op="lag", field=name, **{"as": lag}) for lag, name in before.items()],
                groupby=[series],
                sort=[alt.SortField("period")],
            )
            .transform_filter(
                f"({_IS_PALE} || datum.was_pale) && isValid(datum.period_before) && isValid(datum.value_before)"
                f" && isValid(datum.{column})"
            )
            .mark_rule(strokeWidth=2.2, strokeCap="round", strokeDash=[3, 4])
            .encode(**drawn, y2="value_before:Q", x2="period_before:O")
        )
        if self._periods > _MANY:
            return [*self._band(), whole, segments, self._strips(column)]
        # no points for zeros: those of all series would lie upon each other, and there is no paper to list
        points = (
            self._base.transform_filter("datum.publications > 0")
            .mark_point(filled=True, cursor="pointer", opacity=1)
            .encode(
                y=self._y(column),
                size=alt.SizeValue(75 if self._is_few else 40),
                stroke=self._outline,
                opacity=self._faded(1),
                fillOpacity=_if(alt.FillOpacityValue, _IS_PALE, PART, 1),
                strokeWidth=_if(alt.StrokeWidthValue, _IS_PALE, 1.6, 0),
            )
        )
        return [*self._band(), whole, segments, self._picking(points)]

    def _strips(self, column: str) -> Any:
        """A strip for each period, as wide as there is room, that tells of all series at once."""
        series, is_share = self._look.series, self._look.view == "share"
        number = (pl.col(column) * 100).round(1) if is_share else pl.col(column).round(2)
        told = pl.format("{} {}" + " %" * is_share, series, number.cast(pl.String).str.strip_suffix(".0"))
        rows = self._base.data.filter(pl.col("publications") > 0).sort(column, descending=True, maintain_order=True)
        rows = rows.group_by("period", "told").agg(what=told.str.join("; "), is_picked=pl.col("is_picked").any())
        strips: Any = alt.Chart(rows.sort("period")).mark_rule(
            strokeWidth=alt.ExprRef(f"width / {self._periods}"), color=self._look.ink, cursor="pointer"
        )
        is_period_picked = bool(self._look.picked.get("period"))
        seen = _if(alt.OpacityValue, "datum.is_picked", 0.2, 0.001) if is_period_picked else alt.OpacityValue(0.001)
        named = [
            alt.Tooltip("told:N", title="Period"),
            alt.Tooltip("what:N", title=axis_title(self._look.grain, self._look.view)),
        ]
        return self._picking(strips.encode(x=self._base.encoding.x, opacity=seen), named)

    def _band(self) -> list[Any]:
        """The interval of shares, or the range over counting rules, where the rows have it."""
        low, high = _BAND.get(self._look.view, ("", ""))
        if low not in self._base.data.columns:
            return []
        is_crowded = self._base.data[self._look.series].n_unique() > 4
        band = self._base.mark_area(opacity=0.09 if is_crowded else 0.2)
        told = {"y": self._y(low), "y2": f"{high}:Q", "detail": f"{self._look.series}:N"}
        if self._base.data["period"].n_unique() == 1:  # an area needs two
            return [self._base.mark_rule(strokeWidth=8, opacity=0.3).encode(**told)]
        return [band.encode(**told)]

    def heat_map(self) -> list[Any]:
        series = self._look.series
        top = max(self._look.highest, 1)
        names = alt.Axis(labelLimit=210, domain=False, ticks=False, title=None)
        y = alt.Y(f"{series}:N", sort=list(self._look.colour_of), axis=names, scale=alt.Scale(paddingInner=0.06))
        # cividis is read alike by those who see colours and those who do not
        ink, per = self._look.ink, axis_title(self._look.grain, "heat map")
        key = alt.Legend(orient="top", title=per, format="~r", tickMinStep=1, labelColor=ink, titleColor=ink)
        shades = alt.Scale(scheme="cividis", domain=[0, top])
        # with few periods each cell has its number, so that no key is needed
        colour = alt.Color("publications:Q", scale=shades, legend=None if self._is_few else key)
        cells = self._base.transform_filter("datum.publications > 0").mark_rect(cursor="pointer")
        cells = cells.encode(y=y, color=colour, opacity=self._faded(1))
        empty = self._base.transform_filter("datum.publications == 0").mark_rect(opacity=0.07)
        zeros = empty.encode(y=y, color=alt.ColorValue(ink))
        numbers = (
            self._base.transform_filter("datum.publications > 0")
            .encode(
                y=y,
                text=alt.Text("publications:Q", format="~r"),
                color=_if(alt.ColorValue, f"datum.publications > {top / 2}", "#111", "#fff"),
                tooltip=self._tooltip,
            )
            .mark_text(fontSize=11)
        )
        drawn = [zeros, self._picking(cells)]
        return [*drawn, numbers] if self._is_few else drawn


def _if(channel: Any, test: str, then: Any, otherwise: Any) -> Any:
    """A channel with one of two values; said in full, since Altair would try what ``alt.when`` gives on every class."""
    return channel(otherwise, condition={"test": test, "value": then})
