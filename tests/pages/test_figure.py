"""The frame around every chart: SQL that runs as it stands, pictures that need nothing else, citations that hold."""

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

from dashboards.exports import figure_files, html_report
from dashboards.figures import shared as ready
from dashboards.queries import comparison, counts, profile, trends
from dashboards.queries import release as read
from dashboards.queries.release import get_newest_release, query_release
from dashboards.queries.selection import Selection
from dashboards.queries.sql_text import fill_parameters
from tests.conftest import run_aisle
from warehouse.lake import Lake

HOSTILE = "<script>alert(1)</script> & \"x\" 'y' \\input{z} ![](http://evil.example/x)"
SELECTIONS = [
    Selection(),
    Selection(("OpenAI",), (), "works", "iaps", "quarter", ("lab",)),
    Selection((), ("Robustness",), "works", "iaps", "month", ("category",), dt.date(2023, 4, 1), dt.date(2024, 2, 1)),
    Selection((), (), "rows", "unsolved_problems", "rolling_12_months"),
]


@pytest.fixture
def release(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> read.Release:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    return get_newest_release()


@pytest.fixture
def drawn(release: read.Release) -> figure_files.Figure:
    return ready.build_history_figure(
        release, Selection(rule="works"), "lab", title=HOSTILE, key="a key", finding=HOSTILE
    )


@pytest.mark.parametrize("view", ["bars", "lines", "share", "cumulative"])
@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda selection: f"{selection.grain} {selection.rule}")
def test_the_sql_of_a_figure_gives_its_table(release: read.Release, selection: Selection, view: trends.View) -> None:
    sql, parameters = trends.build_query(release, selection, view, selection.dimensions[-1], is_ranged=True)
    told = fill_parameters(sql, parameters)
    assert "$" not in told
    with release.connect() as connection:
        assert_frame_equal(connection.sql(told).pl(), query_release(release, sql, parameters))


def test_the_sql_of_a_figure_runs_in_the_command_line(released_lake: Lake, drawn: figure_files.Figure) -> None:
    told = fill_parameters(drawn.data.sql, drawn.data.parameters)
    done = run_aisle(released_lake.root, "sql", told, "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == drawn.data.frame.height + 1


@settings(deadline=None, max_examples=60)  # a connection each
@given(st.one_of(st.text(), st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.dates(), st.lists(st.text())))
def test_a_parameter_is_written_out_as_its_value(value: Any) -> None:
    import duckdb

    if "\x00" in str(value):  # no text of a release holds one
        return
    sql = "select $value as value, '$value ''$value' as text -- $value"
    with duckdb.connect() as connection:
        bound = connection.sql("select $value as value", params={"value": value}).fetchall()
        assert connection.sql(fill_parameters(sql, {"value": value})).fetchall() == [(bound[0][0], "$value '$value")]


def test_a_parameter_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="lab"):
        fill_parameters("select $lab", {})


def test_pictures_are_whole_and_ask_nobody(drawn: figure_files.Figure) -> None:
    told = figure_files.render_svg(drawn)
    root = ET.fromstring(told)  # noqa: S314 - our own
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = " ".join(root.itertext())
    for expected in ("Anthropic", "OpenAI", "counted by works", "data as of release v1", "2024", "<script>alert(1)"):
        assert expected in words
    assert "<script" not in told
    assert "@import" not in told
    assert not [node for node in root.iter() if node.tag.endswith(("image", "script", "style", "foreignObject"))]
    made = figure_files.render_png(drawn)
    assert made.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(made[16:20]) > 1000


def _fetching(*, text_colour: str) -> Any:
    return alt.Chart(alt.UrlData("http://localhost:9/x.csv")).mark_point(color=text_colour)


def test_a_picture_that_wants_to_fetch_is_refused(drawn: figure_files.Figure) -> None:
    fetching = replace(drawn, draw=partial(_fetching))
    with pytest.raises(ValueError, match="localhost|denied|allowed"):
        figure_files.render_svg(fetching)


def test_a_citation_names_the_release_and_its_content(drawn: figure_files.Figure, release: read.Release) -> None:
    told = figure_files.build_citation(drawn, "http://localhost:8501/?release=v1")
    assert "release v1" in told
    assert release.content_sha256 in told
    assert told.endswith("?release=v1")
    entry = figure_files.build_bibtex(drawn, "http://localhost:8501/?release=v1")
    assert entry.count("{") == entry.count("}") + HOSTILE.count("{") - HOSTILE.count("}")
    assert "\\input" not in entry.replace("\\\\input", "")


def test_the_content_of_a_release_has_one_hash(release: read.Release) -> None:
    tables = dict(release.manifest["tables"])
    assert replace(release, manifest={**release.manifest, "published_at": "x"}).content_sha256 == release.content_sha256
    tables["clean.coverage"] = {**tables["clean.coverage"], "content_sha256": "0" * 64}
    assert replace(release, manifest={"tables": tables}).content_sha256 != release.content_sha256


