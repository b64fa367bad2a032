"""The marks of one panel of a chart of periods, in Vega-Lite, and the look that all panels share.

The browser goes through every row of every layer and asks each mark for each of its channels; so the rows of a layer
are picked out here, and what is told of a mark is a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from dashboards import text as frames
from dashboards.charts import drawing
from dashboards.charts.palette import PART, title
from dashboards.queries.counts import Dimension, Grain
from dashboards.queries.release import Meaning
from dashboards.queries.trends import View

FEW = 16
"""With more periods than this, a number for each would touch the next."""
MANY = 36
"""With more than this, a mark is too narrow to be pointed at, and a strip tells of all of its period."""
_CROWD = 4  # bands of more series than this hide each other
_FADED = 0.3
_ABOVE = 1.08  # room above the highest for its number
_LABEL = 210  # most pixels for a name beside a heat map
RIGHT = 20
"""Room at the right in pixels, for the part of the last label that is wider than its period."""
_AS_IT_IS = {"scale": None, "legend": None}
_NUMBER = ",.12~r"  # of d3: all digits, in threes
_COLUMN: Mapping[str, str] = {"share": "share", "cumulative": "cumulative_publications"}
_BAND: Mapping[str, tuple[str, str]] = {"share": ("share_low", "share_high"), "lines": ("lowest", "highest")}

Spec = dict[str, Any]
"""A chart, or a part of one, in Vega-Lite."""


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
        annotations: Rows of `meanwhile.annotations` to mark in time.
        is_clickable: Whether a click selects; a picture has nobody to click.
        ink: Colour of text; those who draw set it.
        width: Width of the plot in pixels where it is known, as in a picture; a page has what room there is.
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
    width: int | None = None

    @property
    def left(self) -> int:
        """The room at the left for the labels of the vertical axis, in pixels.

        It is estimated here and lies within the width. If Vega had to find it out, it would go through all marks once
        more as soon as it knows.
        """
        if self.view == "heat map":
            return min(7 * max(map(len, self.colour_of), default=0), _LABEL) + 12
        return 32 + 7 * len("100 %" if self.view == "share" else f"{self.highest * _ABOVE:,.0f}")

    @property
    def within(self) -> list[Any]:
        """Where the periods begin and end from left to right, in pixels, as a range of Vega-Lite."""
        # half a pixel within, since Vega leaves out the label of what begins before the whole one, be it by a rounding
        return [self.left + 0.5, {"expr": f"{self.width or 'width'} - {RIGHT}"}]

    def step(self, periods: int) -> str:
        """The room for one of so many periods in pixels, as an expression of Vega."""
        return f"(({self.width or 'width'} - {self.left + RIGHT}) / {periods})"

    @property
    def column(self) -> str:
        """The column that is drawn."""
        return _COLUMN.get(self.view, "publications")


def highest(frame: pl.DataFrame, view: View) -> float:
    """The largest number that lines or a heat map must have room for, bands included."""
    names = [_COLUMN.get(view, "publications"), _BAND.get(view, ("", ""))[1]]
    tops = [frame[name].max() for name in names if name in frame.columns]
    return max((float(top) for top in tops if isinstance(top, int | float)), default=0.0)


def has_bands(frame: pl.DataFrame, look: Look) -> bool:
    """Whether intervals are drawn: where the rows have them, unless those of many series hide each other."""
    return frame[look.series].n_unique() <= _CROWD and _BAND.get(look.view, ("", ""))[0] in frame.columns


def axis_title(grain: Grain, view: View) -> str:
    """What the numbers of a chart are."""
    per = "12 months" if grain == "rolling_12_months" else grain
    of = per if grain == "rolling_12_months" else f"the {per}"
    return {"share": f"Share of {of}", "cumulative": "Publications so far"}.get(view, f"Publications per {per}")


def nominal(series: Dimension, colour_of: Mapping[str, str]) -> Spec:
    """A channel that tells the series by its colour, without a legend."""
    colours = {"domain": list(colour_of), "range": list(colour_of.values())}
    return {"field": series, "type": "nominal", "scale": colours, "legend": None}


class Marks:
    """The marks of a panel over what they share."""

    def __init__(self, rows: pl.DataFrame, look: Look, x: Spec) -> None:
        self._look, self._x, self._periods = look, x, rows["period"].n_unique()
        self._is_few, self._is_many = self._periods <= FEW, self._periods > MANY
        # of many periods, strips tell
        self._rows = rows if self._is_many else rows.with_columns(_told(_of_mark(rows, look)))
        self.are_single = not self._is_many
        """Whether what is pointed at is one value of the series in a period, rather than all of a period."""
        is_share = look.view == "share"
        step = 0.01 if is_share else 1
        self._y = {
            "type": "quantitative",
            "title": axis_title(look.grain, look.view),
            "scale": {"domain": [0, max(look.highest, step) * _ABOVE], "nice": False},
            "axis": {
                "offset": -look.left,
                "labelFlush": False,
                "labelPadding": 6,
                "titlePadding": 8,
                "format": ".0%" if is_share else _NUMBER,
                "tickCount": 6,
                "domain": False,
                "ticks": False,
                "tickMinStep": step,
            },
        }
        self._colour = nominal(look.series, look.colour_of)

    def layers(self) -> list[Spec]:
        """The layers of the view, from the lowest; the one named ``marks`` can be pointed at and clicked."""
        return {"bars": self._bars, "heat map": self._heat_map}.get(self._look.view, self._lines)()

    def _over(self, rows: pl.DataFrame, mark: Spec, encoding: Spec, *, is_told: bool = False) -> Spec:
        """A layer of marks over the rows that it needs; those that are told can be pointed at, clicked and read out."""
        if is_told:
            mark = {**mark, "cursor": "pointer"}
            told = {"tooltip": "tip", "description": "said"}
            encoding |= {channel: {"field": column, "type": "nominal"} for channel, column in told.items()}
        else:
            # Streamlit would have each tell its fields
            mark = {**mark, "aria": False, "tooltip": None}
        encoding = {"x": self._x, "color": self._colour, **encoding}
        encoding = {name: channel for name, channel in encoding.items() if channel is not None}
        asked = {channel.get("field") for channel in encoding.values()} | {"is_picked" if self._is_any_picked else None}
        needed = [name for name in rows.columns if name in asked]
        layer = {"data": drawing.rows(rows.select(needed)), "mark": mark, "encoding": encoding}
        # layers of one name in several panels of a picture would share their rows
        return {"name": "marks", **layer} if is_told and self._look.is_clickable else layer

    def _of(self, column: str) -> Spec:
        """The vertical channel of a column."""
        return {**self._y, "field": column}

    @property
    def _is_any_picked(self) -> bool:
        return any(self._look.picked.values())

    def _faded(self, otherwise: float) -> Spec:
        """Opacity, less for what was not picked; where nothing was, no mark is asked."""
        if not self._is_any_picked:
            return {"value": otherwise}
        return _either("datum.is_picked", otherwise, _FADED * otherwise)

    def _found(self, mark: Spec, encoding: Spec, outline: float) -> Spec:
        """Marks of what has publications; those of part and provisional periods are pale, within an outline.

        That they are is told by numbers in the rows and not by a layer of their own, since only one can take clicks.
        """
        as_it_is = {"type": "quantitative", **_AS_IT_IS}
        rows = self._rows.filter(pl.col("publications") > 0).with_columns(
            filled=pl.when("is_pale").then(PART).otherwise(1.0), outline=pl.when("is_pale").then(outline).otherwise(0.0)
        )
        encoding = {**encoding, "opacity": self._faded(1), "fillOpacity": {"field": "filled", **as_it_is}}
        if self._is_many:  # an outline would be wider than the mark
            return self._over(rows, mark, encoding)
        outlined = {"stroke": self._colour, "strokeWidth": {"field": "outline", **as_it_is}}
        return self._over(rows, mark, {**encoding, **outlined}, is_told=True)

    def _bars(self) -> list[Spec]:
        # as Vega-Lite would have it, but that would look up each bar's place among all names
        order = {"field": self._look.series, "type": "nominal", "sort": "descending"}
        mark = {"type": "bar", "strokeDash": [4, 2]}
        bars = self._found(mark, {"y": self._of("publications"), "order": order}, outline=1.4)
        if self._is_many:
            return [bars, self._strips("publications")]
        if not self._is_few:
            return [bars]
        sums = self._rows.group_by("period", maintain_order=True).agg(pl.col("publications").sum())
        numbers = {
            "y": {"field": "publications", "type": "quantitative"},
            "text": {"field": "publications", "type": "quantitative", "format": _NUMBER},
            "color": {"value": self._look.ink},
        }
        room = self._shown_where_there_is_room(sums, 7.6)
        text = {"type": "text", "baseline": "bottom", "dy": -3, "fontSize": 12, "fontWeight": 600, "opacity": room}
        return [bars, self._over(sums, text, numbers)]

    def _shown_where_there_is_room(self, rows: pl.DataFrame, letter: float) -> Spec:
        """Opacity of the numbers of rows: none where they would touch, at so many pixels a letter."""
        longest = int(frames.numbers("publications").str.len_chars().max().pipe(rows.select).item() or 0)
        return {"expr": f"{self._look.step(self._periods)} < {longest * letter:.0f} ? 0 : 1"}

    def _paths(self, column: str) -> list[Spec]:
        """Lines between periods that are whole, and broken ones to and from all others, as a line has one look."""
        series = self._look.series
        is_broken = pl.col("is_pale") | pl.col("is_pale").shift().over(series)  # the way from the period before
        drawn = []
        for is_drawn, looks in ((~is_broken, {}), (is_broken, {"strokeDash": [3, 4]})):
            # a way that looks otherwise ends a run
            run = (~is_drawn).fill_null(value=False).cum_sum().over(series)
            is_end = is_drawn | is_drawn.shift(-1).over(series)
            rows = self._rows.with_columns(run=run).filter(is_end.fill_null(value=False))
            if rows.height:
                line = {"type": "line", "strokeWidth": 2.2, "strokeJoin": "round", **looks}
                detail = {"field": "run", "type": "nominal"}
                encoding = {"y": self._of(column), "detail": detail, "opacity": self._faded(0.9)}
                drawn.append(self._over(rows, line, encoding))
        return drawn

    def _lines(self) -> list[Spec]:
        column = self._look.column
        drawn = [*self._band(), *self._paths(column)]
        if self._is_many:
            return [*drawn, self._strips(column)]
        # no points for zeros: those of all series would lie upon each other, and there is no paper to list
        mark = {"type": "point", "filled": True, "size": 75 if self._is_few else 40}
        return [*drawn, self._found(mark, {"y": self._of(column)}, outline=1.6)]

    def _strips(self, column: str) -> Spec:
        """A strip for each period, as wide as there is room, that tells of all series at once."""
        series, number = self._look.series, frames.numbers(column)
        if self._look.view == "share":  # of nothing there is none
            number = pl.format("{} ({})", _percent(column), frames.numbers("publications")).fill_null("–")
        elif "lowest" in self._rows.columns:
            number = pl.format("{} ({} to {})", number, frames.numbers("lowest"), frames.numbers("highest"))
        rows = self._rows.select("period", "told", series, number=number)
        by_series = rows.pivot(series, index=["period", "told"], values="number")
        whole = self._rows.group_by("period").agg(pl.col("is_picked").any(), pl.col(column).sum())
        by_series = by_series.join(whole.with_columns(frames.numbers(column)), "period", maintain_order="left")
        names = rows[series].unique(maintain_order=True)
        each = {"So far, until" if self._look.view == "cumulative" else "Period": pl.col("told")}
        if len(names) > 1 and self._look.view != "share":
            each["All of these"] = pl.col(column)
        each |= {name: pl.col(name) for name in names}
        strips = by_series.select("period", "is_picked", *_told(each))
        seen = _either("datum.is_picked", 0.2, 0.001) if self._look.picked.get("period") else {"value": 0.001}
        mark = {"type": "rule", "strokeWidth": {"expr": self._look.step(self._periods)}}
        return self._over(strips, mark, {"color": {"value": self._look.ink}, "opacity": seen}, is_told=True)

    def _band(self) -> list[Spec]:
        """The interval of shares, or the range over counting rules."""
        if not has_bands(self._rows, self._look):
            return []
        low, high = _BAND[self._look.view]
        mark: Spec = {"type": "area", "opacity": 0.2}
        if self._periods == 1:  # an area needs two
            mark = {"type": "rule", "strokeWidth": 8, "opacity": 0.3}
        detail = {"field": self._look.series, "type": "nominal"}
        return [self._over(self._rows, mark, {"y": self._of(low), "y2": {"field": high}, "detail": detail})]

    def _heat_map(self) -> list[Spec]:
        look, top = self._look, max(self._look.highest, 1)
        present = set(self._rows[look.series])
        y = {
            "field": look.series,
            "type": "nominal",
            "axis": {
                "offset": -look.left,
                "labelFlush": False,
                "labelLimit": _LABEL,
                "domain": False,
                "ticks": False,
                "title": None,
            },
            "scale": {"paddingInner": 0.06, "domain": [name for name in look.colour_of if name in present]},
        }
        key = {
            "orient": "top",
            "title": axis_title(look.grain, "heat map"),
            "format": _NUMBER,
            "tickMinStep": 1,
            "labelColor": look.ink,
            "titleColor": look.ink,
        }
        shades = {
            "field": "publications",
            "type": "quantitative",
            # cividis is read alike by those who see colours and those who do not
            "scale": {"scheme": "cividis", "domain": [0, top]},
            # with few periods each cell has its number, so that no key is needed
            "legend": None if self._is_few else key,
        }
        dark = pl.when(pl.col("publications") > top / 2).then(pl.lit("#111")).otherwise(pl.lit("#fff"))
        rows = self._rows.filter(pl.col("publications") > 0).with_columns(
            filled=pl.when("is_pale").then(PART).otherwise(1.0),
            ink=pl.when("is_pale").then(pl.lit(look.ink)).otherwise(dark),
        )
        encoding = {
            "y": y,
            "color": shades,
            "opacity": self._faded(1),
            "fillOpacity": {"field": "filled", "type": "quantitative", **_AS_IT_IS},
        }
        if self._is_many:
            return [self._over(rows, {"type": "rect"}, encoding), self._strips("publications")]
        cells = self._over(rows, {"type": "rect"}, encoding, is_told=True)
        numbers = {
            "y": y,
            "text": {"field": "publications", "type": "quantitative", "format": _NUMBER},
            "color": None,  # its scale is the one of the cells
            "fill": {"field": "ink", "type": "nominal", **_AS_IT_IS},
        }
        if not look.is_clickable:  # else what is under a number is pointed at and clicked
            numbers["tooltip"] = {"field": "tip", "type": "nominal"}
        text = {"type": "text", "fontSize": 11, "opacity": self._shown_where_there_is_room(rows, 7)}
        return [cells, self._over(rows, text, numbers)] if self._is_few else [cells]


def _either(test: str, then: Any, otherwise: Any) -> Spec:
    """A channel with one of two values."""
    return {"value": otherwise, "condition": {"test": test, "value": then}}


def _of_mark(frame: pl.DataFrame, look: Look) -> dict[str, pl.Expr]:
    """What is told of a mark, by name."""
    series = {title(name, look.meanings): pl.col(name) for name in ("lab", "category") if name in frame.columns}
    told = {"Period": pl.col("told"), **series, "Publications": frames.numbers("publications")}
    if look.view == "lines" and "lowest" in frame.columns:
        told["Over all rules"] = pl.format("{} to {}", frames.numbers("lowest"), frames.numbers("highest"))
    if look.view == "cumulative":
        told["So far"] = frames.numbers("cumulative_publications")
    if look.view == "share":
        shares = {"Share": "share", "at least": "share_low", "at most": "share_high"}
        told |= {name: _percent(column) for name, column in shares.items()}
        told["Caution"] = pl.col("caution").fill_null("none")
    return told


def _told(values: Mapping[str, pl.Expr]) -> list[pl.Expr]:
    """What is told of a mark as ``tip``, shown where it is pointed at, and as ``said`` for a screen reader."""
    each = [pl.format("{}: {}", pl.lit(name), value) for name, value in values.items()]
    tip = pl.struct(value.alias(name) for name, value in values.items())
    return [tip.alias("tip"), pl.concat_str(each, separator="; ").alias("said")]


def _percent(column: str) -> pl.Expr:
    """A share as text, in percent with one digit after the point."""
    return pl.format("{} %", (pl.col(column) * 100).round(1))
