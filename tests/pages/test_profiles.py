"""The profile pages of a lab and a category."""

from __future__ import annotations

import pytest

from dashboards.exports import pictures
from dashboards.figures.profile import build_profile_figures
from dashboards.queries import profile
from dashboards.queries.release import get_newest_release
from tests.support.app_tests import open_page, read_figure_table, read_page_text
from warehouse.lake import Lake


def test_lab_is_selected_by_its_address(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, page="labs", lab="OpenAI")
    assert not app.exception
    assert "OpenAI" in app.title[0].value
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Works"], metrics["Rows"], metrics["Marked duplicates"]) == ("11", "13", "2")
    text = read_page_text(app)
    assert "also written OpenAI Inc." in text
    assert "Its 11 works lie in 5 categories" in text
    assert "OpenAI\\: 11 works in 31 whole months" in text
    newest = next(shown.value for shown in app.dataframe if "evidence" in shown.value.columns)
    assert set(newest["lab"]) == {"OpenAI"}
    assert newest["published_on"].is_monotonic_decreasing
    assert newest["evidence"].str.startswith("work?work=").all()


def test_category_has_its_definition(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, page="categories", category="Robustness")
    assert not app.exception
    assert "Robustness" in app.title[0].value
    assert "Its 10 works come from" in read_page_text(app)
    assert "Behaving safely on unexpected" in read_page_text(app)
    assert "Unsolved Problems in ML Safety" in read_page_text(app)


def test_unknown_name_shows_the_largest_lab(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, page="labs", lab="<b>none</b>")
    assert not app.exception
    assert "Google DeepMind" in app.title[0].value


def test_rule_without_known_authors_counts_nothing(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(released_lake, monkeypatch, page="labs", lab="OpenAI", count="works_first_author")
    assert not app.exception
    assert "Nothing can be counted by this rule" in read_page_text(app)


def test_category_without_publications_has_charts_of_zeros(
    released_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(released_lake, monkeypatch, page="categories", category="Multi-agent safety")
    assert not app.exception
    assert "This release has no publications of Multi-agent safety" in read_page_text(app)
    assert "None in 31 whole months that are covered" in read_page_text(app)
    table = read_figure_table(app, "category_history")
    assert table.height == 33  # three labs in eleven quarters
    assert table["publications"].sum() == 0


def test_picture_contains_the_cautions(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release = get_newest_release()
    figure = build_profile_figures(release, "lab", profile.select_member("lab", "OpenAI", "works", "iaps"), "OpenAI")[0]
    picture = pictures.build_picture(figure)
    assert picture["title"]["text"] == ["OpenAI: no clear change over time"]
    notes = " ".join(picture["vconcat"][0]["title"]["subtitle"])
    assert "2024 Q3 (to 31 Jul): covered only in part, so drawn pale" in notes
    assert "**" not in notes
