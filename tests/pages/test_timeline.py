"""Charts of many periods, which the bundled facts do not have."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any, get_args

import altair as alt
import polars as pl
import pytest
import vl_convert
from altair.utils import schemapi
from hypothesis import given
from hypothesis import strategies as st

from dashboards.charts import intervals, marks, palette, timeline
from dashboards.queries.findings import describe_period_cautions
from dashboards.queries.trends import View
from dashboards.text import format_number, format_number_column
from warehouse.lake import PROJECT

MONTHS = [dt.date(2015 + n // 12, n % 12 + 1, 1) for n in range(60)]


def build_frame(view: View) -> pl.DataFrame:
    """Two categories in 60 months, of which the source covers the last 12."""
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
    view_columns = {
        "share": {"share": 0.5, "share_low": 0.1, "share_high": 0.9, "caution": None},
        "cumulative": {"cumulative_publications": 7.0},
    }
    return pl.DataFrame(rows).with_columns(
        **{name: pl.lit(value) for name, value in view_columns.get(view, {}).items()}
    )


def build_style(view: View, **highlighted: str) -> marks.ChartStyle:
    return marks.ChartStyle(
        "category", "month", view, {"A": "#000", "B": "#111"}, 9, highlighted=highlighted, text_colour="#222"
    )


def draw_layers(view: View, frame: pl.DataFrame, **highlighted: str) -> dict[str, dict]:
    """The layers of a panel by name, or by type of mark if they have none."""
    panel = timeline.draw_panel(frame, build_style(view, **highlighted), 200)
    return {layer.get("name", layer["mark"]["type"]): layer for layer in panel["layer"]}


def require_valid(chart: dict[str, Any]) -> None:
    """Fail unless a chart is valid Vega-Lite; of its data only the first rows are looked at, to which all are alike."""
    shortened = json.loads(json.dumps(chart), object_hook=lambda part: {**part, **_shorten(part)})
    schemapi.validate_jsonschema(shortened, alt.load_schema())


def _shorten(part: dict[str, Any]) -> dict[str, Any]:
    return {"values": part["values"][:2]} if isinstance(part.get("values"), list) else {}


def test_chart_that_is_not_vega_lite_is_found() -> None:
    chart = timeline.draw_single_panel(build_frame("bars").tail(2), build_style("bars"), 200, text_colour="#222")
    with pytest.raises(schemapi.jsonschema.ValidationError):
        require_valid({**chart, "layer": [{**chart["layer"][0], "mark": "no such mark"}]})


@pytest.mark.parametrize("view", get_args(View))
@pytest.mark.parametrize("months", [60, 30, 1])
@pytest.mark.parametrize("highlighted", [{}, {"period": "2019-12", "category": "A"}])
def test_every_view_is_valid_vega_lite(view: View, months: int, highlighted: dict[str, str]) -> None:
    frame = build_frame(view).tail(2 * months)
    on_page = timeline.draw_page_panel(frame, build_style(view, **highlighted), 200, "of A", text_colour="#222")
    require_valid(on_page)
    # Vega-Lite supports clicks on one layer only
    assert on_page["params"][0]["views"] == ["marks"]
    assert len([layer for layer in on_page["layer"] if layer.get("name") == "marks"]) == 1
    without_clicks = replace(build_style(view), is_clickable=False)
    require_valid(timeline.draw_single_panel(frame, without_clicks, 200, text_colour="#222"))
    other = frame.with_columns(pl.lit("only in B").alias("lab"))
    for panels in ({"": frame}, {"A": frame.with_columns(pl.lit("only in A").alias("lab")), "B": other}):
        picture = timeline.draw_picture(panels, without_clicks, 2, text_colour="#222")
        require_valid(picture)
        svg = vl_convert.vegalite_to_svg(picture)
        # each panel has its own descriptions
        assert svg.count("only in A") == svg.count("only in B") or len(panels) == 1
        assert ("only in B" in svg) == (len(panels) == 2 and months <= marks.MANY_PERIODS)


@pytest.mark.parametrize("view", get_args(View))
def test_many_periods_have_one_strip_each_for_all_series(view: View) -> None:
    layers = draw_layers(view, build_frame(view), period="2015-02")
    assert layers["marks"]["mark"]["type"] == "rule"
    strips = layers["marks"]["data"]["values"]
    assert len(strips) == 60
    numbers = {
        "share": {"A": "50.0 % (3)", "B": "50.0 % (4)"},
        "cumulative": {"Total": "14", "A": "7", "B": "7"},
    }
    label = "So far, until" if view == "cumulative" else "Period"
    assert strips[1]["period"] == "2015-02"
    tooltip = {label: "2015-02 (not covered)", **numbers.get(view, {"Total": "7", "A": "3", "B": "4"})}
    assert strips[1]["tooltip"] == tooltip
    assert [strip["period"] for strip in strips if strip["is_highlighted"]] == ["2015-02"]


def test_share_of_an_empty_period_is_a_dash() -> None:
    frame = build_frame("share").with_columns(share=pl.when(pl.col("period") != "2015-02").then("share"))
    strips = draw_layers("share", frame)["marks"]["data"]["values"]
    assert strips[1]["tooltip"] == {"Period": "2015-02 (not covered)", "A": "–", "B": "–"}


@pytest.mark.parametrize(
    ("months", "series", "has_bands"), [(60, "ABCD", True), (60, "ABCDE", False), (30, "ABCDE", False)]
)
def test_bands_of_many_series_are_left_out(months: int, series: str, has_bands: bool) -> None:
    one = build_frame("share").filter(pl.col("category") == "A").tail(months)
    frame = pl.concat(one.with_columns(category=pl.lit(name)) for name in series)
    assert marks.has_bands(frame, build_style("share")) == has_bands
    assert ("area" in draw_layers("share", frame)) == has_bands


def test_lines_are_dashed_to_and_from_provisional_periods() -> None:
    frame = build_frame("lines").tail(20)  # months 2019-03 to 2019-12
    pale = pl.col("period").is_in(["2019-04", "2019-07", "2019-08", "2019-12"])
    layers = timeline.draw_panel(frame.with_columns(is_provisional=pale), build_style("lines"), 200)["layer"]
    solid, dashed = (
        sorted((row["run"], row["period"][-2:]) for row in layer["data"]["values"] if row["category"] == "A")
        for layer in layers
        if layer["mark"]["type"] == "line"
    )

    def group_runs(rows: list[tuple[int, str]]) -> list[list[str]]:
        return [[period for run, period in rows if run == number] for number in sorted({run for run, _ in rows})]

    assert group_runs(solid) == [["05", "06"], ["09", "10", "11"]]
    assert group_runs(dashed) == [["03", "04", "05"], ["06", "07", "08", "09"], ["11", "12"]]


def test_uncovered_periods_are_named_as_ranges() -> None:
    assert describe_period_cautions(build_frame("bars"), "bars") == [
        "**2015-01 to 2018-12: not covered by the source**, so drawn pale. How many there were is not known."
    ]


def test_covered_periods_between_uncovered_ones_are_not_named() -> None:
    is_outside = pl.col("period").is_in(["2015-01", "2015-02", "2016-05", "2019-12"])
    part = pl.when(is_outside).then(pl.lit("not covered"))
    (caution,) = describe_period_cautions(
        build_frame("bars").with_columns(is_part_period=is_outside, covered_part=part), "bars"
    )
    assert caution.startswith(
        "**2015-01 to 2015-02 and 2016-05 and 2019-12: not covered by the source**, so drawn pale."
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(2_000_080, "2,000,080"), (80.0, "80"), (13.5, "13.5"), (1 / 3, "0.33"), (0, "0")]
)
def test_numbers_have_thousands_separators_and_at_most_two_decimals(value: float, expected: str) -> None:
    assert format_number(value) == expected


def read_year_labels(chart: dict[str, Any]) -> list[str]:
    """The years that are labels of a drawn chart; labels that would overlap are in the file too, but transparent."""
    texts = re.findall(r'<text[^>]* opacity="1"[^>]*>.*?</text>', vl_convert.vegalite_to_svg(chart))
    return [year for text in texts for year in re.findall(r">(20\d\d)</", text)]


@pytest.mark.parametrize("view", get_args(View))
def test_every_year_has_its_label_at_any_width(view: View) -> None:
    years = build_frame(view).filter(pl.col("starts_on").dt.month() == 1)
    years = years.with_columns(period=pl.col("period").str.head(4), category=pl.col("category") + " of a long name")
    of_years = replace(build_style(view), grain="year", colours={f"{name} of a long name": "#000" for name in "AB"})
    for width in range(400, 1500, 107):
        for count in (2, 3, 5):
            chart = timeline.draw_page_panel(years.tail(2 * count), of_years, 200, text_colour="#222")
            labels = read_year_labels({**chart, "width": width})
            assert labels == ["2015", "2016", "2017", "2018", "2019"][-count:], (width, count)


@pytest.mark.parametrize("count", [5, 9, 11, 12, 20])
def test_every_year_of_quarters_has_its_label_at_any_width(count: int) -> None:
    quarters = build_frame("bars").filter(pl.col("starts_on").dt.month().is_in([1, 4, 7, 10]))
    name = pl.format("{}-Q{}", pl.col("starts_on").dt.year(), pl.col("starts_on").dt.quarter())
    frame = quarters.with_columns(period=name, covered_part=None).tail(2 * count)
    style = replace(build_style("bars"), grain="quarter")
    starting = {period[:4] for period in frame["period"] if period.endswith("Q1")}
    for width in range(180, 1500, 107):
        chart = timeline.draw_page_panel(frame, style, 200, text_colour="#222")
        labels = read_year_labels({**chart, "width": width})
        assert set(labels) >= starting, (width, count)


@pytest.mark.parametrize("name", ["Short", "Model organisms of misalignment", "Name (of several words) & <signs>"])
def test_name_of_a_bar_is_centred_beside_it(name: str) -> None:
    frame = pl.DataFrame({"member": ["First", name], "value": [0.5, 0.4], "low": [0.4, 0.3], "high": [0.6, 0.5]})
    drawn = intervals.draw_intervals(
        frame, member="member", value="value", low="low", high="high", title="Share", form="%", text_colour="#222"
    )
    svg = vl_convert.vegalite_to_svg(drawn.to_dict())
    first, second = re.findall(
        r'<text text-anchor="end" transform="translate\(-?[\d.]+,([\d.]+)\)[^>]*>(.+?)</text>', svg
    )
    line_distances = [float(distance) for distance in re.findall(r'dy="([\d.]+)"', second[1])]
    assert len(line_distances) == (len(name) > 24)
    assert float(second[0]) + sum(line_distances) / 2 == float(first[0]) + 30


@given(st.lists(st.one_of(st.integers(0, 10**9), st.integers(0, 10**9).map(lambda n: n / 64)), min_size=1))
def test_number_columns_are_formatted_like_single_numbers(values: list[float]) -> None:
    column = pl.DataFrame({"n": [None, *map(float, values)]})
    formatted = column.select(format_number_column("n"))["n"].to_list()
    assert formatted == [None, *map(format_number, values)]


_DRAW_AND_CONVERT = """
import threading
from tests.pages.test_timeline import build_frame, build_style
from dashboards.charts import timeline

