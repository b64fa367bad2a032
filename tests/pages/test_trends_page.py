"""Trends in all their views, compared, over a span of time, with events."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import polars as pl
import pytest

from dashboards.queries import trends
from tests.support.app_tests import open_page, open_tab, read_figure_table, read_page_text, read_paper_table
from warehouse.lake import Lake


@pytest.mark.parametrize("view", get_args(trends.View))
@pytest.mark.parametrize("grain", ["month", "rolling_12_months"])
def test_link_opens_every_view(released_lake: Lake, monkeypatch: pytest.MonkeyPatch, view: str, grain: str) -> None:
    app = open_page(released_lake, monkeypatch, view=view, per=grain, events="true", count="works")
    assert not app.exception
    assert app.segmented_control(key="view").value == view
    assert "counted by works" in read_page_text(app)
    assert "14 Mar 2023\\: OpenAI releases GPT-4" in read_page_text(app)
    if view == "cumulative" and grain == "rolling_12_months":
        assert "cannot be added up" in app.info[0].value


def test_link_with_the_former_name_of_events_still_works(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, meanwhile="true")
    assert not app.exception
    assert app.toggle(key="events").value is True
    assert "14 Mar 2023\\: OpenAI releases GPT-4" in read_page_text(app)


def test_shares_have_intervals_and_cautions(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, view="share", colour="lab", panels="false", count="works")
    shown = read_figure_table(app)
    assert shown.filter(pl.col("period") == "2023")["share"].sum() == pytest.approx(1, abs=0.02)  # rounded
    assert shown.filter(pl.col("publications") > 0)["share_interval"].str.contains(r"^\d+ to \d+ %$").all()
    assert "quote those only with their interval" in read_page_text(app)


def test_link_with_a_span_of_time(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, since="2023-01", until="2023-12", per="month")
    assert not app.exception
    assert set(read_figure_table(app)["period"].str.slice(0, 4)) == {"2023"}
    assert read_paper_table(app).height == 32
    assert "32 of 78 works" in read_page_text(app)


def test_two_selections_are_compared(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(
        released_lake, monkeypatch, labs="Google DeepMind", compare="true", other_labs="OpenAI", count="works"
    )
    assert not app.exception
    page_text = read_page_text(app)
    assert "OpenAI\\: 11 in 2.58 covered years; Google DeepMind\\: 42 in 2.58; rate ratio 0.26" in page_text
    assert "\\: lower." in page_text
    assert "of twenty comparisons without a difference" in page_text
    assert open_tab(app, "Table", "comparison").dataframe[0].value["rate_interval"].notna().all()
    overlapping = open_page(released_lake, monkeypatch, labs="OpenAI", compare="true", other_labs="OpenAI")
    assert "11 publications are in both" in read_page_text(overlapping)


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"labs": "OpenAI"}, "Anthropic and Google DeepMind\\: 67 in 2.58 covered years; OpenAI\\: 11 in 2.58"),
        (
            {"since": "2023-07", "until": "2023-12", "per": "month"},
            "all labs, from 1 Jan 2023, until 30 Jun 2023\\: 12 in 0.50",
        ),
        ({}, "all labs, from 1 Jan 2022, until 31 Dec 2022\\: 24 in 1.00 covered years; all labs, from 1 Jan 2023"),
    ],
)
def test_what_is_compared_by_default_has_nothing_in_common(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], found: str
) -> None:
    app = open_page(released_lake, monkeypatch, compare="true", count="works", **chosen)
    assert not app.exception
    assert found in read_page_text(app)
    assert "Nothing is chosen here" in " ".join(caption.value for caption in app.caption)


def test_shares_of_a_category_are_compared_between_labs(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    category = {"categories": "Enhancing human feedback", "other_categories": "Enhancing human feedback"}
    app = open_page(
        released_lake,
        monkeypatch,
        labs="OpenAI",
        compare="true",
        other_labs="Google DeepMind",
        count="works",
        **category,
    )
    text = read_page_text(app).replace("\\", "")
    assert "As shares: 40% (17 of 42) compared with 55% (6 of 11), -14 percentage points" in text
    # shares of labs in the same publications are not independent
    app = open_page(released_lake, monkeypatch, labs="OpenAI", compare="true", other_labs="Google DeepMind")
    assert "As shares" not in read_page_text(app)


def test_figure_has_sql_and_citation(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, labs="OpenAI", trends_tab="SQL")
    assert "list_contains(['OpenAI'], lab)" in app.code[0].value
    app = open_page(released_lake, monkeypatch, labs="OpenAI", trends_tab="Cite")
    assert "content SHA-256" in app.code[0].value


def test_long_list_shows_the_newest_papers_and_the_total(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = copy_release(
        "insert into clean.publications by name select source.* replace (publication_id || n as publication_id)"
        " from clean.publications as source cross join range(1, 20) as numbers (n)",
        "insert into mart.counted_publications by name select source.* replace (publication_id || n as publication_id)"
        " from mart.counted_publications as source cross join range(1, 20) as numbers (n)",
        "insert into mart.counted_works by name select source.* replace (item_id || n as item_id)"
        " from mart.counted_works as source cross join range(1, 20) as numbers (n)",
        "update mart.publication_counts_by_month set publications = 20 * publications",
        "update mart.work_counts_by_month set publications = 20 * publications",
    )
    app = open_page(lake, monkeypatch)
    assert not app.exception
    assert "1,560 publications listed, of which the newest 1,000 are shown and downloaded" in read_page_text(app)
    assert read_paper_table(app).height == 1000


def test_release_without_annotations_opens(
    copy_release: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = copy_release("drop table reference.annotations")
    manifest = lake.releases / "aisle.v1.json"
    manifest.write_text(manifest.read_text().replace("reference.annotations", "reference.other"))
    app = open_page(lake, monkeypatch, events="true")
    assert not app.exception
    assert "none noted" in read_page_text(app)


def test_reversed_span_is_reported(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, since="2024-01", until="2022-05", view="share", trends_tab="Download")
    assert not app.exception
    assert "“From” is after “Until”" in app.warning[0].value
    assert not app.get("download_button")


def test_rolling_windows_agree_with_heading_and_papers(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {"per": "rolling_12_months", "count": "works", "panels": "false", "colour": "lab"}
    app = open_page(released_lake, monkeypatch, **parameters, since="2023-07", until="2023-09", period="2023-07")
    assert read_figure_table(app).filter(pl.col("period") == "2023-07")["publications"].sum() == 26
    assert read_paper_table(app).height == 26
    app = open_page(released_lake, monkeypatch, **parameters, since="2023-07", until="2023-07")
    assert "26 of 78 works" in read_page_text(app)


def test_span_is_named_by_whole_periods(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(
        released_lake,
        monkeypatch,
        count="works",
        since="2023-07",
        until="2023-09",
        compare="true",
        other_since="2022-07",
        other_until="2022-09",
    )
    page_text = read_page_text(app)
    assert "32 of 78 works" in page_text
    assert "all labs, from 1 Jan 2023, until 31 Dec 2023\\: 32 in 1.00" in page_text
    assert "all labs, from 1 Jan 2022, until 31 Dec 2022\\: 24 in 1.00" in page_text


def test_cumulative_view_lists_all_papers_until_the_period(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"view": "cumulative", "panels": "false", "colour": "lab", "count": "works", "period": "2023"}
    app = open_page(released_lake, monkeypatch, **parameters)
    cumulative = read_figure_table(app).filter(pl.col("period") == "2023")["cumulative_publications"].sum()
    assert read_paper_table(app).height == cumulative == 56


def test_unknown_value_in_the_address_is_reported(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, labs="Nope **x**", since="x")
    assert "Nope \\*\\*x\\*\\* is not one of the options" in app.warning[0].value
    assert "From: x is not one of the options" in app.warning[1].value
    assert read_figure_table(app)["publications"].sum() == 78


def test_old_release_stays_selected_on_other_pages(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_release()
    lake = copy_release("delete from clean.publications where lab = 'OpenAI'", number=2)
    app = open_page(lake, monkeypatch, release="v1")
    assert "You are reading release v1; the newest is v2." in read_page_text(app)
    app = app.switch_page("app_pages/labs.py").run()
    assert "release v1" in read_page_text(app)
    assert app.query_params["release"] in ("v1", ["v1"])


def test_months_of_an_address_may_be_written_in_words(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, since="May 2023", until="2023 Q4", per="month")
    assert not app.exception
    assert not app.warning
    assert (app.selectbox(key="since").value, app.selectbox(key="until").value) == ("2023-05", "2023-12")
    assert read_figure_table(app)["period"].unique().sort().to_list() == [f"2023-{month:02}" for month in range(5, 13)]


def test_papers_of_the_charts_can_be_downloaded_with_their_remainder(
    copy_release: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_release(
        *(
            f"update {table} = null where category = 'Unlearning'"
            for table in (
                "clean.publications set published_year = null, published_on",
                "mart.counted_publications set published_year = null, published_on",
                "mart.counted_works set published_year = null, published_on",
                "mart.publication_counts_by_month set published_month",
                "mart.work_counts_by_month set published_month",
            )
        )
    )
    app = open_page(lake, monkeypatch)
    assert "2 more have no date: choose the period “undated”" in read_page_text(app)
    assert "76 works with a date, and 2 more without a date, not drawn" in read_page_text(app)
    labels = [button.proto.label for button in app.get("download_button")]
    assert {"CSV", "Parquet", "BibTeX"} <= set(labels)
