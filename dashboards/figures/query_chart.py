"""A chart of the rows of any SQL query, with columns that the reader chooses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import altair as alt
import polars as pl
import streamlit as st

from dashboards.charts import palette
from dashboards.exports.figure_files import Figure, FigureData
from dashboards.exports.query_rows import list_numeric_columns
from dashboards.figures.figure import show_figure
from dashboards.widgets import filters
from warehouse.row_files import encode_nested

Mark = Literal["none", "bars", "lines", "points"]
MAX_MARKS = 5000


@dataclass(frozen=True)
class ChartColumns:
    """The kind of mark, and the columns of the axes and the colour."""

    mark: str
    x: str
    y: str
    colour: str | None = None


def show_query_chart(data: FigureData) -> None:
    """Show the choices of a chart, and the chart as a figure.

    Args:
        data: The query and its rows, with types that a page can show.
    """
    st.header("Chart", anchor=False)
    frame = data.frame
    numeric = list_numeric_columns(frame)
    if frame.is_empty() or not numeric or len(frame.columns) < 2:
        st.info("A chart needs rows, a numeric column and one more column.", icon=":material/bar_chart:")
        return
    columns = _select_columns(frame, numeric)
    if columns is None:
        return
    if frame.height > MAX_MARKS:
        st.caption(f"Only the first {MAX_MARKS:,} rows are drawn.")
    by_colour = f" and {columns.colour}" if columns.colour else ""
    show_figure(
        Figure(
            data,
            title=f"{columns.y} by {columns.x}{by_colour}",
            unit=columns.y,
            rule="the query under SQL",
            source="the tables of the query",
            finding=None,
            file_name=f"query_{data.release.name}",
            alt=f"A chart of {columns.y} by {columns.x}.",
            key="answer",
            draw=partial(draw_query_chart, frame, columns),
        )
    )


def _select_columns(frame: pl.DataFrame, numeric: list[str]) -> ChartColumns | None:
    others = [name for name in frame.columns if name not in numeric] or frame.columns
    for key, names in (("across", frame.columns), ("up", numeric)):
        if st.session_state.get(key) not in (None, *names):  # a column of the previous query
            del st.session_state[key]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        mark = filters.select_segment("Marks", get_args(Mark), "mark")
        if mark == "none":
            return None
        x = filters.select_one("Horizontal axis", frame.columns, "across", 220, others[0])
        y = filters.select_one("Vertical axis", numeric, "up", 220)
        colour = filters.select_optional("Colour", frame.columns, "by", 220, "One colour")
    return ChartColumns(mark, x, y, colour)


def draw_query_chart(frame: pl.DataFrame, columns: ChartColumns, text_colour: str) -> alt.Chart:
    """The rows as a chart; an axis of names is in the order of the rows."""
    chosen = {"x": columns.x, "y": columns.y, "colour": columns.colour}
    # renamed, since special characters in a column name mean something to Vega
    rows = encode_nested(frame.head(MAX_MARKS)).select(
        **{channel: pl.col(name) for channel, name in chosen.items() if name is not None}
    )
    kind = rows.schema["x"]
    is_time, is_number = kind == pl.Date or isinstance(kind, pl.Datetime), kind.is_numeric() and columns.mark != "bars"
    if not (is_time or is_number) or columns.mark == "bars":
        rows = rows.with_columns(pl.col("x").cast(pl.String, strict=False))
        is_time = False
    x: Any = alt.X(
        "x:T" if is_time else "x:Q" if is_number else "x:O",
        title=columns.x,
        sort=None,
        axis=alt.Axis(labelLimit=160, labelAngle=0 if is_time or is_number or rows["x"].n_unique() < 9 else -40),
    )
    encoding: dict[str, Any] = {
        "x": x,
        "y": alt.Y("y:Q", title=columns.y),
        "tooltip": [alt.Tooltip("x", title=columns.x), alt.Tooltip("y:Q", title=columns.y)],
    }
    if columns.colour is not None:
        rows = rows.with_columns(pl.col("colour").cast(pl.String, strict=False))
        names = [str(name) for name in rows["colour"].drop_nulls().unique(maintain_order=True)]
        colours = palette.assign_colours("lab", names)
        encoding["color"] = alt.Color(
            "colour:N",
            scale=alt.Scale(domain=list(colours), range=list(colours.values())),
            legend=alt.Legend(
                title=columns.colour,
                orient="top",
                columns=3,
                labelLimit=320,
                labelColor=text_colour,
                titleColor=text_colour,
            ),
        )
        encoding["tooltip"].append(alt.Tooltip("colour:N", title=columns.colour))
    base: Any = alt.Chart(rows)
    single_colour = {} if columns.colour else {"color": "#0072B2"}
    marked = {
        "bars": lambda: base.mark_bar(**single_colour),
        "lines": lambda: base.mark_line(point=True, **single_colour),
        "points": lambda: base.mark_point(filled=True, size=60, **single_colour),
    }[columns.mark]()
    chart = marked.encode(**encoding).properties(height=340, autosize=alt.AutoSizeParams(type="fit-x"))
    return chart.configure_axis(labelColor=text_colour, titleColor=text_colour)
