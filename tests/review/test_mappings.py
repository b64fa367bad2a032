"""What a category stands for in another taxonomy: proposed from shared works, used only where people decided it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.defs.catalog import list_tables, load_transforms
from orchestration.ingest.decisions import build_decision_rows
from tests.support.decisions import make_decision, make_mapping, make_undo
from tests.support.trials import scale_trials
from transforms.engine import load_function
from transforms.review.mappings import (
    build_mapping,
    build_mapping_again,
    describe_value,
    find_question,
    list_questions,
    list_targets,
)
from warehouse.decisions.csv_files import read_csv, write_csv
from warehouse.decisions.events import NO_COUNTERPART, Decision, InvalidDecision
from warehouse.sql import SCALAR_MACROS

MADE = (
    *("clean.categories", "clean.category_overlaps", "clean.decisions", "clean.category_crosswalk"),
    *("clean.corpora", "clean.corpus_taxonomies", "mart.crosswalk_proposals"),
)
LABELS = [
    *(("Canines", "Robustness") for _ in range(9)),
    *(("Canines", "Honest AI") for _ in range(1)),
    *(("Felines", "Robustness") for _ in range(3)),
    *(("Felines", "Honest AI") for _ in range(3)),
    *(("Birds", "Honest AI") for _ in range(4)),
]
"""Category in a list of beasts and in the default taxonomy of each shared work."""
QUESTION = ("beasts", "Canines", "iaps")


def make_release(
    decisions: Iterable[Decision] = (), labels: Iterable[tuple[str, str]] = LABELS, definition: str = "Stays safe."
) -> duckdb.DuckDBPyConnection:
    """The tables of a release of a list whose works another list has too, made by their own queries."""
    rows: dict[str, list[dict[str, Any]]] = {
        "clean.work_labels": [
            {"work_id": f"w{number}", "list": taxonomy, "taxonomy": taxonomy, "category": category}
            for number, pair in enumerate(labels)
            for taxonomy, category in zip(("beasts", "iaps"), pair, strict=True)
        ]
        + [{"work_id": "w of its own", "list": "beasts", "taxonomy": "beasts", "category": "Fish"}],
        "clean.lists": [{"list": "beasts", "list_title": "Beasts", "taxonomy": "beasts"}],
        "reference.taxonomies": [
            {"taxonomy": "iaps", "is_default": True},
            {"taxonomy": "unsolved", "is_default": False},
        ],
        "reference.categories": [
            {"taxonomy": "iaps", "category": "Robustness", "definition": definition},
            {"taxonomy": "iaps", "category": "Honest AI", "definition": "Is honest."},
            {"taxonomy": "unsolved", "category": "Alignment", "definition": "Is aligned."},
        ],
        "reference.category_crosswalk": [
            {
                "from_taxonomy": "iaps",
                "from_category": category,
                "to_taxonomy": "unsolved",
                "to_category": "Alignment",
                "weight": 1.0,
                "confidence": "high",
                "basis": "The same subject.",
            }
            for category in ("Robustness", "Honest AI")
        ],
        "reference.corpora": [
            {"corpus": "iaps_mapping", "title": "Mapping", "kind": "list", "is_frozen": True, "taxonomy": "iaps"}
        ],
    }
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(SCALAR_MACROS)
    for layer in ("raw", "clean", "mart", "reference"):
        connection.execute(f"create schema {layer}")
    transforms = load_transforms()
    inputs = {name for made in MADE for name in transforms[made].source_tables} - set(MADE)
    for table in list_tables():
        if table.name in inputs:
            made = [dict.fromkeys(table.schema) | row for row in rows.get(table.name, [])]
            frame = build_decision_rows(decisions) if table.name == "raw.decisions" else table.frame(made)
            connection.register("made", frame)
            connection.execute(f"create table {table.name} as from made")
    for name in MADE:
        query, function = transforms[name].query, transforms[name].function
        query = load_function(function)(connection, query) if function else query
        connection.execute(f"create table {name} as {query}")
    return connection


def list_crosswalk(connection: duckdb.DuckDBPyConnection, taxonomy: str = "beasts") -> list[tuple[str, str, float]]:
    query = (
        "select from_category, to_category, weight from clean.category_crosswalk where from_taxonomy = ? order by all"
    )
    return connection.execute(query, [taxonomy]).fetchall()


def find_state(connection: duckdb.DuckDBPyConnection, decisions: Iterable[Decision] = ()) -> tuple[str, str | None]:
    (one,) = list_questions(connection, decisions, *QUESTION[::2], QUESTION[1])
    return one.state, one.used_categories


def decide(connection: duckdb.DuckDBPyConnection, decisions: list[Decision], *names: str, by: str = "Ada") -> Decision:
    question = find_question(connection, decisions, QUESTION[1], *QUESTION[::2])
    weights = dict.fromkeys(names, 1 / len(names))
    return build_mapping(connection, decisions, question, weights, by)


def test_people_who_name_the_same_categories_in_another_order_agree() -> None:
    connection = make_release()
    first = decide(connection, [], "Robustness", "Honest AI")
    second = decide(connection, [], "Honest AI", "Robustness", by="Bo")
    assert first.value != second.value
    assert find_state(connection, [first, second])[0] == "decided"
    halves = [("Canines", "Honest AI", 0.5), ("Canines", "Robustness", 0.5)]
    assert list_crosswalk(make_release([first, second])) == halves


@pytest.mark.parametrize(
    ("value", "taxonomy"), [("Hardening=1", "iaps"), ("(not decided)=1", "iaps"), ("Robustness=1", "nope")]
)
def test_a_mapping_from_a_file_to_what_is_not_there_is_not_used(value: str, taxonomy: str) -> None:
    connection = make_release([make_mapping(value, taxonomy=taxonomy)])
    assert list_crosswalk(connection) == []
    outcomes = connection.execute("select outcome from clean.decisions").fetchall()
    assert outcomes == [("ground changed",)]


def test_shared_works_propose_a_category_only_if_they_are_enough_and_agree() -> None:
    connection = make_release()
    found = {one.from_category: one for one in list_questions(connection, [], "beasts", "iaps")}
    canines = found["Canines"]
    assert (canines.finding, canines.proposed, canines.shared_works, canines.from_works) == (
        "clear",
        "Robustness",
        9,
        10,
    )
    assert (canines.share_low, canines.share_high) == pytest.approx((0.5958, 0.9821), abs=1e-4)  # Wilson
    assert (
        canines.sentence
        == "10 works have categories of both, 9 of them “Robustness” (90 %, 95 % interval 60 % to 98 %)."
    )
    assert (found["Felines"].finding, found["Felines"].proposed) == ("no clear category", None)
    assert (found["Birds"].finding, found["Birds"].shared_works) == ("too few", 4)
    assert (found["Fish"].finding, found["Fish"].from_works, found["Fish"].listed_works) == ("too few", 0, 1)
    assert [one.state for one in found.values()] == ["open"] * 4
    assert [(one.category, one.shared_works, one.to_works) for one in list_targets(connection, canines)] == [
        ("Robustness", 9, 12),
        ("Honest AI", 1, 8),
    ]
    assert {one.state for one in list_questions(connection, [], "iaps", "unsolved")} == {"declared"}


def test_five_that_agree_are_clear_and_four_of_five_are_not() -> None:
    for labels, finding in (
        ([("Canines", "Robustness")] * 5, "clear"),
        ([("Canines", "Robustness")] * 4 + [("Canines", "Honest AI")], "no clear category"),
        ([("Canines", "Robustness")] * 4, "too few"),
    ):
        (found,) = list_questions(make_release(labels=labels), [], "beasts", "iaps", "Canines")
        assert found.finding == finding


def test_only_decided_mappings_are_used_and_an_undo_removes_them() -> None:
    connection = make_release()
    assert list_crosswalk(connection) == []
    counted = (
        "select taxonomy, is_own, unmapped_category from clean.corpus_taxonomies where corpus = 'beasts' order by all"
    )
    assert connection.execute(counted).fetchall() == [("beasts", True, "(not decided)")]
    decision = decide(connection, [], "Robustness")
    assert find_state(connection, [decision]) == ("decided", "Robustness")  # before the next run
    decided = make_release([decision])
    assert list_crosswalk(decided) == [("Canines", "Robustness", 1.0)]
    assert decided.execute(counted).fetchall()[1] == ("iaps", False, "(not decided)")
    assert find_state(decided) == ("decided", "Robustness")
    undo = make_undo(decision, seconds=1)
    assert find_state(decided, [decision, undo]) == ("open", None)
    assert list_crosswalk(make_release([decision, undo])) == []


def test_several_categories_share_the_works_and_none_is_an_answer() -> None:
    connection = make_release()
    assert list_crosswalk(make_release([decide(connection, [], "Robustness", "Honest AI")])) == [
        ("Canines", "Honest AI", 0.5),
        ("Canines", "Robustness", 0.5),
    ]
    none = make_release([decide(connection, [], NO_COUNTERPART)])
    assert list_crosswalk(none) == [("Canines", NO_COUNTERPART, 1.0)]
    assert find_state(none) == ("decided", NO_COUNTERPART)


def test_a_decision_takes_the_place_of_what_the_package_has() -> None:
    connection = make_release()
    question = find_question(connection, [], "Honest AI", "iaps", "unsolved")
    decided = make_release([build_mapping(connection, [], question, {NO_COUNTERPART: 1.0}, "Ada", reason="too wide")])
    assert list_crosswalk(decided, "iaps") == [("Honest AI", NO_COUNTERPART, 1.0), ("Robustness", "Alignment", 1.0)]
    query = "select basis from clean.category_crosswalk where confidence = 'decided'"
    assert decided.execute(query).fetchall() == [("Decided by Ada: too wide.",)]


def test_what_is_not_there_cannot_be_decided() -> None:
    connection = make_release()
    for names, message in (
        (("beasts", "iaps", "Canine"), "did you mean Canines"),
        (
            ("beasts", "nothing", "Canines"),
            "nothing of 'beasts' can be mapped into 'nothing'; there are beasts into iaps",
        ),
    ):
        with pytest.raises(InvalidDecision, match=message):
            find_question(connection, [], names[2], *names[:2])
    with pytest.raises(InvalidDecision, match="iaps has no category 'Robust': did you mean Robustness"):
        decide(connection, [], "Robust")


def test_two_who_decide_differently_disagree_until_it_is_settled() -> None:
    connection = make_release()
    first, second = decide(connection, [], "Robustness"), decide(connection, [], "Honest AI", by="Bo")
    disputed = make_release([first, second])
    assert list_crosswalk(disputed) == []
    assert find_state(disputed) == ("disputed", None)
    third = build_mapping_again(disputed, [first, second], second, "Cy")
    assert (third.value, set(third.seen)) == (second.value, {first.event_id, second.event_id})
    assert list_crosswalk(make_release([first, second, third])) == [("Canines", "Honest AI", 1.0)]


@pytest.mark.parametrize(
    ("chosen", "labels", "definition", "state"),
    [
        # nothing else is proposed: more works, or one less
        ("Robustness", [*LABELS, ("Canines", "Robustness")], "Stays safe.", "decided"),
        # what was clear is no longer
        ("Robustness", [*LABELS, *[("Canines", "Honest AI")] * 9], "Stays safe.", "ground changed"),
        # against what was proposed, which is proposed still; and now what was chosen is
        ("Honest AI", LABELS, "Stays safe.", "decided"),
        ("Honest AI", [*LABELS, *[("Canines", "Honest AI")] * 90], "Stays safe.", "decided"),
        ("Robustness", LABELS, "Means something else.", "ground changed"),
        # the category is in no list now: the decision waits
        ("Robustness", [one for one in LABELS if one[0] != "Canines"], "Stays safe.", None),
    ],
)
def test_a_decision_whose_ground_changed_is_flagged_and_not_used(
    chosen: str, labels: list[tuple[str, str]], definition: str, state: str | None
) -> None:
    decision = decide(make_release(), [], chosen)
    later = make_release([decision], labels, definition)
    if state is None:
        assert later.execute("select outcome from clean.decisions").fetchall() == [("record missing",)]
        assert list_crosswalk(later) == []
        return
    assert find_state(later)[0] == state
    assert list_crosswalk(later) == ([("Canines", chosen, 1.0)] if state == "decided" else [])


def test_a_second_coder_is_shown_nothing_of_the_first() -> None:
    decision = decide(make_release(), [], "Robustness")
    decided = make_release([decision])
    for person, state in (("Bo", "open"), ("Ada", "decided")):
        (one,) = list_questions(decided, [decision], *QUESTION[::2], QUESTION[1], blind_person=person)
        assert one.state == state
    assert describe_value(make_mapping("Monitoring=0.75; Robustness=0.25")) == "Monitoring (75 %); Robustness (25 %)"


VALUES = ("Robustness=1", "Honest AI=1", "Robustness=0.5; Honest AI=0.5", f"{NO_COUNTERPART}=1")


@st.composite
def make_logs(draw: st.DrawFn) -> list[Decision]:
    """Decisions on works and categories, of which each may have seen others or undo one."""
    log: list[Decision] = []
    for seconds in range(draw(st.integers(1, 7))):
        seen = tuple(one for one in log if one.kind == "mapping" and draw(st.booleans()))
        if log and draw(st.integers(0, 3)) == 0:
            log.append(make_undo(draw(st.sampled_from(log)), seconds=seconds))
        elif draw(st.integers(0, 3)) == 0:
            log.append(make_decision(seconds=seconds))
        else:
            log.append(
                make_mapping(
                    draw(st.sampled_from(VALUES)),
                    taxonomy="iaps",
                    from_category=draw(st.sampled_from(["Canines", "Felines"])),
                    decided_by=draw(st.sampled_from(["Ada", "Bo"])),
                    seconds=seconds,
                    seen=seen,
                )
            )
    return log


@settings(max_examples=scale_trials(10, 200))
@given(log=make_logs(), data=st.data())
def test_no_decision_is_lost_and_the_order_changes_nothing(log: list[Decision], data: st.DataObject) -> None:
    kept = read_csv(write_csv(log), {}, "log.csv")
    assert kept == log
    first = make_release(log)
    second = make_release(data.draw(st.permutations(log)))
    outcomes = "select event_id, outcome from clean.decisions order by event_id"
    assert first.execute(outcomes).fetchall() == second.execute(outcomes).fetchall()
    assert {event_id for event_id, _ in first.execute(outcomes).fetchall()} == {one.event_id for one in log}
    assert list_crosswalk(first) == list_crosswalk(second)
    sums = "select sum(weight) from clean.category_crosswalk group by from_taxonomy, from_category, to_taxonomy"
    assert all(total == pytest.approx(1) for (total,) in first.execute(sums).fetchall())
