"""Figures: their SQL, pictures, citations and HTML report, and the numbers of profiles and comparisons."""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import partial
from typing import Any

import altair as alt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dashboards.exports import figure_files, html_report, pictures
from dashboards.figures.shared import build_history_figure
from dashboards.queries import comparison, counts, profile, trends
from dashboards.queries.release import get_newest_release, query_release
from dashboards.queries.selection import Selection
from dashboards.queries.sql_text import fill_parameters
from tests.conftest import run_aisle
from warehouse.lake import Lake
from warehouse.release import Release

HOSTILE = "<script>alert(1)</script> & \"x\" 'y' \\input{z} ![](http://evil.example/x)"
SELECTIONS = [
    Selection(),
    Selection(("OpenAI",), (), "works", "iaps", "quarter", ("lab",)),
    Selection((), ("Robustness",), "works", "iaps", "month", ("category",), dt.date(2023, 4, 1), dt.date(2024, 2, 1)),
    Selection((), (), "rows", "unsolved_problems", "rolling_12_months"),
]


@pytest.fixture
def release(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Release:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    return get_newest_release()


@pytest.fixture
def figure(release: Release) -> figure_files.Figure:
    return build_history_figure(release, Selection(rule="works"), "lab", title=HOSTILE, key="a key", finding=HOSTILE)


@pytest.mark.parametrize("view", ["bars", "lines", "share", "cumulative"])
@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda selection: f"{selection.grain} {selection.rule}")
def test_sql_of_a_figure_returns_its_table(release: Release, selection: Selection, view: trends.View) -> None:
    sql, parameters = trends.build_query(release, selection, view, selection.dimensions[-1], is_ranged=True)
    filled = fill_parameters(sql, parameters)
    assert "$" not in filled
    with release.connect() as connection:
        assert_frame_equal(connection.sql(filled).pl(), query_release(release, sql, parameters))


def test_sql_of_a_figure_runs_on_the_command_line(released_lake: Lake, figure: figure_files.Figure) -> None:
    query = fill_parameters(figure.data.sql, figure.data.parameters)
    result = run_aisle(released_lake.root, "sql", query, "--format", "csv")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == figure.data.frame.height + 1


@settings(deadline=None, max_examples=60)  # a connection each
@given(st.one_of(st.text(), st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.dates(), st.lists(st.text())))
def test_parameter_is_filled_in_as_a_literal(value: Any) -> None:
    import duckdb

    if "\x00" in str(value):  # no text of a release holds one
        return
    sql = "select $value as value, '$value ''$value' as text -- $value"
    with duckdb.connect() as connection:
        bound = connection.sql("select $value as value", params={"value": value}).fetchall()
        assert connection.sql(fill_parameters(sql, {"value": value})).fetchall() == [(bound[0][0], "$value '$value")]


def test_missing_parameter_raises() -> None:
    with pytest.raises(KeyError, match="lab"):
        fill_parameters("select $lab", {})


def test_pictures_are_complete_and_self_contained(figure: figure_files.Figure) -> None:
    svg = pictures.render_svg(figure)
    root = ET.fromstring(svg)  # noqa: S314 - our own
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(root.itertext())
    for expected in ("Anthropic", "OpenAI", "counted by works", "data as of release v1", "2024", "<script>alert(1)"):
        assert expected in words
    assert "<script" not in svg
    assert "@import" not in svg
    assert not [node for node in root.iter() if node.tag.endswith(("image", "script", "style", "foreignObject"))]
    png = pictures.render_png(figure)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20]) > 1000


def _draw_remote_data(*, text_colour: str) -> Any:
    return alt.Chart(alt.UrlData("http://localhost:9/x.csv")).mark_point(color=text_colour)


def test_picture_with_remote_data_is_refused(figure: figure_files.Figure) -> None:
    remote_figure = replace(figure, draw=partial(_draw_remote_data), picture=None)
    with pytest.raises(ValueError, match="localhost|denied|allowed"):
        pictures.render_svg(remote_figure)


def test_citation_has_release_and_content_hash(figure: figure_files.Figure, release: Release) -> None:
    citation = figure_files.build_citation(figure, "http://localhost:8501/?release=v1")
    assert "release v1" in citation
    assert release.content_sha256 in citation
    assert citation.endswith("?release=v1")
    entry = figure_files.build_bibtex(figure, "http://localhost:8501/?release=v1")
    assert entry.count("{") == entry.count("}") + HOSTILE.count("{") - HOSTILE.count("}")
    assert "\\input" not in entry.replace("\\\\input", "")


def test_content_hash_depends_on_tables_only(release: Release) -> None:
    tables = dict(release.manifest["tables"])
    assert replace(release, manifest={**release.manifest, "published_at": "x"}).content_sha256 == release.content_sha256
    tables["clean.coverage"] = {**tables["clean.coverage"], "content_sha256": "0" * 64}
    assert replace(release, manifest={"tables": tables}).content_sha256 != release.content_sha256


