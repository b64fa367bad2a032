"""Server time of one chart of the trends page: written in Vega-Lite here, and built with Altair, side by side.

Run with ``python -m benchmarks.charts``. Both draw stacked bars with the same periods, colours, paleness, tooltips and
selection, and send their rows as Arrow tables. The trends page draws three such charts for one choice.
"""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Callable
from typing import Any

import altair as alt
import polars as pl
from altair.utils.schemapi import debug_mode

from dashboards.charts import drawing, timeline
from dashboards.charts.marks import ChartStyle
from dashboards.charts.timeline import SELECTION_PARAMETER

ROUNDS = 15
CATEGORIES = [f"Category {number}" for number in range(12)]
PERIODS = {"year": 11, "quarter": 42, "month": 126}


def build_frame(periods: int) -> pl.DataFrame:
    """Rows as `trends.build_query` returns them: each category in each period."""
    rows = [
        {
            "period": f"{2015 + period // 12}-{period % 12 + 1:02}",
            "starts_on": dt.date(2015 + period // 12, period % 12 + 1, 1),
            "category": category,
            "publications": float(100 + period * place % 37),
            "is_part_period": period == periods - 1,
            "is_provisional": period > periods - 4,
            "covered_part": None if period < periods - 1 else "to 12 May",
        }
        for period in range(periods)
        for place, category in enumerate(CATEGORIES)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def build_style() -> ChartStyle:
    """The style of a panel by category."""
    colours = {category: f"#{number * 1111 + 3333:06x}" for number, category in enumerate(CATEGORIES)}
    return ChartStyle("category", "month", "bars", colours, 2000.0, text_colour="#222")


def draw_with_altair(frame: pl.DataFrame, style: ChartStyle) -> dict[str, Any]:
    """The bars of a panel with Altair, with one layer of marks and its selection."""
    rows = frame.with_columns(is_pale=pl.col("is_part_period") | pl.col("is_provisional"))
    colours = alt.Scale(domain=list(style.colours), range=list(style.colours.values()))
    bars = (
        alt.Chart(rows)
        .mark_bar(strokeDash=[4, 2], cursor="pointer")
        .encode(
            x=alt.X("period:O", title=None, axis=alt.Axis(labelAngle=0, ticks=False)),
            y=alt.Y(
                "publications:Q",
                title="Publications per month",
                scale=alt.Scale(domain=[0, style.axis_maximum], nice=False),
                axis=alt.Axis(format=",", tickCount=6, domain=False, ticks=False),
            ),
            color=alt.Color("category:N", scale=colours, legend=None),
            order=alt.Order("category:N", sort="descending"),
            fillOpacity=alt.condition("datum.is_pale", alt.value(0.45), alt.value(1)),
            tooltip=[alt.Tooltip("period:N", title="Period"), "category:N", "publications:Q"],
        )
    )
    chart = alt.layer(bars).properties(height=270, width="container")
    chart = chart.add_params(alt.selection_point(name=SELECTION_PARAMETER, fields=["period", "category"], on="click"))
    with debug_mode(False):
        return chart.to_dict(validate=False)


def measure_milliseconds(draw: Callable[[], object]) -> float:
    """CPU milliseconds of one drawing, with its rows sent beside it as on a page."""
    token = drawing._tables.set({})
    try:
        started = time.process_time()
        draw()
        return (time.process_time() - started) * 1000
    finally:
        drawing._tables.reset(token)


def main() -> None:
    """Print the median of both for each length of a period."""
    style = build_style()
    for grain, periods in PERIODS.items():
        frame = build_frame(periods)
        taken: dict[str, list[float]] = {"Vega-Lite": [], "Altair": []}
        for _ in range(ROUNDS):
            taken["Vega-Lite"].append(
                measure_milliseconds(
                    lambda frame=frame: timeline.draw_page_panel(frame, style, 270, text_colour="#222")
                )
            )
            taken["Altair"].append(measure_milliseconds(lambda frame=frame: draw_with_altair(frame, style)))
        medians = {name: statistics.median(times) for name, times in taken.items()}
        print(
            f"per {grain:8} {frame.height:5} bars: Vega-Lite {medians['Vega-Lite']:5.1f} ms,"
            f" Altair {medians['Altair']:5.1f} ms, ratio {medians['Altair'] / medians['Vega-Lite']:.1f}"
        )


if __name__ == "__main__":
    main()
