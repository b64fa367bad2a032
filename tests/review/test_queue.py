"""What people decide next: the most uncertain works first that count most, and what a second coder does not see."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from orchestration.defs.catalog import list_tables
from tests.support.decisions import make_decision, make_undo
from transforms.review.agreement import compare_people, compute_kappa, list_disagreements
from transforms.review.queue import list_next_pairs, list_next_works
from transforms.review.suggested import list_suggestions
from warehouse.decisions.events import Decision

# work: lab, day, probabilities of the two categories
WORKS = {
    "new": ("OpenAI", dt.date(2026, 6, 1), (0.5, 0.5)),
    "clear": ("OpenAI", dt.date(2026, 6, 1), (0.98, 0.02)),
    "old": ("OpenAI", dt.date(2021, 6, 1), (0.5, 0.5)),
    "nobody": ("(no followed lab)", dt.date(2026, 6, 1), (0.5, 0.5)),
    "undated": ("OpenAI", None, (0.5, 0.5)),
    "labelled": ("OpenAI", dt.date(2026, 6, 1), (0.5, 0.5)),
    "beside": ("OpenAI", dt.date(2026, 6, 1), (0.5, 0.5)),
}


def fill(connection: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, Any]]) -> None:
    (table,) = (table for table in list_tables() if table.name == name)
    connection.register("rows", table.frame([dict.fromkeys(table.schema) | row for row in rows]).to_arrow())
    connection.execute(f"create table {name} as from rows")
    connection.unregister("rows")


@pytest.fixture
def release() -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables that the queue reads, of these works; the record of each has its name."""
    with duckdb.connect() as connection:
        connection.execute("create schema clean; create schema mart")
        counted = {"corpus": "all_works", "whole_weight": 1.0, "is_duplicate": False, "category": "(unlabelled)"}
        fill(
            connection,
            "mart.counted_works",
            [
                counted | {"item_id": work, "work_id": work, "lab": lab, "published_on": day}
                for work, (lab, day, _) in WORKS.items()
            ],
        )
        fill(connection, "clean.works", [{"work_id": work, "title": f"On {work}"} for work in WORKS])
        fill(connection, "clean.work_members", [{"work_id": work, "record_id": work} for work in WORKS])
        fill(
            connection,
            "clean.reviewed_labels",
            [{"work_id": "labelled", "taxonomy": "animals", "category": "Wolves", "category_position": 1}],
        )
        fill(connection, "clean.reviewed_scopes", [{"work_id": "beside", "taxonomy": "animals", "is_in_scope": False}])
        pairs = [("clear", "new", 0.9), ("nobody", "old", 0.95)]
        fill(
            connection,
            "clean.work_candidates",
            [
                {
                    "first_work_id": first,
                    "first_record_id": first,
                    "second_work_id": second,
                    "second_record_id": second,
                    "similarity": similarity,
                    "step": "similar title",
                    "evidence": "titles alike",
                }
                for first, second, similarity in pairs
            ],
        )
        yield connection


def suggest(connection: duckdb.DuckDBPyConnection) -> None:
    fill(connection, "clean.suggestions", [])
    terms = {"taxonomy": "animals", "model": "category", "category": "Wolves", "inverse_document_frequency": 2.0}
    fill(connection, "clean.model_terms", [terms | {"term": term, "term_weight": 1.0} for term in ("on clear", "old")])
    connection.execute("create macro words_of(written) as string_split(lower(written), ' ')")
    for work, (_, _, probabilities) in WORKS.items():
        for place, (category, probability) in enumerate(zip(("Wolves", "Foxes"), probabilities, strict=True), 1):
            row = [work, "animals", "category", category, place, probability, True, "0" * 16]
            connection.execute("insert into clean.suggestions values (?, ?, ?, ?, ?, ?, ?, ?)", row)


def list_names(connection: duckdb.DuckDBPyConnection, *decisions: Decision, **options: Any) -> list[str]:
    options = {"limit": 10, **options}
    return [one.work_id for one in list_next_works(connection, decisions, "animals", **options)[0]]


