"""Where columns come from, as read from the queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.defs.tables import all_tables, transforms
from transforms.lineage import ROWS, lineage_of
from transforms.reader import Transform, read_transforms
from warehouse.lake import Lake
from warehouse.release import current
from warehouse.table import DeclarationError, Table, table_from_toml

THINGS = table_from_toml(
    "raw.things",
    {
        "row": "A thing.",
        "key": ["thing"],
        "columns": {
            "thing": {"type": "text", "meaning": "Its name."},
            "maker": {"type": "text", "meaning": "Who made it."},
            "price": {"type": "real", "meaning": "What it costs.", "unit": "crowns"},
        },
    },
)


def made_by(tmp_path: Path, query: str, *columns: str) -> dict[str, Transform]:
    """A transform ``mart.told`` with these columns."""
    (tmp_path / "mart").mkdir()
    declared = "\n".join(f'{name} = {{ type = "text", meaning = "It." }}' for name in columns)
    head = f'/*\nrow = "One."\nkey = ["{columns[0]}"]\n[columns]\n{declared}\n*/\n'
    (tmp_path / "mart" / "told.sql").write_text(head + query)
    return read_transforms([THINGS], tmp_path)


def origins(tmp_path: Path, query: str, *columns: str) -> set[tuple[str, str, str]]:
    found = lineage_of(made_by(tmp_path, query, *columns).values(), [THINGS])
    assert set(found["table_name"]) <= {"mart.told"}
    return {(row["column_name"], row["from_table"], row["from_column"]) for row in found.to_dicts()}


def test_columns_are_followed_through_named_queries_stars_and_subqueries(tmp_path: Path) -> None:
    query = """
        with dear as (select *, price * 2 as twice from raw.things),
        by_maker as (select maker, max(twice) as most, count(*) as things from dear group by maker)
        select
            outer_query.maker, most + 1 as most, things, 'fixed' as rule,
            (select min(thing) from dear where dear.maker = outer_query.maker) as first
        from by_maker as outer_query
    """
    assert origins(tmp_path, query, "maker", "most", "things", "rule", "first") == {
        (ROWS, "raw.things", ROWS),
        ("maker", "raw.things", "maker"),
        ("most", "raw.things", "price"),
        ("things", "raw.things", ROWS),
        ("first", "raw.things", "thing"),
    }


def test_a_union_comes_from_each_part(tmp_path: Path) -> None:
    query = "select thing as told from raw.things union all select maker as told from raw.things"
    assert origins(tmp_path, query, "told") >= {("told", "raw.things", "thing"), ("told", "raw.things", "maker")}


def test_a_count_over_a_query_that_names_itself_ends(tmp_path: Path) -> None:
    query = """
        with recursive chain as (select thing from raw.things union all select thing from chain where false)
        select count(*) as told from chain
    """
    assert origins(tmp_path, query, "told") >= {("told", "raw.things", ROWS)}


def test_a_column_that_is_not_made_is_named_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"told\.sql: its columns cannot be followed"):
        lineage_of(made_by(tmp_path, "select thing from raw.things", "another").values(), [THINGS])


def test_every_origin_is_a_declared_column_and_only_constants_have_none() -> None:
    tables: dict[str, Table] = {table.name: table for table in all_tables()}
    found = lineage_of(transforms().values(), all_tables())
    for row in found.iter_rows(named=True):
        assert row["from_column"] in {ROWS, *tables[row["from_table"]].schema}
        assert row["column_name"] in {ROWS, *tables[row["table_name"]].schema}
    told = set(found.select("table_name", "column_name").iter_rows())
    without = {
        column.name for made in transforms().values() for column in made.table.columns
        if (made.table.name, column.name) not in told
    }  # fmt: skip
    assert "counting_rule" in without
    assert not without & {"publication_id", "works", "works_share", "sentence", "p_value", "published_on"}


def test_a_release_tells_where_a_share_comes_from(released_lake: Lake) -> None:
    with current(released_lake).connect() as connection:
        told = connection.execute(
            "select from_table, from_column from reference.lineage"
            " where table_name = 'clean.publications' and column_name = 'title'"
        ).fetchall()
    assert ("raw.lab_sheet_publications", "title") in told
