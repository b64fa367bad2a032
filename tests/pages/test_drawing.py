"""Charts are cached by the function and arguments that draw them."""

from __future__ import annotations

from functools import partial
from typing import Any

import altair as alt
import polars as pl
import pyarrow as pa
import pytest

from dashboards.charts import drawing
from dashboards.charts.drawing import _render_page_spec

FRAME = pl.DataFrame({"of": ["a", "b"], "n": [1, 2]})


def draw_bars(frame: pl.DataFrame, *, text_colour: str) -> Any:
    chart: Any = alt.Chart(frame).mark_bar(color=text_colour)
    return chart.encode(x="of:N", y="n:Q")


def test_rows_are_sent_beside_the_chart() -> None:
    spec = _render_page_spec("rows beside", "#123456", partial(draw_bars, FRAME))
    (name,) = spec["datasets"]
    assert spec["data"] == {"name": name}
    assert spec["mark"]["color"] == "#123456"
    assert pa.ipc.open_stream(spec["datasets"][name]).read_all().to_pylist() == FRAME.to_dicts()
    # in a file, all rows are part of the chart
    (rows,) = draw_bars(pl.concat([FRAME] * 5000), text_colour="").to_dict()["datasets"].values()
    assert len(rows) == 10_000


def test_cache_key_depends_on_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []

    def record_call(input_hash: str, text_colour: str, _: Any) -> dict[str, Any]:
        calls.append((input_hash, text_colour))
        return {"mark": "bar"}

    monkeypatch.setattr(drawing, "_render_page_spec", record_call)
    for frame in (FRAME, FRAME.clone(), FRAME.with_columns(n=pl.lit(3))):
        drawing.show_chart(partial(draw_bars, frame), key=f"chart {len(calls)}", description="bars")
    assert calls[0] == calls[1]
    assert calls[0] != calls[2]


def test_functions_that_cannot_be_pickled_are_refused() -> None:
    with pytest.raises(TypeError, match="cannot be cached"):
        drawing.show_chart(
            partial(lambda *, text_colour: draw_bars(FRAME, text_colour=text_colour)), key="chart", description="bars"
        )