def draw():
    for _ in range(100):
        timeline.draw_panel(frame, build_style("bars"), 100)

def convert():
    for _ in range(1000):
        frame.clone().to_pandas()  # as Streamlit does for each table

frame = build_frame("bars").tail(28)
threads = [threading.Thread(target=work, daemon=True) for work in (draw, draw, convert, convert)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_drawing_and_converting_in_parallel_do_not_deadlock() -> None:
    # with a Python function in a Polars expression, the server hung within a second or two
    subprocess.run([sys.executable, "-c", _DRAW_AND_CONVERT], cwd=PROJECT, check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize("text_colour", [palette.get_text_colour("light"), palette.get_text_colour("dark")])
def test_heat_map_goes_from_the_page_to_its_opposite_in_every_cell(text_colour: str) -> None:
    """More is further from the colour of the page; provisional cells are on the same scale; zeros have no colour."""
    frame = (
        build_frame("heat map")
        .tail(8)
        .with_columns(
            publications=pl.Series([0.0, 1.0, 8.0, 2.0, 0.0, 3.0, 1.0, 4.0]),
            is_provisional=pl.Series([False] * 4 + [True] * 4),
        )
    )
    style = replace(build_style("heat map"), text_colour=text_colour, axis_maximum=8)
    layers = timeline.draw_panel(frame, style, 200)["layer"]
    cells = next(layer for layer in layers if layer.get("name") == "marks")
    colour = cells["encoding"]["color"]
    assert colour["scale"]["domain"] == [0, 8]
    assert colour["legend"] is not None
    least, most = (sum(int(part[n : n + 2], 16) for n in (1, 3, 5)) for part in colour["scale"]["range"])
    is_dark_page = text_colour == palette.get_text_colour("dark")
    assert (most > least) == is_dark_page
    assert abs(most - least) > 255
    assert "fillOpacity" not in cells["encoding"]
    rows = cells["data"]["values"]
    assert min(row["publications"] for row in rows) > 0
    assert {row["frame"] for row in rows} == {None, text_colour}
    numbers = next(layer for layer in layers if layer["mark"]["type"] == "text")
    zeros = {row["text_colour"] for row in numbers["data"]["values"] if row["publications"] == 0}
    others = {row["text_colour"] for row in numbers["data"]["values"] if row["publications"] > 0}
    assert zeros == {palette.GREY}
    assert not zeros & others


def test_zero_of_an_uncovered_period_is_not_written_as_one() -> None:
    frame = build_frame("heat map").head(8).with_columns(publications=pl.lit(0.0))
    layers = timeline.draw_panel(frame, build_style("heat map"), 200)["layer"]
    numbers = next(layer for layer in layers if layer["mark"]["type"] == "text")
    assert numbers["data"]["values"] == []
