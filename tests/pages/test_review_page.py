"""The page by which people decide: only where the dashboards were started for it, and two people at once lose nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.queries.review import VARIABLE, ReadOnly, read_log, record_choice
from orchestration.cli.serve import choose_editor
from tests.conftest import publish_copy, run_aisle
from tests.support.app_tests import open_page, read_page_text
from tests.support.review import TITLES, build_review_lake
from transforms.review.agreement import list_disagreements
from transforms.review.choices import Choice
from warehouse.decisions.store import list_decisions
from warehouse.lake import Lake
from warehouse.release import read_current_release


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of `build_review_lake`."""
    return build_review_lake(tmp_path_factory.mktemp("review") / "lake")


@pytest.fixture
def lake(published: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    shutil.copytree(published.root, tmp_path / "lake", symlinks=True)
    return Lake(tmp_path / "lake")


@pytest.fixture
def edited(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A copy of it, whose dashboards were started to edit."""
    monkeypatch.setenv(VARIABLE, "Ada")
    return lake


def open_review(lake: Lake, monkeypatch: pytest.MonkeyPatch, name: str = "Ada", **query: str) -> AppTest:
    app = open_page(lake, monkeypatch, "review", **query)
    assert not app.exception
    return choose_taxonomy(app.text_input(key="reviewer").set_value(name))


def choose_taxonomy(app) -> AppTest:
    app = app.run()
    return app.selectbox(key="taxonomy").set_value("animals").run()


def list_values(lake: Lake) -> list[tuple[str, str, str, str]]:
    return [(one.decided_by, one.kind, one.title, one.value) for one in list_decisions(lake)]


def test_dashboards_are_read_only_unless_they_were_started_to_edit(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    app = open_page(lake, monkeypatch, "review")
    assert "aisle dashboard --edit" in read_page_text(app)
    assert not app.button
    release = read_current_release(lake)
    with pytest.raises(ReadOnly):
        record_choice(release, TITLES["foxes"], Choice("Ada", excluded="yes"), ())
    with pytest.raises(ReadOnly):
        read_log()
    assert not (lake.root / "decisions.sqlite").exists()


def test_labelled_works_that_are_like_it_stand_beside_a_work(
    published: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "'animals' as taxonomy, 'category' as model, 'Wolves' as category"
    lake = publish_copy(
        published,
        tmp_path / "lake",
        f"create table clean.training_labels as select {kind}, 'listed' as item_id, 'How foxes howl' as title,"
        " null::varchar as abstract",
        f"create table clean.model_terms as select {kind}, 'foxes' as term, 2.0 as inverse_document_frequency,"
        " 1.0 as term_weight",
        f"create table clean.suggestions as select {kind}, '' as work_id, 1 as category_position, 0.5 as probability,"
        " true as is_in_set limit 0",
    )
    monkeypatch.setenv(VARIABLE, "Ada")
    with read_current_release(lake).connect() as connection:
        ((work,),) = connection.execute("select work_id from clean.works where title like 'How foxes%'").fetchall()
    text = read_page_text(open_review(lake, monkeypatch, work=work))
    assert "Labelled works most like it: “How foxes howl” — **Wolves**, 100% alike." in text


def test_the_command_gives_a_name_only_with_its_option(lake: Lake) -> None:
    assert choose_editor("Ada", is_edited=False) == ""  # and so clears what the environment has
    assert choose_editor(" Ada ", is_edited=True) == "Ada"
    done = run_aisle(lake.root, "dashboard", "--edit", AISLE_REVIEWER="")
    assert (done.returncode, "--edit needs the name" in done.stderr) == (1, True)


def test_a_key_decides_and_the_next_work_is_shown(edited: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_review(edited, monkeypatch)
    assert "3 works wait" in read_page_text(app)
    assert app.subheader[0].value == TITLES["copy"]  # the newest
    app = app.button(key="category Wolves").click().run()
    assert app.subheader[0].value == TITLES["sheep"]
    app = app.button(key="skip").click().run()
    assert app.subheader[0].value == TITLES["foxes"]
    app = app.button(key="not in scope").click().run()
    assert "1 work waits" in read_page_text(app)
    assert app.success[0].value == "No work waits for a decision."
    assert list_values(edited) == [
        ("Ada", "category", TITLES["copy"], "Wolves"),
        ("Ada", "scope", TITLES["foxes"], "no"),
    ]
    app = app.button(key="undo").click().run()
    assert app.subheader[0].value == TITLES["foxes"]
    assert [one.kind for one in list_decisions(edited)] == ["category", "scope", "undo"]


def test_two_people_at_once_lose_nothing_and_settle_it(edited: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_review(edited, monkeypatch)
    second = open_review(edited, monkeypatch, "Bo")
    assert first.subheader[0].value == second.subheader[0].value == TITLES["copy"]
    first.button(key="category Wolves").click().run()
    second = second.button(key="not in scope").click().run()  # another question: both hold
    assert second.subheader[0].value == TITLES["sheep"]
    assert first.run().subheader[0].value == TITLES["sheep"]
    first.button(key="exclude").click().run()
    second.multiselect(key="several").set_value(["Wolves"])
    second.button[-1].click().run()
    assert len(list_decisions(edited)) == 4


def test_what_another_decided_unseen_is_not_replaced_but_settled(edited: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_review(edited, monkeypatch, view="Pairs")
    second = open_review(edited, monkeypatch, "Bo", view="Pairs")
    first.button(key="One work").click().run()
    second.button(key="Different works").click().run()
    with read_current_release(edited).connect() as connection:
        (found,) = list_disagreements(connection, list_decisions(edited))
        assert {one.decided_by for one in found.decisions} == {"Ada", "Bo"}
        third = open_review(edited, monkeypatch, "Cy", view="Disagreements")
        (button,) = [one for one in third.button if one.label == "Settle as no"]
        third = button.click().run()
        assert third.success[0].value == "Nobody disagrees."
        assert list_disagreements(connection, list_decisions(edited)) == []
    assert list_values(edited)[-1][:2] == ("Cy", "same work")
    third = open_review(edited, monkeypatch, view="Progress")
    assert {"Ada", "Bo", "Cy"} <= set(third.dataframe[0].value["Decided by"])


def test_a_second_coder_sees_the_work_and_not_the_decision(edited: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_review(edited, monkeypatch)
    first.button(key="skip").click().run()
    first.button(key="category Wolves").click().run()
    second = open_review(edited, monkeypatch, "Bo")
    second = second.toggle(key="blind").set_value(True).run()
    assert second.subheader[0].value == TITLES["sheep"]
    assert "Ada" not in read_page_text(second)
    second.button(key="category Wolves").click().run()
    ada, bo = list_decisions(edited)
    assert (ada.seen, bo.seen, ada.value == bo.value, ada.record_id == bo.record_id) == ((), (), True, True)
    third = open_review(edited, monkeypatch, "Cy", view="Progress")
    assert list(third.dataframe[1].value["Both"]) == [1]


def test_a_correction_is_recorded_with_its_reason_and_a_wrong_one_is_refused(
    edited: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("yesterday", "2025-02-03"):
        app = open_review(edited, monkeypatch)
        app.selectbox(key="corrected").set_value("Day of publication")
        app.text_input(key="value").set_value(value)
        app.text_input(key="why").set_value("its first page")
        app = next(one for one in app.button if one.label == "Record").click().run()
        if value == "yesterday":
            assert "no day such as 2024-03-17" in app.error[0].value
    (decision,) = list_decisions(edited)
    assert (decision.field, decision.value, decision.reason) == ("published_on", "2025-02-03", "its first page")


def test_what_a_category_stands_for_is_decided_and_undone(edited: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_review(edited, monkeypatch, view="Mappings")
    assert not app.exception
    app = app.selectbox(key="into").set_value("iaps").run()
    text = read_page_text(app)
    assert "1 category waits for a decision; only what is decided is used" in text
    assert "No work has categories of both" in text
    app = app.button(key="target Robustness").click().run()
    assert app.success[0].value == "No category waits for a decision."
    assert list(app.dataframe[0].value["Counted in"]) == ["Robustness"]
    app = app.button(key="undo").click().run()
    app.multiselect(key="several targets").set_value(["Robustness", "Honest AI"])
    app.text_input(key="shares").set_value("70, 20")
    app = next(one for one in app.button if one.label == "Record").click().run()
    assert "weights that add up to 1" in app.error[0].value
    app.text_input(key="shares").set_value("70 %, 30 %")
    app = next(one for one in app.button if one.label == "Record").click().run()
    app = app.selectbox(key="again").set_value("Wolves").run()
    app.button(key="no counterpart").click().run()
    assert [(one.kind, one.value) for one in list_decisions(edited)] == [
        ("mapping", "Robustness=1"),
        ("undo", ""),
        ("mapping", "Robustness=0.7; Honest AI=0.3"),
        ("mapping", "(no counterpart)=1"),
    ]


def test_two_who_map_differently_unseen_disagree_until_it_is_settled(
    edited: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_review(edited, monkeypatch, view="Mappings").selectbox(key="into").set_value("iaps").run()
    second = open_review(edited, monkeypatch, "Bo", view="Mappings").selectbox(key="into").set_value("iaps").run()
    first.button(key="target Robustness").click().run()
    second.button(key="target Honest AI").click().run()
    third = open_review(edited, monkeypatch, "Cy", view="Disagreements")
    (button,) = [one for one in third.button if one.label == "Settle as Honest AI"]
    assert button.click().run().success[0].value == "Nobody disagrees."
    assert [(one.decided_by, one.value) for one in list_decisions(edited)] == [
        ("Ada", "Robustness=1"),
        ("Bo", "Honest AI=1"),
        ("Cy", "Honest AI=1"),
    ]
