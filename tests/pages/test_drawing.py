"""Charts are drawn once for what they are drawn from, and are the same as if drawn anew."""

from __future__ import annotations

from functools import partial
from typing import Any

import altair as alt
import polars as pl
import pyarrow as pa
import pytest

from dashboards.charts import drawing
from dashboards.charts.drawing import _specification

FRAME = pl.DataFrame({"of": ["a", "b"], "n": [1, 2]})


def bars(frame: pl.DataFrame, *, ink: str) -> Any:
    drawn: Any = alt.Chart(frame).mark_bar(color=ink)
    return drawn.encode(x="of:N", y="n:Q")


def test_rows_go_beside_the_chart_and_not_into_it() -> None:
    spec = _specification("rows beside", "#123456", partial(bars, FRAME))
    (name,) = spec["datasets"]
    assert spec["data"] == {"name": name}
    assert spec["mark"]["color"] == "#123456"
    assert pa.ipc.open_stream(spec["datasets"][name]).read_all().to_pylist() == FRAME.to_dicts()
    # a file has its rows in it, however many
    (rows,) = bars(pl.concat([FRAME] * 5000), ink="").to_dict()["datasets"].values()
    assert len(rows) == 10_000


def test_other_rows_or_another_ink_are_another_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, str]] = []

    def noted(drawn_from: str, ink: str, _: Any) -> dict[str, Any]:
        drawn.append((drawn_from, ink))
        return {"mark": "bar"}

    monkeypatch.setattr(drawing, "_specification", noted)
    for frame in (FRAME, FRAME.clone(), FRAME.with_columns(n=pl.lit(3))):
        drawing.show(partial(bars, frame), key=f"chart {len(drawn)}", told="bars")
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be remembered"):
        drawing.show(partial(lambda *, ink: bars(FRAME, ink=ink)), key="chart", told="bars")