def test_a_handout_is_one_page_that_runs_and_fetches_nothing(release: read.Release, drawn: figure_files.Figure) -> None:
    rows = pl.DataFrame({"title": [HOSTILE, "plain"], "url": ["javascript:alert(1)", "https://example.org/?a=1&b=2"]})
    told = html_report.build_html_report(
        release, HOSTILE, [HOSTILE], [drawn, drawn], [(HOSTILE, rows)], "http://x/?a=b&c=d"
    ).decode()
    assert "<script" not in told
    assert "javascript:" not in told
    assert '<a href="https://example.org/?a=1&amp;b=2" rel="noreferrer">plain</a>' in told
    assert told.count("<svg") == 2
    assert "src=" not in told.replace("default-src", "").replace("style-src", "").replace("img-src", "")
    assert "default-src 'none'" in told


def test_a_profile_rests_on_what_is_counted(release: read.Release) -> None:
    assert profile.list_members_by_works(release, "lab") == ["Google DeepMind", "Anthropic", "OpenAI"]
    rests = profile.query_evidence_counts(release, "lab", "OpenAI")
    assert (rests["rows"], rests["works"], rests["marked_duplicates"], rests["undated"]) == (13, 11, 2, 0)
    assert sum(row["publications"] for row in profile.list_label_bases(release, "lab", "OpenAI").to_dicts()) == 13
    told = profile.describe_concentration(release, "lab", "OpenAI")
    with release.connect() as connection:
        ((effective, hhi),) = connection.execute(
            "select effective_number, hhi from mart.concentration where scope = 'OpenAI' and over_dimension = 'category'"
        ).fetchall()
    assert f"{effective:.1f} equally large" in (told or "")
    assert f"index {hhi:.2f})" in (told or "")


def test_two_selections_compare_as_the_mart_does(release: read.Release) -> None:
    def year(number: int) -> Selection:
        return Selection(("Google DeepMind",), rule="works", since=dt.date(number, 1, 1), until=dt.date(number, 12, 31))

    found = comparison.compare_rates(release, year(2022), year(2023))
    with release.connect() as connection:
        ((ratio, low, high, p_value),) = connection.execute(
            "select rate_ratio, ratio_low, ratio_high, p_value from mart.publication_rate_ratios"
            " where lab = 'Google DeepMind' and year(first_year) = 2022 and year(second_year) = 2023"
        ).fetchall()
    assert (found.ratio, found.low, found.high, found.p_value) == pytest.approx((ratio, low, high, p_value))
    assert found.finding == "no clear difference"
    assert "18 in 1.00 covered years" in found.sentence


def test_selections_that_share_publications_are_not_tested(release: read.Release) -> None:
    found = comparison.compare_rates(release, Selection(rule="works"), Selection(("OpenAI",), rule="works"))
    assert found.shared_publications == 11
    assert found.p_value is None
    assert "11 publications are in both" in found.sentence


def test_divided_counts_are_not_tested_as_whole_ones(release: read.Release) -> None:
    first = Selection(categories=("Monitoring",), taxonomy="unsolved_problems", rule="works")
    second = Selection(categories=("Robustness",), taxonomy="unsolved_problems", rule="works")
    found = comparison.compare_rates(release, first, second)
    with release.connect() as connection:
        totals = dict(
            connection.execute(
                "select category, sum(publications) from publication_counts(in_taxonomy := 'unsolved_problems') group by all"
            ).fetchall()
        )
    is_divided = any(totals[name] % 1 for name in ("Monitoring", "Robustness"))
    assert (found.p_value is None) == (is_divided or bool(found.shared_publications))


def test_nothing_compares_with_what_is_not_covered(release: read.Release) -> None:
    early = Selection(rule="works", until=dt.date(2010, 1, 31))
    found = comparison.compare_rates(release, early, Selection(rule="works", since=dt.date(2022, 1, 1)))
    assert found.ratio is None
    assert "not covered" in found.sentence


def test_shares_of_a_filtered_series_stay_shares_of_all(release: read.Release) -> None:
    selection = Selection(("OpenAI",), rule="works", dimensions=("lab",))
    frame = query_release(release, *trends.build_query(release, selection, "share", "lab"))
    assert frame["total_publications"].to_list() == [24, 32, 22]
    with release.connect() as connection:
        held = connection.sql("select works_share, share_low from mart.lab_share_by_year where lab = 'OpenAI'").pl()
    assert frame["share"].to_list() == pytest.approx(held["works_share"].to_list())
    assert frame["share_low"].to_list() == pytest.approx(held["share_low"].to_list())


def test_cumulative_counts_end_at_all(release: read.Release) -> None:
    selection = Selection(rule="works", grain="quarter", dimensions=("lab",))
    frame = query_release(release, *trends.build_query(release, selection, "cumulative", "lab"))
    last = frame.filter(pl.col("starts_on") == frame["starts_on"].max())
    assert last["cumulative_publications"].sum() == 78


def test_a_span_keeps_the_whole_periods_it_touches(release: read.Release) -> None:
    selection = Selection(grain="quarter", since=dt.date(2023, 5, 1), until=dt.date(2024, 2, 29))
    frame = counts.query_counts(release, selection)
    assert frame["period"].unique().sort().to_list() == ["2023 Q2", "2023 Q3", "2023 Q4", "2024 Q1"]
    assert counts.query_totals(release, selection).selected == frame["publications"].sum()
    assert counts.list_papers(release, selection, "dated").height == frame["publications"].sum()
