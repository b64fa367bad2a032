"""Suggested categories on pages: apart from reviewed ones, left out by one switch, and the cards of the models."""

from __future__ import annotations

import pytest

from orchestration.defs.catalog import load_transforms
from tests.conftest import publish_copy
from tests.pages.test_corpora import ADDED, MARTS
from tests.support.app_tests import open_page, read_page_text
from warehouse.lake import Lake
from warehouse.release import read_current_release

SUGGESTED = [
    """
    insert into clean.suggestions by name
    select
        'w' || n as work_id, 'iaps' as taxonomy, 'category' as model, category, place as category_position,
        probability, place = 1 as is_in_set, '0123456789abcdef' as model_version
    from range(1, 61) as numbers (n)
    cross join (values ('Robustness', 1, 0.9), ('Unlearning', 2, 0.1)) as categories (category, place, probability)
    """,
]


@pytest.fixture(scope="module")
def suggested_lake(released_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The bundled release with works that have suggested categories alone."""
    marts = (*MARTS, "mart.suggested_counts_by_month", "mart.suggestion_confidence_by_month")
    made = [f"create or replace table {name} as {load_transforms()[name].query}" for name in marts]
    return publish_copy(released_lake, tmp_path_factory.mktemp("suggested"), *ADDED, *SUGGESTED, *made)


def test_trends_draw_suggested_works_apart_and_one_switch_leaves_them_out(
    suggested_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with read_current_release(suggested_lake).connect() as connection:
        ((expected, reviewed),) = connection.execute(
            """
            select
                sum(expected_publications),
                (
                    select sum(publications) from mart.work_counts_by_month
                    where corpus = 'lab_publications' and counting_rule = 'works' and taxonomy = 'iaps'
                    and category = 'Robustness'
                )
            from mart.suggested_counts_by_month
            where corpus = 'lab_publications' and counting_rule = 'works' and taxonomy = 'iaps'
            and published_month is not null
            """
        ).fetchall()
    app = open_page(suggested_lake, monkeypatch, "trends", corpus="")
    assert not app.exception
    text = read_page_text(app)
    assert "Suggested, not reviewed" in text
    assert "Every work is taken to be in scope" in text
    assert f"About {expected:.0f} more publications are expected" in text
    assert reviewed == 10  # as in the published mapping: no suggestion is in it
    without = read_page_text(open_page(suggested_lake, monkeypatch, "trends", corpus="", suggested="false"))
    assert "Suggested, not reviewed" not in without


def test_a_list_has_no_suggested_counts(suggested_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(suggested_lake, monkeypatch, "trends", corpus="iaps_mapping")
    assert not app.exception
    assert "Suggested, not reviewed" not in read_page_text(app)
    assert "suggested" not in {toggle.key for toggle in app.toggle}


def test_models_have_a_card(suggested_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(suggested_lake, monkeypatch, "models")
    assert not app.exception
    text = read_page_text(app)
    assert "Trained on 73 of 78 labelled works in 6 categories" in text
    assert "Model organisms of misalignment (1); Safety by design (2); Unlearning (2)" in text.replace("\\", "")
    assert [metric.label for metric in app.metric] == ["Right", "Among first two", "Macro-F1", "Kappa"]
    shown = app.dataframe[-1].value
    assert int(shown["suggested_works"].sum()) == 58  # two have no date
    other = open_page(suggested_lake, monkeypatch, "models", model="relevance in iaps")
    assert "78 labelled works are too few for a model, or all are of one kind" in read_page_text(other) + "".join(
        str(info.value) for info in other.info
    )
