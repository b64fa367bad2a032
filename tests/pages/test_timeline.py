"""Charts of very many periods, which the bundled facts do not have."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import altair as alt
import polars as pl
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from dashboards import text
from dashboards.charts import marks, timeline
from dashboards.queries import trends
from dashboards.queries.trends import View
from warehouse.lake import PROJECT

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


def look(view: View, **picked: str) -> marks.Look:
    return marks.Look("category", "month", view, {"A": "#000", "B": "#111"}, 9, picked=picked, ink="#222")


def layers(view: View, frame: pl.DataFrame, **picked: str) -> dict[str, dict]:
    """The layers of a panel, by their names or else by their marks."""
    drawn = timeline.panel(frame, look(view, **picked), 200)["layer"]
    return {layer.get("name", layer["mark"]["type"]): layer for layer in drawn}


@pytest.mark.parametrize("view", get_args(View))
@pytest.mark.parametrize("months", [60, 30, 1])
@pytest.mark.parametrize("picked", [{}, {"period": "2019-12", "category": "A"}])
def test_every_view_is_valid_vega_lite(view: View, months: int, picked: dict[str, str]) -> None:
    frame = long(view).tail(2 * months)
    on_page = timeline.panel_on_page(frame, look(view, **picked), 200, "of A", ink="#222")
    alt.LayerChart.from_dict(on_page)
    # Vega-Lite takes clicks on one layer only
    assert on_page["params"][0]["views"] == ["marks"]
    assert len([layer for layer in on_page["layer"] if layer.get("name") == "marks"]) == 1
    without_clicks = replace(look(view), is_clickable=False)
    alt.LayerChart.from_dict(timeline.one_panel(frame, without_clicks, 200, ink="#222"))
    other = frame.with_columns(pl.lit("only in B").alias("lab"))
    for panels in ({"": frame}, {"A": frame.with_columns(pl.lit("only in A").alias("lab")), "B": other}):
        picture = timeline.in_picture(panels, without_clicks, 2, ink="#222")
        alt.Chart.from_dict(picture)
        drawn = vl_convert.vegalite_to_svg(picture)
        # what the marks of each panel say is drawn as often for the one as for the other
        assert drawn.count("only in A") == drawn.count("only in B") or len(panels) == 1
        assert ("only in B" in drawn) == (len(panels) == 2 and months <= marks.MANY)


@pytest.mark.parametrize("view", get_args(View))
def test_many_periods_tell_all_series_in_a_strip_each(view: View) -> None:
    drawn = layers(view, long(view), period="2015-02")
    assert drawn["marks"]["mark"]["type"] == "rule"
    strips = drawn["marks"]["data"]["values"]
    assert len(strips) == 60
    numbers = {
        "share": {"A": "50.0 % (3)", "B": "50.0 % (4)"},
        "cumulative": {"All of these": "14", "A": "7", "B": "7"},
    }
    when = "So far, until" if view == "cumulative" else "Period"
    assert strips[1]["period"] == "2015-02"
    told = {when: "2015-02 (not covered)", **numbers.get(view, {"All of these": "7", "A": "3", "B": "4"})}
    assert strips[1]["tip"] == told
    assert [strip["period"] for strip in strips if strip["is_picked"]] == ["2015-02"]


def test_a_share_of_nothing_is_told_as_none() -> None:
    frame = long("share").with_columns(share=pl.when(pl.col("period") != "2015-02").then("share"))
    strips = layers("share", frame)["marks"]["data"]["values"]
    assert strips[1]["tip"] == {"Period": "2015-02 (not covered)", "A": "–", "B": "–"}


@pytest.mark.parametrize(
    ("months", "series", "has_bands"), [(60, "ABCD", True), (60, "ABCDE", False), (30, "ABCDE", False)]
)
def test_bands_of_many_series_are_left_out(months: int, series: str, has_bands: bool) -> None:
    one = long("share").filter(pl.col("category") == "A").tail(months)
    frame = pl.concat(one.with_columns(category=pl.lit(name)) for name in series)
    assert marks.has_bands(frame, look("share")) == has_bands
    assert ("area" in layers("share", frame)) == has_bands


def test_lines_are_broken_to_and_from_what_is_not_whole() -> None:
    frame = long("lines").tail(20)  # of A, months 2019-03 to 2019-12
    pale = pl.col("period").is_in(["2019-04", "2019-07", "2019-08", "2019-12"])
    drawn = timeline.panel(frame.with_columns(is_provisional=pale), look("lines"), 200)["layer"]
    whole, broken = (
        sorted((row["run"], row["period"][-2:]) for row in layer["data"]["values"] if row["category"] == "A")
        for layer in drawn
        if layer["mark"]["type"] == "line"
    )

    def runs(rows: list[tuple[int, str]]) -> list[list[str]]:
        return [[period for run, period in rows if run == wanted] for wanted in sorted({run for run, _ in rows})]

    assert runs(whole) == [["05", "06"], ["09", "10", "11"]]
    assert runs(broken) == [["03", "04", "05"], ["06", "07", "08", "09"], ["11", "12"]]


def test_periods_that_are_not_covered_are_told_by_their_runs() -> None:
    told = trends.of_periods(long("bars"), "bars")
    assert told == [
        "**2015-01 to 2018-12: not covered by the source**, so drawn pale. How many there were is not known."
    ]


def test_periods_between_those_that_are_not_covered_are_not_told_among_them() -> None:
    is_outside = pl.col("period").is_in(["2015-01", "2015-02", "2016-05", "2019-12"])
    part = pl.when(is_outside).then(pl.lit("not covered"))
    (told,) = trends.of_periods(long("bars").with_columns(is_part_period=is_outside, covered_part=part), "heat map")
    assert told.startswith("**2015-01 to 2015-02 and 2016-05 and 2019-12: not covered by the source**, so drawn pale.")


@pytest.mark.parametrize(
    ("value", "expected"), [(2_000_080, "2,000,080"), (80.0, "80"), (13.5, "13.5"), (1 / 3, "0.33"), (0, "0")]
)
def test_numbers_are_written_out(value: float, expected: str) -> None:
    assert text.number(value) == expected


@pytest.mark.parametrize("view", get_args(View))
def test_every_year_has_its_label_at_any_width(view: View) -> None:
    years = long(view).filter(pl.col("starts_on").dt.month() == 1)
    years = years.with_columns(period=pl.col("period").str.head(4), category=pl.col("category") + " of a long name")
    of_years = replace(look(view), grain="year", colour_of={f"{name} of a long name": "#000" for name in "AB"})
    for width in range(400, 1500, 37):
        for some in (2, 3, 5):
            drawn = timeline.panel_on_page(years.tail(2 * some), of_years, 200, ink="#222")
            labels = re.findall(r">(20\d\d)</", vl_convert.vegalite_to_svg({**drawn, "width": width}))
            assert labels == ["2015", "2016", "2017", "2018", "2019"][-some:], (width, some)


@given(st.lists(st.one_of(st.integers(0, 10**9), st.integers(0, 10**9).map(lambda n: n / 64)), min_size=1))
def test_a_column_of_numbers_is_written_as_each_of_them(values: list[float]) -> None:
    column = pl.DataFrame({"n": [None, *map(float, values)]})
    written = column.select(text.numbers("n"))["n"].to_list()
    assert written == [None, *map(text.number, values)]


_TWO_READERS = """
import threading
from tests.test_timeline import long, look
from dashboards import timeline

def draw():
    for _ in range(300):
        timeline.panel(frame, look("bars"), 100)

def convert():
    for _ in range(3000):
        frame.clone().to_pandas()  # as Streamlit does for each table

frame = long("bars").tail(28)
threads = [threading.Thread(target=work, daemon=True) for work in (draw, draw, convert, convert)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_those_who_draw_and_those_who_are_shown_a_table_do_not_wait_for_each_other() -> None:
    # a function of Python in an expression of Polars made the server stand still within a second or two
    subprocess.run([sys.executable, "-c", _TWO_READERS], cwd=PROJECT, check=True, capture_output=True, timeout=120)
