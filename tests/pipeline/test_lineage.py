"""Column lineage, parsed from the queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.defs.catalog import list_tables, load_transforms
from transforms.lineage import ROWS, build_schema, trace_columns
from transforms.reader import Transform, read_transforms
from warehouse.lake import Lake
from warehouse.release import read_current_release
from warehouse.table import DeclarationError, Table, parse_table

PRODUCTS = parse_table(
    "raw.products",
    {
        "row": "A product.",
        "key": ["product"],
        "columns": {
            "product": {"type": "text", "meaning": "Its name."},
            "maker": {"type": "text", "meaning": "Who made it."},
            "price": {"type": "real", "meaning": "What it costs.", "unit": "crowns"},
        },
    },
)


def write_transform(tmp_path: Path, query: str, *columns: str) -> dict[str, Transform]:
    """A transform ``mart.summary`` with these columns."""
    (tmp_path / "mart").mkdir()
    declared = "\n".join(f'{name} = {{ type = "text", meaning = "It." }}' for name in columns)
    head = f'/*\nrow = "One."\nkey = ["{columns[0]}"]\n[columns]\n{declared}\n*/\n'
    (tmp_path / "mart" / "summary.sql").write_text(head + query)
    return read_transforms([PRODUCTS], tmp_path)


def trace_origins(tmp_path: Path, query: str, *columns: str) -> set[tuple[str, str, str]]:
    edges = trace_columns(write_transform(tmp_path, query, *columns).values(), build_schema([PRODUCTS]))
    assert set(edges["table_name"]) <= {"mart.summary"}
    return {(row["column_name"], row["from_table"], row["from_column"]) for row in edges.to_dicts()}


def test_columns_are_traced_through_ctes_stars_and_subqueries(tmp_path: Path) -> None:
    query = """
        with doubled as (select *, price * 2 as twice from raw.products),
        by_maker as (select maker, max(twice) as most, count(*) as products from doubled group by maker)
        select
            outer_query.maker, most + 1 as most, products, 'fixed' as rule,
            (select min(product) from doubled where doubled.maker = outer_query.maker) as first
        from by_maker as outer_query
    """
    assert trace_origins(tmp_path, query, "maker", "most", "products", "rule", "first") == {
        (ROWS, "raw.products", ROWS),
        ("maker", "raw.products", "maker"),
        ("most", "raw.products", "price"),
        ("products", "raw.products", ROWS),
        ("first", "raw.products", "product"),
    }


def test_union_is_traced_to_each_part(tmp_path: Path) -> None:
    query = "select product as label from raw.products union all select maker as label from raw.products"
    assert trace_origins(tmp_path, query, "label") >= {
        ("label", "raw.products", "product"),
        ("label", "raw.products", "maker"),
    }


def test_count_over_a_recursive_cte_is_traced(tmp_path: Path) -> None:
    query = """
        with recursive chain as (select product from raw.products union all select product from chain where false)
        select count(*) as number from chain
    """
    assert trace_origins(tmp_path, query, "number") >= {("number", "raw.products", ROWS)}


def test_missing_column_is_reported_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"summary\.sql: its columns cannot be traced"):
        trace_columns(
            write_transform(tmp_path, "select product from raw.products", "another").values(), build_schema([PRODUCTS])
        )


def test_every_source_is_a_declared_column_and_only_constants_have_none() -> None:
    tables: dict[str, Table] = {table.name: table for table in list_tables()}
    edges = trace_columns(load_transforms().values(), build_schema(list_tables()))
    for row in edges.iter_rows(named=True):
        assert row["from_column"] in {ROWS, *tables[row["from_table"]].schema}
        assert row["column_name"] in {ROWS, *tables[row["table_name"]].schema}
    traced = set(edges.select("table_name", "column_name").iter_rows())
    without = {
        column.name for transform in load_transforms().values() for column in transform.table.columns
        if (transform.table.name, column.name) not in traced
    }  # fmt: skip
    assert "counting_rule" in without
    assert not without & {"publication_id", "works", "works_share", "sentence", "p_value", "published_on"}


def test_release_has_the_lineage_of_its_columns(released_lake: Lake) -> None:
    with read_current_release(released_lake).connect() as connection:
        sources = connection.execute(
            "select from_table, from_column from reference.lineage"
            " where table_name = 'clean.list_entries' and column_name = 'title'"
        ).fetchall()
    assert ("raw.lab_sheet_publications", "title") in sources
