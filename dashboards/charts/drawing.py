"""Charts on a page. What has been drawn once is remembered by what it was drawn from.

Altair takes a tenth of a second or more to make and check a chart, which is most of the time that a page takes.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from contextvars import ContextVar
from functools import partial
from typing import Any

import altair as alt
import polars as pl
import pyarrow as pa
import streamlit as st
from altair.utils.schemapi import debug_mode

from dashboards.charts import palette

_MANY = 500  # rows of all layers of a chart from which on it is painted rather than made of elements
_tables: ContextVar[dict[str, bytes] | None] = ContextVar("tables of the chart that is being drawn", default=None)


def _given(data: Any) -> Any:
    """Rows of a chart as it refers to them: on a page by the name of a table sent beside it, else written into it."""
    tables = _tables.get()
    if tables is None or not isinstance(data, pl.DataFrame):
        return alt.default_data_transformer(data, max_rows=sys.maxsize)
    # a name that comes again and again is sent once and read once, which for thousands of rows is felt
    again = [
        name for name, kind in data.schema.items() if kind == pl.String and data[name].n_unique() < data.height / 4
    ]
    shared = data.with_columns(pl.col(again).cast(pl.Categorical))
    table, written = shared.to_arrow(compat_level=pl.CompatLevel.oldest()), pa.BufferOutputStream()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table)
    told = written.getvalue().to_pybytes()
    name = hashlib.sha256(told).hexdigest()[:32]
    tables[name] = told
    return {"name": name}


# for the whole process, since Altair knows no other way; it has no limit on rows, which Altair's own has
alt.data_transformers.register("aisle", _given)
alt.data_transformers.enable("aisle")
alt.theme.enable("none")  # the page's own theme goes on top


def rows(frame: pl.DataFrame) -> dict[str, Any]:
    """Rows of a chart that is written in Vega-Lite itself, as its ``data``."""
    return {"values": frame.to_dicts()} if _tables.get() is None else _given(frame)


def written(draw: partial[Any], ink: str) -> dict[str, Any]:
    """A chart in Vega-Lite that holds its rows, whether drawn with Altair, which checks it, or as it is."""
    drawn = draw(ink=ink)
    return drawn if isinstance(drawn, dict) else drawn.to_dict()


def show(draw: partial[Any], *, key: str, told: str, **options: Any) -> None:
    """Show a chart on the page.

    Args:
        draw: A function of a module with all that it needs to draw, but ``ink``: what is equal in all of this is drawn
            once. So it must depend on nothing else. It gives a chart of Altair, or one written in Vega-Lite with
            `rows`.
        key: Tells the chart from others on its page.
        told: What a screen reader says of it.
        options: More for ``st.vega_lite_chart``, such as ``on_select``.

    Raises:
        TypeError: What it needs cannot be written down, as a function without a name cannot.
    """
    ink = palette.ink(st.context.theme.type)
    try:
        drawn_from = pickle.dumps(draw)
    except (pickle.PicklingError, AttributeError) as error:
        raise TypeError(f"{draw} cannot be remembered: {error}") from error
    spec = _specification(hashlib.sha256(drawn_from).hexdigest(), ink, draw)
    st.vega_lite_chart(spec=spec, key=key, alt=told, **options)


@st.cache_data(max_entries=512, show_spinner=False)
def _specification(drawn_from: str, ink: str, _draw: partial[Any]) -> dict[str, Any]:  # noqa: ARG001 - the key
    """A chart in Vega-Lite, with its rows as Arrow tables beside it, as Streamlit sends them."""
    tables: dict[str, bytes] = {}
    token = _tables.set(tables)
    try:
        with debug_mode(False):  # all is checked when a picture is made; here it would take half of the time
            drawn = _draw(ink=ink)
            spec = drawn if isinstance(drawn, dict) else drawn.to_dict(validate=False)
    finally:
        _tables.reset(token)
    if sum(pa.ipc.open_stream(table).read_all().num_rows for table in tables.values()) > _MANY:
        # thousands of elements would be slow to lay out; without them there is nothing that could have a description
        spec["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
        spec["config"] = {**spec.get("config", {}), "mark": {"aria": False}}
    return {**spec, "datasets": {**spec.get("datasets", {}), **tables}}
