"""Charts of very many periods, which the bundled facts do not have."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import polars as pl
import pytest

from dashboards import frames, timeline, trends
from dashboards.trends import View

MONTHS = [dt.date(2015 + n // 12, n % 12 + 1, 1) for n in range(60)]


def long(view: View) -> pl.DataFrame:
    """Two categories in sixty months, of which the source covers the last twelve."""
    rows = [
        {
            "period": f"{month:%Y-%m}",
            "starts_on": month,
            "ends_on": month,
            "category": category,
            "publications": 3.0 + place,
            "is_part_period": month.year < 2019,
            "is_provisional": False,
            "covered_part": "not covered" if month.year < 2019 else None,
        }
        for month in MONTHS
        for place, category in enumerate(("A", "B"))
    ]
    extra = {
        "share": {"share": 0.5, "share_low": 0.1, "share_high": 0.9, "caution": None},
        "cumulative": {"cumulative_publications": 7.0},
    }
    return pl.DataFrame(rows).with_columns(**{name: pl.lit(value) for name, value in extra.get(view, {}).items()})


def drawn(view: View, **picked: str) -> dict:
    look = timeline.Look("category", "month", view, {"A": "#000", "B": "#111"}, 9, picked=picked)
    return timeline.one_panel(long(view), look, 200, ink="#222").to_dict()


@pytest.mark.parametrize("view", get_args(View))
def test_every_view_of_many_periods_is_valid(view: View) -> None:
    assert drawn(view)["layer"]


@pytest.mark.parametrize("view", ["lines", "share", "cumulative"])
def test_lines_of_many_periods_tell_all_series_in_a_strip_instead_of_points(view: View) -> None:
    spec = drawn(view, period="2015-02")
    assert "point" not in {layer["mark"]["type"] for layer in spec["layer"][0]["layer"]}
    strips = next(rows for rows in spec["datasets"].values() if "what" in rows[0])
    assert len(strips) == 60
    expected = {"lines": "B 4; A 3", "share": "A 50 %; B 50 %", "cumulative": "A 7; B 7"}[view]
    assert [strips[1]["period"], strips[1]["what"]] == ["2015-02", expected]
    assert [strip["period"] for strip in strips if strip["is_picked"]] == ["2015-02"]


def test_many_periods_are_told_by_their_number() -> None:
    told = trends.of_periods(long("bars"), "bars")
    assert told == [
        "**48 periods from 2015-01 to 2018-12: not covered by the source**, so drawn pale. How many there were is not known."
    ]


@pytest.mark.parametrize(
    ("value", "expected"), [(2_000_080, "2,000,080"), (80.0, "80"), (13.5, "13.5"), (1 / 3, "0.33"), (0, "0")]
)
def test_numbers_are_written_out(value: float, expected: str) -> None:
    assert frames.number(value) == expected
