"""Stacked bars of counts by author and by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from dashboards.charts.drawing import FIT_WIDTH
from dashboards.charts.palette import assign_colours

_ROW_PIXELS = 30
_MAX_AUTHORS = 25


def draw_items_by_author(frame: pl.DataFrame, kinds: Sequence[str], text_colour: str) -> Any:
    """Horizontal bars of the most active authors, stacked by kind.

    Args:
        frame: Rows of `discussion.build_author_query`.
        kinds: All kinds, so that colours do not depend on filters.
        text_colour: Colour of text.
    """
    authors = frame["author"].unique(maintain_order=True).to_list()[:_MAX_AUTHORS]
    rows = frame.filter(pl.col("author").is_in(authors))
    return _draw_stacked_bars(
        rows,
        {"y": alt.Y("author:N", sort=authors, axis=alt.Axis(title=None, labelLimit=150, domain=False, ticks=False))},
        {"x": alt.X("items:Q", title="Segments, posts and comments", axis=_build_count_axis())},
        assign_colours("kind", kinds),
        text_colour,
        _ROW_PIXELS * max(len(authors), 1),
    )


def draw_counts_by_month(
    frame: pl.DataFrame, kinds: Sequence[str], text_colour: str, by: str = "kind", of: str = "items"
) -> Any:
    """Bars per month, stacked by a column.

    Args:
        frame: Rows with ``published_month``.
        kinds: All values of the column ``by``.
        text_colour: Colour of text.
        by: The column that is shown by colour.
        of: The column with the counts.
    """
    return _draw_stacked_bars(
        frame,
        {"x": alt.X("yearmonth(published_month):T", title=None, axis=alt.Axis(format="%b %Y", tickCount=6))},
        {"y": alt.Y(f"{of}:Q", title=f"{of.capitalize()} per month", axis=_build_count_axis())},
        assign_colours("kind", kinds),
        text_colour,
        220,
        by,
    )


def _build_count_axis() -> alt.Axis:
    return alt.Axis(tickMinStep=1, format="d", tickCount=5, domain=False, ticks=False)


def _draw_stacked_bars(
    frame: pl.DataFrame,
    groups: Mapping[str, Any],
    counts: Mapping[str, Any],
    colours: Mapping[str, str],
    text_colour: str,
    height: int,
    by: str = "kind",
) -> Any:
    present = {kind: colour for kind, colour in colours.items() if kind in set(frame[by])}
    legend = alt.Legend(
        title=None,
        orient="top",
        labelColor=text_colour,
        labelLimit=320,
        columns=alt.ExprRef(f"max(1, floor(width / {150 if by == 'kind' else 240}))"),
    )
    bars: Any = alt.Chart(frame).mark_bar()  # typed, since mark methods return Any
    chart = bars.encode(
        **groups,
        **counts,
        color=alt.Color(f"{by}:N", scale=alt.Scale(domain=list(present), range=list(present.values())), legend=legend),
        tooltip=[alt.Tooltip(name) for name in frame.columns if name not in {"cut_short", "undated"}],
    ).properties(height=height, **FIT_WIDTH)
    return chart.configure_axis(labelColor=text_colour, titleColor=text_colour).configure_view(strokeOpacity=0)