def test_html_report_runs_no_script_and_loads_nothing(release: Release, figure: figure_files.Figure) -> None:
    rows = pl.DataFrame({"title": [HOSTILE, "plain"], "url": ["javascript:alert(1)", "https://example.org/?a=1&b=2"]})
    html = html_report.build_html_report(
        release, HOSTILE, [HOSTILE], [figure, figure], [(HOSTILE, rows)], "http://x/?a=b&c=d"
    ).decode()
    assert "<script" not in html
    assert "javascript:" not in html
    assert '<a href="https://example.org/?a=1&amp;b=2" rel="noreferrer">plain</a>' in html
    assert html.count("<svg") == 2
    assert "src=" not in html.replace("default-src", "").replace("style-src", "").replace("img-src", "")
    assert "default-src 'none'" in html


def test_profile_numbers_match_the_marts(release: Release) -> None:
    assert profile.list_members_by_works(release, "lab") == ["Google DeepMind", "Anthropic", "OpenAI"]
    evidence_counts = profile.query_evidence_counts(release, "lab", "OpenAI")
    assert (
        evidence_counts["rows"],
        evidence_counts["works"],
        evidence_counts["marked_duplicates"],
        evidence_counts["undated"],
    ) == (13, 11, 2, 0)
    assert sum(row["publications"] for row in profile.list_label_bases(release, "lab", "OpenAI").to_dicts()) == 13
    sentence = profile.describe_concentration(release, "lab", "OpenAI")
    with release.connect() as connection:
        ((effective, hhi),) = connection.execute(
            "select effective_number, hhi from mart.concentration where scope = 'OpenAI' and over_dimension = 'category'"
        ).fetchall()
    assert f"{effective:.1f} equally large" in (sentence or "")
    assert f"in {hhi:.0%} of all draws" in (sentence or "")


def test_comparison_matches_the_mart(release: Release) -> None:
    def year(number: int) -> Selection:
        return Selection(("Google DeepMind",), rule="works", since=dt.date(number, 1, 1), until=dt.date(number, 12, 31))

    result = comparison.compare_rates(release, year(2022), year(2023))
    with release.connect() as connection:
        ((ratio, low, high, p_value),) = connection.execute(
            "select rate_ratio, ratio_low, ratio_high, p_value from mart.publication_rate_ratios"
            " where lab = 'Google DeepMind' and year(first_year) = 2022 and year(second_year) = 2023"
        ).fetchall()
    assert (result.ratio, result.low, result.high, result.p_value) == pytest.approx((ratio, low, high, p_value))
    assert result.finding == "no clear difference"
    assert "18 in 1.00 covered years" in result.sentence


def test_overlapping_selections_are_not_tested(release: Release) -> None:
    result = comparison.compare_rates(release, Selection(rule="works"), Selection(("OpenAI",), rule="works"))
    assert result.shared_publications == 11
    assert result.p_value is None
    assert "11 publications are in both" in result.sentence


def test_fractional_counts_are_not_tested(release: Release) -> None:
    first = Selection(categories=("Monitoring",), taxonomy="unsolved_problems", rule="works")
    second = Selection(categories=("Robustness",), taxonomy="unsolved_problems", rule="works")
    result = comparison.compare_rates(release, first, second)
    with release.connect() as connection:
        totals = dict(
            connection.execute(
                "select category, sum(publications) from publication_counts(in_taxonomy := 'unsolved_problems') group by all"
            ).fetchall()
        )
    is_divided = any(totals[name] % 1 for name in ("Monitoring", "Robustness"))
    assert (result.p_value is None) == (is_divided or bool(result.shared_publications))


def test_uncovered_span_has_no_ratio(release: Release) -> None:
    early = Selection(rule="works", until=dt.date(2010, 1, 31))
    result = comparison.compare_rates(release, early, Selection(rule="works", since=dt.date(2022, 1, 1)))
    assert result.ratio is None
    assert "not covered" in result.sentence


def test_shares_of_a_filtered_series_refer_to_all_publications(release: Release) -> None:
    selection = Selection(("OpenAI",), rule="works", dimensions=("lab",))
    frame = query_release(release, *trends.build_query(release, selection, "share", "lab"))
    assert frame["total_publications"].to_list() == [24, 32, 22]
    with release.connect() as connection:
        expected = connection.sql("select works_share, share_low from mart.lab_share_by_year where lab = 'OpenAI'").pl()
    assert frame["share"].to_list() == pytest.approx(expected["works_share"].to_list())
    assert frame["share_low"].to_list() == pytest.approx(expected["share_low"].to_list())


def test_cumulative_counts_end_at_the_total(release: Release) -> None:
    selection = Selection(rule="works", grain="quarter", dimensions=("lab",))
    frame = query_release(release, *trends.build_query(release, selection, "cumulative", "lab"))
    last = frame.filter(pl.col("starts_on") == frame["starts_on"].max())
    assert last["cumulative_publications"].sum() == 78


def test_span_is_extended_to_whole_periods(release: Release) -> None:
    selection = Selection(grain="quarter", since=dt.date(2023, 5, 1), until=dt.date(2024, 2, 29))
    frame = counts.query_counts(release, selection)
    assert frame["period"].unique().sort().to_list() == ["2023 Q2", "2023 Q3", "2023 Q4", "2024 Q1"]
    assert counts.query_totals(release, selection).selected == frame["publications"].sum()
    assert counts.list_papers(release, selection, "dated").height == frame["publications"].sum()
