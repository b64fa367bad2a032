"""A row that a list judges not in scope stays a reject in every count, and is a label for the model of relevance."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.conftest import run_aisle
from tests.support.raw_tables import update_and_read
from tests.support.suggestions import fetch, make_tables, open_tables
from warehouse.lake import Lake

SHEET = """Title,Company,Category,Abstract,URL
A study of old wolves,Foo,Wolves,They grow old.,https://example.org/wolves
A study of cooking,Foo,No,Soup and bread.,https://example.org/soup
On chess,Foo,not in scope,Abstract not found,https://example.org/chess
,Foo,No,,https://example.org/untitled
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake, path = Lake(tmp_path / "lake"), tmp_path / "animals.csv"
    path.write_text(SHEET, encoding="utf-8")
    assert run_aisle(lake.root, "add", str(path)).returncode == 0
    return lake


def test_judged_rows_are_rejects_and_kept_with_title_and_abstract(lake: Lake) -> None:
    tables = update_and_read(lake)
    (account,) = tables["raw.parses"].filter(source="lab_sheet").to_dicts()
    assert (account["records_read"], account["records_kept"], account["records_rejected"]) == (4, 1, 3)
    assert tables["raw.rejects"].height == 3
    judged = tables["raw.judged_rows"].select("record_ordinal", "list", "title", "abstract", "judgement").rows()
    assert judged == [
        (2, "animals", "A study of cooking", "Soup and bread.", "No"),
        (3, "animals", "On chess", None, "not in scope"),
    ]


def test_judged_rows_that_a_lake_has_not_yet_are_read_from_its_snapshots(lake: Lake) -> None:
    before = update_and_read(lake)
    for path in sorted(lake.locate_table("raw.judged_rows").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    lines: list[str] = []
    after = update_and_read(lake, lines.append)
    assert {name: table.equals(before[name]) for name, table in after.items()} == dict.fromkeys(before, True)
    assert not any("all snapshots again" in line for line in lines)


def test_a_judged_row_is_a_label_unless_its_title_has_a_reviewed_scope() -> None:
    works = [{"work_id": "w1", "title": "A Study of Old Wolves"}]
    scopes = [{"work_id": "w1", "taxonomy": "animals", "is_in_scope": True, "basis": "listed"}]
    lists = [{"list": "animals", "taxonomy": "animals"}]
    with open_tables(works=works, reviewed_scopes=scopes, reviewed_labels=[], lists=lists) as tables:
        write_judged_rows(
            tables, ("s1", "A study of cooking"), ("s2", "A study of COOKING"), ("s1", "A study of old wolves")
        )
        make_tables(tables, "clean.training_labels")
        query = "select taxonomy, model, category, title from clean.training_labels order by category"
        assert fetch(tables, query) == [
            ("animals", "relevance", "in scope", "A Study of Old Wolves"),
            ("animals", "relevance", "not in scope", "A study of COOKING"),
        ]


def write_judged_rows(tables: duckdb.DuckDBPyConnection, *rows: tuple[str, str]) -> None:
    tables.execute("create schema raw")
    tables.execute(
        "create table raw.judged_rows"
        " (snapshot_id varchar, record_ordinal bigint, source varchar, list varchar, title varchar, abstract varchar)"
    )
    for row in rows:
        tables.execute("insert into raw.judged_rows values (?, 1, 'lab_sheet', 'animals', ?, null)", row)


def test_a_work_with_several_main_categories_has_one_label() -> None:
    works = [{"work_id": "w1", "title": "A study of wolves and foxes"}]
    reviewed = [
        {"work_id": "w1", "taxonomy": "animals", "category": category, "category_position": place, "basis": "listed"}
        for category, place in (("Wolves", 1), ("Foxes", 1), ("Animals", 2))
    ]
    with open_tables(works=works, reviewed_scopes=[], reviewed_labels=reviewed, lists=[]) as tables:
        write_judged_rows(tables)
        make_tables(tables, "clean.training_labels")
        assert fetch(tables, "select item_id, category from clean.training_labels") == [("w1", "Foxes")]
