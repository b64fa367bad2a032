"""Rendering of charts to Vega-Lite, cached by their inputs, and showing them on a page.

Altair takes 0.1 s or more to make and validate a chart, which would be most of the time of a page.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any

import altair as alt
import polars as pl
import pyarrow as pa
import streamlit as st
from altair.utils.schemapi import debug_mode

from dashboards.charts import palette

# fills the width of the page
FIT_WIDTH: Mapping[str, Any] = {
    "autosize": {"type": "fit-x", "contains": "padding"},
    "padding": {"left": 0, "right": 4, "top": 0, "bottom": 4},
}
_CANVAS_FROM_ROWS = 500  # charts with more rows in all layers are drawn on a canvas instead of as SVG
_tables: ContextVar[dict[str, bytes] | None] = ContextVar("tables of the chart", default=None)


def _refer_to_rows(data: Any) -> Any:
    """Data of a chart: on a page the name of a table sent beside it, in a file the rows themselves."""
    tables = _tables.get()
    if tables is None or not isinstance(data, pl.DataFrame):
        return alt.default_data_transformer(data, max_rows=sys.maxsize)
    # repeated names are sent once, which makes a difference with thousands of rows
    repeated = [
        name for name, kind in data.schema.items() if kind == pl.String and data[name].n_unique() < data.height / 4
    ]
    shared = data.with_columns(pl.col(repeated).cast(pl.Categorical))
    table, buffer = shared.to_arrow(compat_level=pl.CompatLevel.oldest()), pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, table.schema) as stream:
        stream.write_table(table)
    content = buffer.getvalue().to_pybytes()
    name = hashlib.sha256(content).hexdigest()[:32]
    tables[name] = content
    return {"name": name}


# Altair's settings are global; this transformer has no limit on rows
alt.data_transformers.register("aisle", _refer_to_rows)
alt.data_transformers.enable("aisle")
alt.theme.enable("none")  # Streamlit applies its own theme


def build_chart_data(frame: pl.DataFrame) -> dict[str, Any]:
    """The ``data`` of a chart that is written in Vega-Lite directly."""
    return {"values": frame.to_dicts()} if _tables.get() is None else _refer_to_rows(frame)


def render_spec(draw: partial[Any], text_colour: str) -> dict[str, Any]:
    """A chart as Vega-Lite with its rows in it; Altair charts are validated."""
    chart = draw(text_colour=text_colour)
    return chart if isinstance(chart, dict) else chart.to_dict()


def show_chart(draw: partial[Any], *, key: str, description: str, **options: Any) -> None:
    """Show a chart on the page.

    Args:
        draw: A module-level function with all arguments bound except ``text_colour``. It returns an Altair chart, or
            Vega-Lite made with `build_chart_data`. The result is cached by the function and its arguments, so it must
            depend on nothing else.
        key: Identifies the chart on its page.
        description: Text for screen readers.
        options: Further arguments of ``st.vega_lite_chart``, such as ``on_select``.

    Raises:
        TypeError: The function or an argument cannot be pickled, such as a lambda.
    """
    text_colour = palette.get_text_colour(st.context.theme.type)
    try:
        inputs = pickle.dumps(draw)
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(f"{draw} cannot be cached: {error}") from error
    spec = _render_page_spec(hashlib.sha256(inputs).hexdigest(), text_colour, draw)
    st.vega_lite_chart(spec=spec, key=key, alt=description, **options)


@st.cache_data(max_entries=512, show_spinner=False)
def _render_page_spec(input_hash: str, text_colour: str, _draw: partial[Any]) -> dict[str, Any]:  # noqa: ARG001 - the cache key
    """A chart as Vega-Lite, with its rows as Arrow tables beside it, as Streamlit sends them."""
    tables: dict[str, bytes] = {}
    token = _tables.set(tables)
    try:
        with debug_mode(False):  # charts are validated when a picture is made; here it would double the time
            chart = _draw(text_colour=text_colour)
            spec = chart if isinstance(chart, dict) else chart.to_dict(validate=False)
    finally:
        _tables.reset(token)
    if sum(pa.ipc.open_stream(table).read_all().num_rows for table in tables.values()) > _CANVAS_FROM_ROWS:
        # thousands of SVG elements are slow; on a canvas there are no elements to describe
        spec["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
        spec["config"] = {**spec.get("config", {}), "mark": {"aria": False}}
    return {**spec, "datasets": {**spec.get("datasets", {}), **tables}}