def test_works_of_labs_and_recent_months_come_first(release: duckdb.DuckDBPyConnection) -> None:
    assert list_names(release) == ["clear", "new", "nobody", "old", "undated"]
    works, waiting = list_next_works(release, [], "animals", limit=2, offset=1)
    assert ([one.work_id for one in works], waiting) == (["new", "nobody"], 5)
    assert (works[0].effect, works[0].uncertainty, works[1].lab) == (1.0, None, None)


def test_of_equal_effect_the_uncertain_ones_come_first(release: duckdb.DuckDBPyConnection) -> None:
    suggest(release)
    assert list_names(release) == ["new", "nobody", "clear", "old", "undated"]
    (first, *_), _ = list_next_works(release, [], "animals")
    assert first.uncertainty == pytest.approx(1.0)
    suggested = [(one.category, one.terms) for one in list_suggestions(release, "clear", "animals")]
    assert suggested == [("Wolves", ("on clear",)), ("Foxes", ())]


def test_what_was_decided_leaves_the_queue_before_a_run_and_is_back_after_an_undo(
    release: duckdb.DuckDBPyConnection,
) -> None:
    decided = make_decision(record_id="new")
    elsewhere = make_decision(record_id="clear", taxonomy="plants")
    assert list_names(release, decided, elsewhere) == ["clear", "nobody", "old", "undated"]
    assert "new" in list_names(release, decided, make_undo(decided))
    excluded = make_decision("yes", kind="excluded", taxonomy="", record_id="nobody")
    assert "nobody" not in list_names(release, excluded)


def test_a_second_coder_begins_with_what_another_has_decided(release: duckdb.DuckDBPyConnection) -> None:
    first = make_decision(record_id="old")
    assert list_names(release, first, person="Bo", is_blind=True) == ["old", "clear", "new", "nobody", "undated"]
    second = make_decision("Foxes", record_id="old", decided_by="Bo")
    assert "old" not in list_names(release, first, second, person="Bo", is_blind=True)


def test_candidates_leave_the_queue_when_they_are_decided(release: duckdb.DuckDBPyConnection) -> None:
    (first, second), waiting = list_next_pairs(release, [], limit=5)
    assert (first.first_work_id, second.first_work_id, waiting) == ("clear", "nobody", 2)
    apart = make_decision("no", kind="same work", taxonomy="", record_id="new", second_record_id="clear")
    (left,), _ = list_next_pairs(release, [apart])
    assert left.first_work_id == "nobody"
    assert len(list_next_pairs(release, [apart], "Bo", is_blind=True, limit=5)[0]) == 2


def test_people_are_compared_class_by_class_also_after_they_settled_it(release: duckdb.DuckDBPyConnection) -> None:
    values = {"new": ("A", "A"), "clear": ("A", "B"), "old": ("B", "B"), "nobody": ("C", "C")}
    decisions = [
        make_decision(value, record_id=work, decided_by=person)
        for work, pair in values.items()
        for person, value in zip(("Ada", "Bo"), pair, strict=True)
    ]
    differing = [one for one in decisions if one.record_id == "clear"]
    (disagreement,) = list_disagreements(release, decisions)
    assert [one.value for one in disagreement.decisions] == ["A", "B"]
    settled = make_decision("B", record_id="clear", decided_by="Cy", seen=tuple(differing))
    assert list_disagreements(release, [*decisions, settled]) == []
    found = {one.label: one for one in compare_people(release, [*decisions, settled])}
    assert list(found) == ["", "A", "B", "C"]
    assert (found[""].both, found[""].agreed) == (4, 3)
    assert found[""].kappa == pytest.approx(7 / 11)  # observed 3/4; expected (2·1 + 1·2 + 1·1) / 16
    assert found["A"].kappa == pytest.approx(0.5)
    assert found["C"].kappa == pytest.approx(1.0)


def test_kappa_equals_the_worked_example_of_its_definition() -> None:
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    assert compute_kappa(pairs) == pytest.approx(0.4)
    assert compute_kappa([("a", "a")]) is None
