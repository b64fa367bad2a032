"""Decisions are kept, exported and imported without a loss, in SQLite and in PostgreSQL."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.decisions import find_postgres, make_decision, make_mapping, make_undo, serve_postgres
from warehouse.decisions.csv_files import read_csv, write_csv
from warehouse.decisions.events import InvalidDecision
from warehouse.decisions.store import VARIABLE, DecisionsUnavailable, add_decisions, describe_database, list_decisions
from warehouse.lake import Lake

DECISIONS = [
    make_decision("Wolves; Foxes", reason="=1+1", title="'Quoted' – and cut"),
    make_decision("yes", kind="scope", seconds=1),
    make_decision("no", kind="same work", taxonomy="", second_record_id="r2", seconds=2),
    make_decision("2024-03-17", kind="field", field="published_on", taxonomy="", seconds=3),
    make_decision("Foo Institute", kind="lab", taxonomy="", seconds=4),
    make_decision("yes", kind="excluded", taxonomy="", seconds=5),
    make_decision("'-a note", kind="note", taxonomy="", seconds=6),
    make_undo(make_decision("yes", kind="scope", seconds=1), seconds=7),
    make_mapping("Monitoring=0.75; Robustness=0.25", seconds=8),
    make_undo(make_mapping("Monitoring=0.75; Robustness=0.25", seconds=8), seconds=9),
]
OLD_IDS = ("e7737432752d3fc1be15e993b4b19b8e", "25f838f4a87eb7cd0aec06378c26ee91", "96573fa97e44b9876b13b18cd13ff757")
"""Identifiers of the first of them as versions without mappings gave them."""


MAPPED = {"kind": "mapping", "from_taxonomy": "beasts", "from_category": "Canines"}


def keep_and_read_back(lake: Lake) -> None:
    assert list_decisions(lake) == []
    assert add_decisions(lake, DECISIONS[:3]) == 3
    assert add_decisions(lake, [*DECISIONS, *DECISIONS]) == 7
    assert list_decisions(lake) == DECISIONS
    with ThreadPoolExecutor(4) as threads:  # several people at once
        batches = [
            [make_decision(seconds=100 + n, decided_by=f"P{person % 3}") for n in range(10)] for person in range(6)
        ]
        added = sum(threads.map(lambda batch: add_decisions(lake, batch), batches))
    assert added == 30
    assert len(list_decisions(lake)) == 40


def test_decisions_are_kept_in_a_file_of_the_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    keep_and_read_back(Lake(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["decisions.sqlite"]


def test_decisions_are_kept_in_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = find_postgres()
    if programs is None:
        pytest.skip("there is no PostgreSQL here: `apt-get install postgresql`")
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    with serve_postgres(programs) as address:
        monkeypatch.setenv(VARIABLE, address)
        lake = Lake(tmp_path)
        keep_and_read_back(lake)
        assert "secret" not in describe_database(lake)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DecisionsUnavailable, match=r"postgres:\*\*\*@127.0.0.1") as failure:
        list_decisions(lake)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("address", ["nonsense", "unknown://host/db", "sqlite:////no/such/folder/x.sqlite"])
def test_a_database_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(VARIABLE, address)
    with pytest.raises(DecisionsUnavailable, match="cannot be used"):
        add_decisions(Lake(tmp_path), DECISIONS)


def test_an_event_that_was_edited_in_the_database_is_noticed(tmp_path: Path) -> None:
    add_decisions(Lake(tmp_path), DECISIONS)
    with sqlite3.connect(tmp_path / "decisions.sqlite") as connection:
        connection.execute("update aisle_decisions set value = 'Sheep' where kind = 'lab'")
    with pytest.raises(DecisionsUnavailable, match="was edited"):
        list_decisions(Lake(tmp_path))


def test_a_log_of_an_earlier_version_is_read_and_continued(tmp_path: Path) -> None:
    assert tuple(one.event_id for one in DECISIONS[:3]) == OLD_IDS
    lake = Lake(tmp_path)
    add_decisions(lake, DECISIONS[:3])
    with sqlite3.connect(tmp_path / "decisions.sqlite") as connection:
        for column in ("from_taxonomy", "from_category"):
            connection.execute(f"alter table aisle_decisions drop column {column}")
    assert list_decisions(lake) == DECISIONS[:3]
    assert add_decisions(lake, DECISIONS) == 7
    assert list_decisions(lake) == DECISIONS


def test_an_export_is_read_back_as_it_was() -> None:
    text = write_csv(DECISIONS)
    assert read_csv(text, {"decided_by": "another"}, "old.csv") == DECISIONS
    assert ",'=1+1," in text  # a spreadsheet runs no formula
    assert read_csv("\ufeff" + text.replace("\n", "\r\n"), {}, "old.csv") == DECISIONS


def test_rows_that_people_wrote_get_their_name_and_moment() -> None:
    given = {"decided_by": "Ada", "decided_at": DECISIONS[0].decided_at}
    text = "kind,record_id,value,taxonomy\ncategory,r1,Wolves,animals\n"
    assert read_csv(text, given, "own.csv") == [make_decision("Wolves")]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"value": "maybe", "kind": "scope"}, "row 2: 'maybe' decides nothing on 'scope': expected yes or no"),
        ({"kind": "colour"}, "row 2: 'colour' is no kind of decision"),
        ({"decided_by": ""}, "row 2: a decision of the kind 'category' needs decided_by"),
        ({"decided_at": "yesterday"}, "row 2: decided_at is 'yesterday'"),
        ({"taxonomy": ""}, "needs taxonomy"),
        ({"kind": "field", "field": "published_on"}, "'Wolves' is no day"),
        ({"kind": "field", "field": "colour"}, "'colour' is no field to correct"),
        ({"kind": "field", "field": "url"}, "'Wolves' is no web address"),
        ({"kind": "same work", "value": "yes", "second_record_id": "r1"}, "the same work as itself"),
        ({"event_id": "0" * 32}, "event 0{32} was edited"),
        ({"kind": "mapping", "record_id": ""}, "'mapping' needs from_taxonomy, from_category"),
        ({**MAPPED, "from_taxonomy": "animals"}, "mapped into another taxonomy, not into its own"),
        ({**MAPPED, "value": "Robustness=0.5; Robustness=0.5"}, "names a category twice"),
        (MAPPED, "'Wolves' is no mapping: expected categories with weights that add up to 1"),
        ({**MAPPED, "value": "Wolves=0.5"}, "weights that add up to 1"),
        ({**MAPPED, "value": "Wolves=1; Foxes=0"}, "weights that add up to 1"),
    ],
)
def test_a_row_that_is_no_decision_is_named_with_the_reason(changed: dict[str, str], message: str) -> None:
    row = {"kind": "category", "decided_by": "Ada", "decided_at": "2026-01-01", "value": "Wolves", "record_id": "r1"}
    row |= {"taxonomy": "animals", **changed}
    text = f"{','.join(row)}\n{','.join(row.values())}\n"
    with pytest.raises(InvalidDecision, match=message):
        read_csv(text, {}, "own.csv")


def test_a_file_without_rows_and_one_that_is_no_csv_are_refused() -> None:
    for text in ("", "kind,record_id\n", 'kind\n"a" b\n'):
        with pytest.raises(InvalidDecision, match=r"own\.csv: "):
            read_csv(text, {}, "own.csv")


def test_any_change_of_an_event_is_another_event() -> None:
    first = DECISIONS[0]
    assert replace(first, reason="").event_id != first.event_id
    assert make_decision("Wolves; Foxes", reason="=1+1", title="'Quoted'  – and cut").event_id == first.event_id
