"""Charts from frames, and the tables and files that go with them. Titles and units come from the data dictionary."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from dashboards.queries.counts import Dimension
from dashboards.queries.release import Meaning

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
PICK = "pick"
PART = 0.38  # how opaque a part period is
# as wide as the page allows, as high as it needs
FITTED: Mapping[str, Any] = {
    "autosize": {"type": "fit-x", "contains": "padding"},
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


def records_by_month(frame: pl.DataFrame, ink: str) -> alt.Chart:
    """Records per month as bars, part months pale; months that are covered but empty show as gaps at zero."""
    bars: Any = alt.Chart(frame).mark_bar(color=_COLOURS["lab"][1])  # mark methods lose their type
    shown = bars.encode(
        x=alt.X("published_month:T", title=None, axis=alt.Axis(format="%Y", tickCount="year")),
        y=alt.Y("records:Q", title="Records", axis=alt.Axis(tickMinStep=1, format="d", tickCount=4)),
        opacity=alt.OpacityValue(1, condition={"test": "datum.is_part_period || !datum.is_covered", "value": PART}),
        tooltip=[
            alt.Tooltip("published_month:T", format="%b %Y", title="Month"),
            alt.Tooltip("records:Q", title="Records"),
        ],
    )
    return shown.properties(height=150, **FITTED).configure_axis(labelColor=ink, titleColor=ink)


def is_link(url: str | None) -> bool:
    """Whether an address from outside may be made a link: only http and https."""
    return bool(url and re.fullmatch(r"https?://\S+", url, re.IGNORECASE))


def picked_of(state: Any) -> dict[str, str]:
    """What a click on a chart selected: the period and the value of the series; nothing if it selected nothing."""
    points = ((state or {}).get("selection") or {}).get(PICK) or []
    return dict(points[-1]) if points else {}


def columns(frame: pl.DataFrame, meanings: Mapping[str, Meaning]) -> dict[str, Any]:
    """How to show the columns of a table: by their names, with what the data dictionary says of them as help."""
    told: dict[str, Any] = {}
    for name, kind in frame.schema.items():
        label = name.replace("_", " ").capitalize()
        meaning = meanings[name].meaning if name in meanings else None
        if kind == pl.Date:
            told[name] = st.column_config.DateColumn(label, help=meaning, format="D MMM YYYY")
        elif isinstance(kind, pl.Datetime):
            told[name] = st.column_config.DatetimeColumn(
                f"{label} (UTC)", help=meaning, format="D MMM YYYY, HH:mm", timezone="UTC"
            )
        else:
            told[name] = st.column_config.Column(label, help=meaning)
    return told


def table(frame: pl.DataFrame, *, column_config: Mapping[str, Any] | None = None, **options: Any) -> None:
    """Show a table, with nothing where a value is missing.

    Args:
        frame: Its rows.
        column_config: How to show its columns; as `columns` tells of them if not given.
        options: More for ``st.dataframe``, such as ``key``.
    """
    told = columns(frame, {}) if column_config is None else dict(column_config)
    # as Arrow, or Streamlit would go by Pandas
    rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    st.dataframe(rows, hide_index=True, placeholder="", column_config=told, **options)


def to_site(label: str) -> Any:
    """A column of links, each shown as the site to which it leads."""
    return st.column_config.LinkColumn(label, display_text=r"^https?://(?:www\.)?([^/?#]+)", width=150)


def to_page(word: str) -> Any:
    """A column of links to other pages, each shown as one word."""
    return st.column_config.LinkColumn(word.capitalize(), display_text=word, width=100)


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
