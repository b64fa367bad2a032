"""The pages of a lab and of a category."""

from __future__ import annotations

import pytest

from dashboards.figures import figure
from dashboards.queries import profile
from dashboards.queries import release as read
from tests.support.app_tests import numbers, opened, said
from warehouse.lake import Lake


def test_a_lab_is_told_by_its_address(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(released_lake, monkeypatch, page="labs", lab="OpenAI")
    assert not app.exception
    assert "OpenAI" in app.title[0].value
    metrics = {metric.label: metric.value for metric in app.metric}
    assert (metrics["Works"], metrics["Rows"], metrics["Marked duplicates"]) == ("11", "13", "2")
    told = said(app)
    assert "also written OpenAI Inc." in told
    assert "Its 11 works lie in 5 categories" in told
    assert "OpenAI\\: 11 works in 31 whole months" in told
    newest = next(shown.value for shown in app.dataframe if "evidence" in shown.value.columns)
    assert set(newest["lab"]) == {"OpenAI"}
    assert newest["published_on"].is_monotonic_decreasing
    assert newest["evidence"].str.startswith("/work?id=").all()


def test_a_category_is_told_with_its_meaning(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(released_lake, monkeypatch, page="categories", category="Robustness")
    assert not app.exception
    assert "Robustness" in app.title[0].value
    assert "Its 10 works come from" in said(app)
    assert "Behaving safely on unexpected" in said(app)
    assert "Unsolved Problems in ML Safety" in said(app)


def test_an_unknown_name_shows_the_largest(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(released_lake, monkeypatch, page="labs", lab="<b>none</b>")
    assert not app.exception
    assert "Google DeepMind" in app.title[0].value


def test_a_rule_that_cannot_tell_the_lab_says_so(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(released_lake, monkeypatch, page="labs", lab="OpenAI", count="works_first_author")
    assert not app.exception
    assert "By this rule nothing can be counted here" in said(app)


def test_a_category_without_publications_is_still_told(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(released_lake, monkeypatch, page="categories", category="Multi-agent safety")
    assert not app.exception
    assert "This release holds no publication of Multi-agent safety" in said(app)
    assert "None in 31 whole months that are covered" in said(app)
    drawn = numbers(app, "category_history")
    assert drawn.height == 33  # three labs in eleven quarters
    assert drawn["publications"].sum() == 0


def test_a_picture_carries_its_cautions(released_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AISLE_LAKE", str(released_lake.root))
    release = read.newest()
    drawn = profile.figures(release, "lab", profile.selection("lab", "OpenAI", "works"), "OpenAI")[0]
    told = " ".join(figure.picture(drawn)["title"]["subtitle"])
    assert "2024 Q3 (to 31 Jul): covered only in part, so drawn pale" in told
    assert "**" not in told
